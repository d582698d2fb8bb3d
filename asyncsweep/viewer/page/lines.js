// The lines of the parallel plot, painted on HiPlot's canvas some at a time: as many as leave the page at hand. What a line costs shows
// only when the browser puts the frame on the screen, so that it is frames that are timed; and one of the width of a pixel costs a
// seventh of a wider one.
//
// HiPlot starts from an empty canvas whenever a trial comes. Here new trials are painted onto what is there, and when all has to be
// painted anew (an axis grew, trials changed), that happens on a canvas nobody sees, which then takes the place of the other: nothing
// flickers. What the user does (a brush, another order) is shown at once as far as it is painted.

import { passesBy } from "./experiment.js";

// Lines for each frame: at first, at most; and the milliseconds between frames that are too many, and few.
const DIRECT = { first: 200, most: 1500, slow: 45, fast: 30 }; // the user waits for it
const QUIET = { first: 60, most: 300, slow: 26, fast: 19 };
const LEAST = 20;
export const MOST_DASHED = 1500;
const MOST_WIDE = 200;
const DASHES = { COMPLETE: [], PRUNED: [7, 4], FAILED: [2, 4], CANCELLED: [2, 4], RUNNING: [8, 4] };

export class Lines {
  // plot: HiPlot's parallel plot. paint: {colours, stateOf(datapoint)}, which may change between two calls.
  constructor(plot, paint) {
    this.plot = plot;
    this.paint = paint;
    this.queue = [];
    this.at = 0;
    this.nAtStart = 0;
    this.pixel = 1;
    this.frame = null;
    this.hidden = null; // the canvas nobody sees, while it is painted
    this.speeds = new Map([[DIRECT, DIRECT.first], [QUIET, QUIET.first]]);
    this.frameAt = null; // when the frame before was painted
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
    this.pixel = 1 / this.context.getTransform().a;
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
    Object.assign(this, { frame: null, queue: [], at: 0, hidden: null, frameAt: null });
  }

  goOn() {
    if (this.frame === null && this.at < this.queue.length) this.frame = requestAnimationFrame(() => this.slice());
  }

  slice() {
    this.frame = null;
    const context = this.hidden ?? this.context;
    const until = Math.min(this.at + this.speed(this.hidden === null ? DIRECT : QUIET), this.queue.length);
    while (this.at < until) this.line(context, this.queue[this.at++]);
    if (this.at < this.queue.length) return this.goOn();
    Object.assign(this, { queue: [], at: 0, frameAt: null });
    if (this.hidden === null) return;
    this.clear(this.context);
    this.context.save();
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.globalAlpha = 1;
    this.context.drawImage(this.hidden.canvas, 0, 0);
    this.context.restore();
    this.hidden = null;
  }

  // How many lines this frame may have.
  speed(pace) {
    const now = performance.now();
    const passed = this.frameAt === null ? null : now - this.frameAt;
    let speed = this.speeds.get(pace);
    if (passed > pace.slow) speed *= 0.6;
    else if (passed !== null && passed < pace.fast) speed *= 1.4;
    speed = Math.max(LEAST, Math.min(pace.most, Math.round(speed)));
    this.speeds.set(pace, speed);
    this.frameAt = now;
    return speed;
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
    context.lineWidth = n > MOST_WIDE ? this.pixel : 1.6;
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
      if (passesBy(plot.props.params_def[id], value)) continue;
      const y = value === undefined ? NaN : plot.placeOf(id, value);
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
