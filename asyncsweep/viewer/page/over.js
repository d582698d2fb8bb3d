// What stands over the lines of the parallel plot: the trials that run, dashed, and the one whose details are shown.

import { dashOf } from "./lines.js";

const MOST_RUNNING = 100;

export class Over {
  constructor(store) {
    this.store = store;
    this.running = new Map();
    this.live = null; // {plot: LivePlot, axes: () -> Axes}
    this.frame = null;
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
    const colour = (name) => getComputedStyle(plot.over).getPropertyValue(name);
    const draw = (row, look) => plot.lines.mark(context, live.axes().datapoint(row), look);
    if (store.states.has("RUNNING")) {
      const look = { colour: colour("--running"), width: 1.6, dash: dashOf("RUNNING") };
      for (const row of [...this.running.values()].slice(-MOST_RUNNING)) if (this.passes(row)) draw(row, look);
    }
    const chosen = store.rows.get(store.chosen);
    if (chosen) draw(chosen, { colour: colour("--ink"), width: 3.2 });
  }

  passes(row) {
    return this.live.plot.isChosen((id) => this.live.axes().byId.get(id)?.read(row));
  }
}
