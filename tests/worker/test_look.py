"""The output of an attempt read while it runs: nothing that was given back to the disk is taken for what was printed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.worker.capture import Capture, Output, look


@pytest.fixture
def output(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "output", os.O_RDWR | os.O_APPEND | os.O_CREAT)
    yield fd
    os.close(fd)


def test_what_is_there_is_read_piece_by_piece(output: int) -> None:
    os.write(output, b"0123456789")
    assert look(output, 1000, 0, 4) == Output(b"0123", 0, 10)
    assert look(output, 1000, 8, 4) == Output(b"89", 8, 10)
    assert look(output, 1000, 10, 4) == Output(b"", 10, 10)


def test_after_the_attempt_was_collected_there_is_nothing_more(output: int) -> None:
    os.write(output, b"0123456789")
    Capture(output, 1000).collect()
    assert look(output, 1000, 4, 4) == Output(b"", 4, 0)


def test_the_first_half_ends_where_the_hole_may_begin(output: int) -> None:
    os.write(output, b"0123456789" * 10)
    assert look(output, 20, 5, 50) == Output(b"56789", 5, 100)


def test_what_may_be_a_hole_is_passed_over(output: int) -> None:
    os.write(output, b"0123456789" * 10)
    assert look(output, 20, 10, 50) == Output(b"56789", 95, 100)
    assert look(output, 20, 89, 50) == Output(b"56789", 95, 100)
    assert look(output, 20, 90, 50) == Output(b"0123456789", 90, 100)


def test_what_becomes_a_hole_while_it_is_read_is_read_again_elsewhere(
    output: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = 2**16
    os.write(output, b"x" * 3 * half)
    pread, times = os.pread, []

    def slow(*args: Any) -> bytes:
        if not times:
            os.write(output, b"y" * 2 * half)
            Capture(output, 2 * half).shrink()
        times.append(1)
        return pread(*args)

    monkeypatch.setattr(os, "pread", slow)
    found = look(output, 2 * half, 2 * half, 100)
    assert found == Output(b"y" * 100, 5 * half - half // 2, 5 * half)
