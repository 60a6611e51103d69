// Asks the inspector to delete something.

import { make } from "./overlay-elements.js";

const DONE = {
  delete: "Deleted. The next page that shows it renders it.",
  invalidate: "Invalidated. The next page that shows what has the tag renders it.",
};

/**
 * Ask for something, and return what to tell about it.
 *
 * @param {DOMStringMap} given What the page says: `prefix`, `csrfToken`, and `post`, which
 *   is "form" where the page's policy forbids requests of scripts, but not forms.
 * @param {Element} root Where a form may be.
 * @param {string} action The last part of the action's path.
 * @param {string} field The name of its field.
 * @param {string} value What is in the field.
 */
export async function ask(given, root, action, field, value) {
  const path = `${given.prefix}/${action}`;
  const fields = { [field]: value, csrf_token: given.csrfToken };
  if (given.post === "form") {
    send(root, path, fields);
    return "Sent. The new tab tells what came of it.";
  }
  const headers = { Accept: "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: new URLSearchParams(fields) });
  const told = await answer.json().catch(() => ({}));
  // It may not be the inspector that answers, but a page that asks for a login.
  if (answer.ok && (told.deleted ?? told.invalidated) === value) return DONE[action];
  const others = `Nothing was done: the answer was ${answer.status}, and not the inspector's.`;
  throw new Error(told.error ?? others);
}

function send(root, action, fields) {
  const form = make("form", { action, method: "post", target: "_blank", hidden: true });
  form.rel = "noopener";
  for (const [name, value] of Object.entries(fields)) {
    form.append(make("input", { type: "hidden", name, value }));
  }
  root.append(form);
  form.submit();
  form.remove();
}
