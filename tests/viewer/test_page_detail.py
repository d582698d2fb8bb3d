"""A trial's details: what is shown of it, its log, and how the drawer is used."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.viewer.browser import PHONE, Pages, expect, expect_focused, screenshot
from tests.viewer.scripted import Message, Scripted, delta, hello, row, snapshot, status

TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 3\n\x1b[31mValueError\x1b[0m: no'


def detail(number: int, state: str = "COMPLETE", **fields: Any) -> Message:
    made = {
        "number": number,
        "state": state,
        "attempt": 1,
        "worker": "process-1",
        "external": False,
        "params": [["lr", 0.001, "0.001"], ["opt", "adam", "adam"]],
        "metrics": [["loss", 0.25, "0.25"]],
        "constraints": [],
        "user_attrs": {},
        "usage": [],
        "reports": [9],
        "asked_at": 1_763_800_000.0,
        "started_at": 1_763_800_001.0,
        "finished_at": 1_763_800_004.0,
        "error": None,
        "failures": [],
        "feasible": True,
    }
    return {"detail": {**made, **fields}}


def log(text: str, *, offset: int = 0, is_over: bool = True, **fields: Any) -> Message:
    end = offset + len(text.encode())
    return {
        "offset": offset,
        "next_offset": end,
        "left_out": 0,
        "total": end,
        "is_over": is_over,
        "text": text,
        **fields,
    }


def test_a_trial_is_shown_in_full(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    failures = [{"type": "OSError", "message": "gone", "traceback": ""}]
    error = {"type": "ValueError", "message": "no <b>good</b>", "traceback": TRACEBACK}
    attrs = {"note": "<i>x</i>", "__proto__": 3, "nested": {"a": [1]}}
    usage = [["gpu_memory_gib", 1.5, "1.5"], ["gpu_utilisation_mean", 0.25, "0.25"]]
    scripted.answers["trial"] = lambda question: detail(
        question["trial"], "FAILED", attempt=2, error=error, failures=failures, user_attrs=attrs, usage=usage
    )
    scripted.answers["log"] = lambda question: log("\x1b[1mepoch 1\x1b[0m\r\n10%\r50%\r100%\nbell\x07\n")
    scripted.opening = [snapshot([row(0), row(1, "FAILED", attempt=2)]), status(COMPLETE=1, FAILED=1)]
    page = page_at(scripted.url)
    page.locator("tr[data-number='1']").click()
    drawer = page.locator("#detail")
    expect_focused(drawer.get_by_role("heading", name="Trial 1"))
    for text in (
        "ValueError: no <b>good</b>",
        "Attempt 1 failed",
        "OSError: gone",
        "0.001",
        "adam",
        "0.25",
        "process-1",
        "Usage",
        "gpu memory (GiB)",
        "gpu utilisation mean",
    ):
        expect(drawer).to_contain_text(text)
    expect(drawer.locator("details pre")).to_have_text(TRACEBACK.replace("\x1b[31m", "").replace("\x1b[0m", ""))
    expect(drawer.get_by_role("row", name="note")).to_contain_text("<i>x</i>")
    expect(drawer.get_by_role("row", name="__proto__")).to_contain_text("3")
    expect(drawer.get_by_role("row", name="nested")).to_contain_text('{"a":[1]}')
    expect(drawer.get_by_role("log")).to_have_text("epoch 1\n100%\nbell\u2407\n")
    assert scripted.wait_for("ask", what="log")["attempt"] == 2


def test_the_log_of_a_running_trial_is_followed_until_the_details_are_closed(
    page_at: Pages, scripted: Scripted
) -> None:
    scripted.leave_charts_out()
    said = iter(["one\n", "tw", "o\n", "three\n"])

    def answer(question: Message) -> Message:
        return log(next(said, ""), offset=max(0, question["offset"]), is_over=False)

    scripted.answers |= {"log": answer, "trial": lambda question: detail(0, "RUNNING", finished_at=None)}
    scripted.opening = [snapshot([row(0, "RUNNING")]), status(RUNNING=1)]
    page = page_at(scripted.url, init_script="window.later = setTimeout; setTimeout = (f, ms) => later(f, ms / 20);")
    page.locator("tr[data-number='0']").click()
    expect(page.get_by_role("log")).to_have_text("one\ntwo\nthree\n")
    assert [question["offset"] for question in scripted.asked("log")][:4] == [-32768, 4, 6, 8]
    page.get_by_role("button", name="Close the details").click()
    expect(page.locator("#detail")).to_be_hidden()
    asked = len(scripted.asked("log"))
    page.evaluate("new Promise(done => later(done, 300))")  # three times as long as a turn takes here
    assert len(scripted.asked("log")) <= asked + 1


def test_a_log_that_is_over_is_read_once(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.answers |= {"trial": lambda question: detail(0), "log": lambda question: log("all\n")}
    page = page_at(scripted.url, init_script="window.later = setTimeout; setTimeout = (f, ms) => later(f, ms / 20);")
    page.locator("tr[data-number='0']").click()
    expect(page.get_by_role("log")).to_have_text("all\n")
    page.evaluate("new Promise(done => later(done, 300))")
    assert len(scripted.asked("log")) == 1


def test_a_trial_that_changes_is_read_again(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.answers["trial"] = lambda question: detail(0, "RUNNING", metrics=[], finished_at=None)
    scripted.answers["log"] = lambda question: log("")
    scripted.opening = [snapshot([row(0, "RUNNING")]), status(RUNNING=1)]
    page = page_at(scripted.url)
    page.locator("tr[data-number='0']").click()
    expect(page.locator("#detail")).to_contain_text("adam")
    scripted.answers["trial"] = lambda question: detail(0, metrics=[["loss", 0.77, "0.77"]])
    scripted.send(delta([row(0, loss=0.77)], since=1, seq=2), status(COMPLETE=1))
    expect(page.locator("#detail")).to_contain_text("0.77")
    expect(page.locator("#detail")).to_contain_text("Complete")


def test_before_and_after_follow_the_order_of_the_table(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.answers |= {"trial": lambda question: detail(question["trial"]), "log": lambda question: log("")}
    scripted.opening = [snapshot([row(k, loss=v) for k, v in enumerate([0.3, 0.1, 0.2])]), status(COMPLETE=3)]
    page = page_at(scripted.url)
    page.get_by_role("columnheader", name="loss").get_by_role("button").click()
    page.locator("tr[data-number='1']").click()
    expect(page.get_by_role("button", name="Trial before")).to_be_disabled()
    page.get_by_role("button", name="Next trial").click()
    expect(page.get_by_role("heading", name="Trial 2")).to_be_visible()
    page.get_by_role("button", name="Next trial").click()
    expect(page.get_by_role("heading", name="Trial 0")).to_be_visible()
    expect(page.get_by_role("button", name="Next trial")).to_be_disabled()
    expect(page.locator("tr[data-number='0']")).to_have_class("best chosen")


def test_parameters_are_copied_as_json(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    params = [["lr", 0.001, "0.001"], ["__proto__", "x", "x"]]
    scripted.answers |= {"trial": lambda question: detail(0, params=params), "log": lambda question: log("")}
    page = page_at(scripted.url, permissions=["clipboard-read", "clipboard-write"])
    page.locator("tr[data-number='0']").click()
    page.get_by_role("button", name="Copy as JSON").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == {"lr": 0.001, "__proto__": "x"}


def test_a_text_is_told_from_a_number(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    params = [["a", "3", "3"], ["b", 3, "3"], ["c", "None", "None"], ["d", None, "None"], ["e", "adam", "adam"]]
    params += [["f", "NaN", "NaN"], ["g", "9007199254740993", "9007199254740993"], ["h", True, "True"], ["i", "", ""]]
    attrs = {"j": "3", "k": 3}
    scripted.answers["trial"] = lambda question: detail(0, params=params, metrics=[], user_attrs=attrs)
    scripted.answers["log"] = lambda question: log("")
    page = page_at(scripted.url)
    page.locator("tr[data-number='0']").click()
    expect(page.locator("#detail")).to_contain_text("adam")
    texts = "Object.fromEntries([...document.querySelectorAll('#detail tr')].map(({ children: [a, b] }) => [a.textContent, b.textContent]))"
    found = page.evaluate(texts)
    assert "".join(found)[-11:] == "abcdefghijk"
    assert [found[name] for name in "abcdefghijk"] == [
        *('"3"', "3", '"None"', "None", "adam", "NaN", "9007199254740993", "True", '""', '"3"', "3"),
    ]


def test_a_trial_that_cannot_be_read_is_told_with_what_is_known(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.answers["trial"] = lambda question: {"error": "there is no trial 2"}
    scripted.opening = [snapshot([row(2, "FAILED")]), status(FAILED=1)]
    page = page_at(scripted.url)
    page.locator("tr[data-number='2']").click()
    expect(page.locator("#detail")).to_contain_text("there is no trial 2")
    expect(page.locator("#detail")).to_contain_text("ValueError: no 2")


def test_on_a_phone_the_details_are_all_there_is_until_they_are_closed(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.answers |= {"trial": lambda question: detail(question["trial"]), "log": lambda question: log("")}
    page = page_at(scripted.url, viewport=PHONE)
    page.locator("tr[data-number='2']").click()
    assert page.evaluate("document.querySelector('#detail').matches(':modal')")
    assert page.evaluate("document.querySelector('#detail').getBoundingClientRect().width") == 375
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()


def test_a_running_trial_can_be_cancelled_by_who_may(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.greeting = [hello(control=True)]
    scripted.answers |= {
        "trial": lambda question: detail(3, "RUNNING"),
        "log": lambda question: log(""),
        "cancel": lambda question: {},
    }
    scripted.opening = [snapshot([row(0), row(3, "RUNNING")]), status(COMPLETE=1, RUNNING=1)]
    page = page_at(scripted.control_url)
    page.locator("tr[data-number='0']").click()
    expect(page.get_by_role("button", name="Cancel trial")).to_be_hidden()
    page.locator("tr[data-number='3']").click()
    page.get_by_role("button", name="Cancel trial").click()
    assert scripted.asked("cancel") == []  # not without a question
    page.get_by_role("button", name="Cancel the trial").click()
    assert scripted.wait_for("ask", what="cancel")["trial"] == 3
    expect_focused(page.get_by_role("button", name="Cancel trial"))
    scripted.send(delta([row(3, "CANCELLED")], since=2, seq=3), status(COMPLETE=1, CANCELLED=1))
    expect_focused(page.get_by_role("heading", name="Trial 3"))  # there is nothing to cancel any more


EDGES = """[...document.querySelectorAll('header.top, .tools, .panel, .panel *, .foot')].filter((e) => e.checkVisibility()
&& !e.closest('.scroller *, [aria-hidden=true], .hidden, svg *')).reduce((most, e) => Math.max(most, e.getBoundingClientRect().right), 0)"""


def test_the_page_makes_room_for_the_details(page_at: Pages, scripted: Scripted) -> None:
    scripted.answers |= {"trial": lambda question: detail(question["trial"]), "log": lambda question: log("")}
    scripted.opening = [snapshot([row(k) for k in range(60)]), status(COMPLETE=60)]
    page = page_at(scripted.url)
    chosen = page.locator("tr[data-number='50']")
    chosen.scroll_into_view_if_needed()
    expect(page.locator("#history .js-plotly-plot")).to_have_count(1)
    top = chosen.bounding_box()["y"]
    chosen.click()
    assert abs(chosen.bounding_box()["y"] - top) < 2
    edge = page.evaluate("document.querySelector('#detail').getBoundingClientRect().left")
    assert edge < 900
    deadline = time.monotonic() + 10
    while page.evaluate(EDGES) > edge:  # charts are fitted in the next frames
        assert time.monotonic() < deadline, "something is behind the details"
    page.set_viewport_size({"width": 900, "height": 900})  # there is no room
    expect(page.locator("#detail:modal")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.locator("#detail:modal")).to_be_hidden()
    expect(page.locator("#detail")).to_be_visible()
    screenshot(page, "page-details-beside")


def test_escape_closes_the_details_wherever_the_focus_is(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.greeting = [hello(control=True)]
    scripted.answers |= {"trial": lambda question: detail(question["trial"]), "log": lambda question: log("")}
    page = page_at(scripted.url)
    page.get_by_role("button", name="Trial 2: details").click()
    page.get_by_role("button", name="Stop …").click()
    page.keyboard.press("Escape")  # the question alone
    expect(page.locator("#question")).to_be_hidden()
    expect(page.locator("#detail")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    expect_focused(page.get_by_role("button", name="Trial 2: details"))


def test_what_could_not_be_read_for_a_loss_is_read_when_the_connection_is_back(
    page_at: Pages, scripted: Scripted
) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.url, expected=[r"WebSocket connection to .* failed"])
    page.locator("tr[data-number='2']").click()
    scripted.wait_for("ask", what="trial")
    scripted.answers |= {"trial": lambda question: detail(2), "log": lambda question: log("")}
    scripted.opening = [delta([], since=3, seq=3)]  # nothing has changed
    scripted.drop()
    expect(page.locator("#detail")).to_contain_text("process-1")  # it can be read later
    kinds = [message["type"] for message in scripted.received]
    assert kinds.index("open", kinds.index("open") + 1) < len(kinds) - 1 - kinds[::-1].index("ask")
