"""`asyncsweep ls`: what is listed, in which words, and that looking disturbs nobody."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.core import events as ev
from asyncsweep.journal import format as layout
from asyncsweep.journal.lock import Lock
from asyncsweep.journal.writer import NAME
from asyncsweep.testing.events import Bench, finished, spec, started, suggested, worker_joined
from tests.cli import made
from tests.journal import small


def ls(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["ls", *arguments], env={"COLUMNS": "250"})


def listed(*arguments: str) -> list[dict[str, Any]]:
    answer = ls(*arguments, "--json")
    assert (answer.exit_code, answer.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(answer.stdout, parse_constant=pytest.fail)
    return found


def states(*arguments: str) -> dict[str, str]:
    return {Path(row["path"]).name: row["state"] for row in listed(*arguments)}


def damaged(directory: Path) -> Path:
    path = made.put(directory, small.events()) / NAME
    data = bytearray(path.read_bytes())
    data[len(layout.beginning()) + len(layout.encode(small.opened())) + 9] ^= 1
    path.write_bytes(data)
    return directory


def test_each_sweep_is_listed_with_how_it_stands(tmp_path: Path) -> None:
    made.put(tmp_path / "ended", made.ended().journal)
    made.put(tmp_path / "interrupted", made.open_still().journal)
    made.put(tmp_path / "never", [])
    damaged(tmp_path / "damaged")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / NAME).write_bytes(layout.header()[:5])
    assert states(str(tmp_path)) == {
        "damaged": "damaged",
        "ended": "ended",
        "interrupted": "interrupted",
        "never": "never began",
        "torn": "never began",
    }


def test_a_sweep_that_somebody_holds_runs_and_its_process_is_named(tmp_path: Path) -> None:
    made.put(tmp_path, made.open_still().journal)
    lock = Lock(tmp_path)
    try:
        assert [(row["state"], row["pid"]) for row in listed(str(tmp_path))] == [("running", os.getpid())]
        assert f"running [{os.getpid()}]" in ls(str(tmp_path)).stdout
    finally:
        lock.release()
    assert [(row["state"], row["pid"]) for row in listed(str(tmp_path))] == [("interrupted", None)]


@pytest.mark.parametrize(("event", "state"), [(ev.Paused(), "paused"), (ev.StopRequested("enough"), "stopping")])
def test_a_held_sweep_that_was_paused_or_stopped_is_so(tmp_path: Path, event: ev.Event, state: str) -> None:
    bench = made.open_still()
    bench.send(event)
    made.put(tmp_path, bench.journal)
    lock = Lock(tmp_path)
    try:
        assert [row["state"] for row in listed(str(tmp_path))] == [state]
        assert f"{state} [{os.getpid()}]" in ls(str(tmp_path)).stdout
    finally:
        lock.release()


def test_a_row_has_all_that_is_known(tmp_path: Path) -> None:
    bench = made.ended(objective="train:objective")
    directory = made.put(tmp_path / "d", bench.journal)
    assert listed(str(tmp_path)) == [
        {
            "path": str(directory),
            "state": "ended",
            "reason": "n_trials reached",
            "pid": None,
            "objective": "train:objective",
            "directions": {"value": "minimize"},
            "n_trials": 2,
            "trials": 2,
            "counts": {"WAITING": 0, "RUNNING": 0, "COMPLETE": 2, "PRUNED": 0, "FAILED": 0, "CANCELLED": 0},
            "best_value": 0.0,
            "best_trials": [0],
            "last_at": bench.journal[-1].at,
            "disk_bytes": (directory / NAME).stat().st_size,
        }
    ]


def test_the_table_has_the_counts_the_best_and_the_reason(tmp_path: Path) -> None:
    made.put(tmp_path / "a", made.ended(objective="train:objective").journal)
    made.put(tmp_path / "b", made.open_still().journal)
    lines = [line.split() for line in ls(str(tmp_path)).stdout.splitlines()]
    assert lines[0] == ["sweep", "state", "trials", "best", "last", "event", "size", "objective"]
    assert lines[1][:7] == [str(tmp_path / "a"), "ended:", "n_trials", "reached", "2/2", "0", lines[1][6]]
    assert lines[1][-1] == "train:objective"
    assert lines[2][:6] == [str(tmp_path / "b"), "interrupted", "2/3", "1", "failed", "0.5"]


def test_with_several_directions_the_front_is_counted(tmp_path: Path) -> None:
    bench = Bench(spec(n_trials=2, directions={"a": "minimize", "b": "maximize"}), worker_joined())
    for number in range(2):
        bench.send(suggested(number, x=0.5), started(number), ev.Finished(number, 1, {"a": number, "b": number}))
    made.put(tmp_path, bench.journal)
    assert "front of 2" in ls(str(tmp_path)).stdout
    assert [(row["best_value"], row["best_trials"]) for row in listed(str(tmp_path))] == [(None, [0, 1])]


def test_an_infinite_best_value_is_json_all_the_same(tmp_path: Path) -> None:
    bench = Bench(spec(n_trials=1), worker_joined())
    bench.send(suggested(0, x=0.5), started(0), finished(0, float("-inf")))
    made.put(tmp_path, bench.journal)
    assert listed(str(tmp_path))[0]["best_value"] == "-Infinity"


def test_a_damaged_sweep_tells_where_and_what_precedes_it(tmp_path: Path) -> None:
    row = listed(str(damaged(tmp_path)))[0]
    assert row["reason"].startswith("damaged at byte ") and str(tmp_path) not in row["reason"].partition(";")[0]
    assert (row["trials"], row["n_trials"]) == (0, 2)


def unusable_event(directory: Path) -> None:
    kept = small.snapshot(1)[0]
    assert isinstance(kept, ev.Kept)
    made.put(directory, [msgspec.structs.replace(kept, trials=msgspec.structs.replace(kept.trials, names=[]))])


def named_pipe(directory: Path) -> None:
    os.mkfifo(directory / NAME)


def link_to_a_journal(directory: Path) -> None:
    (directory / NAME).symlink_to(made.put(directory.parent / "other", small.events()) / NAME)


def folder_of_that_name(directory: Path) -> None:
    (directory / NAME).mkdir()


@pytest.mark.parametrize("spoil", [unusable_event, named_pipe, link_to_a_journal, folder_of_that_name])
def test_what_is_no_journal_is_a_row_and_hides_no_other(tmp_path: Path, spoil: Any) -> None:
    (tmp_path / "a").mkdir()
    spoil(tmp_path / "a")
    made.put(tmp_path / "b", made.ended().journal)
    found = states(str(tmp_path))
    assert (found["a"], found["b"]) == ("damaged", "ended")


@pytest.mark.parametrize(
    "text",
    ["\x1b[31mred", "\x1b]0;title\x07", "a\rb", "two\nlines", "\x9b2J", "\u202eright to left", "[bold]x[/]", "\x00"],
)
def test_names_and_texts_are_shown_escaped(tmp_path: Path, text: str) -> None:
    name = text.replace("\0", "0").replace("/", "")
    bench = made.open_still(objective=text)
    bench.send(ev.StopRequested(text, now=True), ev.Killed(2, 1))
    made.put(tmp_path / name, bench.journal)
    shown = ls(str(tmp_path)).stdout
    assert len(shown.splitlines()) == 2
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert listed(str(tmp_path))[0]["objective"] == text


def test_links_hidden_folders_and_a_sweeps_own_trials_are_passed_over(tmp_path: Path) -> None:
    made.put(tmp_path / "a", made.ended().journal)
    made.put(tmp_path / "a" / "trials" / "0", made.ended().journal)
    made.put(tmp_path / "a" / "inner", made.ended().journal)
    made.put(tmp_path / ".hidden", made.ended().journal)
    (tmp_path / "link").symlink_to(made.put(tmp_path / ".elsewhere" / "b", made.ended().journal))
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(states(str(tmp_path))) == ["a", "inner"]


def test_the_depth_is_limited(tmp_path: Path) -> None:
    made.put(tmp_path / "1" / "2" / "three", made.ended().journal)
    assert list(states(str(tmp_path))) == []
    assert list(states(str(tmp_path), "--depth", "3")) == ["three"]
    assert list(states(str(tmp_path / "1" / "2" / "three"), "--depth", "0")) == ["three"]


def test_without_a_folder_the_current_one_and_sweeps_below_it_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.put(tmp_path / "first", made.ended().journal)
    made.put(tmp_path / "sweeps" / "train-1", made.ended().journal)
    monkeypatch.chdir(tmp_path)
    assert [row["path"] for row in listed()] == ["first", "sweeps/train-1"]


def test_numbers_in_names_are_in_their_order(tmp_path: Path) -> None:
    for name in ("run-10", "run-9", "run-2", "run"):
        made.put(tmp_path / name, made.ended().journal)
    assert list(states(str(tmp_path))) == ["run", "run-2", "run-9", "run-10"]


def test_a_sweep_is_listed_once_and_files_are_passed_over(tmp_path: Path) -> None:
    made.put(tmp_path / "a", made.ended().journal)
    (tmp_path / "notes.txt").write_text("")
    assert len(listed(str(tmp_path), str(tmp_path / "a"), str(tmp_path / "notes.txt"))) == 1


def test_no_sweeps_is_said_and_is_no_error(tmp_path: Path) -> None:
    answer = ls(str(tmp_path))
    assert (answer.exit_code, answer.stdout) == (0, f"No sweeps in {tmp_path}, up to 2 folders down.\n")
    assert listed(str(tmp_path)) == []


def test_a_folder_that_is_not_there_is_bad_usage(tmp_path: Path) -> None:
    answer = ls(str(tmp_path / "missing"))
    assert answer.exit_code == 2
    assert answer.stderr == f"error: DIR '{tmp_path}/missing' cannot be looked into: No such file or directory\n"


def test_listing_changes_nothing_and_makes_no_lock(tmp_path: Path) -> None:
    directory = made.put(tmp_path / "d", made.open_still().journal)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    ls(str(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert not (directory / "lock").exists()


def test_what_is_wrong_with_a_damaged_sweep_does_not_fill_the_table(tmp_path: Path) -> None:
    line = ls(str(damaged(tmp_path))).stdout.splitlines()[1]
    assert line.removeprefix(str(tmp_path)).split()[0] == "damaged"
    assert "damaged at byte" not in line


def test_on_a_narrow_terminal_rows_can_still_be_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in range(1, 3):
        made.put(tmp_path / f"sweeps/training-of-digits-{place}", made.ended().journal)
    shown = CliRunner().invoke(command, ["ls"], env={"COLUMNS": "40"}).stdout
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= 40
    for place in range(1, 3):
        assert f"digits-{place}" in "".join(line[:24].strip() for line in lines)
    assert lines[0].split() == ["sweep", "state"]
