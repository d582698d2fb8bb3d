"""The charts, in a real browser: what is drawn of which trials, and what is said where nothing is."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal

from asyncsweep.fronts import front
from tests.viewer import browser
from tests.viewer.laboratory import FRAMES, HTML, SCRIPT, Lab, curve, wait_until
from tests.viewer.scripted import COLUMNS, Message, Scripted, column, delta, row, snapshot, status

TWO = [column("error", "metric", direction="minimize"), column("speed", "metric", direction="maximize")]
RULED = [column("loss", "metric", direction="minimize"), column("memory", "constraint")]


@pytest.fixture(scope="module")
def opened(portal: BlockingPortal, chromium: browser.Sync) -> Iterator[tuple[Lab, browser.Pages]]:
    """One page for all tests here: plotly is loaded once."""
    pages = browser.Pages(chromium)
    with portal.wrap_async_context_manager(Scripted(portal)) as server:
        server.replaced |= {"/charts.html": HTML, "/lab.js": SCRIPT}
        page = pages(server.base + "charts.html", viewport={"width": 1280, "height": 1400})
        wait_until(lambda: page.evaluate("'t' in globalThis"), "the page")
        yield Lab(page), pages
        pages.close()


@pytest.fixture
def lab(opened: tuple[Lab, browser.Pages]) -> Iterator[Lab]:
    lab, pages = opened
    lab.page.mouse.move(2, 2)
    lab.evaluate("fresh()")
    yield lab
    assert pages.unexpected == []


def losses(*values: Any, **fields: Any) -> list[list[Any]]:
    return [row(number, loss=value, **fields) for number, value in enumerate(values)]


# -- history -------------------------------------------------------------------------------------------------------------


def test_each_state_has_its_marks_and_the_best_so_far_its_line(lab: Lab) -> None:
    lab.take(
        snapshot(
            [
                row(0, loss=0.5),
                row(1, "FAILED", value=0.1),
                row(2, "PRUNED", value=0.2, step=3),
                row(3, loss=0.7),
                row(4, loss=0.3),
                row(5, "RUNNING", value=0.25),
                row(6, "WAITING", value=None),
                row(7, "PRUNED", value=None),
                row(8, "CANCELLED", value=0.35),
                row(9, "CANCELLED", value=None),
            ]
        )
    )
    traces = lab.traces("history")
    assert {uid: list(zip(trace["x"], trace["y"], strict=True)) for uid, trace in traces.items()} == {
        "COMPLETE": [(0, 0.5), (3, 0.7), (4, 0.3)],
        "PRUNED": [(2, 0.2)],
        "RUNNING": [(5, 0.25)],
        "FAILED-axis": [(1, 0.02)],
        "CANCELLED": [(8, 0.35)],
        "PRUNED-axis": [(7, 0.02)],
        "CANCELLED-axis": [(9, 0.02)],
        "best": [(0, 0.5), (4, 0.3), (9, 0.3)],
    }
    assert lab.page.locator("#history .chart-legend li").all_inner_texts() == [
        "Complete",
        "Pruned, last report",
        "Cancelled, last report",
        "Running, last report",
        "Pruned, no value",
        "Failed, no value",
        "Cancelled, no value",
        "Best so far",
    ]
    label = lab.page.locator("#history .chart-plot").get_attribute("aria-label")
    assert "loss, to minimize. 3 complete, 2 pruned, 1 running, 2 cancelled, 1 failed." in label
    assert label.endswith("The best so far is 0.3, of trial 4.")


def test_over_time_a_trial_stands_where_it_ended(lab: Lab) -> None:
    began = 1_763_800_000.0
    rows = [
        row(0, loss=0.5, started_at=began, duration_s=90),
        row(1, loss=0.4, started_at=began + 10, duration_s=20),
        row(2, loss=0.3, started_at=None),
    ]
    lab.take(snapshot(rows), status(started_at=began))
    lab.page.get_by_label("Over").select_option("time")
    lab.settle()
    assert lab.trace("history", "COMPLETE")["x"] == [30, 90]
    # The earlier one is better: the later one changes nothing.
    assert lab.trace("history", "best")["y"] == [0.4, 0.4]
    assert lab.note("history") == "1 without a time"


def test_an_infeasible_trial_is_marked_as_one_and_never_the_best(lab: Lab) -> None:
    rows = [
        row(k, columns=RULED, loss=loss, memory=memory) for k, (loss, memory) in enumerate([(3, 0), (1, 2), (2, -1)])
    ]
    lab.take(snapshot(rows, columns=RULED))
    assert lab.trace("history", "INFEASIBLE")["numbers"] == [1]
    assert lab.trace("history", "best")["y"] == [3, 2, 2]


def test_what_cannot_be_drawn_is_left_out_and_counted(lab: Lab) -> None:
    lab.take(snapshot(losses("NaN", "Infinity", "-Infinity", 1e308, -1e308, 1e300, -1e300, str(2**60), 5e-324)))
    assert [float(y) for y in lab.trace("history", "COMPLETE")["y"]] == [1e300, -1e300, float(2**60), 5e-324]
    assert lab.note("history") == "5 NaN, infinite or beyond 1e300"
    assert "The best so far is -Infinity, of trial 2." in lab.page.locator("#history .chart-plot").get_attribute(
        "aria-label"
    )
    paths = "[...t.history.host.querySelectorAll('path')].map((path) => path.outerHTML).join()"
    assert "NaN" not in lab.evaluate(paths)


def test_a_zoom_survives_updates(lab: Lab) -> None:
    lab.take(snapshot(losses(*[0.5 + k % 3 for k in range(40)])))
    lab.page.mouse.move(*lab.point("history", 5))
    area = lab.page.locator("#history .nsewdrag").first.bounding_box()
    lab.page.mouse.move(area["x"] + 60, area["y"] + 40)
    lab.page.mouse.down()
    lab.page.mouse.move(area["x"] + 200, area["y"] + 160, steps=4)
    # What comes during the drag waits for its end.
    lab.evaluate(
        "message => { t.history.drawnAt = -1e9; t.store.take(message) }", delta([row(40, loss=0.6)], since=40, seq=41)
    )
    lab.evaluate(FRAMES)
    assert lab.evaluate("t.history.isDirty")
    lab.page.mouse.move(area["x"] + 260, area["y"] + 200, steps=4)
    lab.page.mouse.up()
    wait_until(lambda: lab.evaluate("t.history.host._fullLayout.xaxis.autorange === false"), "the zoom")
    lab.settle()
    zoomed = lab.layout("history")
    for number in (41, 42):
        lab.take(delta([row(number, loss=9)], since=number, seq=number + 1))
    assert lab.layout("history") == zoomed
    assert lab.trace("history", "COMPLETE")["numbers"] == list(range(43))


def test_selection_filter_and_choice_are_followed(lab: Lab) -> None:
    lab.take(snapshot([*losses(0.5, 0.4, 0.3), row(3, "PRUNED", value=0.2), row(4, "FAILED")]))
    lab.evaluate("t.store.select([1, 4])")
    lab.settle()
    assert lab.trace("history", "COMPLETE")["marker"]["opacity"] == [0.12, 0.9, 0.12]
    lab.evaluate("t.store.show(['COMPLETE']); t.store.choose(2)")
    lab.settle()
    assert list(lab.traces("history")) == ["COMPLETE", "best", "chosen"]
    assert lab.trace("history", "chosen")["y"] == [0.3]
    lab.evaluate("t.store.show(['CANCELLED'])")
    lab.settle()
    assert lab.words("history") == lab.words("curves") == "No trial is in one of the states that are shown."


MANY = (
    "(message, n, cells) => { const rows = Array.from({ length: n }, (_, k) => [k, 'COMPLETE', 1, null, null, 1, 1, null, ...cells(k)]);"
    "t.store.take({ ...message, rows }) }"
)


def by_thousands(numbers: Any) -> list[int]:
    counts = Counter(number // 1000 for number in numbers)
    return [counts[k] for k in range(max(counts) + 1)]


def test_of_very_many_trials_an_even_share_is_drawn_with_the_best_and_the_chosen(lab: Lab) -> None:
    cells = "(k) => [null, null, null, null, { 7: 1.5, 5000: 1 }[k] ?? 2 + (k % 100)]"
    lab.evaluate(f"message => {{ t.store.choose(3); ({MANY})(message, 12000, {cells}) }}", snapshot([]))
    lab.settle()
    drawn = lab.trace("history", "COMPLETE")["numbers"]
    assert {0, 3, 7, 5000, 11_999} <= set(drawn)
    assert 1000 < len(drawn) <= 5000
    # Neither those that came last nor all of the worst are a crowd.
    assert max(by_thousands(drawn)) - min(by_thousands(drawn)) <= 6
    assert lab.trace("history", "COMPLETE")["y"].count(101) < 60
    assert lab.note("history") == f"{len(drawn):,} of 12,000 drawn"
    assert lab.page.locator("#history .points path").count() == len(drawn) + 1
    # The same ones again.
    lab.take(delta([row(12_000, loss=3)], since=1, seq=2))
    assert set(drawn) - set(lab.trace("history", "COMPLETE")["numbers"]) <= {11_999}
    # And of too many selected ones an even share too.
    lab.evaluate("t.store.select(Array.from({ length: 6000 }, (_, k) => 2 * k))")
    lab.settle()
    selected = [k for k in lab.trace("history", "COMPLETE")["numbers"] if k % 2 == 0]
    assert 1000 < len(selected) <= 3000
    assert max(by_thousands(selected)[:12]) - min(by_thousands(selected)[:12]) <= 12


def test_of_very_many_trials_the_trade_off_has_the_front_and_an_even_share(lab: Lab) -> None:
    # The selected are half of all, and all from 5,000 to 5,999 are on the front.
    cells = "(k) => (k >= 5000 && k < 6000 ? [k, k] : [9000 + (k % 50), k % 70])"
    lab.evaluate(f"message => ({MANY})(message, 12000, {cells})", snapshot([], columns=TWO))
    lab.evaluate("t.store.select(Array.from({ length: 6000 }, (_, k) => 2 * k))")
    lab.settle()
    assert lab.trace("pareto", "FRONT")["numbers"] == list(range(5000, 6000))
    others = by_thousands(lab.trace("pareto", "COMPLETE")["numbers"])
    assert others[5] == 0
    assert 50 < min(others[:5] + others[6:]) + 12 >= max(others)


CALM = "for (const chart of [t.history, t.pareto]) { clearTimeout(chart.calm); chart.calm = null; }"


def test_while_trials_come_quickly_fewer_marks_are_drawn_and_all_once_the_sweep_has_ended(lab: Lab) -> None:
    lab.settle()
    lab.evaluate(f"message => ({MANY})(message, 1600, (k) => [k, -k])", snapshot([], columns=TWO))
    lab.take(status("RUNNING"))
    # Whether the page was quick enough to draw "No trials yet." before those came is not what this is about.
    lab.evaluate(CALM)

    def come(number: int, drawn_at: str, then: str) -> None:
        script = "message => {{ t.history.drawnAt = t.pareto.drawnAt = {}; t.store.take(message); {} }}"
        message = delta([row(number, columns=TWO, error=9, speed=-9)], since=number, seq=number + 1)
        lab.evaluate(script.format(drawn_at, then), message)
        lab.settle()

    def drawn() -> list[int]:
        return [len(lab.trace(chart, "COMPLETE")["numbers"]) for chart in ("history", "pareto")]

    # A trial now and then is drawn with all others.
    come(1600, "-1e9", "")
    assert drawn() == [1601, 1600]
    # Another one before the next drawing may be; it does not become calm again while this looks.
    come(1601, "performance.now()", "for (const chart of [t.history, t.pareto]) clearTimeout(chart.calm)")
    assert max(drawn()) <= 1500
    assert lab.note("history").endswith("of 1,602 drawn")
    lab.take(status("ENDED"))
    assert drawn() == [1602, 1601]


def test_values_over_many_decades_are_drawn_on_a_logarithmic_axis_until_the_user_says_otherwise(lab: Lab) -> None:
    lab.take(snapshot(losses(*[10.0 ** (k % 5) for k in range(20)])))
    switch = lab.page.locator("#history").get_by_label("Log")
    assert lab.layout("history")["y"][0] == "log"
    switch.uncheck()
    lab.take(delta([row(20, loss=1e5)], since=20, seq=21))
    assert lab.layout("history")["y"][0] == "linear"
    lab.take(snapshot(losses(-1, -2, -3)))
    assert not switch.is_visible()


def test_few_far_values_are_cut_off_and_counted(lab: Lab) -> None:
    lab.take(snapshot(losses(*[k % 7 - 3 for k in range(40)], 1e12)))
    assert lab.layout("history")["y"][1][1] < 50
    assert lab.note("history") == "1 beyond the axis"
    lab.page.get_by_label("Cut outliers").uncheck()
    lab.settle()
    assert lab.layout("history")["y"][1][1] > 1e12


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        ([], COLUMNS, "No trials yet."),
        ([row(0, "WAITING")], COLUMNS, "No values yet."),
        (
            [row(0, "RUNNING", value=None), row(1, "RUNNING", value=None)],
            COLUMNS,
            "No values yet: 2 trials are running.",
        ),
        ([row(0, "FAILED"), row(1, "FAILED")], COLUMNS, "No values: all 2 trials failed."),
        ([row(0, "FAILED"), row(1, "WAITING")], COLUMNS, "No values yet."),
        ([row(0, "FAILED"), row(1, "CANCELLED", value=None)], COLUMNS, "No values: all 2 trials ended without one."),
        ([row(0, "CANCELLED", value=None)], COLUMNS, "No values: the only trial was cancelled."),
        (losses("NaN", "Infinity"), COLUMNS, "No value can be drawn: all 2 are NaN, infinite or beyond 1e300."),
        ([row(0, columns=[])], [], "No values yet, and no metric."),
    ],
    ids=["none", "waiting", "running", "failed", "failed-and-waiting", "ended", "cancelled", "nan", "no-metric"],
)
def test_where_there_is_no_value_it_is_said_why(lab: Lab, rows: Any, columns: Any, words: str) -> None:
    lab.take(snapshot(rows, columns=columns))
    assert lab.words("history").startswith(words)
    assert lab.words("curves") != ""


def test_one_trial_and_a_constant_are_drawn(lab: Lab) -> None:
    lab.take(snapshot(losses(0.5)))
    assert lab.trace("history", "COMPLETE")["y"] == [0.5]
    lab.take(snapshot(losses(*[0.5] * 9)))
    low, high = lab.layout("history")["y"][1]
    assert low < 0.5 < high


def test_columns_of_one_name_are_told_apart(lab: Lab) -> None:
    columns = [column("loss"), column("loss", "metric", key="metric:loss", direction="minimize")]
    rows = [[k, "COMPLETE", 1, None, None, 1, 0.5, None, k / 10, 1 + k / 10] for k in range(3)]
    lab.take(snapshot(rows, columns=columns))
    lab.take_curves(*[curve(k, [1, 2]) for k in range(3)])
    titles = "[...document.querySelectorAll('.ytitle')].map((title) => title.textContent)"
    assert lab.evaluate(titles) == ["metric:loss", "metric:loss"]
    label = lab.page.locator("#history .chart-plot").get_attribute("aria-label")
    assert "metric:loss, to minimize." in label
    lab.page.mouse.move(*lab.point("history", 1))
    tip = lab.page.locator("#history .chart-tip")
    browser.expect(tip.locator("dt")).to_have_text(["metric:loss", "loss"])
    browser.expect(tip.locator("dd")).to_have_text(["1.1", "0.1"])


def test_metrics_that_are_called_as_parameters_are_told_apart_in_the_trade_off(lab: Lab) -> None:
    objectives = [column(x, "metric", key=f"metric:{x}", direction="minimize") for x in ("a", "b", "c")]
    columns = [column("a"), *objectives]
    lab.take(snapshot([[0, "COMPLETE", 1, None, None, None, None, None, 0.5, 1, 2, 3]], columns=columns))
    titles = "[...document.querySelectorAll('#pareto .xtitle, #pareto .ytitle')].map((title) => title.textContent)"
    assert [title.split(",")[0] for title in lab.evaluate(titles)] == ["metric:a", "metric:b"]
    options = lab.page.get_by_label("Across", exact=True).locator("option").all_inner_texts()
    assert options == ["metric:a", "metric:b", "metric:c"]


def test_a_text_is_told_from_a_number_where_one_points(lab: Lab) -> None:
    columns = [column("seed", type="any"), column("loss", "metric", direction="minimize")]
    rows = [[k, "COMPLETE", 1, None, None, None, None, None, cell, k] for k, cell in enumerate(["3", 3, 4])]
    lab.take(snapshot(rows, columns=columns))
    tip = lab.page.locator("#history .chart-tip")
    for place, words in enumerate(['"3"', "3"]):
        lab.page.mouse.move(*lab.point("history", place))
        browser.expect(tip.locator("dt:text-is('seed') + dd")).to_have_text(words)


# -- texts of others -----------------------------------------------------------------------------------------------------

HOSTILE = '<b>x</b><img src=x onerror="alert(1)"><a href="javascript:alert(2)">l</a>&lt;i&gt; $a$ %{x}<br>'


def test_names_and_values_show_as_they_are(lab: Lab) -> None:
    columns = [
        column(HOSTILE, "metric", direction="minimize"),
        column("__proto__", "metric", direction="maximize"),
        column("constructor", type="category", choices=[HOSTILE]),
        column("🙂" * 5000, "metric", direction="minimize"),
    ]
    rows = [[k, "COMPLETE", 1, None, None, None, None, None, k, -k, 0, 1] for k in range(5)]
    lab.take(snapshot(rows, columns=columns))
    titles = "[...document.querySelectorAll('.xtitle, .ytitle')].map((title) => title.textContent)"
    start = HOSTILE[:30]
    assert [title.startswith(start) for title in lab.evaluate(titles)] == [False, True, True, False]
    assert lab.evaluate(titles)[3].startswith("__proto__, more is better")
    lab.page.mouse.move(*lab.point("history", 2))
    tip = lab.page.locator("#history .chart-tip")
    browser.expect(tip).to_contain_text(HOSTILE[:59])
    assert lab.evaluate("document.querySelectorAll('main img, main b, main a[href], main svg a, main i').length") == 0


# -- pointing and pressing -----------------------------------------------------------------------------------------------


def test_pointing_tells_what_a_trial_is_and_a_click_chooses_it(lab: Lab) -> None:
    lab.take(snapshot([*losses(0.5, 0.4), row(2, "PRUNED", value=0.45, step=7)]))
    where = lab.point("history", 0)
    lab.page.mouse.move(*where)
    tip = lab.page.locator("#history .chart-tip")
    browser.expect(tip.locator("strong")).to_have_text("Trial 2: pruned")
    browser.expect(tip).to_contain_text("last report0.45 at step 7")
    browser.expect(tip).to_contain_text("optsgd")
    lab.page.mouse.click(*where)
    wait_until(lambda: lab.evaluate("t.store.chosen === 2"), "the choice")
    lab.page.mouse.move(2, 2)
    browser.expect(tip).to_be_hidden()


def test_the_buttons_of_a_chart_lead_nowhere_else(lab: Lab) -> None:
    lab.take(snapshot(losses(0.5, 0.4)))
    buttons = lab.page.locator("#history .modebar-btn")
    names = "[...t.history.host.querySelectorAll('.modebar-btn')].map(({ dataset }) => (dataset.attr ? dataset.attr + dataset.val : 'download'))"
    assert lab.evaluate(names) == [
        "dragmodezoom",
        "dragmodepan",
        "zoomreset",
        "download",
    ]
    lab.point("history", 0)
    lab.page.locator("#history .chart-plot").hover()
    with lab.page.expect_download() as download:
        buttons.last.click()
    assert download.value.suggested_filename == "chart.svg"


def test_a_switch_of_theme_recolours(lab: Lab) -> None:
    lab.take(snapshot(losses(0.5)))
    before = lab.trace("history", "COMPLETE")["marker"]["color"]
    lab.evaluate("document.documentElement.dataset.theme = 'dark'; t.store.setTheme('dark')")
    lab.settle()
    after = lab.trace("history", "COMPLETE")["marker"]["color"]
    lab.evaluate("delete document.documentElement.dataset.theme")
    assert before.startswith("rgb(") and after.startswith("rgb(") and before != after


def test_a_burst_of_updates_is_drawn_once(lab: Lab) -> None:
    lab.take(snapshot(losses(0.5)))
    before = lab.evaluate("t.history.drawn")
    lab.take(*[delta([row(k, loss=0.5)], since=k, seq=k + 1) for k in range(1, 60)])
    assert len(lab.trace("history", "COMPLETE")["x"]) == 60
    assert lab.evaluate("t.history.drawn") == before + 1


def test_a_chart_out_of_sight_is_drawn_when_it_comes_near(lab: Lab) -> None:
    lab.evaluate("t.history.section.style.marginTop = '6000px'")
    wait_until(lambda: lab.evaluate("!t.history.isNear"), "the chart out of sight")
    before = lab.evaluate("t.history.drawn")
    lab.take(snapshot(losses(0.5)))
    assert lab.evaluate("[t.history.drawn, t.history.isDirty]") == [before, True]
    lab.evaluate("t.history.section.scrollIntoView()")
    wait_until(lambda: lab.evaluate("!t.history.isDirty"), "its drawing")
    lab.settle()
    assert lab.trace("history", "COMPLETE")["y"] == [0.5]
    lab.evaluate("scrollTo(0, 0)")


# -- curves --------------------------------------------------------------------------------------------------------------


def test_watched_are_the_chosen_the_best_the_running_and_then_the_selected(lab: Lab) -> None:
    rows = [row(k, loss=k, started_at=1e9 + k, duration_s=1) for k in range(200)] + [
        row(k, "RUNNING") for k in range(200, 240)
    ]
    lab.take(snapshot(rows))
    wait_until(lambda: lab.evaluate("t.watched.length") == 1, "the watch")
    best, running, latest = list(range(5)), list(range(239, 209, -1)), list(range(199, 187, -1))
    assert lab.evaluate("t.watched.at(-1)") == [*best, *running, *latest]
    lab.evaluate("t.store.select(Array.from({ length: 100 }, (_, k) => 50 + k)); t.store.choose(120)")
    wait_until(lambda: lab.evaluate("t.watched.length") == 2, "another watch")
    assert lab.evaluate("t.watched.at(-1)") == [120, *best, *running, *range(50, 78)]


def test_a_curve_grows_and_begins_anew_with_a_new_attempt(lab: Lab) -> None:
    lab.take(snapshot([row(0, "RUNNING"), row(1, "PRUNED")]))
    lab.take_curves(curve(0, [5, 4, "NaN", 3]), curve(1, [6, 7]))
    assert lab.trace("curves", "curve-0")["y"] == [5, 4, None, 3]
    assert [lab.trace("curves", f"curve-{k}")["line"]["dash"] for k in (0, 1)] == ["solid", "dash"]
    assert lab.note("curves") == "2 curves · 1 report NaN, infinite or beyond 1e300"
    lab.take_curves(curve(0, [2], steps=[4], **{"from": 4}))
    assert lab.trace("curves", "curve-0")["y"] == [5, 4, None, 3, 2]
    assert lab.trace("curves", "heads")["y"] == [2]
    lab.take_curves(curve(0, [9, 8], steps=[5, 1], attempt=2))
    assert lab.trace("curves", "curve-0")["x"] == [5, 1]
    assert lab.trace("curves", "curve-0")["y"] == [9, 8]


def test_curves_are_told_apart_by_their_colours(lab: Lab) -> None:
    lab.take(snapshot([*(row(k, loss=k) for k in range(80)), *(row(k, "RUNNING") for k in range(80, 84))]))
    wait_until(lambda: lab.evaluate("t.watched.length"), "the watch")
    before = lab.evaluate("t.watched.at(-1)")
    lab.take_curves(*[curve(k, [k, k]) for k in before])
    colours = {uid: trace["line"]["color"] for uid, trace in lab.traces("curves").items() if uid.startswith("curve-")}
    lab.evaluate("t.store.select(Array.from({ length: 60 }, (_, k) => 10 + k))")
    wait_until(lambda: lab.evaluate("t.watched.length") == 2, "another watch")
    lab.take_curves(*[curve(k, [k, k]) for k in lab.evaluate("t.watched.at(-1)")])
    after = {uid: trace["line"]["color"] for uid, trace in lab.traces("curves").items() if uid.startswith("curve-")}
    assert {uid for uid in after if uid in colours} == {f"curve-{k}" for k in [0, 1, 2, 3, 4, 80, 81, 82, 83]}
    assert all(colours.get(uid, colour) == colour for uid, colour in after.items())
    used = Counter(after[f"curve-{k}"] for k in range(10, 65))
    assert len(used) == 10 and max(used.values()) - min(used.values()) <= 1
    named = "[...document.querySelectorAll('#curves .chart-legend path')].map((path) => path.getAttribute('stroke'))"
    assert len(set(lab.evaluate(named))) == len(lab.evaluate(named)) == 10
    # Whichever is chosen keeps its colour, and the best ones another.
    widths = "uid => t.curves.host.data.find((trace) => trace.uid === uid).line.width"
    for number in (20, 21, 4, 0):
        uid = f"curve-{number}"
        colour = lab.trace("curves", uid)["line"]["color"]
        lab.evaluate("number => t.store.choose(number)", number)
        wait_until(partial(lab.evaluate, f"({widths})('{uid}') === 3.6"), "the choice")
        lab.settle()
        assert lab.trace("curves", uid)["line"]["color"] == colour
        assert len(set(lab.evaluate(named))) == len(lab.evaluate(named)) >= 9


def test_a_value_between_gaps_is_a_mark(lab: Lab) -> None:
    lab.take(snapshot([row(k) for k in range(4)]))
    lab.take_curves(
        curve(0, ["NaN", 3, "Infinity"]),
        curve(1, ["NaN", 1, "NaN", 2, 4, "NaN", 5]),
        curve(2, [7]),
        curve(3, [1, 2]),
    )
    marks = lab.trace("curves", "marks")
    assert sorted(zip(marks["numbers"], marks["x"], marks["y"], strict=True)) == [
        (0, 1, 3),
        (1, 1, 1),
        (1, 6, 5),
        (2, 0, 7),
    ]
    own = [lab.trace("curves", f"curve-{k}")["line"]["color"] for k in marks["numbers"]]
    assert marks["marker"]["color"] == own
    assert lab.page.locator("#curves .points path").count() == 4


def test_long_curves_are_drawn_in_outline(lab: Lab) -> None:
    lab.take(snapshot([row(k) for k in range(4)]))
    values = [k % 10 for k in range(9000)]
    values[4321] = 500
    lab.take_curves(*[curve(k, values) for k in range(3)], curve(3, [1, 2, 3]))
    lengths = {uid: len(trace["y"]) for uid, trace in lab.traces("curves").items()}
    assert lengths["curve-3"] == 3
    assert sum(lengths.values()) <= 5000
    first = lab.trace("curves", "curve-0")
    assert (first["x"][0], first["x"][-1], max(first["y"]), first["x"][first["y"].index(500)]) == (0, 8999, 500, 4321)


def test_the_keyboard_reaches_a_curve_by_its_name(lab: Lab) -> None:
    lab.take(snapshot(losses(0.5, 0.4)))
    lab.take_curves(curve(0, [1, 2]), curve(1, [2, 1]))
    lab.page.locator("#curves").get_by_role("button", name="0 best").focus()
    lab.page.keyboard.press("Enter")
    wait_until(lambda: lab.evaluate("t.store.chosen === 0"), "the choice")
    lab.settle()
    assert lab.evaluate("document.activeElement.textContent").startswith("0 ")


def test_an_objective_without_reports_is_told_so(lab: Lab) -> None:
    lab.take(snapshot([row(0, "RUNNING", value=None, step=None)]))
    assert lab.words("curves").startswith("No reports yet.")
    lab.take(delta([row(0, value=None, step=None)], since=1, seq=2))
    wait_until(lambda: lab.words("curves").startswith("This objective reports no intermediate values."), "the words")


# -- trade-off -----------------------------------------------------------------------------------------------------------


def test_with_one_metric_there_is_no_trade_off(lab: Lab) -> None:
    lab.take(snapshot(losses(0.5)))
    assert lab.page.locator("#pareto").is_hidden()


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([], "No trial is in one of the states that are shown."),
        (["WAITING"], "No trial is in one of the states that are shown."),
        (["RUNNING"], "Only complete trials can be compared, and they are not shown."),
    ],
)
def test_where_nothing_is_shown_the_trade_off_says_so(lab: Lab, states: list[str], words: str) -> None:
    lab.take(snapshot([row(0, columns=TWO, error=1, speed=2), row(1, "RUNNING", columns=TWO)], columns=TWO))
    lab.evaluate("states => t.store.show(states)", states)
    lab.settle()
    assert lab.words("pareto") == words


def test_the_front_is_that_of_the_feasible_complete_trials(lab: Lab) -> None:
    columns = [*TWO, column("memory", "constraint")]
    numbers = random.Random(3)
    values = [(numbers.randrange(9), numbers.randrange(9), numbers.choice([-1, 1])) for _ in range(60)]
    rows = [[k, "COMPLETE", 1, None, None, None, None, None, *value] for k, value in enumerate(values)]
    lab.take(snapshot(rows, columns=columns))
    feasible = [(k, (error, -speed)) for k, (error, speed, memory) in enumerate(values) if memory < 0]
    best = front([point for _, point in feasible])
    assert sorted(lab.trace("pareto", "FRONT")["numbers"]) == [k for k, point in feasible if point in best]
    assert lab.trace("pareto", "INFEASIBLE")["numbers"] == [k for k, value in enumerate(values) if value[2] > 0]


def test_of_three_metrics_two_are_chosen_and_the_front_is_that_of_all(lab: Lab) -> None:
    columns = [*TWO, column("size", "metric", direction="minimize")]
    cells = [(1, 5, 9), (2, 4, 1), (3, 3, 2)]
    lab.take(
        snapshot([[k, "COMPLETE", 1, None, None, None, None, None, *c] for k, c in enumerate(cells)], columns=columns)
    )
    assert lab.trace("pareto", "FRONT")["numbers"] == [0, 1]
    lab.page.get_by_label("Up", exact=True).select_option("size")
    lab.settle()
    assert lab.trace("pareto", "FRONT")["y"] == [9, 1]


def test_fronts_of_all_kinds_are_those_of_the_result(lab: Lab) -> None:
    numbers = random.Random(1)
    cases: list[Message] = []
    for _ in range(300):
        size = numbers.choice([2, 3, 4])
        points = [[numbers.choice([0, 1, 2, 3, 9e99]) for _ in range(size)] for _ in range(numbers.randrange(25))]
        cases.append({"points": points, "directions": [numbers.choice(["minimize", "maximize"]) for _ in range(size)]})
    found = lab.evaluate(
        "async (cases) => { const { front } = await import('./series.js'); "
        "return cases.map(({ points, directions }) => front(points, directions)) }",
        cases,
    )
    for case, places in zip(cases, found, strict=True):
        signs = [-1 if direction == "maximize" else 1 for direction in case["directions"]]
        costs = [tuple(s * v for s, v in zip(signs, point, strict=True)) for point in case["points"]]
        best = front(costs)
        assert places == [place for place, point in enumerate(costs) if point in best]
