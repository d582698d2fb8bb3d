// Which trials the parallel plot draws of very many. Beyond a limit it is a share of them that depends on their numbers alone, and half
// as many whenever they are too many again: so who is drawn stays drawn, or makes room once. The best ones are always among them.

import { asNumber } from "./store.js";

const MOST_ROWS = 20000;
const MOST_CELLS = 1500000;
const N_BEST = 50;

// The best feasible trials by one objective, as they come.
class Best {
  constructor(place, direction) {
    this.place = place;
    this.sign = direction === "minimize" ? 1 : -1;
    this.rows = [];
  }

  cost(row) {
    return this.sign * row.cells[this.place];
  }

  // Whether the row is one of the best so far.
  take(row) {
    if (row.state !== "COMPLETE" || typeof row.cells[this.place] !== "number") return false;
    const cost = this.cost(row);
    if (this.rows.length >= N_BEST && cost >= this.cost(this.rows[N_BEST - 1])) return false;
    const at = this.rows.findIndex((other) => cost < this.cost(other));
    this.rows.splice(at < 0 ? this.rows.length : at, 0, row);
    this.rows.length = Math.min(this.rows.length, N_BEST);
    return true;
  }
}

export class Sample {
  // nAxes: how many values a row has
  constructor(store, nAxes) {
    this.constraints = store.columns.flatMap((column, place) => (column.kind === "constraint" ? [place] : []));
    this.best = store.objectives().map(({ column, place }) => new Best(place, column.direction));
    this.most = Math.min(MOST_ROWS, Math.max(1000, Math.floor(MOST_CELLS / Math.max(1, nAxes))));
    this.share = 2 ** 32;
    this.nCertain = 0;
  }

  // Whether a new row is drawn.
  wants(row) {
    return this.isBest(row) || this.isInShare(row);
  }

  // Which of all rows are drawn; the share becomes smaller until there is room.
  of(rows) {
    for (const row of rows) this.isBest(row);
    const certain = new Set(this.best.flatMap((best) => best.rows));
    this.nCertain = certain.size;
    for (;;) {
      const drawn = rows.filter((row) => this.isInShare(row) || certain.has(row));
      if (drawn.length <= Math.max(this.most, this.nCertain)) return drawn;
      this.share /= 2;
    }
  }

  isFull(nDrawn) {
    return nDrawn > Math.max(this.most, this.nCertain) + N_BEST;
  }

  isInShare(row) {
    return Math.imul(row.number, 0x9e3779b1) >>> 0 < this.share;
  }

  isBest(row) {
    if (this.constraints.some((place) => !(asNumber(row.cells[place]) <= 0))) return false;
    return this.best.filter((best) => best.take(row)).length > 0;
  }
}
