"""The files that a browser gets: the page's own, and the two libraries that it draws with, read from their installed wheels.

Which there are is decided when a server begins; a request names one of them or nothing, and no path is ever made of what it says.
They hold no data, so whoever reaches the server may have them.

HiPlot is given to the browser unmodified, and the page reaches into it: one version of it is known to work, and its bundle is the
one of that version's release, by its hash. Nothing of these packages is imported.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import threading
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import anyio.to_thread

from asyncsweep.errors import ConfigError

HIPLOT_VERSION = "0.1.33"
HIPLOT_SHA256 = "2be25d300ac50b070c331f1f02fd8c50fd74bee64da1a5234694c7b80fdc97ef"

# Where a library is in its package, by the path under which the page asks for it.
LIBRARIES = {
    "assets/hiplot.bundle.js": ("hiplot", "static/built/hiplot.bundle.js"),
    "assets/plotly.min.js": ("plotly", "package_data/plotly.min.js"),
}
PAGE = Path(__file__).parent / "page"
INDEX = "index.html"

# What the page consists of; the types are not the system's, which may call a script a text.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_PACKED_ALREADY = {"image/png"}
_LEAST_WORTH_PACKING_BYTES = 1000
_INSTALL = 'pip install "asyncsweep[viewer]"'


class Asset:
    """One file, as it is and, once somebody wants it so, compressed.

    Attributes:
        type: Its `Content-Type`.
        content: Its bytes.
        etag: Tells its content from others, without quotes.
    """

    def __init__(self, content: bytes, type: str) -> None:
        self.type = type
        self.content = content
        self.etag = hashlib.sha256(content).hexdigest()[:32]
        self._packed: bytes | None = None
        self._packing = threading.Lock()

    async def packed(self) -> bytes | None:
        """Its bytes compressed with gzip; None where that gains nothing. Compressed once, in a thread."""
        if self.type in _PACKED_ALREADY or len(self.content) < _LEAST_WORTH_PACKING_BYTES:
            return None
        return self._packed or await anyio.to_thread.run_sync(self._pack)

    def _pack(self) -> bytes:
        with self._packing:
            if self._packed is None:
                self._packed = gzip.compress(self.content, 6, mtime=0)
            return self._packed


def assets() -> Mapping[str, Asset]:
    """All that there is, by the path below the viewer's base: "" is the page. Reads files: call it in a thread, or before all.

    Raises:
        ConfigError: A library is not installed, or is another one than the page was made for.
    """
    found = {
        file.relative_to(PAGE).as_posix(): Asset(file.read_bytes(), _TYPES[file.suffix])
        for file in sorted(PAGE.rglob("*"))
        if file.suffix in _TYPES and file.is_file()
    }
    found |= {path: _library(*place) for path, place in LIBRARIES.items()}
    if INDEX in found:
        found[""] = found[INDEX]
    return found


def library(path: str) -> str:
    """The text of a library, for a page that has it inside; `path` is one of `LIBRARIES`.

    Raises:
        ConfigError: As of `assets`.
    """
    return _library(*LIBRARIES[path]).content.decode()


def check_installed(package: str) -> None:
    """Whether a package that the viewer needs is there.

    Raises:
        ConfigError: It is not.
    """
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"the viewer needs {package}: {_INSTALL}")


@cache
def _library(package: str, place: str) -> Asset:
    """A file of an installed package: the same for all servers of this process."""
    check_installed(package)
    spec = importlib.util.find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    file = next((file for folder in folders if (file := Path(folder, place)).is_file()), None)
    if file is None:
        raise ConfigError(f"{package} as it is installed has no {place}: {_INSTALL} --force-reinstall")
    content = file.read_bytes()
    if package == "hiplot":
        _check_hiplot(content, metadata.version(package))
    return Asset(content, _TYPES[file.suffix])


def _check_hiplot(bundle: bytes, version: str) -> None:
    if version != HIPLOT_VERSION:
        raise ConfigError(f"hiplot {version} is installed, and the page works with {HIPLOT_VERSION}: {_INSTALL}")
    if hashlib.sha256(bundle).hexdigest() != HIPLOT_SHA256:
        raise ConfigError(
            f"the bundle of hiplot {version} is not the one of its release; install it again: "
            f"pip install --force-reinstall --no-deps hiplot=={HIPLOT_VERSION}"
        )
