"""The output that a killed process's workers left becomes logs; whatever goes wrong costs no sweep."""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path

import pytest

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.driver import leftovers
from asyncsweep.hooks.contracts import JobId
from asyncsweep.worker import capture

JOBS = {"process-1": JobId(4, 2)}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "trials").mkdir()
    return tmp_path


@pytest.fixture
def log(directory: Path) -> Path:
    return directory / "trials/4/attempt-2.log"


@pytest.fixture
def output(directory: Path) -> Path:
    path = directory / "worker-process-1.log"
    path.write_text("epoch 1\nepoch 2\n")
    return path


def test_only_trials_that_had_not_ended_were_cut_short() -> None:
    trials = [
        TrialRecord(0, State.COMPLETE, attempt=1, worker="process-1"),
        TrialRecord(1, State.RUNNING, attempt=3, worker="process-2"),
        TrialRecord(2, State.WAITING, attempt=1, worker="process-3"),  # its start was not written any more
        TrialRecord(3, State.WAITING, attempt=1),
        TrialRecord(4, State.RUNNING, attempt=1, external=True),
    ]
    assert leftovers.cut_short(trials) == {"process-2": JobId(1, 3), "process-3": JobId(2, 1)}


def test_output_becomes_the_log_of_its_attempt_for_its_owner_alone(directory: Path, output: Path, log: Path) -> None:
    before = os.umask(0)
    try:
        leftovers.collect(directory, JOBS)
    finally:
        os.umask(before)
    assert (log.read_text(), oct(stat.S_IMODE(log.stat().st_mode))) == ("epoch 1\nepoch 2\n", "0o600")
    assert not output.exists()


def test_of_long_output_both_ends_are_kept(
    directory: Path, output: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep.executors.worker.LOG_LIMIT_BYTES", 20)
    output.write_bytes(b"a" * 10 + b"\0" * 1000 + b"z" * 10)
    leftovers.collect(directory, JOBS)
    assert log.read_bytes() == b"a" * 10 + b"\n... 1000 bytes left out ...\n" + b"z" * 10


def test_secrets_are_left_out(directory: Path, output: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "s3cr3t-of-mine")
    output.write_text("key s3cr3t-of-mine\n")
    leftovers.collect(directory, JOBS)
    assert log.read_text() == f"key {'*' * len('s3cr3t-of-mine')}\n"


def test_output_of_nobody_is_deleted_and_other_files_are_not(directory: Path) -> None:
    ours = ["worker-process-7.log", "worker-0123abcd.log"]
    others = ["worker-process-x.log", "worker-1.log", "worker-process-7.log.gz", "my-worker-process-7.log"]
    for name in (*ours, *others):
        (directory / name).write_text("text")
    leftovers.collect(directory, JOBS)
    assert sorted(os.listdir(directory)) == sorted([*others, "trials"])


def test_nothing_printed_is_no_log(directory: Path, output: Path, log: Path) -> None:
    output.write_bytes(b"")
    leftovers.collect(directory, JOBS)
    assert os.listdir(directory) == ["trials"] and not log.exists()


def test_a_log_that_its_worker_was_writing_is_written_anew(directory: Path, output: Path, log: Path) -> None:
    log.parent.mkdir()
    log.write_text("epo** 1\nep")  # a part, and what the worker knew to be secret
    leftovers.collect(directory, JOBS)
    assert log.read_text() == "epoch 1\nepoch 2\n"


@pytest.mark.parametrize("written", ["loss 0.5\n", "epoch 1\nepoch 2\nepoch 3\n"])
def test_a_log_that_its_worker_wrote_stays_when_the_output_came_after_it(
    directory: Path, output: Path, log: Path, written: str
) -> None:
    log.parent.mkdir()
    log.write_text(written)
    leftovers.collect(directory, JOBS)
    assert log.read_text() == written


def test_a_hard_link_to_a_file_of_somebody_elses_changes_nothing_of_that(directory: Path, output: Path) -> None:
    other = directory / "thesis.txt"
    other.write_text("text")
    output.unlink()
    output.hardlink_to(other)
    leftovers.collect(directory, JOBS)
    assert (other.read_text(), output.exists()) == ("text", False)


def test_a_folder_of_such_a_name_stays(directory: Path, output: Path) -> None:
    output.unlink()
    output.mkdir()
    leftovers.collect(directory, JOBS)
    assert output.is_dir()


def test_a_link_in_the_place_of_the_log_is_not_followed(directory: Path, output: Path, log: Path) -> None:
    other = directory / "other"
    other.write_text("text")
    log.parent.mkdir()
    log.symlink_to(other)
    leftovers.collect(directory, JOBS)
    assert (other.read_text(), log.is_symlink(), output.exists()) == ("text", True, True)


def test_output_that_cannot_become_a_log_stays_and_is_told(
    directory: Path, output: Path, log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(data: bytes) -> bytes:
        raise OSError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr(capture, "redacted", full)
    with caplog.at_level(logging.WARNING):
        leftovers.collect(directory, JOBS)
    assert (output.exists(), log.exists()) == (True, False)
    [record] = caplog.records
    assert record.getMessage() == (
        f"{output} cannot be made the log of trial 4, attempt 2: [Errno {errno.ENOSPC}] the disk is full"
    )


def test_a_directory_that_is_gone_is_told(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    leftovers.collect(directory / "gone", JOBS)
    assert "cannot be looked for" in caplog.text
