"""Finding and loading the plugins of this Python environment, each by itself.

The environment variable `ASYNCSWEEP_PLUGINS` chooses among them: "off" leaves all out but the built-in ones, a
comma-separated list of distributions or entry points leaves out all others.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from asyncsweep import __version__
from asyncsweep.errors import PluginError
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.hooks.offers import Source, told
from asyncsweep.hooks.plugins import Plugin, admit
from asyncsweep.hooks.specs import GROUP

if TYPE_CHECKING:
    from importlib.metadata import Distribution

SWITCH = "ASYNCSWEEP_PLUGINS"

# Named here and not as entry points of our own distribution, so that they are there in a source tree that was copied
# to another host and never installed.
BUILT_IN = (
    "asyncsweep.samplers.plugin",
    "asyncsweep.pruners.plugin",
    "asyncsweep.executors.plugin",
    "asyncsweep.exporters.plugin",
)

Candidate = tuple[Source, Callable[[], object]]


class PluginWarning(UserWarning):
    """A plugin is left out, because it is broken or because it is not there."""


def load_installed() -> tuple[Plugin, ...]:
    """The built-in plugins and those of other distributions; a broken one is a `PluginWarning`, once."""
    plugins = [_load(source, load) for source, load in _built_in()]
    chosen = _chosen()
    others = list(_entry_points())
    for source, load in others:
        wanted = chosen is None or not chosen.isdisjoint(_names(source))
        plugins.append(_load(source, load) if wanted else Plugin(source))
    if chosen:
        _warn_of_absent(chosen, (source for source, _ in others))
    for plugin in plugins:
        if plugin.error is not None:
            warnings.warn(f"a plugin is left out: {plugin.error}", PluginWarning, stacklevel=2)
    return tuple(plugins)


def normalized(distribution: str) -> str:
    """The name of a distribution in the one spelling by which two are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _load(source: Source, load: Callable[[], object]) -> Plugin:
    try:
        return admit(source, load())
    except PluginError as error:
        return Plugin(source, error=error)
    except (Exception, SystemExit) as error:
        fault = PluginError(f"{source} cannot be loaded: {told(error)}")
        fault.__cause__ = error
        return Plugin(source, error=fault)


def _built_in() -> Iterator[Candidate]:
    for module in BUILT_IN:
        source = Source(module.split(".")[1], GROUP, __version__)
        yield source, functools.partial(importlib.import_module, module)


def _entry_points() -> Iterator[Candidate]:
    # Here and not above: it costs 20 ms, which `from asyncsweep import Sweep` shall not pay.
    from importlib.metadata import distributions

    seen: set[str] = set()
    # Not `importlib.metadata.entry_points`: one malformed file anywhere would make it fail for all.
    for distribution in filter(_may_hold_plugins, distributions()):
        candidates = list(_entry_points_of(distribution))
        owners = {normalized(source.distribution) for source, _ in candidates}
        if owners.isdisjoint(seen):  # else a second copy, which the first on sys.path hides
            seen |= owners
            yield from candidates


def _may_hold_plugins(distribution: Distribution) -> bool:
    """A quick look: to parse the metadata of every distribution takes 100 times as long."""
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except (OSError, UnicodeError):
        return True  # `_entry_points_of` meets the same error, and tells whose it is
    return re.search(rf"^\s*\[\s*{GROUP}\s*\]", text, re.MULTILINE) is not None


def _entry_points_of(distribution: Distribution) -> Iterator[Candidate]:
    name, version = "unnamed", ""
    try:
        name, version = distribution.name, distribution.version
        points = [point for point in distribution.entry_points if point.group == GROUP]
    except Exception as error:  # it might hold a plugin of ours, so it counts as a broken one
        yield Source(name, name, version), functools.partial(_raise, error)
        return
    for point in points:
        yield Source(point.name, name, version), point.load


def _raise(error: Exception) -> object:
    raise error


def _chosen() -> set[str] | None:
    """The names in the environment variable; None when it is not set."""
    setting = os.environ.get(SWITCH, "").strip()
    if not setting:
        return None
    if setting.lower() == "off":
        return set()
    return {normalized(name.strip()) for name in setting.split(",") if name.strip()}


def _names(source: Source) -> set[str]:
    return {normalized(source.name), normalized(source.distribution)}


def _warn_of_absent(chosen: set[str], sources: Iterable[Source]) -> None:
    there = {name for source in sources for name in _names(source)}
    for name in sorted(chosen - there):
        nearest = did_you_mean(name, there)
        message = f"{SWITCH} names {name!r}, which is not installed{nearest}; installed: {listed(there)}"
        warnings.warn(message, PluginWarning, stacklevel=3)
