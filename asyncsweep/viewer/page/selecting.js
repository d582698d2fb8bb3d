// The brush of the parallel plot as the selection of the whole page, and the other way round.
//
// Selected are the trials that pass what was brushed, kept and excluded: also those that run, and those that a sample leaves out. Other
// views take their time over a selection, so that it is handed on when the brush is let go or held still.

const STILL_MS = 200;
const MOST_HIGHLIGHTED = 300;

export class Selecting {
  // host: {plot, axes, feeding}
  constructor(store, host) {
    this.store = store;
    this.host = host;
    this.isDue = false;
    this.isOurs = false; // the selection of the page comes from here
    this.isHanding = false;
    this.isHighlighting = false;
    this.brushedAt = -Infinity;
  }

  brushed(now) {
    this.brushedAt = now;
    this.isDue = true;
  }

  // Trials have changed.
  again() {
    this.isDue ||= this.isOurs;
  }

  forget() {
    if (this.isOurs) this.hand(null);
    this.isDue = false;
  }

  settle(now, isHeld) {
    if (this.isDue && !(isHeld && now < this.brushedAt + STILL_MS)) this.select();
  }

  select() {
    this.isDue = false;
    const { plot, axes } = this.host;
    const { store } = this;
    if (!plot?.isBrushed && !plot?.isCut) {
      if (this.isOurs) this.hand(null);
      return;
    }
    const numbers = [];
    for (const row of store.rows.values()) {
      if (store.states.has(row.state) && plot.isChosen((id) => axes.byId.get(id)?.read(row))) numbers.push(row.number);
    }
    const isSame = this.isOurs && store.selection?.size === numbers.length && numbers.every((number) => store.selection.has(number));
    if (!isSame) this.hand(numbers);
  }

  hand(numbers) {
    this.isOurs = numbers !== null;
    this.isHanding = true;
    this.store.select(numbers);
    this.isHanding = false;
  }

  // The page has another selection. If it is not ours there are no brushes any more, and what was selected stands out.
  changed(numbers) {
    const { plot } = this.host;
    if (!this.isHanding) {
      this.isOurs = false;
      if (plot.isBrushed || plot.isCut) plot.clear();
    }
    this.highlight(this.isHanding || numbers === null ? [] : [...numbers]);
  }

  highlight(numbers) {
    const { drawn } = this.host.feeding;
    const found = numbers.map((number) => drawn.get(number)?.datapoint).filter(Boolean);
    if (found.length || this.isHighlighting) this.host.plot.highlight(found.slice(0, MOST_HIGHLIGHTED));
    this.isHighlighting = found.length > 0;
  }
}
