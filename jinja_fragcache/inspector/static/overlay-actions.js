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
  if (answer.ok) return DONE[action];
  const { error } = await answer.json().catch(() => ({}));
  throw new Error(error ?? `The inspector answered with ${answer.status} ${answer.statusText}.`);
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
