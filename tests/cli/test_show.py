"""`asyncsweep show`: a journal as a table and as JSON, finished or not, without executing anything of the sweep."""

from __future__ import annotations

import json
import os
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result

import asyncsweep as sw
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.core.events import Paused, StopRequested
from asyncsweep.core.snapshot import freeze
from asyncsweep.driver.replay import replay
from asyncsweep.journal import format as layout
from asyncsweep.journal import journal
from asyncsweep.journal.lock import Lock
from tests.cli import made


def show(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["show", *arguments], env={"COLUMNS": "160"})


async def objective(x: float, name: str) -> float:
    if x > 0.5:
        raise ValueError("[red]too large\x1b[31m")
    return x


def run_sweep(directory: Path, n_trials: int = 6) -> sw.Result:
    space = {"x": sw.Float(0, 1), "name": "[bold]\x1b]0;title\x07"}
    return anyio.run(sw.Sweep(objective, space, sampler="random", n_trials=n_trials, seed=1, directory=directory).run)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, sw.Result]:
    directory = tmp_path_factory.mktemp("sweep") / "d"
    return directory, run_sweep(directory)


def test_the_table_has_every_trial_and_the_best(finished: tuple[Path, sw.Result]) -> None:
    directory, result = finished
    lines = show(str(directory)).output.splitlines()
    assert lines[0].split() == ["trial", "state", "value", "time", "parameters"]
    rows = [line.split()[:2] for line in lines[1:] if line.split()[:1] and line.split()[0].isdigit()]
    assert rows == [[str(trial.number), trial.state.value] for trial in result.trials]
    assert lines[-3].startswith(f"Best is trial {result.best.number} with value: {result.best.value} and parameters: ")
    assert lines[-2] == "Ended: n_trials reached."


def test_text_of_the_sweep_is_neither_markup_nor_obeyed(finished: tuple[Path, sw.Result]) -> None:
    shown = show(str(finished[0])).output
    assert r"ValueError: [red]too large\x1b[31m" in shown
    assert r"name='[bold]\x1b]0;title\x07'" in shown
    assert "\x1b" not in shown and "\x07" not in shown


def test_json_has_the_trials_of_the_result(finished: tuple[Path, sw.Result]) -> None:
    directory, result = finished
    document = json.loads(show(str(directory), "--json").output)
    assert document["trials"] == result.to_dict()["trials"]
    assert document["best_trials"] == [trial.number for trial in result.best_trials]
    assert (document["is_over"], document["reason"]) == (True, "n_trials reached")


def test_one_trial_is_shown_with_its_traceback(finished: tuple[Path, sw.Result]) -> None:
    directory, result = finished
    failed = next(trial for trial in result.trials if trial.state is sw.State.FAILED)
    shown = show(str(directory), "--trial", str(failed.number)).output
    assert "state       FAILED" in shown
    assert 'raise ValueError("[red]too large' in shown


def test_a_trial_that_is_not_there_is_bad_usage(finished: tuple[Path, sw.Result]) -> None:
    answer = show(str(finished[0]), "--trial", "6")
    assert answer.exit_code == 2
    assert answer.stderr == "error: --trial 6: the sweep has 6 trials, numbered from 0\n"


def test_the_last_trials_are_shown_and_the_others_counted(finished: tuple[Path, sw.Result]) -> None:
    shown = show(str(finished[0]), "--limit", "2").output
    assert [line.split()[0] for line in shown.splitlines() if line[:7].strip().isdigit()] == ["4", "5"]
    assert "... and 4 earlier trials: --limit 0 shows them" in shown


def test_a_running_sweep_is_shown_while_it_runs(tmp_path: Path) -> None:
    shown: list[Result] = []

    async def look(x: float) -> float:
        while not shown or "running 1" not in shown[-1].output:
            shown.append(show(str(tmp_path / "d")))
            await anyio.lowlevel.checkpoint()
        return x

    anyio.run(sw.Sweep(look, {"x": sw.Float(0, 1)}, sampler="random", n_trials=1, directory=tmp_path / "d").run)
    assert shown[-1].exit_code == 0
    assert f"\nRuns (process {os.getpid()}). The last event was 0:0" in shown[-1].output


def test_a_sweep_that_was_opened_again_has_not_ended(tmp_path: Path) -> None:
    run_sweep(tmp_path / "d", n_trials=1)
    shown: list[Result] = []

    async def look(x: float, name: str) -> float:
        shown.append(show(str(tmp_path / "d")))
        return x

    anyio.run(sw.Sweep.open(tmp_path / "d", look, n_trials=2).run)
    assert "\nRuns (process " in shown[0].output


@pytest.mark.parametrize(
    ("event", "standing"), [(Paused(), "Paused"), (StopRequested("enough"), "Stopping: no more trials begin")]
)
def test_a_sweep_that_is_paused_or_stopping_is_told_so_while_its_process_lives(
    tmp_path: Path, event: Paused | StopRequested, standing: str
) -> None:
    bench = made.open_still()
    bench.send(event)
    made.put(tmp_path, bench.journal)
    lock = Lock(tmp_path)
    try:
        assert f"\n{standing} (process {os.getpid()}). The last event was " in show(str(tmp_path)).output
    finally:
        lock.release()
    assert "\nInterrupted. The last event was " in show(str(tmp_path)).output


def test_no_sweep_is_bad_usage(tmp_path: Path) -> None:
    answer = show(str(tmp_path))
    assert answer.exit_code == 2
    assert "holds no sweep" in answer.stderr


