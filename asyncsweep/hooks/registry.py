"""The registry: from a name to an object, and the hooks of all plugins, each called by itself.

Rules:
- A broken plugin is one warning when it is loaded, and an error only for who asks for a name that it might hold.
- Two plugins with one name conflict only when that name is asked for; "distribution/name" decides.
- The built-in samplers, pruners, executors and exporters come the same way as everybody's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, overload

import pluggy

from asyncsweep.core.effects import Update
from asyncsweep.core.records import SweepSpec
from asyncsweep.errors import ConfigError, PluginError
from asyncsweep.hooks.contracts import Executor, Exporter, Pruner, Sampler
from asyncsweep.hooks.installed import SWITCH, load_installed, normalized
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.hooks.offers import Kind, Offer, Source, told
from asyncsweep.hooks.plugins import Plugin, admit, new_manager

GIVEN = "given"
"""Stands for the distribution of the objects in `plugins=(...)`: "given/name"."""


class Row(NamedTuple):
    """A line of `asyncsweep plugins`.

    `kind` is "plugin" for a plugin as a whole, which says whether it works, and else what the name is of.
    `status` is "ok", "broken" (`error` says why), "off" or "conflict" (the name is offered more than once).
    """

    kind: str
    name: str
    distribution: str
    version: str
    path: str
    status: str
    error: str


class Registry:
    """The plugins of one sweep: those of the environment and those that the user gave.

    Args:
        plugins: Modules or objects with hooks, for this sweep alone.

    Raises:
        ConfigError: One of `plugins` is not a plugin.
    """

    def __init__(self, plugins: Iterable[object] = ()) -> None:
        self._plugins = load_installed()
        for holder in _sequence(plugins):
            if not any(plugin.holder is holder for plugin in self._plugins):  # or its entry point brought it already
                self._plugins = (*self._plugins, _admit_given(holder))
        manager = new_manager()
        sources = {}
        for number, plugin in enumerate(self._plugins):
            if plugin.holder is not None:
                sources[f"{number}"] = plugin.source
                manager.register(plugin.holder, f"{number}")
        self._checks = _calls(manager.hook.asyncsweep_check, sources)
        self._listeners = _calls(manager.hook.asyncsweep_on_updates, sources)
        self._enders = _calls(manager.hook.asyncsweep_finished, sources)

    def names(self, kind: Kind) -> list[str]:
        """The names of a kind, sorted."""
        return sorted({offer.name for offer in self._offers(kind)})

    def find(self, kind: Kind, name: str) -> Offer:
        """What is behind `name` or "distribution/name"; nothing of it is imported.

        Raises:
            ConfigError: No plugin has the name, or several have.
            PluginError: No plugin has the name, and a broken one might.
        """
        if not isinstance(name, str):
            raise ConfigError(f"{kind}: expected a name, got {name!r}")
        distribution, _, plain = name.rpartition("/")
        matches = [offer for offer in self._offers(kind) if offer.name == plain and _is_of(offer.source, distribution)]
        if not matches:
            raise self._unknown(kind, name, distribution)
        if len(matches) > 1:
            raise ConfigError(f"{kind}: {_conflict(name, matches)}")
        return matches[0]

    @overload
    def build(self, kind: Literal["sampler"], name: str, options: Mapping[str, Any] = ...) -> Sampler: ...
    @overload
    def build(self, kind: Literal["pruner"], name: str, options: Mapping[str, Any] = ...) -> Pruner: ...
    @overload
    def build(self, kind: Literal["executor"], name: str, options: Mapping[str, Any] = ...) -> Executor: ...
    @overload
    def build(self, kind: Literal["exporter"], name: str, options: Mapping[str, Any] = ...) -> Exporter: ...
    def build(self, kind: Kind, name: str, options: Mapping[str, Any] | None = None) -> object:
        """An object by name, with options for its constructor.

        Raises:
            ConfigError: The name or an option is wrong.
            PluginError: The code behind the name is broken.
        """
        return self.find(kind, name).build(options or {})

    def describe(self) -> list[Row]:
        """Every plugin and every name; imports what is behind the names, to tell which of them work."""
        rows = []
        times = Counter((offer.kind, offer.name) for plugin in self._plugins for offer in plugin.offers)
        for plugin in self._plugins:
            error = "" if plugin.error is None else str(plugin.error)
            rows.append(Row("plugin", *plugin.source, path="", status=plugin.status, error=error))
            rows += [_row(offer, conflict=times[offer.kind, offer.name] > 1) for offer in plugin.offers]
        return rows

    def check(self, spec: SweepSpec) -> list[str]:
        """The complaints of all plugins about a sweep, each with the name of its plugin.

        Raises:
            PluginError: A plugin raised, or answered with something else than texts.
        """
        complaints: list[str] = []
        for call in self._checks:
            try:
                answer = call(spec)
                found = () if answer is None else tuple(answer)
            except Exception as error:
                raise PluginError(f"plugin {call.source}: asyncsweep_check raised {told(error)}") from error
            if isinstance(answer, str) or not all(isinstance(complaint, str) for complaint in found):
                raise PluginError(f"plugin {call.source}: asyncsweep_check returned {answer!r}, not a list of texts")
            complaints += [f"{call.source}: {complaint}" for complaint in found]
        return complaints

    @property
    def listens(self) -> bool:
        """Whether any plugin wants `on_updates`; without one the call can be spared."""
        return bool(self._listeners)

    def on_updates(self, updates: Sequence[Update]) -> list[tuple[str, Exception]]:
        """Show a batch of updates to every plugin; returns who raised, and what."""
        return _isolated(self._listeners, updates)

    def finished(self, result: object) -> list[tuple[str, Exception]]:
        """Show a sweep's result to every plugin; returns who raised, and what."""
        return _isolated(self._enders, result)

    def _offers(self, kind: Kind) -> list[Offer]:
        return [offer for plugin in self._plugins for offer in plugin.offers if offer.kind == kind]

    def _unknown(self, kind: Kind, name: str, distribution: str) -> ConfigError | PluginError:
        suspects = [plugin for plugin in self._plugins if _is_of(plugin.source, distribution)]
        offers = self._offers(kind)
        nearest = did_you_mean(name, map(_qualified, offers) if distribution else [offer.name for offer in offers])
        message = f"{kind}: there is no {kind} {name!r}{nearest}; installed: {listed(self.names(kind))}"
        off = [str(plugin.source) for plugin in suspects if plugin.status == "off"]
        if off:
            message += f"; switched off by {SWITCH}: {listed(off)}"
        broken = [plugin.error for plugin in suspects if plugin.error is not None]
        if not broken:
            return ConfigError(message)
        fault = PluginError(f"{message}; it may be in a plugin that is left out: {'; '.join(map(str, broken))}")
        fault.__cause__ = broken[0]
        return fault


