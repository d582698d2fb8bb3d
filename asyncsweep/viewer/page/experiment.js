// Trials as HiPlot's parallel plot takes them: an axis for each column, a datapoint for each trial, and definitions that say what to
// draw. HiPlot would guess the types from the values, and guess otherwise with the next trial; here everything is said.
//
// HiPlot makes object keys, markup and sort orders of names and choices, so that it gets none of ours: an axis is called "c0", a choice
// is its place in five digits, which sort as the choices are listed, and what a reader sees is put there by `Axis.tick` and an escaped
// label. NaN and the infinities are the texts that HiPlot has for them.
//
// A parameter that a trial does not have has a place of its own, "inactive", at the end of its axis: the line goes on, and it can be brushed.
// Anything else that is unknown has no key in a datapoint: a trial without a result has no line through one.
//
// An axis ends where the space does, so that more trials change nothing on it. One of a metric, which has no such ends, gets more than
// it needs whenever a value lies outside, so that this is soon over.

import { STATES } from "./store.js";
import { label as labelOfState } from "./states.js";
import { shortened } from "./elements.js";
import { number as numberText, unmistakable } from "./format.js";

const LONGEST_LABEL = 40;
const LONGEST_TICK = 22;
const DIGITS = 5; // of a choice's place
const HUGEST = 1e300; // beyond it the differences of two values are no longer finite
const MARGIN = 0.1;
const MANY = 1e6;

// What a trial has for a parameter that it does not use. It comes after all choices, and HiPlot puts it where it puts NaN.
export const INACTIVE = "inactive";
const NOT_A_NUMBER = "NaN";
const SPECIAL = new Map([
  ["NaN", NOT_A_NUMBER],
  ["Infinity", "inf"],
  ["-Infinity", "-inf"],
]);
const specials = new Set([...SPECIAL.values(), INACTIVE]);

function isSpecial(value) {
  return specials.has(value);
}

// One axis. `read(row)` is a trial's value there: a number, a special text, a choice's code, or undefined.
//   kind         "param", "metric", "constraint", or "trial" for what every trial has
//   isCategory   values are codes; an axis of mixed values becomes one when it meets a text
//   choices      texts by the places that codes stand for
//   isPinned     all choices are on the axis, met or not
//   isWhole      of whole numbers
//   low, high    where it ends; null where the values decide
class Axis {
  constructor(id, kind, label) {
    Object.assign(this, { id, kind, label, isCategory: false, choices: [], isPinned: false });
    Object.assign(this, { low: null, high: null, isLog: false, isWhole: false, direction: null, read: () => undefined });
  }

  code(place) {
    return String(place).padStart(DIGITS, "0");
  }

  // What stands beside a value on the axis.
  tick(value) {
    if (value === INACTIVE) return INACTIVE;
    if (!this.isCategory) return Math.abs(value) >= MANY ? Number(value.toPrecision(3)).toExponential() : numberText(value, 6);
    const text = this.choices[Number(value)] ?? "?";
    return text === "" ? "(empty)" : shortened(text, LONGEST_TICK);
  }

  get shortLabel() {
    return this.label === "" ? "(no name)" : shortened(this.label, LONGEST_LABEL);
  }

  // The label as markup of which every character that could mean something is a number. Nothing else of ours is markup for HiPlot.
  get markup() {
    return Array.from(this.shortLabel, (c) => (/[A-Za-z0-9 ]/.test(c) ? c : `&#${c.codePointAt(0)};`)).join("");
  }
}

// The axes of a sweep, in the order in which they stand from left to right.
export class Axes {
  constructor() {
    this.ids = new Map(); // a column's key -> its axis's id, which it keeps whatever columns come
    this.list = [];
    this.byId = new Map();
    this.turned = []; // axes that became categories: datapoints made before have numbers there
    this.begun = new WeakMap(); // row -> whether any of its parameters is known
  }

  // The columns of the store; an axis that was there already stays the same object.
  take(columns) {
    this.params = columns.flatMap(({ kind }, place) => (kind === "param" ? [place] : []));
    this.begun = new WeakMap();
    const made = columns.map((column, place) => (column.type === "constant" ? null : this.ofColumn(column, place)));
    const those = (test) => made.filter((axis) => axis !== null && test(axis));
    this.list = [
      this.fixed("number", "trial", (row) => row.number),
      ...those((axis) => axis.kind === "param"),
      this.fixed("duration", "duration (s)", (row) => row.duration ?? undefined),
      ...those((axis) => axis.kind !== "param" && axis.direction === null),
      ...those((axis) => axis.direction !== null),
      this.ofState(),
    ];
    this.byId = new Map(this.list.map((axis) => [axis.id, axis]));
  }

