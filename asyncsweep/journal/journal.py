"""The journal of one sweep: begun, gone on with, read.

`resume` syncs what it found before anything is built upon it, for whoever wrote it may not have; and a torn tail that it cut
can then not come back between later records.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from asyncsweep.core.events import Event
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import format as layout
from asyncsweep.journal.files import Files, JournalFile, OsFiles, make_folders, reason, remove_folders
from asyncsweep.journal.writer import BEGINNING_BYTES, NEW_NAME, unmake
from asyncsweep.journal.writer import NAME as NAME
from asyncsweep.journal.writer import Journal as Journal

Take = Callable[[Event], object]


def create(directory: Path, files: Files | None = None) -> Journal:
    """Begin the journal of a new sweep. A journal that was begun and holds no event yet is replaced.

    Raises:
        ConfigError: The directory cannot be made or written, or holds a sweep already; nothing is left behind.
        JournalError: Another process is at work in it.
    """
    files = files or OsFiles()
    path = directory / NAME
    refuse_used(directory, files)
    try:
        made = make_folders(files, directory)
        try:
            held = files.lock(directory)
        except (ConfigError, OSError):
            remove_folders(files, made)
            raise
    except JournalError:
        raise
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        refuse_used(directory, files)  # again, now that nobody else can begin one
        for left in (path, path.with_name(NEW_NAME)):
            with suppress(FileNotFoundError):
                files.remove(left)
        file = _begun(files, path)
    except ConfigError:
        if made:
            held.discard()
            remove_folders(files, made)
        else:
            held.release()
        raise
    except OSError as error:
        unmake(files, path, held, made)
        raise _unwritable(directory, error) from error
    return Journal(path, files, file, held, layout.Content([], BEGINNING_BYTES, 0), made)


def resume(directory: Path, files: Files | None = None, take: Take | None = None) -> tuple[Journal, list[Event]]:
    """Open the journal of an earlier sweep to go on with it; a torn tail is cut off. What is there is synced.

    Its events are given too, or one by one to `take`, and then in no list.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: Another process is at work in it, it is damaged, or the system refuses.
    """
    files = files or OsFiles()
    path = directory / NAME
    _see(files, directory)
    try:
        held = files.lock(directory)
    except JournalError:
        raise
    except OSError as error:
        raise JournalError(f"{path} cannot be locked: {reason(error)}", path=str(path)) from error
    try:
        # What a compaction left that was cut short: it is never read, and the next one removes it, too.
        with suppress(OSError):
            files.remove(path.with_name(NEW_NAME))
        file = _open(files, path, writing=True)
        try:
            found = _settled(files, path, file, take)
        except BaseException:
            file.close()
            raise
    except BaseException:
        held.release()
        raise
    return Journal(path, files, file, held, found), found.events


def read(directory: Path, files: Files | None = None, take: Take | None = None) -> layout.Content:
    """What the journal in a directory holds, without locking or changing it; a running sweep may add to it meanwhile.

    Its events are in the content, or are given one by one to `take`.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: It is damaged, or the system refuses.
    """
    files = files or OsFiles()
    path = directory / NAME
    _see(files, directory)
    file = _open(files, path, writing=False)
    try:
        return layout.decode(_content(file, path), str(path), take)
    finally:
        file.close()


def refuse_used(directory: Path, files: Files | None = None) -> None:
    """Refuse a directory for a new sweep that cannot be one.

    Raises:
        ConfigError: It holds a sweep, or is no directory.
    """
    files = files or OsFiles()
    named = f"directory={str(directory)!r}"
    try:
        if _has_begun(files, directory / NAME):
            raise ConfigError(_used(directory))
        if files.exists(directory):
            if not files.is_folder(directory):
                raise ConfigError(f"{named} is a file; name a folder, which may be a new one")
            return
        above = next(parent for parent in directory.parents if files.exists(parent))
        if not files.is_folder(above):
            raise ConfigError(f"{named}: {above.name!r} in it is a file; name another folder")
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(f"{named}: its {NAME} is a symbolic link, which is never followed") from error
        raise ConfigError(f"{named} cannot be used: {reason(error)}") from error


def _has_begun(files: Files, path: Path) -> bool:
    """False for a journal without a whole event: its process was killed before the sweep began."""
    try:
        file = files.open(path, writing=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        return file.size() > layout.RECORD_LIMIT_BYTES or bool(layout.decode(file.read(), str(path)).events)
    except JournalError:
        return True  # it is for the user to look at
    finally:
        file.close()


def _begun(files: Files, path: Path) -> JournalFile:
    """A new file with nothing but its beginning, which survives a power loss: without it nothing that follows could be read."""
    file = files.create(path)
    try:
        file.append(layout.beginning())
        file.sync()
        files.sync_folder(path.parent)
    except BaseException:
        file.close()
        raise
    return file


def _settled(files: Files, path: Path, file: JournalFile, take: Take | None) -> layout.Content:
    """What a journal holds, with nothing behind it, all of it synced."""
    found = layout.decode(_content(file, path), str(path), take)
    try:
        if found.torn:
            file.truncate(found.size)
        if not found.size:  # killed amid its first write
            file.append(layout.beginning())
            found = found._replace(size=BEGINNING_BYTES)
        file.sync()
        files.sync_folder(path.parent)
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {reason(error)}", path=str(path)) from error
    return found


def _see(files: Files, directory: Path) -> None:
    try:
        is_there = files.exists(directory / NAME)
    except OSError as error:
        raise ConfigError(f"directory={str(directory)[:200]!r} cannot be looked into: {reason(error)}") from error
    if not is_there:
        raise ConfigError(f"directory={str(directory)!r} holds no sweep ({NAME} is not there)")


def _open(files: Files, path: Path, *, writing: bool) -> JournalFile:
    try:
        return files.open(path, writing=writing)
    except OSError as error:
        raise JournalError(f"{path} cannot be opened: {reason(error)}", path=str(path)) from error


def _content(file: JournalFile, path: Path) -> bytes:
    try:
        return file.read()
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {reason(error)}", path=str(path)) from error


def _used(directory: Path) -> str:
    return (
        f"directory={str(directory)!r} holds a sweep already: go on with it by Sweep.resume(directory, objective), "
        f"or name another directory"
    )


def _unwritable(directory: Path, error: OSError) -> ConfigError:
    return ConfigError(f"directory={str(directory)!r} cannot be written: {reason(error)}")
