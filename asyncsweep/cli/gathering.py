"""The artifacts of trials: found in a sweep's directory and copied out of it.

The sweep may be somebody else's, and another process may change it meanwhile. So everything is reached from open folders, no symbolic
link is followed on either side, and nothing is written outside of the folder that the user named.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from asyncsweep.errors import ConfigError
from asyncsweep.journal.files import reason
from asyncsweep.worker.artifacts import is_unfinished
from asyncsweep.worker.folders import ARTIFACTS

_COPY_BYTES = 1 << 20
_DEEPEST = 100
_A_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_A_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Artifact(NamedTuple):
    """A file in a trial's folder of artifacts.

    Attributes:
        trial: The trial's number.
        name: Its path in the folder, in parts.
        n_bytes: Its size.
        is_file: False for a symbolic link, and whatever else cannot be copied.
    """

    trial: int
    name: tuple[str, ...]
    n_bytes: int
    is_file: bool


def artifacts_of(directory: Path, number: int) -> list[Artifact]:
    """What a trial has kept, by name; nothing when there is no folder.

    Raises:
        OSError: It cannot be listed, or a symbolic link is in its place.
    """
    found: list[Artifact] = []
    try:
        with opened(directory, number) as root:
            for name in sorted(os.listdir(root)):
                if not is_unfinished(name):
                    _find(root, number, (), name, found)
    except FileNotFoundError:
        return []
    return found


def _find(above: int, number: int, place: tuple[str, ...], name: str, found: list[Artifact]) -> None:
    with suppress(FileNotFoundError):  # removed meanwhile
        status = os.stat(name, dir_fd=above, follow_symlinks=False)
        path = (*place, name)
        if not stat.S_ISDIR(status.st_mode):
            found.append(Artifact(number, path, status.st_size, stat.S_ISREG(status.st_mode)))
        elif len(path) > _DEEPEST:
            raise OSError(errno.ELOOP, f"more than {_DEEPEST} folders in one another", "/".join(path))
        else:
            with _folder(name, above) as folder:
                for inner in sorted(os.listdir(folder)):
                    _find(folder, number, path, inner, found)


@contextmanager
def opened(directory: Path, number: int) -> Iterator[int]:
    """A trial's folder of artifacts, open.

    Raises:
        FileNotFoundError: There is none.
        OSError: It cannot be opened, or a symbolic link is in its place.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in ("trials", str(number), ARTIFACTS):
            below = os.open(name, _A_FOLDER, dir_fd=fd)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def copy(directory: Path, wanted: Sequence[tuple[Artifact, tuple[str, ...]]], to: Path, *, force: bool) -> None:
    """Copy artifacts to paths below a folder, which is made.

    Args:
        directory: The sweep's.
        wanted: The artifacts, each with its path below `to`, in parts.
        to: The folder.
        force: Replace files that are there already.

    Raises:
        ConfigError: Something is there already; then nothing was written.
        OSError: Something cannot be read or written. What was copied before that stays; nothing is there by half.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise ConfigError(f"--to {os.fspath(to)!r}: {why}") from error
    with _folder(os.fspath(to), None, follow=True) as root:
        for _, target in wanted:
            _check_free(root, target, to, force)
        for artifact, target in wanted:
            with opened(directory, artifact.trial) as fd, _inner(fd, artifact.name[:-1]) as source:
                _copy_one(artifact.name[-1], source, target, root)


def _check_free(root: int, target: tuple[str, ...], to: Path, force: bool) -> None:
    """See that a file can be written there.

    Raises:
        ConfigError: Something else is there.
    """
    fd = os.dup(root)
    place = to
    try:
        for name in target[:-1]:
            place = place / name
            below = os.open(name, _A_FOLDER, dir_fd=fd)
            os.close(fd)
            fd = below
        place = place / target[-1]
        status = os.stat(target[-1], dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise ConfigError(f"--to: {str(place)!r} is there already, and no folder; name another folder") from error
    finally:
        os.close(fd)
    if not force:
        raise ConfigError(f"--to: {str(place)!r} is there already; --force replaces it")
    if stat.S_ISDIR(status.st_mode):
        raise ConfigError(f"--to: {str(place)!r} is a folder; name another folder by --to")


def _copy_one(name: str, source: int, target: tuple[str, ...], root: int) -> None:
    fd = os.open(name, _A_FILE, dir_fd=source)
    with open(fd, "rb", buffering=0) as old, _inner(root, target[:-1], make=True) as folder:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no file any more", name)
        unfinished = f".asyncsweep-{secrets.token_hex(8)}"
        try:
            with open(os.open(unfinished, _NEW, 0o666, dir_fd=folder), "wb", buffering=0) as new:
                while data := old.read(_COPY_BYTES):
                    view = memoryview(data)
                    while view:
                        view = view[new.write(view) :]
            os.replace(unfinished, target[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished, dir_fd=folder)
            raise


@contextmanager
def _inner(above: int, names: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """The folder below an open one that the names lead to, open; with `make` what is missing is made."""
    fd = os.dup(above)
    try:
        for name in names:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=fd)
            below = os.open(name, _A_FOLDER, dir_fd=fd)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _folder(name: str, above: int | None, *, follow: bool = False) -> Iterator[int]:
    fd = os.open(name, _A_FOLDER & ~os.O_NOFOLLOW if follow else _A_FOLDER, dir_fd=above)
    try:
        yield fd
    finally:
        os.close(fd)
