"""The page's connection: tokens, the first snapshot, acknowledgements, losses and what is said of them."""

from __future__ import annotations

from tests.viewer.browser import Pages, expect
from tests.viewer.scripted import Scripted, delta, hello, info, row, snapshot, status

LOST = r"WebSocket connection to .* failed|ERR_CONNECTION|Failed to load resource"


def test_the_tokens_leave_the_address_and_go_into_subprotocols_alone(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.control_url)
    scripted.wait_for("open")
    assert scripted.offered == [["asyncsweep.v1.json", "asyncsweep.token.secret", "asyncsweep.control.second"]]
    assert page.url == scripted.base
    page.reload()  # the tab keeps them
    scripted.wait_for("open", count=2)
    assert scripted.offered[1] == scripted.offered[0]


def test_what_was_painted_is_acknowledged(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page_at(scripted.url)
    scripted.wait_until_acknowledged(2)
    scripted.send(delta([row(3)], since=3, seq=4), {"type": "of another day"}, status(COMPLETE=4))
    scripted.wait_until_acknowledged(4)
    assert max(m["received"] for m in scripted.received if m["type"] == "ack") == 4


def test_after_a_loss_the_page_goes_on_where_it_was(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.url, expected=[LOST])
    scripted.wait_until_acknowledged(2)
    scripted.opening = [delta([row(7, "FAILED")], since=3, seq=9), status(COMPLETE=3, FAILED=1)]
    scripted.drop()
    opened = scripted.wait_for("open", count=2)
    assert (opened["epoch"], opened["since"]) == ("e1", 3)
    expect(page.locator("#shown")).to_have_text("4 of 4 shown")
    expect(page.locator("#link")).to_have_attribute("data-state", "open")


def test_when_the_network_is_back_a_server_that_was_started_anew_is_found_at_once(
    page_at: Pages, scripted: Scripted
) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.url, expected=[LOST], init_script="Math.random = () => 1e6")  # never tried again by itself
    scripted.wait_until_acknowledged(2)
    scripted.stop()
    expect(page.locator("#link")).to_have_attribute("data-state", "waiting")
    expect(page.locator("#notice")).to_contain_text("No connection to the sweep since")
    expect(page.locator("#trials tbody tr")).to_have_count(3)  # what is known stays
    scripted.opening = [snapshot([row(0)], epoch="e2"), status(COMPLETE=1)]
    scripted.start()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#trials tbody tr")).to_have_count(1)
    expect(page.locator("#notice")).to_be_hidden()


def test_a_loss_is_seen_wherever_the_page_is_scrolled_to(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.opening = [snapshot([row(k) for k in range(60)]), status(COMPLETE=60)]
    page = page_at(scripted.url, expected=[LOST], viewport={"width": 900, "height": 400})
    expect(page.locator("#lost")).to_be_hidden()
    page.locator(".foot").scroll_into_view_if_needed()
    expect(page.locator("#link")).not_to_be_in_viewport()
    scripted.stop()
    expect(page.locator("#lost")).to_be_in_viewport()
    expect(page.locator("#lost")).to_contain_text("connection lost")
    scripted.start()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#lost")).to_be_hidden()


def test_a_sweep_that_is_not_there_is_told_and_leaves_the_address(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page = page_at(f"{scripted.base}?sweep=<b>gone</b>#token=secret")
    assert scripted.wait_for("open")["sweep"] == "first"
    expect(page.locator("#notice")).to_have_text('There is no sweep "<b>gone</b>" here. This is "first".')
    assert page.url == scripted.base


def test_a_refused_token_is_told_from_a_server_that_is_away(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.refuses = True
    page = page_at(scripted.url, expected=[LOST])
    expect(page.locator("#notice")).to_contain_text("Open the link again that was printed")
    expect(page.locator("#link")).to_have_attribute("data-state", "refused")
    scripted.refuses = False
    page.evaluate("location.hash = '#token=new'")  # the link of the new server, in the same tab
    expect(page.locator("#trials tbody tr")).to_have_count(3)
    assert scripted.offered[-1] == ["asyncsweep.v1.json", "asyncsweep.token.new"]
    assert page.url == scripted.base


def test_a_delta_that_does_not_fit_begins_anew(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.url)
    scripted.wait_until_acknowledged(2)
    scripted.opening = [snapshot([row(k) for k in range(5)]), status(COMPLETE=5)]
    scripted.send(delta([row(4)], since=4, seq=5))
    opened = scripted.wait_for("open", count=2)
    assert (opened["epoch"], opened["since"]) == (None, None)
    expect(page.locator("#trials tbody tr")).to_have_count(5)


def test_of_several_sweeps_the_chosen_one_is_shown_and_remembered(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.greeting = [hello("first", "<second>")]
    page = page_at(scripted.url)
    scripted.wait_until_acknowledged(2)
    late = [delta([row(9)], since=3, seq=4), snapshot([row(k) for k in range(7)]), status(COMPLETE=7)]
    scripted.opening = late  # of the first one, and on the way already
    page.locator("#sweeps").select_option("<second>")
    assert scripted.wait_for("open", count=2)["sweep"] == "<second>"
    scripted.wait_until_acknowledged(5)
    expect(page.locator("#shown")).to_have_text("3 of 3 shown")
    scripted.opening = [snapshot([row(0)], name="<second>", info=info("<second>")), status(COMPLETE=1)]
    scripted.send(*scripted.opening)
    expect(page.locator("#shown")).to_have_text("1 of 1 shown")
    expect(page.locator("h1")).to_have_text("<second>")
    assert len([message for message in scripted.received if message["type"] == "open"]) == 2
    page.reload()
    assert scripted.wait_for("open", count=3)["sweep"] == "<second>"


def test_a_question_is_rejected_when_the_connection_is_lost(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.url, expected=[LOST])
    scripted.wait_until_acknowledged(2)
    page.locator("#trials tbody tr").first.click()
    scripted.wait_for("ask", what="trial")
    scripted.drop()
    expect(page.locator("#detail")).to_contain_text("The connection to the sweep was lost")


def test_watched_curves_are_wanted_again_after_a_loss(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.replaced["/curves.js"] = (
        b'export function mountCurves(element, store, actions) { store.on("status", () => actions.watch([1, 2])); }'
    )
    page_at(scripted.url, expected=[LOST])
    scripted.wait_for("watch", trials=[1, 2])
    scripted.opening = []
    scripted.drop()
    scripted.wait_for("watch", trials=[1, 2], count=2)


def test_a_page_without_a_sweep_says_so(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    scripted.greeting = [{**hello(), "sweeps": []}]
    page = page_at(scripted.url)
    expect(page.locator("#notice")).to_contain_text("This server has no sweep to show.")
    assert scripted.received == []


def test_a_server_that_wants_no_more_is_told_with_its_reason(page_at: Pages, scripted: Scripted) -> None:
    scripted.leave_charts_out()
    page = page_at(scripted.url)
    scripted.wait_until_acknowledged(2)
    scripted.close_with(1008, "an ack of <b>7</b>")
    expect(page.locator("#link")).to_have_text("the server closed the connection: an ack of <b>7</b>")
