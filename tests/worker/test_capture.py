"""The output of one worker, cut into logs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncsweep.worker.capture import Capture


@pytest.fixture
def output(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "output", os.O_RDWR | os.O_APPEND | os.O_CREAT)
    yield fd
    os.close(fd)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "trials" / "0" / "attempt-1.log"


def test_a_short_log_is_whole(output: int, log: Path) -> None:
    os.write(output, b"0123456789")
    Capture(output, 10, str(log)).collect()
    assert log.read_bytes() == b"0123456789"


def test_a_long_log_keeps_both_halves(output: int, log: Path) -> None:
    os.write(output, b"0123456789abc")
    Capture(output, 10, str(log)).collect()
    assert log.read_bytes() == b"01234\n... 3 bytes left out ...\n89abc"


def test_shrinking_on_the_way_changes_nothing(output: int, log: Path) -> None:
    capture = Capture(output, 10, str(log))
    for byte in range(200):
        os.write(output, b"%02d" % (byte % 100))
        capture.shrink()
    capture.collect()
    assert log.read_bytes() == b"00010\n... 390 bytes left out ...\n79899"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can make holes in files")
def test_output_without_end_takes_little_disk(output: int, log: Path) -> None:
    capture = Capture(output, 2**16, str(log))
    for _ in range(100):
        os.write(output, b"x" * 2**17)
        capture.shrink()
    assert os.fstat(output).st_blocks * 512 < 2**19
    capture.collect()
    assert log.stat().st_size == pytest.approx(2**16, abs=100)


def test_another_capture_can_collect_what_one_shrank(output: int, log: Path) -> None:
    os.write(output, b"01234" + b"." * 100 + b"56789")
    Capture(output, 10).shrink()
    Capture(output, 10, str(log)).collect()
    assert log.read_bytes() == b"01234\n... 100 bytes left out ...\n56789"


def test_the_next_log_starts_anew(output: int, log: Path) -> None:
    capture = Capture(output, 10, str(log))
    os.write(output, b"0123456789abc")
    capture.shrink()
    capture.collect()
    capture.path = str(log.with_name("attempt-2.log"))
    os.write(output, b"second")
    capture.collect()
    assert log.with_name("attempt-2.log").read_bytes() == b"second"


def test_without_a_path_output_is_thrown_away(output: int) -> None:
    os.write(output, b"0123456789abc")
    Capture(output, 10).collect()
    assert os.fstat(output).st_size == 0


def test_a_log_that_cannot_be_written_does_not_spill_into_the_next(output: int, log: Path) -> None:
    capture = Capture(output, 10, str(log))
    log.parent.parent.write_text("in the way")
    os.write(output, b"lost")
    with pytest.raises(OSError, match="Not a directory"):
        capture.collect()
    assert os.fstat(output).st_size == 0


def test_a_link_in_place_of_a_log_is_not_followed(output: int, log: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    log.parent.mkdir(parents=True)
    log.symlink_to(victim)
    os.write(output, b"harm")
    with pytest.raises(OSError, match="symbolic links"):
        Capture(output, 10, str(log)).collect()
    assert victim.read_text() == "precious"
