"""The parent of the agent: sees that nothing is left on the host, however the agent ends.

It forks before anything else is imported, takes in what loses its parent below it (it is the *subreaper*), waits for the agent, ends
by force what is left, and removes the folder. It is told nothing and says nothing. Should it be killed itself, the agent hears of it
and does the same. Where both were killed at once, the next connection to the host removes the folder: nobody holds its lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import sys
import time
import zipfile
from pathlib import PurePosixPath

PREFIX = "asyncsweep-ssh-"
# A folder without a lock that is younger than this may be about to be locked.
_YOUNG_S = 600.0
_LOOK_AGAIN_S = 0.02
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_HANDED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PARENT_ENDED = signal.SIGUSR2


def main(folder: str, lock: int, mark: str) -> int:
    """Fork: the child is the agent, the parent keeps the folder. Gives the parent's exit code; the child does not return.

    Args:
        folder: Ours alone.
        lock: Its lock, held.
        mark: What the controller looks for in our output.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, (*_HANDED_ON, signal.SIGCHLD))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    keeper = os.getpid()
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    agent = os.fork()
    if agent:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):  # the channel is the agent's: when that ends, it closes
            os.dup2(nowhere, fd)
        name_process(b"asyncsweep-keep")
        return _keep(agent, folder)
    code = 70
    try:
        prctl(_PR_SET_PDEATHSIG, int(PARENT_ENDED))
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
        name_process(b"asyncsweep-host")
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        path = _path_of(os.path.join(folder, "lib"))
        from asyncsweep_ssh.remote import agent as agents

        code = agents.main(folder, path, mark, keeper)
        if os.getppid() != keeper:
            remove(folder)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def unpack(path: str, folder: str, limit_bytes: int = 2**31) -> None:
    """Unpack a zip into a new folder: plain files, below it, and nothing else.

    Raises:
        ValueError: It has something else in it.
        OSError: It cannot be written.
    """
    os.mkdir(folder, 0o700)
    with zipfile.ZipFile(path) as archive:
        left = limit_bytes
        for entry in archive.infolist():
            parts = PurePosixPath(entry.filename).parts
            mode = entry.external_attr >> 16
            left -= entry.file_size
            if (
                not parts
                or entry.filename != "/".join(parts)
                or ".." in parts
                or parts[0] == "/"
                or "\0" in entry.filename
                or stat.S_IFMT(mode) not in (0, stat.S_IFREG)
                or left < 0
            ):
                raise ValueError(f"a name or a size that no archive of ours has: {entry.filename!r}")
            above = os.path.join(folder, *parts[:-1])
            os.makedirs(above, 0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            fd = os.open(os.path.join(above, parts[-1]), flags, 0o700 if mode & 0o100 else 0o600)
            with open(fd, "wb") as file, archive.open(entry) as packed:
                shutil.copyfileobj(packed, file, 1 << 20)


def remove(folder: str) -> None:
    """Remove a folder with everything in it, also what a trial has made unwritable."""

    def again(_function: object, path: str, _error: object) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(path), 0o700)
            if os.path.islink(path) or not os.path.isdir(path):
                os.unlink(path)
            else:
                os.chmod(path, 0o700)

    for _ in range(3):
        if sys.version_info >= (3, 12):
            shutil.rmtree(folder, onexc=again)
        else:
            shutil.rmtree(folder, onerror=again)
        if not os.path.lexists(folder):
            return


def remove_left(above: str) -> None:
    """Remove the folders of earlier connections that nobody holds any more: host and keeper were killed at once."""
    try:
        names = [name for name in os.listdir(above) if name.startswith(PREFIX)]
    except OSError:
        return
    for name in names:
        folder = os.path.join(above, name)
        with contextlib.suppress(OSError):
            status = os.lstat(folder)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            try:
                lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_NOFOLLOW)
            except FileNotFoundError:
                if time.time() - status.st_mtime > _YOUNG_S:
                    remove(folder)
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(folder)
            finally:
                os.close(lock)


def _path_of(lib: str) -> list[str]:
    """Where to find what came with us. The host's own msgpack is quicker than ours, if it is recent and compiled."""
    own = [lib, os.path.join(lib, "with_cloudpickle")]
    try:
        import msgpack

        if msgpack.version >= (1, 0, 8) and msgpack.Packer.__module__ != "msgpack.fallback":
            return own
    except Exception:  # it is not there, or is broken in a way of its own
        own = own[:]
    for name in [name for name in sys.modules if name.partition(".")[0] == "msgpack"]:
        del sys.modules[name]
    sys.path.insert(1, os.path.join(lib, "with_msgpack"))
    return [*own, os.path.join(lib, "with_msgpack")]


def prctl(option: int, value: int) -> None:
    """Linux alone has it; elsewhere nothing happens."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value)


def name_process(name: bytes) -> None:
    """What `ps` calls this process."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_NAME, name)


def _keep(agent: int, folder: str) -> int:
    code = 71
    try:
        code = _wait(agent)
        _end_all()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        remove(folder)
    return code


def _wait(agent: int) -> int:
    while True:
        heard = signal.sigwait((*_HANDED_ON, signal.SIGCHLD))
        if heard in _HANDED_ON:
            with contextlib.suppress(ProcessLookupError):
                os.kill(agent, signal.SIGTERM)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 72
            if pid == agent:
                return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
            if not pid:
                break


def _end_all() -> None:
    """End by force everything below us. The guards of workers do it too, as soon as the agent is gone."""
    from asyncsweep.worker import tree

    if sys.platform != "linux" or not tree.is_visible():
        return
    until = time.monotonic() + tree.END_S
    while time.monotonic() < until:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        tree.end(os.getpid())
        signal.sigtimedwait((signal.SIGCHLD,), _LOOK_AGAIN_S)
