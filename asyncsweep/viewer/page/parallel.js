// The parallel plot of all trials: HiPlot's, kept alive while the sweep goes on.
//
// Trials that have ended are lines; those that run are dashed and stand over them, through their parameters alone: what they have
// reported is not their result. A brush selects, everywhere in the page, the trials that pass it, also those that run and those that a
// sample leaves out; when the selection is cleared elsewhere, so are the brushes, and trials that were selected elsewhere stand out here.
//
// While the pointer holds something in the plot, only what leaves the axes as they are goes in.

import { AxisMenu, fillLegend, fillMenu } from "./axis-menu.js";
import { Colours } from "./colours.js";
import { button, element } from "./elements.js";
import { Feeding } from "./feeding.js";
import { count } from "./format.js";
import { LivePlot, loadHiPlot } from "./hiplot.js";
import { Over } from "./over.js";
import { Pace } from "./pace.js";
import { PlainPlot } from "./plain.js";
import { STATES } from "./store.js";
import { Choice } from "./switches.js";

const SOON_MS = 20;
const STILL_MS = 200; // a brush that was not moved for so long selects, held or not: other views take their time
const AXIS_PX = 58;
const MOST_MENDED = 3;
const MOST_HIGHLIGHTED = 300;
const ENDED = STATES.filter((state) => state !== "RUNNING" && state !== "WAITING");

export function mountParallel(section, store) {
  new ParallelPlot(section, store).start();
}

class ParallelPlot {
  constructor(section, store) {
    this.store = store;
    this.types = new Map(); // axis -> the scale that the user chose
    this.feeding = new Feeding(store, (id) => this.types.get(id));
    this.over = new Over(store);
    this.pace = new Pace();
    this.paint = { colours: null, stateOf: (datapoint) => STATES[Number(datapoint.state)] };
    this.plot = null;
    this.shown = [];
    this.chosenColour = null; // the axis by which the user colours
    this.name = store.info?.name;
    this.timer = null;
    this.isHeld = false; // by the pointer
    this.brushedAt = -Infinity;
    this.isSelectionDue = this.isSelecting = this.hasSelected = false;
    this.nMended = 0;
    this.build(section);
  }

  build(section) {
    const bar = element("div", { class: "chart-bar" });
    this.colourChoice = new Choice(bar, "Colour", (id) => this.chooseColour(id));
    const press = (text, what, title) => button(text, what, { class: "quiet", title, disabled: true });
    this.keepButton = press("Keep", () => this.plot.cut(true), "Show the brushed trials alone");
    this.excludeButton = press("Exclude", () => this.plot.cut(false), "Hide the brushed trials");
    this.clearButton = press("Show all", () => this.plot.clear(), "Clear the brushes, and show again what was hidden");
    bar.append(element("span", { class: "parallel-buttons", role: "group", "aria-label": "Brushed trials" }, this.keepButton, this.excludeButton, this.clearButton));
    this.menu = new AxisMenu(bar, this);
    this.legend = element("div", { class: "parallel-legend" });
    this.note = element("p", { class: "chart-note faint" });
    this.words = element("p", { class: "placeholder chart-words" });
    this.box = element("div", { class: "parallel-plot" });
    this.scroller = element("div", { class: "parallel-scroller" }, this.box);
    this.tools = bar;
    this.shownParts = [bar, this.legend, this.scroller, this.note];
    section.append(element("div", { class: "chart-head" }, element("h2", {}, "Parallel plot"), bar), this.legend, this.words, this.scroller, this.note);
    this.say("Loading HiPlot.");
  }

  start() {
    const { store } = this;
    store.on("rows", ({ changed, gone, reset }) => this.take(changed, gone, reset));
    store.on("columns", () => this.anew());
    store.on("info", (info) => info && info.name !== this.name && this.begin(info.name));
    store.on("filter", () => this.anew(true));
    store.on("selection", (numbers) => this.selected(numbers));
    store.on("status", () => this.tell());
    store.on("chosen", () => this.over.drawSoon());
    store.on("theme", () => this.themed());
    this.box.addEventListener("pointerdown", () => (this.isHeld = true), { capture: true });
    for (const event of ["pointerup", "pointercancel", "blur"]) addEventListener(event, () => this.release(), { capture: true });
    new ResizeObserver(() => this.box.offsetWidth > 0 && this.plot?.resize()).observe(this.box);
    this.over.take([...store.rows.values()], [], true);
    loadHiPlot().then(
      (hiplot) => {
        this.hiplot = hiplot;
        this.plan();
      },
      (error) => this.say(`The parallel plot needs HiPlot, and ${error.message}. It comes with pip install "asyncsweep[viewer]".`),
    );
  }

