"""The private folder where the sockets of running sweeps are, and the file in a sweep's directory that names its socket.

The path of a socket is short by necessity: 107 bytes on Linux, 103 on macOS. So it is not in the sweep's directory, but in
`$XDG_RUNTIME_DIR/asyncsweep` or, where that does not serve, in `/tmp/asyncsweep-UID`. The folder is ours, no symbolic link, and
nobody else can look into it; a folder that is not so is never used, neither to listen nor to connect.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import stat
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from asyncsweep import __version__

# In a sweep's directory; who deletes a sweep knows it by this name.
CONTROL = "control"

SOCKET_PATH_LIMIT_BYTES = 107 if sys.platform == "linux" else 103

_ENDING = ".sock"
_LONGEST_NAME_BYTES = 30
_LARGEST_FILE_BYTES = 4096
# A socket that was just made may not listen yet.
_LEFT_AFTER_S = 60.0
_MOST_LEFT = 1000


class Notice(NamedTuple):
    """What a sweep's control file says.

    Attributes:
        socket: The path of the socket.
        pid: The process that made it.
        version: Of asyncsweep there.
    """

    socket: str
    pid: int
    version: str


def folder() -> str:
    """The folder for new sockets, made when it is not there.

    Raises:
        OSError: There is none that is private and short enough.
    """
    faults = []
    for path in _candidates():
        try:
            _check_length(path)
            with suppress(FileExistsError):
                os.mkdir(path, 0o700)
                os.chmod(path, 0o700)
            check_private(path)
            return path
        except OSError as error:
            faults.append(error)
    raise OSError("; ".join(map(str, faults)))


def check_private(path: str) -> None:
    """See that a folder is ours, and nobody else's to look into.

    Raises:
        OSError: It is not.
    """
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(f"{path} is no folder, or a symbolic link: remove it")
    if status.st_uid != os.getuid():
        raise PermissionError(f"{path} is the user {status.st_uid}'s, not ours")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise PermissionError(f"{path} can be opened by others: chmod 700 it")


def is_ours(path: str) -> bool:
    """Whether a path can be that of a sweep's socket: one of our folders has it, and it is a socket of ours."""
    above, name = os.path.split(path)
    if above not in _candidates(every=True) or not name.endswith(_ENDING) or not _is_short(path):
        return False
    try:
        check_private(above)
        status = os.lstat(path)
    except (OSError, ValueError):
        return False
    return stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid()


def new_path(within: str) -> str:
    """A path for a new socket, which nobody has."""
    return os.path.join(within, f"{os.getpid()}-{secrets.token_hex(6)}{_ENDING}")


def remove_left(within: str) -> None:
    """Remove the sockets of processes that were killed: those to which nobody listens."""
    with suppress(OSError), os.scandir(within) as entries:
        for entry, _ in zip(entries, range(_MOST_LEFT), strict=False):
            with suppress(OSError):
                is_old = time.time() - entry.stat(follow_symlinks=False).st_mtime > _LEFT_AFTER_S
                if entry.name.endswith(_ENDING) and is_old and not _is_heard(entry.path):
                    os.unlink(entry.path)


def user_of(sock: socket.socket) -> int | None:
    """Who is at the other end of a Unix socket; None where the system does not tell."""
    if sys.platform == "linux":
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
        return int(struct.unpack("iII", credentials)[1])
    if sys.platform == "darwin":
        # struct xucred at level SOL_LOCAL (0), option LOCAL_PEERCRED (1): a version, the user, and groups.
        return int(struct.unpack_from("II", sock.getsockopt(0, 1, 76))[1])
    return None


def write_notice(directory: Path, path: str) -> None:
    """Say in a sweep's directory where its socket is, in one step.

    Raises:
        OSError: It cannot be written.
    """
    new = directory / f".{CONTROL}-{secrets.token_hex(6)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(new, flags, 0o600), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump(Notice(path, os.getpid(), __version__)._asdict(), file)
        os.replace(new, directory / CONTROL)
    except BaseException:
        with suppress(OSError):
            os.unlink(new)
        raise


def remove_notice(directory: Path, path: str) -> None:
    """Remove the control file, if it still names this socket."""
    with suppress(OSError, ValueError):
        if read_notice(directory).socket == path:
            os.unlink(directory / CONTROL)


def read_notice(directory: Path) -> Notice:
    """What the control file in a directory says.

    Raises:
        FileNotFoundError: There is none.
        OSError: It cannot be read, or is somebody else's.
        ValueError: It is no control file.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(directory / CONTROL, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
            raise PermissionError(f"{directory / CONTROL} is not a file of ours")
        content: Any = json.loads(file.read(_LARGEST_FILE_BYTES))
    fields: list[Any] = [content.get(name) for name in Notice._fields] if isinstance(content, dict) else []
    if [type(field) for field in fields] != [str, int, str]:
        raise ValueError(f"{directory / CONTROL} is no control file")
    return Notice(*fields)


def identity_of(directory: Path) -> list[int]:
    """What tells a directory from all others of this host, whatever it is called."""
    status = os.stat(directory)
    return [status.st_dev, status.st_ino]


def _candidates(*, every: bool = False) -> list[str]:
    """Where sockets can be, the best place first; with `every` also where another environment of ours would have put them."""
    uid = os.getuid()
    found = [os.environ.get("XDG_RUNTIME_DIR", "")]
    if every:
        found.append(f"/run/user/{uid}")
    paths = [os.path.join(path, "asyncsweep") for path in found if os.path.isabs(path) and _is_private(path)]
    return [*paths, f"/tmp/asyncsweep-{uid}"]


def _is_private(path: str) -> bool:
    try:
        check_private(path)
    except (OSError, ValueError):
        return False
    return True


def _check_length(within: str) -> None:
    if not _is_short(os.path.join(within, "x" * _LONGEST_NAME_BYTES)):
        raise OSError(f"{within} is too long for the path of a socket, of at most {SOCKET_PATH_LIMIT_BYTES} bytes")


def _is_short(path: str) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_LIMIT_BYTES


def _is_heard(path: str) -> bool:
    """Whether anybody listens to a socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        try:
            sock.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True
