"""A sweep that another process runs, asked on behalf of viewers: commands for it, and what its trials print while they run.

Only a socket of our own user is connected to, whatever the directory says (`steering.client`). Each question has a connection and a
thread of its own for a moment, so that a sweep that does not answer holds nobody up.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread

from asyncsweep import logs
from asyncsweep.core.records import TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.logs import Log
from asyncsweep.steering.client import Client, NotRunning

ANSWER_S = 5.0

_COMMANDS: dict[str, tuple[str, ...]] = {
    "cancel": ("trial",),
    "enqueue": ("choices", "params"),
    "pause": (),
    "status": (),
    "stop": ("now", "reason"),
    "unpause": (),
}

Arguments = TypeVarTuple("Arguments")
Value = TypeVar("Value")


class Elsewhere:
    """Passes commands on to the process that runs the sweep in a directory; see `Steering`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def check(self, command: str, fields: dict[str, Any]) -> None:
        known = _COMMANDS.get(command)
        if known is None:
            raise ConfigError(
                f"there is no command {command[:80]!r}{did_you_mean(command[:80], _COMMANDS)}; there are: {listed(_COMMANDS)}"
            )
        unknown = [name for name in fields if name not in known]
        if unknown:
            takes = f"but: {listed(known)}" if known else "nor anything else"
            raise ConfigError(f"{command}: it takes no {str(unknown[0])[:80]!r}, {takes}")
        try:
            json.dumps(fields, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"{command}: its fields are no JSON: {str(error)[:200]}") from None

    async def answer(self, command: str, fields: dict[str, Any]) -> dict[str, Any]:
        return await in_thread(lambda: self._ask(command, **fields))

    async def log(self, trial: TrialRecord, attempt: int, offset: int, limit_bytes: int, *, is_live: bool) -> Log:
        """A piece of what an attempt printed, as `SweepRun.log`: of one that runs from its process, else from files.

        Args:
            trial: The trial.
            attempt: The attempt; 0 when none has begun.
            offset: Where to begin; negative: so many bytes before the end.
            limit_bytes: The most bytes to read.
            is_live: Whether a process runs the sweep.

        Raises:
            ConfigError: The process refuses.
            OSError: It cannot be read.
        """
        nothing = Log(attempt, b"", max(0, offset), max(0, offset), 0, 0, is_over=False)
        if not attempt:
            return nothing
        if logs.has_ended(trial, attempt):
            return await in_thread(self._file, trial.number, attempt, offset, limit_bytes)
        if is_live:
            return await in_thread(self._live, trial.number, attempt, offset, limit_bytes) or nothing
        cut_short = trial.copied()
        return await in_thread(self._left, cut_short, attempt, offset, limit_bytes)

    def _ask(self, command: str, **fields: Any) -> dict[str, Any]:
        try:
            with Client(self._directory, timeout_s=ANSWER_S) as client:
                return client.request(command, **fields)
        except FileNotFoundError:  # the directory went away under our hands
            raise NotRunning(f"{self._directory}: there is no such folder") from None

    def _live(self, number: int, attempt: int, offset: int, limit_bytes: int) -> Log | None:
        try:
            answer = self._ask("log", trial=number, attempt=attempt, offset=offset)
        except NotRunning:
            return None
        log = Log(**{**{name: answer[name] for name in Log._fields}, "data": base64.b64decode(answer["data"])})
        data = log.data[:limit_bytes]
        if len(data) == len(log.data):
            return log
        return log._replace(data=data, next_offset=log.offset + len(data), is_over=False)

    def _file(self, number: int, attempt: int, offset: int, limit_bytes: int) -> Log:
        return logs.read_file(self._directory, number, attempt, offset, limit_bytes)

    def _left(self, trial: TrialRecord, attempt: int, offset: int, limit_bytes: int) -> Log:
        """What the worker left of an attempt that was cut short when the sweep's process was killed."""
        left = logs.left_by([trial], logs.left_outputs(self._directory))
        return logs.read_file(self._directory, trial.number, attempt, offset, limit_bytes, left)


async def in_thread(function: Callable[[Unpack[Arguments]], Value], *arguments: *Arguments) -> Value:
    """What a function gives that may wait for a disk or for another process; nobody waits for it who was cancelled."""
    return await anyio.to_thread.run_sync(
        function, *arguments, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
    )
