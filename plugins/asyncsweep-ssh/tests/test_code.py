"""The user's code on its way to hosts: what is taken, what is left out, and that nothing is unpacked elsewhere."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from asyncsweep_ssh.archive import _worker_archive, packed, worker_archive
from asyncsweep_ssh.code import code_of, size_of
from asyncsweep_ssh.remote.keeper import unpack

from asyncsweep import ConfigError


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def names_of(folder: Path) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(code_of(str(folder), 10**9).archive.data)) as archive:
        return set(archive.namelist())


def test_all_files_are_taken_but_what_versions_environments_and_sweeps_leave(tmp_path: Path) -> None:
    made(tmp_path, "train.py", "pkg/__init__.py", "pkg/model.py", "data/small.csv", ".hidden/settings.toml")
    made(
        tmp_path,
        ".git/config",
        "pkg/__pycache__/model.pyc",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        "sweep/journal.asyncsweep",
        "sweep/a.log",
    )
    assert names_of(tmp_path) == {
        "train.py",
        "pkg/__init__.py",
        "pkg/model.py",
        "data/small.csv",
        ".hidden/settings.toml",
    }


def test_gitignore_means_what_git_makes_of_it(tmp_path: Path) -> None:
    names = [
        "a.py",
        "a.log",
        "keep.log",
        "build/x.py",
        "src/build/y.py",
        "src/a.py",
        "src/b.tmp",
        "data/1.bin",
        "data/2.bin",
        "doc/x.txt",
        "excluded.txt",
    ]
    made(tmp_path, *names, "src/local/z.py", "src/local/keep.tmp")
    (tmp_path / ".gitignore").write_text("*.log\n!keep.log\n/build/\ndata/*\n!data/2.bin\n# a comment\ndoc\n")
    (tmp_path / "src" / ".gitignore").write_text("*.tmp\n")
    (tmp_path / "src" / "local" / ".gitignore").write_text("!keep.tmp\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".git" / "info" / "exclude").write_text("excluded.txt\n")
    listed = subprocess.run(
        ["git", "-C", tmp_path, "ls-files", "-z", "--others", "--cached", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert names_of(tmp_path) == set(listed.stdout.strip("\0").split("\0"))
    inner = subprocess.run(
        ["git", "-C", tmp_path / "src", "ls-files", "-z", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert names_of(tmp_path / "src") == set(inner.stdout.strip("\0").split("\0"))


def test_links_within_are_files_and_links_that_lead_out_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made(tmp_path, "code/a.py", "outside/secret.txt")
    (tmp_path / "code" / "b.py").symlink_to("a.py")
    (tmp_path / "code" / "data").symlink_to(tmp_path / "outside")
    assert names_of(tmp_path / "code") == {"a.py", "b.py"}
    assert "data leads to" in caplog.text


def test_the_same_files_make_the_same_archive_and_keep_what_can_be_run(tmp_path: Path) -> None:
    made(tmp_path, "a.py", "run.sh")
    (tmp_path / "run.sh").chmod(0o755)
    first = code_of(str(tmp_path), 10**6).archive
    os.utime(tmp_path / "a.py", (1, 1))
    assert code_of(str(tmp_path), 10**6).archive.digest == first.digest
    (tmp_path / "zip").write_bytes(first.data)
    unpack(str(tmp_path / "zip"), str(tmp_path / "there"))
    assert stat.S_IMODE((tmp_path / "there" / "run.sh").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "there" / "a.py").stat().st_mode) == 0o600


def test_too_much_code_is_refused_with_the_largest_parts(tmp_path: Path) -> None:
    made(tmp_path, "train.py")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "big.bin").write_bytes(bytes(2_000_000))
    with pytest.raises(
        ConfigError, match=r"2\.0 MB would go to each host, and code_limit is 1\.0 MB; the largest: data/ 2\.0 MB"
    ):
        code_of(str(tmp_path), 1_000_000)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such folder"):
        code_of(str(tmp_path / "nowhere"), 1)


@pytest.mark.parametrize(("text", "size"), [("100MB", 10**8), ("1GiB", 2**30), ("2 kb", 2000), (17, 17), ("0", 0)])
def test_sizes(text: object, size: int) -> None:
    assert size_of(text, "x") == size


HOSTILE = ["../x", "/etc/x", "a/../../x", "a//x", "./x", "", "a/", "x\0y", "..", "a/./b", "\\..\\x/../../y"]


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_unpacked_elsewhere(tmp_path: Path, name: str) -> None:
    info = zipfile.ZipInfo("x")
    info.filename = name
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr(info, b"data")
    (tmp_path / "in").mkdir()
    with contextlib.suppress(ValueError, OSError, zipfile.BadZipFile):
        unpack(str(tmp_path / "zip"), str(tmp_path / "in" / "there"))
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert all(path == "zip" or path.startswith("in/there/") for path in found)
    assert not Path("/etc/x").exists()


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr(info, b"/etc")
    with pytest.raises(ValueError, match="link"):
        unpack(str(tmp_path / "zip"), str(tmp_path / "there"))


def test_an_archive_that_grows_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(packed([("zeros", bytes(10**6))]).data)
    with pytest.raises(ValueError, match="zeros"):
        unpack(str(tmp_path / "zip"), str(tmp_path / "there"), limit_bytes=10**5)


def test_what_travels_is_small_and_the_same_each_time() -> None:
    assert len(worker_archive().data) < 250_000
    again = _worker_archive.__wrapped__()
    assert again == worker_archive()
