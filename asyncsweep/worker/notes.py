"""What a script's process leaves to its parent, however it ends: in memory that both share.

Each note is there as soon as it is taken, also when the process ends without another word (`os._exit`).
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from typing import Any

import msgpack

from asyncsweep.errors import TrialError
from asyncsweep.worker.outcome import Description

# Two places, taken in turns: the head names the one that is whole. What is not used is no memory.
_PLACE_BYTES = 4 * 2**20
_HEAD = struct.Struct("<II")


class Notes:
    """One process takes them, from `own` on; the other reads them when that has ended.

    Raises:
        TrialError: A note is taken by another process, forked by that one.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 16 + 2 * _PLACE_BYTES)
        self._lock = threading.Lock()
        self._pid = 0
        self._place = 0
        self._notes: dict[str, Any] = {}

    def clear(self) -> None:
        """Forget everything, for the next process."""
        self._notes = {}
        self._memory[: _HEAD.size] = _HEAD.pack(0, 0)

    def own(self) -> None:
        """This process, and none that it forks, takes the notes."""
        self._pid = os.getpid()

    @property
    def are_ours(self) -> bool:
        """Whether this process takes them."""
        return os.getpid() == self._pid

    def reported(self, metrics: dict[str, float]) -> None:
        """What was reported last."""
        self._take("reported", metrics)

    def result(self, metrics: dict[str, float]) -> None:
        """What is to be the result."""
        self._take("result", metrics)

    def failed(self, error: Description) -> None:
        """Type, message, traceback and bases of what the script raised."""
        self._take("error", error)

    def pruned(self) -> None:
        """The script let `TrialPruned` pass."""
        self._take("pruned", True)

    def said(self, message: str) -> None:
        """What the script gave to `sys.exit` as its last words."""
        self._take("message", message)

    @property
    def have_result(self) -> bool:
        """Whether this process has said what its result is."""
        return "result" in self._notes

    def secret(self, variable: str, value: str) -> None:
        """A secret that the script has added to its environment: who keeps its output must know it."""
        secrets = {**self._notes.get("secrets", {}), os.fsencode(variable): os.fsencode(value)}
        self._take("secrets", secrets)

    def _take(self, what: str, note: Any) -> None:
        if not self.are_ours:
            raise TrialError("this process was forked within a trial: report from the process that runs the script")
        with self._lock:
            notes = {**self._notes, what: note}
            data = msgpack.packb(notes)
            if len(data) > _PLACE_BYTES:
                raise TrialError(f"the metrics are {len(data)} bytes, and at most {_PLACE_BYTES} are kept")
            self._notes = notes
            self._place = 1 - self._place
            start = 16 + self._place * _PLACE_BYTES
            self._memory[start : start + len(data)] = data
            self._memory[: _HEAD.size] = _HEAD.pack(self._place, len(data))

    def read(self) -> dict[str, Any]:
        """All notes by their names, which are those of the methods but for "error", "message" and "secrets"."""
        place, size = _HEAD.unpack(self._memory[: _HEAD.size])
        if not size:
            return {}
        start = 16 + place * _PLACE_BYTES
        found: dict[str, Any] = msgpack.unpackb(self._memory[start : start + size], strict_map_key=False)
        return found
