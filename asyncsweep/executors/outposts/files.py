"""What a trial printed and saved at an outpost: found there, carried in parts, and kept here.

Where the sweep's directory is on a disk that both have, artifacts and checkpoints are made in their place, and a log is copied
there. Elsewhere they are made in a folder of the outpost's own, and travel when the attempt ends. A checkpoint does not travel: the
next attempt may be anywhere.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress

from asyncsweep.executors.outposts.messages import Artifact, Log, Message, Unkept
from asyncsweep.worker.artifacts import is_unfinished, safe_name
from asyncsweep.worker.folders import ARTIFACTS, make

PART_BYTES = 1 << 19
_WRITES = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Sender:
    """The outpost's part.

    Args:
        scratch: The outpost's own folder.
        folders: The folder of the trials' folders, if it is shared; else "".
        artifacts_limit_bytes: The most that the artifacts of an attempt may have together when they travel.

    Attributes:
        folders: Where trials find their folders.
    """

    def __init__(self, scratch: str, folders: str, artifacts_limit_bytes: int) -> None:
        self._logs = os.path.join(scratch, "trials")  # where a `ProcessExecutor` puts them
        self._limit_bytes = artifacts_limit_bytes
        self._is_shared = bool(folders)
        self.folders = folders or self._logs

    def of_attempt(self, trial: int, attempt: int, *, is_final: bool) -> Iterator[Message]:
        """What an attempt that has ended leaves; all but a shared folder is empty then.

        Args:
            trial: The trial.
            attempt: Its attempt.
            is_final: Whether there cannot be another attempt, which would want its checkpoint.
        """
        log = os.path.join(self._logs, str(trial), f"attempt-{attempt}.log")
        artifacts = os.path.join(self._logs, str(trial), ARTIFACTS)
        try:
            if os.path.exists(log):
                yield from self._log(trial, attempt, log)
            if not self._is_shared and os.path.isdir(artifacts):
                yield from self._artifacts(trial, attempt, artifacts)
        except OSError as error:
            yield Unkept(trial, attempt, f"{error.filename or log}: {error.strerror or error}")
        finally:
            with suppress(OSError):
                os.unlink(log)
            shutil.rmtree(artifacts, ignore_errors=True)
            if is_final:
                shutil.rmtree(os.path.join(self._logs, str(trial)), ignore_errors=True)

    def has_files(self, trial: int) -> bool:
        """Whether a trial has anything here; it costs one look at the disk."""
        return os.path.exists(os.path.join(self._logs, str(trial)))

    def _log(self, trial: int, attempt: int, log: str) -> Iterator[Message]:
        if self._is_shared:
            target = os.open(os.path.join(make(self.folders, str(trial)), os.path.basename(log)), _WRITES, 0o600)
            with open(log, "rb") as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy)
            return
        for number, part in enumerate(_parts(log)):
            yield Log(trial, attempt, part, number == 0)

    def _artifacts(self, trial: int, attempt: int, root: str) -> Iterator[Message]:
        left = self._limit_bytes
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                path = os.path.join(folder, name)
                shown = os.path.relpath(path, root)
                if is_unfinished(shown.split(os.sep)[0]) or os.path.islink(path):
                    continue
                size = os.path.getsize(path)
                if size > left:
                    yield Unkept(trial, attempt, f"artifact {shown!r}: {size} bytes, and {left} are left of the limit")
                    continue
                left -= size
                for number, part in enumerate(_parts(path)):
                    yield Artifact(trial, attempt, shown, part, number == 0)


def _parts(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        yield file.read(PART_BYTES)
        while part := file.read(PART_BYTES):
            yield part


def keep(folders: str, part: Log | Artifact) -> None:
    """The sweep's part: put what arrived into the trial's folder.

    Raises:
        OSError: It cannot be written, or a symbolic link is in its place.
        ValueError: It has a name that no artifact has.
    """
    if isinstance(part, Log):
        path = os.path.join(make(folders, str(part.trial)), f"attempt-{part.attempt}.log")
    else:
        if safe_name(part.name) != part.name:
            raise ValueError(f"{part.name!r} is no name of an artifact")
        # A name that is safe already has none that leads elsewhere.
        path = os.path.join(
            make(folders, str(part.trial), ARTIFACTS, *part.name.split("/")[:-1]), part.name.split("/")[-1]
        )
    fd = os.open(path, _WRITES | (os.O_TRUNC if part.is_first else os.O_APPEND), 0o600)
    with open(fd, "wb") as file:
        file.write(part.data)
