// One trial in full, in a drawer beside the page, which makes room (where there is none: over it): parameters, metrics, attempts, errors, the end of its log.
//
// It is asked for when it is opened, and again while it changes; the log of a running trial is followed while anybody can see it.

import { NAMELESS, element, button, focusOn, isolated, shortened } from "./elements.js";
import { number, count, duration, moment, unmistakable } from "./format.js";
import { Screen } from "./logs.js";
import { label, mark } from "./states.js";

const NARROW = "(max-width: 999px)"; // as in style.css
const OPEN = "dialog[open], .axis-menu[open], .context-menu";
const FOLLOW_MS = 2000;
const AGAIN_MS = 1000;
const TAIL_BYTES = 32 * 1024;

export function mountDetail(dialog, store, actions) {
  let shown = null; // the trial's number
  let asked = null; // the turn whose answer is awaited
  let turn = 0; // grows with each trial that is opened: answers about an earlier one are dropped
  let detail = null;
  let askTimer = null;
  let isDue = false;
  let follower = null;
  let opener = null;

  const title = element("h2", { id: "detail-title", tabindex: "-1", autofocus: true });
  const before = button("‹", () => step(-1), { class: "icon", "aria-label": "Trial before, in the table's order" });
  const after = button("›", () => step(1), { class: "icon", "aria-label": "Next trial, in the table's order" });
  const cancel = button("Cancel trial", () => actions.cancel(shown), { class: "harm", hidden: true });
  const close = button("✕", () => store.choose(null), { class: "icon quiet", "aria-label": "Close the details" });
  const now = element("div"); // what changes with each report
  const facts = element("div"); // what was read of the trial: nothing that is selected or focused there goes with a report
  const log = element("div");
  const body = element("div", { class: "body", tabindex: "0", role: "group", "aria-label": "Details" }, now, facts, log);
  dialog.append(element("header", {}, title, element("span", { class: "spring" }), cancel, before, after, close), body);

  // -- opening and closing -----------------------------------------------------------------------------------------------

  function open(chosen) {
    const isNew = chosen !== shown;
    const last = shown;
    turn += 1;
    shown = chosen;
    clearTimeout(askTimer);
    askTimer = null;
    follower?.stop();
    follower = null;
    if (chosen === null) {
      if (dialog.open) inPlace(opener.closest(".panel"), () => dialog.close());
      focusOn(opener, document.querySelector(`#trials tr[data-number="${last}"] button`), document.getElementById("trials"));
      return;
    }
    if (!dialog.open) {
      opener = document.activeElement;
      inPlace(document.querySelector(".panel:hover") ?? opener.closest(".panel"), show);
    }
    if (!isNew) return;
    detail = null;
    body.scrollTop = 0;
    log.replaceChildren();
    draw();
    drawFacts();
    read();
  }

  // Where the page cannot make room, nothing behind the drawer can be reached.
  const narrow = matchMedia(NARROW);
  function show() {
    if (narrow.matches) dialog.showModal();
    else dialog.show();
  }
  narrow.addEventListener("change", () => {
    if (!dialog.open) return;
    dialog.close();
    show();
  });

  function step(by) {
    const place = store.order.indexOf(shown);
    const to = place < 0 ? store.order[0] : store.order[place + by];
    if (to !== undefined) store.choose(to);
  }

  // Wherever the focus is, unless something is open that Escape closes first.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || shown === null) return;
    if ([...document.querySelectorAll(OPEN)].some((open) => open !== dialog && open.checkVisibility())) return;
    event.preventDefault();
    store.choose(null);
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    store.choose(null);
  });

  // -- asking ------------------------------------------------------------------------------------------------------------

  async function read() {
    const mine = (asked = turn);
    isDue = false;
    try {
      const answer = await actions.ask("trial", { trial: shown });
      if (mine !== turn) return;
      detail = answer.detail;
      draw();
      drawFacts();
      followLog();
    } catch (error) {
      if (mine === turn) drawFacts(error.message);
    }
    if (mine !== turn) return;
    asked = null;
    askTimer = setTimeout(() => {
      askTimer = null;
      if (isDue) read();
    }, AGAIN_MS);
  }

  function readAgain() {
    isDue = true;
    if (askTimer === null && asked !== turn) read();
  }

  function followLog() {
    if (!store.info?.has_logs || !detail.started_at) return;
    if (follower && follower.attempt === detail.attempt) return;
    follower?.stop();
    log.replaceChildren();
    follower = new Follower(log, actions, detail.number, detail.attempt);
  }

  // -- drawing -----------------------------------------------------------------------------------------------------------

  function draw() {
    const row = store.rows.get(shown);
    const state = row?.state ?? detail?.state ?? "WAITING";
    const place = store.order.indexOf(shown);
    title.replaceChildren(mark(state), `Trial ${shown}`);
    before.disabled = place <= 0;
    after.disabled = place < 0 || place >= store.order.length - 1;
    const isAtCancel = document.activeElement === cancel;
    cancel.hidden = !store.mayControl || !(state === "RUNNING" || state === "WAITING");
    if (isAtCancel && cancel.hidden) title.focus();
    now.replaceChildren(pairs(standing(row, state)));
    if (row?.error && !detail?.error) now.append(heading("Error"), element("p", { class: "message", dir: "auto" }, row.error));
  }

  function drawFacts(fault = "") {
    facts.replaceChildren(...(fault ? [element("p", { class: "fault" }, fault)] : []), ...(detail ? parts() : fault ? [] : [element("p", { class: "faint" }, "Reading …")]));
  }

  function parts() {
    const made = [];
    if (detail.error) made.push(...failure("Error", detail.error, true));
    made.push(heading("Parameters", detail.params.length ? button("Copy as JSON", copy, { class: "quiet" }) : null));
    made.push(detail.params.length ? pairs(detail.params.map(([name, value, text]) => [name, detail.is_outline ? text : toldOf(value, text)])) : element("p", { class: "faint" }, "none"));
    if (detail.metrics.length) made.push(heading("Metrics"), pairs(detail.metrics.map(([name, , text]) => [name, text])));
    const constraints = (detail.constraints ?? []).map((one, place) => (Array.isArray(one) ? [one[0], one[2] ?? one[1]] : [`constraint ${place}`, one]));
    if (constraints.length) made.push(heading("Constraints"), pairs([...constraints, ["feasible", detail.feasible ? "yes" : "no"]]));
    const used = (detail.usage ?? []).map(([name, value, text]) => [name.replaceAll("_", " ").replace(/ gib$/, " (GiB)"), Number.isFinite(value) ? number(value) : text]);
    if (used.length) made.push(heading("Usage"), pairs(used));
    const noted = entriesOf(detail.user_attrs);
    if (noted.length) made.push(heading("Attributes"), pairs(noted));
    (detail.failures ?? []).forEach((error, place) => made.push(...failure(`Attempt ${place + 1} failed`, error, false)));
    return made;
  }

  function standing(row, state) {
    const told = [["state", detail?.feasible === false ? `${label(state)}, not feasible` : label(state)]];
    const attempt = row?.attempt ?? detail?.attempt;
    if (attempt > 1) told.push(["attempt", String(attempt)]);
    if (detail?.started_at) told.push(["started", moment(detail.started_at)]);
    const took = row?.duration ?? (detail?.finished_at && detail.started_at ? detail.finished_at - detail.started_at : null);
    if (took !== null) told.push(["took", duration(took)]);
    if (row?.value !== null && row?.value !== undefined) told.push(["last report", `${number(row.value)} at step ${row.step}`]);
    const reports = [detail?.reports ?? 0].flat()[0];
    if (reports) told.push(["reports", count(reports)]);
    if (detail?.worker) told.push(["worker", detail.worker]);
    if (detail?.external) told.push(["evaluated", "elsewhere"]);
    return told;
  }

  async function copy({ currentTarget }) {
    const text = JSON.stringify(Object.fromEntries(detail.params.map(([name, value]) => [name, value])), null, 2);
    try {
      await navigator.clipboard.writeText(text);
      currentTarget.textContent = "Copied";
    } catch {
      copyWithoutClipboard(text);
      currentTarget.textContent = "Copied";
    }
  }

  store.on("chosen", open);
  store.on("rows", ({ changed, reset }) => {
    if (shown === null || !(reset || changed.some((row) => row.number === shown))) return;
    draw();
    readAgain();
  });
  store.on("info", () => shown !== null && readAgain());
}

