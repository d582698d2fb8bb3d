"""The executor `gpu` on devices that are lost, held, full, or silent: no trial is lost, and none is to blame."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pynvml
import pytest

import asyncsweep as sw
from asyncsweep.core import events as ev
from asyncsweep.executors import gpu_looks
from asyncsweep.executors.gpu import GpuExecutor
from asyncsweep.executors.gpu_slots import GpuSlot
from asyncsweep.hooks.contracts import Job, JobId, ObjectiveSpec, Setup
from asyncsweep.testing.executor_suite.stand import Stand
from tests.executors import gpu_objectives
from tests.executors.fake_nvml import GIB, FakeMachine
from tests.leaks import nothing_left, open_fds

# What becomes of a device does not depend on the event loop; the suite is run on both.
pytestmark = [pytest.mark.anyio, pytest.mark.any_loop]

LOST = pynvml.NVML_ERROR_GPU_IS_LOST


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    folder = tmp_path / "nvml"
    folder.mkdir()
    made = FakeMachine(folder)
    made.install(monkeypatch)
    monkeypatch.setenv("ASYNCSWEEP_DEBUG", "1")
    return made


@pytest.fixture
def space(tmp_path: Path) -> dict[str, Any]:
    """Trials take 4 GiB, and wait for the file `go`."""
    signs = tmp_path / "signs"
    signs.mkdir()
    return {"gib": 4.0, "folder": str(signs)}


def go(space: dict[str, Any]) -> None:
    Path(space["folder"], "go").touch()


@asynccontextmanager
async def running(objective: Any, space: dict[str, Any], n: int, **options: Any) -> AsyncIterator[sw.SweepRun]:
    """A sweep of which `n` trials have taken their memory and wait."""
    settings = {key: options.pop(key) for key in ("n_trials", "concurrency", "retries") if key in options}
    settings = {"sampler": "random", "n_trials": n, "concurrency": n, "seed": 1, "grace_s": 0.5, **settings}
    made = sw.Sweep(objective, space, executor={"name": "gpu", **options}, **settings)
    async with nothing_left(), made.start() as run:
        n_began = 0
        with anyio.fail_after(30):
            async for update in run.updates():
                n_began += isinstance(update, sw.TrialReported)
                if n_began == n:
                    break
        yield run


async def until(run: sw.SweepRun, kind: type[sw.Update]) -> Any:
    with anyio.fail_after(30):
        async for update in run.updates():
            if isinstance(update, kind):
                return update
    raise AssertionError(f"no {kind.__name__}")


def device_of(trial: sw.TrialRecord) -> int:
    return int(trial.user_attrs["devices"][0][4:12], 16)


@asynccontextmanager
async def stand_of(executor: GpuExecutor, target: str) -> AsyncIterator[Stand]:
    """An executor that is open, with one slot, outside of a sweep."""
    names = ("gib", "folder")
    spec = ObjectiveSpec(f"{gpu_objectives.__name__}:{target}", b"", names, names, ("value",))
    stand = Stand(executor, 20.0)
    async with nothing_left(), executor.open(Setup(None, spec, 1, None, None, 0.5), stand):
        yield stand


# -- devices that are lost --------------------------------------------------------------------------------------------


async def test_a_trial_on_a_device_that_is_lost_is_tried_again_elsewhere(
    machine: FakeMachine, space: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with running(gpu_objectives.takes, space, 2, n_trials=4) as run:
        first = device_of(run.trials[0])
        machine.devices[first].error = LOST
        retried = await until(run, sw.TrialRetried)
        assert (retried.trial, retried.error.type) == (0, "DeviceLost")
        assert retried.error.message == f"GPU {first} (GPU-{first:08x}-aaaa) is gone: NVML says of it: GPU is lost"
        go(space)
        result = await run.result()
    assert result.counts[sw.State.COMPLETE] == 4
    assert first not in [device_of(trial) for trial in result.trials]
    assert [trial.failures for trial in result.trials] == [()] * 4
    assert f"GPU {first} (GPU-{first:08x}-aaaa) is gone and is used no more" in caplog.text
    assert "(7 can run at a time on what is left)" in caplog.text


@pytest.mark.parametrize("objective", [gpu_objectives.fails_on_its_device, gpu_objectives.dies_on_its_device])
async def test_an_error_on_a_device_that_is_lost_is_not_the_trials(
    machine: FakeMachine, space: dict[str, Any], objective: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep.executors.gpu._LOOK_EVERY_S", 1000.0)  # nobody has looked yet when it fails
    async with running(objective, space, 1) as run:
        machine.devices[device_of(run.trials[0])].error = LOST
        go(space)
        result = await run.result()
    (trial,) = result.trials
    assert (trial.state, trial.attempt, trial.failures) == (sw.State.COMPLETE, 2, ())


async def test_an_error_on_a_device_that_is_there_is_the_trials(machine: FakeMachine, space: dict[str, Any]) -> None:
    go(space)
    async with running(gpu_objectives.fails_on_its_device, space, 1) as run:
        (trial,) = (await run.result()).trials
    assert (trial.state, str(trial.error)) == (sw.State.FAILED, "RuntimeError: CUDA error: unspecified launch failure")


async def test_a_result_from_a_device_that_is_lost_counts(
    machine: FakeMachine, space: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep.executors.gpu._LOOK_EVERY_S", 1000.0)
    async with running(gpu_objectives.takes, space, 1, n_trials=2) as run:
        first = device_of(run.trials[0])
        machine.devices[first].error = LOST
        go(space)
        result = await run.result()
    assert [trial.attempt for trial in result.trials] == [1, 1]
    assert device_of(result.trials[0]) == first != device_of(result.trials[1])


async def test_all_trials_that_share_a_lost_device_are_tried_again(machine: FakeMachine, space: dict[str, Any]) -> None:
    async with running(gpu_objectives.takes, space, 4, per_trial=0.5, devices=[0, 1]) as run:
        machine.devices[0].error = LOST
        await until(run, sw.TrialRetried)
        go(space)
        result = await run.result()
    assert sorted(trial.attempt for trial in result.trials) == [1, 1, 2, 2]
    assert [device_of(trial) for trial in result.trials] == [1] * 4


async def test_without_any_device_left_the_sweep_ends(machine: FakeMachine, space: dict[str, Any]) -> None:
    async with running(gpu_objectives.takes, space, 1, devices=[3]) as run:
        machine.devices[3].error = LOST
        with pytest.raises(
            sw.AsyncSweepError, match=r"no GPU is left that a trial could run on; the last one was GPU 3"
        ):
            await run.result()


async def test_a_device_that_is_silent_for_long_is_lost(
    machine: FakeMachine, space: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_looks, "SILENCE_S", 0.0)
    async with running(gpu_objectives.takes, space, 1) as run:
        machine.devices[device_of(run.trials[0])].error = pynvml.NVML_ERROR_UNKNOWN
        retried = await until(run, sw.TrialRetried)
        assert "Unknown Error, for more than 0 s" in retried.error.message
        go(space)
        assert (await run.result()).counts[sw.State.COMPLETE] == 1


# -- memory that does not come back -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["by a process", "by nobody"])
async def test_the_next_trial_waits_until_the_memory_of_the_last_one_is_back(
    machine: FakeMachine, space: dict[str, Any], how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A device whose memory is held is left out, the trial that waits for it is given back, and both go on when it is free."""
    go(space)
    device = machine.devices[0]
    async with stand_of(GpuExecutor(devices=0, release_timeout_s=0.2), "takes") as stand:
        await stand.launch(0, **space)
        if how == "by a process":
            machine.keeps_dead = True
        else:
            device.stuck_bytes = 3 * GIB
        assert isinstance(await stand.end(0), ev.Finished)
        await stand.launch(1, **space)
        assert await stand.next(ev.SlotsChanged) == ev.SlotsChanged(await stand.free_worker(), 0)
        assert await stand.next(ev.TakenBack) == ev.TakenBack(1, 1)
        assert stand.said(1) == ["TakenBack"]
        machine.keeps_dead, device.stuck_bytes = False, 0
        assert await stand.next(ev.SlotsChanged, count=2) == ev.SlotsChanged(await stand.free_worker(), 1)
        await stand.launch(1, **space)
        assert await stand.end(1) == ev.Finished(1, 1, {"value": 0.0})
    assert "ended 0 s ago, and its memory is not back: on GPU 0 (GPU-00000000-aaaa) " in caplog.text
    assert ("has 4 GiB" if how == "by a process" else "3 GiB are taken that were free before") in caplog.text
    assert "the memory of GPU 0 (GPU-00000000-aaaa) is free again" in caplog.text


