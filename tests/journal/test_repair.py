"""A damaged journal is repaired on demand: what is sure stays, the rest is kept aside, and a crash on the way harms nothing."""

from __future__ import annotations

import errno
import os
import random
import stat
from pathlib import Path

import anyio
import msgspec
import pytest

import asyncsweep as sw
from asyncsweep.core.events import Event, Kept, ParamAsked, ParamSuggested, WorkerLost
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import ErrorInfo
from asyncsweep.core.snapshot import freeze
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal import inspection
from asyncsweep.journal.inspection import Damage
from asyncsweep.journal.lock import Lock
from asyncsweep.journal.repair import Lost, Plan, plan, repair
from asyncsweep.journal.writer import NAME
from asyncsweep.testing.events import (
    Bench,
    failed,
    finished,
    param_asked,
    param_suggested,
    pruned,
    spec,
    started,
    suggested,
    worker_joined,
)
from asyncsweep.testing.files import Fault, MemoryFiles, Operation
from tests.journal import small

FOLDER = Path("/sweep")


def events() -> list[Event]:
    """Five trials: completed, completed, pruned, failed, running."""
    bench = Bench(spec(n_trials=5), worker_joined())
    bench.send(suggested(0, x=0.25), started(0), finished(0, 1.0))
    bench.send(suggested(1, x=0.5), started(1), param_asked(1, "y"), param_suggested(1, "y", 0.125), finished(1, 2.0))
    bench.send(suggested(2, x=0.75), started(2), pruned(2))
    bench.send(
        suggested(3, x=1.0), started(3), failed(3, error=ErrorInfo("ValueError", "no")), suggested(4), started(4)
    )
    return bench.journal


def encoded(kept: list[Event]) -> bytes:
    return layout.beginning() + b"".join(map(layout.encode, kept)) + layout.mark(0)


def offset_of(place: int) -> int:
    """Where the record of an event begins in `encoded(events())`."""
    return len(layout.beginning()) + sum(len(layout.encode(event)) for event in events()[:place])


def broken_at(place: int) -> bytes:
    """The journal with the record of one event broken."""
    data = bytearray(encoded(events()))
    data[offset_of(place) + 9] ^= 0x55
    return bytes(data)


def put(directory: Path, data: bytes) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / NAME).write_bytes(data)
    return directory


def in_memory(data: bytes) -> MemoryFiles:
    files = MemoryFiles()
    files.make_folder(FOLDER)
    files.sync_folder(Path("/"))
    files.put(FOLDER / NAME, data)
    return files


def moved_in(files: MemoryFiles) -> list[bytes]:
    return [files.content(FOLDER / name) for name in files.names(FOLDER) if name.startswith("journal.quarantine-")]


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}


# -- what stays and what is moved --------------------------------------------------------------------------------------


def test_what_precedes_the_damage_is_the_journal_and_the_rest_is_in_quarantine(tmp_path: Path) -> None:
    data = broken_at(6)
    done = repair(put(tmp_path, data))
    assert done is not None
    assert content(tmp_path) == {NAME: encoded(events()[:6]), "journal.quarantine-1": data[offset_of(6) :]}
    assert done[1] == tmp_path / "journal.quarantine-1"


def test_the_trials_that_ended_in_the_moved_part_are_told_with_what_can_be_read(tmp_path: Path) -> None:
    found = plan(put(tmp_path, broken_at(6)))
    assert found is not None and found.lost == [
        Lost(1, sw.State.COMPLETE, {"value": 2.0}, {"x": 0.5, "y": 0.125}),
        Lost(2, sw.State.PRUNED, {}, {"x": 0.75}),
        Lost(3, sw.State.FAILED, {}, {"x": 1.0}),
    ]
    assert (found.damage, found.n_moved) == (
        Damage(offset_of(6), "the record there is broken, and it was whole once"),
        len(events()) - 7,
    )


