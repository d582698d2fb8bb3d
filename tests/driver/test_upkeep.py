"""Which trials' logs and checkpoints stay, and what is never deleted."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asyncsweep as sw
from asyncsweep.core.effects import TrialFinished, UpdatesSkipped
from asyncsweep.core.records import Direction, Keep
from asyncsweep.driver import removal, upkeep
from asyncsweep.driver.upkeep import Keeper
from asyncsweep.journal.writer import Journal
from asyncsweep.testing.events import spec
from asyncsweep.worker.folders import numbers_in
from tests.checkpoint_objectives import where

KEEPS: tuple[Keep, ...] = ("all", "failed", "best")

# -- what a sweep leaves -----------------------------------------------------------------------------------------------


async def of_every_kind(trial: Any) -> float:
    """By number: COMPLETE with 3.0, 1.0 and 2.0, FAILED, PRUNED, CANCELLED. All of them save something."""
    (trial.checkpoint_dir / "file").write_text("saved")
    number = trial.number
    if number == 3:
        raise ValueError("it fails")
    if number == 4:
        raise sw.TrialPruned
    if number == 5:
        await anyio.sleep_forever()
    return (3.0, 1.0, 2.0)[number]


def left(directory: Path) -> list[int]:
    return numbers_in(directory / "trials")


def sweep(directory: Path, objective: Any = of_every_kind, **changes: Any) -> sw.Sweep:
    options = {"sampler": "random", "seed": 1, "n_trials": 6, "space": {"x": sw.Float(0, 1)}, **changes}
    return sw.Sweep(objective, directory=directory, **options)


async def run_with_a_cancelled_one(sweep: sw.Sweep) -> None:
    async with sweep.start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted) and update.trial == 5:
                run.cancel_trial(5)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("keep", "expected"), [("all", [0, 1, 2, 3, 4, 5]), ("failed", [3]), ("best", [1, 3])], ids=KEEPS
)
async def test_what_stays_when_the_sweep_has_ended(keep: Keep, expected: list[int], tmp_path: Path) -> None:
    await run_with_a_cancelled_one(sweep(tmp_path, keep=keep))
    assert left(tmp_path) == expected


@pytest.mark.anyio
async def test_a_resumed_sweep_deletes_what_an_earlier_process_left(tmp_path: Path) -> None:
    await run_with_a_cancelled_one(sweep(tmp_path, keep="all"))
    await sw.Sweep.resume(tmp_path, of_every_kind, keep="best")
    assert left(tmp_path) == [1, 3]


@pytest.mark.anyio
async def test_logs_go_with_the_checkpoints(tmp_path: Path) -> None:
    await sweep(tmp_path, "tests.objectives:prints_everywhere", executor="process", n_trials=2, keep="failed").run()
    assert left(tmp_path) == []


@pytest.mark.anyio
async def test_files_go_while_the_sweep_runs(tmp_path: Path) -> None:
    async with sweep(tmp_path, where, n_trials=None, keep="failed").start() as run:
        for number in range(3):
            while (tmp_path / "trials" / str(number)).exists() or len(run.trials) <= number + 1:
                await anyio.lowlevel.checkpoint()
        run.stop()
    assert left(tmp_path) == []


@pytest.mark.anyio
async def test_a_trial_that_will_be_tried_again_keeps_its_checkpoint(tmp_path: Path) -> None:
    async def objective(trial: Any) -> float:
        file = trial.checkpoint_dir / "file"
        if trial.attempt == 1:
            file.write_text("saved")
            raise ValueError("try again")
        return float(file.read_text() == "saved")

    result = await sweep(tmp_path, objective, retries=1, n_trials=5, concurrency=2, keep="failed").run()
    assert [trial.value for trial in result.trials] == [1.0] * 5


@pytest.mark.anyio
async def test_an_interrupted_trial_keeps_its_checkpoint(tmp_path: Path) -> None:
    async def objective(trial: Any) -> float:
        await where(trial)
        await anyio.sleep_forever()
        return 0.0

    async with anyio.create_task_group() as tasks, sweep(tmp_path, objective, keep="failed").start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted):
                await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
                break
    assert left(tmp_path) == [0]


@pytest.mark.anyio
async def test_nothing_is_deleted_when_the_journal_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def objective(trial: Any) -> float:
        (trial.checkpoint_dir / "file").write_text("saved")

        def fail(self: Journal) -> bool:
            raise sw.JournalError("the disk is full")

        monkeypatch.setattr(Journal, "commit", fail)
        return 0.0

    with pytest.raises(sw.JournalError, match="the disk is full"):
        await sweep(tmp_path, objective, keep="failed").run()
    assert left(tmp_path) == [0]


@pytest.mark.anyio
async def test_a_file_that_cannot_be_deleted_is_logged_once_and_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(folders: Path, number: int, stop: threading.Event) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(upkeep, "remove_trial", refuse)
    with caplog.at_level(logging.WARNING, "asyncsweep"):
        result = await sweep(tmp_path, where, n_trials=2, keep="failed").run()
    assert [trial.state for trial in result.trials] == ["COMPLETE"] * 2
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"keep='failed': files of trial {n} cannot be deleted: [Errno 13] Permission denied" for n in (0, 1)
    ]


# -- one at a time, and not after the end -------------------------------------------------------------------------------


class Gate:
    """A disk that does not answer when the first file is to be deleted."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self._unlink = os.unlink

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None:  # it is upkeep that deletes
            self.reached.set()
            self.opened.wait(60)
        self._unlink(path, dir_fd=dir_fd)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(os, "unlink", gate.unlink)
    yield gate
    gate.opened.set()


