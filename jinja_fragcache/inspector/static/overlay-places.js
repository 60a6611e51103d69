// Finds where in the window fragments are. Areas have `left`, `top`, `right` and `bottom`.

const range = document.createRange();

/** Yield the outermost nodes between two others. */
export function* between(start, end) {
  let node = start;
  for (;;) {
    while (!node.nextSibling) {
      node = node.parentNode;
      if (!node) return;
    }
    node = node.nextSibling;
    while (node !== end && node.contains(end)) node = node.firstChild;
    if (node === end) return;
    yield node;
  }
}

const sides = ({ left, top, right, bottom }) => ({ left, top, right, bottom });
const isEmpty = (area) => area.right <= area.left || area.bottom <= area.top;

/** Return the smallest area with two others in it, of which either may be null. */
function around(one, other) {
  if (!one || !other) return one ?? other;
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

/** Return what two areas have in common, of which null is everything. */
function overlap(one, other) {
  if (!one || !other) return one ?? other;
  return {
    left: Math.max(one.left, other.left),
    top: Math.max(one.top, other.top),
    right: Math.min(one.right, other.right),
    bottom: Math.min(one.bottom, other.bottom),
  };
}

function isVisible(element) {
  // With `display: contents` it has no box itself, and so it is not visible itself.
  const isThere = element.checkVisibility({ visibilityProperty: true });
  return isThere || getComputedStyle(element).display === "contents";
}

/** Return the area of a node, null if there is nothing to be seen. */
function areaOf(node) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (!node.data.trim()) return null;
    range.selectNodeContents(node);
    const area = range.getBoundingClientRect();
    return isEmpty(area) || !isVisible(node.parentElement) ? null : sides(area);
  }
  if (node.nodeType !== Node.ELEMENT_NODE) return null;
  const area = node.getBoundingClientRect();
  if (!isEmpty(area)) return isVisible(node) ? sides(area) : null;
  // It has no box, or one without height. What is in it may have one all the same.
  return [...node.childNodes].map(areaOf).reduce(around, null);
}

/** Return the area outside of which a node can't be seen, null if there is no such. */
function cutOf(node, known) {
  if (node.nodeType !== Node.ELEMENT_NODE) return cutIn(node.parentElement, known);
  const { position } = getComputedStyle(node);
  if (position === "fixed") return null;
  return cutIn(position === "absolute" ? node.offsetParent : node.parentElement, known);
}

/** Return the same for what is in an element that may scroll, or hide what is too large. */
function cutIn(element, known) {
  // What these two do is done by the window.
  if (!element || element === document.body || element === document.documentElement) return null;
  if (!known.has(element)) {
    const { overflowX, overflowY } = getComputedStyle(element);
    const shows = overflowX === "visible" && overflowY === "visible";
    const own = shows ? null : sides(element.getBoundingClientRect());
    known.set(element, overlap(own, cutOf(element, known)));
  }
  return known.get(element);
}

/**
 * Return the areas of fragments, in the same order.
 *
 * Each has `whole`, the area that the fragment takes, and `seen`, what its surroundings let
 * be seen of that. Either is null if it is empty.
 */
export function measure(fragments) {
  const known = new Map();
  return fragments.map(({ start, end }) => {
    let whole = null;
    let seen = null;
    for (const node of between(start, end)) {
      const area = areaOf(node);
      if (!area) continue;
      whole = around(whole, area);
      const left = overlap(area, cutOf(node, known));
      if (!isEmpty(left)) seen = around(seen, left);
    }
    return { whole, seen };
  });
}
