// How many trials are on the front of several directions, for the head of the page. All feasible complete trials count, whatever is shown.

import { front } from "./series.js";
import { asNumber } from "./store.js";

const MOST_STEPS = 2e6; // some ten milliseconds; of two directions there are never so many
const PACE_MS = 500;
const SHARE = 20; // counting takes at most one part in so many of the page's time

export class FrontCount {
  // tell(n): how many there are; null where nobody can say: of one direction, of a sample, before all trials are there
  constructor(store, tell) {
    this.store = store;
    this.tell = tell;
    this.timer = null;
    this.cost = 0;
    for (const event of ["rows", "columns", "status"]) store.on(event, () => this.soon());
    store.on("info", () => this.tell(null));
  }

  soon() {
    if (this.store.objectives().length > 1) this.timer ??= setTimeout(() => this.count(), Math.max(PACE_MS, SHARE * this.cost));
  }

  count() {
    this.timer = null;
    const { store } = this;
    const began = performance.now();
    this.tell(store.isWhole && store.status?.stride === 1 ? onFront(store) : null);
    this.cost = performance.now() - began;
  }
}

function onFront(store) {
  const objectives = store.objectives();
  const points = [];
  for (const row of store.rows.values()) {
    if (row.state !== "COMPLETE" || !store.isFeasible(row)) continue;
    const values = objectives.map(({ place }) => asNumber(row.cells[place]));
    if (values.every((value) => value !== null && !Number.isNaN(value))) points.push(values);
  }
  const places = objectives.length > 1 ? front(points, objectives.map(({ column }) => column.direction), MOST_STEPS) : null;
  return places && places.length;
}
