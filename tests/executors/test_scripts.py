"""Scripts in whole sweeps: slots, retries, limits, and what is left of a script that does not want to end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from tests.leaks import has_ended, nothing_left

pytestmark = pytest.mark.anyio

X = {"x": sw.Float(0, 1)}
HEAD = "import os, signal, sys, time\nimport asyncsweep as sw\nx = float(sys.argv[1].split('=')[1])\n"
SETTINGS: dict[str, Any] = {"sampler": "random", "executor": "process", "seed": 1, "grace_s": 0.3}


@pytest.fixture
def anyio_backend() -> str:
    """One event loop: what is tested is in the workers, and the executor is tested with both."""
    return "asyncio"


def script(folder: Path, code: str, **options: Any) -> sw.Script:
    (folder / "train.py").write_text(HEAD + code)
    return sw.Script(folder / "train.py", **options)


async def sweep(objective: sw.Script, **settings: Any) -> sw.Result:
    async with nothing_left():
        return await sw.Sweep(objective, settings.pop("space", X), **{**SETTINGS, "n_trials": 4, **settings}).run()


def metric(result: sw.Result, name: str) -> list[float]:
    return [trial.metrics[name] for trial in result.trials]


WHO = "sw.finish(value=x, pid=os.getpid(), parent=os.getppid())"


async def test_each_trial_is_a_process_of_its_own_and_its_worker_stays(tmp_path: Path) -> None:
    result = await sweep(script(tmp_path, WHO))
    assert (len(set(metric(result, "pid"))), len(set(metric(result, "parent")))) == (4, 1)
    assert metric(result, "value") == [trial.params["x"] for trial in result.trials]


@pytest.mark.parametrize(("options", "n_workers"), [({"fresh": True}, 3), ({"max_trials_per_worker": 2}, 2)], ids=str)
async def test_workers_are_replaced_as_others_are(tmp_path: Path, options: dict[str, Any], n_workers: int) -> None:
    result = await sweep(script(tmp_path, WHO), executor=sw.executor("process", **options), n_trials=3)
    assert len(set(metric(result, "parent"))) == n_workers


async def test_scripts_run_at_the_same_time(tmp_path: Path) -> None:
    code = (
        f"folder = {str(tmp_path / 'here')!r}\nos.makedirs(folder, exist_ok=True)\nopen(f'{{folder}}/{{os.getpid()}}', 'w').close()\n"
        "while len(os.listdir(folder)) < 2: time.sleep(0.01)\nsw.finish(x)"
    )
    result = await sweep(script(tmp_path, code), n_trials=2, concurrency=2)
    assert [str(trial.state) for trial in result.trials] == ["COMPLETE"] * 2


async def test_output_is_in_the_log_of_its_attempt(tmp_path: Path) -> None:
    code = "print('out', x)\nprint('err', file=sys.stderr)\nsw.finish(x)"
    result = await sweep(script(tmp_path, code), n_trials=2, directory=tmp_path / "sweep")
    for trial in result.trials:
        log = tmp_path / "sweep" / "trials" / str(trial.number) / "attempt-1.log"
        assert log.read_text() == f"out {trial.params['x']}\nerr\n"


async def test_a_failed_script_is_tried_again_and_finds_its_checkpoint(tmp_path: Path) -> None:
    code = (
        "path = sw.current_trial().checkpoint_dir / 'seen'\nseen = path.exists()\npath.touch()\n"
        "if not seen: raise OSError('not yet')\nsw.finish(sw.current_trial().attempt)"
    )
    result = await sweep(script(tmp_path, code), n_trials=1, retries=1, directory=tmp_path / "sweep")
    assert (result.trials[0].value, [error.type for error in result.trials[0].failures]) == (2.0, ["OSError"])


async def test_a_pruner_ends_scripts(tmp_path: Path) -> None:
    code = "for step in range(5):\n    sw.report(sw.current_trial().number, step=step)\nsw.finish(x)"
    pruner = sw.pruner("threshold", upper=0.5)
    result = await sweep(script(tmp_path, code), n_trials=2, pruner=pruner)
    assert [str(trial.state) for trial in result.trials] == ["COMPLETE", "PRUNED"]


async def test_parameters_that_kill_a_script_again_and_again_are_given_up(tmp_path: Path) -> None:
    code = "os.kill(os.getpid(), signal.SIGKILL)"
    result = await sweep(script(tmp_path, code), n_trials=1, retries=sw.Retry(5, quarantine=2))
    (trial,) = result.trials
    assert trial.error is not None and (trial.error.type, trial.attempt) == ("WorkerLost", 2)
    assert "killed by SIGKILL" in trial.error.message


async def test_a_retry_that_is_for_lost_workers_is_for_killed_scripts(tmp_path: Path) -> None:
    code = "if sw.current_trial().attempt == 1: os.kill(os.getpid(), signal.SIGSEGV)\nsw.finish(x)"
    result = await sweep(script(tmp_path, code), n_trials=1, retries=sw.Retry(1, on=sw.WorkerLost))
    assert str(result.trials[0].state) == "COMPLETE"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what processes do")
async def test_a_script_that_a_signal_stopped_is_lost(tmp_path: Path) -> None:
    result = await sweep(script(tmp_path, "os.kill(os.getpid(), signal.SIGSTOP)"), n_trials=1)
    error = result.trials[0].error
    assert error is not None and (error.type, error.message) == (
        "WorkerLost",
        "stopped by a signal for more than 0.3 s",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what processes take")
@pytest.mark.parametrize(
    ("limit", "code", "kind"),
    [
        ({"memory_limit": "300MB"}, "hog = b'x' * 10**9\ntime.sleep(50)", "MemoryLimitExceeded"),
        ({"cpu_time_limit": 0.3}, "while True: pass", "CpuTimeLimitExceeded"),
    ],
    ids=["memory", "time"],
)
async def test_a_script_that_takes_too_much_is_ended(tmp_path: Path, limit: Any, code: str, kind: str) -> None:
    result = await sweep(script(tmp_path, code), n_trials=1, executor={"name": "process", **limit})
    assert result.trials[0].error is not None and result.trials[0].error.type == kind


# -- R13 ---------------------------------------------------------------------------------------------------------------

DOES_NOT_END = """
def stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(folder + "/%d" % os.getpid(), "w"):
        pass
    while True:
        time.sleep(50)


