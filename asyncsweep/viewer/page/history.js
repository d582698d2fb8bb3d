// How the sweep went: each trial's value over its number or over the time at which it ended, and the best so far.
//
// Pruned, cancelled and running trials stand at their last report, which is one of the objective, if there is only one; those that ended
// without one, and those that failed, have no value, and stand on the axis. The line of the best is one of all complete, feasible trials,
// whatever is selected.

import { Chart } from "./chart.js";
import { shortened } from "./elements.js";
import { count, number as numeral } from "./format.js";
import { look, trace } from "./plot.js";
import { MOST_LIVE, MOST_POINTS, extent, extremes, fence, isBetter, isDrawable, isOnAxis, isWide, records, thin } from "./series.js";
import { asNumber } from "./store.js";
import { label } from "./states.js";
import { Choice, Toggle, offerLog } from "./switches.js";

const MOST_RUNNING = 100;
const UNITS = [
  [86400 * 2, 86400, "days"],
  [3600 * 2, 3600, "hours"],
  [60 * 3, 60, "minutes"],
  [0, 1, "seconds"],
];

export function mountHistory(section, store) {
  const chart = new Chart(section, "Optimisation history", store, (colour, { isBusy }) => compose(store, switches, colour, isBusy ? MOST_LIVE : MOST_POINTS));
  const redraw = () => chart.invalidate(true);
  const switches = {
    metric: new Choice(chart.bar, "Metric", redraw),
    over: new Choice(chart.bar, "Over", redraw),
    log: new Toggle(chart.bar, "Log", "A logarithmic axis of values", redraw),
    cut: new Toggle(chart.bar, "Cut outliers", "Let the axis end before the few values that are far from all others", redraw),
  };
  switches.over.put([
    ["number", "trial"],
    ["time", "time"],
  ]);
  for (const event of ["rows", "columns", "status"]) store.on(event, () => chart.invalidate());
  store.on("info", () => {
    if (store.rows.size) return;
    switches.log.forget();
    switches.cut.forget();
  });
  for (const event of ["info", "filter", "selection", "chosen"]) store.on(event, redraw);
  return chart;
}

function compose(store, switches, colour, limit) {
  const metrics = metricsOf(store);
  switches.metric.put(metrics.map(({ column }) => [column.key, column.key]));
  const metric = metrics.find(({ column }) => column.key === switches.metric.value);
  const isOverTime = switches.over.value === "time";
  const found = collect(store, metric, isOverTime);
  const values = found.points.map((point) => point.y);
  const near = fence(values, metric?.column.direction ?? null);
  offerLog(switches.log, values, isWide(near ?? values));
  const isLog = switches.log.isOn;
  const cutAt = isLog ? null : near;
  switches.cut.offer(cutAt !== null);
  switches.cut.suggest(cutAt !== null, true);
  const isCut = switches.cut.isOn && cutAt !== null;

  const points = found.points.filter((point) => isOnAxis(point.y, isLog));
  if (!points.length) return { words: whyEmpty(store, metric, found) };
  points.sort((a, b) => a.x - b.x || a.number - b.number);
  const best = metric.column.direction ? records(points.filter((point) => point.group === "COMPLETE"), metric.column.direction) : [];

  const { selection, chosen } = store;
  const running = points.filter((point) => point.group === "RUNNING");
  const crucial = new Set([...best, ...extremes(points, "x"), ...extremes(points, "y"), ...(running.length > MOST_RUNNING ? [] : running)]);
  const isChosen = (point) => point.number === chosen;
  const isSelected = (point) => selection?.has(point.number);
  const most = limit - Math.min(limit / 4, best.length + found.ended.length);
  const drawn = thin(points, most, (point) => crucial.has(point) || isChosen(point), isSelected);
  const ended = thin(found.ended, limit / 8, isChosen, isSelected);

  const unit = isOverTime ? unitOf(extent([...points, ...found.ended].map((point) => point.x))[1]) : null;
  const scaled = unit ? (list) => list.map((point) => ({ ...point, x: point.x / unit.seconds })) : (list) => list;
  const left = [
    drawn.length + ended.length < points.length + found.ended.length && `${count(drawn.length + ended.length)} of ${count(points.length + found.ended.length)} drawn`,
    isCut && `${count(points.filter(({ y }) => y < cutAt[0] || y > cutAt[1]).length)} beyond the axis`,
    found.nonfinite && `${count(found.nonfinite)} NaN, infinite or beyond 1e300`,
    values.length > points.length && `${count(values.length - points.length)} not above 0`,
    found.timeless && `${count(found.timeless)} without a time`,
  ];
  const last = scaled([points[points.length - 1], ...found.ended.slice(-1)]).reduce((x, point) => Math.max(x, point.x), -Infinity);
  return {
    traces: [
      ...marks(scaled(drawn), colour, selection),
      ...onAxis(scaled(ended), colour, selection),
      ...line(scaled(best), last, colour),
      ...ring(scaled(drawn), chosen, colour),
    ],
    x: unit ? { title: `${unit.name} since the sweep began` } : { title: "trial", isWhole: true },
    y: { title: metric.column.key, isLog, range: isCut ? padded(cutAt) : null },
    key: JSON.stringify([store.info?.name, metric.column.key, isOverTime, isLog, isCut]),
    summary: summary(metric.column, points, found),
    note: left.filter(Boolean).join(" · "),
    legend: legend(points, found.ended, best, colour),
    told: (point, number) => told(store, metric, best, point, number),
  };
}

