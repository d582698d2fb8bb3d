"""What a running sweep answers, one JSON object for each request.

    {"command": "status"}
    {"command": "stop", "reason": "enough", "now": true}
    {"command": "pause"}    {"command": "unpause"}
    {"command": "cancel", "trial": 3}
    {"command": "enqueue", "params": {"lr": 0.001}, "choices": {"opt": 2}}
    {"command": "log", "trial": 3, "attempt": 1, "offset": 0}
    {"command": "log", "trial": null, "follow": true}

Each may have `"directory": [device, inode]`, the sweep that is meant. Answers are `{"ok": true, ...}` or `{"error": "..."}`. A
`log` that is followed has many answers, the last of which has nothing but `"is_over": true`; it is the last request of its
connection. Each command may be given again: what is so already stays so. `choices` are places among the choices of the space: of these
JSON cannot carry all.
"""

from __future__ import annotations

import base64
import inspect
import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asyncsweep import checks
from asyncsweep.cells import json_value
from asyncsweep.core.records import State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.logs import Log
from asyncsweep.run import SweepRun
from asyncsweep.space import Categorical, Constant
from asyncsweep.space.values import shown

# An answer fits into memory many times over, whatever trials hold.
_MOST_RUNNING_SHOWN = 1000

Answer = dict[str, Any]


def parsed(line: bytes) -> tuple[str, dict[str, Any]]:
    """The command and the fields of a request.

    Raises:
        ConfigError: It is none.
    """
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"a request is one JSON object in one line: {str(error)[:200]}") from None
    if not isinstance(request, dict) or not isinstance(request.get("command"), str):
        raise ConfigError('a request is a JSON object such as {"command": "status"}')
    return request.pop("command"), request


class Commands:
    """Answers requests about one run.

    Args:
        run: The run.
        directory: What tells the sweep's directory from others; None for a sweep in memory.
    """

    def __init__(self, run: SweepRun, directory: list[int] | None) -> None:
        self._run = run
        self._directory = directory
        self._began_at = time.monotonic()
        self._known: dict[str, Callable[..., Awaitable[Answer]]] = {
            "cancel": self._cancel,
            "enqueue": self._enqueue,
            "log": self._log,
            "pause": self._pause,
            "status": self._status,
            "stop": self._stop,
            "unpause": self._unpause,
        }

    def check(self, command: str, fields: dict[str, Any]) -> None:
        """Refuse what cannot be answered, and take the sweep that is meant out of the fields.

        Raises:
            ConfigError: It is another sweep that is meant, there is no such command, or it takes other fields.
        """
        meant = fields.pop("directory", self._directory)
        if meant != self._directory:
            raise ConfigError("this socket is another sweep's")
        call = self._known.get(command)
        if call is None:
            raise ConfigError(
                f"there is no command {command[:80]!r}{did_you_mean(command[:80], self._known)}; there are: {listed(self._known)}"
            )
        parameters = inspect.signature(call).parameters
        unknown = [name for name in fields if name not in parameters]
        if unknown:
            raise ConfigError(f"{command}: it takes no {unknown[0][:80]!r}, but: {listed(parameters)}")
        missing = [name for name, p in parameters.items() if p.default is p.empty and name not in fields]
        if missing:
            raise ConfigError(f"{command}: it needs {missing[0]!r}")

    async def answer(self, command: str, fields: dict[str, Any]) -> Answer:
        """The answer to a request that was checked.

        Raises:
            ConfigError: A field has a wrong value.
            OSError: A log cannot be read.
        """
        return {"ok": True, **await self._known[command](**fields)}

    async def _status(self) -> Answer:
        run = self._run
        running = [trial for trial in run.trials if trial.state is State.RUNNING]
        return {
            "pid": os.getpid(),
            "name": None if run.directory is None else run.directory.name,
            "directory": None if run.directory is None else str(run.directory),
            "counts": {state.value: count for state, count in run.counts.items()},
            "n_trials": run.n_trials,
            "is_paused": run.is_paused,
            "is_stopping": run.is_stopping,
            "is_over": run.is_over,
            "best": None if run.best is None else _trial(run.best),
            "elapsed_s": time.monotonic() - self._began_at,
            "running": [_trial(trial) for trial in running[:_MOST_RUNNING_SHOWN]],
        }

    async def _stop(self, reason: Any = "stopped", now: Any = False) -> Answer:
        checks.text("reason", reason)
        checks.flag("now", now)
        if not self._run.is_over:
            self._run.stop(reason, now=now)
        return self._standing()

    async def _pause(self) -> Answer:
        if not self._run.is_over:
            self._run.pause()
        return self._standing()

    async def _unpause(self) -> Answer:
        if not self._run.is_over:
            self._run.unpause()
        return self._standing()

    async def _cancel(self, trial: Any) -> Answer:
        self._run.cancel_trial(trial)
        return {"trial": trial, "state": self._run.trials[trial].state.value}

    async def _enqueue(self, params: Any, choices: Any = None) -> Answer:
        self._run.enqueue(params if choices is None else self._with_choices(params, choices))
        return self._standing()

    async def _log(self, trial: Any = None, attempt: Any = None, offset: Any = 0) -> Answer:
        if trial is None:
            raise ConfigError("log: it needs 'trial'; those of all trials can only be followed")
        return piece(trial, await self._run.log(trial, attempt, offset=offset))

    def _with_choices(self, params: Any, choices: Any) -> dict[str, Any]:
        if not isinstance(params, dict) or not isinstance(choices, dict):
            raise ConfigError("enqueue: `params` and `choices` are JSON objects with the parameters' names")
        chosen = {}
        for name, place in choices.items():
            if name in params:
                raise ConfigError(f"enqueue: {name!r} is in `params` and in `choices`; leave one out")
            domain = self._run._plan.spec.space.get(name)
            known = domain.choices if isinstance(domain, Categorical) else ()
            known = (domain.value,) if isinstance(domain, Constant) else known
            if not known:
                raise ConfigError(f"enqueue: {name[:80]!r} has no choices")
            if type(place) is not int or not 0 <= place < len(known):
                raise ConfigError(f"enqueue: {name!r}: {shown(place)} is no place among its {len(known)} choices")
            chosen[name] = known[place]
        return {**params, **chosen}

    def _standing(self) -> Answer:
        run = self._run
        return {
            "is_paused": run.is_paused,
            "is_stopping": run.is_stopping,
            "is_over": run.is_over,
            "n_running": run.counts[State.RUNNING],
        }


def piece(number: int, log: Log) -> Answer:
    """A piece of a log as an answer; its bytes are in base64."""
    return {"trial": number, **log._asdict(), "data": base64.b64encode(log.data).decode()}


def _trial(trial: TrialRecord) -> Answer:
    last = trial.last_report
    return {
        "trial": trial.number,
        "attempt": trial.attempt,
        "params": json_value(trial.params),
        "metrics": json_value(trial.metrics),
        "last_report": None if last is None else [last[0], json_value(last[1])],
        "since_s": max(0.0, time.time() - trial.started_at) if trial.started_at else None,
    }
