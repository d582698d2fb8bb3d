// What is in the parallel plot, and how it gets there: more trials are appended, and everything is given anew when nothing less will do.
//
// Drawn are trials that have ended, in the states that are shown. Those do not change, so that a sweep is appended to, whatever the
// trials went through before; what runs is drawn over the lines by `parallel.js`. Beyond some thousands it is a sample (`sample.js`).

import { Axes, Values, definitions, fits } from "./experiment.js";
import { Sample } from "./sample.js";
import { STATES } from "./store.js";

const ENDED = STATES.filter((state) => state !== "RUNNING" && state !== "WAITING");
const MOST_SHOWN = { param: 10, metric: 4, constraint: 2, trial: 0 }; // of each kind of axis, at first
const NOTHING = "Trials that have ended are drawn here as lines across their parameters and metrics, from the second one on.";
const NONE_SHOWN = "No trial that has ended is in a state that is shown.";
const ONE_SHOWN = "Only one trial that has ended is in a state that is shown; there is something to compare from the second one on.";
const ALIKE = "There is nothing to compare yet: these trials have the same parameters, and no metric that differs.";

export class Feeding {
  // typeOf(id): the scale that the user chose for an axis
  constructor(store, typeOf) {
    this.store = store;
    this.typeOf = typeOf;
    this.plot = null;
    this.colourId = null; // the axis that gives the colours
    this.forget();
  }

  forget() {
    this.axes = new Axes();
    this.waiting = new Map(); // number -> row that is to be appended
    this.drawn = new Map(); // number -> {row, datapoint}
    this.isStale = true; // appending does not do
    this.isRescaled = false; // nor does it, but the datapoints are as they were
    this.why = NOTHING; // why nothing is drawn; "" if something is
    this.all = this.cut = null; // {values, definitions} of all that is drawn, and of what was kept
    this.sample = null;
  }

  isFor(row) {
    return row.isFinal && this.store.states.has(row.state);
  }

  // Rows are new or have changed.
  take(changed, gone) {
    for (const number of gone) {
      this.waiting.delete(number);
      if (this.drawn.has(number)) this.isStale = true;
    }
    this.isStale ||= this.why !== "";
    if (this.isStale) return;
    for (const row of changed) {
      const before = this.drawn.get(row.number)?.row;
      if (before !== undefined) this.isStale ||= !isSame(before, row);
      else if (this.isFor(row)) this.waiting.set(row.number, row);
      else this.waiting.delete(row.number);
    }
  }

  // Whether there is more than what is drawn.
  get isBehind() {
    return this.isStale || this.isRescaled || this.waiting.size > 0;
  }

  // How many trials are drawn, of how many that have ended and are in states that are shown; the server counts.
  get count() {
    const counts = Object.entries(this.store.status?.counts ?? {});
    const of = counts.reduce((sum, [state, n]) => sum + (ENDED.includes(state) && this.store.states.has(state) ? n : 0), 0);
    return { shown: this.drawn.size, of: Math.max(of, this.drawn.size + this.waiting.size) };
  }

  // Between which numbers the values of an axis lie; null if it has none.
  ends(id) {
    const { low, high } = (this.cut ?? this.all).values.of(id);
    return low <= high ? [low, high] : null;
  }

  // The states of what is drawn.
  get states() {
    const { code } = this.axes.byId.get("state");
    return ENDED.filter((state) => this.all.values.of("state").seen.has(code(STATES.indexOf(state))));
  }

  definition(id) {
    return (this.cut ?? this.all)?.definitions?.[id];
  }

  get datapoints() {
    return Array.from(this.drawn.values(), ({ datapoint }) => datapoint);
  }

  // Whether the axis has anything to show, or had: what is shown stays.
  isWorthShowing(axis) {
    return this.all !== null && this.all.values.count(axis) > 1;
  }

  // Everything is as the store has it now. `why` says afterwards whether there was enough of it.
  renew() {
    this.waiting.clear();
    this.axes.take(this.store.columns);
    const rows = this.store.shown().filter((row) => this.isFor(row));
    this.sample = new Sample(this.store, this.axes.list.length);
    const chosen = this.sample.of(rows);
    const datapoints = this.axes.datapoints(chosen);
    const values = new Values(this.axes, datapoints);
    const isWorth = (axis) => axis.kind !== "trial" && values.of(axis.id).seen.size > 0 && values.count(axis) > 1;
    this.why = datapoints.length < 2 ? this.tooFew(rows.length) : this.axes.list.some(isWorth) ? "" : ALIKE;
    this.drawn = new Map(this.why === "" ? chosen.map((row, at) => [row.number, { row, datapoint: datapoints[at] }]) : []);
    this.all = { values, definitions: this.all?.definitions ?? null };
    this.isStale = false;
  }

