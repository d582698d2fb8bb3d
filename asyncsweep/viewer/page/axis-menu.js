// What can be done with the axes of the parallel plot: a list of all of them and a form that brushes one, for the keyboard too, the menu of
// a single one, and the legend of the colours.

import { BrushForm } from "./brush-form.js";
import { button, element, isolated } from "./elements.js";
import { specialTick } from "./experiment.js";
import { number } from "./format.js";
import { dashOf } from "./lines.js";
import { label } from "./states.js";

const SCALES = new Map([
  ["numeric", "Linear"],
  ["numericlog", "Logarithmic"],
  ["numericpercentile", "Percentiles"],
]);
const MOST_LISTED = 300;
const MOST_CHOICES = 8;

// All axes with their switches, in a panel that opens.
//   host: {axes, definition(id), isWorthShowing(axis), chooseColour(id), chooseScale(id, type), colourId, plot}
export class AxisMenu {
  constructor(bar, host) {
    this.host = host;
    this.summary = element("summary", {}, "Axes");
    this.search = element("input", { type: "search", placeholder: "Find an axis", "aria-label": "Find an axis", oninput: () => this.fill() });
    this.list = element("ul");
    this.panel = element("div", { class: "axis-panel" }, this.search, this.list);
    this.brushForm = new BrushForm(this.panel, host);
    this.details = element("details", { class: "axis-menu", ontoggle: () => this.fill() }, this.summary, this.panel);
    this.details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.details.open) return;
      event.stopPropagation();
      this.details.open = false;
      this.summary.focus();
    });
    addEventListener("pointerdown", ({ target }) => !this.details.contains(target) && (this.details.open = false));
    bar.append(this.details);
  }

  // Axes have come, or were moved, shown, hidden.
  refresh() {
    const { axes, plot } = this.host;
    const worth = axes.list.filter((axis) => this.host.isWorthShowing(axis)).length;
    this.summary.textContent = `Axes: ${plot?.shown.length ?? 0} of ${worth}`;
    this.fill();
  }

  fill() {
    if (!this.details.open) return;
    const { axes, plot } = this.host;
    const focused = document.activeElement?.closest("[data-focus]")?.dataset.focus;
    const sought = this.search.value.toLowerCase();
    const found = axes.list.filter((axis) => this.host.isWorthShowing(axis) && axis.label.toLowerCase().includes(sought));
    const shown = plot.shown.map((id) => axes.byId.get(id)).filter((axis) => found.includes(axis));
    const ordered = [...shown, ...found.filter((axis) => !shown.includes(axis))];
    this.search.hidden = axes.list.length < 12;
    this.list.replaceChildren(...ordered.slice(0, MOST_LISTED).map((axis) => this.entry(axis)));
    if (ordered.length > MOST_LISTED) this.list.append(element("li", { class: "faint" }, `and ${ordered.length - MOST_LISTED} more: search`));
    this.brushForm.refresh();
    if (focused) this.list.querySelector(`[data-focus="${focused}"]:not(:disabled)`)?.focus();
  }

  entry(axis) {
    const { plot } = this.host;
    const { id } = axis;
    const at = plot.shown.indexOf(id);
    const isShown = at >= 0;
    const isLast = isShown && plot.shown.length === 1;
    const act = (what, text, title, isOff, attributes = {}) =>
      button(text, what, { class: "quiet", title, "aria-label": `${title}: ${axis.label.slice(0, 80)}`, disabled: isOff, "data-focus": `${id}-${title.replaceAll(" ", "-")}`, ...attributes });
    const box = element("input", { type: "checkbox", "data-focus": `${id}-box`, disabled: isLast });
    box.checked = isShown;
    box.addEventListener("change", () => (box.checked ? plot.show(id) : plot.hide(id)));
    return element(
      "li", {}, element("label", {}, box, isolated(axis.label)),
      act(() => plot.move(id, -1), "←", "Move left", !isShown || at === 0),
      act(() => plot.move(id, 1), "→", "Move right", !isShown || at === plot.shown.length - 1),
      act(() => plot.invert(id), "↕", "Invert", !isShown, { "aria-pressed": String(plot.isInverted(id)) }),
      this.scales(axis),
    );
  }

  scales(axis) {
    const { type, type_options: options } = this.host.definition(axis.id) ?? { type_options: [] };
    if (options.length < 2) return element("span");
    const select = element("select", { "aria-label": `Scale of ${axis.label.slice(0, 80)}`, "data-focus": `${axis.id}-scale` });
    select.append(...options.map((option) => element("option", { value: option }, SCALES.get(option))));
    select.value = type;
    select.addEventListener("change", () => this.host.chooseScale(axis.id, select.value));
    return select;
  }
}

// The menu of one axis, where its label was clicked with the other button.
export function fillMenu(menu, id, host) {
  const axis = host.axes.byId.get(id);
  const definition = host.definition(id);
  if (axis === undefined || definition === undefined) return;
  const entry = (text, what, isNow = false) => {
    const made = button(text, what, { class: "dropdown-item", disabled: isNow });
    if (isNow) made.append(element("span", { class: "faint" }, " ✓"));
    return made;
  };
  const title = element("p", { class: "dropdown-header" }, isolated(axis.label, 60));
  const scales = definition.type_options.length > 1 ? definition.type_options : [];
  menu.append(
    title,
    ...scales.map((type) => entry(SCALES.get(type), () => host.chooseScale(id, type), type === definition.type)),
    ...(scales.length ? [element("div", { class: "dropdown-divider" })] : []),
    entry("Colour the lines by it", () => host.chooseColour(id), host.colourId === id),
    entry(host.plot.isInverted(id) ? "Turn it back" : "Turn it upside down", () => host.plot.invert(id)),
    entry("Hide it", () => host.plot.hide(id)),
  );
}

// What the colours and dashes mean.
//   ends     between which values there is something; null for nowhere
export function fillLegend(target, colours, states, ends) {
  const parts = [];
  const { axis, definition } = colours;
  if (axis?.isCategory) {
    const codes = [...definition.distinct_values].sort();
    const items = codes.slice(0, MOST_CHOICES).map((code) => item(swatch(colours.of({ [axis.id]: code })), axis.tick(code)));
    parts.push(...items, ...(codes.length > MOST_CHOICES ? [`and ${codes.length - MOST_CHOICES} more`] : []));
  } else if (axis) {
    if (ends !== null) parts.push(ramp(colours, ...ends));
    const special = specialTick(definition);
    if (special !== "") parts.push(item(swatch(colours.unknown), special));
  }
  const dashed = states.filter((state) => dashOf(state).length);
  parts.push(...dashed.map((state) => item(dash(state), label(state).toLowerCase())));
  target.replaceChildren(...parts);
}

// The colours of what there is: an axis may reach further.
function ramp(colours, low, high) {
  if (low === high) return item(swatch(colours.gradient(low, high)), number(low, 3));
  const bar = element("span", { class: "ramp", "aria-hidden": "true" });
  bar.style.background = colours.gradient(low, high);
  return element("span", { class: "item" }, number(low, 3), bar, number(high, 3));
}

function item(sign, text) {
  return element("span", { class: "item" }, sign, isolated(text, 24));
}

function swatch(colour) {
  const made = element("span", { class: "swatch", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}

function dash(state) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 26 4");
  svg.setAttribute("class", state === "RUNNING" ? "dash ink-RUNNING" : "dash");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", "M0 2H26");
  line.setAttribute("stroke-dasharray", dashOf(state).join(" "));
  svg.append(line);
  return svg;
}
