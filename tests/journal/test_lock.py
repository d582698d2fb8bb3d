"""One writer for a directory, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncsweep.errors import JournalError
from asyncsweep.journal.lock import Lock

HOLD = """
import sys
from pathlib import Path
from asyncsweep.journal.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_with_the_first_ones_id(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(JournalError, match=f"is in use by process {holder.pid}; one sweep at a time can write it"):
        Lock(tmp_path)


def test_a_stopped_process_keeps_its_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
    with pytest.raises(JournalError, match=f"process {holder.pid}"):
        Lock(tmp_path)


def test_a_killed_process_leaves_the_lock_free(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    Lock(tmp_path).release()


def test_a_second_sweep_of_this_process_is_refused(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    with pytest.raises(JournalError, match="in use by a sweep of this process"):
        Lock(tmp_path)
    lock.release()


def test_a_directory_under_another_name_is_the_same_one(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    other = tmp_path.parent / f"{tmp_path.name}-link"
    other.symlink_to(tmp_path)
    with pytest.raises(JournalError, match="in use"):
        Lock(other)
    lock.release()


def test_a_refusal_does_not_lose_the_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    refusals = []
    for _ in range(2):
        with pytest.raises(JournalError) as caught:
            Lock(tmp_path)
        refusals.append(str(caught.value))
    assert refusals[0] == refusals[1]


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    Lock(tmp_path).release()
    Lock(tmp_path).release()


def test_a_lock_file_that_was_deleted_while_it_was_opened_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lock").touch()
    old = os.stat(tmp_path / "lock").st_ino
    opened = []
    really = os.open

    def open_and_lose(path: Path, flags: int, mode: int = 0o777) -> int:
        fd = really(path, flags, mode)
        if not opened:  # its holder deletes it just then
            os.rename(path, tmp_path / "deleted")
        opened.append(os.fstat(fd).st_ino)
        return fd

    monkeypatch.setattr(os, "open", open_and_lose)
    Lock(tmp_path).release()
    assert opened[0] == old and opened[1:] == [os.stat(tmp_path / "lock").st_ino]
