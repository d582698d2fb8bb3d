// Numbers and times for readers.

const SMALL = 1e-4;
const LARGE = 1e15; // of more digits the last ones would be made up

export function number(value, digits = 5) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (Number.isInteger(value) && Math.abs(value) < LARGE) return String(value);
  const rounded = Number(value.toPrecision(digits));
  const size = Math.abs(rounded);
  return size !== 0 && Number.isFinite(size) && (size < SMALL || size >= LARGE) ? rounded.toExponential() : String(rounded);
}

const OTHERS_WORDS = new Set(["", "True", "False", "None"]);
const EXACT = 2 ** 53;

// A text as a reader can tell it from a value of another kind that would look the same: "3", "true" and "" are in quotes. Whole numbers beyond
// 2^53 are texts in the stream, so that such a text is left as it is.
export function unmistakable(text) {
  if (OTHERS_WORDS.has(text)) return `"${text}"`;
  if (!/^\s*[-\d"[{tfn]/.test(text)) return text;
  try {
    const meant = JSON.parse(text);
    return Number.isInteger(meant) && Math.abs(meant) >= EXACT && /^-?\d+$/.test(text) ? text : `"${text}"`;
  } catch {
    return text;
  }
}

export function count(value) {
  return value.toLocaleString("en-US");
}

// "< 1 ms", "25 ms", "0.4 s", "42 s", "3 min 05 s", "2 h 07 min", "3 d 4 h"
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  if (seconds > 0 && seconds < 0.1) return seconds < 0.001 ? "< 1 ms" : `${Number((1000 * seconds).toPrecision(2))} ms`;
  if (seconds < 9.95) return `${Number(seconds.toPrecision(2))} s`;
  const whole = Math.round(seconds);
  const padded = (value) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${padded(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${padded(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// Trials per second, in the unit in which there is something before the point.
export function rate(perSecond) {
  if (perSecond === null || perSecond === undefined) return "";
  if (perSecond >= 1 || perSecond === 0) return `${number(perSecond, 3)}/s`;
  return perSecond * 60 >= 1 ? `${number(perSecond * 60, 3)}/min` : `${number(perSecond * 3600, 3)}/h`;
}

export function clock(unixSeconds) {
  return unixSeconds === null || unixSeconds === undefined ? "" : new Date(unixSeconds * 1000).toLocaleTimeString();
}

export function moment(unixSeconds) {
  return unixSeconds === null || unixSeconds === undefined ? "" : new Date(unixSeconds * 1000).toLocaleString();
}
