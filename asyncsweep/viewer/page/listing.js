// Which trials the table lists, in which order; without the document.

import { STATES, asNumber } from "./store.js";

// What can be shown of every trial, beside its cells: {key, title, kind, place, column, key of sorting}.
export function columnsOf(store) {
  const cells = store.columns.map((column, place) => ({ id: `cell:${column.key}`, title: column.key, kind: "cell", place, column, isText: column.type === "category" || column.type === "any" || column.type === "constant" }));
  const isObjective = ({ column }) => Boolean(column.direction);
  return [
    { id: "number", title: "Trial", kind: "number", isText: false },
    { id: "state", title: "State", kind: "state", isText: true },
    ...cells.filter(isObjective),
    ...cells.filter(({ column }) => column.kind === "param"),
    ...cells.filter((cell) => cell.column.kind !== "param" && !isObjective(cell)),
    { id: "value", title: "Last report", kind: "value", isText: false },
    { id: "step", title: "Step", kind: "step", isText: false },
    { id: "duration", title: "Duration", kind: "duration", isText: false },
    { id: "started", title: "Started", kind: "started", isText: false },
    { id: "attempt", title: "Attempt", kind: "attempt", isText: false },
    { id: "error", title: "Error", kind: "error", isText: true },
  ];
}

// What a row is sorted by: a number, a text, or null where it has nothing there.
function keyOf(store, column, row) {
  switch (column.kind) {
    case "number":
      return row.number;
    case "state":
      return STATES.indexOf(row.state);
    case "started":
      return row.startedAt;
    case "cell":
      break;
    default:
      return row[column.kind];
  }
  const cell = row.cells[column.place];
  if (cell === null || cell === undefined) return null;
  if (column.isText) return store.text(column.column, cell);
  return asNumber(cell);
}

// The rows that are shown and selected, sorted; those with nothing in the column come last, in the order of their numbers.
export function listing(store, column, isDescending) {
  const sign = isDescending ? -1 : 1;
  const known = [];
  const unknown = [];
  for (const row of store.rows.values()) {
    if (!store.isListed(row)) continue;
    const key = keyOf(store, column, row);
    if (key === null || Number.isNaN(key)) unknown.push(row);
    else known.push({ key, row });
  }
  known.sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : a.row.number - b.row.number));
  unknown.sort((a, b) => a.number - b.number);
  return [...known.map(({ row }) => row), ...unknown];
}
