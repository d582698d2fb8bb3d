"""What an objective prints is in the log of its attempt, there only, and for its owner only."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from tests import objectives
from tests.leaks import nothing_left

pytestmark = pytest.mark.anyio


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "sweep"


async def sweep(objective: Any, space: dict[str, Any], directory: Path, **settings: Any) -> sw.Result:
    settings = {"sampler": "random", "executor": "process", "n_trials": 1, **settings}
    async with nothing_left():
        return await sw.Sweep(objective, space, directory=directory, **settings).run()


def log(directory: Path, trial: int = 0, attempt: int = 1) -> str:
    return (directory / f"trials/{trial}/attempt-{attempt}.log").read_text()


async def test_everything_that_is_printed_is_in_the_log(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    await sweep(objectives.prints_everywhere, {"x": 1.0}, directory)
    assert sorted(log(directory).splitlines()) == [
        "and its stderr", "from a child process", "from a descriptor", "from python", "to stderr",
    ]  # fmt: skip
    assert capfd.readouterr() == ("", "")


async def test_each_trial_of_a_warm_worker_has_its_own_log(directory: Path) -> None:
    await sweep(objectives.prints_its_number, {}, directory, n_trials=3)
    assert [log(directory, trial) for trial in range(3)] == ["trial 0\n", "trial 1\n", "trial 2\n"]


async def test_the_last_words_of_a_crash_are_in_the_log_of_each_attempt(directory: Path) -> None:
    await sweep(objectives.prints_and_dies, {}, directory, retries=1)
    assert [log(directory, attempt=1), log(directory, attempt=2)] == ["last words\n", "last words\n"]


async def test_a_trial_that_prints_nothing_has_no_log(directory: Path) -> None:
    await sweep(objectives.square, {"x": 1.0}, directory)
    assert not (directory / "trials").exists()


async def test_output_after_stdout_was_closed_by_an_earlier_trial_is_in_the_log(directory: Path) -> None:
    def objective(trial: Any) -> float:
        import sys

        if trial.number == 0:
            sys.stdout.close()
            os.close(1)
        print("trial", trial.number, file=sys.stdout if trial.number else sys.stderr)
        return 0.0

    await sweep(objective, {}, directory, n_trials=2)
    assert [log(directory, 0), log(directory, 1)] == ["trial 0\n", "trial 1\n"]


async def test_a_long_log_keeps_both_ends_and_says_what_it_left_out(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep.executors.worker.LOG_LIMIT_BYTES", 2000)
    await sweep(objectives.prints_a_lot, {"megabytes": 1, "then": "return"}, directory)
    text = log(directory)
    printed = 2**20 + len("the first line\n") + len("the last line\n")
    assert text.startswith("the first line\n") and text.endswith("\nthe last line\n")
    assert f"\n... {printed - 2000} bytes left out ...\n" in text


async def test_a_long_log_of_a_crash_keeps_both_ends(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncsweep.executors.worker.LOG_LIMIT_BYTES", 2000)
    await sweep(objectives.prints_a_lot, {"megabytes": 1, "then": "die"}, directory)
    text = log(directory)
    assert text.startswith("the first line\n") and text.endswith("\nthe last line\n") and len(text) < 2100


async def test_logs_are_for_their_owner_only_whatever_the_umask(directory: Path) -> None:
    before = os.umask(0)
    try:
        await sweep(objectives.prints_and_dies, {}, directory, retries=1)
        await sweep(objectives.prints_its_number, {}, directory.with_name("other"))
    finally:
        os.umask(before)
    found = {
        path.relative_to(directory.parent).as_posix(): oct(stat.S_IMODE(path.stat().st_mode))
        for path in (directory.parent).rglob("*")
        if "trials" in path.parts
    }
    assert found == {
        "sweep/trials": "0o700",
        "sweep/trials/0": "0o700",
        "sweep/trials/0/attempt-1.log": "0o600",
        "sweep/trials/0/attempt-2.log": "0o600",
        "other/trials": "0o700",
        "other/trials/0": "0o700",
        "other/trials/0/attempt-1.log": "0o600",
    }


async def test_a_log_that_cannot_be_written_costs_no_trial(directory: Path) -> None:
    result = await sweep(objectives.removes_its_log_folder, {"directory": str(directory)}, directory)
    assert result.counts[sw.State.COMPLETE] == 1


async def test_what_is_printed_on_a_full_disk_is_no_error_of_the_objective(directory: Path) -> None:
    def objective(trial: Any) -> float:
        import os
        import sys

        if trial.number == 0:
            for fd in (1, 2):
                os.dup2(os.open("/dev/full", os.O_WRONLY), fd)
        sys.stdout.write("it is lost\n")
        sys.stdout.flush()
        sys.stderr.write("this, too\n")
        sys.stdout.write("x" * 100_000 + "\n")
        return 1.0

    result = await sweep(objective, {}, directory, n_trials=2)
    assert [(trial.state.value, trial.error) for trial in result.trials] == [("COMPLETE", None)] * 2
    assert len(log(directory, 1)) > 100_000
