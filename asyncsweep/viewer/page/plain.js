// The parallel plot as HiPlot renders it by itself, for a bundle that is not built as `hiplot.js` expects: another experiment each time,
// so that brushes and the order of the axes do not survive. Same methods as `LivePlot`, as far as they have a meaning.

import { INACTIVE } from "./experiment.js";
import { Memory } from "./memory.js";

const DISPLAY = "PARALLEL_PLOT";

export class PlainPlot {
  constructor(element, hiplot, host) {
    Object.assign(this, { element, hiplot, host, memory: new Memory(), datapoints: [], isBrushed: false, selected: new Set() });
    this.isPlain = true;
    this.isCut = false;
    this.isBroken = false;
    this.shown = [];
  }

  load(datapoints, kept, definitions) {
    this.datapoints = datapoints;
    this.render(definitions);
  }

  render(definitions) {
    const { list } = this.host.axes;
    const shown = (axis, value) => (axis.isCategory && value !== INACTIVE ? `${Number(value)}: ${axis.tick(value)}` : value);
    const known = (values) =>
      Object.fromEntries(list.filter(({ id }) => values[id] !== undefined).map((axis) => [axis.id, shown(axis, values[axis.id])]));
    const given = ({ type, colormap, force_value_min, force_value_max, label_css, label_html }) => ({
      type, colormap, force_value_min, force_value_max, label_css, label_html, colors: null,
    });
    const experiment = {
      datapoints: this.datapoints.map((values) => ({ uid: values.uid, from_uid: null, values: known(values) })),
      parameters_definition: Object.fromEntries(Object.entries(definitions).map(([id, definition]) => [id, given(definition)])),
      display_data: { [DISPLAY]: { hide: ["uid", "from_uid", "number", "duration"] } },
      colorby: this.host.colourId,
    };
    const plugins = { [DISPLAY]: this.hiplot.build_props({}).plugins[DISPLAY] };
    const onChange = { selected_uids: (_, uids) => this.select(uids) };
    this.hiplot.render(this.element, {
      experiment, plugins, onChange, dataProviderName: "none", persistentState: this.memory, dark: this.host.isDark,
    });
  }

  select(uids) {
    this.selected = new Set(uids);
    this.isBrushed = uids.length < this.datapoints.length;
    this.host.brushed();
  }

  isKept() {
    return true;
  }

  isChosen(read) {
    return this.selected.has(String(read("number")));
  }

  kept(datapoints) {
    return datapoints;
  }

  typeOf() {
    return undefined;
  }

  reset() {
    this.memory.clear();
    this.isBrushed = false;
  }

  setDark() {}

  highlight() {}

  clear() {}

  repaint() {}

  resize() {}
}
