// What the page knows of the sweep, and what the user has chosen to see of it. All views read from here and listen for changes; nothing
// here touches the document.

import { number, unmistakable } from "./format.js";

export const STATES = ["COMPLETE", "PRUNED", "FAILED", "CANCELLED", "RUNNING", "WAITING"];
const FIXED = 8;

// A trial as the page has it; replaced by a new object whenever it changes.
//   number, state, attempt, startedAt, duration (s), step, value (last report), error: null where unknown
//   cells: one for each column, as they came
class Row {
  constructor(wire) {
    [this.number, this.state, this.attempt, this.startedAt, this.duration, this.step, this.value, this.error] = wire;
    for (const name of ["startedAt", "duration", "step", "value", "error"]) this[name] ??= null;
    this.value = asNumber(this.value);
    this.cells = wire.slice(FIXED);
  }
  get isFinal() {
    return this.state !== "RUNNING" && this.state !== "WAITING";
  }
}

// A cell or metric as a JavaScript number; null where there is none.
export function asNumber(cell) {
  if (cell === null || cell === undefined) return null;
  return typeof cell === "number" ? cell : Number(cell);
}

// Events, each with what its listeners get:
//   rows      {changed: [Row], gone: [number], reset: boolean}      trials are new, changed, or forgotten
//   columns   [column]                                              there are more columns; the list is store.columns
//   status    status                                                store.status was replaced
//   points    [number]                                              curves of these trials grew; see store.curves
//   filter    Set of states                                         the user shows other states; store.states
//   selection Set of numbers, or null for all                       the user brushed or chose trials; store.selection
//   chosen    number or null                                        the trial whose details are shown; store.chosen
//   link      {state: "open"|"waiting"|"refused"|"closed", text}    the connection; store.link
//   info      info                                                  another sweep, or the same one after a restart
//   told      text                                                  something to be said once, beside the views
//   drawn     {shown, of}                                           how many of the trials the parallel plot draws
//   theme     "dark" or "light"                                     the colours of the page changed; store.theme
export class Store {
  constructor() {
    this.rows = new Map();
    this.columns = [];
    this.info = null;
    this.status = null;
    this.curves = new Map(); // number -> {attempt, of, steps: [], values: []}
    this.isWhole = false; // the snapshot has come to its end: all trials that the server sends are here
    this.version = "";
    this.sweeps = [];
    this.mayControl = false;
    this.states = new Set(STATES);
    this.selection = null;
    this.chosen = null;
    this.order = []; // the numbers of the trials that are listed, in the order of the table
    this.theme = "light";
    this.link = { state: "waiting", text: "" };
    this.listeners = new Map();
  }

  on(event, listener) {
    if (!this.listeners.has(event)) this.listeners.set(event, []);
    this.listeners.get(event).push(listener);
  }

  // A listener that fails is reported to the console, and the others are called all the same.
  emit(event, detail) {
    for (const listener of this.listeners.get(event) ?? []) {
      try {
        listener(detail);
      } catch (error) {
        reportError(error);
      }
    }
  }

  // -- what the server says ------------------------------------------------------------------------------------------

  take(message) {
    switch (message.type) {
      case "hello":
        this.version = message.server;
        this.sweeps = message.sweeps;
        this.mayControl = message.control;
        this.emit("info", this.info);
        break;
      case "snapshot":
        this.isWhole = message.last;
        if (message.part === 0) this.forget(message.info);
        this.change(message, message.part === 0);
        break;
      case "delta":
        this.change(message, false);
        break;
      case "status":
        this.status = message;
        this.emit("status", message);
        break;
      case "points":
        this.emit("points", message.curves.map((curve) => this.extend(curve)));
        break;
    }
  }

  forget(info) {
    this.info = info;
    this.rows.clear();
    this.columns = [];
    this.curves.clear();
    this.emit("info", info);
  }

  change(message, reset) {
    if (message.columns) {
      this.columns = message.columns;
      this.emit("columns", this.columns);
    }
    const changed = (message.rows ?? []).map((wire) => new Row(wire));
    for (const row of changed) this.rows.set(row.number, row);
    const gone = message.gone ?? [];
    for (const number of gone) this.rows.delete(number);
    if (changed.length || gone.length || reset) this.emit("rows", { changed, gone, reset });
  }

  extend({ trial, attempt, from, of, steps, values }) {
    let curve = this.curves.get(trial);
    if (!curve || from === 0 || curve.attempt !== attempt) {
      curve = { attempt, of, steps: [], values: [] };
      this.curves.set(trial, curve);
    }
    curve.of = of;
    curve.steps.length = curve.values.length = from;
    curve.steps.push(...steps);
    curve.values.push(...values.map(asNumber));
    return trial;
  }

  // -- what the user chooses -----------------------------------------------------------------------------------------

  show(states) {
    this.states = new Set(states);
    this.emit("filter", this.states);
  }

  select(numbers) {
    this.selection = numbers === null ? null : new Set(numbers);
    this.emit("selection", this.selection);
  }

  choose(number) {
    this.chosen = number;
    this.emit("chosen", number);
  }

  setLink(state, text = "") {
    this.link = { state, text };
    this.emit("link", this.link);
  }

  tell(text) {
    this.emit("told", text);
  }

  setTheme(theme) {
    this.theme = theme;
    this.emit("theme", theme);
  }

  // -- what views ask for --------------------------------------------------------------------------------------------

  // The rows in the states that are shown, in the order of their numbers.
  shown() {
    return [...this.rows.values()].filter((row) => this.states.has(row.state)).sort((a, b) => a.number - b.number);
  }

  // Whether a row is in a state that is shown and, where the user selected trials, is one of them.
  isListed(row) {
    return this.states.has(row.state) && (this.selection === null || this.selection.has(row.number));
  }

  // What a value of a column is to a reader, as text: choices by their names, numbers with `digits`.
  text(column, cell, digits = 6) {
    if (column.type === "constant") return column.choices[0];
    if (cell === null || cell === undefined) return "";
    if (column.type === "category") return column.choices[cell] ?? "?";
    if (typeof cell === "number") return column.type === "int" ? String(cell) : number(cell, digits);
    return typeof cell === "string" ? cell : JSON.stringify(cell);
  }

  // The same where a reader has to tell 3 from "3": texts in a column of any values are in quotes if they could be taken for others.
  // (Of choices, the server tells them apart.)
  told(column, cell, digits = 6) {
    return column.type === "any" && typeof cell === "string" ? unmistakable(cell) : this.text(column, cell, digits);
  }

  // The columns of the metrics that are optimised, with their places in `cells`.
  objectives() {
    return this.columns.map((column, place) => ({ column, place })).filter(({ column }) => column.direction);
  }

  isFeasible(row) {
    return this.columns.every((column, place) => column.kind !== "constraint" || asNumber(row.cells[place]) <= 0); // null is, NaN is not
  }
}
