"""`asyncsweep rm`: what goes, what stays, and who is refused."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.journal.lock import Lock
from asyncsweep.journal.writer import NAME
from tests.cli import made
from tests.cli.conftest import COMMAND

OWN = (
    "journal.quarantine-1",
    "journal.asyncsweep.new",
    "lock",
    "control",
    "objective.json",
    ".control-0123456789ab",
    ".objective.json-01234567",
    "trials/0/attempt-1.log",
    "trials/0/attempt-2.log",
    "trials/0/checkpoint/model.pt",
    "trials/0/checkpoint/deep/er.bin",
    "trials/1/attempt-1.log",
    "trials.quarantine-1/1/attempt-1.log",
)
ARTIFACTS = ("trials/0/artifacts/model.pt", "trials/0/artifacts/plots/a.png")


def rm(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["rm", *arguments])


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A sweep's folder with everything that a sweep makes, but for artifacts."""
    directory = made.put(tmp_path / "d", made.ended().journal)
    add(directory, *OWN)
    return directory


def add(directory: Path, *places: str) -> None:
    for place in places:
        (directory / place).parent.mkdir(parents=True, exist_ok=True)
        (directory / place).write_text("content")


def inside(directory: Path) -> list[str]:
    return sorted(
        str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_symlink() or not path.is_dir()
    )


def test_everything_of_the_sweep_goes_and_the_folder_with_it(directory: Path) -> None:
    size = (directory / NAME).stat().st_size
    answer = rm("--yes", str(directory))
    assert (answer.exit_code, directory.exists()) == (0, False)
    n_bytes = size + 7 * (len(OWN) - 1)  # the lock is held meanwhile, and goes with it
    assert answer.stdout == f"{directory}: {len(OWN)} files deleted, {n_bytes} B.\n"


def test_artifacts_are_kept(directory: Path) -> None:
    add(directory, *ARTIFACTS)
    answer = rm("--yes", str(directory))
    assert inside(directory) == list(ARTIFACTS)
    assert answer.stdout.endswith(f"Kept: the artifacts of 1 trial, in {directory}/trials/0/artifacts.\n")


def test_artifacts_go_where_they_are_asked_for(directory: Path) -> None:
    add(directory, *ARTIFACTS)
    rm("--yes", "--artifacts", str(directory))
    assert not directory.exists()


def test_a_folder_for_artifacts_that_was_never_used_goes(directory: Path) -> None:
    (directory / "trials/1/artifacts").mkdir()
    rm("--yes", str(directory))
    assert not directory.exists()


def test_what_the_sweep_did_not_make_stays_and_is_named(directory: Path) -> None:
    others = ("notes.md", "report/a.html", "trials/0/mine.txt", "trials/attempt-1.log", "trials/007/attempt-1.log")
    add(directory, *others)
    answer = rm("--yes", "--artifacts", str(directory))
    assert inside(directory) == sorted(others)
    assert (
        answer.stdout.partition("Kept: ")[2]
        == "notes.md, report, trials/0/mine.txt, trials/007, trials/attempt-1.log.\n"
    )


def test_a_file_with_a_hostile_name_is_named_escaped(directory: Path) -> None:
    add(directory, "\x1b[31mred\n")
    assert "Kept: \\x1b[31mred\\n." in rm("--yes", str(directory)).stdout


def test_no_symbolic_link_is_followed(directory: Path, tmp_path: Path) -> None:
    add(tmp_path / "outside", "attempt-1.log", "checkpoint/model.pt")
    for name in ("trials/1/checkpoint", "trials/2", "trials/1/attempt-9.log"):
        (directory / name).symlink_to(tmp_path / "outside")
    rm("--yes", "--artifacts", str(directory))
    assert inside(tmp_path / "outside") == ["attempt-1.log", "checkpoint/model.pt"]
    assert inside(directory) == ["trials/2"]  # what leads elsewhere was never made by a sweep


def test_a_link_in_place_of_the_folder_of_trials_stays_with_all_behind_it(directory: Path, tmp_path: Path) -> None:
    (directory / "trials").rename(tmp_path / "elsewhere")
    (directory / "trials").symlink_to(tmp_path / "elsewhere")
    rm("--yes", "--artifacts", str(directory))
    assert len(inside(tmp_path / "elsewhere")) == 5
    assert inside(directory) == ["trials"]


def test_a_sweep_that_runs_is_refused(directory: Path) -> None:
    lock = Lock(directory)
    try:
        answer = rm("--yes", str(directory))
    finally:
        lock.release()
    assert answer.exit_code == 1
    assert answer.stderr == (
        f"error: {directory} runs in process {os.getpid()}; end it first: asyncsweep stop {directory}\n"
    )
    assert sorted(inside(directory)) == sorted([*OWN, NAME])


def test_a_sweep_that_began_meanwhile_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock(directory)
    monkeypatch.setattr("asyncsweep.cli.rm.lock.holder", lambda path: None)
    try:
        answer = rm("--yes", str(directory))
    finally:
        lock.release()
    assert (answer.exit_code, "is in use by" in answer.stderr) == (1, True)
    assert sorted(inside(directory)) == sorted([*OWN, NAME])


