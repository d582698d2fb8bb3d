// What the pointer is over, in a small panel of its own beside it: names and values are texts here, and nothing of them reaches a chart.

import { element, shortened } from "./elements.js";
import { label } from "./states.js";

const LONGEST = 60;
const MOST_PARAMS = 8;
const GAP = 14;

export class Tip {
  constructor(parent) {
    this.panel = element("div", { class: "chart-tip", hidden: true, "aria-hidden": "true" });
    parent.append(this.panel);
  }

  // `title`, then lines of a name and a value, beside a place in the window.
  show(title, lines, x, y) {
    const list = element("dl");
    for (const [name, value] of lines) list.append(element("dt", {}, shortened(name, LONGEST)), element("dd", {}, shortened(value, LONGEST)));
    this.panel.replaceChildren(element("strong", {}, title), list);
    this.panel.hidden = false;
    const { width, height } = this.panel.getBoundingClientRect();
    const left = x + GAP + width > innerWidth - 4 ? x - GAP - width : x + GAP;
    const top = y + GAP + height > innerHeight - 4 ? y - GAP - height : y + GAP;
    this.panel.style.left = `${Math.max(4, left)}px`;
    this.panel.style.top = `${Math.max(4, top)}px`;
  }

  hide() {
    this.panel.hidden = true;
  }
}

// What a trial is, for `Tip.show`: a title and lines. `first` are lines of what was pointed at.
export function describe(store, number, first = []) {
  const row = store.rows.get(number);
  if (!row) return [`Trial ${number}`, first];
  const infeasible = row.state === "COMPLETE" && !store.isFeasible(row) ? ", infeasible" : "";
  const lines = [...first];
  const named = new Set(first.map(([name]) => name));
  const add = (column, cell) => !named.has(column.key) && lines.push([column.key, store.told(column, cell)]);
  let left = MOST_PARAMS;
  let more = 0;
  store.columns.forEach((column, place) => {
    const cell = row.cells[place] ?? null;
    if (column.type === "constant" || cell === null) return;
    if (column.direction) add(column, cell);
    else if (column.kind === "param" && left-- > 0) add(column, cell);
    else if (column.kind === "param") more += 1;
  });
  if (more) lines.push(["", `and ${more} more parameters`]);
  if (row.error) lines.push(["error", row.error]);
  return [`Trial ${number}: ${label(row.state).toLowerCase()}${infeasible}`, lines];
}
