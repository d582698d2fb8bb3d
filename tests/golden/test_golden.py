"""R28: every journal that was ever recorded here is read as on its first day, and can be gone on with."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import anyio
import pytest
from click.testing import CliRunner

import asyncsweep as sw
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.core import events as ev
from asyncsweep.core.events import EVENTS
from asyncsweep.core.invariants import Watch, state_of
from asyncsweep.core.machine import Machine
from asyncsweep.core.snapshot import freeze
from asyncsweep.driver.replay import replay
from asyncsweep.errors import JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal import inspection
from asyncsweep.journal.writer import NAME
from tests.golden.expected import expected

FOLDER = Path(__file__).parent
GOLDEN = sorted(path.stem for path in FOLDER.glob("*.asyncsweep"))
EARLIER = sorted(path.stem for path in (FOLDER / "earlier").glob("*.asyncsweep"))

each_golden = pytest.mark.parametrize("name", GOLDEN)


def recorded(name: str) -> bytes:
    return (FOLDER / f"{name}.asyncsweep").read_bytes()


def replayed(name: str) -> Machine:
    return replay(layout.decode(recorded(name), name).events, name)


def copied(name: str, directory: Path) -> Path:
    (directory / NAME).write_bytes(recorded(name))
    return directory


@each_golden
def test_a_golden_journal_says_what_it_said_on_its_first_day(name: str) -> None:
    assert expected(replayed(name)) == (FOLDER / f"{name}.json").read_text()


@pytest.mark.parametrize("name", EARLIER)
def test_a_journal_of_before_the_format_was_fixed_says_what_it_said(name: str) -> None:
    """They were recorded before workers told what they offer. What they say has not changed, but how it is written has."""
    data = (FOLDER / "earlier" / f"{name}.asyncsweep").read_bytes()
    machine = replay(layout.decode(data, name).events, name)
    assert expected(machine) == (FOLDER / "earlier" / f"{name}.json").read_text()
    machine.handle(ev.Reopened(machine.spec, seq=machine.seq + 1, at=machine.at))
    thawed = replay(freeze(machine), name)
    assert state_of(thawed) == state_of(machine)


@each_golden
def test_a_golden_journal_passes_the_check(tmp_path: Path, name: str) -> None:
    report = inspection.check(copied(name, tmp_path))
    assert (report.damage, report.torn) == (None, 0)


@each_golden
def test_a_golden_journal_has_the_same_bytes_when_it_is_written_again(name: str) -> None:
    events = layout.decode(recorded(name), name).events
    assert [layout.encode(event) in recorded(name) for event in events] == [True] * len(events)


@each_golden
def test_a_golden_journal_can_be_gone_on_with_and_no_final_trial_changes(tmp_path: Path, name: str) -> None:
    machine = replayed(name)
    metrics = dict.fromkeys(machine.spec.directions, 0.25)

    async def objective(trial: sw.Trial) -> dict[str, float]:
        return metrics

    n_trials = len(machine.trials) + 2
    limits = dict.fromkeys(("timeout", "trial_timeout", "max_failures", "target", "patience"))
    sweep = sw.Sweep.open(copied(name, tmp_path), objective, n_trials=n_trials, needs=None, **limits)  # type: ignore[arg-type]
    result = anyio.run(sweep.run)
    final = {trial.number: repr(trial) for trial in machine.trials if trial.is_final}
    assert {number: repr(result.trials[number]) for number in final} == final
    assert [trial.is_final for trial in result.trials] == [True] * n_trials


@each_golden
def test_a_snapshot_of_a_golden_sweep_is_the_same_sweep(name: str) -> None:
    machine, thawed = replayed(name), Machine()
    for event in freeze(machine):
        thawed.check(event)
        thawed.handle(event)
    assert state_of(thawed) == state_of(machine)


@pytest.mark.parametrize("name", [name for name in GOLDEN if name != "snapshot"])
def test_a_golden_journal_keeps_the_invariants(name: str) -> None:
    machine = Machine()
    watch = Watch(machine)
    for event in layout.decode(recorded(name), name).events:
        machine.check(event)
        watch.see(event, machine.handle(event))


def test_every_event_is_in_a_golden_journal() -> None:
    found = {type(event) for name in GOLDEN for event in layout.decode(recorded(name), name).events}
    assert [kind.__name__ for kind in EVENTS if kind not in found] == []


def test_every_golden_journal_has_what_is_expected_of_it_beside_it() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == GOLDEN


def test_what_is_recorded_is_never_written_again() -> None:
    before = {path: path.stat().st_mtime_ns for path in FOLDER.glob("*.asyncsweep")}
    program = [sys.executable, "-m", "tests.golden.record"]
    answer = subprocess.run(program, cwd=FOLDER.parent.parent, stderr=subprocess.PIPE, text=True, check=False)
    assert answer.returncode == 1
    assert "is recorded, and stays as it is" in answer.stderr
    assert {path: path.stat().st_mtime_ns for path in FOLDER.glob("*.asyncsweep")} == before


def newer(data: bytes) -> bytes:
    """The journal as the next format's."""
    head = layout.MAGIC + struct.pack("<I", layout.VERSION + 1)
    return head + struct.pack("<I", crc32(head)) + data[len(layout.header()) :]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (newer, rf"has format {layout.VERSION + 1}, this asyncsweep reads up to {layout.VERSION}: install a newer one"),
        (lambda data: b"PK\x03\x04" + data[4:16] + bytes(100), "is no asyncsweep journal"),
    ],
    ids=["newer", "another kind"],
)
def test_a_newer_format_and_another_kind_of_file_are_refused_by_everything_that_reads(
    tmp_path: Path, change: object, told: str
) -> None:
    data = change(recorded("odd-values"))  # type: ignore[operator]
    (tmp_path / NAME).write_bytes(data)

    async def objective(trial: sw.Trial) -> float:
        return 0.0

    with pytest.raises(JournalError, match=told):
        sw.Sweep.open(tmp_path, objective)
    for arguments in (("show",), ("journal", "check"), ("journal", "dump"), ("journal", "repair")):
        answer = CliRunner().invoke(command, [*arguments, str(tmp_path)])
        assert answer.exit_code == 1 and told.split(",")[0] in answer.stderr
    assert (tmp_path / NAME).read_bytes() == data
