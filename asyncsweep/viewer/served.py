"""What a viewer shows: runs of this process, sources, and directories, each under a name of its own."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias, cast

import anyio

from asyncsweep.errors import ConfigError
from asyncsweep.run import SweepRun
from asyncsweep.viewer.running import RunSource
from asyncsweep.viewer.source import Source

One: TypeAlias = "SweepRun | Source | str | os.PathLike[str]"
Served: TypeAlias = "One | Sequence[One] | Mapping[str, One]"

_EXPECTED = "a run, a directory, a source, or several of them in a list or by their names"

log = logging.getLogger("asyncsweep")


def sources_of(runs: Served) -> dict[str, Source]:
    """The sources of what is in this process, by their names.

    Raises:
        ConfigError: There is none, one is something else, has not started, or is a directory, which somebody has to follow.
    """
    found: dict[str, Source] = {}
    for name, run in _named(runs):
        if isinstance(run, str | os.PathLike):
            raise ConfigError(
                f"runs: {os.fspath(run)!r} is a directory; open it first: "
                f"async with sw.viewer.opened({os.fspath(run)!r}) as source"
            )
        _add(found, name, _source(run, name))
    return found


@asynccontextmanager
async def followed(runs: Served) -> AsyncIterator[dict[str, Source]]:
    """The sources of what is served; directories are opened, and followed while the context is entered.

    Raises:
        ConfigError: There is none, or one is something else, has not started, or is a directory without a sweep.
        JournalError: The journal in a directory cannot be read.
    """
    found: dict[str, Source] = {}
    followed = []
    failure: BaseException | None = None
    async with AsyncExitStack() as stack:
        for name, run in _named(runs):
            if isinstance(run, str | os.PathLike):
                from asyncsweep.viewer.following import JournalSource

                source = await JournalSource.open(run, name)
                stack.callback(source.close)
                followed.append(source)
                _add(found, name, source)
            else:
                _add(found, name, _source(run, name))
        async with anyio.create_task_group() as tasks:
            for source in followed:
                tasks.start_soon(_follow, source)
            try:
                yield found
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # not to be wrapped by the group
                failure = error
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def opened(directory: str | os.PathLike[str], *, name: str = "") -> AsyncIterator[Source]:
    """A sweep's directory for `asgi`, followed while the context is entered; on any event loop.

        async with sw.viewer.opened("runs/first") as source:
            viewer = sw.viewer.asgi(source)

    Args:
        directory: Of a sweep that has ended, was interrupted, or runs, in this process or another one.
        name: What it is called; "" for the name of the directory.

    Raises:
        ConfigError: There is no sweep in the directory.
        JournalError: Its journal cannot be read.
    """
    if not isinstance(directory, str | os.PathLike):
        raise ConfigError(f"directory={directory!r:.200}: expected the directory of a sweep")
    async with followed({name: directory} if name else directory) as sources:
        yield next(iter(sources.values()))


async def _follow(source: Any) -> None:
    """What goes wrong here ends neither the server nor the sweep that it may be beside of."""
    try:
        await source.follow()
    except Exception:
        log.exception("the sweep %r is not followed any more", source.name)


def _named(runs: Served) -> list[tuple[str, One]]:
    """Each of what is served, with the name that it was given, or ""."""
    if isinstance(runs, Mapping):
        for name in runs:
            if not isinstance(name, str) or not name:
                raise ConfigError(f"runs: the name {name!r}: expected a text that is not empty")
        found = list(runs.items())
    elif isinstance(runs, list | tuple):
        found = [("", run) for run in runs]
    else:
        found = [("", cast("One", runs))]
    if not found:
        raise ConfigError(f"runs={runs!r}: there is nothing to see; expected {_EXPECTED}")
    return found


def _source(run: Any, name: str) -> Source:
    if isinstance(run, SweepRun):
        return RunSource(run, name)
    if all(hasattr(run, member) for member in ("name", "generation", "spec", "trials", "stand", "watch", "log")):
        return run  # type: ignore[no-any-return]
    raise ConfigError(f"runs: {run!r:.200}: expected {_EXPECTED}")


def _add(found: dict[str, Source], name: str, source: Source) -> None:
    """Those that were not named by hand get a number where another one is called the same."""
    key = wanted = name or source.name
    count = 1
    while key in found:
        count += 1
        key = f"{wanted} ({count})"
    found[key] = source