// What is looked at stays where it is on the screen while the page makes room.
function inPlace(panel, change) {
  const topOf = () => panel.getBoundingClientRect().top;
  const isInSight = () => topOf() < innerHeight && panel.getBoundingClientRect().bottom > 0;
  if (!panel || !isInSight()) panel = document.elementFromPoint(innerWidth / 4, innerHeight / 2)?.closest(".panel");
  if (!panel) return change();
  const top = topOf();
  change();
  scrollBy({ top: topOf() - top, behavior: "instant" });
}

// Shows the end of a log, and goes on while more can come.
class Follower {
  constructor(box, actions, trial, attempt) {
    Object.assign(this, { actions, trial, attempt });
    this.screen = new Screen();
    this.offset = -TAIL_BYTES;
    this.timer = null;
    this.isOver = false;
    this.told = element("span", { class: "faint" });
    this.pre = element("pre", { tabindex: "0", role: "log", "aria-live": "off", "aria-label": "End of the log" });
    box.append(element("h3", {}, "Log", this.told), this.pre);
    this.pre.textContent = "…";
    this.read();
  }

  stop() {
    this.isOver = true;
    clearTimeout(this.timer);
  }

  async read() {
    if (!document.hidden) {
      try {
        this.show(await this.actions.ask("log", { trial: this.trial, attempt: this.attempt, offset: this.offset }));
      } catch (error) {
        if (!this.isOver) this.told.textContent = error.message;
      }
    }
    if (!this.isOver) this.timer = setTimeout(() => this.read(), FOLLOW_MS);
  }

