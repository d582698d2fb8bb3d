"""A sweep's directory as a viewer's source: read while another process writes it, however it writes, ends, dies or is replaced."""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

import asyncsweep as sw
from asyncsweep.core import events as ev
from asyncsweep.core.effects import Update, updates_of
from asyncsweep.core.records import ErrorInfo
from asyncsweep.core.snapshot import freeze
from asyncsweep.driver.updates import Watcher
from asyncsweep.journal import format as layout
from asyncsweep.journal import growing, journal, lock
from asyncsweep.journal.compaction import compact
from asyncsweep.journal.files import OsFile
from asyncsweep.testing.events import Bench, failed, finished, spec, started, worker_joined
from asyncsweep.viewer import following, replaying
from asyncsweep.viewer.following import JournalSource
from asyncsweep.viewer.replaying import Replayed
from asyncsweep.viewer.source import Stand
from tests.cli.made import ended, open_still, put

pytestmark = pytest.mark.anyio

ALL = 10**9


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "a sweep"


def path_of(directory: Path) -> Path:
    return directory / journal.NAME


def append(directory: Path, *parts: bytes) -> None:
    with open(path_of(directory), "ab") as file:
        for part in parts:
            file.write(part)


def records(events: Sequence[ev.Event]) -> list[bytes]:
    return [layout.encode(event) for event in events]


def published(bench: Bench, first: int = 0) -> list[Update]:
    """What the live sweep showed from its event number `first` on, counted from 0."""
    return [update for effects in bench.effects[first:] for effect in effects for update in updates_of(effect)]


async def taken(watcher: Watcher) -> list[Update]:
    """What waits for a watcher now."""
    with anyio.move_on_after(0):
        return await watcher.take()
    return []


async def look_until(source: JournalSource, so: Callable[[], bool]) -> None:
    """Look again and again, as `follow` does."""
    with anyio.fail_after(20):
        while not so():
            await source.look()


async def test_a_sweep_that_has_ended_is_what_it_was(directory: Path) -> None:
    bench = ended(5)
    source = await JournalSource.open(put(directory, bench.journal))
    assert list(source.trials) == bench.machine.trials and source.spec == bench.machine.spec
    assert source.best == bench.machine.best
    assert (source.name, source.generation, source.problem) == ("a sweep", 0, "")
    assert (source.stand, source.is_live, source.commands) == (Stand("ENDED", "n_trials reached"), False, None)
    watcher = source.watch(10)
    assert not await source.look() and await taken(watcher) == [] and not watcher.closed
    source.close()


async def test_a_journal_that_grows_byte_by_byte_is_read_as_it_becomes_whole(directory: Path) -> None:
    bench = ended(2)
    data = b"".join([*records(bench.journal), layout.mark(0)])
    whole = len(layout.encode(bench.journal[0]))
    put(directory, bench.journal[:1])
    start = path_of(directory).stat().st_size
    source = await JournalSource.open(directory)
    watcher = source.watch(ALL)
    ends = [start + sum(map(len, records(bench.journal[1:n]))) for n in range(1, len(bench.journal) + 1)]
    for place in range(whole, len(data)):
        append(directory, data[place : place + 1])
        size = path_of(directory).stat().st_size
        assert await source.look() == (size in (*ends, start + len(data) - whole))
        n_seen = sum(end <= size for end in ends)
        assert source._replayed.machine.seq == n_seen
        assert source.problem == "" and source.generation == 0
    assert list(source.trials) == bench.machine.trials
    assert await taken(watcher) == published(bench, 1)
    source.close()


async def test_a_tail_that_never_ended_is_waited_for_and_gone_on_with_when_it_was_cut_off(directory: Path) -> None:
    bench = open_still()
    source = await JournalSource.open(put(directory, bench.journal))
    watcher = source.watch(ALL)
    size, n_events = path_of(directory).stat().st_size, len(bench.journal)
    append(directory, layout.encode(bench.stamped(finished(2, 0.1)))[:-1])
    assert not await source.look() and source.problem == ""
    bench.send(ev.Reopened(bench.machine.spec), worker_joined("v"), started(2, 2), finished(2, 0.1, 2))
    os.truncate(path_of(directory), size)
    append(directory, *records(bench.journal[n_events:]))
    assert await source.look()
    assert (source.problem, source.generation) == ("", 0)
    assert list(source.trials) == bench.machine.trials
    assert await taken(watcher) == published(bench, n_events)
    source.close()


