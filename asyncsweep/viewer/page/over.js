// What stands over the lines of the parallel plot: the trials that run, dashed, and the one whose details are shown.

import { dashOf } from "./lines.js";

const MOST_RUNNING = 100;

export class Over {
  constructor(store) {
    this.store = store;
    this.running = new Map();
    this.live = null; // {plot: LivePlot, axes: () -> Axes}
    this.frame = null;
    this.theme = this.colours = null;
  }

  take(changed, gone, reset) {
    if (reset) this.running.clear();
    for (const row of changed) {
      if (row.state === "RUNNING") this.running.set(row.number, row);
      else this.running.delete(row.number);
    }
    for (const number of gone) this.running.delete(number);
    this.drawSoon();
  }

  drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const { live, store } = this;
    const plot = live?.plot.plot;
    if (!plot?.over || !plot.pplot) return;
    const context = plot.over.getContext("2d");
    plot.lines.clear(context);
    this.look();
    const draw = (row, look) => plot.lines.mark(context, live.axes().datapoint(row), look);
    if (store.states.has("RUNNING")) {
      const look = { colour: this.colours.running, width: 1.6, dash: dashOf("RUNNING") };
      for (const row of [...this.running.values()].slice(-MOST_RUNNING)) if (this.passes(row)) draw(row, look);
    }
    const chosen = store.rows.get(store.chosen);
    if (chosen) draw(chosen, { colour: this.colours.ink, width: 3.2 });
  }

  // Asked for once, for browsers work out all styles then.
  look() {
    if (this.theme === this.store.theme) return;
    this.theme = this.store.theme;
    const style = getComputedStyle(document.documentElement);
    this.colours = { running: style.getPropertyValue("--running"), ink: style.getPropertyValue("--ink") };
  }

  passes(row) {
    return this.live.plot.isChosen((id) => this.live.axes().byId.get(id)?.read(row));
  }
}