  // Why so few trials are drawn: the user shows no others, or there are none.
  tooFew(n) {
    const nEnded = [...this.store.rows.values()].filter((row) => row.isFinal).length;
    return nEnded < 2 ? NOTHING : n === 0 ? NONE_SHOWN : ONE_SHOWN;
  }

  // Give the plot all that is drawn, and what waits too, with definitions that have a place for it.
  widen(plot) {
    this.plot = plot;
    for (const [number, row] of this.waiting) this.draw(number, row, this.axes.datapoint(row));
    this.waiting.clear();
    this.isRescaled = false;
    const { datapoints } = this;
    const kept = plot.kept(datapoints);
    this.all.definitions = definitions(this.axes, this.all.values, { before: this.all.definitions, typeOf: this.typeOf });
    const isCut = this.define(kept, this.cut?.definitions ?? null) !== this.all.definitions;
    plot.load(datapoints, kept, isCut ? this.cut.definitions : this.all.definitions, this.all.definitions);
  }

  // Definitions for the trials that were kept.
  define(kept, before = null) {
    this.cut = null;
    if (kept.length === this.drawn.size) return this.all.definitions;
    const values = new Values(this.axes, kept);
    this.cut = { values, definitions: definitions(this.axes, values, { before, typeOf: this.typeOf, isCut: true }) };
    return this.cut.definitions;
  }

  // Append what waits; returns whether there was a place for all of it.
  append() {
    if (!this.isBehind) return true;
    if (this.why !== "" || this.isRescaled || this.plot.isPlain) return false;
    const fitting = [];
    for (const [number, row] of this.waiting) {
      const isWanted = this.sample.wants(row);
      const datapoint = isWanted ? this.axes.datapoint(row) : null;
      if (this.axes.turned.length) this.isStale = true;
      if (isWanted && (this.isStale || !this.hasPlace(datapoint))) continue;
      this.waiting.delete(number);
      if (isWanted) fitting.push(this.draw(number, row, datapoint));
    }
    if (fitting.length) this.plot.append(fitting);
    this.isStale ||= this.sample.isFull(this.drawn.size);
    return !this.isBehind;
  }

  draw(number, row, datapoint) {
    this.drawn.set(number, { row, datapoint });
    this.all.values.add(datapoint);
    return datapoint;
  }

  hasPlace(datapoint) {
    const isIn = (definitions) => this.axes.list.every((axis) => this.isPlaced(axis, definitions[axis.id], datapoint[axis.id]));
    if (!isIn(this.all.definitions)) return false;
    return this.cut === null || !this.plot.isKept((id) => datapoint[id]) || isIn(this.cut.definitions);
  }

  // An axis that is hidden, or gives no colour, may be out of date; one that nobody has seen may be worth it now.
  isPlaced(axis, definition, value) {
    if (this.plot.shown.includes(axis.id) || axis.id === this.colourId) return fits(definition, value);
    const { seen } = this.all.values.of(axis.id);
    return value === undefined || this.plot.known.has(axis.id) || seen.size === 0 || seen.has(value);
  }

  // Whether what is drawn has its place on an axis that was hidden.
  isUpToDate(axis) {
    const { seen } = this.all.values.of(axis.id);
    const definition = this.definition(axis.id);
    return [...seen].every((value) => this.cut !== null || fits(definition, value));
  }

  // Whether an axis that was not there before is shown, beside those that are.
  shows(id, shown) {
    const axis = this.axes.byId.get(id);
    if (id === "state" || axis.direction !== null) return true;
    const nOfKind = shown.filter((other) => this.axes.byId.get(other)?.kind === axis.kind).length;
    return nOfKind < MOST_SHOWN[axis.kind];
  }
}

function isSame(one, other) {
  const texts = [one, other].map(({ state, duration, cells }) => JSON.stringify([state, duration, cells]));
  return texts[0] === texts[1];
}
