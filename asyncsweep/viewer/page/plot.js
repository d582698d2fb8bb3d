// The one place that knows plotly. It is loaded once, when a chart that has something to draw comes near to what is seen.
//
// Nothing is fetched but `assets/plotly.min.js`: the traces are `scatter` in SVG alone (`scattergl` and `parcoords` make code at run time,
// which the page's policy forbids, and maps fetch tiles), and the buttons are named one by one, since others lead to another site.
// Plotly reads labels as a kind of HTML: `literal` makes a name show as it is. Nothing else that is the sweep's reaches it but numbers.

import { shortened } from "./elements.js";

const SOURCE = "assets/plotly.min.js";
const RETRY_MS = 30_000;
const LONGEST = 60;
const LONGEST_UP = 48;
const CLEAR = "rgba(0,0,0,0)";

const COLOURS = ["ink", "faint", "line", "paper", "accent", "complete", "pruned", "failed", "cancelled", "running", "waiting"];
// Told from each other in light and dark.
export const SERIES = ["#3f83d4", "#df7a2c", "#2e9e67", "#d0526f", "#8d68cc", "#1e9fa9", "#b38a12", "#cf62b3", "#739130", "#99725c"];
// The shapes of states.js.
const SYMBOLS = { COMPLETE: "circle", PRUNED: "diamond", FAILED: "x", CANCELLED: "square", RUNNING: "triangle-right", WAITING: "circle-open" };

let loading = null;
let retryAt = Infinity;

// Plotly, loaded once. Rejects where it cannot be; after a while it is tried again.
export function plotly() {
  if (globalThis.Plotly) return Promise.resolve(globalThis.Plotly);
  if (loading && performance.now() < retryAt) return loading;
  retryAt = Infinity;
  loading = new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = SOURCE;
    const fail = () => {
      retryAt = performance.now() + RETRY_MS;
      script.remove();
      reject(new Error(`${SOURCE} could not be loaded; pip install "asyncsweep[viewer]" where the viewer runs brings it`));
    };
    script.onload = () => (globalThis.Plotly ? resolve(globalThis.Plotly) : fail());
    script.onerror = fail;
    document.head.append(script);
  });
  loading.catch(() => {}); // each chart says so by itself
  return loading;
}

export function isLoaded() {
  return Boolean(globalThis.Plotly);
}

// Draw again in the size that the element has now.
export function resize(host) {
  globalThis.Plotly?.Plots.resize(host);
}

export function purge(host) {
  globalThis.Plotly?.purge(host);
}

// A text that plotly shows letter by letter, cut where it is long.
export function literal(text, most = LONGEST) {
  return shortened(text, most).replace(/[&<>$%{}\\]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

// How points of trials in a state are marked, for a trace's `marker`.
export function look(state, colour) {
  return { symbol: SYMBOLS[state] ?? "circle-open", color: colour[state] ?? colour.faint };
}

// The page's colours of now, by the names of its custom properties, and those of states by the states.
export function readColours(element) {
  const probe = document.createElement("span");
  element.append(probe);
  const found = { font: getComputedStyle(element).fontFamily };
  for (const name of COLOURS) {
    probe.style.color = `var(--${name}, gray)`;
    found[name] = found[name.toUpperCase()] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

// A trace of points ({x, y, number}); `fields` are plotly's. Its `uid`, by which plotly finds it again, becomes a part of CSS selectors there:
// letters, digits and hyphens.
export function trace(points, fields) {
  return {
    type: "scatter",
    x: points.map((point) => point.x),
    y: points.map((point) => point.y),
    customdata: points.map((point) => point.number),
    hoverinfo: "none", // the page has a panel of its own for that
    ...fields,
  };
}

// Plotly's layout of a drawing (see `Chart`).
export function layout({ x, y, key }, colour, isNarrow) {
  return {
    uirevision: key,
    autosize: true,
    hovermode: "closest",
    hoverdistance: 24,
    // On a touch screen what would zoom scrolls the page.
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    showlegend: false, // the page has one of its own
    paper_bgcolor: CLEAR,
    plot_bgcolor: CLEAR,
    font: { family: colour.font, size: 11, color: colour.faint },
    margin: isNarrow ? { l: 44, r: 8, t: 8, b: 36 } : { l: 52, r: 10, t: 10, b: 40 },
    modebar: { bgcolor: CLEAR, color: colour.faint, activecolor: colour.accent },
    xaxis: axis(x, colour, isNarrow, LONGEST),
    yaxis: axis(y, colour, isNarrow, LONGEST_UP),
    // For marks that stand on the x axis, whatever y is.
    yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
  };
}

function axis({ title, isLog = false, range = null, isWhole = false }, colour, isNarrow, most) {
  return {
    type: isLog ? "log" : "linear",
    title: { text: literal(title, isNarrow ? 36 : most), standoff: 6, font: { size: 12, color: colour.faint } },
    ...(range ? { range: isLog ? range.map(Math.log10) : range } : {}),
    ...(isWhole && !isLog ? { exponentformat: "none", separatethousands: true } : { minexponent: 4 }),
    nticks: isNarrow ? 6 : 9,
    automargin: true,
    gridcolor: colour.line,
    linecolor: colour.line,
    showline: true,
    zeroline: false,
    ticks: "outside",
    ticklen: 4,
    tickcolor: colour.line,
  };
}

export function config() {
  return {
    displaylogo: false,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    // Other formats are made by way of a blob, which the page's policy does not let an image come from.
    toImageButtonOptions: { format: "svg", filename: "chart" },
    showTips: false,
    typesetMath: false,
  };
}
