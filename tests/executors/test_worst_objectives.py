"""Whatever an objective does, the sweep runs on and the result says what happened."""

from __future__ import annotations

import os
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.core.records import TrialRecord
from tests import objectives
from tests.leaks import has_ended, nothing_left

pytestmark = [pytest.mark.anyio, pytest.mark.any_loop]

FAULTS = {
    "exit_hard": "WorkerLost: exit code 7",
    "exit_softly": "SystemExit: 3",
    "interrupt": "KeyboardInterrupt",
    "kill_itself": "WorkerLost: killed by SIGKILL",
    "crash": "WorkerLost: killed by SIGSEGV",
    "garbage_on_the_link": "WorkerLost: not a MessagePack message: FormatError (killed by SIGKILL)",
    "link_shut": "WorkerLost: killed by SIGKILL",
    "everything_closed": "WorkerLost: ",
}
HARMLESS = ["garbage_printed_and_closed", "forked_twice"]
# What an objective may do that ends no process can be done in threads too.
IN_THREADS = ["exit_softly", "interrupt"]

RETURNED = {
    "none": "TrialError: the value that the objective returned must be a number, not None",
    "nan": "TrialError: ",
    "text": "TrialError: the value that the objective returned must be a number, not '0.5' (str)",
    "nothing": "TrialError: ",
    "other_metric": "TrialError: ",
    "two_values": "TrialError: the objective returned 2 values for 1 metrics (value)",
    "bad_name": "TrialError: the metric name",
    "unfloatable": "RuntimeError: two elements",
}


async def sweep(objective: Any, space: dict[str, Any], **settings: Any) -> sw.Result:
    """A small sweep, one trial at a time unless told otherwise; nothing is left of it."""
    settings = {"sampler": "random", "executor": "process", "n_trials": 3, "seed": 1, "grace_s": 0.2, **settings}
    async with nothing_left():
        return await sw.Sweep(objective, space, **settings).run()


def states(result: sw.Result) -> list[str]:
    return [str(trial.state) for trial in result.trials]


def error_of(trial: TrialRecord) -> str:
    assert trial.error is not None
    return str(trial.error)


@pytest.mark.parametrize("what", FAULTS)
async def test_the_worst_fails_its_own_trial_and_no_other(what: str) -> None:
    result = await sweep(objectives.worst, {"what": what})
    assert states(result) == ["COMPLETE", "FAILED", "COMPLETE"]
    assert error_of(result.trials[1]).startswith(FAULTS[what])


@pytest.mark.each_loop
@pytest.mark.parametrize("what", IN_THREADS)
async def test_the_worst_in_a_thread_fails_its_own_trial_and_no_other(what: str) -> None:
    result = await sweep(objectives.worst, {"what": what}, executor="thread")
    assert states(result) == ["COMPLETE", "FAILED", "COMPLETE"]
    assert error_of(result.trials[1]).startswith(FAULTS[what])


@pytest.mark.parametrize("what", HARMLESS)
async def test_what_does_no_harm_fails_no_trial(what: str) -> None:
    result = await sweep(objectives.worst, {"what": what})
    assert states(result) == ["COMPLETE", "COMPLETE", "COMPLETE"]


@pytest.mark.parametrize("executor", ["process", "thread", "inline"])
@pytest.mark.parametrize("what", RETURNED)
async def test_what_is_no_number_fails_its_own_trial(what: str, executor: str) -> None:
    objective = objectives.returning_async if executor == "inline" else objectives.returning
    result = await sweep(objective, {"what": what}, executor=executor)
    assert states(result) == ["COMPLETE", "FAILED", "COMPLETE"]
    assert error_of(result.trials[1]).startswith(RETURNED[what])


@pytest.mark.each_loop
async def test_a_lost_trial_is_tried_again_in_a_new_worker() -> None:
    result = await sweep(objectives.worst, {"what": "exit_hard"}, retries=1)
    trial = result.trials[1]
    assert states(result) == ["COMPLETE", "FAILED", "COMPLETE"]
    assert [str(error) for error in (*trial.failures, trial.error)] == ["WorkerLost: exit code 7"] * 2


@pytest.mark.each_loop
async def test_a_worker_killed_from_outside_is_replaced() -> None:
    async with sw.Sweep(
        objectives.pid, {"x": sw.Float(0, 1)}, sampler="random", executor="process", n_trials=None
    ).start() as run:
        killed = None
        async for update in run.updates():
            if isinstance(update, sw.TrialFinished):
                record = run.trials[update.trial]
                if killed is None:
                    killed = int(record.metrics["pid"])
                    os.kill(killed, 9)
                elif record.state == "COMPLETE" and record.metrics["pid"] != killed:
                    run.stop()
        result = await run.result()
    assert {error_of(trial) for trial in result.trials if trial.error} <= {"WorkerLost: killed by SIGKILL"}
    assert states(result).count("FAILED") <= 1


async def test_a_child_that_outlives_its_trial_ends_with_the_sweep() -> None:
    result = await sweep(objectives.leaves_a_child, {}, n_trials=1)
    assert states(result) == ["COMPLETE"]
    assert has_ended(result.trials[0].user_attrs["child"])


async def test_a_gigabyte_on_stdout_leaves_a_log_of_both_ends(tmp_path: Any) -> None:
    await sweep(
        objectives.prints_a_lot, {"megabytes": 1024, "then": "return"}, n_trials=1, directory=tmp_path / "sweep"
    )
    log = (tmp_path / "sweep/trials/0/attempt-1.log").read_bytes()
    assert len(log) < 17 * 2**20
    assert log.startswith(b"the first line\n") and log.endswith(b"\nthe last line\n")


@pytest.mark.each_loop
async def test_a_class_whose_constructor_exits_is_a_config_error() -> None:
    for executor, objective in (
        ("process", objectives.Unbuildable),
        ("thread", objectives.Unbuildable),
        ("inline", objectives.UnbuildableAsync),
    ):
        with pytest.raises(sw.ConfigError, match="SystemExit: no data"):
            await sweep(objective, {"x": sw.Float(0, 1)}, executor=executor)
