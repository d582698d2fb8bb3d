// The parallel plot of HiPlot as it must be where data keep coming: a class over its own one.
//
// Where HiPlot clears brushes because the axes are drawn otherwise, they are put back where their values are now: the brush itself is
// HiPlot's filter, which is left alone, so that nothing drifts however often that happens.

import { Lines } from "./lines.js";
import { ranges } from "./brushing.js";

const LEAST_BRUSH_PX = 3;
const MOST_TICKS = 24;
const SHARPEST = 2;
const MARGINS = [64, 40, 10, 10]; // above, right, below, left
const SLOPE = 0.35; // of names

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
      };
      live.host.arranged();
    }

    componentDidUpdate(prevProps, prevState) {
      this.dimensions_dom?.filter((id) => !this.state.dimensions.includes(id)).remove(); // HiPlot would move them once more, to nowhere
      super.componentDidUpdate(prevProps, prevState);
      const { props, state } = this;
      if (this.pplot && prevProps.params_def_unfiltered !== props.params_def_unfiltered) this.admit();
      if (prevState.dimensions !== state.dimensions || prevState.invert !== state.invert) this.rearranged();
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
        for (const id of all.filter(isNew)) order.splice(placeOf(id, order, all), 0, id);
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

    // HiPlot knows the width as it was when the window was resized last.
    onResize(height, width) {
      super.onResize(height, this.root_ref.current?.offsetWidth || width);
    }

    // -- axes ----------------------------------------------------------------------------------------------------------

    createScale(id) {
      const scale = super.createScale(id);
      const axis = live.host.axes.byId.get(id);
      if (scale !== null && axis?.isCategory) {
        scale.tickFormat = () => (code) => axis.tick(code);
        scale.ticks = () => thinned(scale.domain(), MOST_TICKS);
      } else if (scale?.hip_type === "numeric" && axis?.isWhole && typeof scale.ticks === "function") {
        const { ticks } = scale;
        scale.tickFormat = () => (value) => axis.tick(value);
        scale.ticks = (count) => ticks(count).filter(Number.isInteger);
      }
      return scale;
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
        const room = Math.min((edge - xscale(id) - 20) / Math.cos(SLOPE), (top - 16) / Math.sin(SLOPE));
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
      return JSON.stringify([scale.domain(), scale.range(), scale.hip_type]);
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
      const ends = [scale(range.min), scale(range.max)];
      if (range.include_infnans) ends.push(scale.range()[1]);
      const around = range.type === "categorical" ? (0.4 * this.h) / Math.max(1, scale.domain().length - 1) : 0;
      const low = Math.max(0, Math.min(...ends) - around);
      const high = Math.min(this.h, Math.max(...ends) + around);
      if (!(low <= high)) return null;
      const pixels = high - low < LEAST_BRUSH_PX ? [Math.max(0, low - LEAST_BRUSH_PX), low + LEAST_BRUSH_PX] : [low, high];
      this.marks.set(range.col, { key, pixels });
      return pixels;
    }
  };
}

// Where an axis belongs among those that are shown: after the last one that comes before it in the order of all.
function placeOf(id, order, all) {
  const rank = all.indexOf(id);
  for (let at = order.length; at > 0; at--) {
    if (all.indexOf(order[at - 1]) < rank) return at;
  }
  return 0;
}

function thinned(values, most) {
  const step = Math.ceil(values.length / most);
  return values.filter((_, place) => place % step === 0);
}
