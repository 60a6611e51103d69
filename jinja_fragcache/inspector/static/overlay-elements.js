// Makes elements. No text becomes HTML here.

/** Return a new element with properties and content. */
export function make(name, properties = {}, ...content) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...content);
  return element;
}
