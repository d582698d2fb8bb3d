"""The key of this user, with which records are signed: who has it may name programs that `asyncsweep resume` runs.

It is made on first use, in the user's own configuration folder, and readable by nobody else.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_BYTES = 32


class NoKey(Exception):
    """There is no key that can be used; the text says why."""


def key_path() -> Path:
    """Where the key is."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(home) if os.path.isabs(home) else Path("~/.config").expanduser()
    return folder / "asyncsweep" / "key"


def signature(data: bytes, *, make: bool) -> str:
    """The HMAC-SHA256 of the data, in hexadecimal digits.

    Args:
        data: What is signed.
        make: Make a key where there is none.

    Raises:
        NoKey: There is none, or others could have read it.
    """
    return hmac.new(_key(make), data, hashlib.sha256).hexdigest()


def is_signed(data: bytes, claimed: str) -> bool:
    """Whether this user signed the data.

    Raises:
        NoKey: There is no key, or others could have read it.
    """
    return hmac.compare_digest(signature(data, make=False).encode(), claimed.encode("utf-8", "replace"))


def _key(make: bool) -> bytes:
    try:
        path = key_path()
        if make and not os.path.lexists(path):
            _make(path)
        return _read(path)
    except FileNotFoundError:
        raise NoKey(f"there is no key {path}") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody knows where home is
        raise NoKey(f"the key cannot be kept: {error}") from error


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise NoKey(f"{path} must be a file of your own that nobody else can read: chmod 600 it, or delete it")
        key = os.read(fd, _BYTES + 1)
    finally:
        os.close(fd)
    if len(key) != _BYTES:
        raise NoKey(f"{path} is no key of {_BYTES} bytes; delete it, and a new one is made")
    return key


def _make(path: Path) -> None:
    """Make the key; of two processes that do so at once, one has its key there and the other takes that."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    unfinished = path.with_name(f"key-{secrets.token_hex(8)}")
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.fchmod(fd, 0o600)
            os.write(fd, secrets.token_bytes(_BYTES))
            os.fsync(fd)
        finally:
            os.close(fd)
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        unfinished.unlink()