  get objectives() {
    return this.list.filter((axis) => axis.direction !== null);
  }

  // A trial as HiPlot has it.
  datapoint(row) {
    const made = { uid: String(row.number), from_uid: null };
    for (const axis of this.list) {
      const value = axis.read(row);
      if (value !== undefined) made[axis.id] = value;
    }
    return made;
  }

  // All trials as HiPlot has them; what turned before is done with.
  datapoints(rows) {
    const made = rows.map((row) => this.datapoint(row));
    if (this.turned.length === 0) return made;
    for (const axis of this.turned) {
      axis.places.clear();
      axis.choices = [];
    }
    this.turned = [];
    return rows.map((row) => this.datapoint(row));
  }

  ofColumn(column, place) {
    if (!this.ids.has(column.key)) this.ids.set(column.key, `c${this.ids.size}`);
    const id = this.ids.get(column.key);
    const axis = this.byId.get(id) ?? new Axis(id, column.kind, column.key);
    Object.assign(axis, { low: column.low, high: column.high, isLog: column.log, direction: column.direction, isWhole: column.type === "int" });
    const known = this.reader(axis, column);
    axis.read = column.kind === "param" ? (row) => known(row.cells[place]) ?? this.lack(row) : (row) => known(row.cells[place]);
    return axis;
  }

  // (cell) -> what a trial has on the axis; undefined if nothing is known.
  reader(axis, column) {
    if (column.type === "category") {
      Object.assign(axis, { isCategory: true, isPinned: true, choices: column.choices });
      return (cell) => (Number.isInteger(cell) ? axis.code(cell) : undefined);
    }
    if (column.type !== "any") return numeric;
    axis.places ??= new Map();
    return (cell) => this.mixed(axis, cell);
  }

  // What a trial has for a parameter that it lacks: of one that has none at all yet, nobody knows.
  lack(row) {
    if (!this.begun.has(row)) this.begun.set(row, this.params.some((place) => (row.cells[place] ?? null) !== null));
    return this.begun.get(row) ? INACTIVE : undefined;
  }

  // A value of a column that has values of any kind: a number as long as there is nothing else in it.
  mixed(axis, cell) {
    if (cell === null || cell === undefined) return undefined;
    if (!axis.isCategory && (typeof cell === "number" || SPECIAL.has(cell))) return numeric(cell);
    if (!axis.isCategory) {
      axis.isCategory = true;
      this.turned.push(axis);
    }
    const text = typeof cell === "string" ? unmistakable(cell) : JSON.stringify(cell);
    if (!axis.places.has(text)) {
      axis.places.set(text, axis.choices.length);
      axis.choices.push(text);
    }
    return axis.code(axis.places.get(text));
  }

  fixed(id, label, read) {
    const axis = this.byId.get(id) ?? new Axis(id, "trial", label);
    axis.read = read;
    return axis;
  }

  ofState() {
    const axis = this.fixed("state", "state", (row) => axis.code(STATES.indexOf(row.state)));
    return Object.assign(axis, { isCategory: true, choices: STATES.map(labelOfState) });
  }
}

function numeric(cell) {
  if (cell === null || cell === undefined) return undefined;
  if (SPECIAL.has(cell)) return SPECIAL.get(cell);
  const value = Number(cell);
  if (Number.isNaN(value)) return NOT_A_NUMBER;
  if (Math.abs(value) > HUGEST) return value > 0 ? "inf" : "-inf";
  return value;
}

// What values there are on the axes, of one set of datapoints; it grows with them.
export class Values {
  constructor(axes, datapoints = []) {
    this.axes = axes;
    this.byId = new Map();
    for (const datapoint of datapoints) this.add(datapoint);
  }

  of(id) {
    if (!this.byId.has(id)) this.byId.set(id, { seen: new Set(), distinct: [], low: Infinity, high: -Infinity });
    return this.byId.get(id);
  }

  add(datapoint) {
    for (const { id } of this.axes.list) {
      const value = datapoint[id];
      if (value === undefined) continue;
      const found = this.of(id);
      if (found.seen.has(value)) continue;
      found.seen.add(value);
      found.distinct.push(value);
      if (typeof value !== "number") continue;
      if (value < found.low) found.low = value;
      if (value > found.high) found.high = value;
    }
  }

  // How many values an axis could show a difference of.
  count(axis) {
    return axis.isPinned && axis.choices.length > 1 ? axis.choices.length : this.of(axis.id).seen.size;
  }
}

