// The parallel plot of all trials: HiPlot's, kept alive while the sweep goes on.
//
// Trials that have ended are lines; those that run are dashed and stand over them, through their parameters alone: what they have
// reported is not their result. A brush selects, everywhere in the page, the trials that pass it, also those that run and those that a
// sample leaves out; when the selection is cleared elsewhere, so are the brushes, and trials that were selected elsewhere stand out here.
//
// While the pointer holds something in the plot, only what leaves the axes as they are goes in.

import { fillMenu } from "./axis-menu.js";
import { Colours } from "./colours.js";
import { Feeding } from "./feeding.js";
import { LivePlot, loadHiPlot } from "./hiplot.js";
import { MOST_DASHED } from "./lines.js";
import { Over } from "./over.js";
import { Pace } from "./pace.js";
import { Frame } from "./parallel-frame.js";
import { PlainPlot } from "./plain.js";
import { Selecting } from "./selecting.js";
import { STATES } from "./store.js";

const SOON_MS = 20;
const AXIS_PX = 46;
const MOST_MENDED = 3;

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
    this.selecting = new Selecting(store, this);
    this.nMended = 0;
    this.frame = new Frame(section, this);
    this.box = this.frame.box;
    this.frame.say("Loading HiPlot.");
  }

  start() {
    const { store } = this;
    store.on("rows", ({ changed, gone, reset }) => this.take(changed, gone, reset));
    store.on("columns", () => this.anew());
    store.on("info", (info) => info && info.name !== this.name && this.begin(info.name));
    store.on("filter", () => this.anew(true));
    store.on("selection", (numbers) => {
      this.over.drawSoon();
      if (this.plot) this.selecting.changed(numbers);
    });
    store.on("status", () => this.tell());
    store.on("chosen", () => this.over.drawSoon());
    store.on("theme", () => this.themed());
    this.box.addEventListener("pointerdown", () => (this.isHeld = true), { capture: true });
    for (const event of ["pointerup", "pointercancel"]) addEventListener(event, () => this.release(), { capture: true });
    addEventListener("blur", () => this.release()); // the window's
    new ResizeObserver(() => this.box.offsetWidth > 0 && this.plot?.resize()).observe(this.box);
    this.over.take([...store.rows.values()], [], true);
    loadHiPlot().then(
      (hiplot) => {
        this.hiplot = hiplot;
        this.plan();
      },
      (error) => this.frame.say(`The parallel plot needs HiPlot, and ${error.message}. It comes with pip install "asyncsweep[viewer]".`),
    );
  }

  // -- what comes ------------------------------------------------------------------------------------------------------

  take(changed, gone, reset) {
    this.pace.came(performance.now(), reset);
    this.over.take(changed, gone, reset);
    if (reset) this.feeding.isStale = true;
    this.feeding.take(changed, gone);
    this.selecting.again();
    this.plan();
  }

  // Everything is to be drawn anew.
  anew(isUsers = false) {
    this.feeding.isStale = true;
    this.selecting.again();
    this.over.drawSoon();
    if (isUsers) this.hurry();
    else this.plan();
  }

  // Another sweep: nothing of the one before is left.
  begin(name) {
    this.name = name;
    this.selecting.forget();
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
    this.selecting.settle(begin, this.isHeld);
    this.tell();
    this.pace.worked(begin, performance.now(), isAnew);
    if (this.feeding.isBehind && !this.isHeld) this.timer = setTimeout(() => this.flush(), Math.max(SOON_MS, this.untilAnew(performance.now())));
    else if (this.selecting.isDue) this.timer = setTimeout(() => this.flush(), SOON_MS);
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
    this.frame.say(feeding.why);
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
      return new PlainPlot(this.frame.plainBox(), this.hiplot, this);
    }
  }

  // HiPlot has shown an error in place of the plot: it begins again, with what it was given.
  mend() {
    this.nMended += 1;
    if (this.nMended > MOST_MENDED) throw new Error(`HiPlot failed: ${this.plot.state.error}`);
    this.plot.reset();
    this.feeding.isStale = true;
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
    this.selecting.brushed(performance.now());
    this.plan();
  }

  arranged() {
    const { shown } = this.plot;
    this.box.style.minWidth = `${shown.length * AXIS_PX + 60}px`;
    this.frame.menu.refresh();
    const came = shown.filter((id) => !this.shown.includes(id)).map((id) => this.axes.byId.get(id));
    this.shown = shown;
    if (!came.every((axis) => this.feeding.isUpToDate(axis))) this.again();
  }

  painted() {
    this.over.drawSoon();
  }

  // -- colours and scales ----------------------------------------------------------------------------------------------

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
    const dashed = this.feeding.drawn.size > MOST_DASHED ? [] : this.feeding.states;
    this.frame.colour(this.paint.colours, [...dashed, ...(this.over.running.size ? ["RUNNING"] : [])], this.feeding.ends(axis.id));
  }

  tell() {
    const { shown, of } = this.feeding.count;
    const { drawn } = this.store;
    if (drawn?.shown !== shown || drawn?.of !== of) {
      this.store.drawn = { shown, of };
      this.store.emit("drawn", this.store.drawn);
    }
    if (this.feeding.why === "") this.frame.widen(this.feeding.ends(this.feeding.colourId));
    this.frame.tell({ shown, of });
  }
}
