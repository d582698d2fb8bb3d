"""`asyncsweep journal`: check, dump and repair, as a user has them."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

import asyncsweep as sw
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.core.events import Event
from asyncsweep.core.machine import Machine
from asyncsweep.core.snapshot import freeze
from asyncsweep.journal import format as layout
from asyncsweep.journal.lock import Lock
from asyncsweep.journal.writer import NAME
from asyncsweep.testing.events import Bench, attr_set, finished, reported, spec, started, suggested, worker_joined
from tests.cli.conftest import COMMAND
from tests.journal import small


def journal(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["journal", *arguments])


def put(directory: Path, events: list[Event], more: bytes = b"") -> str:
    data = layout.beginning() + b"".join(map(layout.encode, events)) + layout.mark(0)
    (directory / NAME).write_bytes(data + more)
    return str(directory)


def put_damaged(directory: Path) -> tuple[str, int]:
    """The small sweep with its fifth record broken, and where that is."""
    events = small.events()
    offset = len(layout.beginning()) + sum(len(layout.encode(event)) for event in events[:4])
    path = put(directory, events)
    data = bytearray((directory / NAME).read_bytes())
    data[offset + 9] ^= 1
    (directory / NAME).write_bytes(data)
    return path, offset


def odd() -> list[Event]:
    """Values that JSON, or a terminal, cannot have."""
    bench = Bench(spec(n_trials=1), worker_joined("\x1b[31mred"))
    bench.send(suggested(0, x=b"\x00\xff", big=2**63 - 1, name="\x9b2J\x7f\u2028\ud7ff"), started(0))
    bench.send(attr_set(0, "deep", {"a": [1, {"b": -math.inf}]}), reported(0, 2**62, math.nan), finished(0, math.inf))
    return bench.journal


def lines(answer: Result) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=pytest.fail) for line in answer.stdout.splitlines()]


# -- check -------------------------------------------------------------------------------------------------------------


def test_a_fine_journal_is_told_in_a_few_lines(tmp_path: Path) -> None:
    answer = journal("check", put(tmp_path, small.events()))
    size = (tmp_path / NAME).stat().st_size
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        f"{tmp_path / NAME} is fine: {size:,} bytes.",
        "9 events up to number 9, from 1970-01-01 00:00:00 UTC to 1970-01-01 00:00:00 UTC; not ended.",
        "2 trials: 1 RUNNING, 1 COMPLETE.",
    ]


def test_a_torn_tail_is_fine_and_said(tmp_path: Path) -> None:
    answer = journal("check", put(tmp_path, small.events(), b"torn"))
    assert answer.exit_code == 0
    assert "4 bytes at its end are of writes that never ended" in answer.stdout


def test_damage_is_told_with_its_place_and_its_mend(tmp_path: Path) -> None:
    path, offset = put_damaged(tmp_path)
    answer = journal("check", path)
    assert answer.exit_code == 1
    assert answer.stdout.splitlines()[0].split(":")[0] == f"{tmp_path / NAME} is DAMAGED"
    assert f"At byte {offset}: the record there is broken" in answer.stdout
    assert answer.stdout.splitlines()[-1] == f"Repair it with: asyncsweep journal repair {tmp_path}"


def test_a_check_as_json_has_every_number(tmp_path: Path) -> None:
    path, offset = put_damaged(tmp_path)
    answer = journal("check", path, "--json")
    (document,) = lines(answer)
    assert answer.exit_code == 1
    assert document["damage"]["offset"] == offset and document["damage"]["records_from_there"] == 4
    facts = [document[name] for name in ("is_fine", "events", "last_seq", "trials", "torn_bytes", "is_over")]
    assert facts == [False, 4, 4, 1, 0, False]


def test_a_time_that_is_no_date_is_shown_as_it_is(tmp_path: Path) -> None:
    events = small.events()
    events[-1].at = 1e300
    assert "to 1e+300" in journal("check", put(tmp_path, events)).stdout


def test_a_directory_without_a_sweep_is_bad_usage(tmp_path: Path) -> None:
    answers = [journal(which, str(tmp_path)) for which in ("check", "dump", "repair")]
    assert [answer.exit_code for answer in answers] == [2, 2, 2]
    assert all("holds no sweep" in answer.stderr for answer in answers)


def test_a_file_of_another_kind_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"PK" + bytes(1000))
    answer = journal("check", str(tmp_path))
    assert answer.exit_code == 1
    assert answer.stderr.startswith(
        f"error: {tmp_path / NAME} is no asyncsweep journal, or its first bytes are damaged"
    )


def test_a_sweep_is_checked_and_dumped_while_it_runs(tmp_path: Path) -> None:
    answers: list[Result] = []

    async def look(x: float) -> float:
        answers.extend(journal(which, str(tmp_path / "d")) for which in ("check", "dump"))
        return x

    space = {"x": sw.Float(0, 1)}
    anyio.run(sw.Sweep(look, space, sampler="random", n_trials=1, directory=tmp_path / "d").run)
    check, dump = answers
    assert check.exit_code == dump.exit_code == 0
    assert "is fine" in check.stdout and "; not ended." in check.stdout
    assert [line["event"] for line in lines(dump)][:3] == ["SweepOpened", "WorkerJoined", "Suggested"]


# -- dump --------------------------------------------------------------------------------------------------------------


def test_every_event_is_a_line_with_its_number_time_and_name(tmp_path: Path) -> None:
    found = lines(journal("dump", put(tmp_path, small.events())))
    assert [(line["seq"], line["event"]) for line in found] == [
        (event.seq, type(event).__name__) for event in small.events()
    ]
    assert found[2] == {"seq": 3, "at": 0.0, "event": "Suggested", "trial": 0, "params": {"x": 0.25}, "attrs": None}


def test_values_that_json_does_not_have_follow_the_stated_rule(tmp_path: Path) -> None:
    found = {line["event"]: line for line in lines(journal("dump", put(tmp_path, odd())))}
    assert found["Suggested"]["params"]["x"] == "00ff"
    assert found["Suggested"]["params"]["big"] == 2**63 - 1
    assert found["AttrSet"]["value"] == {"a": [1, {"b": "-Infinity"}]}
    assert (found["Reported"]["step"], found["Reported"]["value"]) == (2**62, "NaN")
    assert found["Finished"]["metrics"] == {"value": "Infinity"}


def test_a_dump_has_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    text = journal("dump", put(tmp_path, odd())).stdout
    assert all(char == "\n" or " " <= char <= "~" for char in text)
    assert r"\u001b[31mred" in text and r"\u009b2J\u007f" in text


def test_a_dump_can_begin_later(tmp_path: Path) -> None:
    found = lines(journal("dump", put(tmp_path, small.events()), "--from", "7"))
    assert [line["seq"] for line in found] == [7, 8, 9]


def test_a_dump_of_one_trial_has_its_events_alone(tmp_path: Path) -> None:
    found = lines(journal("dump", put(tmp_path, small.events()), "--trial", "1"))
    assert [line["event"] for line in found] == ["Suggested", "Started", "Reported"]


def test_a_dump_of_one_trial_takes_it_out_of_a_snapshot(tmp_path: Path) -> None:
    machine = Machine()
    for event in small.events():
        machine.handle(event)
    (found,) = lines(journal("dump", put(tmp_path, list(freeze(machine))), "--trial", "1"))
    assert [found["event"], [one["number"] for one in found["trials"]["trials"]]] == ["Kept", [1]]


def test_what_precedes_damage_is_printed_before_the_error(tmp_path: Path) -> None:
    path, offset = put_damaged(tmp_path)
    answer = journal("dump", path)
    assert [line["seq"] for line in lines(answer)] == [1, 2, 3, 4]
    assert answer.exit_code == 1
    assert f"is damaged at byte {offset}" in answer.stderr and f"asyncsweep journal repair {path}" in answer.stderr


def test_a_torn_tail_of_a_dump_is_a_note(tmp_path: Path) -> None:
    answer = journal("dump", put(tmp_path, small.events(), b"torn"))
    assert (answer.exit_code, len(lines(answer))) == (0, 9)
    assert answer.stderr == "note: 4 bytes follow of writes that never ended, or have not yet\n"


@pytest.mark.parametrize("n_events", [9, 5000])
def test_a_reader_that_closes_the_pipe_ends_a_dump_quietly(
    tmp_path: Path, environment: dict[str, str], n_events: int
) -> None:
    bench = Bench(spec(), worker_joined())
    bench.send(suggested(0), started(0))
    late = [reported(0, step, 0.5) for step in range(n_events)]
    for event in late:
        bench.journal.append(bench.stamped(event))
        bench.machine.seq += 1
    put(tmp_path, bench.journal)
    environment.pop("PYTHONUNBUFFERED", None)  # what is left in the buffer is written at the end, too
    reading, writing = os.pipe()
    with subprocess.Popen(
        [*COMMAND, "journal", "dump", str(tmp_path)], stdout=writing, stderr=subprocess.PIPE, env=environment
    ) as process:
        os.close(writing)
        os.close(reading)
        _, stderr = process.communicate(timeout=50)
    assert stderr == b""


# -- repair ------------------------------------------------------------------------------------------------------------


def test_a_repair_tells_what_it_kept_moved_and_lost(tmp_path: Path) -> None:
    path, offset = put_damaged(tmp_path)
    answer = journal("repair", path)
    assert answer.exit_code == 0
    told = answer.stdout.splitlines()
    assert told[0] == f"Damaged at byte {offset}: the record there is broken, and it was whole once."
    assert told[1] == "4 events were kept."
    assert told[2].endswith(f"bytes with 4 whole records were moved to {tmp_path / 'journal.quarantine-1'}.")
    assert told[3:5] == [
        "1 trial ended there; what can still be read:",
        "  trial 0 COMPLETE: value=1.0; x=0.25",
    ]
    assert journal("check", path).exit_code == 0


def test_a_dry_run_tells_the_same_and_changes_nothing(tmp_path: Path) -> None:
    path, _ = put_damaged(tmp_path)
    before = (tmp_path / NAME).read_bytes()
    answer = journal("repair", path, "--dry-run")
    assert "4 events would be kept." in answer.stdout and "would be moved" in answer.stdout
    assert [file.name for file in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).read_bytes() == before


def test_a_repair_as_json_has_the_parameters_and_metrics_of_lost_trials(tmp_path: Path) -> None:
    path, offset = put_damaged(tmp_path)
    (document,) = lines(journal("repair", path, "--json"))
    assert document["damage"]["offset"] == offset
    assert document["lost"] == [{"trial": 0, "state": "COMPLETE", "metrics": {"value": 1.0}, "params": {"x": 0.25}}]
    assert document["quarantine"] == str(tmp_path / "journal.quarantine-1")


@pytest.mark.parametrize("how", [(), ("--dry-run",), ("--json",)])
def test_a_fine_journal_needs_no_repair(tmp_path: Path, how: tuple[str, ...]) -> None:
    answer = journal("repair", put(tmp_path, small.events()), *how)
    assert answer.exit_code == 0
    assert "is not damaged: nothing to repair" in answer.stdout or lines(answer) == [{"damage": None}]


def test_a_running_sweep_is_not_repaired(tmp_path: Path) -> None:
    path, _ = put_damaged(tmp_path)
    lock = Lock(tmp_path)
    answer = journal("repair", path)
    lock.release()
    assert answer.exit_code == 1 and "is in use by" in answer.stderr


def test_names_in_a_lost_trial_are_not_obeyed_by_the_terminal(tmp_path: Path) -> None:
    events = odd()
    path = put(tmp_path, events)
    data = bytearray((tmp_path / NAME).read_bytes())
    data[len(layout.beginning()) + sum(len(layout.encode(event)) for event in events[:3]) + 9] ^= 1
    (tmp_path / NAME).write_bytes(data)
    answer = journal("repair", path)
    assert all(char == "\n" or " " <= char <= "~" or char == "\ud7ff" for char in answer.stdout)
    assert r"\x9b2J\x7f" in answer.stdout


def test_the_name_of_a_folder_is_not_obeyed_by_the_terminal(tmp_path: Path) -> None:
    directory = tmp_path / "\x1b[31mred"
    directory.mkdir()
    path, _ = put_damaged(directory)
    shown = [journal(*command) for command in (("check", path), ("dump", path), ("repair", "--dry-run", path))]
    assert all("\x1b" not in answer.output and r"\x1b[31mred" in answer.output for answer in shown)
