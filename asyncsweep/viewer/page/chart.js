// A chart: a title, switches, and a drawing or words in its place.
//
// It is drawn again when `invalidate` was called, at most four times a second, and seldomer where drawing takes long, so that it has a
// small share of the page's time. It is not drawn while it is out of sight, nor while the pointer drags something in it. A zoom stays
// as it is over all updates, for as long as the drawing's `key` does. While a running sweep's trials come sooner than they can be drawn, the chart
// is busy: it should have fewer marks then, so that the page is never held up for long.

import { element } from "./elements.js";
import { Legend } from "./legend.js";
import { config, isLoaded, layout, plotly, purge, readColours, resize } from "./plot.js";
import { Tip, describe } from "./tip.js";

const PACE_MS = 250;
const SHARE = 8; // so many times as long as the last drawing took, until the next one, but no longer than:
const LONGEST_PACE_MS = 4000;
const CALM_MS = 10_000; // long, so that a slow sweep's chart does not go to and fro
const NEAR = "300px";
const NARROW = 480;

// `compose(colours, {isNarrow, isBusy})` says what there is to draw now: {words} for nothing, and why, or
//   {traces, x, y, key, summary, note, legend, told}
// x and y are {title, isLog, range, isWhole}; `legend` is what `Legend` takes; `summary` is the drawing in words, for who does not see it; `note` stands below it, and says
// what is left out; `told(point, number)` are lines about one of plotly's points, to be shown with the trial.
export class Chart {
  constructor(section, title, store, compose) {
    this.store = store;
    this.title = title;
    this.section = section;
    this.compose = compose;
    this.bar = element("div", { class: "chart-bar" });
    this.legend = new Legend((number) => store.choose(number));
    this.host = element("div", { class: "chart-plot", role: "img", hidden: true });
    this.words = element("p", { class: "placeholder chart-words" });
    this.note = element("p", { class: "chart-note faint" });
    section.classList.add("chart");
    const head = element("div", { class: "chart-head" }, element("h2", {}, title), this.bar);
    section.replaceChildren(head, this.legend.list, this.host, this.words, this.note);
    this.tip = new Tip(section);

    this.isDirty = true;
    this.isNear = false;
    this.isHeld = false; // the pointer drags
    this.isDrawing = false;
    this.isWired = false;
    this.timer = null;
    this.calm = null; // a timer, from when trials come in quick succession until they no longer do
    this.wasBusy = false; // when it was drawn last
    this.due = Infinity;
    this.drawnAt = -Infinity;
    this.cost = 0; // of the last drawing, in ms
    this.drawn = 0; // how often
    this.colours = null;
    this.told = null;

    new IntersectionObserver((entries) => this.turn(entries[entries.length - 1].isIntersecting), { rootMargin: NEAR }).observe(section);
    new ResizeObserver(() => this.fit()).observe(this.host);
    this.host.addEventListener("pointerdown", () => this.hold());
    for (const event of ["pointerup", "pointercancel"]) addEventListener(event, () => this.release());
    this.host.addEventListener("pointerleave", () => this.tip.hide());
    store.on("rows", () => this.stir());
    store.on("status", () => this.rest());
    store.on("theme", () => {
      this.colours = null;
      this.invalidate(true);
    });
  }

  get isNarrow() {
    return this.section.clientWidth < NARROW;
  }

  get isBusy() {
    return this.calm !== null && this.store.status?.state === "RUNNING";
  }

  // In how many milliseconds after a drawing the next one may be.
  get pause() {
    return Math.min(Math.max(PACE_MS, SHARE * this.cost), LONGEST_PACE_MS);
  }

  stir() {
    if (this.calm === null && performance.now() > this.drawnAt + this.pause) return;
    clearTimeout(this.calm);
    this.calm = setTimeout(() => {
      this.calm = null;
      this.rest();
    }, CALM_MS);
  }

  // All is drawn once there is time for it.
  rest() {
    if (this.wasBusy && !this.isBusy) this.invalidate(true);
  }

  // It is to be drawn again; `soon` after what the user has done.
  invalidate(soon = false) {
    this.isDirty = true;
    if (!this.isNear || this.isHeld || this.isDrawing) return;
    const pause = soon ? Math.min(this.cost, PACE_MS) : this.pause;
    const due = Math.max(performance.now(), this.drawnAt + pause);
    if (this.timer !== null && this.due <= due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => requestAnimationFrame(() => this.draw()), due - performance.now());
  }

  turn(isNear) {
    this.isNear = isNear;
    if (isNear && this.isDirty) this.invalidate(true);
  }

  hold() {
    this.isHeld = true;
    this.tip.hide();
  }

  release() {
    if (!this.isHeld) return;
    this.isHeld = false;
    if (this.isDirty) this.invalidate();
  }

  async draw() {
    this.timer = null;
    if (this.isDrawing || this.isHeld || !this.isNear) return;
    this.isDrawing = true;
    this.isDirty = false;
    const began = performance.now();
    this.cost = 0;
    try {
      this.colours ??= readColours(this.section);
      this.wasBusy = this.isBusy;
      const drawing = this.compose(this.colours, { isNarrow: this.isNarrow, isBusy: this.wasBusy });
      this.cost = performance.now() - began;
      if (drawing.words) this.say(drawing.words);
      else {
        if (!isLoaded()) this.say("Loading the charts …");
        await this.show(await plotly(), drawing);
      }
    } catch (error) {
      this.clear();
      this.say(`This chart cannot be drawn: ${error.message}.`);
    }
    this.drawnAt = performance.now();
    this.isDrawing = false;
    this.drawn += 1;
    if (this.isDirty) this.invalidate();
  }

  async show(library, drawing) {
    this.words.hidden = true;
    this.host.hidden = false;
    this.told = drawing.told ?? null;
    const began = performance.now();
    const done = library.react(this.host, drawing.traces, layout(drawing, this.colours, this.isNarrow), config());
    this.cost += performance.now() - began; // what comes after it is not this chart's alone
    await done;
    this.wire();
    this.host.setAttribute("aria-label", `${this.title}: ${drawing.summary}`);
    this.note.textContent = drawing.note ?? "";
    this.legend.put(drawing.legend ?? []);
  }

  // Words in place of the drawing.
  say(text) {
    this.words.textContent = text;
    this.words.hidden = false;
    this.host.hidden = true;
    this.note.textContent = "";
    this.legend.put([]);
    this.tip.hide();
  }

  // After a failure the next drawing begins anew.
  clear() {
    if (this.isWired) purge(this.host);
    this.isWired = false;
  }

  // Once plotly has made the host its own.
  wire() {
    if (this.isWired) return;
    this.isWired = true;
    this.host.on("plotly_click", ({ points }) => points[0].customdata !== undefined && this.store.choose(points[0].customdata));
    this.host.on("plotly_unhover", () => this.tip.hide());
    this.host.on("plotly_hover", ({ points, event }) => {
      const number = points[0].customdata;
      if (number === undefined || !event || this.isHeld) return;
      this.tip.show(...describe(this.store, number, this.told?.(points[0], number) ?? []), event.clientX, event.clientY);
    });
  }

  fit() {
    if (this.isWired && !this.host.hidden && this.host.clientWidth) resize(this.host);
  }
}
