// The colours of lines: a ramp over an axis of numbers, in which the better end of an objective is always the same, a colour for each
// choice, and those of the page for states.

const RAMPS = {
  light: ["#0b4f9e", "#1290a8", "#6aae55", "#dba32c", "#d0481f"],
  dark: ["#4aa3ff", "#2cc4c4", "#97cf6a", "#f1c04c", "#ff7a52"],
};
const CHOICES = {
  light: ["#1f6fb4", "#e07b1a", "#2f9448", "#a53fb0", "#b8860b", "#c93c46", "#12949b", "#6d5bd0", "#8a6146", "#5f6a74"],
  dark: ["#62b0f2", "#ffa657", "#5ecb7e", "#d98be3", "#e5c04a", "#ff8088", "#47d0d6", "#a99bff", "#c9a083", "#a4afba"],
};
const UNKNOWN = { light: "#9aa2ac", dark: "#6d7781" };
const STEPS = 64;

// How lines are coloured by one axis (null: by none), as wide as `definition` says that it is.
export class Colours {
  constructor(axis, definition, theme) {
    Object.assign(this, { axis, definition, theme });
    this.unknown = UNKNOWN[theme];
    this.choices = new Map();
    this.place = axis === null || axis.isCategory ? null : placeOn(definition);
    if (axis !== null && !axis.isCategory) this.ramp = steps(axis.direction === "maximize" ? RAMPS[theme].toReversed() : RAMPS[theme]);
  }

  of(datapoint) {
    if (this.axis === null) return this.unknown;
    const value = datapoint[this.axis.id];
    if (value === undefined) return this.unknown;
    if (this.axis.isCategory) return this.ofChoice(value);
    if (typeof value !== "number") return this.unknown;
    const at = this.place(value);
    return Number.isNaN(at) ? this.unknown : this.at(at);
  }

  ofChoice(code) {
    if (!this.choices.has(code)) this.choices.set(code, this.axis.id === "state" ? this.ofState(code) : this.ofPlace(Number(code)));
    return this.choices.get(code);
  }

  ofState(code) {
    const name = this.axis.choices[Number(code)].toLowerCase();
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || this.unknown;
  }

  ofPlace(place) {
    if (Number.isNaN(place)) return this.unknown; // a trial that has none
    const palette = CHOICES[this.theme];
    if (this.axis.choices.length <= palette.length) return palette[place];
    return `hsl(${Math.round((place * 137.508) % 360)} 62% ${this.theme === "dark" ? 66 : 42}%)`; // neighbours differ by the golden angle
  }

  // The part of the ramp between two values as a CSS gradient from left (the lower one) to right.
  gradient(low, high) {
    const parts = 8;
    const [from, to] = [low, high].map((value) => this.place(value));
    const stops = Array.from({ length: parts + 1 }, (_, part) => this.at(from + ((to - from) * part) / parts));
    return `linear-gradient(to right, ${stops.join(", ")})`;
  }

  at(share) {
    return this.ramp[Math.max(0, Math.min(STEPS - 1, Math.floor(share * STEPS)))];
  }
}

// A ramp in so many steps that nobody sees them.
function steps(stops) {
  const parsed = stops.map((stop) => [1, 3, 5].map((at) => parseInt(stop.slice(at, at + 2), 16)));
  return Array.from({ length: STEPS }, (_, step) => {
    const at = (step / (STEPS - 1)) * (parsed.length - 1);
    const below = Math.min(Math.floor(at), parsed.length - 2);
    const mixed = parsed[below].map((from, part) => Math.round(from + (parsed[below + 1][part] - from) * (at - below)));
    return `rgb(${mixed.join(", ")})`;
  });
}

// Where a value lies on an axis of numbers: 0 at its lower end, 1 at its upper.
function placeOn({ type, distinct_values, force_value_min: low, force_value_max: high }) {
  if (type === "numericlog") return (value) => Math.log(value / low) / Math.log(high / low);
  if (type !== "numericpercentile") return (value) => (value - low) / (high - low);
  const sorted = Float64Array.from(distinct_values.filter((value) => typeof value === "number")).sort();
  return (value) => {
    let [from, to] = [0, sorted.length - 1];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (sorted[middle] < value) from = middle + 1;
      else to = middle;
    }
    return from / Math.max(1, sorted.length - 1);
  };
}
