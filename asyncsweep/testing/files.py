"""Files in memory, for journals in tests and simulations: they lose power, fail on demand, and count what is done with them.

    files = MemoryFiles()
    journal = create(Path("/sweep"), files)
    ...
    after = files.crash(random.Random(7))      # the disk after a power loss; `files` itself stays as it is
    journal, events = resume(Path("/sweep"), after)

The model of a power loss. What was synced is there. A file that was written, cut or grew since its last sync is looked at in
blocks: each block is as it was at the sync, or at some moment after it, whatever its neighbours are, and the size is that of
some moment too, so that a block may be there, be missing, be torn or be zero. What was made, renamed or removed in a folder
since its last `sync_folder` may, each for itself, have happened or not; a rename is one step. That is more than a file system
does that keeps an order; a journal that withstands it need not know which one it is on.

Nothing here reads a clock or draws numbers of its own: the same calls with the same `Random` give the same disk. There are no
symbolic links, no modes, and no other users. All methods may be called from several threads.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from asyncsweep.errors import JournalError

BLOCK_BYTES = 512

Kind = Literal[
    "make_folder", "remove_folder", "create", "open", "append", "truncate", "sync", "replace", "remove", "sync_folder"
]


class Operation(NamedTuple):
    """Something that was asked of the files.

    Attributes:
        kind: Which method.
        path: Of the file or folder; of a rename, the new name.
        n_bytes: How many bytes an `append` has, or are left after a `truncate`; else 0.
    """

    kind: Kind
    path: Path
    n_bytes: int = 0


class Fault(NamedTuple):
    """A refusal that is planned.

    Attributes:
        nth: Which operation fails, counted from 0 over all files, also over those that failed.
        error: The number of the error, as in `errno`.
        lasts: Whether every later operation fails too. Reading and closing never do.
        is_short: An `append` writes one half before it fails.
    """

    nth: int
    error: int = errno.EIO
    lasts: bool = False
    is_short: bool = False


class MemoryFiles:
    """A file system in memory (see the module), for `asyncsweep.journal`. The folders "/" and "." are there.

    Args:
        fault: What will fail.
        block_bytes: What a disk writes in one piece: of a file, a multiple of it is lost or kept together.

    Attributes:
        fault: As the argument; may be changed at any time.
        operations: What was done, or refused, oldest first.
        on_step: Called with each operation before it happens, and once more amid an `append` of more than a byte, when its
            first half is written. What it raises, the operation raises; what `kill` and `crash` give there is what a process
            that ended just then leaves behind.
        n_open: How many files are open.
    """

    def __init__(self, fault: Fault | None = None, block_bytes: int = BLOCK_BYTES) -> None:
        self.fault = fault
        self.operations: list[Operation] = []
        self.on_step: Callable[[Operation], None] | None = None
        self.n_open = 0
        self._block_bytes = block_bytes
        self._roots = {"/": Folder(), ".": Folder()}
        self._held: set[Path] = set()
        self._lock = threading.RLock()

    def kill(self) -> MemoryFiles:
        """What the process leaves behind when it is killed now: all that was written, and nothing locked or open.

        What was not synced is not durable by that: a power loss that follows can take it.
        """
        with self._lock:
            return self._successor(deepcopy(self._roots))

    def crash(self, random: Random) -> MemoryFiles:
        """What a power loss now leaves behind. What is found there stays, as if it had been synced."""
        with self._lock:
            return self._successor(
                {name: root.crashed(random, self._block_bytes) for name, root in self._roots.items()}
            )

    def content(self, path: Path) -> bytes:
        """The content of a file; `FileNotFoundError` when there is none."""
        with self._lock:
            return bytes(self._file(path).content)

    def put(self, path: Path, content: bytes) -> None:
        """Have a file with this content, all of it durable, in a folder that exists. It counts as no operation."""
        with self._lock:
            folder = self._folder(path.parent)
            folder.entries[path.name] = folder.durable[path.name] = Content(content)

    def names(self, path: Path) -> list[str]:
        """What a folder holds, sorted."""
        with self._lock:
            return sorted(self._folder(path).entries)

    # -- what `Files` asks for ----------------------------------------------------------------------------------------

    def exists(self, path: Path) -> bool:
        with self._lock:
            return self._node(path) is not None

    def is_folder(self, path: Path) -> bool:
        with self._lock:
            return isinstance(self._node(path), Folder)

    def make_folder(self, path: Path) -> None:
        with self._lock:
            self._begin(Operation("make_folder", path))
            self._new(path, Folder())

    def remove_folder(self, path: Path) -> None:
        with self._lock:
            self._begin(Operation("remove_folder", path))
            if self._folder(path).entries:
                raise _refused(errno.ENOTEMPTY)
            self._folder(path.parent).change(Change(path.name, None))

    def create(self, path: Path) -> MemoryFile:
        with self._lock:
            self._begin(Operation("create", path))
            file = Content()
            self._new(path, file)
            return self._opened(path, file, writing=True)

    def open(self, path: Path, *, writing: bool) -> MemoryFile:
        with self._lock:
            self._begin(Operation("open", path))
            return self._opened(path, self._file(path), writing)

    def replace(self, source: Path, target: Path) -> None:
        with self._lock:
            self._begin(Operation("replace", target))
            if source.parent != target.parent:
                raise _refused(errno.EXDEV)
            self._folder(target.parent).change(Change(target.name, self._file(source), instead_of=source.name))

    def remove(self, path: Path) -> None:
        with self._lock:
            self._begin(Operation("remove", path))
            self._file(path)
            self._folder(path.parent).change(Change(path.name, None))

    def sync_folder(self, path: Path) -> None:
        with self._lock:
            self._begin(Operation("sync_folder", path))
            self._folder(path).sync()

    def lock(self, folder: Path) -> MemoryHeld:
        with self._lock:
            self._folder(folder)
            if folder in self._held:
                raise JournalError(f"{folder} is in use by a sweep of this process; one sweep at a time can write it")
            self._held.add(folder)
            return MemoryHeld(folder, self._held)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _successor(self, roots: dict[str, Folder]) -> MemoryFiles:
        files = MemoryFiles(block_bytes=self._block_bytes)
        files._roots = roots
        return files

    def _begin(self, operation: Operation) -> None:
        """Count an operation; raises when it is to fail."""
        number = len(self.operations)
        self.operations.append(operation)
        if self.on_step is not None:
            self.on_step(operation)
        fault = self.fault
        if fault is not None and (number == fault.nth or (fault.lasts and number > fault.nth)):
            raise _refused(fault.error)

    def _node(self, path: Path) -> Content | Folder | None:
        node: Content | Folder | None = self._roots["/" if path.is_absolute() else "."]
        for name in path.parts[1:] if path.is_absolute() else path.parts:
            if not isinstance(node, Folder):
                return None
            node = node.entries.get(name)
        return node

    def _folder(self, path: Path) -> Folder:
        node = self._node(path)
        if node is None:
            raise _refused(errno.ENOENT)
        if not isinstance(node, Folder):
            raise _refused(errno.ENOTDIR)
        return node

    def _file(self, path: Path) -> Content:
        node = self._folder(path.parent).entries.get(path.name)
        if node is None:
            raise _refused(errno.ENOENT)
        if isinstance(node, Folder):
            raise _refused(errno.EISDIR)
        return node

    def _new(self, path: Path, node: Content | Folder) -> None:
        folder = self._folder(path.parent)
        if path.name in folder.entries:
            raise _refused(errno.EEXIST)
        folder.change(Change(path.name, node))

    def _opened(self, path: Path, content: Content, writing: bool) -> MemoryFile:
        self.n_open += 1
        return MemoryFile(self, path, content, writing)


class MemoryFile:
    """An open file of `MemoryFiles`."""

    def __init__(self, files: MemoryFiles, path: Path, content: Content, writing: bool) -> None:
        self._files = files
        self._path = path
        self._content = content
        self._writing = writing
        self._is_open = True

    def size(self) -> int:
        with self._files._lock:
            self._check()
            return len(self._content.content)

    def read(self) -> bytes:
        with self._files._lock:
            self._check()
            return bytes(self._content.content)

    def append(self, data: bytes | bytearray) -> None:
        files, operation = self._files, Operation("append", self._path, len(data))
        with files._lock:
            self._check(writing=True)
            half = len(data) // 2
            try:
                files._begin(operation)
            except OSError:
                if files.fault is not None and files.fault.is_short:
                    self._content.write(data[:half])
                raise
            if files.on_step is None or not half:
                self._content.write(data)
            else:
                self._content.write(data[:half])
                files.on_step(operation)
                self._content.write(data[half:])

    def truncate(self, size: int) -> None:
        with self._files._lock:
            self._check(writing=True)
            self._files._begin(Operation("truncate", self._path, size))
            self._content.truncate(size)

    def sync(self) -> None:
        with self._files._lock:
            self._check()
            self._files._begin(Operation("sync", self._path))
            self._content.sync()
            if self._content not in self._files._folder(self._path.parent).entries.values():
                raise FileNotFoundError(errno.ENOENT, "it was deleted while the sweep ran")

    def close(self) -> None:
        with self._files._lock:
            self._check()
            self._is_open = False
            self._files.n_open -= 1

    def _check(self, writing: bool = False) -> None:
        if not self._is_open or (writing and not self._writing):
            raise _refused(errno.EBADF)


class MemoryHeld:
    """A folder that is held in `MemoryFiles`."""

    def __init__(self, folder: Path, held: set[Path]) -> None:
        self._folder = folder
        self._held = held

    def release(self) -> None:
        self._held.discard(self._folder)

    def discard(self) -> None:
        self.release()


class Content:
    """The bytes of a file, with what happened to them since they were last synced.

    Attributes:
        content: As the process sees them.
    """

    def __init__(self, durable: bytes = b"") -> None:
        self.content = bytearray(durable)
        self._durable = durable
        self._changes: list[tuple[int, bytes]] = []

    def write(self, data: bytes | bytearray) -> None:
        if data:
            self._changes.append((len(self.content), bytes(data)))
            self.content += data

    def truncate(self, size: int) -> None:
        self._changes.append((size, b""))
        del self.content[size:]

    def sync(self) -> None:
        if self._changes:
            self._durable = bytes(self.content)
            self._changes.clear()

    def crashed(self, random: Random, block_bytes: int) -> Content:
        """The file after a power loss."""
        if not self._changes:
            return Content(self._durable)
        sizes = [len(self._durable), *(offset + len(data) for offset, data in self._changes)]
        size = random.choice(sizes)
        first = min(len(self._durable), min(offset for offset, _ in self._changes)) // block_bytes * block_bytes
        starts = range(first, size, block_bytes)
        if random.random() < 0.25:  # a disk that kept the order
            moments = [sizes.index(size)] * len(starts)
        else:
            moments = [random.randrange(len(sizes)) for _ in starts]
        wanted: dict[int, list[int]] = {}
        for start, moment in zip(starts, moments, strict=True):
            wanted.setdefault(moment, []).append(start)
        now, blocks = bytearray(self._durable), {}
        for moment in range(len(sizes)):
            if moment:
                offset, data = self._changes[moment - 1]
                now[offset:] = data
            for start in wanted.get(moment, ()):
                blocks[start] = bytes(now[start : start + block_bytes]).ljust(block_bytes, b"\0")
        kept = self._durable[:first] + b"".join(blocks[start] for start in starts)
        return Content(kept[:size])


class Change(NamedTuple):
    """Something that happened in a folder: a name leads to something else from then on, or to nothing."""

    name: str
    node: Content | Folder | None
    instead_of: str = ""

    def apply(self, entries: dict[str, Content | Folder]) -> None:
        entries.pop(self.instead_of, None)
        if self.node is None:
            entries.pop(self.name, None)
        else:
            entries[self.name] = self.node


class Folder:
    """What a folder holds, with what happened in it since it was last synced.

    Attributes:
        entries: As the process sees them.
        durable: As they were at the last sync.
    """

    def __init__(self, entries: dict[str, Content | Folder] | None = None) -> None:
        self.entries = entries or {}
        self.durable = dict(self.entries)
        self._changes: list[Change] = []

    def change(self, change: Change) -> None:
        change.apply(self.entries)
        self._changes.append(change)

    def sync(self) -> None:
        self.durable = dict(self.entries)
        self._changes.clear()

    def crashed(self, random: Random, block_bytes: int) -> Folder:
        """The folder after a power loss, and all that is left in it."""
        kept = dict(self.durable)
        for change in self._changes:
            if random.random() < 0.5:
                change.apply(kept)
        return Folder({name: node.crashed(random, block_bytes) for name, node in kept.items()})


def _refused(error: int) -> OSError:
    return OSError(error, os.strerror(error))