def test_a_failure_that_was_retried_is_no_end_and_a_stale_message_no_loss(tmp_path: Path) -> None:
    bench = Bench(spec(n_trials=3, retries=1), worker_joined())
    bench.send(suggested(0), started(0), finished(0, 1.0), suggested(1), started(1), failed(1))
    bench.send(started(1, 2), finished(0, 9.0), failed(0))
    data = layout.beginning() + b"".join(map(layout.encode, bench.journal)) + layout.mark(0)
    broken = bytearray(data)
    broken[len(layout.beginning()) + sum(len(layout.encode(e)) for e in bench.journal[:6]) + 9] ^= 1
    found = plan(put(tmp_path, bytes(broken)))
    assert found is not None and found.lost == []


def test_bytes_between_two_events_that_follow_one_another_are_moved_alone(tmp_path: Path) -> None:
    data, offset = encoded(events()), offset_of(6)
    done = repair(put(tmp_path, data[:offset] + b"foreign" + data[offset:]))
    assert content(tmp_path) == {NAME: data, "journal.quarantine-1": b"foreign"}
    assert done is not None and (done[0].lost, done[0].n_moved) == ([], 0)


@pytest.mark.parametrize("head", [b"", b"\x00" * 16, b"x" * 100])
def test_a_damaged_header_is_replaced_and_every_event_stays(tmp_path: Path, head: bytes) -> None:
    data = encoded(events())
    first = len(layout.beginning())
    done = repair(put(tmp_path, head + data[first:]))
    assert done is not None and done[0].damage == Damage(0, "its header is damaged")
    assert content(tmp_path)[NAME] == data


def test_an_event_that_cannot_follow_is_moved_with_what_is_behind_it(tmp_path: Path) -> None:
    kept = events()
    wrong = WorkerLost("nobody", seq=len(kept) + 1)
    repair(put(tmp_path, encoded([*kept, wrong])))
    assert content(tmp_path)[NAME] == encoded(kept)


def test_what_is_behind_a_missing_record_is_moved(tmp_path: Path) -> None:
    kept = events()
    repair(put(tmp_path, encoded(kept[:6] + kept[7:])))
    assert content(tmp_path)[NAME] == encoded(kept[:6])


def test_whatever_is_broken_the_repaired_journal_is_fine_and_nothing_before_the_damage_is_missing(
    tmp_path: Path,
) -> None:
    whole, draw = encoded(events()), random.Random(5)
    for number in range(60):
        first, size = draw.randrange(offset_of(1), len(whole)), draw.randrange(1, 60)
        data = whole[:first] + draw.randbytes(size) + whole[first + draw.choice((0, size)) :]
        directory = put(tmp_path / str(number), data)
        before = inspection.check(directory)
        done = repair(directory)
        after = inspection.check(directory)
        assert (done is None) == (before.damage is None)
        assert after.damage is None and after.n_events >= before.n_events


def test_a_repaired_sweep_goes_on(tmp_path: Path) -> None:
    async def objective(trial: sw.Trial) -> float:
        return 7.0

    repair(put(tmp_path, broken_at(6)))
    result = anyio.run(sw.Sweep.resume, tmp_path, objective)
    assert [(trial.state, trial.value) for trial in result.trials] == [("COMPLETE", 1.0), *[("COMPLETE", 7.0)] * 4]


def with_folders(directory: Path, data: bytes, *numbers: int) -> Path:
    put(directory, data)
    for number in numbers:
        (directory / "trials" / str(number) / "checkpoint").mkdir(parents=True)
        (directory / "trials" / str(number) / "checkpoint" / "of").write_text(str(number))
    return directory


def folders(directory: Path) -> list[str]:
    return sorted(str(path.parent.parent.relative_to(directory)) for path in directory.glob("*/*/checkpoint/of"))


def test_no_new_trial_finds_the_checkpoint_of_a_lost_one(tmp_path: Path) -> None:
    directory = with_folders(tmp_path / "d", broken_at(6), 0, 1, 2, 7)
    done = repair(directory)
    assert done is not None and done[0].folders == [1, 2, 7]  # what trial 1 asked for while it ran is lost
    assert folders(directory) == [
        "trials.quarantine-1/1",
        "trials.quarantine-1/2",
        "trials.quarantine-1/7",
        "trials/0",
    ]
    assert stat.S_IMODE((directory / "trials.quarantine-1").stat().st_mode) == 0o700


