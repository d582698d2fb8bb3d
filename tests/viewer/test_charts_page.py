"""The charts on the viewer's own page."""

from __future__ import annotations

from tests.viewer.browser import PHONE, TIMEOUT_MS, Pages, expect, screenshot
from tests.viewer.laboratory import curve
from tests.viewer.scripted import Scripted, column, delta, info, row, snapshot, status

COLUMNS = [
    column("lr"),
    column("loss", "metric", direction="minimize"),
    column("speed", "metric", direction="maximize"),
]


def test_the_charts_are_drawn_and_follow_the_stream(page_at: Pages, scripted: Scripted) -> None:
    def trial(number: int, state: str = "COMPLETE") -> list[object]:
        return row(
            number,
            state,
            columns=COLUMNS,
            lr=0.1,
            loss=None if state == "RUNNING" else 1 / (1 + number),
            speed=number % 5,
        )

    directions = {"loss": "minimize", "speed": "maximize"}
    rows = [*map(trial, range(20)), trial(20, "RUNNING")]
    scripted.opening = [
        snapshot(rows, columns=COLUMNS, info=info(directions=directions)),
        status(COMPLETE=20, best=None),
    ]
    page = page_at(scripted.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    history = page.get_by_role("img", name="Optimisation history")
    page.locator("#history").scroll_into_view_if_needed()
    expect(history).to_have_accessible_name(
        "Optimisation history: loss, to minimize. 20 complete. The best so far is 0.05, of trial 19.",
        timeout=TIMEOUT_MS,
    )
    assert 20 in scripted.wait_for("watch")["trials"]
    scripted.send({"type": "points", "curves": [curve(20, [3, 2, 1]), curve(19, [2, 1])]})
    expect(page.locator("#curves .js-line")).to_have_count(2)
    scripted.send(delta([trial(20), trial(21)], since=21, seq=22, columns=COLUMNS))
    expect(page.locator("#history .points path")).to_have_count(22)
    page.locator("#pareto").scroll_into_view_if_needed()
    expect(page.get_by_role("img", name="Trade-off")).to_be_visible()
    screenshot(page, "charts", full_page=True)
    page.set_viewport_size(PHONE)
    expect(page.locator("#pareto .main-svg").first).to_have_attribute(
        "width", str(page.locator("#pareto .chart-plot").bounding_box()["width"])
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert all(url.startswith((scripted.base, "data:")) for url in asked), asked


def test_without_plotly_the_charts_say_so_and_the_rest_works(page_at: Pages, scripted: Scripted) -> None:
    scripted.missing.add("/assets/plotly.min.js")
    page = page_at(scripted.url, expected=["404"])
    page.locator("#history").scroll_into_view_if_needed()
    expect(page.locator("#history .chart-words")).to_contain_text('pip install "asyncsweep[viewer]"')
    expect(page.locator("#trials tbody tr")).to_have_count(3)
