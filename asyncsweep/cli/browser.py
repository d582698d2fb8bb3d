"""The user's browser, sent to a viewer whose link is a secret.

A browser is told on its command line what to open, and there every user of the computer can read it. So it is told the path of a file that
only this user can read, in the private folder that sockets are in; and the file, which goes with the viewer, has the link. Nothing is waited
for: which browser there is, and whether it starts, is found out by a process of its own that has no terminal to take.
"""

from __future__ import annotations

import html
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from asyncsweep.cli.group import aside
from asyncsweep.journal.files import reason
from asyncsweep.steering import runtime

# Left by viewers that were killed: nobody can come in by them any more.
_LEFT_AFTER_S = 86400.0

_PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={url}">
<title>asyncsweep</title>
<a href="{url}">To the sweep</a>
"""


@contextmanager
def opened(url: str, wanted: bool | None) -> Iterator[None]:
    """Open a link in a browser; what is needed for that is removed when the context is left.

    Args:
        url: The link.
        wanted: None: where somebody is at a terminal of a computer with a display.
    """
    path: Path | None = None
    if wanted or (wanted is None and is_likely_seen()):
        try:
            path = _written(url)
            _open(path.as_uri())
        except OSError as error:
            aside(f"note: no browser was opened: {reason(error)}")
    try:
        yield
    finally:
        if path is not None:
            with suppress(OSError):
                path.unlink()


def is_likely_seen() -> bool:
    """Whether a browser that is opened here appears before the user."""
    if sys.stderr is None or not sys.stderr.isatty() or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _written(url: str) -> Path:
    folder = Path(runtime.folder())
    for left in folder.glob("view-*.html"):
        with suppress(OSError):
            if time.time() - left.lstat().st_mtime > _LEFT_AFTER_S:
                left.unlink()
    path = folder / f"view-{secrets.token_hex(6)}.html"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(_PAGE.format(url=html.escape(url)))
    return path


def _open(address: str) -> None:
    # Isolated: a module of this name in the current folder is somebody else's.
    subprocess.Popen(
        [sys.executable, "-I", "-m", "webbrowser", address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
