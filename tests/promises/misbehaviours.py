"""Parts of a sweep that misbehave once, each in one place: what promise R23 is tested with.

`Misbehaving` wraps a method. At its second call it does something else than it should; before and after it is as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import asyncsweep as sw
from asyncsweep.executors.inline import InlineExecutor
from asyncsweep.pruners.percentile import MedianPruner
from asyncsweep.samplers.random import RandomSampler

AT_CALL = 2
BLOCKED_S = 0.02
GARBAGE: Any = [object(), 1j]


class Exit(SystemExit):
    """What no `except Exception` sees."""


def raises(call: Callable[..., Any], *args: Any) -> Any:
    raise ValueError("misbehaves")


def blocks(call: Callable[..., Any], *args: Any) -> Any:
    time.sleep(BLOCKED_S)
    return call(*args)


def gives_garbage(call: Callable[..., Any], *args: Any) -> Any:
    call(*args)
    return GARBAGE


def gives_nothing(call: Callable[..., Any], *args: Any) -> None:
    call(*args)


def exits(call: Callable[..., Any], *args: Any) -> Any:
    raise Exit("misbehaves")


def spoils(call: Callable[..., Any], *args: Any) -> Any:
    """Changes what it was given, after it was used."""
    answer = call(*args)
    for arg in args:
        spoil(arg)
    return answer


MISBEHAVIOURS: dict[str, Callable[..., Any]] = {
    "raises": raises,
    "blocks": blocks,
    "gives garbage": gives_garbage,
    "gives nothing": gives_nothing,
    "exits": exits,
    "spoils its argument": spoils,
}


def spoil(thing: Any) -> None:
    """Change whatever can be changed in it, as far as the contracts let it be reached."""
    if isinstance(thing, list | dict | set):
        thing.clear()
    elif isinstance(thing, sw.SweepRun):
        thing.counts.clear()
        for trial in thing.trials:
            spoil(trial)
    elif isinstance(thing, sw.TrialRecord):
        for container in (thing.params, thing.metrics, thing.user_attrs, thing.sampler_attrs, thing.constraints):
            spoil(container)
    else:
        for name in dir(thing):
            if not name.startswith("_") and isinstance(getattr(thing, name), list | dict | set):
                spoil(getattr(thing, name))


class Misbehaving:
    """Does `how` at the second call of whatever it is wrapped around, and nothing afterwards."""

    def __init__(self, how: str) -> None:
        self.how = MISBEHAVIOURS[how]
        self.calls = 0

    def __call__(self, call: Callable[..., Any], *args: Any) -> Any:
        self.calls += 1
        return self.how(call, *args) if self.calls == AT_CALL else call(*args)

    def at_once(self, call: Callable[..., Any], *args: Any) -> Any:
        """The same where there is one call alone."""
        self.calls = AT_CALL - 1
        return self(call, *args)


def sampler(where: str, how: Misbehaving, host: str) -> dict[str, Any]:
    class Sampler(RandomSampler):
        pass

    return {"sampler": _hosted(Sampler(), where, how, host)}


def pruner(where: str, how: Misbehaving, host: str) -> dict[str, Any]:
    class Pruner(MedianPruner):
        pass

    return {"pruner": _hosted(Pruner(), where, how, host)}


def executor(where: str, how: Misbehaving, host: str) -> dict[str, Any]:
    class Executor(InlineExecutor):
        pass

    return {"executor": _wrapped(Executor(), where, how)}


def _hosted(part: Any, where: str, how: Misbehaving, host: str) -> Any:
    part.host = host
    return _wrapped(part, where, how)


def _wrapped(part: Any, where: str, how: Misbehaving) -> Any:
    plain = getattr(part, where)
    setattr(part, where, lambda *args: how(plain, *args))
    return part


class Exporter:
    """Does nothing, until it misbehaves."""

    def __init__(self, how: Misbehaving) -> None:
        self._how = how

    async def __aenter__(self) -> Exporter:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def export(self, updates: Sequence[sw.Update]) -> Any:
        return self._how.at_once(lambda _: None, updates)  # everything may come in one batch


def exporter(where: str, how: Misbehaving, host: str) -> dict[str, Any]:
    return {"exporters": [Exporter(how)]}


def plugin(where: str, how: Misbehaving, host: str) -> dict[str, Any]:
    """A plugin with one hook; all but `asyncsweep_on_updates` are called once."""
    once = where != "asyncsweep_on_updates"

    class Plugin:
        @sw.hookimpl
        def asyncsweep_on_updates(self, updates: Any) -> Any:
            return None if once else how(lambda _: None, updates)

        @sw.hookimpl
        def asyncsweep_finished(self, result: Any) -> Any:
            return how.at_once(lambda _: None, result) if where == "asyncsweep_finished" else None

        @sw.hookimpl
        def asyncsweep_check(self, spec: Any) -> Any:
            return how.at_once(lambda _: [], spec) if where == "asyncsweep_check" else None

    return {"plugins": [Plugin()]}


def stop_when(where: str, how: Misbehaving, host: str) -> dict[str, Any]:
    return {"stop_when": lambda run: how(lambda _: False, run)}


PLACES: dict[str, Callable[[str, Misbehaving, str], dict[str, Any]]] = {
    **dict.fromkeys(("sampler.ask", "sampler.tell", "sampler.suggest"), sampler),
    **dict.fromkeys(("pruner.report", "pruner.judge", "pruner.finish"), pruner),
    **dict.fromkeys(("executor.launch", "executor.kill", "executor.answer"), executor),
    "exporter.export": exporter,
    **dict.fromkeys(("plugin.asyncsweep_on_updates", "plugin.asyncsweep_finished", "plugin.asyncsweep_check"), plugin),
    "stop_when": stop_when,
}


def part(place: str, how: Misbehaving, host: str) -> dict[str, Any]:
    """The argument of `Sweep` that misbehaves in this place; samplers and pruners live where `host` says."""
    return PLACES[place](place.rpartition(".")[2], how, host)
