"""What trials had printed when the sweep's process was killed is shown, and is kept when the sweep goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

import asyncsweep as sw
from asyncsweep import logs as kept
from asyncsweep.cli.cost import cost_of
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.core.records import State, TrialRecord
from tests.printing_and_killed import SCRIPT, WORDS, objective_of

ROOT = Path(__file__).parents[2]
LEFT = re.compile(r"worker-process-[0-9]+\.log")


@pytest.fixture(scope="module", params=["objective", "script"])
def killed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a sweep that was killed amid two trials, both of which had printed."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "train.py").write_text(SCRIPT)
    (folder / "kind").write_text(request.param)
    os.mkfifo(folder / "told")
    program = [sys.executable, "-m", "tests.printing_and_killed", str(folder / "sweep"), request.param]
    with subprocess.Popen(program, cwd=ROOT) as process:
        try:
            # Another writer, so that opening waits for nobody, and reading for a trial.
            with open(os.open(folder / "told", os.O_RDWR), "rb", buffering=0) as told:
                assert [told.read(1) for _ in range(2)] == [b".", b"."]
                reader = os.open(folder / "told", os.O_RDONLY)
        finally:
            process.kill()
    with open(reader, "rb") as told:
        told.read()  # until the trials have ended too
    return folder / "sweep"


@pytest.fixture
def copy(killed: Path, tmp_path: Path) -> Path:
    """The same, for a test that changes it."""
    shutil.copytree(killed, tmp_path / "sweep")
    return tmp_path / "sweep"


def resumed(killed: Path, directory: Path) -> Path:
    (killed.parent / "go").touch()
    try:
        kind = (killed.parent / "kind").read_text()
        anyio.run(sw.Sweep.open(directory, objective_of(kind, killed)).run)
    finally:
        (killed.parent / "go").unlink()
    return directory


def cli(*arguments: object) -> str:
    result = CliRunner().invoke(command, [*map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def names(directory: Path) -> list[str]:
    return [name for name in os.listdir(directory) if name.startswith("worker-")]


def test_what_a_killed_sweep_leaves_is_for_its_owner_alone(killed: Path) -> None:
    left = names(killed)
    assert len(left) == 2 and all(map(LEFT.fullmatch, left))
    assert [oct(stat.S_IMODE((killed / name).stat().st_mode)) for name in left] == ["0o600"] * 2


def test_logs_shows_what_trials_of_a_killed_sweep_had_printed(killed: Path) -> None:
    assert [cli("logs", killed, 0), cli("logs", killed, 1, "--raw")] == [f"{WORDS}\n"] * 2


def test_the_list_of_logs_has_what_trials_of_a_killed_sweep_had_printed(killed: Path) -> None:
    rows = json.loads(cli("logs", killed, "--json"))
    assert [(row["trial"], row["attempt"], row["bytes"], row["running"]) for row in rows] == [
        (0, 1, len(WORDS) + 1, False), (1, 1, len(WORDS) + 1, False),
    ]  # fmt: skip
    assert [(Path(row["path"])).read_text() for row in rows] == [f"{WORDS}\n"] * 2


def test_show_names_what_a_trial_of_a_killed_sweep_had_printed(killed: Path) -> None:
    [log] = json.loads(cli("show", killed, "--trial", 0, "--json"))["logs"]
    assert (log["attempt"], Path(log["path"]).read_text()) == (1, f"{WORDS}\n")


def test_what_a_killed_sweep_leaves_counts_as_logs(killed: Path) -> None:
    assert cost_of(killed).logs == 2 * (len(WORDS) + 1)


def test_what_was_printed_before_the_kill_becomes_the_attempts_logs_when_the_sweep_goes_on(
    killed: Path, copy: Path
) -> None:
    resumed(killed, copy)
    found = {path.relative_to(copy).as_posix(): path.read_text() for path in copy.glob("trials/*/*.log")}
    assert found == {f"trials/{number}/attempt-1.log": f"{WORDS}\n" for number in (0, 1)}
    assert names(copy) == []


def test_rm_deletes_what_a_killed_sweep_left(copy: Path) -> None:
    cli("rm", copy, "--yes")
    assert not copy.exists()


def test_a_link_in_the_place_of_such_a_file_is_neither_read_nor_followed(killed: Path, copy: Path) -> None:
    secret = copy.with_name("secret")
    secret.write_text("somebody else's")
    for name in names(copy):
        (copy / name).unlink()
        (copy / name).symlink_to(secret)
    assert json.loads(cli("logs", copy, "--json")) == []
    resumed(killed, copy)
    assert (list(copy.glob("trials/*/*.log")), names(copy), secret.read_text()) == ([], [], "somebody else's")


def test_of_long_output_both_ends_are_shown_as_its_log_will_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncsweep.executors.worker.LOG_LIMIT_BYTES", 20)
    (tmp_path / "worker-process-1.log").write_bytes(b"a" * 10 + b"\0" * 1000 + b"z" * 10)
    left = kept.left_by([TrialRecord(3, State.RUNNING, 2, "process-1")], kept.left_outputs(tmp_path))
    first = kept.read_file(tmp_path, 3, 2, 0, 100, left)
    rest = kept.read_file(tmp_path, 3, 2, first.next_offset, 100, left)
    assert (first.data, rest.data, rest.left_out, rest.total, rest.is_over) == (b"a" * 10, b"z" * 10, 1000, 1020, True)
