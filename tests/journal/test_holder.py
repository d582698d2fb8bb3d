"""Who holds a sweep's directory, asked without taking anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asyncsweep.journal.lock import Lock, holder
from tests.journal.test_lock import HOLD


def test_nobody_holds_a_folder_without_a_lock_nor_one_that_was_let_go(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    Lock(tmp_path).release()
    assert holder(tmp_path) is None


def test_another_process_that_holds_it_is_named_until_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert holder(tmp_path) == process.pid
        process.kill()
        process.wait()
    assert holder(tmp_path) is None


def test_this_process_is_named_and_keeps_its_lock(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    try:
        assert [holder(tmp_path), holder(tmp_path)] == [os.getpid()] * 2
    finally:
        lock.release()


def test_a_holder_that_could_not_sign_is_unknown(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    try:
        os.truncate(lock.path, 0)
        assert holder(tmp_path) == 0
    finally:
        lock.release()


def test_an_id_without_a_lock_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(f"{os.getpid()}\n")
    assert holder(tmp_path) is None


def test_asking_while_one_locks_disturbs_nobody(tmp_path: Path) -> None:
    for _ in range(100):
        lock = Lock(tmp_path)
        assert holder(tmp_path) == os.getpid()
        lock.release()
        assert holder(tmp_path) is None


def test_a_symbolic_link_in_the_locks_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"):
        holder(tmp_path)
