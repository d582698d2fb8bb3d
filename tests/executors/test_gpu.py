"""The executor `gpu` on devices that are made up, with real workers: who sees what, who is replaced, and what is told."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import anyio
import pynvml
import pytest

import asyncsweep as sw
from asyncsweep.core.effects import TrialUsage
from asyncsweep.core.events import Used, WorkerJoined
from asyncsweep.executors import gpu_looks
from asyncsweep.executors.gpu import GpuExecutor
from asyncsweep.executors.gpu_usage import Usages
from asyncsweep.hooks.contracts import Job, ObjectiveSpec, Setup
from asyncsweep.testing.executor_suite.stand import Stand
from tests import objectives
from tests.executors import gpu_objectives
from tests.executors.fake_nvml import GIB, FakeMachine
from tests.leaks import nothing_left

pytestmark = [pytest.mark.anyio, pytest.mark.any_loop]

X = {"x": sw.Float(0, 1)}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    folder = tmp_path / "nvml"
    folder.mkdir()
    made = FakeMachine(folder)
    made.install(monkeypatch)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where objectives say that they began, and wait."""
    made = tmp_path / "signs"
    made.mkdir()
    return made


async def sweep(
    objective: Any, space: Any = X, /, executor: dict[str, Any] | None = None, **settings: Any
) -> sw.Result:
    settings = {"sampler": "random", "n_trials": 3, "concurrency": 1, "seed": 1, "grace_s": 2.0, **settings}
    async with nothing_left():
        return await sw.Sweep(objective, space, executor={"name": "gpu", **(executor or {})}, **settings).run()


def attr(result: sw.Result, name: str) -> list[Any]:
    return [trial.user_attrs[name] for trial in result.trials]


def number(trial: sw.TrialRecord) -> int:
    """The device that a trial's last attempt had, of whole ones."""
    (uuid,) = trial.user_attrs["devices"]
    return int(uuid[4:12], 16)


# -- which devices a trial sees ---------------------------------------------------------------------------------------


