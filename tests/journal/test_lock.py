"""One writer for a directory, whatever becomes of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
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


def refused_elsewhere(directory: Path) -> str:
    """What another process is told that tries to take the lock; empty when it got it."""
    code = "import sys\nfrom pathlib import Path\nfrom asyncsweep.journal.lock import Lock\nLock(Path(sys.argv[1]))"
    tried = subprocess.run([sys.executable, "-c", code, str(directory)], stderr=subprocess.PIPE, text=True, check=False)
    return tried.stderr.strip().rpartition("\n")[2]


def test_reading_the_whole_directory_does_not_lose_the_lock(tmp_path: Path) -> None:
    directory = tmp_path / "sweep"
    directory.mkdir()
    lock = Lock(directory)
    shutil.copytree(directory, tmp_path / "backup")
    assert f"is in use by process {os.getpid()}" in refused_elsewhere(directory)
    lock.release()


def test_a_copy_of_a_locked_directory_is_free(tmp_path: Path) -> None:
    directory = tmp_path / "sweep"
    directory.mkdir()
    lock = Lock(directory)
    shutil.copytree(directory, tmp_path / "backup")
    assert refused_elsewhere(tmp_path / "backup") == ""
    lock.release()


FORK_AND_DIE = """
import os, sys, time
from pathlib import Path
from asyncsweep.journal.lock import Lock
lock = Lock(Path(sys.argv[1]))
child = os.fork()
if child == 0:
    if sys.argv[2] == "unwinds":
        lock.release()
    print(os.getpid(), flush=True)
    sys.stdin.read()
    os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED)
"""


@pytest.fixture
def forked(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock and has a forked child, which runs until its stdin is closed."""
    command = [sys.executable, "-c", FORK_AND_DIE, str(tmp_path), request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline().strip().isdigit()
        yield process
        process.kill()


@pytest.mark.parametrize("forked", ["stays"], indirect=True)
def test_a_forked_child_does_not_keep_the_lock_of_its_dead_parent(
    tmp_path: Path, forked: subprocess.Popen[str]
) -> None:
    forked.kill()
    forked.wait()
    Lock(tmp_path).release()


@pytest.mark.parametrize("forked", ["unwinds"], indirect=True)
def test_a_forked_child_does_not_take_its_parents_lock_away(tmp_path: Path, forked: subprocess.Popen[str]) -> None:
    with pytest.raises(JournalError, match=f"process {forked.pid};"):
        Lock(tmp_path)


RACE = """
import sys
from pathlib import Path
from asyncsweep.errors import JournalError
from asyncsweep.journal.lock import Lock
sys.stdin.readline()
try:
    lock = Lock(Path(sys.argv[1]))
    print("held", flush=True)
except JournalError as error:
    print(error, flush=True)
sys.stdin.read()
"""


def test_of_eight_processes_one_gets_the_lock_and_the_others_learn_its_id(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("4000000\n")  # left behind by a process that was killed
    command = [sys.executable, "-c", RACE, str(tmp_path)]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    told = [racer.stdout.readline() for racer in racers if racer.stdout is not None]
    for racer in racers:
        racer.communicate()
    winner = racers[told.index("held\n")]
    told.remove("held\n")
    assert told == [f"{tmp_path} is in use by process {winner.pid}; one sweep at a time can write it\n"] * 7


def test_the_id_of_a_dead_process_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock has a new owner, who is about to write its own."""
    lock = Lock(tmp_path)
    (tmp_path / "lock").write_text("4000000\n")
    monkeypatch.setattr(time, "sleep", lambda _: (tmp_path / "lock").write_text(f"{os.getppid()}\n"))
    monkeypatch.setattr("asyncsweep.journal.lock._held", {})
    with pytest.raises(JournalError, match=f"process {os.getppid()};"):
        Lock(tmp_path)
    monkeypatch.undo()
    lock.release()


def test_a_released_lock_is_free_though_a_process_that_is_being_started_has_its_file_open(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    copy = os.dup(lock._fd)
    lock.release()
    Lock(tmp_path).release()
    os.close(copy)


def test_the_lock_of_other_systems_keeps_all_of_this_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    lock = Lock(tmp_path)
    (tmp_path / "lock").read_bytes()
    monkeypatch.setattr("asyncsweep.journal.lock._held", {})
    with pytest.raises(JournalError, match="in use by a sweep of this process"):
        Lock(tmp_path)
    monkeypatch.setattr("asyncsweep.journal.lock._held", {lock._key: lock})
    lock.release()
    Lock(tmp_path).release()
