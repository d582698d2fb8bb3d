"""The page's table: sorting, pages, what live updates leave alone, CSV of what is listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.viewer.browser import Pages, Sync, expect, expect_focused
from tests.viewer.scripted import COLUMNS, Message, Scripted, column, delta, row, snapshot, status


def numbers(page: Sync) -> list[int]:
    found: list[int] = page.evaluate("[...document.querySelectorAll('#trials tbody tr')].map(tr => +tr.dataset.number)")
    return found


def opened(page_at: Pages, scripted: Scripted, rows: list[Any], **fields: Any) -> Sync:
    scripted.leave_charts_out()
    scripted.opening = [snapshot(rows, **fields), status(COMPLETE=len(rows))]
    page = page_at(scripted.url)
    scripted.wait_until_acknowledged(2)
    expect(page.locator("#trials tbody tr").first).to_be_visible()
    return page


def test_the_newest_trial_comes_first(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, [row(k) for k in range(3)])
    assert numbers(page) == [2, 1, 0]
    expect(page.get_by_role("columnheader", name="Trial")).to_have_attribute("aria-sort", "descending")


def test_a_click_on_a_column_sorts_by_it_and_what_has_nothing_comes_last(page_at: Pages, scripted: Scripted) -> None:
    losses = [0.5, None, 0.1, "NaN", 3, "Infinity", 0.3]
    page = opened(page_at, scripted, [row(k, loss=loss) for k, loss in enumerate(losses)])
    header = page.get_by_role("columnheader", name="loss")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    assert numbers(page) == [2, 6, 0, 4, 5, 1, 3]
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    assert numbers(page) == [5, 4, 0, 6, 2, 1, 3]
    expect_focused(header.get_by_role("button"))


def test_a_text_is_told_from_a_number(page_at: Pages, scripted: Scripted) -> None:
    columns = [column("seed", type="any"), column("loss", "metric")]
    cells = ["3", 3, "true", True, "", None, "[1]", [1], "-1e5", "9007199254740993", "NaN", "adam", '"3"', "None", "3 "]
    rows = [[k, "COMPLETE", 1, None, None, None, None, None, cell, k] for k, cell in enumerate(cells)]
    page = opened(page_at, scripted, rows, columns=columns)
    texts: list[str] = page.evaluate(
        "[...document.querySelectorAll('#trials td:nth-child(3)')].map(td => td.textContent)"
    )
    assert texts[::-1] == [
        *('"3"', "3", '"true"', "true", '""', "", '"[1]"', "[1]", '"-1e5"', "9007199254740993", "NaN", "adam"),
        *('""3""', '"None"', '"3 "'),
    ]


def test_numbers_times_and_names_are_what_they_say(page_at: Pages, scripted: Scripted) -> None:
    columns = [
        column("x", type="int", key="param:x"),
        column("x", "metric", key="metric:x"),
        column("huge", "metric"),
    ]
    rows = [
        [0, "COMPLETE", 1, None, 0.00004, 0, 2.69255e17, None, 4503599627370497, 0.5, 2.69255e17],
        [1, "COMPLETE", 1, None, 0.0251, 0, 1.0, None, "9007199254740993", "Infinity", 123456789],
    ]
    page = opened(page_at, scripted, rows, columns=columns)
    texts = "tr => [...document.querySelectorAll(tr)].map((cell) => cell.textContent)"
    assert page.evaluate(texts, "#trials th")[2:5] == ["param:x", "metric:x", "huge"]
    assert page.evaluate(texts, "tr[data-number='0'] td")[2:8] == [
        *("4503599627370497", "0.5", "2.69255e+17", "2.6926e+17", "0", "< 1 ms"),
    ]
    assert page.evaluate(texts, "tr[data-number='1'] td")[2:8] == [
        *("9007199254740993", "Infinity", "123456789", "1", "0", "25 ms"),
    ]


def test_categories_are_sorted_by_their_names(page_at: Pages, scripted: Scripted) -> None:
    columns = [column("opt", type="category", choices=["sgd", "adam", "rms"])]
    page = opened(page_at, scripted, [row(k, columns=columns, opt=k) for k in range(3)], columns=columns)
    page.get_by_role("columnheader", name="opt").get_by_role("button").click()
    assert numbers(page) == [1, 2, 0]


def test_updates_keep_sort_page_scroll_and_focus(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, [row(k, depth=1) for k in range(120)])
    page.get_by_role("columnheader", name="Trial").get_by_role("button").click()
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".table-foot")).to_contain_text("51 to 100 of 120")
    focused = page.get_by_role("button", name="Trial 70: details")
    focused.focus()
    page.evaluate("document.querySelector('.scroller').scrollTop = 300")
    changed = [row(70, loss=0.0625), row(71, "FAILED", error="no"), *(row(k) for k in range(120, 140))]
    scripted.send(delta(changed, since=120, seq=142), status(COMPLETE=139, FAILED=1))
    expect(page.locator(".table-foot")).to_contain_text("51 to 100 of 140")
    expect(page.locator("tr[data-number='70']")).to_contain_text("0.0625")
    expect(page.locator("tr[data-number='71']")).to_contain_text("Failed")
    assert numbers(page) == list(range(50, 100))
    assert page.evaluate("document.querySelector('.scroller').scrollTop") == 300
    expect_focused(focused)


def test_a_row_that_moves_keeps_the_focus(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, [row(k, loss=k) for k in range(5)])
    page.get_by_role("columnheader", name="loss").get_by_role("button").click()
    focused = page.get_by_role("button", name="Trial 3: details")
    focused.focus()
    scripted.send(delta([row(3, loss=0.25)], since=5, seq=6))
    expect(page.locator("tr[data-number='3']")).to_contain_text("0.25")
    assert numbers(page) == [0, 3, 1, 2, 4]
    expect_focused(focused)


def test_a_trial_that_is_forgotten_leaves_the_table(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, [row(k) for k in range(3)])
    scripted.send(delta([], since=3, seq=4, gone=[1]))
    expect(page.locator("#trials tbody tr")).to_have_count(2)
    assert numbers(page) == [2, 0]


def test_a_selection_is_all_that_is_listed_until_it_is_cleared(page_at: Pages, scripted: Scripted) -> None:
    scripted.replaced["/parallel.js"] = (
        b"export function mountParallel(element, store) { globalThis.select = (numbers) => store.select(numbers); }"
    )
    scripted.replaced |= {
        f"/{name}.js": f"export function mount{name.title()}() {{}}".encode()
        for name in ("history", "curves", "pareto")
    }
    scripted.opening = [snapshot([row(k) for k in range(9)]), status(COMPLETE=9)]
    page = page_at(scripted.url)
    scripted.wait_until_acknowledged(2)
    page.evaluate("select([2, 5, 400])")
    expect(page.locator("#shown")).to_have_text("2 of 9 shown")
    assert numbers(page) == [5, 2]
    page.get_by_role("button", name="Clear the selection").click()
    expect(page.locator("#shown")).to_have_text("9 of 9 shown")
    assert len(numbers(page)) == 9


def test_arrows_move_between_rows_and_enter_opens_one(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, [row(k) for k in range(4)])
    page.get_by_role("button", name="Trial 3: details").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect_focused(page.get_by_role("button", name="Trial 1: details"))
    assert page.locator("#trials tbody button[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    assert scripted.wait_for("ask", what="trial")["trial"] == 1
    page.keyboard.press("Escape")
    expect_focused(page.get_by_role("button", name="Trial 1: details"))


def test_the_csv_is_asked_for_in_pieces_and_saved(page_at: Pages, scripted: Scripted, tmp_path: Path) -> None:
    pieces = {0: ("number,state\r\n", 14), 14: ("5,COMPLETE\r\n", None)}

    def csv(question: Message) -> Message:
        text, following = pieces[question["offset"]]
        return {"text": text, "next_offset": following}

    scripted.answers["csv"] = csv
    page = opened(page_at, scripted, [*(row(k) for k in range(5)), row(5, "FAILED")])
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_bytes() == b"number,state\r\n5,COMPLETE\r\n"
    assert download.value.suggested_filename == "first.csv"
    page.get_by_role("button", name="Complete: 6").click()
    with page.expect_download():
        page.get_by_role("button", name="CSV").click()
    assert [question["trials"] for question in scripted.asked("csv")] == [None, None, [5], [5]]


def test_a_csv_that_cannot_be_made_is_told(page_at: Pages, scripted: Scripted) -> None:
    scripted.answers["csv"] = lambda question: {"error": "no <such> trials"}
    page = opened(page_at, scripted, [row(0)])
    page.get_by_role("button", name="CSV").click()
    expect(page.locator(".table-head")).to_contain_text("No CSV: no <such> trials")


def test_more_columns_appear_in_the_table(page_at: Pages, scripted: Scripted) -> None:
    page = opened(page_at, scripted, [row(0)])
    columns = [*COLUMNS, column("late", "metric")]
    scripted.send(delta([row(1, columns=columns, late=17)], since=1, seq=2, columns=columns), status(COMPLETE=2))
    expect(page.get_by_role("columnheader", name="late")).to_be_visible()
    expect(page.locator("tr[data-number='1']")).to_contain_text("17")


def test_200_columns_scroll_within_the_table(page_at: Pages, scripted: Scripted) -> None:
    columns = [column(f"p{k}") for k in range(200)]
    page = opened(page_at, scripted, [row(0, columns=columns, p199=77)], columns=columns)
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    wide = page.evaluate("(box => [box.scrollWidth > box.clientWidth * 5])(document.querySelector('.scroller'))")
    assert wide == [True]


def test_a_hundred_thousand_trials_can_be_sorted(page_at: Pages, scripted: Scripted) -> None:
    part = 2000
    rows = [[k, "COMPLETE", 1, None, k % 977, None, None, None, (k * 7919) % 100_003] for k in range(100_000)]
    columns = [column("loss", "metric", direction="minimize")]
    scripted.leave_charts_out()
    scripted.opening = [
        snapshot(
            rows[k : k + part],
            columns=columns,
            part=k // part,
            last=k + part == len(rows),
            seq=k + part,
            total=len(rows),
            **({} if k == 0 else {"info": None}),
        )
        for k in range(0, len(rows), part)
    ]
    scripted.opening.append(status(COMPLETE=100_000))
    page = page_at(scripted.url)
    expect(page.locator("#shown")).to_have_text("100,000 of 100,000 shown")
    page.get_by_role("columnheader", name="loss").get_by_role("button").click()
    best = sorted(range(100_000), key=lambda k: ((k * 7919) % 100_003, k))[:50]
    assert numbers(page) == best