class _Call(NamedTuple):
    """One plugin's implementation of a hook with one argument, which it may leave out."""

    source: Source
    implementation: pluggy.HookImpl

    def __call__(self, argument: object) -> Any:
        function = self.implementation.function
        return function(argument) if self.implementation.argnames else function()


def _calls(hook: pluggy.HookCaller, sources: Mapping[str, Source]) -> list[_Call]:
    # pluggy calls the last one first.
    return [_Call(sources[found.plugin_name], found) for found in reversed(hook.get_hookimpls())]


def _isolated(calls: Iterable[_Call], argument: object) -> list[tuple[str, Exception]]:
    faults = []
    for call in calls:
        try:
            call(argument)
        except Exception as error:
            faults.append((str(call.source), error))
    return faults


def _is_of(source: Source, distribution: str) -> bool:
    return not distribution or normalized(source.distribution) == normalized(distribution)


def _qualified(offer: Offer) -> str:
    return f"{normalized(offer.source.distribution)}/{offer.name}"


def _conflict(name: str, offers: Sequence[Offer]) -> str:
    qualified = {_qualified(offer) for offer in offers}
    if len(qualified) > 1:
        way_out = f"write {' or '.join(repr(name) for name in sorted(qualified))}"
    else:
        way_out = f"choose one of them with the environment variable {SWITCH}"
    return f"{name!r} is offered by {' and '.join(str(offer.source) for offer in offers)}; {way_out}"


def _sequence(plugins: Iterable[object]) -> list[object]:
    if isinstance(plugins, Iterable) and not isinstance(plugins, str | bytes | Mapping):
        return list(plugins)
    raise ConfigError(f"plugins: expected a sequence of modules or objects, got {plugins!r}")


def _admit_given(holder: object) -> Plugin:
    name = getattr(holder, "__name__", None)
    source = Source(name if isinstance(name, str) else type(holder).__name__, GIVEN, "")
    try:
        return admit(source, holder)
    except PluginError as error:
        raise ConfigError(f"plugins: {error}") from error


def _row(offer: Offer, *, conflict: bool) -> Row:
    status, error = ("conflict" if conflict else "ok"), ""
    try:
        offer.load()
    except PluginError as fault:
        status, error = "broken", str(fault)
    source = offer.source
    return Row(offer.kind, offer.name, source.distribution, source.version, offer.path, status, error)
