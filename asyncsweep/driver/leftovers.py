"""What workers had printed when the sweep's process was killed: it becomes the logs of the attempts that were cut short.

The output of a worker is in a file that bears its name (`worker.capture`), until the worker has ended and its process has been
seen to end. After a `kill -9` or a power cut such files are left. The journal knows which attempt was at work in which worker:
each was launched only after that was written. Of a file that nobody's attempt printed into nothing is kept. Everything is reached
from the open directory, and no symbolic link is followed: one in the place of such a file is removed itself.

Call it before new workers start, for they have the same names again. Nothing here fails a sweep.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from asyncsweep.core.records import TrialRecord
from asyncsweep.executors import worker
from asyncsweep.hooks.contracts import JobId
from asyncsweep.worker.capture import worker_of, write_log

# So much of a log tells whether it was made of the same output.
_COMPARED_BYTES = 4096
_MASK = ord("*")
_A_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_A_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

log = logging.getLogger("asyncsweep")


def cut_short(trials: Iterable[TrialRecord]) -> dict[str, JobId]:
    """The attempts that had not ended when the journal did, by the worker of each."""
    return {
        trial.worker: JobId(trial.number, trial.attempt)
        for trial in trials
        if trial.worker is not None and not trial.is_final
    }


def collect(directory: Path, attempts: Mapping[str, JobId]) -> None:
    """Make logs of what is left, and remove it. What no log can be made of stays, and is told.

    Args:
        directory: The sweep's, which no process but this one is at work in.
        attempts: As from `cut_short`.
    """
    try:
        folder = os.open(directory, _A_FOLDER)
    except OSError as error:
        log.warning("what trials printed before the sweep's process ended cannot be looked for: %s", error)
        return
    try:
        for name in os.listdir(folder):
            found = worker_of(name)
            if found is not None:
                _collect_one(directory, folder, name, attempts.get(found))
    except OSError as error:
        log.warning("what trials printed before the sweep's process ended cannot be looked for: %s", error)
    finally:
        os.close(folder)


def _collect_one(directory: Path, folder: int, name: str, job: JobId | None) -> None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            return  # somebody else's
        if stat.S_ISREG(status.st_mode) and status.st_size and job is not None:
            _keep(folder, name, f"{directory}/trials/{job.trial}/attempt-{job.attempt}.log")
        os.unlink(name, dir_fd=folder)
    except OSError as error:
        what = "is left" if job is None else f"cannot be made the log of trial {job.trial}, attempt {job.attempt}"
        log.warning("%s %s: %s", directory / name, what, error)


def _keep(folder: int, name: str, path: str) -> None:
    fd = os.open(name, _A_FILE, dir_fd=folder)
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode) and not _is_of_others(fd, path):
            write_log(fd, worker.LOG_LIMIT_BYTES, path)
    finally:
        os.close(fd)


def _is_of_others(fd: int, path: str) -> bool:
    """Whether the attempt's log was written by its worker, and what is in the output file came after that.

    That is so when the attempt had ended, but not yet in the journal. A log that the worker was writing begins as the output does,
    but for secrets.
    """
    try:
        kept = os.open(path, _A_FILE)
    except FileNotFoundError:
        return False
    try:
        begins = os.pread(kept, _COMPARED_BYTES, 0)
    finally:
        os.close(kept)
    ours = os.pread(fd, len(begins), 0)
    return len(ours) < len(begins) or any(a != b and a != _MASK for a, b in zip(begins, ours, strict=True))
