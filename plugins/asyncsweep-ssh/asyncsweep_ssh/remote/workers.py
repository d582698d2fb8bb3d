"""The worker processes of a host, as the agent starts, hears and ends them.

What the agent does here for a machine that SSH reaches, `asyncsweep.link.child` does for this one; that rests on anyio, which no host
has to have.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence

from asyncsweep.worker.capture import Capture
from asyncsweep.worker.tree import FORCE, MARK, end_marked
from asyncsweep_ssh.remote.printed import Printed
from asyncsweep_ssh.remote.splitting import Splitter

# Run by `python -c`: as `python -m` would, but so that no module of the folder that a worker begins in is taken for one of Python's.
_BEGIN = "import sys; sys.path[:1] = sys.argv.pop(1).split(chr(10)); import runpy; runpy._run_module_as_main(sys.argv.pop(1))"
_UNSENT_BYTES = 1 << 24
_NEW = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class RemoteJob:
    """An attempt that a worker has, or is to have."""

    def __init__(self, secret: int, trial: int, attempt: int) -> None:
        self.secret = secret
        self.trial = trial
        self.attempt = attempt


class Worker:
    """A worker process and the talk with it.

    Attributes:
        name: As the controller calls it; "" for one that was started before it was asked for.
        sock: Our end of its link.
        jobs: Its attempts by their secrets, in the order in which they came.
        held: What it said behind the end of an attempt whose files are on their way; None when nothing is.
        held_bytes: The size of that.
        printed: What of its output was shown already.
        lost_job: The attempt that it died in, while its files wait for those of another one.
        is_deaf: True once nothing more is heard of it.
        is_over: True once its end was seen.
        ended: How it ended; "" while it lives.
    """

    def __init__(
        self,
        name: str,
        folder: str,
        path: Sequence[str],
        cwd: str,
        environment: Mapping[str, str],
        fds: Sequence[int] = (),
    ) -> None:
        """Start it.

        Raises:
            OSError: It cannot be started.
        """
        self.name = name
        self.jobs: dict[int, RemoteJob] = {}
        self.held: deque[tuple[bytes, int | None]] | None = None
        self.held_bytes = 0
        self.lost_job: RemoteJob | None = None
        self.is_deaf = False
        self.is_over = False
        self.ended = ""
        self.splitter = Splitter()
        self._mark = secrets.token_hex(8)
        self._unsent = bytearray()
        self._output = os.path.join(folder, f"output-{secrets.token_hex(8)}")
        self.output = os.open(self._output, _NEW, 0o600)
        self.printed = Printed(self.output)
        self.sock, theirs = socket.socketpair()
        fd = str(theirs.fileno())
        arguments = ["asyncsweep.worker", fd]
        if sys.platform == "linux":
            arguments = ["asyncsweep.worker.guard", "asyncsweep.worker", fd, str(os.getpid())]
        marks = ":".join(filter(None, [environment.get(MARK), self._mark]))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN, "\n".join(path), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=self.output,
                stderr=self.output,
                pass_fds=(theirs.fileno(), *fds),
                start_new_session=True,
                cwd=cwd,
                env={**environment, MARK: marks},
            )
        except BaseException:
            self.sock.close()
            self._close_output()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid
        self.sock.setblocking(False)

    def send(self, data: bytes) -> None:
        """Send it bytes; they wait where it is busy, and nothing happens once it is gone."""
        self._unsent += data
        if len(self._unsent) > _UNSENT_BYTES and len(data) < _UNSENT_BYTES:
            self.signal("KILL")  # it takes nothing, and so answers nothing
        self.send_more()

    def send_more(self) -> None:
        """Send what waits, as far as it goes."""
        while self._unsent:
            try:
                sent = self.sock.send(self._unsent)
            except BlockingIOError:
                return
            except OSError:
                self._unsent.clear()
                return
            del self._unsent[:sent]

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def signal(self, name: str) -> None:
        """Tell it to end ("TERM"), or end it by force with all that it started ("KILL")."""
        if self._process.returncode is not None:
            return
        try:
            if sys.platform != "linux":
                os.killpg(self.pid, signal.SIGKILL if name == "KILL" else signal.SIGTERM)
            elif name == "KILL":
                os.kill(self.pid, signal.Signals[FORCE])
                os.kill(self.pid, signal.SIGCONT)
            else:
                os.kill(self.pid, signal.SIGTERM)
        except (ProcessLookupError, PermissionError):
            return

    def has_ended(self) -> bool:
        """Whether the process has ended; then it is reaped, and `ended` says how."""
        if self.ended:
            return True
        code = self._process.poll()
        if code is None:
            return False
        if code < 0:  # its guard may have been killed before it could do its work
            end_marked(self._mark)
        if sys.platform != "linux":
            self._end_group()
        self.ended = _how(code)
        return True

    def collect(self, path: str | None, limit_bytes: int) -> None:
        """Make a log of what the process printed last, and did not collect itself.

        Raises:
            OSError: It cannot be written; the output is lost.
        """
        Capture(self.output, limit_bytes, path).collect()

    def close(self) -> None:
        """Give back what it took here."""
        self.sock.close()
        self._close_output()

    def _end_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def _close_output(self) -> None:
        os.close(self.output)
        try:
            os.unlink(self._output)
        except FileNotFoundError:
            return


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