def test_without_a_terminal_nothing_is_deleted_unasked(directory: Path) -> None:
    answer = rm(str(directory))
    assert (answer.exit_code, "--yes deletes without asking" in answer.stderr) == (2, True)
    assert (directory / NAME).exists()


@pytest.mark.parametrize("what", ["a folder", "a file", "nothing", "a link"])
def test_what_is_no_sweep_is_refused_and_so_are_those_beside_it(directory: Path, tmp_path: Path, what: str) -> None:
    other = tmp_path / "other"
    if what == "a folder":
        add(other, "trials/0/attempt-1.log")
    elif what == "a file":
        other.write_text("")
    elif what == "a link":
        other.symlink_to(directory)
    before = inside(tmp_path)
    answer = rm("--yes", "--artifacts", str(directory), str(other))
    assert (answer.exit_code, answer.stderr.startswith(f"error: DIR '{other}'")) == (2, True)
    assert (what == "a link") == ("is a symbolic link; name the folder itself" in answer.stderr)
    assert inside(tmp_path) == before


def test_a_damaged_sweep_can_be_deleted(directory: Path) -> None:
    (directory / NAME).write_bytes(b"no journal at all")
    assert rm("--yes", str(directory)).exit_code == 0
    assert not directory.exists()


def test_the_current_folder_can_be_deleted(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(directory)
    assert rm("--yes", ".").exit_code == 0
    assert not directory.exists()


def test_a_deletion_that_fails_leaves_the_journal_and_can_be_repeated(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = os.unlink

    def refusing(path: Any, **options: Any) -> None:
        if path == "er.bin":
            raise PermissionError(1, "Operation not permitted", path)
        unlink(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refusing)
        answer = rm("--yes", str(directory))
    assert (answer.exit_code, "cannot be deleted: Operation not permitted (er.bin)" in answer.stderr) == (1, True)
    assert sorted(inside(directory)) == [NAME, "journal.asyncsweep.new", "lock", "trials/0/checkpoint/deep/er.bin"]
    assert rm("--yes", str(directory)).exit_code == 0
    assert not directory.exists()


@pytest.mark.parametrize(("typed", "is_there"), [("n\n", True), ("\n", True), ("y\n", False)])
def test_on_a_terminal_the_user_is_asked(
    directory: Path, environment: dict[str, str], typed: str, is_there: bool
) -> None:
    add(directory, *ARTIFACTS)
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, "rm", str(directory)], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        shown = b""
        while b"Delete this? [y/N]:" not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, typed.encode())
        assert process.wait(timeout=30) == (1 if is_there else 0)
    finally:
        os.close(theirs)
        os.close(ours)
    assert (directory / NAME).exists() == is_there
    assert all((directory / place).exists() for place in ARTIFACTS)
    assert b"checkpoints 14 B; the artifacts stay, 14 B\r\n" in shown


def test_it_is_said_where_the_artifacts_of_several_trials_are(directory: Path) -> None:
    add(directory, *ARTIFACTS, "trials/1/artifacts/model.pt")
    answer = rm("--yes", str(directory))
    assert answer.stdout.endswith(f"Kept: the artifacts of 2 trials, in {directory}/trials.\n")


@pytest.fixture
def left(directory: Path) -> Path:
    """The folder of a sweep that was deleted but for its artifacts."""
    add(directory, *ARTIFACTS)
    assert rm("--yes", str(directory)).exit_code == 0
    return directory


def test_artifacts_that_were_left_can_be_deleted_later(left: Path) -> None:
    answer = rm("--yes", "--artifacts", str(left))
    assert (answer.exit_code, left.exists()) == (0, False)
    assert answer.stdout == f"{left}: 2 files deleted, 14 B.\n"


def test_artifacts_that_were_left_need_the_option(left: Path) -> None:
    answer = rm("--yes", str(left))
    assert (answer.exit_code, "--artifacts deletes them" in answer.stderr) == (2, True)
    assert inside(left) == list(ARTIFACTS)


@pytest.mark.parametrize("other", ["notes.md", "trials/0/mine.txt", "trials/x/artifacts/a", "trials/00/artifacts/a"])
def test_a_folder_with_more_than_artifacts_is_not_taken_for_what_was_left(left: Path, other: str) -> None:
    add(left, other)
    answer = rm("--yes", "--artifacts", str(left))
    assert (answer.exit_code, "not only artifacts of one" in answer.stderr) == (2, True)
    assert inside(left) == sorted([*ARTIFACTS, other])


def test_a_link_to_artifacts_is_not_taken_for_what_was_left(tmp_path: Path) -> None:
    add(tmp_path / "outside", *ARTIFACTS)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "trials").symlink_to(tmp_path / "outside" / "trials")
    answer = rm("--yes", "--artifacts", str(tmp_path / "d"))
    assert (answer.exit_code, "holds no sweep" in answer.stderr) == (2, True)
    assert inside(tmp_path / "outside") == list(ARTIFACTS)


def test_an_empty_name_is_no_folder(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(directory)  # which "" would mean
    answer = rm("--yes", "")
    assert (answer.exit_code, answer.stderr.startswith("error: DIR '': that is no path")) == (2, True)
    assert (directory / NAME).exists()
