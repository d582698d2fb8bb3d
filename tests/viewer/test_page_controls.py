"""Steering from the page, with the second token."""

from __future__ import annotations

import pytest

from tests.viewer.browser import Pages, Sync, expect, expect_focused
from tests.viewer.scripted import COLUMNS, Message, Scripted, column, hello, row, snapshot, status


@pytest.fixture
def page(page_at: Pages, scripted: Scripted) -> Sync:
    scripted.leave_charts_out()
    scripted.greeting = [hello(control=True)]
    columns: list[Message] = [*COLUMNS, column("__proto__", type="any"), column("big", type="int", low=0, high=1e30)]
    scripted.opening = [snapshot([row(0)], columns=columns), status(COMPLETE=1)]
    scripted.answers = {what: lambda question: {} for what in ("pause", "unpause", "stop", "enqueue")}
    return page_at(scripted.control_url)


def test_pause_and_go_on(page: Sync, scripted: Scripted) -> None:
    page.get_by_role("button", name="Pause").click()
    scripted.wait_for("ask", what="pause")
    scripted.send(status("PAUSED", COMPLETE=1))
    expect(page.locator("#state")).to_have_text("Paused")
    page.get_by_role("button", name="Go on").click()
    scripted.wait_for("ask", what="unpause")


def test_a_stop_is_asked_about_first(page: Sync, scripted: Scripted) -> None:
    page.get_by_role("button", name="Stop …").click()
    page.keyboard.press("Escape")
    expect(page.locator("#question")).to_be_hidden()
    expect_focused(page.get_by_role("button", name="Stop …"))
    page.get_by_role("button", name="Stop …").click()
    page.get_by_label("End them now").check()
    page.get_by_label("Reason").fill("enough")
    assert scripted.asked("stop") == []
    page.get_by_role("button", name="Stop the sweep").click()
    question = scripted.wait_for("ask", what="stop")
    assert (question["reason"], question["now"]) == ("enough", True)
    expect(page.locator("#question")).to_be_hidden()


def test_what_is_refused_stays_open_with_the_reason(page: Sync, scripted: Scripted) -> None:
    scripted.answers["enqueue"] = lambda question: {"error": "the sweep takes no more <b>trials</b>"}
    page.get_by_role("button", name="Enqueue").click()
    page.locator("#question").get_by_label("lr").fill("0.01")
    page.keyboard.press("Enter")
    expect(page.locator("#question")).to_contain_text("the sweep takes no more <b>trials</b>")
    scripted.answers["enqueue"] = lambda question: {}
    page.locator("#question").get_by_role("button", name="Enqueue").click()
    expect(page.locator("#question")).to_be_hidden()


def test_a_trial_is_enqueued_with_what_was_filled_in(page: Sync, scripted: Scripted) -> None:
    page.get_by_role("button", name="Enqueue").click()
    form = page.locator("#question")
    form.get_by_label("lr").fill("1e-3")
    form.get_by_label("opt").select_option("adam")
    form.get_by_label("__proto__").fill('{"a": 1}')
    form.get_by_label("big").fill("123456789012345678901")
    form.get_by_role("button", name="Enqueue").click()
    asked = scripted.wait_for("ask", what="enqueue")
    assert asked["params"] == {"lr": 0.001, "__proto__": {"a": 1}, "big": "123456789012345678901"}
    assert asked["choices"] == {"opt": 1}
    expect(page.locator("#notice")).to_have_text("A trial was enqueued. It appears as soon as it begins.")
    scripted.send(status(COMPLETE=1, enqueued=1))
    expect(page.locator("#facts")).to_contain_text("Enqueued1")


def test_a_value_outside_the_domain_is_told_before_it_is_sent(page: Sync, scripted: Scripted) -> None:
    page.get_by_role("button", name="Enqueue").click()
    for label, text in (("lr", "2"), ("lr", "much"), ("depth", "1.5")):
        page.locator("#question").get_by_label("lr").fill("")
        page.locator("#question").get_by_label(label).fill(text)
        page.keyboard.press("Enter")
        expect(page.locator("#question .answer")).to_contain_text(f"{label}: {text} is no ")
    assert scripted.asked("enqueue") == []


def test_the_focus_stays_near_when_what_had_it_can_do_no_more(page: Sync, scripted: Scripted) -> None:
    pause = page.get_by_role("button", name="Pause")
    pause.press("Enter")
    scripted.wait_for("ask", what="pause")
    expect_focused(pause)
    scripted.send(status("STOPPING", COMPLETE=1))
    expect_focused(page.get_by_role("button", name="Stop …"))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop the sweep").click()
    scripted.wait_for("ask", what="stop")
    expect(page.locator("#question")).to_be_hidden()
    expect_focused(page.get_by_role("button", name="Stop …"))
    scripted.send(status("ENDED", COMPLETE=1))
    expect_focused(page.get_by_role("button", name="Dark colours"))


def test_a_sweep_that_has_ended_cannot_be_steered(page: Sync, scripted: Scripted) -> None:
    expect(page.get_by_role("button", name="Stop …")).to_be_enabled()
    scripted.send(status("ENDED", COMPLETE=1))
    for name in ("Pause", "Enqueue …", "Stop …"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
