"""The charts alone on a page, with a store that a test feeds: `lab`.

    def test_a_value_is_a_point(lab):
        lab.take(snapshot([row(0, loss=0.5)]))
        assert lab.trace("history", "COMPLETE")["y"] == [0.5]

The page has the policy and the files of the viewer's own one. `t` in it has the store, the charts by their names, and what was watched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.viewer.browser import Sync
from tests.viewer.scripted import WAIT_S, Message

HTML = b"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>charts</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="style.css"><link rel="stylesheet" href="charts.css"></head>
<body><main class="views"></main><script type="module" src="lab.js"></script></body></html>"""
SCRIPT = b"""
import { Store } from "./store.js";
import { mountCurves } from "./curves.js";
import { mountHistory } from "./history.js";
import { mountPareto } from "./pareto.js";
const section = (id) => Object.assign(document.createElement("section"), { id, className: "panel" });
globalThis.fresh = () => {
  const places = ["history", "curves", "pareto"].map(section);
  document.querySelector("main").replaceChildren(...places);
  const [store, watched] = [new Store(), []];
  const actions = { watch: (numbers) => watched.push([...numbers]) };
  const [history, curves, pareto] = places;
  globalThis.t = { store, watched, history: mountHistory(history, store), curves: mountCurves(curves, store, actions), pareto: mountPareto(pareto, store) };
};
fresh();
"""

# Two frames are drawn meanwhile, and with them is what was to be drawn at once; observers of what is in sight have been called.
FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"


class Lab:
    """See the module.

    Args:
        page: Which shows HTML and runs SCRIPT.
    """

    def __init__(self, page: Sync) -> None:
        self.page = page

    def evaluate(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def take(self, *messages: Message) -> None:
        """As if the server had said it; returns when all is drawn."""
        self.evaluate("messages => messages.forEach((message) => t.store.take(message))", list(messages))
        self.settle()

    def take_curves(self, *curves: Message) -> None:
        """Curves of trials, once they are watched."""
        wanted = [curve["trial"] for curve in curves]
        watches = "wanted => wanted.every((number) => t.watched.at(-1)?.includes(number))"
        wait_until(lambda: self.evaluate(watches, wanted), f"the watch for {wanted}")
        self.take({"type": "points", "curves": list(curves)})

    def settle(self) -> None:
        """Until what is near is drawn."""
        self.evaluate(FRAMES)
        done = "['history', 'curves', 'pareto'].every((name) => !t[name].isDrawing && (!t[name].isDirty || !t[name].isNear))"
        wait_until(lambda: self.evaluate(done), "the drawing of the charts")

    def traces(self, chart: str) -> dict[str, dict[str, Any]]:
        """What plotly was given, without empty traces, by the traces' uid."""
        found = self.evaluate(
            "chart => t[chart].host.hidden ? [] : t[chart].host.data.map(({ uid, x, y, customdata, mode, line, marker, opacity }) => "
            "({ uid, x, y, numbers: customdata, mode, line, marker, opacity }))",
            chart,
        )
        return {trace["uid"]: trace for trace in found if trace["x"]}

    def trace(self, chart: str, uid: str) -> dict[str, Any]:
        return self.traces(chart)[uid]

    def layout(self, chart: str) -> Any:
        return self.evaluate(
            "chart => { const { xaxis, yaxis } = t[chart].host._fullLayout; "
            "return { x: [xaxis.type, xaxis.range], y: [yaxis.type, yaxis.range] } }",
            chart,
        )

    def words(self, chart: str) -> str:
        """What stands in the place of the drawing; "" where there is one."""
        found: str = self.evaluate("chart => t[chart].words.hidden ? '' : t[chart].words.textContent", chart)
        return found

    def note(self, chart: str) -> str:
        found: str = self.evaluate("chart => t[chart].note.textContent", chart)
        return found

    def point(self, chart: str, place: int) -> tuple[float, float]:
        """Where a mark is in the window, in pixels; `place` among all of the chart."""
        self.evaluate("chart => t[chart].section.scrollIntoView()", chart)
        x, y = self.evaluate(
            "([chart, place]) => { const { x, y, width, height } = [...t[chart].host.querySelectorAll('.points path')].at(place)"
            ".getBoundingClientRect(); return [x + width / 2, y + height / 2] }",
            [chart, place],
        )
        return x, y


def curve(trial: int, values: Sequence[Any], *, steps: Sequence[int] | None = None, **fields: Any) -> Message:
    """A whole curve, for a `points` message."""
    steps = list(range(len(values))) if steps is None else list(steps)
    return {
        "trial": trial,
        "attempt": 1,
        "from": 0,
        "of": len(values),
        "steps": steps,
        "values": list(values),
        **fields,
    }


def wait_until(holds: Callable[[], Any], what: str) -> None:
    """Until something in the page holds; the policy lets playwright not wait for expressions there."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"not in {WAIT_S:g} s: {what}"
        time.sleep(0.02)
