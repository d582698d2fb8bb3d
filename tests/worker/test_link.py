"""The worker's end of the link, over a real socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from asyncsweep.errors import TrialError
from asyncsweep.wire.messages import (
    ATTR_SET,
    PARAM,
    REPORTED,
    SERIES_REPORTED,
    SERIES_UP_FOR_VERDICT,
    SHUTDOWN,
    VERDICT,
    VERDICT_ASKED,
)
from asyncsweep.wire.stream import Decoder, pack
from asyncsweep.worker.link import BUFFERED, FLUSH_AFTER_S, Link, LinkPort

SECRET = 99


class Controller:
    """The other end, blocking."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(10)
        self.sock = sock
        self.decoder = Decoder()

    def say(self, *messages: tuple[object, ...]) -> None:
        self.sock.sendall(b"".join(pack(message) for message in messages))

    def hear(self) -> list[list[object]]:
        """All that one `recv` gives."""
        self.decoder.feed(self.sock.recv(2**20))
        return list(self.decoder)


@pytest.fixture
def ends() -> Iterator[tuple[Link, Controller]]:
    ours, theirs = socket.socketpair()
    yield Link(ours), Controller(theirs)
    ours.close()
    theirs.close()


def test_a_report_is_on_its_way_after_50_ms_at_most(ends: tuple[Link, Controller]) -> None:
    link, controller = ends
    assert FLUSH_AFTER_S <= 0.05
    before = time.monotonic()
    LinkPort(link, SECRET).report(0, 0.5, None)
    assert controller.hear() == [[REPORTED, SECRET, 0, 0.5, None]]
    assert time.monotonic() - before < 2  # 50 ms on a machine that is not busy


def test_many_reports_go_in_few_sends(ends: tuple[Link, Controller], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncsweep.worker.link.FLUSH_AFTER_S", 60)
    link, controller = ends
    for step in range(BUFFERED):
        LinkPort(link, SECRET).report(step, 0.5, None)
    [message] = controller.hear()
    assert message == [SERIES_REPORTED, SECRET, [[step, 0.5] for step in range(BUFFERED)]]


def test_what_is_said_between_reports_stays_between_them(
    ends: tuple[Link, Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep.worker.link.FLUSH_AFTER_S", 60)
    link, controller = ends
    port, other = LinkPort(link, SECRET), LinkPort(link, SECRET + 1)
    port.report(1, 0.5, None)
    port.report(2, 0.25, None)
    port.set_attr("a", 1)
    port.report(3, 0.5, None)
    port.report(4, 0.5, {"loss": 1.0})
    port.report(5, 0.5, None)
    other.report(0, 0.75, None)
    other.report(1, 0.75, None)
    link.send((SHUTDOWN,))
    assert controller.hear() == [
        [SERIES_REPORTED, SECRET, [[1, 0.5], [2, 0.25]]],
        [ATTR_SET, SECRET, "a", 1],
        [REPORTED, SECRET, 3, 0.5, None],
        [REPORTED, SECRET, 4, 0.5, {"loss": 1.0}],
        [REPORTED, SECRET, 5, 0.5, None],
        [SERIES_REPORTED, SECRET + 1, [[0, 0.75], [1, 0.75]]],
        [SHUTDOWN],
    ]


def test_a_question_takes_the_waiting_reports_along(
    ends: tuple[Link, Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep.worker.link.FLUSH_AFTER_S", 60)
    link, controller = ends
    port = LinkPort(link, SECRET)
    controller.say((VERDICT, SECRET, 3, True))
    port.report(3, 0.5, None)
    assert port.verdict(3) is True
    assert controller.hear() == [[SERIES_UP_FOR_VERDICT, SECRET, 3, [[3, 0.5]]]]


def test_a_verdict_has_no_more_than_its_own_newest_reports_with_it(
    ends: tuple[Link, Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep.worker.link.FLUSH_AFTER_S", 60)
    link, controller = ends
    port, other = LinkPort(link, SECRET), LinkPort(link, SECRET + 1)
    controller.say((VERDICT, SECRET, 4, False), (VERDICT, SECRET, 4, False), (VERDICT, SECRET, 5, True))
    port.report(3, 0.5, None)
    port.set_attr("a", 1)
    port.report(4, 0.25, None)
    assert port.verdict(4) is False
    other.report(0, 0.75, None)
    assert port.verdict(4) is False
    port.report(5, 0.5, {"loss": 1.0})
    assert port.verdict(5) is True
    assert controller.hear() == [
        [REPORTED, SECRET, 3, 0.5, None],
        [ATTR_SET, SECRET, "a", 1],
        [SERIES_UP_FOR_VERDICT, SECRET, 4, [[4, 0.25]]],
        [REPORTED, SECRET + 1, 0, 0.75, None],
        [VERDICT_ASKED, SECRET, 4],
        [REPORTED, SECRET, 5, 0.5, {"loss": 1.0}],
        [VERDICT_ASKED, SECRET, 5],
    ]


def test_answers_to_others_are_passed_over(ends: tuple[Link, Controller]) -> None:
    link, controller = ends
    controller.say(
        (VERDICT, SECRET + 1, 3, True), (VERDICT, SECRET, 2, True), (PARAM, SECRET, "x", 1.0, None), (VERDICT, SECRET, 3, False)
    )  # fmt: skip
    assert LinkPort(link, SECRET).verdict(3) is False


def test_a_suggestion_that_failed_is_a_trial_error(ends: tuple[Link, Controller]) -> None:
    link, controller = ends
    controller.say((PARAM, SECRET, "x", None, "no idea"))
    with pytest.raises(TrialError, match="no value for 'x': no idea"):
        LinkPort(link, SECRET).suggest("x", {})


def test_a_shutdown_ends_an_objective_that_waits(ends: tuple[Link, Controller]) -> None:
    link, controller = ends
    controller.say((SHUTDOWN,))
    with pytest.raises(SystemExit):
        LinkPort(link, SECRET).verdict(3)


def test_a_closed_link_gives_no_message(ends: tuple[Link, Controller]) -> None:
    link, controller = ends
    controller.sock.close()
    assert link.receive() is None


def test_an_attribute_that_cannot_be_stored_is_refused_here(ends: tuple[Link, Controller]) -> None:
    with pytest.raises(TypeError, match=r"set_user_attr\('k'\)"):
        LinkPort(ends[0], SECRET).set_attr("k", {1: 2})


def test_a_forked_process_has_no_link(ends: tuple[Link, Controller]) -> None:
    link, _ = ends
    child = os.fork()
    if not child:
        try:
            link.send((1,))
        except TrialError:
            os._exit(42)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