folder = sys.argv[2]
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for way in (None, os.setsid, os.setpgrp):
    if not os.fork():
        if way is not None:
            way()
        if os.fork() and way is None:
            os._exit(0)
        stay()
stay()
"""
N_PROCESSES = 6


async def hung(folder: Path, n_trials: int) -> None:
    pids = folder / "pids"
    pids.mkdir()
    objective = script(folder, DOES_NOT_END, args=["--x={x}", str(pids)])
    settings = {"n_trials": n_trials, "concurrency": 2, "trial_timeout": 2.0, "grace_s": 0.1}
    result = await sweep(objective, **settings)
    assert {trial.error.type for trial in result.trials if trial.error is not None} == {"TrialTimeout"}
    left = [int(name) for name in os.listdir(pids)]
    assert len(left) >= N_PROCESSES * n_trials
    assert [pid for pid in left if not has_ended(pid, within_s=0)] == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the group is ended")
async def test_nothing_is_left_of_a_hung_script_after_timeout_and_grace(tmp_path: Path) -> None:
    """R13."""
    await hung(tmp_path, 2)


@pytest.mark.deep
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the group is ended")
async def test_nothing_is_left_of_many_hung_scripts(tmp_path: Path) -> None:
    """R13."""
    await hung(tmp_path, 100)


# -- signals that reach the worker too ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_signal_to_the_group_of_a_script_harms_no_other_trial(tmp_path: Path, number: int) -> None:
    code = (
        f"if sw.current_trial().number == 0:\n    signal.signal({int(number)}, signal.SIG_IGN)\n    os.killpg(0, {int(number)})\n"
        "sw.finish(x)"
    )
    result = await sweep(script(tmp_path, code), n_trials=3)
    assert [str(trial.state) for trial in result.trials] == ["COMPLETE"] * 3


FINISHES_WHEN_TOLD_TO_END = "def end(*args):\n    sw.finish(x)\n    sys.exit()\nsignal.signal(signal.SIGTERM, end)\nsw.report(x)\ntime.sleep(50)"
FAR_OFF: dict[str, Any] = {**SETTINGS, "grace_s": 1000}


async def test_a_timed_out_script_that_ends_well_makes_room_at_once(tmp_path: Path) -> None:
    settings = {**FAR_OFF, "trial_timeout": 1.0}
    result = await sweep(script(tmp_path, FINISHES_WHEN_TOLD_TO_END), n_trials=2, **settings)
    assert [str(trial.state) for trial in result.trials] == ["COMPLETE"] * 2  # the grace is for a last word


async def test_a_cancelled_script_that_ends_well_makes_room_at_once(tmp_path: Path) -> None:
    code = "if sw.current_trial().number: sw.finish(x)\nelse:\n    " + FINISHES_WHEN_TOLD_TO_END.replace("\n", "\n    ")
    async with (
        nothing_left(),
        sw.Sweep(script(tmp_path, code), X, n_trials=2, **FAR_OFF).start() as run,
    ):
        async for update in run.updates():
            if isinstance(update, sw.TrialReported):
                run.cancel_trial(0)
        result = await run.result()
    assert str(result.trials[1].state) == "COMPLETE"


# -- the controller's own ----------------------------------------------------------------------------------------------


async def test_a_stopped_script_has_its_grace_and_what_it_reported_is_no_result(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    code = (
        f"def end(*args):\n    open({str(saved)!r}, 'w').close()\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\nsw.report(x)\ntime.sleep(50)"
    )
    async with (
        nothing_left(),
        sw.Sweep(script(tmp_path, code), X, n_trials=1, **{**SETTINGS, "grace_s": 20}).start() as run,
    ):
        async for update in run.updates():
            if isinstance(update, sw.TrialReported):
                run.stop("enough", now=True)
        result = await run.result()
    assert (saved.exists(), str(result.trials[0].state)) == (True, "CANCELLED")


IN_MEMORY = """
import sys, anyio, asyncsweep as sw
if __name__ == "__main__":
    script = sw.Script(sys.argv[1])
    result = anyio.run(sw.Sweep(script, {"x": 1}, sampler="random", executor="process", n_trials=1).run)
    print(result.trials[0].value)
