// The trade-off between metrics that are optimised together: two of them as a plane, and the front, which is the feasible complete trials
// that no other is better than. With more than two directions, the front is that of all of them, wherever that can be computed in time.

import { Chart } from "./chart.js";
import { shortened } from "./elements.js";
import { count } from "./format.js";
import { look, trace } from "./plot.js";
import { MOST_LIVE, MOST_POINTS, extremes, fence, front, isDrawable, isOnAxis, isWide, thin } from "./series.js";
import { asNumber } from "./store.js";
import { Choice, Toggle, offerLog } from "./switches.js";

export function mountPareto(section, store) {
  section.hidden = true;
  const chart = new Chart(section, "Trade-off", store, (colour, { isNarrow, isBusy }) => compose(store, switches, colour, isNarrow, isBusy ? MOST_LIVE : MOST_POINTS));
  const redraw = () => chart.invalidate(true);
  const switches = {
    x: new Choice(chart.bar, "Across", redraw),
    y: new Choice(chart.bar, "Up", redraw),
    logX: new Toggle(chart.bar, "Log across", "A logarithmic horizontal axis", redraw),
    logY: new Toggle(chart.bar, "Log up", "A logarithmic vertical axis", redraw),
  };
  store.on("columns", () => {
    section.hidden = store.objectives().length < 2;
  });
  store.on("info", () => {
    if (store.rows.size) return;
    switches.logX.forget();
    switches.logY.forget();
  });
  for (const event of ["rows", "columns"]) store.on(event, () => chart.invalidate());
  for (const event of ["info", "filter", "selection", "chosen"]) store.on(event, redraw);
  return chart;
}

function compose(store, switches, colour, isNarrow, limit) {
  const objectives = store.objectives();
  if (objectives.length < 2) return { words: "There is one metric to optimise: nothing to trade off." };
  // With two there is one plane; the switches are for more.
  const names = objectives.length > 2 ? objectives.map(({ column }) => [column.key, column.key]) : [];
  switches.x.put(names, names[0]?.[0]);
  switches.y.put(names, names[1]?.[0]);
  const placeOf = (choice) => objectives.findIndex(({ column }) => column.key === choice.value);
  const [across, up] = names.length ? [placeOf(switches.x), placeOf(switches.y)] : [0, 1];

  const found = collect(store, objectives);
  const directions = objectives.map(({ column }) => column.direction);
  const feasible = found.trials.filter((trial) => trial.isFeasible);
  let frontier = front(feasible.map((trial) => trial.values), directions);
  const isPlane = objectives.length === 2 || frontier === null;
  frontier ??= front(feasible.map(({ values }) => [values[across], values[up]]), [directions[across], directions[up]]);
  for (const place of frontier ?? []) feasible[place].isBest = true;

  const all = found.trials.map((trial) => ({ ...trial, x: trial.values[across], y: trial.values[up] }));
  const finite = all.filter(({ x, y }) => isDrawable(x) && isDrawable(y));
  for (const [toggle, axis] of [
    [switches.logX, "x"],
    [switches.logY, "y"],
  ]) {
    const values = finite.map((point) => point[axis]);
    offerLog(toggle, values, isWide(fence(values) ?? values));
  }
  const [isLogX, isLogY] = [switches.logX.isOn, switches.logY.isOn];
  const points = finite.filter(({ x, y }) => isOnAxis(x, isLogX) && isOnAxis(y, isLogY));
  if (!points.length) return { words: whyEmpty(store, found, all, finite) };

  const { selection, chosen } = store;
  const ends = new Set([...extremes(points, "x"), ...extremes(points, "y")]);
  const drawn = thin(points, limit, (point) => point.isBest || point.number === chosen || ends.has(point), (point) => selection?.has(point.number));
  const best = points.filter((point) => point.isBest);
  const [x, y] = [objectives[across].column, objectives[up].column];
  const left = [
    drawn.length < points.length && `${count(drawn.length)} of ${count(points.length)} drawn`,
    objectives.length > 2 && (isPlane ? "too many trials for the front of all metrics: that of these two" : "the front is that of all metrics"),
    all.length > finite.length && `${count(all.length - finite.length)} NaN, infinite or beyond 1e300`,
    finite.length > points.length && `${count(finite.length - points.length)} not above 0`,
  ];
  return {
    traces: [...marks(drawn, colour, selection), ...line(isPlane ? best : [], directions[across], colour), ...ring(drawn, chosen, colour)],
    x: { title: `${shortened(x.key, isNarrow ? 18 : 40)}, ${better(x)}`, isLog: isLogX },
    y: { title: `${shortened(y.key, isNarrow ? 18 : 28)}, ${better(y)}`, isLog: isLogY },
    key: JSON.stringify([store.info?.name, x.key, y.key, isLogX, isLogY]),
    summary: `${shortened(y.key, 60)} (to ${y.direction}) against ${shortened(x.key, 60)} (to ${x.direction}). ${count(points.length)} complete, ${count(best.length)} of them on the front.`,
    note: left.filter(Boolean).join(" · "),
    legend: legend(points, colour),
    told: (point) => (point.data.uid === "FRONT" ? [["", "on the front"]] : []),
  };
}

