"""Who has an attempt that waits at a busy worker: the worker, which begins it, or the controller, which takes it back.

Each such attempt has a place, a number of its own, and whoever locks the byte of that number in a file that both have open has the
attempt, for good. So it is taken back at once, also from a worker that has not read of it yet because its objective hangs, and
nothing has to be asked. A lock goes with its process; who died needs none.

The file has no name and stays empty. Locks on it are those of POSIX, by process: a process that the objective forks has none of them.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterator

# So many places has a worker: more than it can ever use.
_STRETCH = 2**40


class Claims:
    """The attempts that either side has claimed.

    Args:
        fd: The file; it is closed by `close`.
    """

    def __init__(self, fd: int) -> None:
        import fcntl  # not everywhere; where it is not, there are no worker processes either

        self.fd = fd
        self._lock, self._how = fcntl.lockf, fcntl.LOCK_EX | fcntl.LOCK_NB
        self._n_stretches = 0

    def places(self) -> Iterator[int]:
        """Places for one worker, which nobody else gets; the controller's part alone.

        They lie one after another, so that the kernel makes one lock of all that the worker has claimed: it looks at each.
        """
        start = self._n_stretches * _STRETCH
        self._n_stretches += 1
        return iter(range(start, start + _STRETCH))

    def take(self, place: int) -> bool:
        """Claim an attempt; False when the other side has it."""
        try:
            self._lock(self.fd, self._how, 1, place)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise
        return True

    def close(self) -> None:
        os.close(self.fd)


def new_claims() -> Claims | None:
    """A file of claims; None where there can be none now."""
    try:
        if sys.platform == "linux":
            return Claims(os.memfd_create("asyncsweep-claims", os.MFD_CLOEXEC))
        with tempfile.TemporaryFile() as file:
            return Claims(os.dup(file.fileno()))
    except OSError:  # no file descriptor or no space is left: then nothing waits at busy workers
        return None
