// Elements made by DOM calls: what comes from a sweep is text wherever it goes, and never markup.

// What stands for a name without letters.
export const NAMELESS = '""';

// element("button", { type: "button", class: "quiet", onclick: f, hidden: true }, "Stop", other): attributes by their names, listeners as
// `on...` functions, `null` and `false` leave one out. Children are nodes or texts.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Focus the first of these that can have it: what somebody came from may be gone, hidden or disabled.
export function focusOn(...targets) {
  const found = targets.find((target) => target?.isConnected && !target.disabled && target.checkVisibility());
  found?.focus({ preventScroll: true });
}

export function button(text, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, text);
}

// A text of any length in a place for a short one; all of it (up to a screenful) is in the element's title.
export function fill(target, text, most = 120) {
  const short = shortened(text, most);
  if (target.textContent !== short) target.textContent = short;
  if (text.length > 18) target.title = shortened(text, 2000);
  else target.removeAttribute("title");
}

export function shortened(text, most) {
  return text.length <= most ? text : `${Array.from(text.slice(0, most)).slice(0, -1).join("")}…`;
}

// Names and values in any direction of writing stay where they are.
export function isolated(text, most = 120) {
  const made = element("bdi");
  fill(made, text, most);
  return made;
}