// What stands beside the place of all that is no number; "" if the axis has none.
export function specialTick({ specials: found }) {
  if (found.size === 0) return "";
  if (!found.has(INACTIVE)) return "nan/inf";
  return found.size === 1 ? INACTIVE : `nan/inf/${INACTIVE}`;
}

// Whether an axis that is drawn by `definition` has a place for a value.
export function fits(definition, value) {
  if (value === undefined) return true;
  if (definition === undefined || definition.distinct_values.length < 2) return false;
  if (definition.codes !== null) return definition.codes.has(value);
  if (typeof value !== "number") return definition.specials.has(value);
  return definition.force_value_min <= value && value <= definition.force_value_max;
}

// Whether a trial lacks what the axis is of, and the axis has no place for that: its line passes by.
export function passesBy(definition, value) {
  return value === INACTIVE && !fits(definition, value);
}

// How HiPlot is to draw the axes.
//   before    definitions that are drawn now: where they end, they end again if nothing lies outside; null for ends anew
//   typeOf    (axis id) -> the scale that the user chose, or undefined
//   isCut     rows were kept or excluded: an axis ends where what is left does
export function definitions(axes, values, { before = null, typeOf = () => undefined, isCut = false } = {}) {
  const made = {};
  for (const axis of axes.list) {
    const found = values.of(axis.id);
    made[axis.id] = axis.isCategory
      ? ofChoices(axis, found, isCut)
      : ofNumbers(axis, found, { before: before?.[axis.id], chosen: typeOf(axis.id), isCut });
  }
  return made;
}

function ofChoices(axis, found, isCut) {
  const all = axis.isPinned && !isCut;
  const codes = all ? axis.choices.map((_, place) => axis.code(place)) : found.distinct.slice();
  if (all && found.seen.has(INACTIVE)) codes.push(INACTIVE);
  return defined(axis, codes, { type: "categorical", type_options: ["categorical"], codes: new Set(codes) });
}

function ofNumbers(axis, found, { before, chosen, isCut }) {
  axis.isLog ||= axis.kind !== "param" && isSkewed(found);
  const hasValues = found.low <= found.high;
  const isPositive = (hasValues ? found.low : 1) > 0 && (isCut || axis.low === null || axis.low > 0);
  const isWide = found.seen.size > 2;
  const options = ["numeric", ...(isPositive ? ["numericlog"] : []), ...(isWide ? ["numericpercentile"] : [])];
  const type = options.includes(chosen) ? chosen : axis.isLog && isPositive ? "numericlog" : "numeric";
  const [low, high] = ends(axis, found, { before: before?.type === type ? before : null, isLog: type === "numericlog", isCut });
  return defined(axis, found.distinct, {
    type, type_options: options, numeric: true, force_value_min: low, force_value_max: high,
    specials: new Set(found.distinct.filter(isSpecial)),
  });
}

// Where an axis of numbers ends: at the ends of the space, and beyond what is there already, with a margin where it had to grow.
function ends(axis, found, { before, isLog, isCut }) {
  const [least, most] = isCut ? [null, null] : [axis.low, axis.high];
  let low = Math.min(found.low, least ?? Infinity, before?.force_value_min ?? Infinity);
  let high = Math.max(found.high, most ?? -Infinity, before?.force_value_max ?? -Infinity);
  if (!(low <= high)) return [isLog ? 0.1 : 0, 1];
  if (before && least === null && low < before.force_value_min) low = further(low, high, isLog, -1);
  if (before && most === null && high > before.force_value_max) high = further(high, low, isLog, 1);
  if (low < high) return [low, high];
  return isLog ? [low / 1.5, high * 1.5] : [low - (Math.abs(low) * 0.05 || 0.5), high + (Math.abs(high) * 0.05 || 0.5)];
}

function further(end, other, isLog, side) {
  if (isLog) return end * (Math.max(end, other) / Math.min(end, other)) ** (MARGIN * side);
  return end + side * MARGIN * Math.abs(end - other);
}

// Whether most values would lie in one place of a linear axis.
function isSkewed(found) {
  if (found.seen.size < 10 || !(found.low > 0)) return false;
  const sorted = Float64Array.from(found.distinct.filter((value) => typeof value === "number")).sort();
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return at(0.95) / at(0.05) > 100 || found.high - found.low > 30 * (at(0.75) - at(0.25));
}

// HiPlot wants every key of a definition, used or not; `codes` and `specials` are for `fits`.
function defined(axis, distinct, fields) {
  return {
    name: axis.id, optional: true, numeric: false, distinct_values: distinct, colors: Object.create(null), colormap: null,
    force_value_min: null, force_value_max: null, label_css: "", label_html: axis.markup, codes: null, specials: new Set(),
    ...fields,
  };
}
