// HiPlot's parallel plot as a part of a live page, over its unmodified bundle.
//
// Given another experiment, HiPlot builds its displays anew: brushes are lost and the order of the axes turns round. So it gets none.
// Its component is found once, below the root of what React rendered, and its state is set as its own methods do, except that the
// definitions of the axes are ours (`createNewParamsDef`); and its parallel plot, which it lets one subclass, puts brushes back where
// their values are, takes axes in when they come, and leaves the lines to `lines.js` (`subclass.js`).
//
// All that this rests on is looked for at the beginning (`find`, `isAsExpected`). If it is not there, `PlainPlot` does with what HiPlot
// offers: the same picture, in which brushes do not survive.

import { isBrush, passes, ranges } from "./brushing.js";
import { Memory } from "./memory.js";
import { subclass } from "./subclass.js";

const BUNDLE = "assets/hiplot.bundle.js";
const DISPLAY = "PARALLEL_PLOT";
const LOADED = 2;
const BROKEN = 3;
const HEIGHT = 400;
const MOST_CHOICES = 5000;
const MANY_RULES = 1000;

let loading = null;

// HiPlot itself; a page that has it already is not asked for it.
export function loadHiPlot() {
  loading ??= (window.hiplot ? Promise.resolve() : loaded(BUNDLE)).then(() => {
    if (!window.hiplot) throw new Error(`${BUNDLE} is not HiPlot`);
    takeBack();
    return window.hiplot;
  });
  return loading;
}

function loaded(source) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = source;
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => reject(new Error(`${source} could not be loaded`)));
    document.head.append(script);
  });
}

// HiPlot's style sheets keep to its own elements, but for the looks of scroll bars.
function takeBack() {
  for (const { sheet } of document.head.querySelectorAll("style")) {
    for (let at = (sheet?.cssRules.length ?? 0) - 1; at >= 0; at--) {
      if (sheet.cssRules[at].selectorText?.startsWith("::-webkit-scrollbar")) sheet.deleteRule(at);
    }
  }
}

// Thousands of its rules are a framework's, for buttons and forms that are not shown here: a browser would look at them for every element.
function putAway() {
  for (const { sheet } of document.head.querySelectorAll("style")) if (sheet?.cssRules.length > MANY_RULES) sheet.disabled = true;
}

// The plot that lives on. `host` is who feeds it:
//   paint                     what `Lines` needs
//   isDark, axes              as they are now
//   define(datapoints)        definitions for what is left after rows were kept, excluded or restored
//   shows(id, shown)          whether an axis that has not been seen before is shown, beside those
//   fill(menu, id)            puts entries into the menu of an axis
//   brushed(), arranged()     the user brushed, kept or excluded; axes were moved, hidden, shown or inverted
//   painted()                 all was painted anew: what stands out is to be, too
export class LivePlot {
  constructor(element, hiplot, host) {
    this.host = host;
    this.memory = new Memory();
    this.known = new Set(); // axes that were shown or hidden once; then it is the user's choice
    this.plot = null; // the parallel plot, while it is mounted
    this.added = new WeakMap(); // rows that are painted -> those of them that are new
    this.isQuiet = false; // what happens to the plot now is not the user's doing
    const props = { experiment: null, dataProviderName: "none", persistentState: this.memory, dark: host.isDark };
    const Base = hiplot.build_props({}).plugins[DISPLAY];
    hiplot.render(element, { ...props, plugins: { [DISPLAY]: subclass(Base, this) } });
    this.hiplot = find(element);
    if (!isAsExpected(this.hiplot, Base)) throw new Error("HiPlot is not built as expected");
    putAway();
    this.select = this.hiplot.setSelected.bind(this.hiplot);
    this.hiplot.setSelected = (rows, filter = null) => {
      const exact = filter === null || this.plot === null ? filter : this.plot.exact(filter);
      this.select(exact === filter ? rows : this.matching(exact, this.state.rows_filtered), exact);
    };
    this.hiplot.createNewParamsDef = (datapoints) => host.define(datapoints);
    const menu = this.hiplot.contextMenuRef.current;
    menu.removeCallbacks(this.hiplot);
    menu.addCallback((id, entries) => host.fill(entries, id), this.hiplot);
  }

  get state() {
    return this.hiplot.state;
  }

  get isBroken() {
    return this.state.loadStatus === BROKEN;
  }

  get filters() {
    return this.state.rows_filtered_filters;
  }

  get isCut() {
    return this.filters.length > 0;
  }

  get isBrushed() {
    return isBrush(this.state.rows_selected_filter);
  }

  isKept(read) {
    return this.filters.every((filter) => passes(filter, read));
  }

  // Whether a trial is brushed, of those that are kept.
  isChosen(read) {
    return this.isKept(read) && (!this.isBrushed || passes(this.state.rows_selected_filter, read));
  }

  kept(datapoints) {
    return this.isCut ? datapoints.filter((datapoint) => this.isKept((id) => datapoint[id])) : datapoints;
  }

  chosen(kept) {
    return this.matching(this.state.rows_selected_filter, kept);
  }

  matching(brush, kept) {
    return isBrush(brush) ? kept.filter((datapoint) => passes(brush, (id) => datapoint[id])) : kept;
  }

  // All datapoints, and how axes are drawn: of those that are kept, and of all.
  load(datapoints, kept, definitions, allDefinitions) {
    if (this.plot === null) this.begin(allDefinitions);
    else this.plot.settle();
    this.quietly(() =>
      this.hiplot.setState({
        experiment: { datapoints: [], parameters_definition: {}, display_data: { [DISPLAY]: { categoricalMaximumValues: MOST_CHOICES } } },
        loadStatus: LOADED, colormap: null, dp_lookup: {},
        colorby: "number", // the colours are ours
        params_def: definitions, params_def_unfiltered: allDefinitions,
        rows_all_unfiltered: datapoints, rows_filtered: kept, rows_selected: this.chosen(kept), rows_highlighted: [],
      }),
    );
  }

