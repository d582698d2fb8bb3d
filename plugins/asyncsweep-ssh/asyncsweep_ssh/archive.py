"""What travels to a host: the worker and what it needs, as one zip; the same bytes for the same files."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import threading
import zipfile
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

# Of asyncsweep: what a worker is, what runs beside training code, and domains, which a module may have next to its objective.
_OURS = (
    "__init__.py",
    "errors.py",
    "wire",
    "worker",
    "space",
    "integrations",
    "testing/__init__.py",
    "testing/objectives.py",
)
_OF_PLUGIN = ("__init__.py", "frames.py", "remote")
_MAKING = threading.Lock()
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Archive(NamedTuple):
    """A zip and the SHA-256 of it, in hexadecimal digits."""

    data: bytes
    digest: str


def worker_archive() -> Archive:
    """The worker. Made once in a process, however many threads ask; reads some eighty files."""
    with _MAKING:
        return _worker_archive()


@functools.cache
def _worker_archive() -> Archive:
    entries: list[tuple[str, bytes]] = []
    for package, below, names in (
        ("asyncsweep", "", _OURS),
        ("asyncsweep_ssh", "", _OF_PLUGIN),
        ("msgpack", "with_msgpack/", (".",)),
        ("cloudpickle", "with_cloudpickle/", (".",)),
    ):
        folder = _folder_of(package)
        for name in names:
            entries += [
                (f"{below}{package}/{path.relative_to(folder).as_posix()}", path.read_bytes())
                for path in _sources(folder / name)
            ]
    return packed(entries)


# No line breaks and no quotes of its own: every login shell takes it, csh too.
LAUNCHER = "import sys;sys.path[:1]=[];import base64,zlib;exec(zlib.decompress(base64.b64decode(sys.argv[1])))"


@functools.cache
def first_code() -> str:
    """The program that a host's Python is given, for `LAUNCHER`."""
    source = (Path(__file__).parent / "remote" / "stage0.txt").read_bytes()
    return base64.b64encode(zlib.compress(source, 9)).decode()


def packed(entries: list[tuple[str, bytes]], executables: frozenset[str] = frozenset()) -> Archive:
    """A zip of files, by names and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in sorted(entries):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = (0o100700 if name in executables else 0o100600) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    data = buffer.getvalue()
    return Archive(data, hashlib.sha256(data).hexdigest())


def _folder_of(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations, package  # it is among our requirements
    return Path(next(iter(spec.submodule_search_locations)))


def _sources(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for inner in sorted(path.rglob("*")):
        if inner.suffix in (".py", ".txt", ".typed") and "__pycache__" not in inner.parts:
            yield inner
