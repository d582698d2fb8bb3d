// The head of the page: which sweep it is, how it stands, how far it is, and whether the page still hears of it.

import { element, button, fill } from "./elements.js";
import { number, count, duration, rate, moment } from "./format.js";
import { FrontCount } from "./front-count.js";
import { STATES } from "./store.js";
import { label } from "./states.js";

const FINAL = ["COMPLETE", "PRUNED", "FAILED", "CANCELLED"];
const STANDINGS = new Map([
  ["RUNNING", "Running"],
  ["PAUSED", "Paused"],
  ["STOPPING", "Stopping"],
  ["ENDED", "Ended"],
  ["INTERRUPTED", "Interrupted"],
]);
const SPOKEN_EVERY_MS = 15000;

export function mountStatus(page, store, choose) {
  const find = (id) => page.getElementById(id);
  const facts = new Map(); // title -> {box, value}
  let heardAt = 0;
  let lastEnd = null;

  const fact = (title, isPlain = false) => {
    if (!facts.has(title)) {
      const value = element("dd");
      const box = element("div", { class: isPlain ? "plain" : null }, element("dt", {}, title), value);
      find("facts").append(box);
      facts.set(title, { box, value });
    }
    return facts.get(title);
  };
  const say = (title, text, isPlain = false) => {
    const { box, value } = fact(title, isPlain);
    box.hidden = !text;
    fill(value, text ?? "", 80);
  };

  function drawName() {
    const name = store.info?.name || "asyncsweep";
    fill(find("name"), name, 120);
    const chooser = find("sweeps");
    find("chooser").hidden = store.sweeps.length < 2;
    find("name").classList.toggle("hidden", store.sweeps.length > 1);
    if ([...chooser.options].map(({ value }) => value).join("\0") !== store.sweeps.join("\0")) {
      chooser.replaceChildren(...store.sweeps.map((sweep) => new Option(sweep.slice(0, 80), sweep)));
    }
    if (store.info) chooser.value = store.info.name;
    if (store.info) {
      const { sampler, pruner, executor, objective } = store.info;
      say("Sampler", sampler, true);
      say("Pruner", pruner, true);
      say("Executor", executor, true);
      say("Objective", objective, true);
    }
  }

  function drawStanding() {
    const { status } = store;
    const pill = find("state");
    pill.hidden = !status;
    if (!status) return;
    pill.dataset.state = status.state;
    pill.toggleAttribute("data-bad", Boolean(status.error));
    const word = STANDINGS.get(status.state) ?? status.state;
    fill(pill, status.error ? `${word}: failed` : status.reason ? `${word}: ${status.reason}` : word, 60);
  }

  function drawBest() {
    const { box, value } = fact("Best");
    const best = store.status?.best;
    box.hidden = !best;
    if (!best) return;
    const [objective] = store.objectives();
    fill(box.firstChild, objective ? `Best ${objective.column.key} (${objective.column.direction === "maximize" ? "highest" : "lowest"})` : "Best", 40);
    const text = `${number(best.value)} · trial ${best.number}`;
    if (value.textContent === text) return;
    value.replaceChildren(button(text, () => choose(best.number), { class: "link", title: "Show this trial" }));
  }

  function drawProgress() {
    const { status } = store;
    const bar = find("progress");
    bar.hidden = !status;
    if (!status) return;
    const counts = new Map(Object.entries(status.counts));
    const ended = FINAL.reduce((sum, state) => sum + (counts.get(state) ?? 0), 0);
    const all = Math.max(status.n_trials ?? status.total, status.total, 1);
    const parts = STATES.filter((state) => state !== "WAITING" && counts.get(state) > 0);
    bar.replaceChildren(
      ...parts.map((state) => {
        const part = element("i", { "data-state": state, title: `${label(state)}: ${counts.get(state)}` });
        part.style.width = `${(100 * counts.get(state)) / all}%`;
        return part;
      }),
    );
    const text = status.n_trials === null ? `${count(ended)}, no limit` : `${count(ended)} of ${count(status.n_trials)}`;
    bar.setAttribute("aria-valuemax", String(all));
    bar.setAttribute("aria-valuenow", String(ended));
    bar.setAttribute("aria-valuetext", `${text} trials have ended`);
    say("Trials ended", status.n_trials ? `${text} · ${Math.min(100, Math.floor((100 * ended) / status.n_trials))} %` : text);
    const isOver = status.state === "ENDED" || status.state === "INTERRUPTED";
    say("Running", isOver ? "" : `${counts.get("RUNNING") ?? 0} of ${status.concurrency}`);
    say("Enqueued", isOver || !status.enqueued ? "" : count(status.enqueued));
    say("Rate", isOver ? "" : rate(status.rate_per_s));
    document.title = `${status.n_trials && !isOver ? `${Math.min(100, Math.floor((100 * ended) / status.n_trials))} % · ` : ""}${store.info?.name || "sweep"} · asyncsweep`;
  }

  // Between two messages time goes on here, too.
  function drawTimes() {
    const { status } = store;
    if (!status) return;
    const isOver = status.state === "ENDED" || status.state === "INTERRUPTED";
    const since = isOver || store.link.state !== "open" ? 0 : (performance.now() - heardAt) / 1000;
    const now = isOver ? (lastEnd ?? status.now) : status.now + since;
    say("Elapsed", status.started_at === null ? "" : duration(Math.max(0, now - status.started_at)));
    say("Time left", isOver || status.eta_s === null || status.state !== "RUNNING" ? "" : `≈ ${duration(Math.max(0, status.eta_s - since))}`);
    fact("Elapsed").box.title = `Since ${moment(status.started_at)}`;
  }

  function drawLink() {
    find("link").dataset.state = store.link.state;
    fill(find("link-text"), store.link.text || store.link.state, 60);
    // The head may be out of sight: a connection that is no more is told where the page is read.
    find("lost").hidden = !(store.link.state === "waiting" || store.link.state === "refused");
    find("lost").dataset.state = store.link.state;
    fill(find("lost-text"), store.link.text || store.link.state, 60);
  }

  // What a screen reader says of its own: how the sweep stands, a new best, the connection; the newest, not more often than that.
  let spoken = "";
  let spokenAt = -SPOKEN_EVERY_MS;
  let speaker = null;
  function speak() {
    const { status, link } = store;
    const best = status?.best ? `, best ${number(status.best.value)} in trial ${status.best.number}` : "";
    const text = link.state === "open" ? (status ? `Sweep ${STANDINGS.get(status.state)?.toLowerCase() ?? status.state}${best}.` : "") : link.text;
    if (text === spoken || speaker) return;
    speaker = setTimeout(() => {
      speaker = null;
      if (text !== spoken) [spokenAt, spoken] = [performance.now(), text];
      find("spoken").textContent = text;
      speak();
    }, Math.max(0, spokenAt + SPOKEN_EVERY_MS - performance.now()));
  }

  for (const title of ["Best", "Front", "Trials ended", "Running", "Enqueued", "Rate", "Time left", "Elapsed"]) fact(title).box.hidden = true;
  store.on("info", () => {
    lastEnd = null;
    drawName();
  });
  store.on("columns", drawBest);
  new FrontCount(store, (n) => say("Front", n ? `${count(n)} ${n === 1 ? "trial" : "trials"}` : ""));
  store.on("rows", ({ changed }) => {
    for (const { startedAt, duration: took } of changed) if (startedAt !== null && took !== null) lastEnd = Math.max(lastEnd ?? 0, startedAt + took);
  });
  store.on("status", () => {
    heardAt = performance.now();
    for (const draw of [drawStanding, drawBest, drawProgress, drawTimes, speak]) draw();
  });
  store.on("link", () => {
    drawLink();
    speak();
  });
  store.on("told", (text) => {
    find("spoken").textContent = text;
  });
  setInterval(drawTimes, 1000);
  for (const draw of [drawName, drawStanding, drawLink]) draw();
}
