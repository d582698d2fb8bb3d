"""The parallel plot of sweeps that are not as one expects them: it draws what there is, or says what is missing."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.viewer.browser import PHONE, TIMEOUT_MS, Pages, Sync, expect, screenshot
from tests.viewer.plotted import brush, ink, peek, until
from tests.viewer.scripted import ASSETS, COLUMNS, Scripted, column, delta, info, row, snapshot, status

LOSS = column("loss", "metric", direction="minimize")
ODD_NAMES = [
    "<img src=x onerror=alrt(1)>",
    "__proto__",
    "constructor",
    "uid",
    "from_uid",
    "🦄 <b>",
    "",
    "x" * 10_000,
    "a\u202eb",
    "c0",
]


@pytest.fixture(autouse=True)
def no_charts(scripted: Scripted) -> None:
    """Nothing else is drawn meanwhile."""
    scripted.replaced["/assets/plotly.min.js"] = b""


def table(columns: list[Any], *cells: list[Any], state: str = "COMPLETE") -> list[list[Any]]:
    """A trial for each list of cells."""
    return [[number, state, 1, None, 1.0, None, None, None, *values] for number, values in enumerate(cells)]


def sweep(name: str, columns: list[Any], given: list[list[Any]]) -> list[Any]:
    """All of another sweep, under the name that the page has opened."""
    return [snapshot(given, columns=columns, info=info(name)), status(COMPLETE=len(given))]


def show(scripted: Scripted, name: str, columns: list[Any], given: list[list[Any]]) -> None:
    scripted.send(*sweep(name, columns, given))


def words(page: Sync) -> Sync:
    return page.locator("#parallel .placeholder")


def test_nothing_is_drawn_until_there_is_something_to_compare(page_at: Pages, scripted: Scripted) -> None:
    scripted.opening = [snapshot([]), status()]
    page = page_at(scripted.url)
    two = "from the second one on"
    expect(words(page)).to_contain_text(two, timeout=TIMEOUT_MS)
    for given in ([row(0)], [row(0), row(1, "RUNNING"), row(2, "WAITING")]):
        scripted.send(snapshot(given))
        expect(words(page)).to_contain_text(two, timeout=TIMEOUT_MS)
    # Two that are the same in everything.
    same = table([LOSS], [0.5], [0.5])
    show(
        scripted,
        "same",
        [column("epochs", type="constant", choices=["3"]), LOSS],
        [[*one[:8], None, one[8]] for one in same],
    )
    expect(words(page)).to_contain_text("nothing to compare yet", timeout=TIMEOUT_MS)
    show(scripted, "one parameter", [column("lr", low=0, high=1)], table([], [0.1], [0.9], state="FAILED"))
    assert until(page, rows=2)["order"] == ["lr"]
    expect(words(page)).to_be_hidden()
    # Fewer again, whatever was drawn.
    show(scripted, "one parameter", [column("lr", low=0, high=1)], table([], [0.1], state="FAILED"))
    expect(words(page)).to_contain_text(two, timeout=TIMEOUT_MS)
    show(scripted, "first", COLUMNS, [row(n, "FAILED") for n in range(5)])
    assert until(page, rows=5)["order"] == ["lr", "depth", "opt"]
    expect(words(page)).to_be_hidden()


def test_values_that_are_no_numbers_have_a_place_of_their_own(page_at: Pages, scripted: Scripted) -> None:
    columns = [
        column("lr", low=0, high=1),
        column("mixed", type="any"),
        column("big", type="int", low=1, high=2**60),
        LOSS,
    ]
    given = table(
        columns,
        [0.1, "Infinity", 1, "NaN"],
        [0.2, 4, "1152921504606846976", "Infinity"],
        [0.3, 5, 7, 0.5],
        [0.4, None, 8, "-Infinity"],
        [0.5, 6, 9, 1e308],
        [0.6, 6, 9, -1e308],
    )
    scripted.opening = sweep("odd", columns, given)
    page = page_at(scripted.url)
    seen = until(page, rows=6, isPainting=False)
    assert seen["order"] == ["lr", "mixed", "big", "loss"]
    assert (seen["types"]["mixed"], seen["ends"]["big"]) == ("numeric", pytest.approx([1, 2**60]))
    assert seen["ticks"]["loss"][-1] == "nan/inf"
    assert ink(page) > 0
    # A text among the numbers makes choices of all of them.
    more = [
        [6, "COMPLETE", 1, None, 1.0, None, None, None, 0.7, "adam", 9, 0.7],
        [7, "COMPLETE", 1, None, 1.0, None, None, None, 0.7, True, 9, 0.7],
        [8, "COMPLETE", 1, None, 1.0, None, None, None, 0.7, "4", 9, 0.7],
    ]
    scripted.send(delta(more, since=6, seq=9))
    ticks = ["Infinity", "4", "5", "6", "adam", "true", '"4"', "inactive"]
    until(page, lambda seen: seen["ticks"]["mixed"] == ticks, rows=9)
    # All of them NaN.
    show(scripted, "nan", [column("lr", low=0, high=1), LOSS], table([], [0.1, "NaN"], [0.5, "NaN"], [0.9, "NaN"]))
    assert until(page, rows=3, isPainting=False)["order"] == ["lr"]


def test_names_and_values_are_shown_as_they_are_and_nothing_else_is_made_of_them(
    page_at: Pages, scripted: Scripted
) -> None:
    for at in (0, 6):
        names = ODD_NAMES[at : at + 6]
        columns = [column(name, type="category", choices=[f"{name}!", *ODD_NAMES]) for name in names]
        given = table(columns, *[[(n + k) % 11 for k in range(len(names))] for n in range(11)])
        if at == 0:
            scripted.opening = sweep("0", columns, given)
            page = page_at(scripted.url)
        else:
            show(scripted, str(at), columns, given)
        labels = [(name if len(name) <= 40 else name[:39] + "…") or "(no name)" for name in names]
        seen = until(page, rows=11, order=labels)
        assert seen["ticks"][labels[0]][1].startswith("<img src=x onerror=al")
        assert "__proto__" in seen["ticks"][labels[0]]
        brush(page, labels[1], 0.0, 0.5)
        assert 0 < len(until(page, isPartial=True, isSettled=True)["selected"]) < 11
        for index in range(len(names)):
            page.get_by_label("Colour", exact=True).select_option(index=1 + index)
        page.get_by_role("button", name="Show all").click()
        until(page, isPartial=False)
    assert page.locator("#parallel [onerror], #parallel b, #parallel script").count() == 0


def test_two_hundred_parameters_and_a_thousand_choices(page_at: Pages, scripted: Scripted) -> None:
    columns = [
        *(column(f"p{n}", low=0, high=1) for n in range(200)),
        column("word", type="category", choices=[f"w{n}" for n in range(1000)]),
        LOSS,
    ]
    given = table(columns, *[[*((n * 7 + k) % 13 / 13 for k in range(200)), n * 19 % 1000, n / 60] for n in range(60)])
    scripted.opening = sweep("many", columns, given)
    page = page_at(scripted.url, viewport=PHONE)
    seen = until(page, rows=60, isPainting=False)
    assert seen["order"] == [*(f"p{n}" for n in range(10)), "loss"]
    expect(page.locator(".axis-menu summary")).to_have_text("Axes: 11 of 203")
    # It is wider than a phone, and scrolls in its place.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".parallel-scroller").evaluate("(node) => (node.scrollLeft = 200)")
    page.locator(".axis-menu summary").click()
    page.get_by_label("Find an axis").fill("word")
    page.get_by_label("word", exact=True).check()
    wide = until(page, nShown=12)
    assert len(wide["ticks"]["word"]) <= 24
    assert wide["scrolled"] == 200
    page.keyboard.press("Escape")
    screenshot(page, "parallel-phone")


def test_of_very_many_trials_a_sample_is_drawn_with_the_best(page_at: Pages, scripted: Scripted) -> None:
    scripted.opening = [
        snapshot([row(n, loss=0.001 if n == 12_345 else 0.5 + n % 7 / 10) for n in range(24_000)]),
        status(COMPLETE=24_000),
    ]
    page = page_at(scripted.url)
    expect(page.locator("#parallel .chart-note")).to_contain_text("of 24,000 trials drawn", timeout=TIMEOUT_MS)
    before = peek(page)
    assert 10_000 < before["rows"] < 20_000
    brush(page, "loss", 0.9, 1.05)
    assert until(page, isPartial=True, isSettled=True)["selected"] == [12_345]
    expect(page.locator("#shown")).to_have_text("1 of 24,000 shown")
    scripted.send(delta([row(24_000, loss=0.0005)], since=24_000, seq=24_001))
    assert until(page, rows=before["rows"] + 1)["selected"] == [12_345, 24_000]


def test_another_build_of_hiplot_is_drawn_plainly_and_a_missing_one_is_told(page_at: Pages, scripted: Scripted) -> None:
    scripted.missing = {"/assets/hiplot.bundle.js"}
    page = page_at(scripted.url, expected=["404"])
    expect(words(page)).to_contain_text('pip install "asyncsweep[viewer]"', timeout=TIMEOUT_MS)
    scripted.missing = set()
    scripted.replaced["/assets/hiplot.bundle.js"] = _renamed()
    page = page_at(scripted.url)
    expect(page.locator("#parallel .chart-note")).to_contain_text(
        "not the HiPlot that this page was made for", timeout=TIMEOUT_MS
    )
    expect(page.locator(".parallel-plot .label-name")).to_have_count(5)
    scripted.send(delta([row(3), row(4)], since=3, seq=5))
    page.wait_for_function("() => document.querySelector('.parallel-plot').textContent.includes('/5')")


def _renamed() -> bytes:
    package, inside = ASSETS["/assets/hiplot.bundle.js"]
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    bundle = (Path(spec.submodule_search_locations[0]) / inside).read_bytes()
    return bundle.replace(b"createNewParamsDef", b"makeNewParamsDef")


def test_the_styles_of_hiplot_and_of_the_page_leave_each_other_alone(page_at: Pages, scripted: Scripted) -> None:
    scripted.missing = {"/assets/hiplot.bundle.js"}
    page = page_at(scripted.url, expected=["404"])
    expect(words(page)).to_contain_text("pip install", timeout=TIMEOUT_MS)
    looks = """() => ["body", "h1", "h2", "button", "select", "a", "table", "input"].map((name) => {
      const style = getComputedStyle(document.querySelector(name));
      return [name, style.fontSize, style.fontFamily, style.color, style.marginTop, style.padding, style.backgroundColor, style.lineHeight];
    })"""
    before = page.evaluate(looks)
    scripted.missing = set()
    page = page_at(scripted.url)
    until(page, rows=3)
    assert page.evaluate(looks) == before
    loose = """() => [...document.styleSheets].filter((sheet) => !sheet.href).flatMap((sheet) => [...sheet.cssRules])
      .map((rule) => rule.selectorText ?? "").filter((text) => text && !/^[^,]*(\\.|#)/.test(text) && !text.startsWith("0%"))"""
    assert page.evaluate(loose) == []


def test_a_plot_that_fails_begins_again_with_what_it_was_given(page_at: Pages, scripted: Scripted) -> None:
    page = page_at(scripted.url, expected=["planted", "A part of the page"])
    until(page, rows=3)
    page.evaluate(_BREAK)
    scripted.send(delta([row(3, loss=77.0)], since=3, seq=4))
    again = until(page, rows=4, isPainting=False)
    assert again["ends"]["loss"][1] >= 77.0
    assert ink(page) > 0


_BREAK = """() => {
  let fiber = document.querySelector(".parallel-plot")._reactRootContainer._internalRoot.current;
  while (typeof fiber.stateNode?.createNewParamsDef !== "function") fiber = fiber.child;
  fiber.stateNode.plugins_ref.PARALLEL_PLOT.current.createScale = () => { throw new Error("planted"); };
}"""
