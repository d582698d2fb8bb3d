"""What the parallel plot of a page shows, and how one drags in it, for tests of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.viewer.browser import Sync

WAIT_S = 10.0

# HiPlot's component, below the root of what React rendered, and what the page is seen to draw.
_PEEK = """() => {
  const element = document.querySelector(".parallel-plot");
  let fiber = element?._reactRootContainer?._internalRoot.current;
  while (fiber && typeof fiber.stateNode?.createNewParamsDef !== "function") fiber = fiber.child;
  const hiplot = fiber?.stateNode;
  const plot = hiplot?.plugins_ref.PARALLEL_PLOT.current;
  if (!plot?.pplot) return null;
  const { state } = hiplot;
  const numbers = (rows) => rows.map(({ uid }) => Number(uid)).sort((a, b) => a - b);
  const axes = [...document.querySelectorAll(".parallel-plot .dimension")].map((node) => ({
    id: node.__data__,
    name: node.querySelector(".label-name").textContent,
    x: node.getBoundingClientRect().x,
    brush: node.querySelector(".pplot-brush").__brush?.selection?.map(([, y]) => y) ?? null,
  }));
  axes.sort((a, b) => plot.xscale(a.id) - plot.xscale(b.id));
  const brushes = {};
  for (const { id, name, brush } of axes) if (brush) brushes[name] = brush.map((y) => plot.yscale[id].invert?.(y) ?? y);
  return {
    rows: state.rows_all_unfiltered.length,
    kept: state.rows_filtered.length,
    selected: numbers(state.rows_selected),
    isSettled: axes.every(({ id, brush }) => JSON.stringify(brush) === JSON.stringify(plot.marks.get(id)?.pixels ?? null)),
    isPartial: state.rows_selected.length < state.rows_filtered.length,
    nShown: axes.length,
    order: axes.map(({ name }) => name),
    inverted: axes.filter(({ id }) => plot.state.invert.has(id)).map(({ name }) => name),
    ends: Object.fromEntries(axes.map(({ id, name }) => [name, plot.yscale[id].domain()])),
    types: Object.fromEntries(axes.map(({ id, name }) => [name, plot.yscale[id].hip_type])),
    logarithmic: axes.filter(({ id }) => plot.yscale[id].hip_type === "numericlog").map(({ name }) => name),
    ticks: Object.fromEntries(axes.map(({ id, name }) => {
      const node = [...document.querySelectorAll(".parallel-plot .dimension")].find((one) => one.__data__ === id);
      return [name, [...node.querySelectorAll(".tick text")].map((text) => text.textContent)];
    })),
    brushes, isDark: state.dark, isPainting: plot.lines.isPainting,
    scrolled: document.querySelector(".parallel-scroller").scrollLeft,
  };
}"""


_INK = """(kind) => {
  const canvas = document.querySelector(`.pplot-root canvas${kind === "over" ? ".over" : ":not(.over)"}`);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let at = 3; at < data.length; at += 4) painted += data[at] > 0;
  return painted;
}"""


def ink(page: Sync, kind: str = "lines") -> int:
    """How many pixels are painted by the lines, or by what stands "over" them."""
    return int(page.evaluate(_INK, kind))


_GAPS = """(kind) => {
  const canvas = document.querySelector(`.pplot-root canvas${kind === "over" ? ".over" : ":not(.over)"}`);
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const isPainted = (x) => { for (let y = 0; y < height; y++) if (data[4 * (y * width + x) + 3]) return true; return false; };
  const painted = Array.from({ length: width }, (_, x) => isPainted(x));
  const inside = painted.slice(painted.indexOf(true), painted.lastIndexOf(true) + 1);
  return inside.map((is) => (is ? "x" : " ")).join("").match(/ {20,}/g)?.length ?? 0; // dashes have shorter ones
}"""


def gaps(page: Sync, kind: str = "lines") -> int:
    """In how many stretches of 20 pixels or more there is nothing between the first and the last that is painted, from left to right."""
    return int(page.evaluate(_GAPS, kind))


def peek(page: Sync) -> Any:
    """Rows, axes, brushes, as they are now; None while nothing is drawn."""
    return page.evaluate(_PEEK)


def until(page: Sync, where: Callable[[Any], bool] = lambda seen: True, **wanted: Any) -> Any:
    """What `peek` gives, as soon as it has these values, and `where` is true of it."""
    deadline = time.monotonic() + WAIT_S
    seen = None
    while time.monotonic() < deadline:
        seen = peek(page)
        if seen is not None and all(seen[name] == value for name, value in wanted.items()) and where(seen):
            return seen
        page.wait_for_timeout(30)
    got = None if seen is None else {name: seen[name] for name in wanted}
    raise AssertionError(f"the parallel plot has {got}, not {wanted}")


_BOXES = """(name) => {
  const node = [...document.querySelectorAll(".parallel-plot .dimension")].find((one) => one.querySelector(".label-name").textContent === name);
  const box = (part) => { const { x, y, width, height } = node.querySelector(part).getBoundingClientRect(); return { x, y, width, height }; };
  return { axis: box(".pplot-brush .overlay"), label: box(".label-name") };
}"""


def place(page: Sync, name: str, share: float) -> tuple[float, float]:
    """A point on an axis, in the window: share 0 is its upper end, 1 its lower."""
    box = page.evaluate(_BOXES, name)["axis"]
    return box["x"] + 23, box["y"] + share * box["height"]


def on_label(page: Sync, name: str) -> tuple[float, float]:
    """A point on an axis's name."""
    box = page.evaluate(_BOXES, name)["label"]
    return box["x"] + 6, box["y"] + box["height"] - 8


def brush(page: Sync, name: str, low: float, high: float, *, release: bool = True) -> None:
    """Drag along an axis."""
    x, y = place(page, name, low)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 5)
    page.mouse.move(*place(page, name, high), steps=4)
    if release:
        page.mouse.up()


def drag_axis(page: Sync, name: str, by: float) -> None:
    """Drag the name of an axis to the side; by nothing: click it."""
    x, y = on_label(page, name)
    page.mouse.move(x, y)
    page.mouse.down()
    if by:
        page.mouse.move(x + by / 2, y, steps=4)
        page.mouse.move(x + by, y, steps=4)
    page.mouse.up()