def test_a_trial_whose_parameters_are_sure_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    kept = [event for event in events() if not isinstance(event, ParamAsked | ParamSuggested)]
    kept = [msgspec.structs.replace(event, seq=number) for number, event in enumerate(kept, 1)]
    data = bytearray(encoded(kept))
    data[len(layout.beginning()) + sum(len(layout.encode(event)) for event in kept[:6]) + 9] ^= 1
    directory = with_folders(tmp_path / "d", bytes(data), 0, 1, 2)
    repair(directory)
    assert folders(directory) == ["trials.quarantine-1/2", "trials/0", "trials/1"]


@pytest.mark.parametrize("name", ["007", "00", "1\N{ARABIC-INDIC DIGIT TWO}", "\N{SUPERSCRIPT TWO}", "9" * 200])
def test_a_folder_that_is_no_trials_stays(name: str, tmp_path: Path) -> None:
    directory = with_folders(tmp_path / "d", broken_at(6), 7)
    other = directory / "trials" / name
    other.mkdir()
    done = repair(directory)
    assert done is not None and done[0].folders == [7]
    assert other.is_dir()


def test_folders_that_cannot_be_listed_are_an_error_and_the_journal_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    put(tmp_path, broken_at(6))
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(JournalError, match=r"trials cannot be read: .*Permission denied"):
        repair(tmp_path)
    monkeypatch.undo()
    assert content(tmp_path) == {NAME: broken_at(6)}


def test_the_folder_of_trials_is_not_looked_for_through_a_symbolic_link(tmp_path: Path) -> None:
    other = with_folders(tmp_path / "other", b"", 2)
    put(tmp_path / "d", broken_at(6))
    (tmp_path / "d" / "trials").symlink_to(other / "trials")
    repair(tmp_path / "d")
    assert folders(other) == ["trials/2"]


# -- when nothing is done ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [0, 3])
def test_a_journal_that_is_not_damaged_stays_as_it_is_with_its_torn_tail(tmp_path: Path, cut: int) -> None:
    data = small.journal()[: len(small.journal()) - cut]
    assert repair(put(tmp_path, data)) is None
    assert content(tmp_path) == {NAME: data}


def test_a_plan_changes_nothing_and_takes_no_lock(tmp_path: Path) -> None:
    data = broken_at(6)
    lock = Lock(put(tmp_path, data))
    found = plan(tmp_path)
    lock.release()
    assert isinstance(found, Plan) and content(tmp_path) == {NAME: data}


def test_a_sweep_that_runs_is_not_repaired(tmp_path: Path) -> None:
    data = broken_at(6)
    lock = Lock(put(tmp_path, data))
    with pytest.raises(JournalError, match="is in use by"):
        repair(tmp_path)
    lock.release()
    assert content(tmp_path) == {NAME: data}


def test_a_journal_of_which_no_beginning_is_left_is_refused_and_stays(tmp_path: Path) -> None:
    data = broken_at(0)
    with pytest.raises(JournalError, match="no whole beginning precedes the damage"):
        repair(put(tmp_path, data))
    assert content(tmp_path) == {NAME: data}
    found = plan(tmp_path)
    assert found is not None and [lost.trial for lost in found.lost] == [0, 1, 2, 3]


def test_a_snapshot_that_is_damaged_cannot_be_gone_on_from_and_its_trials_are_told(tmp_path: Path) -> None:
    machine = Machine()
    for event in events():
        machine.handle(event)
    data = bytearray(encoded(list(freeze(machine))))
    data[-len(layout.mark(0)) - 5] ^= 1
    with pytest.raises(JournalError, match="cannot be repaired"):
        repair(put(tmp_path, bytes(data)))
    found = plan(tmp_path)
    assert found is not None and found.lost == [
        Lost(0, sw.State.COMPLETE, {"value": 1.0}, {"x": 0.25}),
        Lost(1, sw.State.COMPLETE, {"value": 2.0}, {"x": 0.5, "y": 0.125}),
        Lost(2, sw.State.PRUNED, {}, {"x": 0.75}),
        Lost(3, sw.State.FAILED, {}, {"x": 1.0}),
    ]