  // -- what comes ------------------------------------------------------------------------------------------------------

  take(changed, gone, reset) {
    this.pace.came(performance.now(), reset);
    this.over.take(changed, gone, reset);
    if (reset) this.feeding.isStale = true;
    this.feeding.take(changed, gone);
    this.isSelectionDue ||= this.hasSelected;
    this.plan();
  }

  // Everything is to be drawn anew.
  anew(isUsers = false) {
    this.feeding.isStale = true;
    this.isSelectionDue ||= this.hasSelected;
    this.over.drawSoon();
    if (isUsers) this.hurry();
    else this.plan();
  }

  // Another sweep: nothing of the one before is left.
  begin(name) {
    this.name = name;
    this.hasSelected = false;
    this.types.clear();
    this.chosenColour = null;
    this.plot?.reset();
    this.feeding.forget();
    this.hurry();
  }

  themed() {
    if (this.plot === null) return;
    this.plot.setDark(this.isDark);
    this.colour();
    this.plot.repaint();
  }

  release() {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.plan();
  }

  // -- when ------------------------------------------------------------------------------------------------------------

  plan() {
    if (this.timer === null && this.hiplot) this.timer = setTimeout(() => this.flush(), this.pace.untilAppend(performance.now()));
  }

  hurry() {
    clearTimeout(this.timer);
    this.timer = null;
    this.pace.hurry();
    if (this.hiplot) this.timer = setTimeout(() => this.flush(), SOON_MS);
  }

  flush() {
    this.timer = null;
    const begin = performance.now();
    const isAnew = this.feed(this.untilAnew(begin) === 0);
    if (this.plot?.isBroken) this.mend();
    if (this.isSelectionDue && !(this.isHeld && begin < this.brushedAt + STILL_MS)) this.select();
    this.tell();
    this.pace.worked(begin, performance.now(), isAnew);
    if (this.feeding.isBehind && !this.isHeld) this.timer = setTimeout(() => this.flush(), Math.max(SOON_MS, this.untilAnew(performance.now())));
    else if (this.isSelectionDue) this.timer = setTimeout(() => this.flush(), STILL_MS);
  }

  untilAnew(now) {
    return this.isHeld ? Infinity : this.pace.untilAnew(now, this.feeding.drawn.size > 0, this.plot?.isPlain);
  }

  // Give the plot what there is; returns whether everything was drawn anew.
  feed(mayRenew) {
    const { feeding } = this;
    if (!feeding.isStale && feeding.append()) return false;
    if (!mayRenew) return false;
    if (feeding.isStale) feeding.renew();
    this.say(feeding.why);
    if (feeding.why === "") {
      this.plot ??= this.made();
      feeding.widen(this.plot);
      this.colour();
    }
    return true;
  }

  made() {
    try {
      const plot = new LivePlot(this.box, this.hiplot, this);
      this.over.live = { plot, axes: () => this.axes };
      return plot;
    } catch (error) {
      console.warn(`The parallel plot is HiPlot's plain one: ${error.message}`);
      const box = element("div");
      this.box.replaceChildren(box);
      this.box.classList.add("plain");
      this.shownParts = [this.scroller, this.note];
      for (const part of [this.legend, this.tools]) part.hidden = true;
      return new PlainPlot(box, this.hiplot, this);
    }
  }

  // HiPlot has shown an error in place of the plot: it begins again, with what it was given.
  mend() {
    this.nMended += 1;
    if (this.nMended > MOST_MENDED) throw new Error(`HiPlot failed: ${this.plot.state.error}`);
    this.plot.reset();
    this.feeding.isStale = true;
  }

  // -- what is selected ------------------------------------------------------------------------------------------------

  // The trials that pass what was brushed, kept and excluded, as the selection of the page.
  select() {
    this.isSelectionDue = false;
    const { plot, store } = this;
    if (!plot || !(plot.isBrushed || plot.isCut)) {
      if (this.hasSelected) this.hand(null);
      return;
    }
    const numbers = [];
    for (const row of store.rows.values()) {
      if (store.states.has(row.state) && plot.isChosen((id) => this.axes.byId.get(id)?.read(row))) numbers.push(row.number);
    }
    const isSame = this.hasSelected && store.selection?.size === numbers.length && numbers.every((number) => store.selection.has(number));
    if (!isSame) this.hand(numbers);
  }

  hand(numbers) {
    this.hasSelected = numbers !== null;
    this.isSelecting = true;
    this.store.select(numbers);
    this.isSelecting = false;
  }

