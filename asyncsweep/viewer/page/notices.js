// What the page has to say beside its views: why there is nothing to see yet, or what is wrong. Never a blank page.

import { element, button, shortened } from "./elements.js";
import { clock } from "./format.js";

const BLIP_MS = 1500;
const TOLD_MS = 8000;

export function mountNotices(page, store, choose) {
  const box = page.getElementById("notice");
  let drawn = "";
  let lostAt = null;
  let lateTimer = null;
  let lastFailed = null;
  const once = new Set(); // what was told: lines that go after a while

  // The notices that hold now, as {kind, lines, trial}. A "big" one stands in place of the views.
  function current() {
    const { link, info, status, sweeps } = store;
    const told = [];
    if (!info) {
      if (link.state === "refused") {
        return [big("The sweep's server does not know this page's token.", "Open the link again that was printed when the server started: the token is in it. A server that was started anew has a new one.")];
      }
      if (link.state === "open" && sweeps.length === 0) return [big("This server has no sweep to show.", "One that it is given later appears here after a reload.")];
      if (link.state === "open") return [big("Reading the sweep …", "")];
      return [big("Connecting to the sweep …", isLate() ? "The server does not answer. The page tries again until it does; is the sweep still being served?" : "")];
    }
    if (link.state === "refused") {
      told.push(line("bad", `The server does not know this page's token any more: it was started anew. Open the link again that it printed. What is shown here is from ${since()}.`));
    } else if (link.state === "waiting" && isLate()) {
      told.push(line("warn", `No connection to the sweep since ${since()}: ${link.text}. What is shown is from then.`));
    }
    told.push(...once);
    if (!status) return told;
    if (status.error) told.push(line("bad", `The sweep failed: ${status.error}`));
    if (status.state === "INTERRUPTED") told.push(line("warn", "The process that ran this sweep has ended in the middle. `asyncsweep resume` continues it."));
    if (status.problem) told.push(line("warn", `Something beside the trials failed: ${status.problem}`));
    const counts = new Map(Object.entries(status.counts));
    const failed = counts.get("FAILED") ?? 0;
    if (status.total === 0) {
      const isOver = status.state === "ENDED" || status.state === "INTERRUPTED";
      told.push(line("", isOver ? "The sweep ended without a trial." : "No trials yet. The first appears here as soon as it begins."));
    } else if (failed > 0 && failed === status.total - (counts.get("RUNNING") ?? 0) - (counts.get("WAITING") ?? 0)) {
      const error = lastFailed?.error ? ` ${lastFailed.error}` : "";
      told.push({ ...line("bad", `${failed === 1 ? "The only trial" : `All ${failed} trials`} that ended failed.${error}`), trial: lastFailed?.number ?? null });
    }
    return told;
  }

  const big = (title, text) => ({ kind: "big", lines: [title, text], trial: null });
  const line = (kind, text) => ({ kind, lines: [shortened(text, 800)], trial: null });
  const since = () => clock((lostAt ?? Date.now()) / 1000);
  const isLate = () => lostAt !== null && Date.now() - lostAt >= BLIP_MS;

  function draw() {
    const told = current();
    const key = JSON.stringify(told);
    if (key === drawn) return;
    drawn = key;
    const isBig = told.some(({ kind }) => kind === "big");
    box.hidden = told.length === 0;
    box.dataset.kind = isBig ? "big" : told.some(({ kind }) => kind === "bad") ? "bad" : told.some(({ kind }) => kind === "warn") ? "warn" : "";
    box.replaceChildren(
      ...told.flatMap(({ lines, trial }) => {
        const made = lines.filter(Boolean).map((text, place) => element("p", { class: place ? "faint" : null }, text));
        if (trial !== null) made[0].append(" ", button(`Look at trial ${trial}`, () => choose(trial), { class: "link" }));
        return made;
      }),
    );
  }

  store.on("link", () => {
    if (store.link.state === "open" || store.link.state === "closed") {
      clearTimeout(lateTimer);
      lostAt = null;
    } else if (lostAt === null) {
      lostAt = Date.now();
      lateTimer = setTimeout(draw, BLIP_MS + 10);
    }
    draw();
  });
  store.on("rows", ({ changed, reset }) => {
    if (reset) lastFailed = null;
    for (const row of changed) if (row.state === "FAILED" && row.number >= (lastFailed?.number ?? 0)) lastFailed = row;
    draw();
  });
  store.on("info", draw);
  store.on("status", draw);
  store.on("told", (text) => {
    const entry = line("", text);
    once.add(entry);
    setTimeout(() => {
      once.delete(entry);
      draw();
    }, TOLD_MS);
    draw();
  });
  lostAt = Date.now();
  lateTimer = setTimeout(draw, BLIP_MS + 10);
  draw();
}
