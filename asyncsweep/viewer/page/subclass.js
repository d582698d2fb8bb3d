// The parallel plot of HiPlot as it must be where data keep coming: a class over its own one.
//
// Where HiPlot clears brushes because the axes are drawn otherwise, they are put back where their values are now: the brush itself is
// HiPlot's filter, which is left alone, so that nothing drifts however often that happens.

import { ranges } from "./brushing.js";
import { INACTIVE, specialTick } from "./experiment.js";
import { Lines } from "./lines.js";

const LEAST_BRUSH_PX = 3;
const AROUND_SPECIAL_PX = 10;
const MOST_TICKS = 24;
const SPECIAL_PX = 30; // between the numbers of an axis and the place for what is none, in HiPlot
const SHARPEST = 2;
const MARGINS = [64, 40, 10, 10]; // above, right, below, left; the right one is as the last name needs it
const LEAST_RIGHT_PX = 10;
const BESIDE_PX = 40; // from the outermost axes to the margins, in HiPlot
const NAME_FONT = "600 13px";
const SLOPE = 0.35; // of names
const NAME_OFF_PX = 24; // from the axis to where its name begins, and what its slope adds

let ruler = null;

// live: the `LivePlot` that it belongs to
export function subclass(Base, live) {
  return class extends Base {
    constructor(props) {
      super(props);
      live.plot = this;
      this.m = MARGINS.slice();
      this.lines = new Lines(this, live.host.paint);
      this.marks = new Map(); // axis -> {key: how the axis was drawn, pixels: where its brush is}
      this.path = (datapoint, context) => this.lines.mark(context, datapoint, { colour: live.host.paint.colours.of(datapoint), width: 3 });
      this.paths = (datapoints) => this.show(datapoints);
      this.animloop = { stop: () => this.lines.stop() };
    }

    componentWillUnmount() {
      super.componentWillUnmount();
      live.plot = null;
    }

    initParallelPlot() {
      this.over = document.createElement("canvas"); // what stands out of the lines, and runs
      this.over.className = "over";
      this.svg_ref.current.before(this.over);
      super.initParallelPlot();
      const { redraw_axis: redraw, brush } = this.pplot;
      this.pplot.redraw_axis = () => {
        redraw();
        this.placeBrushes();
        this.underline();
      };
      this.pplot.brush = () => {
        brush();
        this.noteBrushes();
        this.showSpecials();
      };
      live.host.arranged();
    }

    componentDidUpdate(prevProps, prevState) {
      this.dimensions_dom?.filter((id) => !this.state.dimensions.includes(id)).remove(); // HiPlot would move them once more, to nowhere
      super.componentDidUpdate(prevProps, prevState);
      const { props, state } = this;
      if (this.pplot && prevProps.params_def_unfiltered !== props.params_def_unfiltered) this.admit();
      if (prevState.dimensions !== state.dimensions || prevState.invert !== state.invert) this.rearranged();
      if (this.pplot && !state.dragging && this.marginRight !== this.m[1]) this.on_resize();
      if (prevProps.rows_selected_filter !== props.rows_selected_filter || prevProps.rows_filtered !== props.rows_filtered) live.host.brushed();
    }

    rearranged() {
      if (ranges(this.props.rows_selected_filter).some(({ col }) => !this.state.dimensions.includes(col))) this.onBrushChange();
      live.host.arranged();
    }

    // Axes that have come, or have become worth drawing, where they belong.
    admit() {
      const { params_def_unfiltered: definitions } = this.props;
      this.setState(({ dimensions, hide }) => {
        const hidden = live.newlyHidden(definitions, dimensions);
        const all = Object.keys(definitions);
        const isNew = (id) => !dimensions.includes(id) && !hide.has(id) && !hidden.includes(id) && live.known.has(id);
        const order = dimensions.slice();
        for (const id of all.filter(isNew)) order.splice(rankOf(id, order, all), 0, id);
        const changes = {};
        if (hidden.length) changes.hide = new Set([...hide, ...hidden]);
        if (order.length > dimensions.length) Object.assign(changes, { dimensions: order, order });
        return Object.keys(changes).length ? changes : null;
      });
    }

    // -- lines ---------------------------------------------------------------------------------------------------------

    show(datapoints) {
      const added = live.added.get(datapoints);
      const layout = JSON.stringify([this.state.dimensions, [...this.state.invert], this.w, this.h]);
      const isSame = layout === this.layout && this.drawnBy === this.props.params_def;
      const isMore = isSame && added !== undefined && added.to === this.shown;
      if (isMore && this.lines.add(added.chosen, datapoints.length)) {
        this.shown = datapoints;
        return;
      }
      Object.assign(this, { shown: datapoints, layout, drawnBy: this.props.params_def });
      if (!isSame) this.placeBrushes();
      this.lines.show(datapoints, live.isQuiet || isMore);
      live.host.painted();
    }

    compute_dimensions() {
      this.m[1] = this.marginRight;
      super.compute_dimensions();
      this.w = Math.max(1, this.w);
      this.h = Math.max(1, this.h);
      const ratio = Math.max(1, Math.min(SHARPEST, devicePixelRatio || 1));
      for (const canvas of this.root_ref.current.querySelectorAll("canvas")) {
        canvas.width = this.w * ratio;
        canvas.height = this.h * ratio;
        canvas.style.width = `${this.w}px`;
        canvas.style.height = `${this.h}px`;
        canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
      }
    }

    // The name of the last axis has room on the right, up to where it would be cut above the plot.
    get marginRight() {
      const axis = live.host.axes.byId.get(this.state.dimensions.at(-1));
      if (axis === undefined) return this.m[1];
      const most = Math.min((MARGINS[0] - 16) / Math.sin(SLOPE), 0.3 * this.state.width);
      const needed = Math.min(most, widthOf(axis.shortLabel, this.root_ref.current)) * Math.cos(SLOPE);
      return Math.max(LEAST_RIGHT_PX, Math.ceil(needed + NAME_OFF_PX - BESIDE_PX - MARGINS[3]));
    }

    // HiPlot knows the width as it was when the window was resized last.
    onResize(height, width) {
      super.onResize(height, this.root_ref.current?.offsetWidth || width);
    }

    // Where a value lies on its axis; NaN for nowhere.
    placeOf(id, value) {
      const isSpecial = typeof value === "string" && this.props.params_def[id].codes === null;
      return Number(this.yscale[id](isSpecial ? NaN : value));
    }

    // -- axes ----------------------------------------------------------------------------------------------------------

    createScale(id) {
      const scale = super.createScale(id);
      const axis = live.host.axes.byId.get(id);
      if (scale === null || axis === undefined) return scale;
      if (axis.isCategory) {
        scale.tickFormat = () => (code) => axis.tick(code);
        scale.ticks = () => thinned(scale.domain(), MOST_TICKS);
        return scale;
      }
      const isOfWholes = scale.hip_type === "numeric" && axis.isWhole;
      const { ticks, tickFormat } = scale; // of which HiPlot has but `apply` where there is a place for what is no number
      if (isOfWholes) {
        scale.ticks = (count) => ticks.apply(scale, [count]).filter((value) => Number.isInteger(value) || Number.isNaN(value));
        scale.tickFormat = () => (value) => axis.tick(value);
      }
      const special = specialTick(this.props.params_def[id]);
      if (special !== "") this.separate(scale, special, isOfWholes ? scale.tickFormat : (...given) => tickFormat.apply(scale, given));
      return scale;
    }

    // The place for what is no number is beyond all numbers, however large they may become.
    separate(scale, special, tickFormat) {
      const { invert } = scale;
      scale.tickFormat = (...given) => {
        const text = tickFormat(...given);
        return (value) => (Number.isNaN(value) ? special : text(value));
      };
      scale.invert = (y) => {
        const [low, high] = scale.range();
        return Math.abs(y - low) > Math.abs(high - low) - SPECIAL_PX ? Infinity : invert(y);
      };
    }

    remove_axis(id) {
      if (this.state.dimensions.length > 1) super.remove_axis(id);
      else this.setState(({ dimensions }) => ({ dimensions: dimensions.slice() })); // the last one goes back to its place
    }

    // The names of axes, as long as there is room for them: up to the edge, and above the plot.
    updateAxisTitlesAnglesAndFontSize() {
      const [top] = this.m;
      const { xscale } = this;
      const edge = this.state.width;
      this.dimensions_dom.selectAll(".label-name").each(function (id) {
        const room = Math.min((edge - xscale(id) - NAME_OFF_PX + 4) / Math.cos(SLOPE), (top - 16) / Math.sin(SLOPE));
        this.style.maxWidth = `${Math.max(40, room)}px`;
        this.style.fontSize = "";
        this.style.transform = `rotate(${-SLOPE}rad)`;
      });
    }

    // An axis was inverted by other means than HiPlot's.
    turned(id) {
      this.setScaleRange(id);
      this.update_ticks();
      this.underline();
    }

    underline() {
      this.dimensions_dom.select(".label-name").style("text-decoration", (id) => (this.state.invert.has(id) ? "underline" : null));
    }

    // -- brushes -------------------------------------------------------------------------------------------------------

    brush_clear_all() {
      if (ranges(this.props.rows_selected_filter).length) this.placeBrushes();
      else super.brush_clear_all();
    }

    clearBrushes() {
      this.marks.clear();
      super.brush_clear_all();
    }

    eachBrush(visit) {
      this.dimensions_dom.selectAll(".pplot-brush").each(function (id) {
        visit(id, this.__brush?.selection?.map(([, y]) => y) ?? null, this);
      });
    }

    noteBrushes() {
      this.marks.clear();
      this.eachBrush((id, pixels) => pixels && this.marks.set(id, { key: this.keyOf(id), pixels }));
    }

    // A brush moves at once and filters a moment later: not so late that the axes have changed meanwhile.
    settle() {
      let isLate = false;
      this.eachBrush((id, pixels) => (isLate ||= JSON.stringify(pixels) !== JSON.stringify(this.marks.get(id)?.pixels ?? null)));
      if (isLate) this.pplot.brush();
    }

    keyOf(id) {
      const scale = this.yscale[id];
      return JSON.stringify([scale.domain(), scale.range(), scale.hip_type, this.hasSpecials(id)]);
    }

    hasSpecials(id) {
      return this.props.params_def[id].specials.size > 0;
    }

    // Every brush where its values are.
    placeBrushes() {
      const wanted = new Map(ranges(this.props.rows_selected_filter).map((range) => [range.col, range]));
      this.d3brush.on("brush", null).on("end", null);
      this.eachBrush((id, pixels, node) => {
        const place = wanted.has(id) ? this.placeOfBrush(wanted.get(id)) : null;
        if (JSON.stringify(place) === JSON.stringify(pixels)) return;
        const group = this.dimensions_dom.selectAll(".pplot-brush").filter(function () {
          return this === node;
        });
        this.d3brush.move(group, place);
      });
      this.d3brush.on("brush", this.onBrushChange).on("end", this.onBrushChange);
    }

    placeOfBrush(range) {
      const scale = this.yscale[range.col];
      const key = this.keyOf(range.col);
      const mark = this.marks.get(range.col);
      if (mark?.key === key) return mark.pixels;
      const ends = range.type === "categorical" ? [scale(range.min), scale(range.max)] : this.endsOfBrush(range, scale);
      const around = range.type === "categorical" ? (0.4 * this.h) / Math.max(1, scale.domain().length - 1) : 0;
      const low = Math.max(0, Math.min(...ends) - around);
      const high = Math.min(this.h, Math.max(...ends) + around);
      if (!(low <= high)) return null;
      const pixels = high - low < LEAST_BRUSH_PX ? [Math.max(0, low - LEAST_BRUSH_PX), low + LEAST_BRUSH_PX] : [low, high];
      this.marks.set(range.col, { key, pixels });
      return pixels;
    }

    // A brush of numbers may reach beyond its axis, and may include what is no number.
    endsOfBrush({ col, min, max, include_infnans: includesSpecial }, scale) {
      const [low, high] = scale.domain();
      const ends = min <= high && low <= max ? [min, max].map((value) => scale(Math.max(low, Math.min(high, value)))) : [];
      if (includesSpecial && this.hasSpecials(col)) {
        const [start, end] = scale.range();
        ends.push(end, end + Math.sign(start - end) * AROUND_SPECIAL_PX);
      }
      return ends;
    }

    // The text beside what is no number stays where it is brushed, as that of numbers does.
    showSpecials() {
      const brushed = new Set(ranges(this.props.rows_selected_filter).filter((range) => range.include_infnans).map(({ col }) => col));
      this.dimensions_dom.filter((id) => brushed.has(id)).selectAll(".tick text").filter(Number.isNaN).style("display", null);
    }

    // HiPlot makes a filter of where brushes are, to a pixel. Those that have not moved mean what they did.
    exact(filter) {
      const before = new Map(ranges(this.props.rows_selected_filter).map((range) => [range.col, range]));
      const still = new Map();
      this.eachBrush((id, pixels) => {
        const mark = this.marks.get(id);
        const isStill = pixels !== null && mark?.key === this.keyOf(id) && JSON.stringify(mark.pixels) === JSON.stringify(pixels);
        if (isStill && before.has(id)) still.set(id, before.get(id));
      });
      const isOff = ({ col, min, max }) => still.has(col) && (still.get(col).min !== min || still.get(col).max !== max);
      if (!ranges(filter).some(isOff)) return filter;
      return { ...filter, data: filter.data.map((part) => (still.has(part.data.col) ? { ...part, data: still.get(part.data.col) } : part)) };
    }

    // The filter of an axis was set by other means than a drag.
    rebrush(id) {
      this.marks.delete(id);
      this.placeBrushes();
      this.pplot.brush();
    }
  };
}

// Where an axis belongs among those that are shown: after the last one that comes before it in the order of all.
function rankOf(id, order, all) {
  const rank = all.indexOf(id);
  for (let at = order.length; at > 0; at--) {
    if (all.indexOf(order[at - 1]) < rank) return at;
  }
  return 0;
}

// How wide a name is, in pixels.
function widthOf(name, root) {
  ruler ??= document.createElement("canvas").getContext("2d");
  ruler.font = `${NAME_FONT} ${getComputedStyle(root).fontFamily}`;
  return ruler.measureText(name).width;
}

function thinned(values, most) {
  const step = Math.ceil(values.length / most);
  return values.filter((value, place) => place % step === 0 || value === INACTIVE);
}