def test_a_snapshot_behind_the_damage_that_makes_no_sense_is_moved_with_the_rest(tmp_path: Path) -> None:
    kept = small.snapshot(3)[0]
    assert isinstance(kept, Kept)
    odd = msgspec.structs.replace(kept, trials=msgspec.structs.replace(kept.trials, names=[]))
    found = plan(put(tmp_path, encoded([*events(), odd])))
    assert found is not None and (found.lost, found.n_moved) == ([], 1)


def test_a_directory_without_a_sweep_is_bad_usage_and_gets_no_lock(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no sweep"):
        repair(tmp_path)
    assert list(tmp_path.iterdir()) == []


# -- safely ------------------------------------------------------------------------------------------------------------


def test_what_a_repair_writes_is_for_the_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    put(tmp_path, broken_at(6))
    before = os.umask(0)
    try:
        repair(tmp_path)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {NAME: 0o600, "journal.quarantine-1": 0o600, "lock": 0o600}


def test_a_second_repair_has_a_quarantine_of_its_own(tmp_path: Path) -> None:
    repair(put(tmp_path, broken_at(6)))
    first = content(tmp_path)["journal.quarantine-1"]
    data = bytearray((tmp_path / NAME).read_bytes())
    data[offset_of(3) + 9] ^= 1
    repair(put(tmp_path, bytes(data)))
    assert content(tmp_path)["journal.quarantine-1"] == first
    assert content(tmp_path)["journal.quarantine-2"] == bytes(data[offset_of(3) :])


def test_a_symbolic_link_in_the_way_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    directory = put(tmp_path / "d", broken_at(6))
    for name in ("journal.repaired", "journal.quarantined", "journal.quarantine-1"):
        (directory / name).symlink_to(tmp_path / "victim")
    done = repair(directory)
    assert (tmp_path / "victim").read_text() == "mine"
    assert done is not None and done[1].name == "journal.quarantine-2"


def steps_of_a_repair(data: bytes) -> int:
    """At how many moments a process could end."""
    files = in_memory(data)
    seen: list[Operation] = []
    files.on_step = seen.append
    repair(FOLDER, files)
    return len(seen)


class Ended(BaseException):
    """The process is no more."""


@pytest.mark.parametrize("loses_power", [False, True])
def test_a_crash_at_any_step_leaves_the_old_journal_or_the_new_one_with_its_quarantine(loses_power: bool) -> None:
    data, moved = broken_at(6), broken_at(6)[offset_of(6) :]
    new = encoded(events()[:6])
    n_steps = steps_of_a_repair(data)
    outcomes = []
    for end in range(n_steps):
        for seed in range(8 if loses_power else 1):
            files = in_memory(data)
            left: list[MemoryFiles] = []

            def step(
                operation: Operation,
                files: MemoryFiles = files,
                left: list[MemoryFiles] = left,
                end: int = end,
                seed: int = seed,
            ) -> None:
                if len(left) == end:
                    left.append(files.crash(random.Random(seed)) if loses_power else files.kill())
                    raise Ended
                left.append(files)

            files.on_step = step
            with pytest.raises(Ended):
                repair(FOLDER, files)
            after = left[-1]
            found = after.content(FOLDER / NAME)
            outcomes.append(found == new)
            assert found in (data, new)
            assert found == data or moved in moved_in(after)
            repair(FOLDER, after)
            assert after.content(FOLDER / NAME) == new
            assert moved_in(after) == [moved]
    assert set(outcomes) == {False, True}


def test_a_refusal_of_the_system_at_any_step_is_an_error_and_loses_nothing() -> None:
    data, new = broken_at(6), encoded(events()[:6])
    files = in_memory(data)
    n_before = len(files.operations)
    repair(FOLDER, files)
    writing = [nth for nth in range(n_before, len(files.operations)) if files.operations[nth].kind != "open"]
    for nth in writing:
        failing = in_memory(data)
        failing.fault = Fault(nth, errno.ENOSPC, lasts=True, is_short=True)
        with pytest.raises(JournalError, match=r"cannot be repaired: .*No space left"):
            repair(FOLDER, failing)
        assert failing.content(FOLDER / NAME) in (data, new)
        assert failing.n_open == 0
        failing.fault = None
        repair(FOLDER, failing)
        assert failing.content(FOLDER / NAME) == new
    assert len(writing) > 8