async def test_a_held_device_is_left_out_and_the_others_go_on(
    machine: FakeMachine, space: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with running(gpu_objectives.takes, space, 2, n_trials=6, devices=[0, 1], release_timeout_s=0.2) as run:
        machine.devices[0].stuck_bytes = 3 * GIB
        go(space)
        result = await run.result()
    assert result.counts[sw.State.COMPLETE] == 6
    assert [device_of(trial) for trial in result.trials].count(0) == 1
    assert [(trial.failures, trial.attempt) for trial in result.trials] == [((), 1)] * 6


async def test_a_trial_that_waits_for_a_device_can_be_killed(machine: FakeMachine, space: dict[str, Any]) -> None:
    go(space)
    async with stand_of(GpuExecutor(devices=0), "takes") as stand:
        await stand.launch(0, **space)
        machine.keeps_dead = True
        await stand.end(0)
        await stand.launch(1, **space)
        stand.executor.kill(JobId(1, 1), 0.1)
        assert await stand.next(ev.Killed) == ev.Killed(1, 1)
        machine.keeps_dead = False
        await stand.launch(2, **space)
        assert isinstance(await stand.end(2), ev.Finished)


# -- fewer and more slots ----------------------------------------------------------------------------------------------


async def test_slots_that_are_given_up_finish_what_runs_there(machine: FakeMachine, space: dict[str, Any]) -> None:
    executor = GpuExecutor(per_trial=0.5, devices=[0])
    async with stand_of(executor, "takes") as stand:
        first = await stand.free_worker()
        await stand.launch(0, **space)
        await stand.next(ev.Reported)
        executor.resize(5)
        second = await stand.free_worker(2)
        executor.resize(0)
        lost = await stand.next(ev.WorkerLost)
        assert (lost.worker, lost.reason) == (second, "the executor has fewer slots now")
        assert [event for event in stand.events if isinstance(event, ev.SlotsChanged)] == [
            ev.SlotsChanged(second, 0),
            ev.SlotsChanged(first, 0),
        ]
        go(space)
        assert isinstance(await stand.next(ev.Finished), ev.Finished)
        assert (await stand.next(ev.WorkerLost, count=2)).worker == first
        executor.resize(1)
        await stand.launch(1, slot=3, **space)
        assert isinstance(await stand.next(ev.Finished, trial=1), ev.Finished)


async def test_a_slot_that_waits_for_a_device_can_be_given_up(machine: FakeMachine, space: dict[str, Any]) -> None:
    go(space)
    executor = GpuExecutor(devices=[0])
    async with stand_of(executor, "takes") as stand:
        await stand.launch(0, **space)
        machine.keeps_dead = True
        await stand.end(0)
        await stand.launch(1, **space)
        executor.resize(0)
        await stand.next(ev.WorkerLost)
        kinds = [type(event).__name__ for event in stand.events[-3:]]
        assert kinds == ["SlotsChanged", "TakenBack", "WorkerLost"]


async def test_a_worker_that_is_ready_just_when_its_slot_is_given_up_does_not_join(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever were launched there would be given back at once, and launched there again, for ever."""
    given_up: list[GpuSlot] = []
    ready = GpuSlot._ready

    def ready_too_late(self: GpuSlot) -> None:
        if not given_up:
            given_up.append(self)
            self.leave()
        ready(self)

    monkeypatch.setattr(GpuSlot, "_ready", ready_too_late)
    executor = GpuExecutor(devices=[0, 1])
    async with stand_of(executor, "takes") as stand:
        executor.resize(2)
        await stand.free_worker()
        await given_up[0]._ended.wait()
        assert [type(event) for event in stand.events if not isinstance(event, ev.SlotsChanged)] == [ev.WorkerJoined]


async def test_what_is_launched_to_a_slot_that_was_given_up_meanwhile_is_given_back(
    machine: FakeMachine, space: dict[str, Any]
) -> None:
    """A launch may wait for its sync while the user takes the slot away."""
    executor = GpuExecutor(devices=[0])
    async with stand_of(executor, "takes") as stand:
        worker = await stand.free_worker()
        executor.resize(0)
        executor.launch(Job(0, 1, worker, space))
        assert await stand.next(ev.TakenBack) == ev.TakenBack(0, 1)
        executor.kill(JobId(0, 1), 0.1)  # it is not here any more
        assert await stand.next(ev.Killed) == ev.Killed(0, 1)
        assert (await stand.next(ev.WorkerLost)).worker == worker


# -- memory that others have ------------------------------------------------------------------------------------------


def _and_then(call: Callable[[], None]) -> Callable[..., None]:
    """The logger's `warning`, which calls something afterwards."""
    warn = logging.getLogger("asyncsweep").warning

    def warning(*arguments: Any) -> None:
        warn(*arguments)
        call()

    return warning


async def test_a_trial_begins_only_where_its_memory_is_free(
    machine: FakeMachine, space: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(space)
    for device in machine.devices[:2]:
        device.others = {1: 75 * GIB}
    executor = GpuExecutor(devices=[0, 1], memory_gib=10, release_timeout_s=0.1)
    warned = anyio.Event()
    monkeypatch.setattr("asyncsweep.executors.gpu.log.warning", _and_then(warned.set))
    async with stand_of(executor, "takes") as stand:
        with anyio.fail_after(20):
            await warned.wait()
        assert stand.events == []
        assert "trials wait for a GPU with memory_gib=10 free" in caplog.text
        assert "GPU 1 (GPU-00000001-aaaa) has 4.5 GiB free (process 1: 75 GiB)" in caplog.text
        machine.devices[1].others = {}
        await stand.launch(0, **space)
        await stand.end(0)
        uuids = [event.value for event in stand.events if isinstance(event, ev.AttrSet) and event.key == "devices"]
        assert uuids == [["GPU-00000001-aaaa"]]


async def test_memory_that_goes_before_the_trial_comes_is_waited_for(
    machine: FakeMachine, space: dict[str, Any]
) -> None:
    go(space)
    async with stand_of(GpuExecutor(devices=0, memory_gib=10, release_timeout_s=0.2), "takes") as stand:
        await stand.free_worker()
        machine.devices[0].others = {1: 75 * GIB}
        assert (await stand.next(ev.SlotsChanged)).slots == 0
        machine.devices[0].others = {}
        assert (await stand.next(ev.SlotsChanged, count=2)).slots == 1
        await stand.launch(0, **space)
        assert isinstance(await stand.end(0), ev.Finished)


async def test_a_trial_that_comes_when_the_memory_is_gone_waits_for_it(
    machine: FakeMachine, space: dict[str, Any]
) -> None:
    go(space)
    async with stand_of(GpuExecutor(devices=0, memory_gib=10), "takes") as stand:
        await stand.free_worker()
        machine.devices[0].others = {1: 75 * GIB}
        await anyio.to_thread.run_sync(machine.wait_for_looks, 3)
        await stand.launch(0, **space)
        assert stand.said(0) == []
        machine.devices[0].others = {}
        assert isinstance(await stand.end(0), ev.Finished)
        assert [event for event in stand.events if isinstance(event, ev.WorkerLost)] == []


# -- a driver that hangs ----------------------------------------------------------------------------------------------


async def test_a_driver_that_hangs_holds_up_no_outcome(
    machine: FakeMachine, space: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gpu_looks, "PATIENCE_S", 0.2)
    async with stand_of(GpuExecutor(devices=0), "takes") as stand:
        await stand.launch(0, **space)
        await stand.next(ev.Reported)
        machine.hangs = threading.Event()
        try:
            go(space)
            assert isinstance(await stand.end(0), ev.Finished)
            await stand.launch(1, **space)
            assert stand.said(1) == []
        finally:
            machine.hangs.set()
            machine.hangs = None
        assert isinstance(await stand.end(1), ev.Finished)
    assert "the NVIDIA driver has not answered for 0.2 s" in caplog.text


async def test_while_a_look_hangs_there_is_no_other(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    async with nothing_left(), gpu_looks.looking() as looker:
        devices = await looker.devices()
        machine.hangs = threading.Event()
        try:
            monkeypatch.setattr(gpu_looks, "PATIENCE_S", 0.05)
            assert await looker.look(devices, []) is None
            monkeypatch.setattr(gpu_looks, "PATIENCE_S", 30.0)
            with anyio.fail_after(10):
                assert await looker.look(devices, []) is None
        finally:
            machine.hangs.set()
            machine.hangs = None
        with anyio.fail_after(10):  # the look that hung comes to its end
            while any(name.endswith("/nvml") for name in open_fds()):  # noqa: ASYNC110 - nobody is told of it
                await anyio.sleep(0.01)


@pytest.fixture(autouse=True)
def warnings_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "asyncsweep")
