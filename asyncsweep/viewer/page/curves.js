// Learning curves: what trials report, step by step. The server sends the curves of at most 64 trials, and this view decides of which:
// the one that is chosen, those that run, the best few, and then those that the user selected, or else those that ended last.
//
// A curve keeps its colour for as long as it is watched, but for one that becomes one of the best and would be taken for another of them.
// Those of pruned and failed trials are dashed, the best and the chosen one are bolder, and who runs has a mark at the head of its curve.
// NaN and infinity are gaps, and a value between two of them is a mark.

import { Chart } from "./chart.js";
import { shortened } from "./elements.js";
import { count, number as numeral } from "./format.js";
import { SERIES, look, trace } from "./plot.js";
import { MOST_POINTS, fence, isBetter, isDrawable, isOnAxis, isWide, outline, shares } from "./series.js";
import { asNumber } from "./store.js";
import { label } from "./states.js";
import { Toggle, offerLog } from "./switches.js";

const MOST_WATCHED = 64;
const MOST_RUNNING = 30;
const MOST_BEST = 5;
const MOST_LATEST = 12;
const MOST_NAMED = 10;
const MOST_NAMED_NARROW = 6;
const PAUSE_MS = 300;

export function mountCurves(section, store, actions) {
  let watched = { numbers: [], roles: new Map(), selected: 0 };
  const hues = new Map();
  let timer = null;
  let next = 0;
  let info = null;
  const chart = new Chart(section, "Learning curves", store, (colour, { isNarrow }) => compose(store, watched, hues, switches, colour, isNarrow));
  const redraw = () => chart.invalidate(true);
  const switches = {
    logX: new Toggle(chart.bar, "Log steps", "A logarithmic axis of steps", redraw),
    logY: new Toggle(chart.bar, "Log values", "A logarithmic axis of values", redraw),
  };

  const lookOut = () => {
    timer = null;
    const began = performance.now();
    const before = watched.numbers;
    watched = choose(store);
    paint(watched.roles, hues);
    if (before.length !== watched.numbers.length || watched.numbers.some((number) => !before.includes(number))) actions.watch(watched.numbers);
    next = performance.now() + 10 * (performance.now() - began);
    chart.invalidate();
  };
  // A choice goes through all trials: seldom where there are many.
  const lookOutSoon = () => {
    timer ??= setTimeout(lookOut, Math.max(PAUSE_MS, next - performance.now()));
  };
  for (const event of ["rows", "filter", "selection", "chosen"]) store.on(event, lookOutSoon);
  store.on("info", (now) => {
    if (now === info) return;
    // All was forgotten. In another sweep the numbers mean other trials.
    info = now;
    switches.logY.forget();
    watched = { numbers: [], roles: new Map(), selected: 0 };
    lookOutSoon();
    redraw();
  });
  store.on("points", () => chart.invalidate());
  for (const event of ["columns", "filter", "selection", "chosen"]) store.on(event, redraw);
  return chart;
}

// The trials whose curves are wanted, each with the role that it has in the drawing, and how many the user selected.
function choose(store) {
  const objective = store.objectives()[0];
  const running = [];
  const best = [];
  const latest = [];
  const selected = [];
  for (const row of store.rows.values()) {
    if (!store.states.has(row.state) || row.state === "WAITING") continue;
    if (row.isFinal && row.step === null && row.value === null) continue; // there is no curve
    if (store.selection?.has(row.number)) selected.push(row.number);
    if (row.state === "RUNNING") running.push(row);
    else if (store.selection === null) latest.push(row);
    if (row.state !== "COMPLETE" || !objective || !store.isFeasible(row)) continue;
    const value = asNumber(row.cells[objective.place]);
    if (value === null || Number.isNaN(value)) continue;
    const at = best.findIndex((other) => isBetter(objective.column.direction, value, other.value));
    if (at >= 0 || best.length < MOST_BEST) best.splice(at < 0 ? best.length : at, 0, { number: row.number, value });
    best.length = Math.min(best.length, MOST_BEST);
  }
  const roles = new Map();
  const add = (number, role) => roles.size < MOST_WATCHED && !roles.has(number) && roles.set(number, role);
  if (store.rows.has(store.chosen)) add(store.chosen, "chosen");
  for (const { number } of best) add(number, "best");
  const reported = running.sort((a, b) => (b.step !== null) - (a.step !== null) || b.number - a.number);
  for (const { number } of reported.slice(0, MOST_RUNNING)) add(number, "running");
  for (const number of selected.sort((a, b) => a - b)) add(number, "selected");
  const end = (row) => (row.startedAt ?? 0) + (row.duration ?? 0);
  for (const { number } of newest(latest, end, MOST_LATEST)) add(number, "latest");
  return { numbers: [...roles.keys()], roles, selected: selected.length };
}

