"""Worker processes: how they are started, reused, replaced and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from tests import objectives
from tests.leaks import has_ended, nothing_left

pytestmark = pytest.mark.anyio

X = {"x": sw.Float(0, 1)}


async def sweep(objective: Any, space: Any = X, **settings: Any) -> sw.Result:
    settings = {"sampler": "random", "executor": "process", "n_trials": 4, "seed": 1, **settings}
    async with nothing_left():
        return await sw.Sweep(objective, space, **settings).run()


def metric(result: sw.Result, name: str) -> list[float]:
    return [trial.metrics[name] for trial in result.trials]


async def test_a_warm_worker_runs_one_trial_after_the_other() -> None:
    result = await sweep(objectives.pid)
    assert len(set(metric(result, "pid"))) == 1


async def test_as_many_workers_as_concurrency_run(tmp_path: Path) -> None:
    result = await sweep(objectives.meets_another, {"folder": str(tmp_path)}, n_trials=2, concurrency=2)
    assert len(set(metric(result, "pid"))) == 2


@pytest.mark.any_loop
async def test_fresh_gives_each_trial_another_process() -> None:
    result = await sweep(objectives.pid, executor={"name": "process", "fresh": True})
    assert len(set(metric(result, "pid"))) == 4


async def test_a_worker_is_replaced_after_max_trials_per_worker() -> None:
    result = await sweep(objectives.pid, executor=sw.executor("process", max_trials_per_worker=2))
    one, two, three, four = metric(result, "pid")
    assert one == two != three == four


async def test_a_class_is_built_once_in_each_worker() -> None:
    result = await sweep(objectives.Counting)
    assert metric(result, "calls") == [1, 2, 3, 4]


async def test_a_worker_that_cannot_exit_makes_room_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncsweep.executors.worker._EXIT_S", 0.1)
    executor = sw.executor("process", fresh=True)
    result = await sweep(objectives.leaves_a_thread, executor=executor, n_trials=2, grace_s=0.1)
    assert result.counts[sw.State.COMPLETE] == 2


@pytest.mark.parametrize(
    "options",
    [
        {"fresh": 1},
        {"max_trials_per_worker": 0},
        {"max_trials_per_worker": True},
        {"fresh": True, "max_trials_per_worker": 2},
    ],
    ids=str,
)
def test_a_wrong_option_is_a_config_error(options: dict[str, Any]) -> None:
    with pytest.raises(sw.ConfigError, match=r"executor\."):
        sw.Sweep(objectives.square, X, executor={"name": "process", **options})


def test_windows_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(sw.ConfigError, match="use executor='thread' or 'inline'"):
        sw.Sweep(objectives.square, X)


# -- forms of objectives -----------------------------------------------------------------------------------------------


@pytest.mark.any_loop
@pytest.mark.parametrize(
    "objective",
    [
        pytest.param(objectives.square, id="function"),
        pytest.param("tests.objectives:square", id="text"),
        pytest.param(objectives.square_async, id="async"),
        pytest.param("tests.objectives:square_async", id="async by text"),
        pytest.param(lambda x: x * x, id="lambda"),
        pytest.param(lambda trial: trial.params["x"] ** 2, id="lambda of the trial"),
    ],
)
async def test_every_form_of_an_objective_is_called(objective: Any) -> None:
    result = await sweep(objective)
    assert metric(result, "value") == pytest.approx([trial.params["x"] ** 2 for trial in result.trials])


async def test_a_closure_takes_its_surroundings_along() -> None:
    offset = 5.0
    result = await sweep(lambda x: x * 0 + offset, n_trials=1)
    assert metric(result, "value") == [5.0]


async def test_a_module_on_the_parents_path_is_found_by_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def answer(x):\n    return 42.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    result = await sweep("only_here:answer", n_trials=1)
    assert metric(result, "value") == [42.0]


async def test_a_target_that_is_not_there_is_a_config_error() -> None:
    with pytest.raises(sw.ConfigError, match=r"tests\.objectives has no 'nobody'"):
        await sweep("tests.objectives:nobody")


async def test_an_objective_that_cannot_be_pickled_is_a_config_error_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(subprocess, "Popen")
    lock = __import__("threading").Lock()

    def objective(x: float) -> float:
        with lock:
            return x

    with pytest.raises(sw.ConfigError, match="cannot be sent to another process"):
        await sweep(objective)


SCRIPT = """
import anyio, sys
import asyncsweep as sw

