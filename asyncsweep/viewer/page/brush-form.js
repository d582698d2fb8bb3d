// Trials selected by what is typed: the brush of one axis of the parallel plot as a form.
//
// What it shows is the brush as it is, until the user types; new trials disturb nothing. Choices are taken from one to another, in the order
// in which they stand on the axis; an axis of numbers has a box for what is none ("inactive") where there is such a place.

import { button, element, shortened } from "./elements.js";
import { specialTick } from "./experiment.js";

const DIGITS = 6;
const LONGEST = 50;

export class BrushForm {
  // host: {axes, definition(id), plot}
  constructor(panel, host) {
    this.host = host;
    this.known = ""; // of which axis, brush and choices the fields are
    this.form = element("form", { class: "axis-brush", "aria-label": "Select trials by an axis" });
    this.axis = element("select", { "aria-label": "Select by", onchange: () => this.refresh() });
    this.fields = element("span", { class: "axis-brush-fields" });
    this.clear = button("Clear", () => this.brush(null), { class: "quiet" });
    this.form.append(element("label", {}, "Select by", this.axis), this.fields, element("span", { class: "axis-brush-buttons" }, button("Select", null, { type: "submit" }), this.clear));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.brush(this.range());
    });
    panel.append(this.form);
  }

  get id() {
    return this.axis.value;
  }

  brush(range) {
    this.host.plot.brush(this.id, range);
    this.known = "";
    this.refresh();
  }

  // Axes, brushes or what an axis has may be others.
  refresh() {
    const { axes, plot } = this.host;
    const shown = plot.shown.map((id) => axes.byId.get(id)).filter((axis) => axis && this.host.definition(axis.id));
    this.offer(shown);
    this.form.hidden = shown.length === 0;
    if (this.form.hidden) return;
    const definition = this.host.definition(this.id);
    const brush = plot.brushOf(this.id);
    const known = JSON.stringify([this.id, definition.type, brush && [brush.min, brush.max, brush.include_infnans], [...(definition.codes ?? [])], specialTick(definition)]);
    if (known === this.known) return;
    this.known = known;
    const axis = axes.byId.get(this.id);
    this.fields.replaceChildren();
    this.range = axis.isCategory ? this.choices(axis, definition, brush) : this.numbers(axis, definition, brush);
    this.clear.disabled = brush === null;
  }

  // The axes that are shown, and still the one that was chosen.
  offer(shown) {
    const before = this.id;
    const offered = JSON.stringify(shown.map(({ id, label }) => [id, label]));
    if (offered === this.offered) return;
    this.offered = offered;
    this.axis.replaceChildren(...shown.map(({ id, label }) => element("option", { value: id }, shortened(label, LONGEST))));
    this.axis.value = shown.some(({ id }) => id === before) ? before : (shown[0]?.id ?? "");
  }

  field(text, input) {
    this.fields.append(element("label", {}, text, input));
    return input;
  }

  // The fields of an axis of choices; returns what reads the range from them.
  choices(axis, { codes }, brush) {
    const ordered = [...codes].sort();
    const select = () => element("select", {}, ...ordered.map((code) => element("option", { value: code }, axis.tick(code))));
    const from = this.field("from", select());
    const to = this.field("to", select());
    from.value = ordered.find((code) => brush === null || brush.min <= code) ?? ordered[0];
    to.value = ordered.findLast((code) => brush === null || code <= brush.max) ?? ordered.at(-1);
    from.addEventListener("change", () => (to.value = from.value));
    return () => {
      const [min, max] = [from.value, to.value].sort();
      return { type: "categorical", min, max, include_infnans: false };
    };
  }

  // The fields of an axis of numbers.
  numbers(axis, definition, brush) {
    const { type, force_value_min: low, force_value_max: high } = definition;
    const input = (end) => element("input", { type: "number", step: "any", placeholder: axis.tick(end) });
    const from = this.field("from", input(low));
    const to = this.field("to", input(high));
    const special = specialTick(definition);
    const alone = element("input", { type: "checkbox" });
    if (special !== "") this.fields.append(element("label", {}, alone, `${special} alone`));
    const written = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(DIGITS))) : "");
    const isAlone = () => (from.disabled = to.disabled = alone.checked);
    if (brush !== null) {
      [from.value, to.value] = [written(brush.min), written(brush.max)];
      alone.checked = special !== "" && brush.min === Infinity;
    }
    const check = () => {
      const isOff = from.value !== "" && to.value !== "" && Number(to.value) < Number(from.value);
      to.setCustomValidity(isOff ? `At least ${from.value}` : "");
    };
    from.max = String(high);
    to.min = String(low);
    for (const field of [from, to]) field.addEventListener("input", check);
    alone.addEventListener("change", isAlone);
    isAlone();
    return () => {
      if (alone.checked) return { type, min: Infinity, max: Infinity, include_infnans: true };
      if (from.value === "" && to.value === "") return null;
      return { type, min: from.value === "" ? -Infinity : Number(from.value), max: to.value === "" ? Infinity : Number(to.value), include_infnans: false };
    };
  }
}
