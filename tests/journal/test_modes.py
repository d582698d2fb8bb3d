"""S20: what a sweep writes is for its owner alone, whatever the umask, and never goes through a symbolic link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from asyncsweep.core.events import Event
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import journal as journals
from asyncsweep.journal.compaction import compact
from asyncsweep.journal.files import OsFiles
from asyncsweep.journal.lock import Lock
from asyncsweep.worker.capture import Capture
from tests.journal import small
from tests.journal.histories import opening


@pytest.fixture(params=[0o000, 0o077, 0o777], ids=["umask 000", "umask 077", "umask 777"])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): oct(stat.S_IMODE(path.stat().st_mode)) for path in sorted(root.rglob("*"))}


@pytest.mark.usefixtures("_umask")
def test_what_a_sweep_makes_is_for_its_owner_alone(tmp_path: Path) -> None:
    journals.create(tmp_path / "a" / "b").close()
    assert modes(tmp_path) == {"a": "0o700", "a/b": "0o700", "a/b/journal.asyncsweep": "0o600", "a/b/lock": "0o600"}


@pytest.mark.usefixtures("_umask")
def test_a_compacted_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    journal = journals.create(tmp_path / "sweep")
    journal.add(opening())
    assert anyio.run(compact, journal, small.snapshot(1)) is None
    journal.close()
    assert modes(tmp_path / "sweep") == {"journal.asyncsweep": "0o600", "lock": "0o600"}


@pytest.mark.usefixtures("_umask")
def test_a_folder_of_the_user_stays_as_it_is(tmp_path: Path) -> None:
    directory = tmp_path / "mine"
    directory.mkdir()
    directory.chmod(0o755)
    journals.create(directory).close()
    assert modes(tmp_path)["mine"] == "0o755"


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_log_is_for_its_owner_alone(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "trials" / "0" / "1.log"
    before = os.umask(umask)
    try:
        with open(tmp_path / "output", "a+b") as output:
            output.write(b"printed")
            output.flush()
            Capture(output.fileno(), 1000, str(path)).collect()
    finally:
        os.umask(before)
    assert modes(tmp_path / "trials") == {"0": "0o700", "0/1.log": "0o600"}
    assert stat.S_IMODE((tmp_path / "trials").stat().st_mode) == 0o700


def begun(directory: Path) -> list[Event]:
    journal = journals.create(directory)
    journal.add(opening())
    journal.commit()
    journal.close()
    return [opening()]


def test_a_directory_that_is_a_symbolic_link_is_the_users_choice(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "sweep").symlink_to(tmp_path / "disk")
    events = begun(tmp_path / "sweep")
    journal, found = journals.resume(tmp_path / "sweep")
    journal.close()
    assert found == events and journals.read(tmp_path / "disk").events == events


@pytest.mark.parametrize("name", [journals.NAME, "lock"])
def test_a_symbolic_link_in_the_place_of_a_file_is_not_followed_when_a_sweep_begins(tmp_path: Path, name: str) -> None:
    directory, target = tmp_path / "sweep", tmp_path / "target"
    directory.mkdir()
    target.write_bytes(b"somebody's")
    (directory / name).symlink_to(target)
    with pytest.raises(ConfigError):
        journals.create(directory)
    assert target.read_bytes() == b"somebody's" and (directory / name).is_symlink()


@pytest.mark.parametrize("name", [journals.NAME, "lock"])
def test_a_symbolic_link_in_the_place_of_a_file_is_not_followed_when_a_sweep_goes_on(tmp_path: Path, name: str) -> None:
    directory, target = tmp_path / "sweep", tmp_path / "target"
    begun(directory)
    (directory / name).rename(target)
    (directory / name).symlink_to(target)
    before = target.read_bytes()
    with pytest.raises(JournalError) as caught:
        journals.resume(directory)
    assert target.read_bytes() == before
    assert str(caught.value).count(str(directory)) == 1


def test_a_symbolic_link_in_the_place_of_a_new_journal_is_removed_and_not_followed(tmp_path: Path) -> None:
    directory, target = tmp_path / "sweep", tmp_path / "target"
    target.write_bytes(b"somebody's")
    journal = journals.create(directory)
    journal.add(opening())
    (directory / journals.NEW_NAME).symlink_to(target)
    assert anyio.run(compact, journal, small.snapshot(1)) is None
    journal.close()
    assert target.read_bytes() == b"somebody's" and not (directory / journals.NAME).is_symlink()


def test_a_lock_that_another_process_made_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "lock").chmod(0o644)
    Lock(tmp_path).release()
    assert modes(tmp_path) == {"lock": "0o644"}


def test_an_existing_file_is_never_taken_for_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        OsFiles().create(tmp_path / "file")