// Each of the trials gets the colour that is least in use by those of its own kind, of such the one that is least in use by those that
// are named first, and by all. The chosen one and the best have all different ones: of two with the same, who came later gets another.
function paint(roles, hues) {
  for (const number of hues.keys()) if (!roles.has(number)) hues.delete(number);
  const isTop = (number) => roles.get(number) === "chosen" || roles.get(number) === "best";
  const tops = [...roles.keys()].filter(isTop);
  const known = [...hues.keys()];
  const taken = new Set();
  for (const number of tops.sort((a, b) => (roles.get(b) === "chosen") - (roles.get(a) === "chosen") || known.indexOf(a) - known.indexOf(b))) {
    if (taken.has(hues.get(number))) hues.delete(number);
    else if (hues.has(number)) taken.add(hues.get(number));
  }
  for (const [number, role] of roles) {
    if (hues.has(number)) continue;
    const used = SERIES.map(() => 0);
    for (const [other, hue] of hues) {
      const isOwn = isTop(number) ? isTop(other) : roles.get(other) === role;
      used[hue] += (isOwn ? 1e6 : 0) + (isTop(other) || roles.get(other) === "running" ? 1e3 : 0) + 1;
    }
    hues.set(number, used.indexOf(Math.min(...used)));
  }
}

function newest(rows, end, most) {
  const found = [];
  for (const row of rows) {
    if (found.length === most && end(row) <= end(found[most - 1])) continue;
    found.push(row);
    found.sort((a, b) => end(b) - end(a));
    found.length = Math.min(found.length, most);
  }
  return found;
}

function compose(store, { roles, selected }, hues, switches, colour, isNarrow) {
  const curves = [];
  let points = 0;
  for (const [number, role] of roles) {
    const row = store.rows.get(number);
    const curve = store.curves.get(number);
    if (!row || !store.states.has(row.state) || !curve?.values.length) continue;
    curves.push({ number, role, row, curve, color: SERIES[hues.get(number)], steps: curve.steps.map(asNumber) });
    points += curve.values.length;
  }
  const values = curves.flatMap(({ curve }) => curve.values.filter(isDrawable));
  const lower = offerLog(switches.logY, values, isWide(fence(values) ?? values));
  switches.logX.offer(curves.some(({ steps }) => steps.some((step) => step > 1)));
  const [isLogX, isLogY] = [switches.logX.isOn, switches.logY.isOn];

  const isDrawn = ({ steps, curve }, at) => isOnAxis(steps[at], isLogX) && isOnAxis(curve.values[at], isLogY);
  const some = curves.filter((curve) => curve.steps.some((_, at) => isDrawn(curve, at)));
  if (!some.length) return { words: whyEmpty(store, roles, curves, values.length) };
  const given = shares(some.map(({ steps }) => steps.length), MOST_POINTS);
  const lines = some.map((curve, at) => ({ ...curve, ...path(curve, given[at], isDrawn) }));
  const gaps = points - values.length;
  const objective = objectiveName(store);
  const chosen = lines.filter(({ number }) => store.selection?.has(number)).length;
  const isOutlined = given.some((share, at) => share < some[at].steps.length);
  const left = [
    `${count(lines.length)} ${lines.length === 1 ? "curve" : "curves"}`,
    selected > chosen && `${count(chosen)} of the ${count(selected)} selected trials`,
    isOutlined && "long ones in outline",
    gaps && `${count(gaps)} ${gaps === 1 ? "report" : "reports"} NaN, infinite or beyond 1e300`,
    isLogY && lower > 0 && `${count(lower)} not above 0`,
  ];
  // The ones that matter are drawn last, on top.
  const order = ["latest", "selected", "running", "best", "chosen"];
  lines.sort((a, b) => order.indexOf(a.role) - order.indexOf(b.role) || b.number - a.number);
  return {
    traces: [...draw(lines, store.selection), ...marks(lines, store.selection), ...heads(lines, colour)],
    x: { title: "step", isLog: isLogX, isWhole: true },
    y: { title: objective, isLog: isLogY },
    key: JSON.stringify([store.info?.name, isLogX, isLogY]),
    summary: summary(objective, lines),
    note: left.filter(Boolean).join(" · "),
    legend: legend(lines, isNarrow ? MOST_NAMED_NARROW : MOST_NAMED),
    told: (point) => [
      ["step", numeral(point.x, 9)],
      [objective, numeral(point.y, 6)],
    ],
  };
}

// What trials report is the objective, if there is only one.
function objectiveName(store) {
  const objectives = store.objectives();
  return objectives.length === 1 ? objectives[0].column.key : "reported value";
}