async def test_a_trial_sees_its_device_alone_before_anything_is_imported(machine: FakeMachine) -> None:
    result = await sweep(gpu_objectives.visible, executor={"devices": [5]})
    assert attr(result, "devices") == [["GPU-00000005-aaaa"]] * 3
    seen = {"CUDA_VISIBLE_DEVICES": "GPU-00000005-aaaa", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert attr(result, "at_import") == [seen] * 3


async def test_our_own_variables_are_replaced(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    result = await sweep(gpu_objectives.visible, executor={"pass_env": ["CUDA_*"]}, n_trials=1)
    seen = {"CUDA_VISIBLE_DEVICES": "GPU-00000003-aaaa", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert attr(result, "at_import") == [seen]


async def test_a_trial_may_have_several_devices(machine: FakeMachine) -> None:
    result = await sweep(gpu_objectives.visible, executor={"per_trial": 2, "devices": [4, 6]}, n_trials=1)
    assert attr(result, "devices") == [["GPU-00000004-aaaa", "GPU-00000006-aaaa"]]


async def test_an_instance_is_a_device(machine: FakeMachine) -> None:
    machine.divide(2, "1g.10gb", "1g.10gb")
    result = await sweep(gpu_objectives.visible, executor={"devices": "MIG-21ab-bbbb"}, n_trials=1)
    assert attr(result, "devices") == [["MIG-21ab-bbbb"]]


async def test_four_quarters_of_a_device_run_at_a_time_and_no_more(machine: FakeMachine, folder: Path) -> None:
    options = {"name": "gpu", "per_trial": 0.25, "devices": 1}
    space = {"gib": 2.0, "folder": str(folder)}
    run_of = sw.Sweep(
        gpu_objectives.takes, space, executor=options, sampler="random", n_trials=8, concurrency=8, seed=1
    )
    async with nothing_left(), run_of.start() as run:
        n_started = 0
        async for update in run.updates():
            n_started += isinstance(update, sw.TrialReported)
            if n_started == 4:
                break
        assert run.counts[sw.State.RUNNING] == 4
        assert sorted(machine.owners(machine.devices[1]).values()) == [2 * GIB] * 4
        (folder / "go").touch()
        result = await run.result()
    assert result.counts[sw.State.COMPLETE] == 8
    assert {number(trial) for trial in result.trials} == {1}


async def test_trials_are_spread_over_the_devices(machine: FakeMachine, folder: Path) -> None:
    space = {"gib": 2.0, "folder": str(folder)}
    run_of = sw.Sweep(
        gpu_objectives.takes,
        space,
        executor={"name": "gpu", "per_trial": 0.5},
        sampler="random",
        n_trials=8,
        concurrency=8,
    )
    async with nothing_left(), run_of.start() as run:
        n_began = 0
        async for update in run.updates():
            n_began += isinstance(update, sw.TrialReported)
            if n_began == 8:
                break
        (folder / "go").touch()
        result = await run.result()
    assert sorted(map(number, result.trials)) == list(range(8))


# -- which workers stay -----------------------------------------------------------------------------------------------


async def test_a_worker_without_device_memory_stays(machine: FakeMachine) -> None:
    assert len(set(attr(await sweep(gpu_objectives.visible), "pid"))) == 1


async def test_a_worker_that_has_device_memory_is_replaced(machine: FakeMachine, folder: Path) -> None:
    result = await sweep(gpu_objectives.takes, {"gib": 1.0, "folder": str(folder), "waits": False}, n_trials=3)
    assert len(set(attr(result, "pid"))) == 3


async def test_where_processes_are_not_told_the_memory_tells_who_is_replaced(
    machine: FakeMachine, folder: Path
) -> None:
    machine.tells_processes = False
    result = await sweep(gpu_objectives.takes, {"gib": 1.0, "folder": str(folder), "waits": False})
    assert len(set(attr(result, "pid"))) == 3
    assert len(set(attr(await sweep(gpu_objectives.visible), "pid"))) == 1


async def test_fresh_gives_each_trial_another_process(machine: FakeMachine) -> None:
    assert len(set(attr(await sweep(gpu_objectives.visible, executor={"fresh": True}), "pid"))) == 3


async def test_without_fresh_a_worker_keeps_what_it_has_until_a_trial_fails(machine: FakeMachine, folder: Path) -> None:
    space = {"gib": 1.0, "folder": str(folder), "waits": False, "fails": sw.Categorical([True, False])}
    enqueue = [{"fails": fails} for fails in (False, True, False, False)]
    result = await sweep(gpu_objectives.may_fail, space, executor={"fresh": False}, n_trials=4, enqueue=enqueue)
    one, two, three, four = attr(result, "pid")
    assert one == two != three == four


async def test_a_worker_stays_whose_attempts_are_processes_of_their_own(machine: FakeMachine, tmp_path: Path) -> None:
    code = (
        "import os, sys\nimport asyncsweep as sw\nfrom tests.executors.fake_nvml import take_memory\ntake_memory(1.0)\n"
        "sw.report(value=0.0, parent=os.getppid(), devices=len(os.environ['CUDA_VISIBLE_DEVICES'].split(',')))\n"
    )
    (tmp_path / "train.py").write_text(code)
    result = await sweep(sw.Script(tmp_path / "train.py", env={"PYTHONPATH": str(ROOT)}), executor={"per_trial": 2})
    assert [str(trial.error) for trial in result.trials if trial.error] == []
    assert len({trial.metrics["parent"] for trial in result.trials}) == 1
    assert {trial.metrics["devices"] for trial in result.trials} == {2}


# -- what is told -----------------------------------------------------------------------------------------------------


@pytest.mark.each_loop
async def test_nothing_of_nvml_is_called_on_the_loop(machine: FakeMachine) -> None:
    await sweep(gpu_objectives.visible)
    assert machine.threads and threading.get_ident() not in machine.threads
    assert machine.n_open == 0


async def test_workers_do_not_import_the_library(machine: FakeMachine) -> None:
    result = await sweep(gpu_objectives.imports_little, n_trials=1)
    assert result.best_value == 0.0


def test_usage_has_the_latest_the_highest_and_the_mean() -> None:
    usages, job = Usages(5.0), Job(0, 1, "w", {})
    assert usages.now(0.0, job, {"gpu_memory_gib": 1.0, "gpu_utilisation": 0.5})
    assert usages.now(1.0, job, {"gpu_memory_gib": 3.0, "gpu_utilisation": 1.0}) == []
    told = {"gpu_memory_gib": 2.0, "gpu_memory_peak_gib": 3.0, "gpu_utilisation": 0.0, "gpu_utilisation_mean": 0.5}
    assert usages.now(5.0, job, {"gpu_memory_gib": 2.0, "gpu_utilisation": 0.0}) == [Used(0, 1, told)]
    last = {**told, "gpu_memory_gib": 0.0, "gpu_utilisation": 0.5}
    assert usages.last(job, {"gpu_memory_gib": 0.0, "gpu_utilisation": 0.5}) == [Used(0, 1, last)]
    assert usages.last(job, {}) == []


@pytest.mark.parametrize("waits", [False, True], ids=["short", "long"])
async def test_usage_is_in_the_record_of_a_trial(machine: FakeMachine, folder: Path, waits: bool) -> None:
    """Of a trial that is shorter than the pause between two looks, too."""
    space = {"gib": 3.0, "folder": str(folder), "waits": waits}
    options = {"name": "gpu", "per_trial": 0.5}
    run_of = sw.Sweep(gpu_objectives.takes, space, executor=options, sampler="random", n_trials=1, concurrency=1)
    told = []
    async with nothing_left(), run_of.start() as run:
        async for update in run.updates():
            if isinstance(update, TrialUsage):
                told.append(update.usage)
                if update.usage["gpu_memory_gib"]:
                    (folder / "go").touch()
        result = await run.result()
    expected = {"gpu_memory_gib": 3.0, "gpu_memory_peak_gib": 3.0, "gpu_utilisation": 0.5, "gpu_utilisation_mean": 0.5}
    assert told and told[-1] == expected == result.trials[0].usage


async def test_usage_that_nobody_wants_is_not_told(machine: FakeMachine) -> None:
    assert (await sweep(gpu_objectives.visible, executor={"usage_every_s": None}, n_trials=1)).trials[0].usage is None


# -- what a slot offers -----------------------------------------------------------------------------------------------


def joined(setup_slots: int, executor: GpuExecutor) -> list[WorkerJoined]:
    """The workers that join when an executor is opened for so many slots."""

    async def run() -> list[WorkerJoined]:
        spec = ObjectiveSpec(f"{gpu_objectives.__name__}:visible", b"", (), (), ("value",))
        stand = Stand(executor, 20.0)
        async with executor.open(Setup(None, spec, setup_slots, None, None, 0.5), stand):
            await stand.free_worker(2)
        return [event for event in stand.events if isinstance(event, WorkerJoined)]

    return anyio.run(run)


def test_a_slot_offers_its_part_of_a_device(machine: FakeMachine) -> None:
    labels = {"gpu": "NVIDIA H100 80GB HBM3"}
    offered = {"host": socket.gethostname(), "gpus": 0.25, "labels": labels}
    assert [event.resources for event in joined(2, GpuExecutor(per_trial=0.25))] == [offered] * 2


def test_devices_of_several_models_have_no_label(machine: FakeMachine) -> None:
    machine.devices[1].name = "Tesla T4"
    assert joined(2, GpuExecutor())[0].resources["labels"] == {}


def test_no_number_of_slots_means_as_many_as_fit(machine: FakeMachine) -> None:
    del machine.devices[1:]
    assert len(joined(0, GpuExecutor(per_trial=0.5))) == 2


def test_what_trials_need_is_what_they_get(machine: FakeMachine) -> None:
    executor = GpuExecutor()
    executor.set_needs({"cpus": 4, "gpus": 4})
    assert [event.resources["gpus"] for event in joined(2, executor)] == [4.0, 4.0]
    executor = GpuExecutor(per_trial=0.5)
    executor.set_needs({"gpus": 4})
    assert joined(2, executor)[0].resources["gpus"] == 0.5


async def test_without_a_concurrency_all_devices_are_used(machine: FakeMachine, folder: Path) -> None:
    del machine.devices[3:]
    space = {"gib": 2.0, "folder": str(folder)}
    run_of = sw.Sweep(gpu_objectives.takes, space, executor="gpu", sampler="random", n_trials=3, concurrency=None)
    async with nothing_left(), run_of.start() as run:
        n_began = 0
        async for update in run.updates():
            n_began += isinstance(update, sw.TrialReported)
            if n_began == 3:
                break
        (folder / "go").touch()
        result = await run.result()
    assert sorted(map(number, result.trials)) == [0, 1, 2]


async def test_a_sweep_that_needs_two_devices_for_a_trial_gets_them(machine: FakeMachine) -> None:
    result = await sweep(gpu_objectives.visible, needs={"gpus": 2}, n_trials=1)
    assert len(attr(result, "devices")[0]) == 2


def test_needs_that_its_slots_do_not_meet_are_a_config_error(machine: FakeMachine) -> None:
    with pytest.raises(sw.ConfigError, match="gpus"):
        sw.Sweep(gpu_objectives.visible, X, executor={"name": "gpu", "per_trial": 0.5}, needs={"gpus": 1})


# -- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"per_trial": 1.5}, "per_trial=1.5"),
        ({"devices": []}, "devices="),
        ({"memory_gib": 0}, "memory_gib=0"),
        ({"release_timeout_s": -1}, "release_timeout_s=-1"),
        ({"fresh": 1}, "fresh=1"),
        ({"usage_every_s": 0.5}, "usage_every_s=0.5: it must be a number of seconds >= 1"),
        ({"pass_env": "A"}, "pass_env="),
        ({"memory_limit": 0}, "memory_limit=0"),
    ],
    ids=str,
)
def test_a_wrong_option_is_a_config_error(options: dict[str, Any], named: str) -> None:
    with pytest.raises(sw.ConfigError, match=rf"executor\.{named}"):
        sw.Sweep(objectives.square, X, executor={"name": "gpu", **options})


async def test_without_a_driver_the_sweep_does_not_begin(machine: FakeMachine, tmp_path: Path) -> None:
    machine.init_error = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    with pytest.raises(sw.ConfigError, match="no NVIDIA driver"):
        await sweep(gpu_objectives.visible, directory=tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists() or not list((tmp_path / "sweep").iterdir())


async def test_a_driver_that_does_not_answer_is_a_config_error(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_looks, "OPEN_S", 0.1)
    machine.hangs = threading.Event()
    try:
        with pytest.raises(sw.ConfigError, match=r"the NVIDIA driver does not answer within 0\.1 s"):
            await sw.Sweep(gpu_objectives.visible, X, executor="gpu").run()
    finally:
        machine.hangs.set()


async def test_an_objective_that_cannot_be_loaded_ends_the_sweep(machine: FakeMachine) -> None:
    with pytest.raises(sw.ConfigError, match="no trial could start: OSError: no worker for it here"):
        await sweep(gpu_objectives.Unbuildable)


@pytest.mark.each_loop
async def test_being_cancelled_while_a_trial_runs_leaves_nothing_behind(machine: FakeMachine, folder: Path) -> None:
    async with nothing_left():
        with anyio.CancelScope() as scope:
            space = {"gib": 2.0, "folder": str(folder)}
            async with sw.Sweep(
                gpu_objectives.takes, space, executor="gpu", sampler="random", grace_s=0.2
            ).start() as run:
                async for update in run.updates():
                    if isinstance(update, sw.TrialReported):
                        scope.cancel()
    assert machine.n_open == 0
