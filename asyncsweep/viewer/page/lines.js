// The lines of the parallel plot, painted on HiPlot's canvas a few milliseconds at a time.
//
// HiPlot starts from an empty canvas whenever a trial comes. Here new trials are painted onto what is there, and when all has to be
// painted anew (an axis grew, trials changed), that happens on a canvas nobody sees, which then takes the place of the other: nothing
// flickers. What the user does (a brush, another order) is shown at once as far as it is painted.

const QUIET_MS = 4; // of each frame, for what nobody waits for
const DIRECT_MS = 10; // and for what the user waits for
const AT_A_TIME = 8;
const MOST_DASHED = 3000;
const DASHES = { COMPLETE: [], PRUNED: [7, 4], FAILED: [2, 4], CANCELLED: [2, 4], RUNNING: [8, 4] };

export class Lines {
  // plot: HiPlot's parallel plot. paint: {colours, stateOf(datapoint)}, which may change between two calls.
  constructor(plot, paint) {
    this.plot = plot;
    this.paint = paint;
    this.queue = [];
    this.at = 0;
    this.nAtStart = 0;
    this.frame = null;
    this.hidden = null; // the canvas nobody sees, while it is painted
    this.spentMs = 0;
  }

  get context() {
    return this.plot.foreground;
  }

  get isPainting() {
    return this.frame !== null;
  }

  // All lines anew.
  show(datapoints, isQuiet) {
    this.stop();
    this.queue = spread(datapoints);
    this.at = 0;
    this.nAtStart = datapoints.length;
    this.hidden = isQuiet && datapoints.length > 0 ? this.otherCanvas() : null;
    if (this.hidden === null) this.clear(this.context);
    this.goOn();
  }

  // More lines. Whether it could be done: with many more than there were, all are to be thinner.
  add(datapoints, nAll) {
    if (nAll > 1.5 * this.nAtStart + 20) return false;
    for (const datapoint of datapoints) this.queue.push(datapoint);
    if (this.hidden !== null) datapoints.forEach((datapoint) => this.line(this.context, datapoint)); // they need not wait
    this.goOn();
    return true;
  }

  stop() {
    if (this.frame !== null) cancelAnimationFrame(this.frame);
    Object.assign(this, { frame: null, queue: [], at: 0, hidden: null });
  }

  goOn() {
    if (this.frame === null && this.at < this.queue.length) this.frame = requestAnimationFrame(() => this.slice());
  }

  slice() {
    this.frame = null;
    const context = this.hidden ?? this.context;
    const begin = performance.now();
    const end = begin + (this.hidden === null ? DIRECT_MS : QUIET_MS);
    do {
      const until = Math.min(this.at + AT_A_TIME, this.queue.length);
      while (this.at < until) this.line(context, this.queue[this.at++]);
    } while (this.at < this.queue.length && performance.now() < end);
    this.spentMs += performance.now() - begin;
    if (this.at < this.queue.length) return this.goOn();
    Object.assign(this, { queue: [], at: 0 });
    if (this.hidden === null) return;
    this.clear(this.context);
    this.context.save();
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.globalAlpha = 1;
    this.context.drawImage(this.hidden.canvas, 0, 0);
    this.context.restore();
    this.hidden = null;
  }

  clear(context) {
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.restore();
  }

  otherCanvas() {
    const canvas = document.createElement("canvas");
    canvas.width = this.context.canvas.width;
    canvas.height = this.context.canvas.height;
    const context = canvas.getContext("2d");
    context.setTransform(this.context.getTransform());
    return context;
  }

  // One of all: the more there are, the fainter.
  line(context, datapoint) {
    const state = this.paint.stateOf(datapoint);
    const n = this.nAtStart;
    context.globalAlpha = Math.max(0.07, Math.min(0.85, 3 / n ** 0.38)) * (state === "COMPLETE" ? 1 : 0.75);
    context.lineWidth = n > 200 ? 1.1 : 1.6;
    context.setLineDash(n > MOST_DASHED ? [] : DASHES[state]);
    context.strokeStyle = this.paint.colours.of(datapoint);
    this.stroke(context, datapoint);
  }

  // One that stands out, over the others.
  mark(context, datapoint, { colour, width, dash = [] }) {
    context.globalAlpha = 1;
    context.lineWidth = width;
    context.setLineDash(dash);
    context.strokeStyle = colour;
    this.stroke(context, datapoint);
  }

  // Where a value is unknown the line has a gap; what stands alone is a short stroke across its axis.
  stroke(context, datapoint) {
    const { plot } = this;
    const reach = 8;
    let x0 = 0;
    let y0 = NaN;
    context.beginPath();
    for (const id of plot.state.dimensions) {
      const value = datapoint[id];
      const y = value === undefined ? NaN : plot.yscale[id](value);
      const x = plot.xscale(id);
      if (Number.isNaN(y0)) {
        if (!Number.isNaN(y)) {
          context.moveTo(x - reach, y);
          context.lineTo(x, y);
        }
      } else if (Number.isNaN(y)) {
        context.lineTo(x0 + reach, y0);
      } else {
        const bend = (x - x0) * 0.3;
        context.bezierCurveTo(x0 + bend, y0, x - bend, y, x, y);
      }
      [x0, y0] = [x, y];
    }
    if (!Number.isNaN(y0)) context.lineTo(x0 + reach, y0);
    context.stroke();
  }
}

export function dashOf(state) {
  return DASHES[state];
}

// The same datapoints in an order in which the first ones are spread over all; the same order every time.
function spread(datapoints) {
  const n = datapoints.length;
  if (n < 3) return datapoints.slice();
  let step = Math.round(n * 0.618);
  while (divisor(step, n) > 1) step += 1;
  return Array.from({ length: n }, (_, place) => datapoints[(place * step) % n]);
}

function divisor(a, b) {
  return b === 0 ? a : divisor(b, a % b);
}
