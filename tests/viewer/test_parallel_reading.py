"""What the parallel plot tells its reader: which parameters are inactive, what colours mean, why it is empty; and the brush as a form."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viewer.browser import PHONE, TIMEOUT_MS, Pages, Sync, expect, screenshot
from tests.viewer.plotted import brush, gaps, peek, until
from tests.viewer.scripted import Scripted, column, delta, row, snapshot, status

CONDITIONAL = [
    column("opt", type="category", choices=["sgd", "adam"]),
    column("mom", low=-1.0, high=0.0),
    column("layers", type="int", low=1, high=4),
    column("kind", type="category", choices=["x", "y"]),
    column("loss", "metric", direction="minimize"),
]


@pytest.fixture(autouse=True)
def no_charts(scripted: Scripted) -> None:
    """Nothing else is drawn meanwhile."""
    scripted.replaced["/assets/plotly.min.js"] = b""


def conditional(number: int, state: str = "COMPLETE", **values: Any) -> list[Any]:
    """Even trials use "sgd" with its momentum, odd ones "adam" with its layers and kind."""
    own = {"layers": 1 + number % 4, "kind": number // 2 % 2} if number % 2 else {"mom": -(number % 7) / 10}
    loss = 0.5 + number % 5 / 10 if state == "COMPLETE" else None
    return row(number, state, columns=CONDITIONAL, **{"opt": number % 2, "loss": loss, **own, **values})


def opened(page_at: Pages, scripted: Scripted, given: list[list[Any]], columns: Any = None, **kwargs: Any) -> Sync:
    scripted.opening = [snapshot(given, **({"columns": columns} if columns else {})), status(COMPLETE=len(given))]
    page = page_at(scripted.url, **kwargs)
    until(page, rows=len([one for one in given if one[1] not in ("RUNNING", "WAITING")]), isPainting=False)
    return page


def choose(page: Sync, number: int) -> None:
    page.locator("#trials tbody").get_by_role("button", name=f"Trial {number}: details").click()


def test_a_line_goes_on_through_the_place_of_what_is_inactive_and_stops_where_there_is_no_result(
    page_at: Pages, scripted: Scripted
) -> None:
    given = [conditional(n) for n in range(12)]
    page = opened(page_at, scripted, given, CONDITIONAL)
    seen = peek(page)
    assert seen["order"] == ["opt", "mom", "layers", "kind", "loss"]
    assert seen["ticks"]["layers"] == ["1", "2", "3", "4", "inactive"]
    assert seen["ticks"]["mom"][-1] == "inactive"
    assert seen["ticks"]["kind"] == ["x", "y", "inactive"]
    brush(page, "mom", 0.0, 0.03)  # above the highest number, which is 0
    until(page, isPartial=True, isSettled=True, isPainting=False, selected=[1, 3, 5, 7, 9, 11])
    assert gaps(page) == 0
    page.get_by_role("button", name="Show all").click()
    brush(page, "kind", 0.9, 1.05)
    until(page, isPartial=True, isSettled=True, selected=[1, 5, 9])
    page.get_by_role("button", name="Show all").click()
    until(page, isPartial=False)

    scripted.send(delta([conditional(12, "FAILED"), conditional(13, "RUNNING")], since=12, seq=14))
    until(page, rows=13, isPainting=False)
    page.locator(".parallel-plot").scroll_into_view_if_needed()
    page.wait_for_function(f"() => ({_OVER})() > 0")
    assert gaps(page, "over") == 0
    page.get_by_role("button", name="Running: 0").click()  # the chosen one alone
    page.wait_for_function(f"() => ({_OVER})() === 0")
    for number, n_gaps in ((3, 0), (12, 1)):  # from the last parameter to the state
        choose(page, number)
        page.wait_for_function(f"() => ({_OVER})() > 0")
        page.wait_for_function(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => true)"
        )
        assert gaps(page, "over") == n_gaps


_OVER = """() => {
  const canvas = document.querySelector(".pplot-root canvas.over");
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.reduce((sum, part) => sum + part, 0);
}"""


def test_a_brush_stays_at_its_values_when_the_place_for_what_is_inactive_comes(
    page_at: Pages, scripted: Scripted
) -> None:
    given = [*(conditional(n) for n in range(0, 16, 2)), conditional(17, "RUNNING")]
    page = opened(page_at, scripted, given, CONDITIONAL)
    assert peek(page)["order"] == ["opt", "mom", "kind", "loss"]
    page.wait_for_function(f"() => ({_OVER})() > 0")
    assert gaps(page, "over") == 0  # there is no such place yet: it passes by
    brush(page, "mom", 0.2, 0.6)
    before = until(page, isPartial=True, isSettled=True)
    scripted.send(delta([conditional(17)], since=9, seq=10))
    after = until(page, lambda seen: "inactive" in seen["ticks"]["mom"], rows=9, isSettled=True)
    assert after["brushes"]["mom"] == pytest.approx(before["brushes"]["mom"])
    assert after["selected"] == before["selected"]


def test_trials_are_selected_by_the_keyboard_alone(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, [row(n) for n in range(16)])
    keys = page.keyboard
    page.locator(".axis-menu summary").focus()
    keys.press("Enter")
    form = page.get_by_role("form", name="Select trials by an axis")
    expect(form).to_be_visible()
    for _ in range(60):
        keys.press("Tab")
        if page.evaluate("document.activeElement.ariaLabel") == "Select by":
            break
    keys.type("depth")
    keys.press("Tab")
    keys.type("3")
    keys.press("Tab")
    scripted.send(delta([row(16, loss=50.0)], since=16, seq=17))  # all is drawn anew meanwhile
    until(page, rows=17)
    keys.type("5")
    keys.press("Enter")
    wanted = [n for n in range(17) if 3 <= 1 + n % 8 <= 5]
    assert until(page, isPartial=True, isSettled=True)["selected"] == wanted
    expect(page.locator("#shown")).to_have_text(f"{len(wanted)} of 17 shown")
    # Another brush, of choices, leaves the first one as it was typed.
    form.get_by_label("Select by").select_option("opt")
    form.get_by_label("from").select_option(index=1)
    form.get_by_role("button", name="Select", exact=True).click()
    wanted = [n for n in wanted if n % 2 == 1]
    assert until(page, isSettled=True, selected=wanted)["brushes"]["depth"] == pytest.approx([5, 3])
    keys.press("Escape")
    brush(page, "lr", 0.0, 1.0)
    until(page, lambda seen: "lr" in seen["brushes"], isSettled=True, selected=wanted)
    page.locator(".axis-menu summary").click()
    form.get_by_label("Select by").select_option("depth")
    expect(form.get_by_label("from")).to_have_value("3")
    form.get_by_label("to").fill("2")
    form.get_by_role("button", name="Select", exact=True).click()  # it is refused: less than where it begins
    assert form.get_by_label("to").evaluate("(field) => field.validationMessage") == "At least 3"
    form.get_by_role("button", name="Clear").click()
    until(page, lambda seen: "depth" not in seen["brushes"], selected=[n for n in range(17) if n % 2])
    # What is open at one end takes in what will come, whatever is brushed then.
    form.get_by_label("Select by").select_option("loss")
    form.get_by_label("from").fill("0.8")
    form.get_by_role("button", name="Select", exact=True).click()
    keys.press("Escape")
    brush(page, "depth", 0.2, 1.05)
    until(page, lambda seen: "depth" in seen["brushes"], isSettled=True)
    scripted.send(delta([row(17, loss=99.0)], since=17, seq=18))
    assert 17 in until(page, rows=18, isSettled=True)["selected"]


def test_what_is_inactive_is_selected_by_the_form_too(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, [conditional(n) for n in range(12)], CONDITIONAL, viewport=PHONE)
    page.locator(".axis-menu summary").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # the menu is in the page
    page.get_by_label("Select by").select_option("mom")
    page.get_by_label("inactive alone").check()
    page.get_by_role("button", name="Select", exact=True).click()
    until(page, isSettled=True, selected=[1, 3, 5, 7, 9, 11])
    page.get_by_label("inactive alone").uncheck()
    page.get_by_label("from").fill("-0.4")
    page.get_by_role("button", name="Select", exact=True).click()
    until(page, isSettled=True, selected=[n for n in range(0, 12, 2) if n % 7 <= 4])
    screenshot(page, "parallel-menu-phone")


def test_an_empty_plot_says_that_the_states_are_not_shown(page_at: Pages, scripted: Scripted) -> None:
    given = [row(n, "PRUNED" if n == 3 else "COMPLETE") for n in range(4)]
    scripted.opening = [snapshot(given), status(COMPLETE=3, PRUNED=1)]
    page = page_at(scripted.url)
    until(page, rows=4)
    words = page.locator("#parallel .placeholder")
    page.get_by_role("button", name="Complete: 3").click()
    expect(words).to_contain_text("Only one trial that has ended is in a state that is shown", timeout=TIMEOUT_MS)
    page.get_by_role("button", name="Pruned: 1").click()
    expect(words).to_have_text("No trial that has ended is in a state that is shown.", timeout=TIMEOUT_MS)
    page.get_by_role("button", name="Complete: 3").click()
    until(page, rows=3)
    expect(words).to_be_hidden()


def test_colours_are_told_between_the_values_that_there_are(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, [row(n, loss=0.00146 + n / 10) for n in range(8)])
    scale = page.locator(".parallel-legend .item").first
    expect(scale).to_have_text("0.001460.701")
    scripted.send(delta([row(8, loss=2.0)], since=8, seq=9))
    assert until(page, rows=9)["ends"]["loss"][1] > 2.1
    expect(scale).to_have_text("0.001462")
    scripted.send(delta([row(9, loss=2.1)], since=9, seq=10))  # there is a place for it
    expect(scale).to_have_text("0.001462.1")


@pytest.mark.parametrize("is_phone", [False, True], ids=["desktop", "phone"])
def test_the_name_of_the_last_axis_is_all_there(page_at: Pages, scripted: Scripted, is_phone: bool) -> None:
    name = "loss" if is_phone else "validation_error"
    columns = [column(f"p{n}", low=0, high=1) for n in range(4)] + [column(name, "metric", direction="minimize")]
    given = [row(n, "PRUNED" if is_phone and n == 3 else "COMPLETE", columns=columns, p0=n / 8, p1=n / 9, p2=0.5 + n / 20, p3=1 - n / 9, **{name: n}) for n in range(8)]  # fmt: skip
    page = opened(page_at, scripted, given, columns, **({"viewport": PHONE} if is_phone else {}))
    last = "state" if is_phone else name
    assert peek(page)["order"][-1] == last
    label = page.locator(".parallel-plot .label-name", has_text=last)
    cut = """(label) => {
      const scroller = document.querySelector(".parallel-scroller").getBoundingClientRect();
      return label.scrollWidth > label.clientWidth || label.getBoundingClientRect().right > scroller.right;
    }"""
    assert not label.evaluate(cut)
    if not is_phone:  # another one, with a longer name
        page.locator(".axis-menu summary").click()
        page.get_by_label("duration (s)", exact=True).check()
        page.wait_for_function("() => document.querySelectorAll('.parallel-plot .dimension').length === 6")
        page.wait_for_function(f"() => ![...document.querySelectorAll('.parallel-plot .label-name')].some({cut})")
