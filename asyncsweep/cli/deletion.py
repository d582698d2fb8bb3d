"""Deleting a sweep's folder: what the sweep made, and nothing else.

The sweep's own are the journal and what a repair moved out of it, the lock, the control file, the recorded objective, what workers
printed that were killed with the sweep's process, and in
each trial's folder the logs, the checkpoint and the artifacts; the artifacts only where they are asked for. Whatever else is
there stays, and with it the folders that it is in. As in `driver.removal` every path is reached from an open folder, and no
symbolic link is followed: one that has the name of something of ours is deleted itself.

The journal is the last to go: a deletion that was cut short can be begun again. Where it is gone and artifacts are left,
they can be deleted by themselves, if nothing else is there: a folder like that was a sweep's.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from asyncsweep.cli import record
from asyncsweep.cli.leftovers import TRIAL, TRIALS, leftovers_of
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal.files import OsFiles, reason
from asyncsweep.journal.writer import NAME, NEW_NAME
from asyncsweep.steering.runtime import CONTROL
from asyncsweep.worker.capture import worker_of
from asyncsweep.worker.folders import ARTIFACTS, CHECKPOINT

_FIRST = (CONTROL, record.NAME)
# What a repair moved aside, and what was being written when a process was killed.
_OTHERS = re.compile(
    rf"journal\.quarantine-[0-9]+|journal\.(repaired|quarantined)|\.({CONTROL}|{re.escape(record.NAME)})-[0-9a-f]+"
)
_LAST = (NEW_NAME, NAME)
_LOG = re.compile(r"attempt-[0-9]+\.log")
_NO_FOLDER = (errno.ENOTDIR, errno.ELOOP)
_A_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_KEPT = 20

_Do = Callable[[int], None]


class Deleted(NamedTuple):
    """What became of a sweep's folder.

    Attributes:
        n_files: How many files were deleted.
        n_bytes: How large they were.
        artifacts: Folders of artifacts that were kept, by their paths in the folder.
        kept: What else is still there, by its path in the folder: the first twenty.
        is_gone: Whether the folder is.
    """

    n_files: int
    n_bytes: int
    artifacts: tuple[str, ...]
    kept: tuple[str, ...]
    is_gone: bool


def check_sweep(directory: Path, *, artifacts: bool) -> None:
    """See that there is a sweep in the folder, by its journal; or, with `artifacts`, what is left of one and nothing else.

    Raises:
        ConfigError: There is none, or the folder is a symbolic link.
    """
    named = f"DIR {str(directory)!r}"
    left = None
    try:
        if not stat.S_ISDIR(os.lstat(directory).st_mode):
            is_link = directory.is_symlink()
            raise ConfigError(f"{named} is {'a symbolic link; name the folder itself' if is_link else 'no folder'}")
        is_sweep = os.path.lexists(directory / NAME) and stat.S_ISREG(os.lstat(directory / NAME).st_mode)
        left = None if is_sweep else leftovers_of(directory)
    except FileNotFoundError:
        is_sweep = False
    except (OSError, ValueError) as error:
        raise ConfigError(f"{named}: {reason(error) if isinstance(error, OSError) else error}") from error
    if is_sweep:
        return
    if left is None:
        raise ConfigError(f"{named} holds no sweep ({NAME} is not there); nothing was deleted")
    if left.others:
        raise ConfigError(
            f"{named} holds no sweep ({NAME} is not there), and not only artifacts of one: {left.others[0]!r} is there too; "
            "nothing was deleted"
        )
    if not artifacts:
        raise ConfigError(
            f"{named} holds only the artifacts of a sweep that was deleted; --artifacts deletes them; nothing was deleted"
        )


def delete(directory: Path, *, artifacts: bool) -> Deleted:
    """Delete the sweep in a folder, which nobody can run meanwhile.

    Args:
        directory: The folder.
        artifacts: Delete what trials saved, too.

    Raises:
        ConfigError: There is no sweep.
        JournalError: It runs, or something could not be deleted; all else is.
    """
    path = Path(os.path.abspath(directory))  # not resolved: a symbolic link is refused, not followed
    check_sweep(path, artifacts=artifacts)
    try:
        held = OsFiles().lock(path)
    except OSError as error:
        raise JournalError(f"{directory} cannot be locked: {reason(error)}", path=str(directory)) from error
    deletion = _Deletion(artifacts)
    try:
        with _opened(str(path), None) as folder:
            deletion.sweep(folder)
            if deletion.faults:
                raise deletion.faults[0]
            deletion.files(folder, _LAST)
            held.discard()
            deletion.look(folder, "")
        if not deletion.faults and not deletion.kept and not deletion.artifacts:
            os.rmdir(path)
            return deletion.done(is_gone=True)
        if deletion.faults:
            raise deletion.faults[0]
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise JournalError(f"{directory} cannot be deleted: {reason(error)}{where}", path=str(directory)) from error
    finally:
        held.release()
    return deletion.done(is_gone=False)


class _Deletion:
    """What was deleted so far, and what was left.

    Attributes:
        faults: What could not be deleted.
        kept: Paths of what stays.
        artifacts: Folders of artifacts that stay, by their paths.
    """

    def __init__(self, with_artifacts: bool) -> None:
        self._with_artifacts = with_artifacts
        self._n_files = 0
        self._n_bytes = 0
        self.faults: list[OSError] = []
        self.kept: list[str] = []
        self.artifacts: list[str] = []

    def done(self, *, is_gone: bool) -> Deleted:
        return Deleted(self._n_files, self._n_bytes, tuple(self.artifacts), tuple(self.kept), is_gone)

    def sweep(self, folder: int) -> None:
        """Delete all but the journal and the lock."""
        names = sorted(os.listdir(folder))
        for name in names:
            if TRIALS.fullmatch(name):
                self._inside(name, folder, partial(self._trials, place=name))
        self.files(folder, [name for name in names if name in _FIRST or _is_other(name)])

    def files(self, folder: int, names: Sequence[str]) -> None:
        """Delete files of these names, as far as they are there; a folder stays."""
        for name in names:
            try:
                with suppress(FileNotFoundError, IsADirectoryError):
                    self._unlink(name, folder)
            except OSError as error:
                self.faults.append(error)

    def look(self, folder: int, place: str) -> None:
        """Note what is still there, but for artifacts."""
        for name in sorted(os.listdir(folder)):
            path = f"{place}{name}"
            if len(self.kept) >= _MOST_KEPT:
                return
            parts = path.split("/")
            is_inner = TRIALS.fullmatch(parts[0]) and (len(parts) < 2 or TRIAL.fullmatch(parts[1]))
            if len(parts) == 3 and is_inner and name == ARTIFACTS:
                continue
            try:
                if not is_inner or len(parts) > 2:
                    self.kept.append(path)
                    continue
                with _opened(name, folder) as inside:
                    self.look(inside, f"{path}/")
            except OSError:
                self.kept.append(path)

    def _trials(self, folder: int, place: str) -> None:
        for name in sorted(os.listdir(folder), key=lambda name: (len(name), name)):
            if TRIAL.fullmatch(name):
                self._inside(name, folder, partial(self._trial, place=f"{place}/{name}"))

    def _trial(self, folder: int, place: str) -> None:
        for name in os.listdir(folder):
            if name == CHECKPOINT or (name == ARTIFACTS and self._with_artifacts):
                self._tree(name, folder)
            elif name == ARTIFACTS:
                if not self._removed_empty(name, folder):
                    self.artifacts.append(f"{place}/{name}")
            elif _LOG.fullmatch(name):
                self.files(folder, [name])

    def _inside(self, name: str, above: int, do: _Do) -> None:
        """Do something in a folder, and remove it if it is empty then. What is no folder stays."""
        try:
            with _opened(name, above) as folder:
                do(folder)
            self._removed_empty(name, above)
        except OSError as error:
            if error.errno not in (*_NO_FOLDER, errno.ENOENT):
                self.faults.append(error)

    def _removed_empty(self, name: str, above: int) -> bool:
        try:
            os.rmdir(name, dir_fd=above)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, *_NO_FOLDER):
                raise
            return False
        return True

    def _tree(self, name: str, above: int) -> None:
        """Delete whatever has this name."""
        try:
            with suppress(FileNotFoundError):
                try:
                    with _opened(name, above) as folder:
                        for inner in os.listdir(folder):
                            self._tree(inner, folder)
                except OSError as error:
                    if error.errno not in _NO_FOLDER:
                        raise
                    self._unlink(name, above)
                else:
                    os.rmdir(name, dir_fd=above)
        except OSError as error:
            self.faults.append(error)

    def _unlink(self, name: str, above: int) -> None:
        status = os.stat(name, dir_fd=above, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", name)
        os.unlink(name, dir_fd=above)
        self._n_files += 1
        self._n_bytes += status.st_size if status.st_nlink <= 1 else 0


def _is_other(name: str) -> bool:
    return _OTHERS.fullmatch(name) is not None or worker_of(name) is not None


@contextmanager
def _opened(name: str, above: int | None) -> Iterator[int]:
    fd = os.open(name, _A_FOLDER, dir_fd=above)
    try:
        yield fd
    finally:
        os.close(fd)
