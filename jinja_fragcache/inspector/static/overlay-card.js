// The card of one fragment: what the comment says of it, and what can be done about it.

import { make } from "./overlay-elements.js";

const WHAT = { cache: "Fragment", "cache-row": "Row of a list", "cache-hole": "Hole" };

function facts({ told, parent, since }) {
  const passed = (performance.now() - since) / 1000;
  const shown = [["What", WHAT[told.kind]]];
  if (told.why) shown.push(["Why", told.why]);
  if (told["not-stored"]) shown.push(["Not stored", told["not-stored"]]);
  if (told.kind === "cache-hole") shown.push(["Rendered", "on each request"]);
  if (told.key) shown.push(["Key", make("code", {}, told.key)]);
  if (told.age) shown.push(["Age", duration(parseFloat(told.age) + passed)]);
  if (told.expires) shown.push(["Expires", expiry(told.expires, passed)]);
  if (told.tags.length) shown.push(["Tags", told.tags.join(", ")]);
  if (told.place) shown.push(["Template", make("code", {}, told.place)]);
  if (parent) shown.push(["Inside of", parent.told.name]);
  return shown;
}

function expiry(told, passed) {
  if (told === "never") return told;
  const left = parseFloat(told) - passed;
  return left < 0 ? `${duration(-left)} ago` : `in ${duration(left)}`;
}

function duration(seconds) {
  const whole = Math.round(seconds);
  const units = [["d", 86400, Infinity], ["h", 3600, 24], ["min", 60, 60], ["s", 1, 60]];
  const parts = units.map(([name, size, most]) => [Math.floor(whole / size) % most, name]);
  const shown = parts.slice(Math.max(0, parts.findIndex(([count]) => count)));
  const [first, second] = whole ? shown : parts.slice(-1);
  return [first, second?.[0] ? second : []].flat().join(" ");
}

/** Whether the store may have what a fragment's key names. */
const isStored = (told) => told.key && told.outcome !== "uncached" && !told["not-stored"];

export class Card {
  /**
   * @param {object} page Where the card is, and what it calls:
   *   `root`, the element to put it in; `prefix`, the path of the inspector; `act`, which
   *   asks the inspector for something, and returns what came of it; `closed`.
   */
  constructor(page) {
    this.page = page;
    this.element = null;
    this.fragment = null;
  }

  open(fragment) {
    this.element?.remove();
    const { told } = fragment;
    this.fragment = fragment;
    const close = make("button", { className: "close", type: "button" }, "Close");
    close.addEventListener("click", () => this.close());
    const title = make("h2", { id: "title" }, told.name);
    const outcome = make("span", { className: `outcome ${told.outcome}` }, told.outcome);
    const list = make("dl");
    for (const [name, value] of facts(fragment)) {
      list.append(make("dt", {}, name), make("dd", {}, value));
    }
    this.told = make("p", { className: "told", role: "status" });
    const parts = [make("header", {}, title, outcome, close), list, this.#actions(told), this.told];
    this.element = make("section", { className: "card", role: "dialog", tabIndex: -1 }, ...parts);
    this.element.setAttribute("aria-labelledby", "title");
    this.page.root.append(this.element);
    this.element.focus({ preventScroll: true });
  }

  close() {
    if (!this.element) return;
    this.element.remove();
    const { fragment } = this;
    this.element = this.fragment = null;
    this.page.closed(fragment);
  }

  /** Put the card beside an area of the window. */
  moveTo(area) {
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const below = area.top + 22;
    const top = below + height + 8 <= innerHeight ? below : area.top - height - 4;
    const left = Math.min(area.right - width, innerWidth - width - 8);
    this.element.style.left = `${Math.max(8, left)}px`;
    this.element.style.top = `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`;
  }

  #actions(told) {
    const row = make("div", { className: "actions" });
    if (isStored(told)) row.append(this.#button("Delete", "delete", "key", told.key));
    for (const tag of told.tags) {
      row.append(this.#button(`Invalidate tag ${tag}`, "invalidate", "tag", tag));
    }
    if (told.key) {
      const href = `${this.page.prefix}/entry?key=${encodeURIComponent(told.key)}`;
      row.append(make("a", { href, target: "_blank", rel: "noopener" }, "Open in the inspector"));
    }
    return row;
  }

  #button(text, action, field, value) {
    const button = make("button", { type: "button" }, text);
    button.addEventListener("click", async () => {
      button.disabled = true;
      const { told } = this;
      try {
        told.textContent = await this.page.act(action, field, value);
        told.classList.remove("failed");
      } catch (error) {
        told.textContent = error.message;
        told.classList.add("failed");
        button.disabled = false;
      }
    });
    return button;
  }
}
