"""The files in memory lose what a disk may lose and nothing else, fail when they are told to, and are the same every time."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from asyncsweep.journal import journal as journals
from asyncsweep.journal.files import Files, OsFiles
from asyncsweep.testing.files import Fault, MemoryFiles, Operation

FILE = Path("/file")


def with_file(durable: bytes, *appended: bytes, block_bytes: int = 4) -> MemoryFiles:
    files = MemoryFiles(block_bytes=block_bytes)
    files.put(FILE, durable)
    file = files.open(FILE, writing=True)
    for data in appended:
        file.append(data)
    return files


def after_crashes(files: MemoryFiles, n: int = 300) -> set[bytes | None]:
    """What is found in the file after power losses of every kind; None when there is no file."""
    crashed = [files.crash(Random(seed)) for seed in range(n)]
    return {after.content(FILE) if after.exists(FILE) else None for after in crashed}


def test_what_was_synced_is_there_after_every_power_loss() -> None:
    files = with_file(b"old", b"new")
    file = files.open(FILE, writing=True)
    file.sync()
    assert after_crashes(files) == {b"oldnew"}


def test_what_was_not_synced_is_there_or_missing_or_torn_or_zero_in_every_block() -> None:
    found = after_crashes(with_file(b"aaaa", b"bbbb", b"cccc"))
    assert found == {
        b"aaaa",
        b"aaaabbbb", b"aaaa\0\0\0\0",
        b"aaaabbbbcccc", b"aaaabbbb\0\0\0\0", b"aaaa\0\0\0\0cccc", b"aaaa\0\0\0\0\0\0\0\0",
    }  # fmt: skip


def test_a_block_that_was_written_twice_is_torn_where_the_writes_met() -> None:
    assert after_crashes(with_file(b"", b"ab", b"cd")) == {b"", b"ab", b"\0\0", b"abcd", b"ab\0\0", b"\0\0\0\0"}


def test_what_was_cut_off_can_come_back_until_that_is_synced() -> None:
    files = with_file(b"abcd")
    file = files.open(FILE, writing=True)
    file.truncate(1)
    unsynced = after_crashes(files)
    file.sync()
    assert (unsynced, after_crashes(files)) == ({b"abcd", b"a", b"a\0\0\0"}, {b"a"})


def test_a_killed_process_leaves_all_that_it_wrote() -> None:
    after = with_file(b"old", b"new").kill()
    assert (after.content(FILE), after.n_open) == (b"oldnew", 0)


def test_what_a_killed_process_did_not_sync_can_still_be_lost() -> None:
    after = with_file(b"old", b"new").kill()
    assert b"old" in after_crashes(after)
    assert after.content(FILE) == b"oldnew"


def test_a_new_file_may_be_gone_until_its_folder_is_synced() -> None:
    files = MemoryFiles()
    files.create(FILE)
    unsynced = after_crashes(files)
    files.sync_folder(Path("/"))
    assert (unsynced, after_crashes(files)) == ({None, b""}, {b""})


def test_a_rename_is_one_step_and_may_be_undone_until_its_folder_is_synced() -> None:
    files = MemoryFiles()
    files.put(FILE, b"old")
    files.put(Path("/new"), b"new")
    files.replace(Path("/new"), FILE)
    states = {
        (tuple(after.names(Path("/"))), after.content(FILE)) for after in map(files.crash, map(Random, range(50)))
    }
    files.sync_folder(Path("/"))
    assert states == {(("file", "new"), b"old"), (("file",), b"new")}
    assert after_crashes(files) == {b"new"}


def test_a_folder_that_is_lost_takes_everything_with_it() -> None:
    files = MemoryFiles()
    files.make_folder(Path("/folder"))
    files.create(Path("/folder/file"))
    files.sync_folder(Path("/folder"))
    found = {after.exists(Path("/folder/file")) for after in map(files.crash, map(Random, range(50)))}
    assert found == {False, True}


def test_the_same_random_numbers_lose_the_same() -> None:
    first, second = (with_file(b"", *[b"%d" % n for n in range(100)]) for _ in range(2))
    assert [first.crash(Random(n)).content(FILE) for n in range(20)] == [
        second.crash(Random(n)).content(FILE) for n in range(20)
    ]


def test_a_fault_is_refused_once_or_for_ever() -> None:
    refused = []
    for lasts in (False, True):
        files = MemoryFiles(Fault(1, errno.ENOSPC, lasts))
        for name in ("a", "b", "c"):
            try:
                files.create(Path("/") / name)
            except OSError as error:
                refused.append((lasts, name, error.errno))
    assert refused == [(False, "b", errno.ENOSPC), (True, "b", errno.ENOSPC), (True, "c", errno.ENOSPC)]


def test_a_short_write_leaves_its_first_half() -> None:
    files = with_file(b"")
    files.fault = Fault(len(files.operations), errno.ENOSPC, is_short=True)
    with pytest.raises(OSError, match="No space left"):
        files.open(FILE, writing=True).append(b"12345678")
    files.fault = Fault(len(files.operations) + 1, errno.ENOSPC, is_short=True)
    with pytest.raises(OSError, match="No space left"):
        files.open(FILE, writing=True).append(b"12345678")
    assert files.content(FILE) == b"1234"


def test_each_step_is_told_and_a_write_is_seen_half_done() -> None:
    files, seen = MemoryFiles(), []
    files.on_step = lambda operation: seen.append((operation.kind, files.exists(FILE) and files.content(FILE)))
    file = files.create(FILE)
    file.append(b"1234")
    file.sync()
    assert seen == [("create", False), ("append", b""), ("append", b"12"), ("sync", b"1234")]


def test_operations_are_counted_with_their_path_and_size() -> None:
    files = with_file(b"", b"123")
    assert files.operations == [Operation("open", FILE), Operation("append", FILE, 3)]


def real(tmp_path: Path) -> tuple[Files, Path]:
    return OsFiles(), tmp_path


def in_memory(tmp_path: Path) -> tuple[Files, Path]:
    return MemoryFiles(), Path("/")


@pytest.mark.parametrize("make", [real, in_memory])
def test_memory_and_disk_answer_alike(tmp_path: Path, make: Callable[[Path], tuple[Files, Path]]) -> None:
    files, root = make(tmp_path)
    folder, one, two = root / "folder", root / "folder" / "one", root / "folder" / "two"
    answers: list[object] = []

    def ask(function: Callable[..., object], *arguments: object, **options: object) -> None:
        try:
            answers.append(function(*arguments, **options))
        except OSError as error:
            answers.append(errno.errorcode[error.errno or 0])

    ask(files.open, one, writing=True)
    ask(files.make_folder, folder)
    ask(files.make_folder, folder)
    ask(files.make_folder, root / "no" / "folder")
    file = files.create(one)
    ask(files.create, one)
    file.append(b"content")
    file.truncate(3)
    file.sync()
    ask(file.size)
    ask(file.read)
    files.replace(one, two)
    file.sync()
    ask(files.exists, one)
    ask(files.is_folder, folder)
    ask(files.is_folder, two)
    ask(files.remove_folder, folder)
    ask(files.remove, one)
    ask(files.replace, one, two)
    ask(files.remove, two)
    ask(file.sync)
    file.close()
    ask(files.sync_folder, root / "no")
    held = files.lock(folder)
    with pytest.raises(OSError, match="is in use by a sweep of this process; one sweep at a time can write it"):
        files.lock(folder)
    held.discard()
    ask(files.remove_folder, folder)
    ask(files.exists, folder)
    assert answers == [
        "ENOENT", None, "EEXIST", "ENOENT", "EEXIST", 3, b"con", False, True, False, "ENOTEMPTY", "ENOENT", "ENOENT", None,
        "ENOENT", "ENOENT", None, False,
    ]  # fmt: skip


def test_a_sweep_of_a_dead_process_is_not_locked() -> None:
    files = MemoryFiles()
    journals.create(Path("/sweep"), files)
    journals.create(Path("/sweep"), files.kill()).close()
    with pytest.raises(journals.JournalError, match="in use"):
        journals.create(Path("/sweep"), files)
