"""The page's head and its toolbar: how the sweep stands, the states that are shown, and what is said when there is nothing to see."""

from __future__ import annotations

import re
from typing import Any

from tests.viewer.browser import Pages, Sync, expect
from tests.viewer.scripted import Message, Scripted, column, delta, hello, row, snapshot, status

MIXED = [row(0), row(1, "PRUNED"), row(2, "FAILED"), row(3, "RUNNING"), row(4)]
COUNTS = {"COMPLETE": 2, "PRUNED": 1, "FAILED": 1, "RUNNING": 1}


def facts(page: Sync) -> dict[str, str]:
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#facts > div:not([hidden])')]"
        ".map(box => [box.children[0].textContent, box.children[1].textContent]))"
    )
    return found


def test_the_head_tells_how_the_sweep_stands(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.opening = [snapshot(MIXED), status(best=(4, 0.123456789), **COUNTS)]
    page = page_at(scripted.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("first")
    expect(page.locator("#state")).to_have_text("Running")
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuetext", "4 of 100 trials have ended")
    told = facts(page)
    assert told.pop("Elapsed").startswith("4")
    assert told.pop("Time left").startswith("≈ 5")
    assert told == {
        "Best loss (lowest)": "0.12346 · trial 4",
        "Trials ended": "4 of 100 · 4 %",
        "Running": "1 of 2",
        "Rate": "1.7/s",
        "Sampler": "tpe",
        "Pruner": "median",
        "Executor": "process",
        "Objective": "train.py",
    }


def test_a_sweep_that_has_ended_says_why_and_counts_no_time(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    ended = status("ENDED", reason="enough", COMPLETE=5, eta_s=None, rate_per_s=None, now=1_763_999_999.0)
    scripted.opening = [snapshot([row(k) for k in range(5)]), ended]
    page = page_at(scripted.url)
    expect(page.locator("#state")).to_have_text("Ended: enough")
    told = facts(page)
    assert told["Elapsed"] == "9.5 s"  # to the end of its last trial
    assert not {"Rate", "Time left", "Running"} & told.keys()


PAIR = [
    column("cost", "metric", direction="minimize"),
    column("speed", "metric", direction="maximize"),
    column("memory", "constraint"),
]


def pair(number: int, cost: float, speed: Any, memory: Any = -1, state: str = "COMPLETE") -> list[Any]:
    return row(number, state, columns=PAIR, cost=cost, speed=speed, memory=memory)


def test_of_several_directions_the_head_tells_how_many_trials_are_on_the_front(
    page_at: Pages, scripted: Scripted
) -> None:
    scripted.leave_charts_out()
    rows = [
        pair(0, 1, 1),
        pair(1, 2, 2),
        pair(2, 3, 1.5),  # beaten by 1
        pair(3, 0, 9, 0.1),  # not feasible
        pair(4, 0, 9, "NaN"),  # nor is this
        pair(5, 0, "NaN"),
        pair(6, 0, 9, state="PRUNED"),
    ]
    scripted.opening = [snapshot(rows, columns=PAIR), status(best=None, COMPLETE=6, PRUNED=1)]
    page = page_at(scripted.url)
    front = page.locator("#facts > div:not([hidden])").filter(has=page.get_by_text("Front", exact=True)).locator("dd")
    expect(front).to_have_text("2 trials")
    assert not [title for title in facts(page) if title.startswith("Best")]
    page.get_by_role("button", name="Complete: 6").click()  # whatever is shown
    scripted.send(delta([pair(7, 0, 3)], since=7, seq=8), status(best=None, COMPLETE=7, PRUNED=1))
    expect(front).to_have_text("1 trial")
    # Of a sample nobody can say.
    scripted.send(status(best=None, COMPLETE=14, PRUNED=1, stride=2))
    expect(front).to_have_count(0)


def test_a_front_is_not_counted_before_all_trials_are_there(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    first = snapshot([pair(0, 1, 1)], columns=PAIR, last=False, total=2)
    scripted.opening = [first, status(best=None, COMPLETE=2)]
    page = page_at(scripted.url, init_script="window.later = setTimeout; setTimeout = (f, ms) => later(f, ms / 20);")
    expect(page.locator("#shown")).to_have_text("1 of 2 shown")
    page.evaluate("new Promise(done => later(done, 300))")  # several times as long as counting waits here
    assert "Front" not in facts(page)
    rest = {"type": "snapshot", "sweep": "first", "epoch": "e1", "part": 1, "last": True, "seq": 2, "total": 2}
    scripted.send({**rest, "rows": [pair(1, 2, 2)]})
    expect(page.locator("#facts")).to_contain_text("2 trials")


def test_a_click_on_the_best_opens_its_details(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.url)
    page.get_by_role("button", name="0.5 · trial 0").click()
    expect(page.get_by_role("heading", name="Trial 0")).to_be_visible()


def test_a_state_that_is_switched_off_leaves_the_table_and_the_count(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.opening = [snapshot(MIXED), status(**COUNTS)]
    page = page_at(scripted.url)
    chip = page.get_by_role("button", name="Complete: 2")
    expect(chip).to_have_attribute("aria-pressed", "true")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#shown")).to_have_text("3 of 5 shown")
    expect(page.locator("#trials tbody tr")).to_have_count(3)
    scripted.send(delta([row(3)], since=5, seq=6), status(**{**COUNTS, "RUNNING": 0, "COMPLETE": 3}))
    expect(page.locator("#shown")).to_have_text("2 of 5 shown")
    page.get_by_role("button", name="Failed: 1").dblclick()
    expect(page.locator("#trials tbody tr")).to_have_count(1)
    expect(page.locator("#trials tbody")).to_contain_text("ValueError: no 2")


def test_a_sample_of_a_large_sweep_is_called_one(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.opening = [snapshot(MIXED, total=40_000), status(COMPLETE=40_000, stride=8_000)]
    page = page_at(scripted.url)
    expect(page.locator("#shown")).to_have_text("5 of 40,000 shown, from a sample")


ODD: dict[str, tuple[list[Message], str]] = {
    "no trials": ([snapshot([]), status(best=None)], "No trials yet."),
    "ended without a trial": ([snapshot([]), status("ENDED", best=None)], "The sweep ended without a trial."),
    "all failed": (
        [snapshot([row(0, "FAILED"), row(1, "FAILED")]), status(FAILED=2, best=None)],
        "All 2 trials that ended failed. ValueError: no 1 Look at trial 1",
    ),
    "failed": ([snapshot(MIXED), status("ENDED", error="OSError: disk full", **COUNTS)], "OSError: disk full"),
    "interrupted": ([snapshot(MIXED), status("INTERRUPTED", **COUNTS)], "has ended in the middle"),
    "a problem": ([snapshot(MIXED), status(problem="tensorboard: no space", **COUNTS)], "tensorboard: no space"),
}


def test_an_odd_sweep_is_explained(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.opening = []
    page = page_at(scripted.url)
    expect(page.locator("#notice")).to_contain_text("Reading the sweep")
    scripted.wait_for("open")
    for messages, text in ODD.values():
        scripted.send(*messages)
        expect(page.locator("#notice")).to_contain_text(text)
    scripted.send(snapshot(MIXED), status(**COUNTS))
    expect(page.locator("#notice")).to_be_hidden()


def test_few_columns_are_no_blank_page(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.url)
    scripted.wait_for("open")
    few: list[list[Message]] = [[], [column("only", type="constant", choices=["7"])], [column("k")]]
    for columns in few:
        scripted.send(snapshot([row(0, columns=columns)], columns=columns), status(COMPLETE=1, best=None))
        expect(page.locator("#trials thead th")).to_have_count(8 + len(columns))
        expect(page.locator("#trials tbody tr")).to_have_count(1)


def test_a_view_that_fails_leaves_the_others_alone(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.replaced["/history.js"] = b'export function mountHistory() { throw new Error("no <b>history</b>"); }'
    scripted.replaced["/curves.js"] = (
        b'export function mountCurves(e, store) { store.on("status", () => { throw new Error("no curves"); }); }'
    )
    page = page_at(scripted.url, expected=["no <b>history</b>", "no curves"])
    expect(page.locator("#history")).to_contain_text("This view failed: no <b>history</b>.")
    expect(page.locator("#curves")).to_contain_text("This view failed: no curves.")
    expect(page.locator("#trials tbody tr")).to_have_count(3)


def test_a_module_that_is_missing_is_no_blank_page(page_at: Pages, scripted: Scripted) -> None:
    scripted.missing = {"/parallel.js"}
    page = page_at(scripted.url, expected=["404"])
    expect(page.locator("#notice")).to_contain_text("a part of it is missing")
    expect(page.locator(".late")).to_have_css("animation", re.compile("3s.* appear"))  # seen after a while


def test_without_javascript_the_page_says_what_to_do(page_at: Pages, scripted: Scripted) -> None:
    page = page_at(scripted.url, java_script_enabled=False)
    expect(page.locator("noscript")).to_contain_text("asyncsweep show", use_inner_text=True)


def test_screen_readers_hear_a_new_best_but_not_each_trial(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.url)
    expect(page.locator("#spoken")).to_have_text("Sweep running, best 0.5 in trial 0.")
    page.evaluate(
        "window.heard = 0; new MutationObserver(() => heard++).observe(spoken, {childList: true, subtree: true})"
    )
    for k in range(3, 8):
        scripted.send(delta([row(k)], since=k, seq=k + 1), status(COMPLETE=k + 1, best=(k, 0.5 / k)))
    expect(page.locator("#shown")).to_have_text("8 of 8 shown")
    assert page.evaluate("heard") == 0  # the newest best is told some seconds later


def test_controls_are_there_with_the_right_to_them_alone(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.url)
    scripted.wait_until_acknowledged(2)
    expect(page.locator("#controls")).to_be_hidden()
    scripted.greeting = [hello(control=True)]
    page.reload()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
