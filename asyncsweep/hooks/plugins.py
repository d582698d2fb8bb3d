"""A plugin, and what makes an object one.

`admit` looks at each plugin by itself, in a plugin manager of its own, so that its faults are its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import pluggy

from asyncsweep.errors import PluginError
from asyncsweep.hooks import specs
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.hooks.offers import CONTRACTS, Kind, Offer, Source, told

HOOKS = tuple(name for name in vars(specs) if name.startswith("asyncsweep_"))


@dataclass(frozen=True)
class Plugin:
    """A plugin that works, one that is broken, or one that is switched off.

    Attributes:
        source: Whose it is.
        holder: The module or object with the hooks; None when it is broken or off.
        offers: The names that it registers.
        error: Why it is broken; None otherwise.
    """

    source: Source
    holder: object | None = None
    offers: tuple[Offer, ...] = ()
    error: BaseException | None = None

    @property
    def status(self) -> str:
        """ "ok", "broken" or "off"."""
        if self.error is not None:
            return "broken"
        return "off" if self.holder is None else "ok"


def new_manager() -> pluggy.PluginManager:
    """A pluggy manager that knows our hooks and no plugin."""
    manager = pluggy.PluginManager(specs.GROUP)
    manager.add_hookspecs(specs)
    return manager


def admit(source: Source, holder: object) -> Plugin:
    """The plugin that a module or object is.

    Raises:
        PluginError: It is none: it has no hooks, a misspelt hook, a hook with a wrong argument, ...
    """
    manager = new_manager()
    if isinstance(holder, type):
        raise PluginError(f"{source}: {holder!r} is a class; a plugin is a module or an object")
    try:
        manager.register(holder, str(source))
    except Exception as error:  # pluggy's own complaint, or whatever the object's attributes raise
        raise PluginError(f"{source}: {told(error)}") from error
    _check_hooks(source, holder, manager)
    return Plugin(source, holder, tuple(offer for kind in CONTRACTS for offer in _offers(source, kind, manager)))


def _check_hooks(source: Source, holder: object, manager: pluggy.PluginManager) -> None:
    callers = {caller.name: caller for caller in manager.get_hookcallers(holder) or ()}
    for name in HOOKS:
        if name not in callers and callable(inspect.getattr_static(holder, name, None)):
            raise PluginError(f"{source}: {name} is not marked with @asyncsweep.hookimpl")
    if not callers:
        what = holder.__name__ if isinstance(holder, ModuleType) else repr(holder)
        raise PluginError(f"{source}: {what} is no plugin: nothing in it is marked with @asyncsweep.hookimpl")
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        unknown = [name for name in callers if name not in HOOKS]
        raise PluginError(
            f"{source}: there is no hook {unknown[0]!r}{did_you_mean(unknown[0], HOOKS)}; hooks: {listed(HOOKS)}"
        ) from error
    for name, caller in callers.items():
        for implementation in caller.get_hookimpls():
            if implementation.wrapper or implementation.hookwrapper:
                raise PluginError(f"{source}: {name} is a hook wrapper, and every hook is called by itself")
            function = implementation.function
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise PluginError(f"{source}: {name} is an `async def`, and hooks are plain functions")


def _offers(source: Source, kind: Kind, manager: pluggy.PluginManager) -> list[Offer]:
    hook = f"asyncsweep_{kind}s"
    offers = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        try:
            targets = implementation.function()
        except (Exception, SystemExit) as error:
            raise PluginError(f"{source}: {hook}() raised {told(error)}") from error
        if targets is None:
            continue
        if not isinstance(targets, Mapping):
            raise PluginError(f"{source}: {hook}() returned {targets!r} instead of a mapping of names to classes")
        for name, target in targets.items():
            if not isinstance(name, str) or not name or "/" in name:
                raise PluginError(f"{source}: {hook}() holds the name {name!r}; a name is text without '/'")
            offers.append(Offer(kind, name, source, target))
    return offers