  // Somebody selected; another part of the page unless `isSelecting`.
  selected(numbers) {
    this.over.drawSoon();
    if (!this.plot) return;
    if (!this.isSelecting) {
      this.hasSelected = false;
      if (this.plot.isBrushed || this.plot.isCut) this.plot.clear();
    }
    this.highlight(this.isSelecting ? null : numbers);
  }

  highlight(numbers) {
    const drawn = numbers === null ? [] : [...numbers].map((number) => this.feeding.drawn.get(number)?.datapoint).filter(Boolean);
    if (drawn.length || this.isHighlighting) this.plot.highlight(drawn.slice(0, MOST_HIGHLIGHTED));
    this.isHighlighting = drawn.length > 0;
  }

  // -- what the plot asks for (`LivePlot`) and tells -------------------------------------------------------------------

  get axes() {
    return this.feeding.axes;
  }

  get isDark() {
    return this.store.theme === "dark";
  }

  define(kept) {
    return this.feeding.define(kept);
  }

  shows(id, shown) {
    return this.feeding.shows(id, shown);
  }

  fill(menu, id) {
    fillMenu(menu, id, this);
  }

  brushed() {
    this.brushedAt = performance.now();
    this.isSelectionDue = true;
    this.plan();
  }

  arranged() {
    const { shown } = this.plot;
    this.box.style.minWidth = `${shown.length * AXIS_PX + 60}px`;
    this.menu.refresh();
    const came = shown.filter((id) => !this.shown.includes(id)).map((id) => this.axes.byId.get(id));
    this.shown = shown;
    if (!came.every((axis) => this.feeding.isUpToDate(axis))) this.again();
  }

  painted() {
    this.over.drawSoon();
  }

  // -- colours and words -----------------------------------------------------------------------------------------------

  definition(id) {
    return this.feeding.definition(id);
  }

  isWorthShowing(axis) {
    return this.feeding.isWorthShowing(axis);
  }

  chooseColour(id) {
    this.chosenColour = id;
    this.colour();
    if (this.feeding.isUpToDate(this.axes.byId.get(id))) this.plot.repaint();
    else this.again();
  }

  chooseScale(id, type) {
    this.types.set(id, type);
    this.again();
  }

  // The same trials, with other definitions.
  again() {
    this.feeding.isRescaled = true;
    this.hurry();
  }

  // By an objective, which tells the good from the bad; else by state; else by what there is.
  get colourId() {
    const worth = this.axes.list.filter((axis) => this.isWorthShowing(axis));
    const found = [this.chosenColour, this.axes.objectives[0]?.id, "state"].find((id) => worth.some((axis) => axis.id === id));
    return found ?? worth.find(({ kind }) => kind !== "trial")?.id ?? "number";
  }

  colour() {
    const axis = this.axes.byId.get(this.colourId);
    this.feeding.colourId = axis.id;
    this.paint.colours = new Colours(axis, this.definition(axis.id), this.store.theme);
    const options = this.axes.list.filter((one) => this.isWorthShowing(one)).map(({ id, label }) => [id, label]);
    this.colourChoice.put(options, axis.id);
    this.colourChoice.choose(axis.id);
    this.menu.refresh();
    this.tellStates();
  }

  tellStates() {
    const { seen } = this.feeding.all.values.of("state");
    const states = ENDED.filter((state) => seen.has(this.axes.byId.get("state").code(STATES.indexOf(state))));
    fillLegend(this.legend, this.paint.colours, [...states, ...(this.over.running.size ? ["RUNNING"] : [])]);
  }

  say(words) {
    this.words.textContent = words;
    this.words.hidden = words === "";
    for (const part of this.shownParts) part.hidden = words !== "";
  }

  tell() {
    const { shown, of } = this.feeding.count;
    const { drawn } = this.store;
    if (drawn?.shown !== shown || drawn?.of !== of) {
      this.store.drawn = { shown, of };
      this.store.emit("drawn", this.store.drawn);
    }
    const { plot } = this;
    this.keepButton.disabled = this.excludeButton.disabled = !plot?.isBrushed;
    this.clearButton.disabled = !(plot?.isBrushed || plot?.isCut);
    const parts = [
      shown < of && `${count(shown)} of ${count(of)} trials drawn: the best ones, and a sample of the others`,
      plot?.isPlain && "This is not the HiPlot that this page was made for: brushes do not survive new trials",
      !plot?.isPlain && "Drag along an axis to brush, drag its name to move it, click it to turn it upside down",
    ];
    this.note.textContent = parts.filter(Boolean).join(" · ");
  }
}
