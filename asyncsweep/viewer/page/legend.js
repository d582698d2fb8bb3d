// What the marks and lines of a chart mean, beside its switches: as text of the page, for eyes, screen readers and the keyboard alike.

import { element } from "./elements.js";
import { mark } from "./states.js";

const SVG = "http://www.w3.org/2000/svg";

export class Legend {
  constructor(choose) {
    this.list = element("ul", { class: "chart-legend", hidden: true });
    this.choose = choose;
    this.known = "";
  }

  // `entries` are {text, state} for marks of trials in a state, {text, ring} and {text, disc} for circles and {text, line: {color, width, dash}} for a line, in
  // CSS colours; one with a `number` chooses that trial when it is pressed.
  put(entries) {
    const known = JSON.stringify(entries);
    if (known === this.known) return; // who has the keyboard's focus keeps it
    this.known = known;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.number : undefined;
    this.list.hidden = entries.length === 0;
    this.list.replaceChildren(...entries.map((entry) => element("li", {}, this.item(entry))));
    if (focused !== undefined) [...this.list.querySelectorAll("button")].find((button) => button.dataset.number === focused)?.focus();
  }

  item({ text, state, ring, disc, line, number }) {
    const sign = state ? mark(state) : ring ? circle("none", ring) : disc ? circle(disc, disc) : swatch(line);
    if (number === undefined) return element("span", {}, sign, text);
    const onclick = () => this.choose(number);
    return element("button", { type: "button", class: "quiet", title: "Show this trial", "data-number": String(number), onclick }, sign, text);
  }
}

function drawn(shape, attributes, width) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} 10`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", 10);
  svg.setAttribute("aria-hidden", "true");
  const made = document.createElementNS(SVG, shape);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  svg.append(made);
  return svg;
}

function circle(fill, stroke) {
  return drawn("circle", { cx: 5, cy: 5, r: 3.6, fill, stroke, "stroke-width": 1.4 }, 10);
}

function swatch({ color, width, dash }) {
  return drawn("path", { d: "M0 5H18", fill: "none", stroke: color, "stroke-width": width, "stroke-dasharray": dash ? "5 3" : "none" }, 18);
}
