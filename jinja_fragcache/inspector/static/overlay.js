// Draws boxes around the cached fragments of a page, in debug mode.
//
// The comments that the cache writes tell where fragments are and what became of them. The
// page is left as it is: the boxes are in a shadow root behind its body, where they take no
// room. No style is set by an attribute, and no text becomes HTML, so that a strict
// Content-Security-Policy, with Trusted Types, has nothing against it.

import { ask } from "./overlay-actions.js";
import { Card } from "./overlay-card.js";
import { make } from "./overlay-elements.js";
import { findFragments } from "./overlay-fragments.js";
import { between, measure } from "./overlay-places.js";
import { style } from "./overlay-style.js";

const NAME = "fragcache-overlay";
const LABEL_HEIGHT = 18;
const SMALLEST_LABEL = 40;
const SMALL = 64;

const given = document.querySelector('script[src$="/overlay.js"][data-csrf-token]').dataset;
const host = document.createElement(NAME);
const root = host.attachShadow({ mode: "open" });
root.adoptedStyleSheets = [style];

/** The box and the label of one fragment. */
class Mark {
  constructor(fragment) {
    const { outcome, name, kind } = fragment.told;
    const what = kind === "cache-row" ? `row ${name}` : name;
    this.fragment = fragment;
    // What `move` was told at last.
    this.area = null;
    this.box = make("div", { className: `box ${outcome}` });
    this.label = make("button", { type: "button", className: `label ${outcome}` });
    this.label.append(outcome, make("span", { className: "name" }, ` ${what}`));
    this.label.ariaLabel = `${outcome} ${what}`;
    this.label.addEventListener("click", () => choose(this));
    this.label.addEventListener("focus", () => this.show());
  }

  /** Scroll the page to the fragment, if the keyboard went to where it can't be seen. */
  show() {
    if (!this.isAway || !this.label.matches(":focus-visible")) return;
    const { start, end } = this.fragment;
    const first = [...between(start, end)].find((each) => each.nodeType === Node.ELEMENT_NODE);
    (first ?? start.parentElement).scrollIntoView({ block: "center", inline: "nearest" });
  }

  /** Tell the one whose card is open from others. */
  mark(isChosen) {
    for (const each of [this.box, this.label]) each.classList.toggle("chosen", isChosen);
  }

  /** Put the box where the fragment is, and return whether it moved. */
  move({ whole, seen: area }) {
    const isThere = Boolean(whole);
    const told = area ? [area.left, area.top, area.right, area.bottom].join() : "";
    if (told === this.area && isThere === this.isThere) return false;
    this.isThere = isThere;
    this.area = told;
    this.seen = area;
    this.box.hidden = !area;
    if (!area) return true;
    const { style: box } = this.box;
    box.left = `${area.left}px`;
    box.top = `${area.top}px`;
    box.width = `${area.right - area.left}px`;
    box.height = `${area.bottom - area.top}px`;
    // It would hide too much of a low one, such as a row.
    this.label.classList.toggle("small", area.bottom - area.top < SMALL);
    this.label.style.maxWidth = `${Math.max(SMALLEST_LABEL, area.right - area.left)}px`;
    return true;
  }
}

const boxes = make("div", { className: "boxes", role: "group", ariaLabel: "Cached fragments" });
const toggle = make("button", { type: "button", className: "toggle" });
toggle.title = "Show cached fragments (Alt+Shift+C)";
toggle.setAttribute("aria-keyshortcuts", "Alt+Shift+C");
const unseen = make("details", { className: "unseen" }, make("summary"), make("div"));
const bar = make("div", { className: "bar" }, toggle, unseen);
const card = new Card({ root, prefix: given.prefix, act, closed });
root.append(bar, boxes);

let marks = new Map();
let isOn = recall();
let isOld = true;
let cameFrom = null;
let frame = 0;

// ---- What is remembered from page to page ----------------------------------------------

function recall() {
  try {
    return localStorage.getItem(NAME) === "on";
  } catch {
    // The page may keep nothing, such as in a sandbox.
    return false;
  }
}

function remember() {
  try {
    localStorage.setItem(NAME, isOn ? "on" : "off");
  } catch {
    // The same.
  }
}

// ---- Drawing ---------------------------------------------------------------------------

