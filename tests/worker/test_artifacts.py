"""`trial.dir` and `trial.save`: what a trial keeps, under names that cannot lead anywhere else (S16, S8, S20)."""

from __future__ import annotations

import errno
import os
import random
import socket
import stat
import threading
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.errors import TrialError
from asyncsweep.worker import artifacts
from asyncsweep.worker.artifacts import is_unfinished, safe_name
from asyncsweep.worker.folders import make
from asyncsweep.worker.trial import Trial


class Port:
    def __init__(self, folders: Path) -> None:
        self._folders = folders

    def folder(self) -> str:
        return str(self._folders)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    return tmp_path / "sweep" / "trials"


@pytest.fixture
def trial(folders: Path) -> Trial:
    folders.parent.mkdir()
    return trial_of(folders)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a file, one folder in it, and one in that."""
    folder = tmp_path / "out"
    (folder / "plots" / "deep").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a")
    (folder / "plots" / "b.txt").write_bytes(b"bb")
    (folder / "plots" / "deep" / ".c").write_bytes(b"ccc")
    return folder


def trial_of(folders: Path, attempt: int = 1) -> Trial:
    return Trial(Port(folders), 3, attempt, {}, ("value",), None)  # type: ignore[arg-type]


def content(folder: Path) -> dict[str, bytes | None]:
    """Every path below, with what is in the files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


# -- where it is -------------------------------------------------------------------------------------------------------


def test_the_folder_of_a_trial_is_made_when_it_is_first_asked_for(trial: Trial, folders: Path) -> None:
    assert not folders.exists()
    assert trial.dir == folders / "3" / "artifacts" and trial.dir.is_dir()


def test_a_file_is_copied_under_its_own_name(trial: Trial, file: Path) -> None:
    assert trial.save(file) == trial.dir / "model.pt"
    assert content(trial.dir) == {"model.pt": b"weights"} and file.exists()


def test_a_relative_path_is_taken_from_the_current_folder(
    trial: Trial, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    assert trial.save("model.pt", "first") == trial.dir / "first"


def test_a_folder_is_copied_with_all_that_is_in_it(trial: Trial, tree: Path) -> None:
    assert trial.save(f"{tree}/") == trial.dir / "out"
    assert content(trial.dir / "out") == content(tree)


def test_a_name_may_be_a_path_whose_folders_are_made(trial: Trial, file: Path) -> None:
    assert trial.save(file, "plots/best/roc.png") == trial.dir / "plots" / "best" / "roc.png"
    assert (trial.dir / "plots/best/roc.png").read_bytes() == b"weights"


def test_what_is_in_the_folder_already_is_not_copied_onto_itself(trial: Trial) -> None:
    mine = trial.dir / "notes.txt"
    mine.write_text("mine")
    before = mine.stat().st_ino
    assert trial.save(mine) == mine == trial.save(mine, "notes.txt")
    assert trial.save(trial.dir) == trial.dir
    assert mine.stat().st_ino == before and content(trial.dir) == {"notes.txt": b"mine"}


def test_what_is_in_the_folder_already_can_be_copied_under_another_name(trial: Trial) -> None:
    (trial.dir / "notes.txt").write_text("mine")
    trial.save(trial.dir / "notes.txt", "kept/notes.txt")
    assert content(trial.dir) == {"kept": None, "kept/notes.txt": b"mine", "notes.txt": b"mine"}


def test_a_link_that_is_given_is_followed(trial: Trial, file: Path) -> None:
    link = file.with_name("latest.pt")
    link.symlink_to(file.name)
    assert trial.save(link) == trial.dir / "latest.pt"
    assert not (trial.dir / "latest.pt").is_symlink() and (trial.dir / "latest.pt").read_bytes() == b"weights"


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_copies_are_for_their_owner_only_whatever_the_umask(
    trial: Trial, tree: Path, file: Path, folders: Path, umask: int
) -> None:
    file.chmod(0o755)
    before = os.umask(umask)
    try:
        trial.save(tree, "one/two")
        trial.save(file)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folders.rglob("*") if path.is_file()}
    folder_modes = {stat.S_IMODE(path.stat().st_mode) for path in folders.rglob("*") if path.is_dir()}
    assert (modes, folder_modes) == ({0o600}, {0o700})


# -- it is whole, or not there -----------------------------------------------------------------------------------------


