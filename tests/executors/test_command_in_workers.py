"""Programs as objectives of whole sweeps: in worker processes, pruned, timed out, and with all that they start."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from tests.leaks import has_ended, nothing_left

pytestmark = pytest.mark.anyio
asyncio_alone = pytest.mark.parametrize("anyio_backend", ["asyncio"])


def sh(script: str, *arguments: str, **settings: Any) -> sw.Command:
    """A shell script, in which braces are braces; its arguments are `$1` and so on."""
    return sw.Command(["sh", "-c", script.replace("{", "{{").replace("}", "}}"), "sh", *arguments], **settings)


async def sweep(command: sw.Command, space: dict[str, Any], **settings: Any) -> sw.Result:
    settings = {"sampler": "random", "executor": "process", "direction": {"loss": "minimize"}, **settings}
    async with nothing_left():
        return await sw.Sweep(command, space, **settings).run()


def log(directory: Path, trial: int = 0, attempt: int = 1) -> str:
    return (directory / f"trials/{trial}/attempt-{attempt}.log").read_text()


async def test_a_program_is_swept_and_its_output_is_in_the_logs(tmp_path: Path) -> None:
    script = 'echo "{\\"loss\\": $1, \\"step\\": 4}"; echo "trial $2" >&2'
    space = {"x": sw.Float(0, 1)}
    result = await sweep(sh(script, "{x}", "{trial}"), space, n_trials=3, directory=tmp_path / "sweep")
    assert [trial.metrics["loss"] for trial in result.trials] == [trial.params["x"] for trial in result.trials]
    for number in range(3):
        loss = result.trials[number].metrics["loss"]
        assert sorted(log(tmp_path / "sweep", number).splitlines()) == sorted(
            [f'{{"loss": {loss!r}, "step": 4}}', f"trial {number}"]
        )


@asyncio_alone
async def test_a_parameter_named_trial_is_a_parameter_like_any_other() -> None:
    result = await sweep(sh('echo "{\\"loss\\": $1}"', "{trial}"), {"trial": 7}, n_trials=1)
    assert result.trials[0].metrics == {"loss": 7.0}


@asyncio_alone
async def test_a_failing_program_fails_its_trial_with_its_last_lines(tmp_path: Path) -> None:
    result = await sweep(sh("echo no data >&2; exit 3"), {}, n_trials=1, directory=tmp_path / "sweep")
    error = result.trials[0].error
    assert error is not None
    assert (error.type, error.message) == ("ProgramFailed", "sh: exit code 3; its last lines:\nno data")


@asyncio_alone
async def test_a_pruned_program_is_ended_and_the_worker_goes_on(tmp_path: Path) -> None:
    pruner = {"name": "threshold", "upper": 0.5}
    script = 'echo "{\\"loss\\": $1}"; [ $1 = 0 ] || exec sleep 300'
    result = await sweep(
        sh(script, "{x}"),
        {"x": sw.Categorical([0, 1])},
        sampler="grid",
        pruner=pruner,
        concurrency=1,
        directory=tmp_path / "s",
    )
    assert sorted((trial.params["x"], trial.state.name) for trial in result.trials) == [(0, "COMPLETE"), (1, "PRUNED")]


_STAYS = "trap '' TERM; echo $$ >> \"$0\"; exec sleep 300"
_HARD = """trap '' TERM
setsid sh -c "$2" "$1" & (setsid sh -c "$2" "$1" &); env -i setsid sh -c "$2" "$1" & sh -c "$2" "$1" &
while [ $(cat "$1" 2> /dev/null | wc -l) -lt 4 ]; do sleep 0.01; done
echo $$ >> "$1"; while :; do sleep 300; done"""


def pids_in(folder: Path) -> list[int]:
    return [int(pid) for file in folder.iterdir() for pid in file.read_text().split()]


@asyncio_alone
@pytest.mark.timeout(600)
@pytest.mark.parametrize("n", [3, pytest.param(100, marks=pytest.mark.deep)])
async def test_a_program_that_hangs_is_stopped_with_all_its_children_in_whatever_session(
    tmp_path: Path, n: int
) -> None:
    """R13."""
    command = sh(_HARD, "{folder}/{trial}", _STAYS)
    settings: dict[str, Any] = {"n_trials": n, "concurrency": 3, "trial_timeout": 1.5, "grace_s": 0.1}
    result = await sweep(command, {"folder": str(tmp_path)}, **settings)
    pids = pids_in(tmp_path)
    assert {str(trial.error) for trial in result.trials} == {"TrialTimeout: ran longer than trial_timeout=1.5 s"}
    assert len(pids) >= 5 and [pid for pid in pids if not has_ended(pid)] == []


@asyncio_alone
async def test_a_program_has_the_time_of_grace_to_end_well(tmp_path: Path) -> None:
    script = "trap 'sleep 0.2; echo saved > \"$ASYNCSWEEP_CHECKPOINT_DIR/state\"; exit' TERM; echo '{\"loss\": 1}'; while :; do sleep 0.01; done"
    sweep = sw.Sweep(
        sh(script),
        {},
        n_trials=1,
        direction={"loss": "minimize"},
        executor="process",
        grace_s=30.0,
        directory=tmp_path / "s",
    )
    async with nothing_left(), sweep.start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialReported):
                run.cancel_trial(0)
                break
        result = await run.result()
    assert result.trials[0].state is sw.State.CANCELLED
    assert (tmp_path / "s/trials/0/checkpoint/state").read_text() == "saved\n"


@asyncio_alone
async def test_a_sweep_goes_on_with_python_programs_as_well(tmp_path: Path) -> None:
    code = "import json, os; print(json.dumps({{'loss': json.loads(os.environ['ASYNCSWEEP_PARAMS'])['x']}}))"
    result = await sweep(
        sw.Command([sys.executable, "-c", code]), {"x": 0.25}, n_trials=1, directory=tmp_path / "sweep"
    )
    assert result.best.metrics == {"loss": 0.25}