/** Look at the page's comments again, and keep the marks of those that are still there. */
function look() {
  isOld = false;
  const before = marks;
  marks = new Map();
  for (const fragment of findFragments()) {
    const known = before.get(fragment.start);
    const isSame = known?.fragment.end === fragment.end;
    marks.set(fragment.start, isSame ? known : new Mark(fragment));
  }
  const counts = {};
  for (const { fragment } of marks.values()) {
    counts[fragment.told.outcome] = (counts[fragment.told.outcome] ?? 0) + 1;
  }
  const listed = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`);
  toggle.textContent = `Cache: ${listed.join(", ") || "no fragments"}`;
  if (card.fragment && !marks.has(card.fragment.start)) card.close();
}

function draw() {
  if (!host.isConnected) return;
  const changed = isOld;
  if (isOld) look();
  const all = [...marks.values()];
  const areas = measure(all.map((each) => each.fragment));
  // In a page whose root is transformed, the host is not at the window's corner.
  const { left, top } = host.getBoundingClientRect();
  boxes.style.transform = left || top ? `translate(${-left}px, ${-top}px)` : "";
  const moved = all.filter((each, index) => each.move(areas[index]));
  if (moved.length || changed) arrange(all);
  // There is one loop, also if boxes were turned off and on before the next frame.
  cancelAnimationFrame(frame);
  if (isOn) frame = requestAnimationFrame(draw);
}

/** Put all marks in place, in the order of the page, which is that of the keyboard. */
function arrange(all) {
  const there = all.filter((each) => each.isThere);
  const wanted = there.flatMap(({ box, label }) => [box, label]);
  const focused = root.activeElement;
  fill(boxes, wanted);
  list(all.filter((each) => !each.isThere).map(({ label }) => label));
  // What is moved loses the focus.
  if (focused?.isConnected && focused !== root.activeElement) {
    focused.focus({ preventScroll: true });
  }
  const widths = there.map(({ label }) => label.offsetWidth);
  const placed = [];
  there.forEach((mark, index) => place(mark, widths[index], placed));
  const chosen = marks.get(card.fragment?.start);
  if (chosen) card.moveTo(chosen.seen ?? toggle.getBoundingClientRect());
}

const isOutside = (area) =>
  area.bottom <= 0 || area.right <= 0 || area.top >= innerHeight || area.left >= innerWidth;

/** Put a label into the upper right corner of its box, beside those that are there. */
function place(mark, width, placed) {
  const { seen: area, label } = mark;
  mark.isAway = !area || isOutside(area);
  label.classList.toggle("away", mark.isAway);
  if (mark.isAway) return;
  const right = Math.min(area.right, innerWidth);
  let left = Math.max(0, right - width);
  let top = Math.max(0, Math.min(area.top, innerHeight - LABEL_HEIGHT));
  const overlaps = (each) =>
    Math.abs(each.top - top) < LABEL_HEIGHT &&
    left < each.left + each.width &&
    each.left < left + width;
  for (let other = placed.find(overlaps); other; other = placed.find(overlaps)) {
    left = other.left - width - 1;
    if (left < 0) [left, top] = [Math.max(0, right - width), top + LABEL_HEIGHT];
  }
  placed.push({ left, top, width });
  // One that is pointed at shows its whole text. It grows to where there is more room.
  const isRight = left + width / 2 > innerWidth / 2;
  label.style.left = isRight ? "auto" : `${left}px`;
  label.style.right = isRight ? `${-left - width}px` : "auto";
  label.style.top = `${top}px`;
}

/** Let an element have these children, and touch nothing if it has. */
function fill(element, wanted) {
  const { children } = element;
  const isSame = wanted.every((each, at) => each === children[at]);
  if (!isSame || wanted.length !== children.length) element.replaceChildren(...wanted);
}

/** List the labels of fragments that have no place in the page, such as empty ones. */
function list(labels) {
  unseen.hidden = !labels.length;
  for (const each of labels) each.classList.remove("away", "small");
  const [summary, items] = unseen.children;
  summary.textContent = `${labels.length} without a box`;
  fill(items, labels);
}

// ---- What people do --------------------------------------------------------------------

function turn(on) {
  isOn = on;
  remember();
  toggle.setAttribute("aria-pressed", on);
  boxes.hidden = unseen.hidden = !on;
  if (!on) card.close();
  if (on) {
    isOld = true;
    draw();
  }
}

function choose(mark) {
  for (const each of marks.values()) each.mark(each === mark);
  card.open(mark.fragment);
  card.moveTo(mark.seen ?? toggle.getBoundingClientRect());
}

function closed(fragment) {
  const mark = marks.get(fragment.start);
  mark?.mark(false);
  (mark?.label ?? toggle).focus({ preventScroll: true });
}

async function act(action, field, value) {
  const told = await ask(given, root, action, field, value);
  for (const { fragment, label } of marks.values()) {
    const { key, tags } = fragment.told;
    if (field === "key" ? key === value : tags.includes(value)) label.classList.add("done");
  }
  return told;
}

function pressed(event) {
  const isOther = event.ctrlKey || event.metaKey;
  if (event.code === "KeyC" && event.altKey && event.shiftKey && !isOther) {
    event.preventDefault();
    turn(!isOn);
    // So that the next press of Tab goes to the first box, and the page gets back the rest.
    if (isOn) cameFrom = document.activeElement;
    (isOn ? toggle : cameFrom)?.focus({ preventScroll: true });
  } else if (event.key === "Escape") {
    if (card.element) card.close();
    else if (isOn && root.activeElement) turn(false);
  }
}

function start() {
  document.documentElement.append(host);
  toggle.addEventListener("click", () => turn(!isOn));
  document.addEventListener("keydown", pressed);
  const watching = new MutationObserver(() => {
    if (!isOld && !isOn) requestAnimationFrame(look);
    isOld = true;
  });
  watching.observe(document, { childList: true, subtree: true });
  look();
  turn(isOn);
}

start();