  // More datapoints, for each of which there is a place on every axis.
  append(datapoints) {
    const kept = this.kept(datapoints);
    const chosen = this.chosen(kept);
    const { rows_all_unfiltered: all, rows_filtered: filtered, rows_selected: selected } = this.state;
    const changes = { rows_all_unfiltered: all.concat(datapoints) };
    if (kept.length) changes.rows_filtered = filtered.concat(kept);
    if (chosen.length) {
      changes.rows_selected = selected.concat(chosen);
      this.added.set(changes.rows_selected, { to: selected, chosen });
    }
    this.quietly(() => this.hiplot.setState(changes));
  }

  // Forget everything, the user's choices too.
  reset() {
    this.quietly(() =>
      this.hiplot.setState({ loadStatus: 0, rows_filtered_filters: [], rows_selected_filter: null, rows_highlighted: [], error: null }),
    );
    this.memory.clear();
    this.known.clear();
  }

  begin(definitions) {
    const order = Object.keys(definitions);
    this.memory.children(DISPLAY).set("height", HEIGHT);
    this.memory.children(DISPLAY).set("order", order.toReversed()); // it is read from right to left
    this.memory.children(DISPLAY).set("hide", this.newlyHidden(definitions, []));
  }

  // Of the axes that have become worth drawing, those that are not shown at first.
  newlyHidden(definitions, shown) {
    const all = [...shown];
    const hidden = [];
    for (const [id, { distinct_values: distinct }] of Object.entries(definitions)) {
      if (distinct.length < 2 || this.known.has(id)) continue;
      this.known.add(id);
      if (this.host.shows(id, all)) all.push(id);
      else hidden.push(id);
    }
    return hidden;
  }

  quietly(change) {
    const before = this.isQuiet;
    this.isQuiet = true;
    try {
      change();
    } finally {
      this.isQuiet = before;
    }
  }

  setDark(isDark) {
    this.hiplot.setState({ dark: isDark });
  }

  repaint() {
    this.quietly(() => this.plot?.setState(({ brush_count: n }) => ({ brush_count: n + 1 })));
  }

  // Keep the brushed trials alone, or the others alone.
  cut(isKept) {
    this.hiplot.filterRows(isKept);
  }

  restore() {
    this.hiplot.restoreAllRows();
  }

  // What is brushed of an axis: {type, min, max, include_infnans}, or null.
  brushOf(id) {
    return ranges(this.state.rows_selected_filter).find(({ col }) => col === id) ?? null;
  }

  // Brush an axis that is shown, as `brushOf` has it; null: not any more.
  brush(id, range) {
    const others = ranges(this.state.rows_selected_filter).filter(({ col }) => col !== id);
    const all = range === null ? others : [...others, { col: id, ...range }];
    const filter = { type: "All", data: all.map((data) => ({ type: "Range", data })) };
    this.select(this.matching(filter, this.state.rows_filtered), filter);
    this.plot.rebrush(id);
  }

  // Forget what was brushed, kept and excluded.
  clear() {
    this.plot?.clearBrushes();
    if (this.isCut) this.restore();
  }

  // The place for it has another width.
  resize() {
    this.plot?.onResize(this.plot.state.height, 0);
  }

  highlight(datapoints) {
    this.hiplot.setHighlighted(datapoints);
  }

  // -- axes ------------------------------------------------------------------------------------------------------------

  get shown() {
    return this.plot?.state.dimensions ?? [];
  }

  isInverted(id) {
    return this.plot?.state.invert.has(id) ?? false;
  }

  show(id) {
    this.plot.restore_axis(id);
  }

  hide(id) {
    this.plot.remove_axis(id);
  }

  move(id, by) {
    const order = this.shown.slice();
    const from = order.indexOf(id);
    const to = from + by;
    if (from < 0 || to < 0 || to >= order.length) return;
    [order[from], order[to]] = [order[to], order[from]];
    this.plot.setState({ dimensions: order, order });
  }

  invert(id) {
    const invert = new Set(this.plot.state.invert);
    if (!invert.delete(id)) invert.add(id);
    this.plot.setState({ invert }, () => this.plot.turned(id));
  }
}

// The component of HiPlot below what React rendered into an element; null if it is not there.
function find(element) {
  const root = element._reactRootContainer?._internalRoot?.current;
  for (let fiber = root; fiber; fiber = fiber.child) {
    if (typeof fiber.stateNode?.createNewParamsDef === "function") return fiber.stateNode;
  }
  return null;
}

function isAsExpected(hiplot, Base) {
  const methods = (object, names) => names.every((name) => typeof object[name] === "function");
  const plot = ["initParallelPlot", "componentDidUpdate", "brush_clear_all", "createScale", "setScaleRange", "compute_dimensions"];
  return (
    hiplot !== null &&
    methods(hiplot, ["setState", "setSelected", "setHighlighted", "filterRows", "restoreAllRows"]) &&
    methods(Base.prototype, [...plot, "remove_axis", "restore_axis", "onResize", "updateAxisTitlesAnglesAndFontSize"]) &&
    ["rows_all_unfiltered", "rows_filtered", "rows_selected", "rows_filtered_filters"].every((name) => Array.isArray(hiplot.state[name])) &&
    hiplot.state.loadStatus === 0
  );
}
