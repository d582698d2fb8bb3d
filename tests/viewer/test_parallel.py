"""The parallel plot in a real browser: what the user has done in it survives whatever comes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viewer.browser import Pages, Sync, expect
from tests.viewer.plotted import brush, drag_axis, peek, place, until
from tests.viewer.scripted import COLUMNS, Scripted, column, delta, row, snapshot, status

ORDER = ["lr", "depth", "opt", "accuracy", "loss", "state"]


def rows(*numbers: int, state: str = "COMPLETE", **values: Any) -> list[list[Any]]:
    return [row(number, state, **values) for number in numbers]


def opened(page_at: Pages, scripted: Scripted, given: list[list[Any]], **kwargs: Any) -> Sync:
    scripted.opening = [snapshot(given), status(COMPLETE=len(given))]
    page = page_at(scripted.url, **kwargs)
    until(page, rows=len(given), isPainting=False)
    return page


def shown(page: Sync) -> str:
    return str(page.locator("#shown").text_content())


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