async def test_a_journal_that_was_compacted_is_read_anew_and_those_who_watched_are_told(directory: Path) -> None:
    bench = ended(30)
    events = bench.journal[:-20]
    written = journal.create(directory)
    for event in events:
        written.add(event)
    written.commit()
    source = await JournalSource.open(directory)
    before = source.watch(ALL)
    machine = source._replayed.machine
    assert await compact(written, freeze(machine)) is None
    for event in bench.journal[-20:]:
        written.add(event)
    written.commit()
    assert await source.look() and source.generation == 1
    assert before.closed and source.problem == ""
    after = source.watch(ALL)
    await source.look()
    assert list(source.trials) == bench.machine.trials and source._replayed.machine is not machine
    written.close()
    await source.look()
    assert not after.closed and source.stand == Stand("ENDED", "n_trials reached")
    source.close()


@pytest.mark.parametrize("how", ["cut", "other", "same file"])
async def test_a_journal_that_became_another_one_is_read_anew(directory: Path, how: str) -> None:
    bench, other = ended(12), ended(4 if how == "other" else 40)
    source = await JournalSource.open(put(directory, bench.journal))
    if how == "cut":
        os.truncate(path_of(directory), path_of(directory).stat().st_size // 2)
    elif how == "other":
        put(directory / "new", other.journal)
        os.replace(path_of(directory / "new"), path_of(directory))
    else:  # longer than what was read, in the very same file: only its records tell
        put(directory, other.journal)
    await look_until(source, lambda: source.generation == 1)
    if how == "cut":
        n_whole = len(source.trials) - 1  # the last one is on its way
        assert 1 < n_whole < 11 and list(source.trials[:n_whole]) == bench.machine.trials[:n_whole]
        assert source.stand == Stand("INTERRUPTED")
    else:
        assert list(source.trials) == other.machine.trials
    assert source.problem == ""
    source.close()


async def test_damage_is_told_what_was_read_stays_and_a_mended_journal_is_gone_on_with(directory: Path) -> None:
    bench = ended(6)
    n_first = len(bench.journal) // 2
    source = await JournalSource.open(put(directory, bench.journal[:n_first]))
    first = [trial.copied() for trial in source.trials]
    watcher = source.watch(ALL)
    good = path_of(directory).read_bytes()
    rest = b"".join(records(bench.journal[n_first:]))
    broken = bytearray(rest)
    broken[10] ^= 1
    append(directory, bytes(broken), layout.mark(0))
    for _ in range(3):
        await source.look()
    assert f"{path_of(directory)} is damaged: the record at byte {len(good)} is broken" in source.problem
    assert f"asyncsweep journal check {directory}" in source.problem
    assert list(source.trials) == first and source.generation == 0 and not watcher.closed
    path_of(directory).write_bytes(good + rest)
    await look_until(source, lambda: source.generation == 1)
    assert source.problem == "" and list(source.trials) == bench.machine.trials
    source.close()


async def test_a_damaged_journal_is_opened_up_to_the_damage(directory: Path) -> None:
    bench = ended(12)
    put(directory, bench.journal)
    data = bytearray(path_of(directory).read_bytes())
    data[len(data) // 2] ^= 1
    path_of(directory).write_bytes(data)
    source = await JournalSource.open(directory)
    assert "is broken, and it was whole once" in source.problem and 1 < len(source.trials) < 12
    n_trials = len(source.trials)
    assert not await source.look() and len(source.trials) == n_trials and source.generation == 0
    source.close()


async def test_the_lock_tells_whether_a_sweep_runs_and_the_journal_how(directory: Path) -> None:
    bench = open_still()
    source = await JournalSource.open(put(directory, bench.journal))
    assert source.stand == Stand("INTERRUPTED") and not source.is_live

    async def after(*events: ev.Event) -> Stand:
        n_events = len(bench.journal)
        bench.send(*events)
        append(directory, *records(bench.journal[n_events:]))
        await source.look()
        return source.stand

    held = lock.Lock(directory)
    assert await after() == Stand("RUNNING") and source.is_live
    assert await after(ev.Paused()) == Stand("PAUSED")
    assert await after(ev.Unpaused()) == Stand("RUNNING")
    assert await after(ev.StopRequested("enough", now=False)) == Stand("STOPPING", "enough") and source.is_live
    held.release()
    assert await after() == Stand("INTERRUPTED") and not source.is_live
    held = lock.Lock(directory)
    await after(ev.Reopened(bench.machine.spec), worker_joined("v"), started(2, 2))
    assert source.stand == Stand("RUNNING")
    assert await after(failed(2, 2)) == Stand("ENDED", "n_trials reached") and not source.is_live
    held.release()
    assert await after(ev.Reopened(spec(n_trials=9))) == Stand("INTERRUPTED")
    assert source.spec.n_trials == 9
    source.close()


async def test_the_fault_that_ended_a_sweep_is_told(directory: Path) -> None:
    bench = open_still()
    bench.send(ev.ExecutorFailed(ErrorInfo("ConfigError", "no such module")), ev.Killed(2, 1))
    source = await JournalSource.open(put(directory, bench.journal))
    assert source.stand.state == "ENDED" and source.stand.error == "ConfigError: no such module"
    source.close()


async def test_a_directory_that_is_removed_is_told_and_what_was_read_stays(directory: Path, tmp_path: Path) -> None:
    source = await JournalSource.open(put(directory, open_still().journal))
    watcher = source.watch(ALL)
    os.rename(directory, tmp_path / "elsewhere")
    assert await source.look() and source.problem == (
        f"{path_of(directory)} is not there any more: the sweep was deleted or moved"
    )
    assert not await source.look()
    assert (len(source.trials), source.stand, watcher.closed) == (3, Stand("INTERRUPTED"), False)
    os.rename(tmp_path / "elsewhere", directory)
    assert await source.look() and source.problem == "" and source.generation == 0
    source.close()


async def test_a_sweep_that_begins_anew_in_the_same_directory_is_shown_when_it_has_begun(directory: Path) -> None:
    source = await JournalSource.open(put(directory, ended(2).journal))
    path_of(directory).unlink()
    begun = journal.create(directory)
    await source.look()
    assert len(source.trials) == 2 and "was replaced by one of a sweep that has not begun" in source.problem
    bench = ended(3)
    for event in bench.journal:
        begun.add(event)
    begun.commit()
    await look_until(source, lambda: source.generation == 1)
    assert (len(source.trials), source.problem) == (3, "")
    begun.close()
    source.close()


async def test_what_is_no_sweep_is_refused_with_its_path(directory: Path) -> None:
    async def refusal() -> str:
        with pytest.raises(sw.ConfigError) as caught:
            await JournalSource.open(directory)
        return str(caught.value)

    assert await refusal() == f"directory={str(directory)!r} is no folder"
    os.mkdir(directory)
    assert await refusal() == f"directory={str(directory)!r} holds no sweep (journal.asyncsweep is not there)"
    path_of(directory).write_bytes(layout.beginning())
    assert await refusal() == f"directory={str(directory)!r}: that sweep never began"
    path_of(directory).write_bytes(bytes(1000))
    assert await refusal() == f"directory={str(directory)!r}: that sweep never began"


@pytest.mark.parametrize("what", ["another file", "a link", "a pipe", "a folder", "newer"])
async def test_what_is_no_journal_is_refused(directory: Path, what: str) -> None:
    os.mkdir(directory)
    path = path_of(directory)
    if what == "another file":
        path.write_text("PRIMARY KEY" * 100)
    elif what == "a link":
        put(directory / "other", ended(2).journal)
        path.symlink_to(directory / "other" / journal.NAME)
    elif what == "a pipe":
        os.mkfifo(path)
    elif what == "a folder":
        path.mkdir()
    else:
        version = struct.pack("<I", layout.VERSION + 1)
        path.write_bytes(layout.MAGIC + version + struct.pack("<I", zlib.crc32(layout.MAGIC + version)) + bytes(50))
    with pytest.raises(sw.JournalError, match=r"journal\.asyncsweep"):
        await JournalSource.open(directory)


async def test_a_sweep_whose_process_is_there_is_waited_for_until_it_begins(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = journal.create(directory)
    found: list[JournalSource] = []
    looked, loaded = anyio.Event(), following._loaded

    async def open_it() -> None:
        found.append(await JournalSource.open(directory))

    async def noted(path: Path) -> Replayed:
        try:
            return await loaded(path)
        finally:
            looked.set()

    monkeypatch.setattr(following, "_loaded", noted)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(open_it)
            await looked.wait()
            for event in open_still().journal:
                begun.add(event)
            begun.commit()
    assert found[0].stand == Stand("RUNNING") and len(found[0].trials) == 3
    found[0].close()
    begun.close()


def illegal() -> Iterator[tuple[str, bytes]]:
    """Whole records that no sweep of ours writes there, with what is said of each."""
    bench = open_still()
    seq, at = bench.machine.seq + 1, bench.machine.at

    def stamped(event: ev.Event, seq: int = seq) -> bytes:
        event.seq, event.at = seq, at
        return layout.encode(event)

    def framed(payload: bytes) -> bytes:
        head = struct.pack("<I", len(payload))
        return head + struct.pack("<I", zlib.crc32(payload, len(payload))) + payload

    yield "is out of order", stamped(ev.Paused(), seq + 1)
    yield "is out of order", stamped(ev.SweepOpened(spec()), 1)
    yield "cannot follow those before it", stamped(ev.WorkerLost("nobody", ""))
    yield "cannot follow those before it", stamped(ev.TrialCancelled(10**12))
    yield "is no event", framed(b"\xc0")
    yield "", framed(b"\x91" * 100_000 + b"\xc0")
    whole = msgspec.msgpack.encode(ev.Enqueued({"x": 1}))
    yield "cannot be read (RecursionError)", framed(whole.replace(b"\x81\xa1x", b"\x81\xa1x" * 50_000))


@pytest.mark.parametrize("place", range(7))
async def test_an_event_that_no_sweep_writes_is_damage(directory: Path, place: int) -> None:
    said, data = list(illegal())[place]
    source = await JournalSource.open(put(directory, open_still().journal))
    append(directory, data)
    for _ in range(3):
        await source.look()
    assert "is damaged" in source.problem and said in source.problem and "journal check" in source.problem
    assert (len(source.trials), source.generation) == (3, 0)
    source.close()
    source = await JournalSource.open(directory)
    assert said in source.problem and len(source.trials) == 3
    source.close()


async def test_whatever_a_file_holds_nothing_but_our_errors_comes_of_it(directory: Path) -> None:
    put(directory, ended(4).journal)
    data = path_of(directory).read_bytes()
    luck = random.Random(7)
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(luck.choice((1, 1, 3, 20))):
            changed[luck.randrange(len(changed))] = luck.randrange(256)
        if luck.random() < 0.3:
            del changed[luck.randrange(len(changed)) :]
        path_of(directory).write_bytes(changed)
        try:
            source = await JournalSource.open(directory)
        except (sw.ConfigError, sw.JournalError):
            continue
        await source.look()
        assert source.stand.state in ("ENDED", "INTERRUPTED")
        source.close()


async def test_others_have_the_loop_between_the_events_of_a_piece_and_nothing_is_read_twice(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "SLICE_S", 0.0)
    n_read = 0
    part = OsFile.part

    def counted(self: OsFile, offset: int, size: int) -> bytes:
        nonlocal n_read
        data = part(self, offset, size)
        n_read += len(data)
        return data

    bench = ended(50)
    source = await JournalSource.open(put(directory, bench.journal[:2]))
    monkeypatch.setattr(OsFile, "part", counted)
    size = path_of(directory).stat().st_size
    append(directory, *records(bench.journal[2:]))
    n_turns = 0

    async def others() -> None:
        nonlocal n_turns
        while True:
            await anyio.lowlevel.checkpoint()
            n_turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        await source.look()
        await source.look()
        tasks.cancel_scope.cancel()
    assert list(source.trials) == bench.machine.trials
    assert n_turns >= len(bench.journal) - 2
    assert n_read == path_of(directory).stat().st_size - size
    source.close()


async def test_records_larger_than_a_piece_are_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "PIECE_BYTES", 64)
    bench = ended(8)
    source = await JournalSource.open(put(directory, bench.journal[:-10]))
    append(directory, layout.mark(0), *records(bench.journal[-10:]), layout.mark(0))
    await source.look()
    assert list(source.trials) == bench.machine.trials and source.problem == ""
    source.close()


async def test_a_sweep_of_this_process_is_followed_to_its_end_and_told_alike(directory: Path) -> None:
    gate = anyio.Event()

    async def objective(trial: Any) -> float:
        await gate.wait()
        for step in range(3):
            trial.report(step * trial.params["x"], step)
            await anyio.lowlevel.checkpoint()
        if trial.number % 5 == 4:
            raise ValueError("no")
        return float(trial.params["x"])

    sweep = sw.Sweep(
        objective,
        {"x": sw.Float(0, 1)},
        sampler="random",
        n_trials=30,
        concurrency=3,
        directory=directory,
        max_failures=99,
    )
    shown: list[Update] = []
    with anyio.fail_after(40):
        async with anyio.create_task_group() as tasks, sweep.start() as run:
            source = await JournalSource.open(directory)
            n_before = source._replayed.machine.seq
            watcher = source.watch(ALL)
            tasks.start_soon(source.follow)
            updates = run.updates()
            gate.set()
            result = await run.result()
            while source.stand.state != "ENDED":
                shown += await watcher.take()
            shown += await taken(watcher)
            tasks.cancel_scope.cancel()
    assert source.stand == Stand("ENDED", result.reason) and n_before > 0
    assert list(source.trials) == list(result.trials)
    everything = [update async for update in updates]
    assert shown == everything[len(everything) - len(shown) :] and len(shown) > 100
    source.close()
