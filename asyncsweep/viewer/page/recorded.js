// A page that is a file: what the server would have said is in the document, as JSON. Nothing is sent anywhere.
//
//   {"messages": [hello, snapshot, ..., status], "details": {"3": detail, ...}, "logs": {"3": answer, ...}, "curves": [curve, ...],
//    "csv": {"head": line, "lines": {"3": line, ...}} or null}

import { moment, number as shown } from "./format.js";

export function recording(page) {
  const block = page.getElementById("recorded");
  return block && new Recording(JSON.parse(block.textContent));
}

class Recording {
  constructor({ messages, details, logs, curves, csv }) {
    this.messages = messages;
    this.details = new Map(Object.entries(details ?? {}));
    this.logs = new Map(Object.entries(logs ?? {}));
    this.curves = new Map((curves ?? []).map((curve) => [curve.trial, curve]));
    this.csv = csv ?? null;
    this.store = null;
  }

  start(store) {
    this.store = store;
    for (const message of this.messages) store.take(message);
    store.setLink("closed", `recorded ${moment(store.status?.now)}`.trim());
  }

  watch(numbers) {
    const curves = [...numbers].flatMap((number) => this.curves.get(number) ?? []);
    // Later, as an answer of a server would be.
    if (curves.length) queueMicrotask(() => this.store.take({ type: "points", curves }));
  }

  async ask(what, fields = {}) {
    if (what === "trial") {
      const detail = this.details.get(String(fields.trial)) ?? this.fromRow(fields.trial);
      if (!detail) throw new Error(`Trial ${fields.trial} is not in this file.`);
      return { detail };
    }
    if (what === "log") {
      const log = this.logs.get(String(fields.trial));
      if (!log) throw new Error("This file has the ends of failed trials' logs alone.");
      return log;
    }
    if (what === "csv") return { text: this.table(fields.trials ?? null), next_offset: null };
    if (what === "status") return { status: this.store.status };
    throw new Error("This is a recorded page: there is no sweep behind it.");
  }

  // What the row alone says of a trial: the texts are those of the table.
  fromRow(number) {
    const { store } = this;
    const row = store.rows.get(number);
    if (!row) return null;
    const cells = (kind) =>
      store.columns.flatMap((column, place) => {
        const cell = row.cells[place] ?? null;
        if (column.kind !== kind || (cell === null && column.type !== "constant")) return [];
        const text = store.told(column, cell, 17);
        const isChoice = column.type === "category" || column.type === "constant";
        return [[column.name, isChoice ? text : cell, text]];
      });
    const finished = row.startedAt !== null && row.duration !== null ? row.startedAt + row.duration : null;
    const error = row.error === null ? null : { type: "Error", message: row.error, traceback: "" };
    return { number, is_outline: true, state: row.state, attempt: row.attempt, worker: null, external: false, params: cells("param"), metrics: cells("metric"), constraints: cells("constraint"), user_attrs: {}, usage: [], reports: 0, asked_at: null, started_at: row.startedAt, finished_at: finished, error, failures: [], feasible: null };
  }

  table(numbers) {
    const { rows, columns } = this.store;
    const wanted = numbers ?? [...rows.keys()].sort((a, b) => a - b);
    if (this.csv) return this.csv.head + wanted.map((number) => this.csv.lines[number] ?? "").join("");
    const head = ["number", "state", ...columns.map(({ key }) => key), "attempt", "started_at", "duration_s", "error"];
    const lines = wanted.flatMap((number) => {
      const row = rows.get(number);
      if (!row) return [];
      const cells = columns.map((column, place) => this.store.text(column, row.cells[place], 17));
      return [[row.number, row.state, ...cells, row.attempt, shown(row.startedAt, 17), shown(row.duration, 17), row.error ?? ""]];
    });
    return [head, ...lines].map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
  }
}

function quoted(cell) {
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