function better({ direction }) {
  return direction === "maximize" ? "more is better →" : "← less is better";
}

// The complete trials that are shown, with a value in every direction.
function collect(store, objectives) {
  const found = { trials: [], without: 0, isHidden: !store.states.has("COMPLETE"), complete: 0, unfinished: 0 };
  for (const row of store.rows.values()) {
    found.unfinished += !row.isFinal;
    if (row.state !== "COMPLETE") continue;
    found.complete += 1;
    if (found.isHidden) continue;
    const values = objectives.map(({ place }) => asNumber(row.cells[place]));
    if (values.some((value) => value === null || Number.isNaN(value))) found.without += 1;
    else found.trials.push({ number: row.number, values, isFeasible: store.isFeasible(row), isBest: false });
  }
  return found;
}

function whyEmpty(store, { without, isHidden, complete, unfinished }, all, finite) {
  if (!store.rows.size) return "No trials yet.";
  if (![...store.rows.values()].some((row) => store.states.has(row.state))) return "No trial is in one of the states that are shown.";
  if (isHidden && complete) return "Only complete trials can be compared, and they are not shown.";
  if (finite.length) return "No trial is above 0 in both metrics: there is no place for them on logarithmic axes.";
  if (all.length || without) return `No trial can be drawn: ${count(all.length + without)} complete ${all.length + without === 1 ? "one has" : "ones have"} a metric that is missing, NaN, infinite or beyond 1e300.`;
  return unfinished > 0 ? "No trial is complete yet." : "No trial is complete: there is nothing to compare.";
}

// -- traces ------------------------------------------------------------------------------------------------------------

function marks(points, colour, selection) {
  const size = points.length > 2000 ? 4.5 : points.length > 300 ? 6 : 8;
  const { color, symbol } = look("COMPLETE", colour);
  const kinds = [
    ["INFEASIBLE", (point) => !point.isFeasible, { symbol: "circle-open", color: colour.faint, size, line: { width: 1.4 } }, 0.7],
    ["COMPLETE", (point) => point.isFeasible && !point.isBest, { symbol, color, size }, points.length > 1000 ? 0.35 : 0.5],
    ["FRONT", (point) => point.isBest, { symbol, color: colour.ink, size: size + 1 }, 1],
  ];
  return kinds.map(([uid, isOwn, marker, full]) => {
    const own = points.filter(isOwn);
    const opacity = selection === null ? full : own.map((point) => (selection.has(point.number) ? Math.max(full, 0.9) : 0.12));
    return trace(own, { uid, mode: "markers", marker: { ...marker, opacity } });
  });
}

function legend(points, colour) {
  const entries = [
    [{ state: "COMPLETE", text: "Complete" }, (point) => point.isFeasible && !point.isBest],
    [{ disc: colour.ink, text: "On the front" }, (point) => point.isBest],
    [{ ring: colour.faint, text: "Infeasible" }, (point) => !point.isFeasible],
  ];
  return entries.filter(([, isOwn]) => points.some(isOwn)).map(([entry]) => entry);
}

// The edge of what the front is better than.
function line(best, direction, colour) {
  if (best.length < 2) return [];
  const steps = thin([...best].sort((a, b) => a.x - b.x), MOST_POINTS / 8, () => false);
  const shape = direction === "minimize" ? "hv" : "vh";
  return [trace(steps, { uid: "edge", mode: "lines", hoverinfo: "skip", line: { shape, width: 1.5, color: colour.ink, dash: "dot" } })];
}

function ring(points, chosen, colour) {
  const own = points.filter((point) => point.number === chosen);
  return [trace(own, { uid: "chosen", mode: "markers", hoverinfo: "skip", marker: { symbol: "circle-open", size: 17, color: colour.ink, line: { width: 2 } } })];
}
