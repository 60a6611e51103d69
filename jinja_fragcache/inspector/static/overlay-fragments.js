// Finds the fragments of a page by the comments that the cache writes around them.

const OUTCOMES = ["hit", "miss", "stale", "uncached"];
const START = /^ (cache|cache-row|cache-hole) (.+) (#[0-9a-f]+\.[0-9]+) $/s;
const END = /^ \/(?:cache|cache-row|cache-hole) (#[0-9a-f]+\.[0-9]+) $/;
const QUOTED = '"(?:[^"\\\\]|\\\\.)*"';
const WORD = new RegExp(`(?:[^\\s"]|${QUOTED})+`, "g");
const TAG = new RegExp(`${QUOTED}|[^,"]+`, "g");
const FIELD = /^(why|not-stored|key|age|expires|tags)=(.+)$/s;

const unquoted = (word) => (word.startsWith('"') ? JSON.parse(word) : word);

/** Return what the words of a comment say, null if they say something else. */
function read(kind, said, id) {
  const [first, ...words] = said.match(WORD) ?? [];
  const told = { kind, id, tags: [] };
  if (kind === "cache-hole") return { ...told, outcome: "hole", name: unquoted(first) };
  if (!OUTCOMES.includes(first) || !words.length) return null;
  told.outcome = first;
  told.name = unquoted(words.shift());
  for (const word of words) {
    const [, name, value] = FIELD.exec(word) ?? [];
    if (!name) told.place = unquoted(word);
    else if (name === "tags") told.tags = value.match(TAG).map(unquoted);
    else told[name] = unquoted(value);
  }
  return told;
}

function readStart(comment) {
  const [, kind, said, id] = START.exec(comment.data) ?? [];
  try {
    return kind ? read(kind, said, id) : null;
  } catch {
    // A comment of somebody else's, which only looks like one of these.
    return null;
  }
}

/**
 * Return the fragments of the page, in its order, whose two comments are both there.
 *
 * Each has `start` and `end`, the comments; `told`, what they say; `parent`, the fragment
 * around it, undefined if there is none; and `since`, the time at which it was found.
 */
export function findFragments() {
  const walker = document.createTreeWalker(document, NodeFilter.SHOW_COMMENT);
  const found = [];
  const open = [];
  const since = performance.now();
  while (walker.nextNode()) {
    const comment = walker.currentNode;
    const [, ended] = END.exec(comment.data) ?? [];
    if (ended) {
      const at = open.findLastIndex((each) => each.told.id === ended);
      if (at >= 0) open.splice(at)[0].end = comment;
      continue;
    }
    const told = readStart(comment);
    if (!told) continue;
    const fragment = { start: comment, end: null, told, parent: open.at(-1), since };
    found.push(fragment);
    open.push(fragment);
  }
  return found.filter((each) => each.end);
}