def test_a_copy_takes_the_place_of_an_earlier_one(trial: Trial, tree: Path, file: Path) -> None:
    trial.save(file)
    trial.save(tree)
    file.write_bytes(b"better")
    (tree / "a.txt").unlink()
    trial.save(file)
    trial.save(tree)
    assert (trial.dir / "model.pt").read_bytes() == b"better"
    assert content(trial.dir / "out") == content(tree)


def test_a_file_does_not_take_the_place_of_a_folder_nor_a_folder_that_of_a_file(
    trial: Trial, tree: Path, file: Path
) -> None:
    trial.save(tree, "one")
    trial.save(file, "two")
    before = content(trial.dir)
    with pytest.raises(TrialError, match="'one' is a folder there already; give another name"):
        trial.save(file, "one")
    with pytest.raises(TrialError, match="'two' is a file there already; give another name"):
        trial.save(tree, "two")
    with pytest.raises(TrialError, match="a part of 'two/three' is no folder there; give another name"):
        trial.save(file, "two/three")
    assert content(trial.dir) == before


def test_a_full_disk_leaves_nothing_half_written(
    trial: Trial, tree: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.save(file, "out/model.pt")
    copied = []

    def full(source: str, *args: Any) -> int:
        copied.append(source)
        if len(copied) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return copy(source, *args)

    copy = artifacts._copy_file
    monkeypatch.setattr(artifacts, "_copy_file", full)
    with pytest.raises(OSError, match="No space left"):
        trial.save(tree)
    assert content(trial.dir) == {"out": None, "out/model.pt": b"weights"}


def test_a_folder_whose_second_step_fails_gets_its_place_back(
    trial: Trial, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.save(tree)
    before = content(trial.dir)
    rename, calls = os.rename, []

    def failing(*args: Any, **more: Any) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        rename(*args, **more)

    (tree / "new").write_text("new")
    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="Input/output"):
        trial.save(tree)
    assert content(trial.dir) == before


def test_the_next_attempt_removes_what_a_killed_one_left_half_written(trial: Trial, folders: Path, file: Path) -> None:
    left = trial.dir / f".saving-1-{'0' * 16}"
    (left / "inner").mkdir(parents=True)
    (left / "inner" / "file").write_text("half")
    of_this_attempt = trial.dir / f".saving-2-{'0' * 16}"
    of_this_attempt.write_text("another thread is at it")
    (trial.dir / ".saving-mine").write_text("the user's")
    trial_of(folders, attempt=2).save(file)
    assert sorted(os.listdir(trial.dir)) == sorted(["model.pt", of_this_attempt.name, ".saving-mine"])
    assert is_unfinished(of_this_attempt.name) and not is_unfinished(".saving-mine")


def test_threads_that_save_under_one_name_leave_one_whole_copy(trial: Trial, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}" for number in range(4)]
    for path in files:
        path.write_bytes(path.name.encode() * 100_000)
    threads = [threading.Thread(target=trial.save, args=(path, "one")) for path in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.listdir(trial.dir) == ["one"]
    assert (trial.dir / "one").read_bytes() in [path.read_bytes() for path in files]


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_what_is_larger_than_the_limit_is_refused_with_its_size_and_the_mend(trial: Trial, tree: Path) -> None:
    with pytest.raises(TrialError, match="it has 6 bytes, and 5 are allowed: save less, or give a greater `limit_b"):
        trial.save(tree, limit_bytes=5)
    assert content(trial.dir) == {}
    assert trial.save(tree, limit_bytes=6).exists()


def test_what_is_in_the_folder_already_is_held_against_the_limit_too(trial: Trial, tree: Path) -> None:
    kept = trial.save(tree)
    with pytest.raises(TrialError, match="it has 6 bytes, and 5 are allowed"):
        trial.save(kept, limit_bytes=5)


def test_a_file_that_grows_while_it_is_copied_is_cut_short_at_the_limit(
    trial: Trial, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "_entries", lambda source: [artifacts._Entry(source, "", False, 0)])
    with pytest.raises(TrialError, match="it has 7 bytes, and 6 are allowed"):
        trial.save(file, limit_bytes=6)
    assert content(trial.dir) == {}


def test_a_hole_of_a_terabyte_is_refused_at_once(trial: Trial, file: Path) -> None:
    os.truncate(file, 2**40)
    with pytest.raises(TrialError, match="it has 1,099,511,627,776 bytes, and 1,073,741,824 are allowed"):
        trial.save(file)


def test_links_within_a_folder_become_copies_and_others_are_refused(trial: Trial, tree: Path, file: Path) -> None:
    (tree / "last").symlink_to("plots/b.txt")
    kept = trial.save(tree)
    assert (kept / "last").read_bytes() == b"bb" and not (kept / "last").is_symlink()
    for name, target in (
        ("outside", file),
        ("folder", tree / "plots"),
        ("nowhere", tree / "none"),
        ("itself", "itself"),
    ):
        (tree / name).symlink_to(target)
        with pytest.raises(
            TrialError, match=f"out/{name}' is a symbolic link to .*: save that by itself, or leave the"
        ):
            trial.save(tree, "second")
        (tree / name).unlink()
    assert os.listdir(trial.dir) == ["out"]


def test_a_file_that_becomes_a_link_while_it_is_copied_is_not_followed(
    trial: Trial, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    monkeypatch.setattr(artifacts, "_entries", lambda source: [artifacts._Entry(str(link), "", False, 0)])
    with pytest.raises(OSError, match="symbolic links"):
        trial.save(file)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_file_is_refused_and_not_waited_for(trial: Trial, tree: Path, kind: str) -> None:
    path = tree / "odd"
    with socket.socket(socket.AF_UNIX) as sock:
        if kind == "pipe":
            os.mkfifo(path)
        else:
            sock.bind(str(path))
        for given in (path, tree):
            with pytest.raises(TrialError, match="odd' is neither a file nor a folder; leave it out"):
                trial.save(given)
    assert content(trial.dir) == {}


def test_a_folder_that_has_the_trials_own_in_it_is_refused(trial: Trial, folders: Path) -> None:
    with pytest.raises(TrialError, match="the trial's own folder is in it; save what is beside that by itself"):
        trial.save(folders.parent)


def test_a_path_that_is_not_there_is_told_as_it_was_given(trial: Trial) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: 'nothing\.pt'"):
        trial.save("nothing.pt")


def test_a_wrong_type_is_told(trial: Trial, file: Path) -> None:
    with pytest.raises(TypeError, match="name=7: expected a text, not int"):
        trial.save(file, 7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"limit_bytes=0\.5: expected a whole number"):
        trial.save(file, limit_bytes=0.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"path=b'model\.pt': expected a text or a Path"):
        trial.save(b"model.pt")  # type: ignore[arg-type]


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("model.pt", "model.pt"),
        ("epoch=3-loss=0.12 (best).ckpt", "epoch=3-loss=0.12 (best).ckpt"),
        ("gewichte-größe-重み-👍", "gewichte-größe-重み-👍"),
        ("a/b", "a/b"),
        ("a//b/./", "a/b"),
        ("..", "%2E%2E"),
        ("../../x", "%2E%2E/%2E%2E/x"),
        ("/etc/passwd", "%2Fetc/passwd"),
        (".bashrc", "%2Ebashrc"),
        ("100%", "100%25"),
        ("a\\..\\b", "a%5C..%5Cb"),
        ("C:\\x", "C%3A%5Cx"),
        ("x\0y\n\x1b[31m", "x%00y%0A%1B[31m"),
        ("a\u202eb", "a%E2%80%AEb"),
        ("\udc80", "%ED%B2%80"),
        ("con", "%63on"),
        ("LPT1.txt", "%4CPT1.txt"),
        ("console", "console"),
        ("end.", "end%2E"),
        ("end ", "end%20"),
        ("a/b/c/d/e/f/g/h/i/..", "a/b/c/d/e/f/g/h%2Fi%2F.%2E"),
    ],
)  # fmt: skip
def test_a_name_is_kept_or_escaped(name: str, kept: str) -> None:
    assert safe_name(name) == kept


def test_a_long_part_is_cut_and_keeps_its_ending() -> None:
    kept = [safe_name("x" * n + ".ckpt") for n in (195, 196, 5_000)]
    assert [len(name) for name in kept] == [200, 200, 200] and len(set(kept)) == 3
    assert all(name.endswith(".ckpt") for name in kept) and "%~" not in kept[0]
    assert len(safe_name("重" * 300).encode()) <= 200


@pytest.mark.parametrize("name", ["", ".", "/", "././/", "x" * 100_001])
def test_a_name_that_names_nothing_is_refused(name: str) -> None:
    with pytest.raises(TrialError, match=r"names nothing|100001 characters"):
        safe_name(name)


# S16: parts that mean something to a file system, a shell, a terminal or a person.
EVIL = [
    "..", "../", "/..", "../..", "....", ". .", ".. ", "..\0", "~", "~root", "-rf", "|", "$HOME", "`id`", ":", "::$DATA", "\\", "..\\",
    "\\\\host\\share", "C:", "\0", "\n", "\r", "\t", "\x1b]0;x\x07", "\x7f", "\x80", "\u202e", "\u2028", "\ufeff", "\uff0e\uff0e",
    "\u2215", "\udcff", "\ud800", "%2e%2e", "%2F", "%00", "%", "%~", "con", "NUL", "aux.txt", "COM1", "lpt\u00b9", " ", ".", "...",
    ".ssh", ".saving-1-00", "a" * 255, "\u91cd" * 100, "x" * 5000, "*", "?", "<", ">", '"', "'", "e\u0301", "\u00e9", "\U0001f44d",
]  # fmt: skip


def hostile_names(count: int) -> list[str]:
    names = [*EVIL, *(f"../../../../../../{part}" for part in EVIL), *(f"/{part}" for part in EVIL)]
    generator = random.Random(1)
    while len(names) < count:
        parts = generator.choices(EVIL, k=generator.randint(2, 12))
        names.append(generator.choice(["/", "", "//", "/./"]).join(parts))
    return list(dict.fromkeys(names))


def check_hostile_names(folders: Path, above: Path, count: int) -> None:
    """Each one is a file below the artifacts of its trial, and nothing else is anywhere; no two names are one."""
    (above / "canary").write_text("untouched")
    source = above / "source"
    source.write_bytes(b"content")
    names: dict[str, str] = {}
    for number, name in enumerate(hostile_names(count)):
        trial = Trial(Port(folders), number, 1, {}, ("value",), None)  # type: ignore[arg-type]
        if not name.replace(".", "", 1).strip("/"):
            continue  # refused: see above
        path = trial.save(source, name)
        kept = path.relative_to(trial.dir)
        assert not any(part.startswith(".") or part.endswith((".", " ")) for part in kept.parts)
        assert all(len(part.encode()) <= 200 for part in kept.parts) and len(kept.parts) <= 8
        assert not any(unicodedata.category(c)[0] == "C" or c in '\\:*?"<>|' for part in kept.parts for c in part)
        assert path.read_bytes() == b"content"
        # What is one path on every system may be one here, and nothing else.
        plain = ["/"] * name.startswith("/") + [part for part in name.split("/") if part not in ("", ".")]
        assert names.setdefault(str(kept), repr(plain)) == repr(plain)
        assert {path} == {found for found in trial.dir.rglob("*") if not found.is_dir()}
        assert os.listdir(trial.dir.parent) == ["artifacts"]
    assert len(names) > 0.95 * count
    assert sorted(os.listdir(above)) == ["canary", "source", "sweep"] and os.listdir(above / "sweep") == ["trials"]
    assert sorted(map(int, os.listdir(folders)))[-1] < len(hostile_names(count))


def test_300_hostile_names_stay_in_the_folder_each_for_itself(folders: Path, tmp_path: Path) -> None:
    folders.parent.mkdir()
    check_hostile_names(folders, tmp_path, 300)


@pytest.mark.deep
def test_3000_hostile_names_stay_in_the_folder_each_for_itself(folders: Path, tmp_path: Path) -> None:
    folders.parent.mkdir()
    check_hostile_names(folders, tmp_path, 3_000)


# -- planted links -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["trials", "3", "artifacts", "plots"])
def test_a_link_that_somebody_planted_is_not_followed(trial: Trial, tmp_path: Path, file: Path, place: str) -> None:
    target = tmp_path / "target"
    target.mkdir()
    path = tmp_path / "sweep" / "trials" / "3" / "artifacts" / "plots"
    while path.name != place:
        path = path.parent
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    with pytest.raises((OSError, TrialError), match=r"no symbolic link|symbolic link there|is no folder there"):
        trial.save(file, "plots/x")
    assert os.listdir(target) == []


def test_a_link_in_the_place_of_the_copy_itself_is_not_written_through(
    trial: Trial, tmp_path: Path, file: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    (trial.dir / "model.pt").symlink_to(target)
    with pytest.raises(TrialError, match=r"'model\.pt' is a symbolic link there already"):
        trial.save(file)
    assert target.read_text() == "untouched"


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(
    trial: Trial, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    (target / "artifacts").mkdir(parents=True)
    path = make(str(trial.dir.parents[1]), "3", "artifacts")

    def made(*parts: str) -> str:
        trial_folder = Path(path).parent
        trial_folder.rename(trial_folder.with_name("moved"))
        trial_folder.symlink_to(target)
        return path

    monkeypatch.setattr(artifacts, "make", made)
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        trial.save(file)
    assert content(target) == {"artifacts": None}