  show(answer) {
    if (this.isOver) return;
    const isAtEnd = this.pre.scrollTop + this.pre.clientHeight >= this.pre.scrollHeight - 8;
    const text = this.screen.add(answer.text);
    if (this.offset < 0) {
      const skipped = Math.max(0, answer.offset ?? 0) + (answer.left_out ?? 0);
      this.told.textContent = skipped ? `the end of it; ${count(skipped)} bytes before are left out` : "";
    }
    this.offset = answer.next_offset;
    this.pre.textContent = text || (answer.is_over ? "Nothing was printed, or the log was not kept." : "Nothing was printed yet.");
    if (isAtEnd) this.pre.scrollTop = this.pre.scrollHeight;
    if (answer.is_over) this.stop();
  }
}

function heading(text, ...more) {
  return element("h3", {}, text, element("span", { class: "spring" }), ...more);
}

// A table of names and values, whatever their lengths.
function pairs(entries) {
  return element(
    "table",
    {},
    element(
      "tbody",
      {},
      ...entries.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, isolated(String(name) || NAMELESS, 160)), element("td", {}, element("span", { class: "long", dir: "auto" }, shortened(String(value), 20000))))),
    ),
  );
}

function failure(title, error, isOpen) {
  const made = [heading(title), element("p", { class: "message", dir: "auto" }, shortened(`${error.type}: ${error.message}`, 20000))];
  if (!error.traceback) return made;
  const trace = element("details", {}, element("summary", {}, "Traceback"), element("pre", { tabindex: "0" }, new Screen().add(`${error.traceback}\n`)));
  trace.open = isOpen;
  return [...made, trace];
}

// What the server sent is a value and its text in a CSV file, which does not tell 3 from "3".
function toldOf(value, text) {
  return typeof value === "string" && value === text ? unmistakable(text) : text;
}

// Attributes by their names, as texts.
function entriesOf(attributes) {
  const entries = Array.isArray(attributes) ? attributes : Object.entries(attributes ?? {});
  return entries.map(([name, value, text]) => [name, text ?? (typeof value === "string" ? unmistakable(value) : JSON.stringify(value))]);
}

// Where the page may not reach the clipboard (it is not served by https or from this machine).
function copyWithoutClipboard(text) {
  const area = element("textarea", { "aria-hidden": "true" });
  area.value = text;
  (document.querySelector("dialog:modal") ?? document.body).append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