OFFSET = 3

class Loaded:
    def __init__(self):
        self.offset = OFFSET
    def __call__(self, x):
        return x * 0 + self.offset

def objective(x):
    return Loaded()(x)

async def main():
    for form in (objective, Loaded, lambda x: OFFSET + 0.0 * x):
        result = await sw.Sweep(form, {"x": sw.Float(0, 1)}, sampler="random", executor="process", n_trials=1).run()
        print(result.best.value)

if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1])
"""


@pytest.mark.any_loop
def test_functions_and_classes_of_main_reach_the_worker(tmp_path: Path, anyio_backend: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, anyio_backend], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.stdout.split(), done.stderr) == (["3.0", "3.0", "3.0"], "")


# -- time --------------------------------------------------------------------------------------------------------------


async def test_a_hung_trial_that_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    result = await sweep(
        objectives.deaf_with_a_child, {"path": str(tmp_path / "pids")}, n_trials=1, trial_timeout=0.3, grace_s=0.1
    )
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert str(result.trials[0].error) == "TrialTimeout: ran longer than trial_timeout=0.3 s"
    assert [has_ended(pid) for pid in pids] == [True, True]


async def test_a_trial_that_is_stopped_may_say_goodbye(tmp_path: Path) -> None:
    path = tmp_path / "said"
    async with sw.Sweep(
        objectives.polite, {"path": str(path)}, sampler="random", executor="process", n_trials=1
    ).start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialReported):
                run.cancel_trial(0)
        result = await run.result()
    assert (result.trials[0].state, path.read_text()) == ("CANCELLED", "goodbye")


async def test_a_trial_that_timed_out_is_tried_again() -> None:
    result = await sweep(objectives.waits_forever, n_trials=1, trial_timeout=0.1, retries=1)
    assert [error.type for error in result.trials[0].failures] == ["TrialTimeout"]


async def test_cancelling_the_sweep_leaves_nothing() -> None:
    async with nothing_left():
        with anyio.move_on_after(0.4) as scope:
            await sw.Sweep(
                objectives.waits_forever, X, sampler="random", executor="process", concurrency=2, grace_s=0.1
            ).run()
        assert scope.cancelled_caught


async def test_a_sweep_cancelled_while_its_workers_start_leaves_nothing() -> None:
    async with nothing_left():
        with anyio.move_on_after(0.01) as scope:
            await sw.Sweep(objectives.square, X, sampler="random", executor="process", concurrency=2).run()
        assert scope.cancelled_caught


CONTROLLER = """
import anyio, os, sys
import asyncsweep as sw

def objective(trial):
    child = os.fork()
    if not child:
        while True:
            __import__("time").sleep(30)
    print(os.getpid(), child, flush=True)
    while True:
        __import__("time").sleep(30)

if __name__ == "__main__":
    anyio.run(sw.Sweep(objective, {}, sampler="random", executor="process", n_trials=1).run)
"""


def test_workers_and_their_children_end_when_the_controller_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "controller.py"
    script.write_text(CONTROLLER)
    controller = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert controller.stdout is not None
    with controller.stdout:
        pids = [int(pid) for pid in controller.stdout.readline().split()]
        os.kill(controller.pid, signal.SIGKILL)
        controller.wait()
    assert [has_ended(pid) for pid in pids] == [True, True]


def test_a_controller_without_stdout_and_stderr_runs_its_sweep(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("print(result.best.value)", f"open({str(tmp_path / 'out')!r}, 'a').write('.')"))
    subprocess.run(["sh", "-c", f"exec {sys.executable} {script} asyncio >&- 2>&-"], timeout=50, check=True)
    assert (tmp_path / "out").read_text() == "..."
