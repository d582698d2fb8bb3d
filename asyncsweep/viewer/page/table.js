// The table of trials: those that are shown and selected, sorted, a page at a time. Updates leave sort, page, scroll and focus as they are.
//
// Sorting is done when something changed, at most once a second where there are many trials, and seldomer where it takes long. Table rows
// are kept by their trial's number, and only those are filled anew whose trial changed.

import { NAMELESS, element, button, fill, isolated } from "./elements.js";
import { number, count, duration, moment } from "./format.js";
import { columnsOf, listing } from "./listing.js";
import { label, mark } from "./states.js";

const SIZES = [25, 50, 100, 250];
const FEW = 2000;
const SOON_MS = 150;
const PACE_MS = 1000;
const SHARE = 10; // sorting takes at most one part in so many of the page's time

export function mountTable(box, store, actions) {
  let columns = columnsOf(store);
  let sort = { id: "number", isDescending: true };
  let page = 0; // the one that is wanted
  let at = 0; // the one that is shown: while a sweep is read again, there are fewer
  let size = 50;
  let listed = [];
  let cost = 0;
  let timer = null;
  let isShapeNew = true;
  const kept = new Map(); // number -> {tr, row}

  const title = element("h2", {}, "Trials");
  const download = button("CSV", save, { title: "The trials that are listed, as a CSV file" });
  const told = element("span", { class: "faint", role: "status" });
  const heads = element("tr");
  const body = element("tbody");
  const table = element("table", { class: "trials", "aria-labelledby": "trials-title" }, element("thead", {}, heads), body);
  const scroller = element("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": "Table of trials, scrolls" }, table);
  const nothing = element("p", { class: "placeholder", hidden: true });
  const range = element("span", { "aria-live": "off" });
  const first = button("«", () => turn(0), { "aria-label": "First page" });
  const before = button("‹", () => turn(at - 1), { "aria-label": "Page before" });
  const after = button("›", () => turn(at + 1), { "aria-label": "Next page" });
  const last = button("»", () => turn(Infinity), { "aria-label": "Last page" });
  const sizes = element("select", { "aria-label": "Trials on a page" }, ...SIZES.map((many) => new Option(`${many} on a page`, many, many === size, many === size)));
  title.id = "trials-title";
  sizes.addEventListener("change", () => {
    size = Number(sizes.value);
    turn(0);
  });
  box.append(
    element("div", { class: "table-head" }, title, element("span", { class: "spring" }), told, download),
    scroller,
    nothing,
    element("div", { class: "table-foot" }, range, element("span", { class: "spring" }), sizes, first, before, after, last),
  );

  // -- what is listed --------------------------------------------------------------------------------------------------

  function refresh() {
    clearTimeout(timer);
    timer = null;
    if (isShapeNew) {
      isShapeNew = false;
      columns = columnsOf(store);
      if (!columns.some(({ id }) => id === sort.id)) sort = { id: "number", isDescending: true };
      kept.clear();
      drawHeads();
    }
    const began = performance.now();
    listed = listing(store, columns.find(({ id }) => id === sort.id), sort.isDescending);
    store.order = listed.map((row) => row.number);
    cost = performance.now() - began;
    draw();
  }

  function soon() {
    timer ??= setTimeout(() => requestAnimationFrame(refresh), store.rows.size < FEW ? SOON_MS : Math.max(PACE_MS, SHARE * cost));
  }

  function turn(to) {
    page = Math.max(0, Math.min(to, Math.ceil(listed.length / size) - 1));
    draw();
    scroller.scrollTop = 0;
  }

  function sortBy(id) {
    const column = columns.find((one) => one.id === id);
    const isFirstDescending = column.column?.direction === "maximize" || id === "number" || id === "started";
    sort = { id, isDescending: sort.id === id ? !sort.isDescending : isFirstDescending };
    page = 0;
    drawHeads();
    refresh();
    heads.querySelector(`[aria-sort] button`)?.focus({ preventScroll: true });
  }

  // -- drawing -----------------------------------------------------------------------------------------------------------

  function drawHeads() {
    heads.replaceChildren(
      ...columns.map((column) => {
        const isSorted = column.id === sort.id;
        const press = element("button", { type: "button", onclick: () => sortBy(column.id) }, isolated(column.title || NAMELESS, 60));
        if (column.column?.direction) press.append(element("small", {}, column.column.direction === "maximize" ? " max" : " min"));
        if (isSorted) press.append(element("span", { "aria-hidden": "true" }, sort.isDescending ? " ▾" : " ▴"));
        return element("th", { scope: "col", class: column.isText ? null : "number", "aria-sort": isSorted ? (sort.isDescending ? "descending" : "ascending") : null }, press);
      }),
    );
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(listed.length / size));
    at = Math.min(page, pages - 1);
    const rows = listed.slice(at * size, (at + 1) * size);
    const focused = body.contains(document.activeElement) ? document.activeElement.closest("tr") : null;
    const focusedAt = focused ? [...body.children].indexOf(focused) : -1;
    const best = store.status?.best?.number ?? null;

    const wanted = rows.map((row) => drawn(row));
    wanted.forEach((tr, place) => {
      if (body.children[place] !== tr) body.insertBefore(tr, body.children[place] ?? null);
      tr.classList.toggle("chosen", Number(tr.dataset.number) === store.chosen);
      tr.classList.toggle("best", Number(tr.dataset.number) === best);
    });
    while (body.children.length > wanted.length) body.lastChild.remove();
    const shown = new Set(rows.map((row) => row.number));
    for (const known of kept.keys()) if (!shown.has(known)) kept.delete(known);

    if (focused && !focused.contains(document.activeElement)) {
      const again = body.contains(focused) ? focused : body.children[Math.min(focusedAt, body.children.length - 1)];
      again?.querySelector("button").focus({ preventScroll: true });
    }
    reach(focused && body.contains(focused) ? focused : body.firstChild);
    drawFoot(pages);
  }

  function drawFoot(pages) {
    const from = at * size;
    const to = Math.min(listed.length, from + size);
    range.textContent = listed.length ? `${count(from + 1)} to ${count(to)} of ${count(listed.length)}` : "";
    first.disabled = before.disabled = at === 0;
    after.disabled = last.disabled = at >= pages - 1;
    const isEmpty = listed.length === 0;
    scroller.hidden = isEmpty;
    nothing.hidden = !isEmpty;
    download.disabled = isEmpty;
    if (!isEmpty) return;
    nothing.textContent = store.rows.size === 0 ? "No trials yet." : store.selection ? "No trial is both selected and in a state that is shown." : "No trial is in a state that is shown.";
  }

  // The table row of a trial, made or filled anew where it has to be.
  function drawn(row) {
    let known = kept.get(row.number);
    if (known?.row === row) return known.tr;
    if (!known) {
      const tr = element("tr", { "data-number": row.number });
      tr.append(...columns.map((column) => element("td", { class: column.kind === "error" ? "error" : column.isText ? null : "number" })));
      tr.firstChild.append(element("button", { type: "button", tabindex: "-1", "aria-label": `Trial ${row.number}: details` }, String(row.number)));
      known = { tr, row: null };
      kept.set(row.number, known);
    }
    columns.forEach((column, place) => column.kind === "number" || fillCell(known.tr.children[place], column, row, known.row));
    known.row = row;
    return known.tr;
  }

  function fillCell(td, column, row, earlier) {
    if (column.kind === "state") {
      if (row.state !== earlier?.state) td.replaceChildren(element("span", { class: "state" }, mark(row.state), label(row.state)));
    } else if (column.isText) {
      const text = column.kind === "error" ? (row.error ?? "") : store.told(column.column, row.cells[column.place]);
      if (!td.firstChild) td.append(element("bdi"));
      fill(td.firstChild, text);
      td.title = td.firstChild.title;
    } else {
      fill(td, numeric(column, row));
    }
  }

  function numeric(column, row) {
    if (column.kind === "duration") return duration(row.duration);
    if (column.kind === "started") return moment(row.startedAt);
    return column.kind === "cell" ? store.text(column.column, row.cells[column.place]) : number(row[column.kind]);
  }

  // -- pointer and keyboard: one row is reached by Tab, the others by the arrows -----------------------------------------

  function reach(tr) {
    for (const press of body.querySelectorAll('button[tabindex="0"]')) press.tabIndex = -1;
    if (tr) tr.querySelector("button").tabIndex = 0;
  }

  body.addEventListener("click", ({ target }) => {
    const tr = target.closest("tr");
    if (!tr || (getSelection()?.toString() && !target.closest("button"))) return;
    store.choose(Number(tr.dataset.number));
  });
  body.addEventListener("focusin", ({ target }) => reach(target.closest("tr")));
  body.addEventListener("keydown", (event) => {
    const tr = event.target.closest("tr");
    const to = { ArrowDown: tr?.nextSibling, ArrowUp: tr?.previousSibling, Home: body.firstChild, End: body.lastChild }[event.key];
    if (!to) return;
    event.preventDefault();
    to.querySelector("button").focus();
  });

  async function save() {
    const isAll = listed.length === store.rows.size && (store.status?.total ?? 0) <= listed.length;
    download.disabled = true;
    try {
      const pieces = [];
      const trials = isAll ? null : listed.map((row) => row.number);
      for (let offset = 0; offset !== null; ) {
        told.textContent = pieces.length ? `reading, ${pieces.length} pieces …` : "reading …";
        const { text, next_offset } = await actions.ask("csv", { trials, offset });
        pieces.push(text);
        offset = next_offset ?? null;
      }
      offer(pieces, `${(store.info?.name || "sweep").replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 60)}.csv`);
      told.textContent = "";
    } catch (error) {
      told.textContent = `No CSV: ${error.message}`;
    } finally {
      download.disabled = listed.length === 0;
    }
  }

  let name = store.info?.name;
  store.on("info", (info) => {
    if (info?.name !== name) page = 0;
    name = info?.name;
  });
  store.on("rows", soon);
  store.on("columns", () => {
    isShapeNew = true;
    soon();
  });
  store.on("status", soon);
  store.on("filter", refresh);
  store.on("selection", refresh);
  store.on("chosen", draw);
  refresh();
}

// Have the browser save a file.
function offer(pieces, name) {
  const address = URL.createObjectURL(new Blob(pieces, { type: "text/csv;charset=utf-8" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
