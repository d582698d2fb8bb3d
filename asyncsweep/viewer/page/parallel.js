// The parallel plot of all trials: HiPlot's, kept alive while the sweep goes on.
//
// Trials that have ended are lines; those that run are dashed and stand over them, through their parameters alone: what they have
// reported is not their result. A brush selects, everywhere in the page, the trials that pass it, also those that run and those that a
// sample leaves out; when the selection is cleared elsewhere, so are the brushes.
//
// More trials are appended ten times a second at most, everything is drawn anew once a second at most, and both seldomer where that
// takes long. While the pointer holds something here, only what leaves the axes as they are goes in.

import { AxisMenu, fillLegend, fillMenu } from "./axis-menu.js";
import { Colours } from "./colours.js";
import { button, element } from "./elements.js";
import { Feeding } from "./feeding.js";
import { count } from "./format.js";
import { LivePlot, loadHiPlot } from "./hiplot.js";
import { dashOf } from "./lines.js";
import { PlainPlot } from "./plain.js";
import { STATES } from "./store.js";
import { Choice } from "./switches.js";

const APPEND_MS = 100;
const ANEW_MS = 1000;
const PLAIN_MS = 2000;
const REST = 3; // as long as it took, times this, there is a pause
const QUIET_MS = 250; // so long nothing has come after a reset: then it is complete
const MOST_WAIT_MS = 2000;
const MOST_OVER = 100;
const AXIS_PX = 58;
const MOST_FAILURES = 3;

export function mountParallel(section, store) {
  const view = new ParallelPlot(section, store);
  view.start();
}

class ParallelPlot {
  constructor(section, store) {
    this.store = store;
    this.types = new Map(); // axis -> the scale that the user chose
    this.feeding = new Feeding(store, (id) => this.types.get(id));
    this.running = new Map();
    this.paint = { colours: null, stateOf: (datapoint) => STATES[Number(datapoint.state)] };
    this.chosenColour = null; // the axis by which the user colours
    this.name = store.info?.name;
    this.isHeld = this.isSelecting = this.hasSelected = false;
    this.isSelectionDue = this.isOverDue = false;
    this.timer = null;
    this.lastEnd = this.lastAnew = -Infinity;
    this.cost = 0;
    this.resetAt = this.cameAt = -Infinity;
    this.failures = 0;
    this.build(section);
  }

  build(section) {
    const bar = element("div", { class: "chart-bar" });
    this.colourChoice = new Choice(bar, "Colour", (id) => this.chooseColour(id));
    this.keepButton = button("Keep", () => this.plot.cut(true), { class: "quiet", title: "Show the brushed trials alone" });
    this.excludeButton = button("Exclude", () => this.plot.cut(false), { class: "quiet", title: "Hide the brushed trials" });
    this.clearButton = button("Show all", () => this.clear(), { class: "quiet", title: "Clear brushes, and show again what was hidden" });
    bar.append(this.keepButton, this.excludeButton, this.clearButton);
    this.menu = new AxisMenu(bar, this);
    this.legend = element("div", { class: "parallel-legend" });
    this.note = element("p", { class: "chart-note faint" });
    this.words = element("p", { class: "placeholder" });
    this.box = element("div", { class: "parallel-plot" });
    this.scroller = element("div", { class: "parallel-scroller", hidden: true }, this.box);
    this.tools = bar;
    section.append(element("div", { class: "chart-head" }, element("h2", {}, "Parallel plot"), bar), this.legend, this.words, this.scroller, this.note);
    this.say("Loading HiPlot.");
  }

  start() {
    const { store } = this;
    store.on("rows", ({ changed, gone, reset }) => this.take(changed, gone, reset));
    store.on("columns", () => (this.feeding.isStale = true));
    store.on("info", (info) => info && info.name !== this.name && this.begin(info.name));
    store.on("filter", () => this.again());
    store.on("selection", (numbers) => this.selected(numbers));
    store.on("chosen", () => this.overSoon());
    store.on("theme", () => this.themed());
    this.box.addEventListener("pointerdown", () => (this.isHeld = true), { capture: true });
    for (const event of ["pointerup", "pointercancel", "blur"]) addEventListener(event, () => this.released(), { capture: true });
    new ResizeObserver(() => this.box.offsetWidth > 0 && this.plot?.resize?.()).observe(this.box);
    for (const row of store.rows.values()) if (row.state === "RUNNING") this.running.set(row.number, row);
    loadHiPlot().then(
      (hiplot) => {
        this.hiplot = hiplot;
        this.flush();
      },
      (error) => this.say(`The parallel plot needs HiPlot, and ${error.message}: pip install "asyncsweep[viewer]" where the sweep is served.`),
    );
  }

  // -- what comes ------------------------------------------------------------------------------------------------------

  take(changed, gone, reset) {
    this.cameAt = performance.now();
    if (reset) {
      this.running.clear();
      this.resetAt = this.cameAt;
      this.feeding.isStale = true;
    }
    for (const row of changed) {
      if (row.state === "RUNNING") this.running.set(row.number, row);
      else if (!this.running.delete(row.number)) continue;
      this.isOverDue = true;
    }
    for (const number of gone) this.running.delete(number);
    this.feeding.take(changed, gone);
    this.isSelectionDue ||= this.hasSelected;
    this.plan();
  }

  // Another sweep: nothing of the one before is left.
  begin(name) {
    this.name = name;
    this.hasSelected = false;
    this.running.clear();
    this.types.clear();
    this.chosenColour = null;
    this.plot?.reset();
    this.feeding.forget();
    this.lastAnew = -Infinity;
    this.plan();
  }

  // What the user did needs everything anew, at once.
  again() {
    this.feeding.isStale = this.isSelectionDue = this.isOverDue = true;
    this.lastAnew = -Infinity;
    this.plan();
  }

  // -- when ------------------------------------------------------------------------------------------------------------

  get isAnew() {
    return this.feeding.isStale || this.hasNoPlace;
  }

  plan() {
    if (this.timer !== null || !this.hiplot) return;
    const rested = this.lastEnd + Math.max(this.plot?.isPlain ? PLAIN_MS : APPEND_MS, REST * this.cost);
    this.timer = setTimeout(() => this.flush(), Math.max(0, rested - performance.now()));
  }

  flush() {
    this.timer = null;
    const begin = performance.now();
    const waits = this.mayRenew(begin);
    if (this.feeding.isStale) {
      if (waits === 0) this.renew();
    } else {
      this.hasNoPlace = this.feeding.waiting.size > 0 && !this.feeding.append();
      if (this.hasNoPlace && waits === 0) this.widen();
    }
    if (this.plot?.isBroken) this.mend();
    if (this.isSelectionDue) this.select();
    if (this.isOverDue) this.drawOver();
    this.tell();
    this.lastEnd = performance.now();
    this.cost = this.lastEnd - begin;
    if (!this.isHeld && (this.isAnew ? this.feeding.why === "" || this.feeding.hasNews : false)) {
      this.timer = setTimeout(() => this.flush(), Math.max(APPEND_MS, this.mayRenew(this.lastEnd)));
    }
  }

  // In how many milliseconds everything may be drawn anew.
  mayRenew(now) {
    if (this.isHeld) return Infinity;
    const isLoading = this.feeding.drawn.size > 0 && now - this.resetAt < MOST_WAIT_MS;
    const settled = isLoading ? this.cameAt + QUIET_MS : -Infinity;
    return Math.max(0, this.lastAnew + Math.max(ANEW_MS, REST * this.cost) - now, settled - now);
  }
}
