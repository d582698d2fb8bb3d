"""Constraints and attributes on the worker's end of the link, over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy
import pytest

from asyncsweep.wire.messages import ATTR_SET, CONSTRAINT_SET, VERDICT, VERDICT_ASKED
from asyncsweep.wire.stream import Decoder, pack
from asyncsweep.worker.link import Link, LinkPort

SECRET = 99


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LinkPort, socket.socket]]:
    """A port whose messages wait until something takes them along, and the controller's end."""
    monkeypatch.setattr("asyncsweep.worker.link.FLUSH_AFTER_S", 60)
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    yield LinkPort(Link(ours), SECRET), theirs
    ours.close()
    theirs.close()


def test_a_constraint_waits_for_the_next_question(ends: tuple[LinkPort, socket.socket]) -> None:
    port, controller = ends
    controller.sendall(pack((VERDICT, SECRET, 3, False)))
    port.set_constraint("memory", -0.5)
    port.verdict(3)
    decoder = Decoder()
    decoder.feed(controller.recv(2**16))
    assert list(decoder) == [[CONSTRAINT_SET, SECRET, "memory", -0.5], [VERDICT_ASKED, SECRET, 3]]


def test_a_constraint_alone_causes_no_send(ends: tuple[LinkPort, socket.socket]) -> None:
    port, controller = ends
    port.set_constraint("memory", -0.5)
    controller.setblocking(False)
    with pytest.raises(BlockingIOError):
        controller.recv(1)


def test_an_attribute_travels_as_plain_values(ends: tuple[LinkPort, socket.socket]) -> None:
    port, controller = ends
    controller.sendall(pack((VERDICT, SECRET, 3, False)))
    port.set_attr("scores", (numpy.float32(0.5), numpy.int64(2)))
    port.verdict(3)
    decoder = Decoder()
    decoder.feed(controller.recv(2**16))
    assert next(iter(decoder)) == [ATTR_SET, SECRET, "scores", [0.5, 2]]
