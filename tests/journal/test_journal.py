"""A journal on disk: made, written in groups, failed, opened again."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from pathlib import Path

import pytest

from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal import journal as journals
from asyncsweep.journal.files import OsFile
from tests.journal import small
from tests.journal.faulty import FaultyFiles


def write(directory: Path) -> Path:
    """A journal with the small sweep's events, closed."""
    journal = journals.create(directory)
    for event in small.events():
        journal.add(event)
    journal.commit()
    journal.close()
    return journal.path


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_what_was_committed_is_there_when_the_journal_is_opened_again(tmp_path: Path) -> None:
    write(tmp_path)
    journal, events = journals.resume(tmp_path)
    journal.close()
    assert events == small.events()


def test_what_was_added_and_not_committed_is_not_there(tmp_path: Path) -> None:
    journal = journals.create(tmp_path)
    journal.add(small.events()[0])
    journal.close()
    assert journals.read(tmp_path).events == []


def test_all_events_of_a_group_are_one_write(tmp_path: Path) -> None:
    files = FaultyFiles()
    journal = journals.create(tmp_path, files)
    for event in small.events():
        journal.add(event)
    journal.commit()
    journal.close()
    _, *records = map(len, small.records())
    assert files.made[0].appends == [len(layout.beginning()), sum(records)]


def test_only_the_owner_may_read_what_a_sweep_writes(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "sweep"
    path = write(directory)
    modes = [mode(directory), mode(path), mode(directory / "lock")]
    assert modes == ["0o700", "0o600", "0o600"]


def test_a_torn_tail_of_any_length_is_cut_off_when_the_journal_is_opened(tmp_path: Path) -> None:
    path = write(tmp_path)
    data, last = small.journal(), len(small.records()[-1])
    whole = len(data) - last
    for torn in range(1, last):
        path.write_bytes(data[: whole + torn])
        journal, events = journals.resume(tmp_path)
        journal.close()
        assert (journal.torn, len(events), path.stat().st_size) == (torn, len(small.events()) - 1, whole)


def test_writing_goes_on_where_the_torn_tail_was(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(small.journal()[:-3])
    journal, _ = journals.resume(tmp_path)
    journal.add(small.events()[-1])
    journal.commit()
    journal.close()
    assert journals.read(tmp_path).events == small.events()


def test_reading_changes_nothing_and_needs_no_lock(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(small.journal() + b"torn")
    writer, _ = journals.resume(tmp_path)
    path.write_bytes(small.journal() + b"torn")
    content = journals.read(tmp_path)
    writer.close()
    assert (content.torn, path.stat().st_size) == (4, len(small.journal()) + 4)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("cannot_truncate", [False, True])
def test_a_write_that_fails_in_its_middle_loses_nothing_that_was_committed(
    tmp_path: Path, error: int, cannot_truncate: bool
) -> None:
    files = FaultyFiles(writes_left=2, partly=5, error=error, cannot_truncate=cannot_truncate)
    journal = journals.create(tmp_path, files)
    first, second, *_ = small.events()
    journal.add(first)
    journal.commit()
    journal.add(second)
    with pytest.raises(JournalError, match=os.strerror(error)):
        journal.commit()
    journal.close()
    again, events = journals.resume(tmp_path)
    again.close()
    assert (events, again.torn) == ([first], 5 if cannot_truncate else 0)


def test_a_journal_that_failed_takes_no_more(tmp_path: Path) -> None:
    files = FaultyFiles(writes_left=1)
    journal = journals.create(tmp_path, files)
    journal.add(small.events()[0])
    with pytest.raises(JournalError):
        journal.commit()
    files.writes_left = 100
    with pytest.raises(JournalError, match="an earlier write failed"):
        journal.commit()
    journal.close()


def test_a_sync_that_fails_is_a_journal_error_and_the_last(tmp_path: Path) -> None:
    journal = journals.create(tmp_path, FaultyFiles(syncs_left=0))
    with pytest.raises(JournalError, match="cannot be synced"):
        journal.sync()
    journal.add(small.events()[0])
    with pytest.raises(JournalError, match="an earlier write failed"):
        journal.commit()
    journal.close()


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_really = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write_really(fd, bytes(data)[:3]))
    path = tmp_path / "file"
    file = OsFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND))
    file.append(b"more than three bytes")
    file.close()
    assert path.read_bytes() == b"more than three bytes"