// The metrics that can be chosen: those that are optimised, then the others.
function metricsOf(store) {
  const others = store.columns.map((column, place) => ({ column, place })).filter(({ column }) => column.kind === "metric" && !column.direction);
  return [...store.objectives(), ...others];
}

// Of the trials that are shown: points with a value, those that stand on the axis, and how many are left out.
function collect(store, metric, isOverTime) {
  const found = { points: [], ended: [], nonfinite: 0, timeless: 0, waiting: 0, running: 0, best: null };
  const isReported = metric?.column.direction && store.objectives().length === 1;
  const began = isOverTime ? beginning(store) : 0;
  for (const row of store.rows.values()) {
    if (!store.states.has(row.state)) continue;
    if (row.state === "WAITING") {
      found.waiting += 1;
      continue;
    }
    const isFailed = row.state === "FAILED" || row.state === "CANCELLED";
    const x = isOverTime ? elapsed(store, row, began) : row.number;
    let y = metric && !isFailed ? asNumber(row.cells[metric.place]) : null;
    if (y === null && isReported && hasLastReport(row.state)) y = row.value;
    if (row.state === "RUNNING") found.running += 1;
    const isInfeasible = row.state === "COMPLETE" && !store.isFeasible(row);
    if (row.state === "COMPLETE" && !isInfeasible && isBest(metric, y, found.best)) found.best = { y, number: row.number };
    if (x === null) found.timeless += 1;
    else if (y === null && (isFailed || row.state === "PRUNED")) found.ended.push({ x, y: 0.02, number: row.number, group: row.state });
    else if (y !== null && !isDrawable(y)) found.nonfinite += 1;
    else if (y !== null) found.points.push({ x, y, number: row.number, group: isInfeasible ? "INFEASIBLE" : row.state });
  }
  return found;
}

function hasLastReport(state) {
  return state === "PRUNED" || state === "CANCELLED" || state === "RUNNING";
}

function isBest(metric, y, best) {
  if (!metric?.column.direction || y === null || Number.isNaN(y)) return false;
  return best === null || isBetter(metric.column.direction, y, best.y);
}

function beginning(store) {
  const known = [...store.rows.values()].map((row) => row.startedAt ?? Infinity);
  return Math.min(store.status?.started_at ?? Infinity, extent(known)?.[0] ?? Infinity);
}

function elapsed(store, row, began) {
  if (row.startedAt === null) return null;
  const end = row.isFinal ? row.startedAt + (row.duration ?? 0) : Math.max(row.startedAt, store.status?.now ?? 0);
  return end - began;
}

function unitOf(most) {
  const [, seconds, name] = UNITS.find(([from]) => most >= from) ?? UNITS[UNITS.length - 1];
  return { seconds, name };
}

function padded([low, high]) {
  const pad = 0.05 * (high - low);
  return [low - pad, high + pad];
}

function whyEmpty(store, metric, { points, nonfinite, running, waiting, ended, timeless }) {
  if (!store.rows.size) return "No trials yet. Each one will be a point here.";
  const shown = [...store.rows.values()].filter((row) => store.states.has(row.state)).length;
  if (!shown) return "No trial is in one of the states that are shown.";
  if (points.length) return `None of the ${count(points.length)} values is above 0: there is no place for them on a logarithmic axis.`;
  if (nonfinite) return `No value can be drawn: ${nonfinite === 1 ? "the only one is" : `all ${count(nonfinite)} are`} NaN, infinite or beyond 1e300.`;
  if (ended.length && !running && !waiting) {
    const states = new Set(ended.map((point) => point.group));
    const how = states.size > 1 ? "ended without one" : states.has("FAILED") ? "failed" : `${ended.length === 1 ? "was" : "were"} ${label([...states][0]).toLowerCase()}`;
    return `No values: ${ended.length === 1 ? "the only trial" : `all ${count(ended.length)} trials`} ${how}.${states.has("FAILED") ? " The table has the errors." : ""}`;
  }
  if (timeless && !running) return "It is not known when these trials ended.";
  if (!metric) return "No values yet, and no metric.";
  return `No values yet${running ? `: ${running === 1 ? "a trial is" : `${count(running)} trials are`} running` : ""}.`;
}