async def saving(trial: Any) -> float:
    (trial.checkpoint_dir / "file").write_text("saved")
    return 0.0


def saved(folder: Path, numbers: range) -> Path:
    """A folder of trials of which each has saved something."""
    for number in numbers:
        (folder / "trials" / str(number) / "checkpoint").mkdir(parents=True)
        (folder / "trials" / str(number) / "checkpoint" / "file").write_text("saved")
    return folder / "trials"


def test_one_call_waits_for_another_one_to_end(tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    listed = threading.Event()

    def listing(folders: Path) -> list[int]:
        listed.set()
        return numbers_in(folders)

    monkeypatch.setattr(upkeep, "numbers_in", listing)
    keeper = Keeper(saved(tmp_path, range(2)), spec(keep="best"))
    trials = [record(0, (1.0,)), record(1, (0.0,))]

    def call(name: str, *args: Any) -> None:
        getattr(keeper, name)(*args)
        order.append(name)

    first = threading.Thread(target=call, args=("take", trials))
    second = threading.Thread(target=call, args=("tidy", trials, 2))
    first.start()
    assert gate.reached.wait(60)
    second.start()
    began_beside = listed.wait(0.2)
    gate.opened.set()
    first.join(60)
    second.join(60)
    assert (began_beside, order, left(tmp_path)) == (False, ["take", "tidy"], [1])


def test_a_call_that_is_stopped_deletes_nothing_but_the_file_it_is_at(tmp_path: Path, gate: Gate) -> None:
    keeper = Keeper(saved(tmp_path, range(3)), spec(keep="failed"))
    thread = threading.Thread(target=keeper.take, args=([record(number, (0.0,)) for number in range(3)],))
    thread.start()
    assert gate.reached.wait(60)
    keeper.stop.set()
    gate.opened.set()
    thread.join(60)
    assert not thread.is_alive()
    assert sorted(str(path.relative_to(tmp_path / "trials")) for path in tmp_path.glob("trials/*/checkpoint")) == [
        "0/checkpoint",
        "1/checkpoint",
        "2/checkpoint",
    ]
    assert len(list(tmp_path.glob("trials/*/checkpoint/file"))) == 2


@pytest.fixture
def keepers(monkeypatch: pytest.MonkeyPatch) -> list[Keeper]:
    """Those that sweeps make."""
    made: list[Keeper] = []

    class Noted(Keeper):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(upkeep, "Keeper", Noted)
    return made


@pytest.mark.anyio
async def test_nothing_is_deleted_after_a_sweep_whose_disk_did_not_answer(
    tmp_path: Path, gate: Gate, keepers: list[Keeper], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(upkeep, "UPKEEP_GRACE_S", 0.1)
    result = await sweep(tmp_path, saving, n_trials=3, keep="failed").run()
    saved(tmp_path, range(7, 9))  # as a later process does
    gate.opened.set()
    (keeper,) = keepers
    await anyio.to_thread.run_sync(keeper.tidy, result.trials, 3)
    assert left(tmp_path) == [0, 1, 2, 7, 8]
    assert [record.getMessage() for record in caplog.records] == [
        f"keep='failed': files cannot be deleted: it takes longer than 0.1 s; what is left is in {tmp_path / 'trials'}"
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(("place", "name"), [(Keeper, "_losers"), (upkeep, "remove_tree")], ids=["kept", "temporary"])
async def test_whatever_fails_in_upkeep_is_logged_once_and_harms_nobody(
    place: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(place, name, fail)
    directory = tmp_path if place is Keeper else None
    settings: dict[str, Any] = {"sampler": "random", "n_trials": 3, "directory": directory, "keep": "best"}
    result = await sw.Sweep(saving, {"x": sw.Float(0, 1)}, **settings).run()
    assert [trial.state for trial in result.trials] == ["COMPLETE"] * 3
    assert [record.getMessage() for record in caplog.records] == ["keep='best': files cannot be deleted: no such luck"]


def test_what_fails_in_a_call_that_nobody_waits_for_is_logged_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(Keeper, "_losers", fail)
    Keeper(saved(tmp_path, range(1)), spec(keep="best")).take([record(0, (0.0,))])
    assert [record.getMessage() for record in caplog.records] == ["keep='best': files cannot be deleted: no such luck"]


@pytest.mark.anyio
async def test_a_thread_that_cannot_be_had_is_logged_once_and_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run_sync = anyio.to_thread.run_sync

    async def refuse(call: Any, *args: Any, **options: Any) -> Any:
        if isinstance(getattr(call, "__self__", None), Keeper):
            raise RuntimeError("can't start new thread")
        return await run_sync(call, *args, **options)

    monkeypatch.setattr(anyio.to_thread, "run_sync", refuse)
    result = await sweep(tmp_path, saving, n_trials=3, keep="failed").run()
    assert [trial.state for trial in result.trials] == ["COMPLETE"] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "keep='failed': files cannot be deleted: can't start new thread"
    ]


@pytest.mark.anyio
async def test_a_checkpoint_in_the_way_that_cannot_be_deleted_is_told_whatever_the_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sweep(tmp_path, where, n_trials=1).run()
    saved(tmp_path, range(5, 6))

    def fail(*args: Any) -> None:
        raise RecursionError("folders in folders")

    monkeypatch.setattr(upkeep, "remove_trial", fail)
    with pytest.raises(
        sw.ConfigError, match="is not known any more, and cannot be deleted: folders in folders; delete it"
    ):
        await sw.Sweep.resume(tmp_path, where, n_trials=2)


@pytest.mark.anyio
async def test_folders_that_cannot_be_listed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folders: Path) -> list[int]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(upkeep, "numbers_in", fail)
    with pytest.raises(sw.ConfigError, match=r"trials cannot be read: .*Permission denied"):
        await sweep(tmp_path, where).run()


# -- numbers that are used again ---------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_dropped_trials_checkpoint_is_gone_before_its_number_is_used_again(tmp_path: Path) -> None:
    """A reproducible sweep that has met its target drops the trials beyond it; a longer one runs them anew."""
    began = anyio.Event()

    async def objective(trial: Any) -> float:
        file = trial.checkpoint_dir / "file"
        found = file.exists()
        file.write_text("saved")
        if trial.number == 0:
            await began.wait()
        began.set()
        return 5.0 if found else float(trial.number)

    settings: dict[str, Any] = {"n_trials": 2, "concurrency": 2, "reproducible": 2}
    first = await sweep(tmp_path, objective, target=0.0, **settings).run()
    assert len(first.trials) == 1
    (tmp_path / "trials" / "1" / "checkpoint").mkdir(parents=True, exist_ok=True)  # as after a kill
    (tmp_path / "trials" / "1" / "checkpoint" / "file").write_text("saved")
    second = await sw.Sweep.resume(tmp_path, objective, target=None)
    assert [trial.value for trial in second.trials] == [0.0, 1.0]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["checkpoint", "artifacts"])
async def test_a_new_sweep_refuses_a_folder_with_what_trials_of_another_left(name: str, tmp_path: Path) -> None:
    left = tmp_path / "trials" / "3" / name
    left.mkdir(parents=True)
    with pytest.raises(sw.ConfigError, match=rf"trials/3/{name} is of another sweep.*; delete it, or name another dir"):
        await sweep(tmp_path, where).run()
    assert left.is_dir()
    assert not (tmp_path / "journal.asyncsweep").exists()


# -- the best ----------------------------------------------------------------------------------------------------------


def record(number: int, values: tuple[float, ...], feasible: bool = True) -> sw.TrialRecord:
    trial = sw.TrialRecord(number, sw.State.COMPLETE, attempt=1)
    trial.metric_names = tuple("abc"[: len(values)])
    trial.metric_values = values
    trial.constraints = None if feasible else {"c": 1.0}
    return trial


def kept_of(trials: list[sw.TrialRecord], directions: dict[str, Direction], folder: Path) -> list[int]:
    for trial in trials:
        (folder / "trials" / str(trial.number) / "checkpoint").mkdir(parents=True)
    keeper = Keeper(folder / "trials", spec(directions=directions, keep="best"))
    for trial in trials:
        keeper.take([trial])
    return left(folder)


@settings(max_examples=60, deadline=None)
@given(
    directions=st.lists(st.sampled_from(["minimize", "maximize"]), min_size=1, max_size=3),
    data=st.data(),
)
def test_best_keeps_what_the_result_calls_the_best(
    directions: list[Direction], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = st.tuples(*[st.sampled_from([0.0, 1.0, 2.0, float("inf")])] * len(directions))
    points = data.draw(st.lists(st.tuples(values, st.booleans()), max_size=8))
    trials = [record(number, point, feasible) for number, (point, feasible) in enumerate(points)]
    by_name = dict(zip("abc", directions, strict=False))
    result = sw.Result(spec(directions=by_name), trials)
    best = result.best_trials if len(directions) > 1 else [result.best] if result.best else []
    order = data.draw(st.permutations(trials))
    assert kept_of(order, by_name, tmp_path_factory.mktemp("sweep")) == [trial.number for trial in best]


def test_missed_updates_are_made_up_for_by_looking_at_all_final_trials() -> None:
    finals = upkeep._Finals(machine_with(["COMPLETE", "RUNNING", "FAILED", "COMPLETE"]), 0)
    updates = [UpdatesSkipped(at=0.0, count=3), finished(3)]
    assert [trial.number for trial in finals.among(updates)] == [0, 2, 3]


def test_without_missed_updates_only_their_trials_are_looked_at() -> None:
    finals = upkeep._Finals(machine_with(["COMPLETE", "RUNNING", "FAILED", "COMPLETE"]), 0)
    assert [trial.number for trial in finals.among([finished(3)])] == [3]


def test_with_reproducible_a_trial_counts_when_all_before_it_are_final() -> None:
    finals = upkeep._Finals(machine_with(["COMPLETE", "RUNNING", "FAILED", "COMPLETE"]), 2)
    assert [trial.number for trial in finals.among([finished(3)])] == [0]


def finished(number: int) -> TrialFinished:
    return TrialFinished(at=0.0, trial=number, state=sw.State.COMPLETE, metrics={})


def machine_with(states: list[str]) -> Any:
    """What `_Finals` sees of a driver."""

    class Stub:
        trials = [sw.TrialRecord(number, sw.State(state)) for number, state in enumerate(states)]  # noqa: RUF012
        machine: Any
        fault = None

    Stub.machine = Stub
    return Stub


# -- what is never touched ---------------------------------------------------------------------------------------------


@pytest.fixture
def trials(tmp_path: Path) -> Path:
    """A sweep's folder of trials, with trial 0 in it, beside a folder that is nobody's business."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("dear")
    folder = tmp_path / "sweep" / "trials" / "0"
    (folder / "checkpoint" / "deep").mkdir(parents=True)
    (folder / "checkpoint" / "deep" / "file").write_text("saved")
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "model.bin").write_text("large")
    (folder / "attempt-1.log").write_text("said")
    return folder.parent


def test_logs_checkpoint_artifacts_and_folder_go(trials: Path) -> None:
    removal.remove_trial(trials, 0)
    assert os.listdir(trials) == []


def test_somebody_elses_file_in_a_trials_folder_stays(trials: Path) -> None:
    (trials / "0" / "notes.txt").write_text("mine")
    removal.remove_trial(trials, 0)
    assert os.listdir(trials / "0") == ["notes.txt"]


@pytest.mark.parametrize(
    "place", ["0/checkpoint/link", "0/checkpoint/deep/link", "0/artifacts/link", "0/attempt-2.log"]
)
def test_a_symbolic_link_goes_and_what_it_leads_to_stays(place: str, trials: Path, tmp_path: Path) -> None:
    (trials / place).symlink_to(tmp_path / "outside")
    removal.remove_trial(trials, 0)
    assert os.listdir(trials) == []
    assert (tmp_path / "outside" / "file").read_text() == "dear"


def test_a_symbolic_link_in_the_place_of_a_checkpoint_is_not_followed(trials: Path, tmp_path: Path) -> None:
    (trials / "1").mkdir()
    (trials / "1" / "checkpoint").symlink_to(tmp_path / "outside")
    removal.remove_trial(trials, 1)
    assert os.listdir(trials) == ["0"]
    assert (tmp_path / "outside" / "file").read_text() == "dear"


@pytest.mark.parametrize("link", ["trials/1", "trials"])
def test_a_symbolic_link_in_the_place_of_a_folder_is_not_followed(link: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "1" / "checkpoint").mkdir(parents=True)
    (outside / "checkpoint").mkdir()
    place = tmp_path / "sweep" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside)
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        removal.remove_trial(tmp_path / "sweep" / "trials", 1)
    assert sorted(os.listdir(outside)) == ["1", "checkpoint"]


def test_numbers_are_those_of_folders_alone(trials: Path) -> None:
    (trials / "7").symlink_to(trials / "0")
    (trials / "8").write_text("a file")
    (trials / "-1").mkdir()
    (trials / "09").mkdir()
    (trials / "1\N{ARABIC-INDIC DIGIT TWO}").mkdir()
    assert numbers_in(trials) == [0]


def test_what_is_gone_already_is_no_fault(trials: Path) -> None:
    removal.remove_trial(trials, 5)
    removal.remove_trial(trials / "nowhere", 0)
    removal.remove_tree(trials / "nowhere")
    assert os.listdir(trials) == ["0"]


def test_a_file_that_vanishes_meanwhile_is_no_fault(trials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = os.unlink

    def twice(name: str, *, dir_fd: int) -> None:
        unlink(name, dir_fd=dir_fd)
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", twice)
    removal.remove_trial(trials, 0)
    assert os.listdir(trials) == []


def test_what_can_be_deleted_is_when_something_cannot(trials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = os.unlink

    def refuse(name: str, *, dir_fd: int) -> None:
        if name == "attempt-1.log":
            raise PermissionError(13, "Permission denied")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(PermissionError):
        removal.remove_trial(trials, 0)
    assert os.listdir(trials / "0") == ["attempt-1.log"]


@pytest.mark.anyio
@pytest.mark.parametrize("is_resumed", [False, True])
async def test_a_symbolic_link_in_the_place_of_the_trials_folder_is_refused(tmp_path: Path, is_resumed: bool) -> None:
    directory = tmp_path / "sweep"
    directory.mkdir()
    if is_resumed:
        await sweep(directory, "tests.small_objectives:square", n_trials=1).run()
    (tmp_path / "elsewhere").mkdir()
    (directory / "trials").symlink_to(tmp_path / "elsewhere")
    objective = "tests.small_objectives:square"
    refused = sw.Sweep.open(directory, objective, n_trials=2) if is_resumed else sweep(directory, objective, n_trials=1)
    with pytest.raises(sw.ConfigError, match="'trials' is a symbolic link, which is never followed"):
        await refused.run()
