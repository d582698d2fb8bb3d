// What stands around the parallel plot: what can be switched, what the colours mean, and words.

import { AxisMenu, fillLegend } from "./axis-menu.js";
import { button, element } from "./elements.js";
import { count } from "./format.js";
import { Choice } from "./switches.js";

const HOW_TO = "Drag along an axis to brush, drag its name to move it, click it to turn it upside down";
const NOT_OURS = "This is not the HiPlot that this page was made for: brushes do not survive new trials";

// host: {plot, axes, isWorthShowing(axis), chooseColour(id)} and what `AxisMenu` needs
export class Frame {
  constructor(section, host) {
    this.host = host;
    this.bar = element("div", { class: "chart-bar" });
    this.colourChoice = new Choice(this.bar, "Colour", (id) => host.chooseColour(id));
    const press = (text, what, title) => button(text, what, { class: "quiet", title, disabled: true });
    this.keep = press("Keep", () => host.plot.cut(true), "Show the brushed trials alone");
    this.exclude = press("Exclude", () => host.plot.cut(false), "Hide the brushed trials");
    this.all = press("Show all", () => host.plot.clear(), "Clear the brushes, and show again what was hidden");
    this.bar.append(element("span", { class: "parallel-buttons", role: "group", "aria-label": "Brushed trials" }, this.keep, this.exclude, this.all));
    this.menu = new AxisMenu(this.bar, host);
    this.legend = element("div", { class: "parallel-legend" });
    this.words = element("p", { class: "placeholder chart-words" });
    this.box = element("div", { class: "parallel-plot" });
    this.scroller = element("div", { class: "parallel-scroller" }, this.box);
    this.note = element("p", { class: "chart-note faint" });
    this.drawing = [this.bar, this.legend, this.scroller, this.note];
    const head = element("div", { class: "chart-head" }, element("h2", {}, "Parallel plot"), this.bar);
    section.append(head, this.legend, this.words, this.scroller, this.note);
  }

  // Words in place of the plot; "": the plot.
  say(words) {
    this.words.textContent = words;
    this.words.hidden = words === "";
    for (const part of this.drawing) part.hidden = words !== "";
  }

  // A place for HiPlot with controls of its own.
  plainBox() {
    this.drawing = [this.scroller, this.note];
    this.bar.hidden = this.legend.hidden = true;
    this.box.classList.add("plain");
    this.box.replaceChildren(element("div"));
    return this.box.firstChild;
  }

  colour(colours, states, ends) {
    const { host } = this;
    const worth = host.axes.list.filter((axis) => host.isWorthShowing(axis));
    this.colourChoice.put(worth.map(({ id, label }) => [id, label]), colours.axis.id);
    this.colourChoice.choose(colours.axis.id);
    this.menu.refresh();
    Object.assign(this, { colours, states, ends: undefined });
    this.widen(ends);
  }

  // The values that colours stand for have other ends.
  widen(ends) {
    if (this.colours === undefined || String(ends) === String(this.ends)) return;
    this.ends = ends;
    fillLegend(this.legend, this.colours, this.states, ends);
  }

  tell({ shown, of }) {
    const { plot } = this.host;
    this.keep.disabled = this.exclude.disabled = !plot?.isBrushed;
    this.all.disabled = !(plot?.isBrushed || plot?.isCut);
    const sample = shown > 0 && shown < of && `${count(shown)} of ${count(of)} trials drawn: the best ones, and a sample of the others`;
    this.note.textContent = [sample, plot?.isPlain ? NOT_OURS : HOW_TO].filter(Boolean).join(" · ");
  }
}
