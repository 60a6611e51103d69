// The style of the overlay. It reaches nothing outside of its shadow root.

export const style = new CSSStyleSheet();

style.replaceSync(`
/* "important" in here wins over whatever the page has for all elements. */
:host {
  all: initial !important;
  position: fixed !important;
  inset: 0 auto auto 0 !important;
  z-index: 2147483647 !important;
  direction: ltr !important;
  color-scheme: light dark !important;
}
@media print { :host { display: none !important; } }

* { box-sizing: border-box; }
[hidden] { display: none !important; }
.hit { --color: #1a7f37; --line: solid; }
.miss { --color: #b93815; --line: dashed; }
.stale { --color: #7a3ea8; --line: dotted; }
.uncached { --color: #57606a; --line: double; }
.hole { --color: #0958b3; --line: dotted; }

.boxes, .bar, .card {
  font: 12px/1.4 system-ui, sans-serif;
  text-align: left;
}
button, a, .card, .bar { border-radius: 4px; }
button, summary { cursor: pointer; }
button { font: inherit; }
:focus-visible { outline: 3px solid #0969da; outline-offset: 1px; box-shadow: 0 0 0 5px #fff; }

.box {
  position: absolute;
  outline: 2px var(--line) var(--color);
  outline-offset: -1px;
  /* So that it shows on a ground of the same color. */
  box-shadow: 0 0 0 2px #fff7;
  pointer-events: none;
}
.box.uncached { outline-width: 4px; }
.box.chosen, .box:has(+ .label:is(:hover, :focus-visible)) {
  background: color-mix(in srgb, var(--color) 15%, transparent);
}
.label {
  position: absolute;
  height: 18px;
  padding: 0 5px;
  overflow: hidden;
  border: 0;
  background: var(--color);
  color: #fff;
  font-size: 11px;
  line-height: 18px;
  text-overflow: ellipsis;
  white-space: nowrap;
  opacity: 0.92;
}
.label.small:not(:hover, :focus-visible, .chosen) .name { display: none; }
.label:is(:hover, :focus-visible, .chosen) { max-width: none !important; z-index: 1; opacity: 1; }
.label.away:not(:focus-visible) { opacity: 0; pointer-events: none; }
.done { text-decoration: line-through; }

.bar {
  position: fixed;
  z-index: 2;
  bottom: 8px;
  left: 8px;
  display: flex;
  align-items: flex-end;
  gap: 6px;
  max-width: calc(100vw - 16px);
}
.toggle {
  padding: 4px 10px;
  border: 1px solid #fff8;
  background: #24292f;
  color: #fff;
  box-shadow: 0 1px 4px #0006;
}
.toggle[aria-pressed="true"] { background: #0958b3; }
.unseen, .card {
  border: 1px solid #8c959f;
  background: light-dark(#fff, #22272e);
  color: light-dark(#1f2328, #e6edf3);
  box-shadow: 0 4px 16px #0006;
}
.unseen { padding: 4px 10px; border-radius: 4px; max-height: 50vh; overflow: auto; }
.unseen .label { position: static; display: block; max-width: 70vw !important; margin-top: 5px; }

.card {
  position: fixed;
  z-index: 3;
  width: min(420px, calc(100vw - 16px));
  max-height: calc(100vh - 16px);
  padding: 12px;
  overflow: auto;
  overflow-wrap: anywhere;
  font-size: 13px;
}
.card:focus { outline: 0; }
.card header { display: flex; align-items: start; gap: 8px; }
.card h2 { flex: 1; margin: 0; font-size: 15px; line-height: 24px; }
.card .outcome {
  padding: 0 7px;
  border-radius: 4px;
  background: var(--color);
  color: #fff;
  line-height: 24px;
}
.card .close { min-width: 28px; }
.card dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 12px; margin: 10px 0; }
.card dt { color: light-dark(#57606a, #9ba6b2); }
.card dd { margin: 0; }
.card code { font: 12px/1.4 ui-monospace, monospace; user-select: all; }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; }
.card button {
  min-height: 28px;
  padding: 2px 10px;
  border: 1px solid #8c959f;
  background: light-dark(#f6f8fa, #373e47);
  color: inherit;
}
.card button:hover { background: light-dark(#e7ebef, #444c56); }
.card button:disabled { opacity: 0.6; cursor: default; }
.card a { color: light-dark(#0958b3, #79b8ff); }
.told:not(:empty) { margin: 10px 0 0; }
.told.failed { color: light-dark(#b42318, #ff938a); }
`);
