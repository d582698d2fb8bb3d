"""The parallel plot in a real browser: what the user has done in it survives whatever comes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viewer.browser import Pages, Sync, expect
from tests.viewer.plotted import brush, drag_axis, ink, on_label, peek, place, until
from tests.viewer.scripted import COLUMNS, Scripted, column, delta, row, snapshot, status

ORDER = ["lr", "depth", "opt", "accuracy", "loss", "state"]


@pytest.fixture(autouse=True)
def no_charts(scripted: Scripted) -> None:
    """Nothing else is drawn meanwhile."""
    scripted.replaced["/assets/plotly.min.js"] = b""


def rows(*numbers: int, state: str = "COMPLETE", **values: Any) -> list[list[Any]]:
    return [row(number, state, **values) for number in numbers]


def opened(page_at: Pages, scripted: Scripted, given: list[list[Any]], **kwargs: Any) -> Sync:
    scripted.opening = [snapshot(given), status(COMPLETE=len(given))]
    page = page_at(scripted.url, **kwargs)
    until(page, rows=len(given), isPainting=False)
    return page


def pause_of_drawing(page: Sync) -> None:
    """As long as there is between two drawings of everything: what was only put off would be seen after it."""
    page.wait_for_function("(now) => performance.now() > now + 1100", arg=page.evaluate("performance.now()"))


def selection(page: Sync) -> Any:
    """What `peek` gives as soon as a brush is held and a part is selected."""
    return until(page, isPartial=True, isSettled=True)


def test_a_brush_stays_where_its_values_are_and_takes_in_what_comes(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, [*rows(*range(9)), row(9, "FAILED")])
    assert peek(page)["order"] == ORDER
    brush(page, "depth", 0.25, 0.75)
    before = selection(page)
    low, high = sorted(before["brushes"]["depth"])
    assert before["selected"] == [n for n in range(10) if low <= 1 + n % 8 <= high]
    expect(page.locator("#shown")).to_have_text(f"{len(before['selected'])} of 10 shown")

    scripted.send(delta(rows(*range(10, 20)), since=10, seq=20))
    after = until(page, rows=20)
    assert after["selected"] == [n for n in range(20) if low <= 1 + n % 8 <= high]
    assert after["brushes"] == before["brushes"]
    expect(page.locator("#shown")).to_have_text(f"{len(after['selected'])} of 20 shown")

    # Values for which there is no place: the axis of the metric grows, and all is drawn anew.
    scripted.send(delta(rows(20, 21, loss=9.0), since=20, seq=22))
    grown = until(page, rows=22)
    assert grown["ends"]["loss"][1] >= 9.0 > after["ends"]["loss"][1]
    assert sorted(grown["brushes"]["depth"]) == pytest.approx([low, high])
    assert grown["selected"] == [n for n in range(22) if low <= 1 + n % 8 <= high]


def test_what_comes_during_a_drag_disturbs_nothing(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, rows(*range(8)))
    brush(page, "depth", 0.25, 0.5, release=False)
    scripted.send(delta([*rows(8, 9, 10, 11), *rows(12, loss=50.0)], since=8, seq=13))
    until(page, rows=12)
    pause_of_drawing(page)
    assert peek(page)["rows"] == 12  # the one that needs another axis waits until the mouse is let go
    page.mouse.move(*place(page, "depth", 0.8))
    page.mouse.up()
    after = until(page, rows=13, isSettled=True)
    low, high = sorted(after["brushes"]["depth"])
    assert (low, high) == (pytest.approx(8 - 7 * 0.8, abs=0.1), pytest.approx(8 - 7 * 0.25, abs=0.1))
    assert after["selected"] == [n for n in range(13) if low <= 1 + n % 8 <= high]


def test_order_inversion_hiding_scale_and_filters_survive_fifty_updates(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, rows(*range(16)))
    drag_axis(page, "depth", 700)
    drag_axis(page, "accuracy", 0)
    page.locator(".axis-menu summary").click()
    page.get_by_label("opt", exact=True).uncheck()
    page.get_by_label("duration (s)", exact=True).check()
    page.get_by_label("Scale of loss").select_option("Logarithmic")
    page.keyboard.press("Escape")
    page.locator("#parallel .chart-choice select").select_option("accuracy")
    brush(page, "depth", 0.0, 0.5)
    selection(page)
    page.get_by_role("button", name="Keep").click()
    brush(page, "lr", 0.0, 0.4)
    before = selection(page)
    assert sorted(before["order"]) == ["accuracy", "depth", "duration (s)", "loss", "lr"]
    assert before["order"].index("depth") > before["order"].index("accuracy")
    assert (before["inverted"], before["kept"], before["types"]["loss"]) == (["accuracy"], 8, "numericlog")

    for n in range(50):
        # A trial that changes when it had ended, one that is new, one whose values lie outside of the axes so far.
        changed = [row(n % 16, loss=0.4 + n / 100), row(16 + n, loss=0.3 + n if n % 10 == 0 else 0.5)]
        scripted.send(delta(changed, since=16 + n, seq=17 + n))
    after = until(page, rows=66, kept=32)
    same = ("order", "inverted", "types")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert after["brushes"] == {"lr": pytest.approx(before["brushes"]["lr"], rel=0.01)}
    assert len(after["selected"]) > len(before["selected"])
    expect(page.locator("#parallel .chart-choice select")).to_have_value(
        page.locator("#parallel .chart-choice select").evaluate(
            "(s) => [...s.options].find((o) => o.text === 'accuracy').value"
        )
    )
    page.get_by_role("button", name="Show all").click()
    restored = until(page, kept=66, isPartial=False, isSettled=True)
    assert (restored["order"], restored["brushes"]) == (before["order"], {})
    expect(page.locator("#shown")).to_have_text("66 of 66 shown")


def test_everything_survives_a_server_that_starts_again_and_a_window_of_another_size(
    page_at: Pages, scripted: Scripted
) -> None:
    page = opened(page_at, scripted, rows(*range(12)), expected=["WebSocket connection"])
    drag_axis(page, "loss", -300)
    brush(page, "depth", 0.25, 0.75)
    before = selection(page)
    scripted.opening = [snapshot(rows(*range(30)), epoch="e2"), status(COMPLETE=30)]
    scripted.stop()
    scripted.start()
    again = until(page, rows=30)
    low, high = sorted(before["brushes"]["depth"])
    assert (again["order"], again["brushes"]) == (before["order"], before["brushes"])
    assert again["selected"] == [n for n in range(30) if low <= 1 + n % 8 <= high]

    page.get_by_role("button", name="Dark colours").click()
    until(page, isDark=True)
    page.set_viewport_size({"width": 700, "height": 800})
    page.wait_for_function("() => document.querySelector('.pplot-root svg').clientWidth < 700")
    small = until(page, isPainting=False, isSettled=True)
    for key in ("order", "brushes", "selected"):
        assert small[key] == again[key]

    # Fewer than can be drawn, and then enough again.
    scripted.opening = [snapshot(rows(3), epoch="e3"), status(COMPLETE=1)]
    scripted.drop()
    expect(page.get_by_text("from the second one on")).to_be_visible()
    scripted.send(delta(rows(0, 1, 2), since=1, seq=4))
    back = until(page, rows=4, isSettled=True)
    assert (back["order"], back["brushes"], back["selected"]) == (before["order"], before["brushes"], [2, 3])


def test_three_hundred_and_five_thousand_missed_trials_come_at_once(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, rows(*range(20)), expected=["WebSocket connection"])
    brush(page, "depth", 0.0, 0.5)
    before = selection(page)
    for had, has in ((20, 320), (320, 5320)):
        scripted.opening = [delta(rows(*range(had, has)), since=had, seq=has)]
        scripted.drop()
        after = until(page, rows=has)
        assert after["brushes"] == before["brushes"]
        assert after["selected"] == [n for n in range(has) if n % 8 >= 4]


def test_an_axis_comes_when_its_column_does(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, rows(*range(8)))
    brush(page, "depth", 0.25, 0.75)
    before = selection(page)
    columns = [*COLUMNS, column("recall", "metric")]
    scripted.send(delta([row(8, columns=columns, recall=0.5)], since=8, seq=9, columns=columns))
    until(page, rows=9, order=before["order"])  # one value is no axis
    scripted.send(delta([row(9, columns=columns, recall=0.9)], since=9, seq=10))
    until(page, rows=10, order=["lr", "depth", "opt", "accuracy", "recall", "loss"])
    columns = [*columns, column("momentum", low=0.0, high=1.0)]
    scripted.send(delta([row(10, columns=columns, momentum=0.5)], since=10, seq=11, columns=columns))
    after = until(page, rows=11)
    assert after["order"] == ["lr", "depth", "opt", "momentum", "accuracy", "recall", "loss"]
    assert after["brushes"] == before["brushes"]


def test_clearing_the_selection_elsewhere_clears_the_brushes(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, rows(*range(16)))
    brush(page, "depth", 0.0, 0.5)
    brush(page, "lr", 0.0, 0.7)
    assert len(selection(page)["brushes"]) == 2
    page.get_by_role("button", name="Clear the selection").click()
    assert until(page, isPartial=False, isSettled=True)["brushes"] == {}
    expect(page.locator("#shown")).to_have_text("16 of 16 shown")
    # A click beside a brush takes it away, and with the last one the selection is over.
    brush(page, "depth", 0.0, 0.3)
    selection(page)
    page.mouse.click(*place(page, "depth", 0.9))
    until(page, isPartial=False, isSettled=True)
    expect(page.locator("#shown")).to_have_text("16 of 16 shown")


def test_states_that_are_not_shown_are_not_drawn_and_what_runs_stands_over_the_lines(
    page_at: Pages, scripted: Scripted
) -> None:
    given = [*rows(*range(6)), *rows(6, 7, state="PRUNED"), *rows(8, state="FAILED"), *rows(9, 10, state="RUNNING")]
    scripted.opening = [snapshot(given), status(COMPLETE=6, PRUNED=2, FAILED=1, RUNNING=2)]
    page = page_at(scripted.url)
    seen = until(page, rows=9, isPainting=False)
    assert seen["ticks"]["state"] == ["Complete", "Pruned", "Failed"]
    assert ink(page) > 0 and ink(page, "over") > 0
    expect(page.locator(".parallel-legend")).to_contain_text("running")
    brush(page, "depth", 0.25, 0.9)
    chosen = selection(page)["selected"]
    low, high = sorted(peek(page)["brushes"]["depth"])
    n_running = len([n for n in (9, 10) if low <= 1 + n % 8 <= high])
    expect(page.locator("#shown")).to_have_text(f"{len(chosen) + n_running} of 11 shown")
    page.get_by_role("button", name="Failed: 1").click()
    assert 8 not in until(page, rows=8)["selected"]
    scripted.send(delta([row(11, "FAILED"), row(12)], since=11, seq=13))
    until(page, rows=9)
    pause_of_drawing(page)
    assert peek(page)["rows"] == 9
    page.get_by_role("button", name="Running: 2").click()
    page.wait_for_function(f"() => ({_OVER})() === 0")
    page.get_by_role("button", name="Failed: 1").click()
    assert set(chosen) <= set(until(page, rows=11)["selected"])


_OVER = """() => {
  const canvas = document.querySelector(".pplot-root canvas.over");
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.reduce((sum, part) => sum + part, 0);
}"""


def test_the_menu_of_an_axis_does_what_it_says(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, rows(*range(8)))
    page.mouse.click(*on_label(page, "loss"), button="right")
    menu = page.locator(".parallel-plot .context-menu")
    expect(menu).to_contain_text("loss")
    menu.get_by_role("button", name="Logarithmic").click()
    page.wait_for_function("() => !document.querySelector('.parallel-plot .context-menu').classList.contains('show')")
    until(page, logarithmic=["lr", "loss"])
    page.mouse.click(*on_label(page, "depth"), button="right")
    menu.get_by_role("button", name="Hide it").click()
    until(page, order=["lr", "opt", "accuracy", "loss"])
