"""How the page looks: light and dark, on a phone, with names of every kind, as a file. Screenshots are for people to look at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.viewer.browser import PHONE, Pages, Sync, expect, screenshot
from tests.viewer.scripted import PAGE, Scripted, column, hello, info, row, snapshot, status
from tests.viewer.test_page_detail import detail, log

STATES = [
    "COMPLETE",
    "COMPLETE",
    "PRUNED",
    "COMPLETE",
    "FAILED",
    "COMPLETE",
    "COMPLETE",
    "PRUNED",
    "CANCELLED",
    "COMPLETE",
]
MANY = [row(k, STATES[k % 10], loss=None if STATES[k % 10] != "COMPLETE" else 2 / (k + 3)) for k in range(60)]
COUNTS = {"COMPLETE": 36, "PRUNED": 12, "FAILED": 6, "CANCELLED": 6, "RUNNING": 2, "WAITING": 1}


def served(scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.greeting = [hello(control=True)]
    rows = [*MANY, row(60, "RUNNING"), row(61, "RUNNING"), row(62, "WAITING", started_at=None, value=None, step=None)]
    scripted.opening = [snapshot(rows), status(best=(59, 2 / 62), **COUNTS)]
    scripted.answers |= {
        "trial": lambda question: detail(question["trial"]),
        "log": lambda question: log("epoch 1\n" * 30),
    }


def has_no_sideways_scroll(page: Sync) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_follows_the_system_and_the_toggle(page_at: Pages, scripted: Scripted, theme: str) -> None:
    served(scripted)
    page = page_at(scripted.url, color_scheme=theme)
    other = {"light": "dark", "dark": "light"}[theme]
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", theme)
    expect(page.locator("#trials tbody tr")).to_have_count(50)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    screenshot(page, f"page-{theme}")
    page.locator("tr[data-number='57']").click()
    expect(page.get_by_role("log")).to_contain_text("epoch 1")
    screenshot(page, f"page-{theme}-details")
    page.locator("#theme").click()
    expect(root).to_have_attribute("data-theme", other)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
    page.reload()
    expect(root).to_have_attribute("data-theme", other)  # kept


def test_the_page_fits_a_phone(page_at: Pages, scripted: Scripted) -> None:
    served(scripted)
    page = page_at(scripted.url, viewport=PHONE)
    expect(page.locator("#trials tbody tr")).to_have_count(50)
    assert has_no_sideways_scroll(page)
    screenshot(page, "page-phone")
    page.locator("tr[data-number='57']").click()
    expect(page.get_by_role("log")).to_contain_text("epoch 1")
    screenshot(page, "page-phone-details")


def test_what_is_printed_is_light_and_has_no_drawer(page_at: Pages, scripted: Scripted) -> None:
    served(scripted)
    page = page_at(scripted.url, color_scheme="dark")
    page.locator("tr[data-number='57']").click()
    expect(page.get_by_role("log")).to_contain_text("epoch 1")
    page.emulate_media(media="print")
    ground = "getComputedStyle(document.body)"
    assert page.evaluate(f"[{ground}.backgroundColor, {ground}.color, {ground}.paddingRight]") == [
        "rgb(243, 245, 248)",
        "rgb(26, 31, 38)",
        "0px",
    ]
    expect(page.locator("#detail")).to_be_hidden()
    expect(page.locator("#shown")).to_be_visible()
    expect(page.locator("#chips")).to_be_hidden()
    screenshot(page, "page-print", full_page=True)


def test_everything_is_reached_by_the_keyboard_in_order(page_at: Pages, scripted: Scripted) -> None:
    served(scripted)
    page = page_at(scripted.url)
    expect(page.locator("#trials tbody tr")).to_have_count(50)
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
        )
    assert reached == [
        "Skip to the table of trials",
        *("Pause", "Enqueue …", "Stop …", "Dark colours"),
        "0.032258 · trial 59",
        *("Complete: 36", "Pruned: 12", "Failed: 6", "Cancelled: 6", "Running: 2", "Waiting: 1"),
        "CSV",
        "Table of trials, scrolls",
    ]


LONG = "long" * 2500
ODD = {
    "html": "<img src=x onerror=alert(1)>",
    "proto": "__proto__",
    "emoji": "🎛️ rate 👩‍🔬",
    "rtl": "מקדם\u202elearning",
    "long": LONG,
    "newline": "two\nlines\t\0",
    "quotes": "\"';--",
    "constructor": "constructor",
    "script": "</script><script>alert(1)</script>",
    "empty": "",
}


def test_names_and_values_of_every_kind_are_text(page_at: Pages, scripted: Scripted) -> None:
    served(scripted)
    columns = [
        *(column(name, type="category", choices=[name, "b"]) for name in ODD.values()),
        column("any", type="any"),
        column("loss", "metric", direction="minimize"),
    ]
    values: dict[str, Any] = {**dict.fromkeys(ODD.values(), 0), "any": {"__proto__": "<b>"}, "loss": 1e-9}
    rows = [[0, "FAILED", 1, None, None, None, "NaN", LONG[:200], *values.values()], row(1, columns=columns, **values)]
    name = ODD["html"] + LONG
    scripted.greeting = [hello(name)]
    named = info(name, sampler=ODD["html"], objective=LONG, directions={"__proto__": "minimize"})
    params = [[name, name, name] for name in ODD.values()]
    scripted.answers["trial"] = lambda question: detail(
        question["trial"], params=params, user_attrs=[["a", {"b": LONG}]]
    )
    scripted.answers["log"] = lambda question: log("</pre><b>bold</b>")
    scripted.opening = [
        snapshot(rows, columns=columns, name=name, info=named),
        status("ENDED", reason=ODD["html"], problem=ODD["script"] + LONG, COMPLETE=1, FAILED=1),
    ]
    page = page_at(scripted.url)
    expect(page.locator("h1")).to_contain_text(ODD["html"])
    expect(page.locator("tr[data-number='1']")).to_contain_text(ODD["script"])
    expect(page.locator("tr[data-number='1']")).to_contain_text("1e-9")
    expect(page.locator("tr[data-number='1']")).to_contain_text('{"__proto__":"<b>"}')
    page.get_by_role("columnheader", name="__proto__").get_by_role("button").click()
    assert has_no_sideways_scroll(page)
    screenshot(page, "page-odd-names")
    page.locator("tr[data-number='1']").click()
    expect(page.get_by_role("log")).to_have_text("</pre><b>bold</b>")
    assert page.evaluate("document.querySelector('#detail').scrollWidth") <= 480
    assert page.evaluate("document.querySelectorAll('b:not(.chip b, #shown b), img, body script').length") == 0
    screenshot(page, "page-odd-names-details")


def test_a_page_that_is_a_file_shows_its_recording(page_at: Pages, scripted: Scripted) -> None:
    served(scripted)
    recorded = {
        "messages": [hello(), *scripted.opening],
        "details": {"3": detail(3, params=[["lr", 0.5, "one half"]])["detail"]},
        "curves": [{"trial": 3, "attempt": 1, "from": 0, "of": 1, "steps": [0], "values": [1.5]}],
    }
    block = f'<script type="application/json" id="recorded">{json.dumps(recorded)}</script></body>'
    scripted.replaced["/"] = (PAGE / "index.html").read_text().replace("</body>", block).encode()
    scripted.replaced["/curves.js"] = (
        b"export function mountCurves(e, store, { watch }) {"
        b'store.on("points", ([trial]) => (e.textContent = String(store.curves.get(trial).values))); watch([3, 4]); }'
    )
    page = page_at(scripted.url)
    expect(page.locator("#link")).to_contain_text("recorded")
    expect(page.locator("#curves")).to_have_text("1.5")
    page.get_by_role("columnheader", name="Trial").get_by_role("button").click()
    page.locator("tr[data-number='3']").click()
    expect(page.locator("#detail")).to_contain_text("one half")
    page.locator("tr[data-number='4']").click()
    expect(page.locator("#detail")).to_contain_text("ValueError: no 4")  # what its row says
    page.get_by_role("button", name="Close the details").click()
    page.get_by_role("button", name="Failed: 6").dblclick()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "number,state,lr,depth,opt,epochs,loss,accuracy,attempt,started_at,duration_s,error"
    assert len(lines) == 7
    assert scripted.offered == []