// The points of a curve that are drawn, with gaps where something cannot be; `alone` are those that no line leads to.
function path({ number, steps, curve }, most, isDrawn) {
  const points = outline(curve.values, most).map((at) => ({ x: steps[at], y: isDrawn({ steps, curve }, at) ? curve.values[at] : null, number }));
  const isGap = (at) => (points[at]?.y ?? null) === null;
  const alone = points.filter((_, at) => !isGap(at) && isGap(at - 1) && isGap(at + 1));
  return { points, alone, head: points.findLast((point) => point.y !== null) };
}

function whyEmpty(store, roles, curves, drawable) {
  const rows = [...store.rows.values()];
  if (!rows.length) return "No trials yet. What they report while they run will be drawn here.";
  const shown = rows.filter((row) => store.states.has(row.state));
  if (!shown.length) return "No trial is in one of the states that are shown.";
  const reporting = shown.filter((row) => row.step !== null || row.value !== null);
  if (!reporting.length && shown.every((row) => !row.isFinal)) return "No reports yet. Curves appear as soon as a running trial reports a value.";
  if (!reporting.length && rows.some((row) => row.step !== null || row.value !== null)) return "None of the trials that are shown has reported a value.";
  if (!reporting.length) return "This objective reports no intermediate values. With trial.report(value, step) they are drawn here, live.";
  if (curves.length && !drawable) return "What was reported cannot be drawn: it is NaN, infinite or beyond 1e300.";
  if (curves.length) return "What was reported has no place on a logarithmic axis: it is not above 0.";
  const isExpected = [...roles.keys()].some((number) => reporting.includes(store.rows.get(number)));
  if (store.link.state === "closed") return "The curves of these trials were not recorded.";
  return isExpected ? "Waiting for the curves …" : "None of the selected trials has reported a value.";
}

// -- traces ------------------------------------------------------------------------------------------------------------

const WIDTHS = { chosen: 3.6, best: 2.4, running: 1.8, selected: 1.6, latest: 1.2 };

function draw(lines, selection) {
  const opacity = opacities(lines, selection);
  return lines.map((one, at) => {
    const line = { color: one.color, width: WIDTHS[one.role], dash: isDashed(one.row) ? "dash" : "solid" };
    return trace(one.points, { uid: `curve-${one.number}`, mode: "lines", opacity: opacity[at], line });
  });
}

// The values that no line leads to.
function marks(lines, selection) {
  const opacity = opacities(lines, selection);
  const points = lines.flatMap(({ alone, color }, at) => alone.map((point) => ({ ...point, color, opacity: opacity[at] })));
  const size = points.length > 300 ? 4 : 7;
  const marker = { size, color: points.map(({ color }) => color), opacity: points.map((point) => point.opacity), line: { width: 0 } };
  return [trace(points, { uid: "marks", mode: "markers", marker })];
}

function opacities(lines, selection) {
  const isPlain = lines.every(({ role }) => role === "latest");
  const isFaint = ({ number, role }) => (selection === null ? role === "latest" && !isPlain : role !== "chosen" && !selection.has(number));
  return lines.map((line) => (isFaint(line) ? 0.35 : 1));
}

function isDashed({ state }) {
  return state === "PRUNED" || state === "FAILED" || state === "CANCELLED";
}

// Those that matter most, by their roles, each of another colour; to press one chooses the trial.
function legend(lines, most) {
  const named = new Map();
  for (const line of [...lines].reverse()) if (line.role !== "latest" && !named.has(line.color)) named.set(line.color, line);
  return [...named.values()].slice(0, most).map(({ number, role, row, color }) => ({
    number,
    text: `${number} ${role === "best" || role === "running" ? role : label(row.state).toLowerCase()}`,
    line: { color, width: WIDTHS[role], dash: isDashed(row) },
  }));
}

// A mark where the curves of running trials have come to.
function heads(lines, colour) {
  const running = lines.filter(({ row, head }) => row.state === "RUNNING" && head);
  const marker = { symbol: look("RUNNING", colour).symbol, size: 9, color: running.map(({ color }) => color), line: { width: 1, color: colour.paper } };
  return [trace(running.map(({ head }) => head), { uid: "heads", mode: "markers", marker })];
}

function summary(objective, lines) {
  const counts = new Map();
  for (const { row } of lines) counts.set(row.state, (counts.get(row.state) ?? 0) + 1);
  const parts = [...counts].map(([state, many]) => `${count(many)} ${label(state).toLowerCase()}`);
  const best = lines.filter(({ role }) => role === "best").map(({ number }) => number);
  return `${shortened(objective, 60)} over steps of ${count(lines.length)} ${lines.length === 1 ? "trial" : "trials"}: ${parts.join(", ")}.${best.length ? ` The best: trial ${best.sort((a, b) => a - b).join(", ")}.` : ""}`;
}
