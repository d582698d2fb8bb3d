"""`asyncsweep artifacts`: what trials saved, listed and copied, and nothing written anywhere else (S16)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

import asyncsweep as sw
from asyncsweep.cli import gathering
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.worker.folders import make
from tests import printing_objectives as objectives


def artifacts(*arguments: object) -> Result:
    return CliRunner().invoke(command, ["artifacts", *map(str, arguments)], env={"COLUMNS": "160"})


def run(directory: Path, objective: Any = objectives.saves, **settings: Any) -> Path:
    settings = {"sampler": "random", "n_trials": 3, "executor": "thread", "direction": "maximize", **settings}
    anyio.run(sw.Sweep(objective, {"x": sw.Float(0, 1)}, directory=directory, **settings).run)
    return directory


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of three trials; the last one is the best."""
    return run(tmp_path_factory.mktemp("kept") / "sweep")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep of one trial, to be tampered with."""
    return run(tmp_path / "sweep", n_trials=1)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


# -- ls ----------------------------------------------------------------------------------------------------------------


def test_every_file_is_listed(kept: Path) -> None:
    lines = [line.rstrip().split(maxsplit=3) for line in artifacts("ls", kept).output.splitlines()]
    assert lines[:3] == [
        ["trial", "size", "name"],
        ["0", "10", "B", "notes.txt"],
        ["0", "10", "B", "plots/copy of notes.txt"],
    ]
    assert [line[0] for line in lines[1:]] == ["0", "0", "1", "1", "2", "2"]


def test_the_list_of_one_trial_as_json(kept: Path) -> None:
    rows = json.loads(artifacts("ls", kept, "--trial", 1, "--json").output)
    assert [row["name"] for row in rows] == ["notes.txt", "plots/copy of notes.txt"]
    assert rows[0] == {
        "trial": 1, "name": "notes.txt", "bytes": 10, "is_file": True, "path": str(kept / "trials/1/artifacts/notes.txt"),
    }  # fmt: skip


def test_names_are_shown_with_control_characters_escaped(sweep: Path) -> None:
    (sweep / "trials/0/artifacts" / "\x1b]0;x\x07[red]").write_text("")
    shown = artifacts("ls", sweep).output
    assert "\\x1b]0;x\\x07[red]" in shown and "\x1b" not in shown


def test_a_copy_that_is_being_made_is_not_listed(sweep: Path) -> None:
    (sweep / "trials/0/artifacts/.saving-1-0123456789abcdef").write_text("half")
    assert "saving" not in artifacts("ls", sweep).output


def test_a_sweep_without_artifacts_says_so(tmp_path: Path) -> None:
    run(tmp_path / "sweep", lambda x: x)
    assert (
        artifacts("ls", tmp_path / "sweep").output == "No artifacts: no trial has saved anything, or it was not kept.\n"
    )
    assert artifacts("ls", tmp_path / "sweep", "--trial", 9).stderr == (
        "error: there is no trial 9; the sweep has 3, numbered from 0\n"
    )


# -- get ---------------------------------------------------------------------------------------------------------------


def test_all_trials_are_copied_each_to_its_folder(kept: Path, here: Path) -> None:
    assert artifacts("get", kept).output == "6 files, 60 B, copied to artifacts.\n"
    names = ["notes.txt", "plots/copy of notes.txt"]
    assert files(here) == [f"artifacts/trial-{number}/{name}" for number in range(3) for name in names]
    assert (here / "artifacts/trial-2/notes.txt").read_text() == "notes of 2"


@pytest.mark.parametrize(
    ("words", "copied"),
    [
        (["1"], ["notes.txt", "plots/copy of notes.txt"]),
        (["1", "notes.txt"], ["notes.txt"]),
        (["1", "plots/"], ["plots/copy of notes.txt"]),
        (["--best", "./notes.txt"], ["notes.txt"]),
    ],
)
def test_what_is_asked_for_is_copied(kept: Path, here: Path, words: list[str], copied: list[str]) -> None:
    assert artifacts("get", kept, *words, "--to", here / "to" / "it").exit_code == 0
    assert files(here) == [f"to/it/{name}" for name in copied]
    assert (here / "to/it" / copied[0]).read_text() == ("notes of 2" if "--best" in words else "notes of 1")


def test_what_is_there_already_is_replaced_with_force_alone(kept: Path, here: Path) -> None:
    (here / "notes.txt").write_text("mine")
    answer = artifacts("get", kept, 0, "--to", here)
    assert (answer.exit_code, answer.stderr) == (
        2,
        f"error: --to: '{here}/notes.txt' is there already; --force replaces it\n",
    )
    assert files(here) == ["notes.txt"] and (here / "notes.txt").read_text() == "mine"
    assert artifacts("get", kept, 0, "--to", here, "--force").exit_code == 0
    assert (here / "notes.txt").read_text() == "notes of 0"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["seven"], "TRIAL 'seven': expected a trial's number"),
        (["-1"], "No such option"),
        (["9"], "there is no trial 9; the sweep has 3"),
        (["0", "none"], "there is no 'none' of trial 0; see `asyncsweep artifacts ls`"),
        (["0", "a", "b"], "'b': one NAME at a time"),
        (["0", "../../../journal.asyncsweep"], "expected the name of an artifact"),
        (["0", "/etc/passwd"], "expected the name of an artifact"),
        (["0", "."], "expected the name of an artifact"),
        (["--to", "file"], "--to"),
    ],
)
def test_what_cannot_be_copied_is_told_and_nothing_is_written(
    kept: Path, here: Path, words: list[str], error: str
) -> None:
    (here / "file").write_text("")
    answer = artifacts("get", kept, *words)
    assert answer.exit_code in (1, 2) and error in answer.stderr + str(answer.exception)
    assert files(here) == ["file"]


def test_links_and_pipes_are_left_out_and_told(sweep: Path, here: Path) -> None:
    folder = sweep / "trials/0/artifacts"
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "plots/up").symlink_to("../../../..")
    os.mkfifo(folder / "pipe")
    answer = artifacts("get", sweep, 0)
    assert answer.exit_code == 0 and files(here) == ["artifacts/notes.txt", "artifacts/plots/copy of notes.txt"]
    assert answer.stderr.splitlines() == [
        f"left out: {name} of trial 0 is neither a file nor a folder" for name in ("link", "pipe", "plots/up")
    ]


@pytest.mark.parametrize("place", ["trials", "0", "artifacts"])
def test_a_link_on_the_way_to_the_artifacts_is_not_followed(sweep: Path, here: Path, place: str) -> None:
    path = sweep / "trials" / "0" / "artifacts"
    while path.name != place:
        path = path.parent
    path.rename(sweep.parent / "elsewhere")
    path.symlink_to(sweep.parent / "elsewhere")
    for words in (["ls", sweep, "--trial", 0], ["get", sweep, 0], ["get", sweep]):
        answer = artifacts(*words)
        assert answer.exit_code in (1, 2) and "notes" not in answer.stdout
    assert files(here) == []


@pytest.mark.parametrize("name", ["plots", "notes.txt"])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_link_in_the_target_is_never_written_through(sweep: Path, here: Path, name: str, force: list[str]) -> None:
    outside = sweep.parent / "outside"
    outside.mkdir()
    (outside / "file").write_text("untouched")
    (here / name).symlink_to(outside / "file" if name == "notes.txt" else outside)
    answer = artifacts("get", sweep, 0, "--to", here, *force)
    assert (answer.exit_code == 0) == (name == "notes.txt" and bool(force))
    assert files(outside) == ["file"] and (outside / "file").read_text() == "untouched"


def test_a_folder_in_the_target_that_becomes_a_link_meanwhile_leads_nowhere(
    sweep: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = sweep.parent / "outside"
    outside.mkdir()
    check = gathering._check_free

    def checked_and_planted(*args: Any) -> None:
        check(*args)
        if not os.path.lexists(here / "plots"):
            (here / "plots").symlink_to(outside)

    monkeypatch.setattr(gathering, "_check_free", lambda *args: checked_and_planted(*args))
    artifacts("get", sweep, 0, "plots", "--to", here)
    assert files(outside) == []


def test_a_disk_that_is_full_leaves_no_half_of_a_file(sweep: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    answer = artifacts("get", sweep, 0)
    assert (answer.exit_code, answer.stderr) == (
        1, "error: not everything could be copied to 'artifacts': No space left on device\n",
    )  # fmt: skip
    assert files(here) == []


def test_300_hostile_names_of_a_foreign_sweep_stay_below_the_target(sweep: Path, here: Path) -> None:
    folder = Path(make(str(sweep / "trials"), "0", "artifacts"))
    parts = [
        *(
            "-rf",
            "~",
            "$HOME",
            "`id`",
            "..\\..",
            "C:",
            "\n",
            "\r",
            "\x1b[2J",
            "\u202e",
            "...",
            ".bashrc",
            "..%2f",
            "*",
            "|",
            " ",
            "",
        ),
        *("\x7f", "x" * 120, "\udcff"),
    ]
    names = [name for name in (f"{first}{second}" for first in parts for second in parts) if name][:300]
    for name in names:
        (folder / name).write_text("")
    before = sorted(os.listdir(sweep.parent))
    answer = artifacts("get", sweep, 0)
    assert answer.exit_code == 0 and "\x1b" not in answer.output
    assert set(os.listdir(here / "artifacts")) == {*names, "notes.txt", "plots"}
    assert os.listdir(here) == ["artifacts"] and sorted(os.listdir(sweep.parent)) == before


@pytest.fixture
def left(sweep: Path) -> Path:
    """The folder of a sweep that was deleted but for its artifacts."""
    assert CliRunner().invoke(command, ["rm", "--yes", str(sweep)]).exit_code == 0
    return sweep


def test_what_a_deleted_sweep_left_is_listed_and_copied(left: Path, tmp_path: Path) -> None:
    names = [row["name"] for row in json.loads(artifacts("ls", left, "--json").stdout)]
    assert names
    answer = artifacts("get", left, 0, "--to", tmp_path / "to")
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert [str(p.relative_to(tmp_path / "to")) for p in sorted((tmp_path / "to").rglob("*")) if p.is_file()] == names


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("get", "--best"), "which trial is the best; name the TRIAL"),
        (("get", "7"), "of trial 7 nothing was kept"),
        (("ls", "--trial", "7"), "of trial 7 nothing was kept"),
    ],
)
def test_what_a_deleted_sweep_no_longer_tells_is_said(left: Path, arguments: tuple[str, ...], told: str) -> None:
    answer = artifacts(arguments[0], left, *arguments[1:])
    assert (answer.exit_code, told in answer.stderr) == (2, True)