"""


async def test_without_a_directory_a_script_prints_where_the_sweep_prints(tmp_path: Path) -> None:
    script(tmp_path, "print('from the script')\nsw.finish(x)")
    (tmp_path / "run.py").write_text(IN_MEMORY)
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "train.py")]
    done = await anyio.run_process(command)
    assert done.stdout.decode() == "from the script\n1.0\n"


async def test_a_script_that_cannot_be_prepared_ends_the_sweep(tmp_path: Path) -> None:
    async with nothing_left():
        with pytest.raises(sw.AsyncSweepError, match=r"Script.preload: 'no_such_module' cannot be imported"):
            await sw.Sweep(script(tmp_path, "", preload=["no_such_module"]), X, n_trials=1, **SETTINGS).run()


async def test_a_worker_that_a_thread_keeps_from_ending_is_ended(tmp_path: Path) -> None:
    (tmp_path / "threaded.py").write_text("import threading\nthreading.Thread(target=threading.Event().wait).start()")
    async with nothing_left():
        with pytest.raises(sw.ConfigError, match=r"Script.preload: 'threaded' has started the thread 'Thread-1"):
            await sw.Sweep(script(tmp_path, "", preload=["threaded"]), X, n_trials=1, **SETTINGS).run()


async def test_a_script_dies_with_a_killed_controller(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script(
        tmp_path,
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}}')\nprint('runs', flush=True)\ntime.sleep(50)",
    )
    (tmp_path / "run.py").write_text(IN_MEMORY)
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "train.py")]
    async with await anyio.open_process(command) as controller:
        assert controller.stdout is not None
        assert await controller.stdout.receive() == b"runs\n"
        controller.send_signal(signal.SIGKILL)
        await controller.wait()
    assert all(has_ended(int(pid), within_s=10) for pid in pids.read_text().split())