def test_a_damaged_journal_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / journal.NAME).write_bytes(b"no journal at all")
    answer = show(str(tmp_path))
    assert answer.exit_code == 1
    assert answer.stderr.startswith("error: ") and "is no asyncsweep journal" in answer.stderr


def test_showing_changes_nothing(finished: tuple[Path, sw.Result]) -> None:
    directory, _ = finished
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    show(str(directory))
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before


def with_files(directory: Path) -> Path:
    """A sweep's directory with a file of each kind, some of them under two names."""
    run_sweep(directory, n_trials=1)
    for place, size in {
        "journal.quarantine-1": 10,
        "trials/0/attempt-1.log": 200,
        "trials/0/attempt-2.log": 300,
        "trials/0/checkpoint/model.pt": 40_000,
        "trials/0/checkpoint/deep/er.bin": 5_000,
        "trials/0/artifacts/report.pdf": 70_000,
        "trials/0/mine.txt": 6_000_000,
        "trials/attempt-1.log": 7_000,
    }.items():
        (directory / place).parent.mkdir(parents=True, exist_ok=True)
        (directory / place).write_bytes(bytes(size))
    (directory / "trials/0/checkpoint/last.pt").hardlink_to(directory / "trials/0/checkpoint/model.pt")
    return directory


def test_what_a_directory_costs_is_told_by_purpose(tmp_path: Path) -> None:
    directory = with_files(tmp_path / "d")
    size = (directory / journal.NAME).stat().st_size
    lock = (directory / "lock").stat().st_size
    found = json.loads(show(str(directory), "--json").output)["disk_bytes"]
    assert found == {
        "journal": size + 10,
        "logs": 500,
        "checkpoints": 45_000,
        "artifacts": 70_000,
        "other": 6_007_000 + lock,
        "total": size + 10 + 500 + 45_000 + 70_000 + 6_007_000 + lock,
    }


def test_the_cost_is_the_last_line_in_units_that_people_read(tmp_path: Path) -> None:
    directory = with_files(tmp_path / "d")
    (directory / journal.NAME).with_name("journal.quarantine-1").write_bytes(bytes(1_200_000))
    last = show(str(directory)).output.splitlines()[-1]
    assert last == "On disk: 7.3 MB (journal 1.2 MB, logs 500 B, checkpoints 45 kB, artifacts 70 kB, other 6.0 MB)."


def test_a_symbolic_link_costs_what_it_is_and_not_what_it_leads_to(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    run_sweep(directory, n_trials=1)
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "file").write_bytes(bytes(10_000_000))
    before = json.loads(show(str(directory), "--json").output)["disk_bytes"]["total"]
    for name in ("large", "large/file", "missing"):
        (directory / name.replace("/", "-")).symlink_to(tmp_path / name)
    (directory / "loop").symlink_to(directory)
    after = json.loads(show(str(directory), "--json").output)["disk_bytes"]["total"]
    assert after - before < 1000


def test_a_sweep_whose_journal_begins_with_a_snapshot_has_ended_as_before(tmp_path: Path) -> None:
    run_sweep(tmp_path / "d", n_trials=2)
    events = journal.read(tmp_path / "d").events
    snapshot = list(freeze(replay(events, "journal")))
    (tmp_path / "d" / journal.NAME).write_bytes(layout.beginning() + b"".join(map(layout.encode, snapshot)))
    assert "Ended: n_trials reached." in show(str(tmp_path / "d")).output.splitlines()


def test_one_trial_as_json_is_that_trial_alone_with_its_files(tmp_path: Path) -> None:
    directory = with_files(tmp_path / "d")
    document = json.loads(show(str(directory), "--trial", "0", "--json").output)
    whole = json.loads(show(str(directory), "--json").output)["trials"][0]
    logs = [
        {"attempt": n, "path": str(directory / f"trials/0/attempt-{n}.log"), "bytes": 100 + 100 * n} for n in (1, 2)
    ]
    assert document.pop("traceback").startswith("Traceback (most recent call last):")
    assert document == {**whole, "logs": logs, "artifacts": [{"name": "report.pdf", "bytes": 70_000}]}


def test_a_trial_that_is_not_there_is_bad_usage_in_json_too(finished: tuple[Path, sw.Result]) -> None:
    answer = show(str(finished[0]), "--trial", "-1", "--json")
    assert (answer.exit_code, answer.stdout) == (2, "")


def test_one_trial_is_shown_with_its_artifacts_and_the_logs_of_all_attempts(tmp_path: Path) -> None:
    directory = with_files(tmp_path / "d")
    facts = show(str(directory), "--trial", "0").output.partition("\n\n")[0]
    lines = dict(line.rstrip().split(maxsplit=1) for line in facts.splitlines())
    assert lines["log"].startswith(str(directory / "trials")) and lines["log"].endswith("attempt-1.log (200 B)")
    assert lines["earlier"].startswith("logs") and lines["earlier"].endswith("attempt-2.log (300 B)")
    assert lines["artifacts"] == "report.pdf (70 kB)"


def test_many_artifacts_are_counted_and_links_among_them_passed_over(tmp_path: Path) -> None:
    run_sweep(tmp_path / "d", n_trials=1)
    folder = tmp_path / "d/trials/0/artifacts"
    folder.mkdir(parents=True)
    for number in range(25):
        (folder / f"{number:02}\x1b[31m").write_bytes(bytes(10))
    (folder / "link").symlink_to(tmp_path)
    shown = show(str(tmp_path / "d"), "--trial", "0").output
    assert "\x1b" not in shown and "00\\x1b[31m (10 B)" in shown
    assert "and 5 more (50 B)" in " ".join(shown.split())