@pytest.mark.parametrize("existed", [False, True])
def test_a_journal_that_cannot_be_begun_leaves_nothing_behind(tmp_path: Path, existed: bool) -> None:
    directory = tmp_path / "a" / "b"
    if existed:
        directory.mkdir(parents=True)
    files = FaultyFiles(writes_left=0, partly=3)
    with pytest.raises(ConfigError, match="No space left"):
        journals.create(directory, files)
    assert sorted(tmp_path.rglob("*")) == ([directory.parent, directory] if existed else [])
    assert files.n_open == 0


def test_a_discarded_journal_leaves_nothing_behind(tmp_path: Path) -> None:
    journals.create(tmp_path / "a" / "b").discard()
    assert list(tmp_path.iterdir()) == []


def test_discarding_spares_what_others_put_there(tmp_path: Path) -> None:
    journal = journals.create(tmp_path / "a" / "b")
    (tmp_path / "a" / "mine.txt").touch()
    journal.discard()
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "a", tmp_path / "a" / "mine.txt"]


def test_a_directory_that_holds_a_sweep_is_refused_for_another(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(ConfigError, match=r"directory='.*' holds a sweep already: go on with it by Sweep\.resume"):
        journals.create(tmp_path)


@pytest.mark.parametrize("size", range(0, 40, 3))
def test_a_journal_whose_process_was_killed_before_the_first_record_is_replaced(tmp_path: Path, size: int) -> None:
    (tmp_path / journals.NAME).write_bytes(small.journal()[:size])
    journal = journals.create(tmp_path)
    journal.add(small.events()[0])
    journal.commit()
    journal.close()
    assert journals.read(tmp_path).events == small.events()[:1]


def test_a_damaged_journal_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / journals.NAME).write_bytes(b"not a journal")
    with pytest.raises(ConfigError, match="holds a sweep already"):
        journals.create(tmp_path)


@pytest.mark.parametrize("target", ["elsewhere", "missing"])
def test_a_journal_that_is_a_symbolic_link_is_refused_for_a_new_sweep(tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / journals.NAME).symlink_to(tmp_path / target)
    with pytest.raises(ConfigError, match="symbolic link, which is never followed"):
        journals.create(tmp_path)


def test_a_journal_that_is_a_symbolic_link_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "real")
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / journals.NAME).symlink_to(tmp_path / "real" / journals.NAME)
    with pytest.raises(JournalError, match="cannot be opened"):
        journals.read(tmp_path / "fake")


def test_a_named_pipe_in_the_journals_place_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / journals.NAME)
    with pytest.raises(JournalError, match="no regular file"):
        journals.read(tmp_path)


def test_a_directory_without_a_journal_holds_no_sweep(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no sweep \(journal\.asyncsweep is not there\)"):
        journals.resume(tmp_path)


def test_a_damaged_journal_is_not_opened_and_not_changed(tmp_path: Path) -> None:
    path = write(tmp_path)
    data = bytearray(small.journal())
    data[60] ^= 1
    path.write_bytes(data)
    for _ in itertools.repeat(None, 2):  # the refusal let go of the lock
        with pytest.raises(JournalError, match="damaged at byte 16"):
            journals.resume(tmp_path)
    assert path.read_bytes() == data


def test_a_lock_that_cannot_be_opened_is_a_journal_error(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError, match="cannot be locked"):
        journals.resume(tmp_path)