// -- traces ------------------------------------------------------------------------------------------------------------

const GROUPS = ["INFEASIBLE", "PRUNED", "CANCELLED", "COMPLETE", "RUNNING"]; // as they are drawn, the last on top

function marks(points, colour, selection) {
  const size = points.length > 2000 ? 4.5 : points.length > 300 ? 6 : 8;
  const dim = points.length > 1000 ? 0.6 : 0.85;
  return GROUPS.map((group) => {
    const own = points.filter((point) => point.group === group);
    const isOpen = group === "INFEASIBLE";
    const { symbol, color } = look(isOpen ? "COMPLETE" : group, colour);
    const marker = { symbol: isOpen ? "circle-open" : symbol, color, size, opacity: faint(own, selection, dim), line: { width: isOpen ? 1.4 : 0 } };
    return trace(own, { uid: group, mode: "markers", marker });
  });
}

function onAxis(points, colour, selection) {
  return ["FAILED", "CANCELLED", "PRUNED"].map((group) => {
    const own = points.filter((point) => point.group === group);
    const { symbol, color } = look(group, colour);
    return trace(own, { uid: `${group}-axis`, yaxis: "y2", mode: "markers", cliponaxis: false, marker: { symbol, color, size: 7, opacity: faint(own, selection, 0.9) } });
  });
}

function line(best, last, colour) {
  if (!best.length) return [];
  const end = best[best.length - 1];
  const steps = thin(best, MOST_POINTS / 8, (point) => point === end);
  return [trace([...steps, { ...end, x: last }], { uid: "best", mode: "lines", line: { shape: "hv", width: 2, color: colour.ink } })];
}

function ring(points, chosen, colour) {
  const own = points.filter((point) => point.number === chosen);
  return [trace(own, { uid: "chosen", mode: "markers", marker: { symbol: "circle-open", size: 16, color: colour.ink, line: { width: 2 } } })];
}

function legend(points, ended, best, colour) {
  const groups = new Set(points.map(({ group }) => group));
  const others = new Set(ended.map(({ group }) => group));
  const entry = (group) => {
    if (group === "INFEASIBLE") return { ring: colour.COMPLETE, text: "Infeasible" };
    return { state: group, text: label(group) + (hasLastReport(group) ? ", last report" : "") };
  };
  return [
    ...["COMPLETE", "INFEASIBLE", "PRUNED", "CANCELLED", "RUNNING"].filter((group) => groups.has(group)).map(entry),
    ...["PRUNED", "FAILED", "CANCELLED"].filter((group) => others.has(group)).map((group) => ({ state: group, text: `${label(group)}, no value` })),
    ...(best.length ? [{ line: { color: colour.ink, width: 2, dash: false }, text: "Best so far" }] : []),
  ];
}

function faint(points, selection, full) {
  return selection === null ? full : points.map((point) => (selection.has(point.number) ? Math.max(full, 0.9) : 0.12));
}

// -- words -------------------------------------------------------------------------------------------------------------

function summary(column, points, { ended, best }) {
  const counts = new Map();
  for (const { group } of [...points, ...ended]) counts.set(group, (counts.get(group) ?? 0) + 1);
  const parts = [...counts].map(([group, many]) => `${count(many)} ${group === "INFEASIBLE" ? "infeasible" : label(group).toLowerCase()}`);
  const end = best ? ` The best so far is ${numeral(best.y)}, of trial ${best.number}.` : "";
  return `${shortened(column.key, 60)}${column.direction ? `, to ${column.direction}` : ""}. ${parts.join(", ")}.${end}`;
}

function told(store, metric, best, point, number) {
  const row = store.rows.get(number);
  if (!row) return [];
  if (point.data.uid === "best") return [["best so far", numeral(point.y)]];
  const cell = row.cells[metric.place] ?? null;
  if (cell !== null) return [[metric.column.key, store.told(metric.column, cell)]];
  return row.value === null ? [] : [["last report", `${numeral(row.value)}${row.step === null ? "" : ` at step ${row.step}`}`]];
}
