"""The objective as the sweep holds it: looked at, packed for other processes, loaded for this one."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import ObjectiveSpec
from asyncsweep.space import Space
from asyncsweep.worker.objective import Call, load

# Of a longer file only the beginning is looked at.
_SOURCE_LIMIT = 1_000_000


@runtime_checkable
class Program(Protocol):
    """A callable that gets the trial, and needs a process of ours to run in: `Script`, `Command`."""

    needs_process: bool

    @property
    def name(self) -> str: ...
    def check(self, space_names: Sequence[str], metrics: Sequence[str], concurrency: int) -> None: ...


class Objective:
    """What the user wants evaluated: a callable, a class, a program, or "package.module:name".

    Args:
        given: The objective as the user gave it.
        space: The space whose parameters it may ask for by name.

    Attributes:
        is_async: True for `async def`; None when only importing would tell.
        needs_process: True for a program, which no executor of this process can run.

    Raises:
        ConfigError: It cannot be called, or asks for what the space does not have.
    """

    def __init__(self, given: Any, space: Space) -> None:
        # Another process has a `__main__` of its own, so what is in ours travels by value.
        self._given = load(given) if isinstance(given, str) and given.startswith("__main__:") else given
        self._target = given if isinstance(given, str) else ""
        self._names = space.names
        self._required = tuple(name for name, domain in space.domains.items() if domain.when is None)
        self._call: Call | None = None
        self.needs_process = isinstance(self._given, Program)
        if isinstance(self._given, str):
            _check_target(self._given)
        else:
            if self.needs_process:
                _check_instance(self._given)
            self._call = Call(self._given, self._names, self._required)

    @property
    def is_async(self) -> bool | None:
        return None if self._call is None else self._call.is_async

    @property
    def name(self) -> str:
        """How the journal calls it."""
        if self._target:
            return self._target
        if self.needs_process:
            name: str = self._given.name
            return name
        module = getattr(self._given, "__module__", "") or ""
        return f"{module}:{getattr(self._given, '__qualname__', type(self._given).__qualname__)}"

    def check(self, metrics: Sequence[str], concurrency: int) -> None:
        """Do nothing, unless a program does not suit the space, the metrics, or how many trials run at a time.

        Raises:
            ConfigError: It does not; the message says which part of it.
        """
        if self.needs_process:
            self._given.check(self._names, metrics, concurrency)

    def check_executor(self, name: str, executor: Any) -> None:
        """Do nothing, unless it cannot run on an executor.

        Raises:
            ConfigError: It cannot.
        """
        runs = getattr(executor, "runs", "both")
        if self.needs_process and not getattr(executor, "remote", True):
            raise ConfigError(
                f"executor={name!r}: it runs objectives in this process, and {self.name!r} is a program; "
                "use executor='process'"
            )
        if self.is_async is False and runs == "async":
            raise ConfigError(
                f"executor={name!r}: it runs on the event loop and needs an `async def` objective; "
                f"for a plain function use executor='process' or 'thread'"
            )
        if self.is_async and runs == "sync":
            raise ConfigError(
                f"executor={name!r}: it needs a plain function; for `async def` use 'inline' or 'process'"
            )

    def source(self) -> str:
        """The text of the Python file that it is in; "" where that is not known without importing or running anything."""
        path = getattr(self._given, "path", None) if self.needs_process else None
        if path is None:
            path = getattr(getattr(self._given, "__code__", None), "co_filename", None)
        if not isinstance(path, str):
            return ""
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read(_SOURCE_LIMIT)
        except OSError:
            return ""  # a notebook's cell, or what the script's own error will tell

    def here(self) -> Call:
        """The objective for an executor that calls it in this process.

        Raises:
            ConfigError: It cannot be loaded.
        """
        if isinstance(self._given, str):
            try:
                return Call(load(self._given), self._names, self._required)
            except ConfigError:
                raise
            except (Exception, SystemExit) as error:  # whatever the user's module does when it is imported
                cause = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
                raise ConfigError(f"objective={self._given!r} cannot be imported: {cause}") from error
        return Call(self._given, self._names, self._required)

    def packed(self, metrics: tuple[str, ...], *, remote: bool) -> ObjectiveSpec:
        """The objective for another process; without its code when none is needed.

        Raises:
            ConfigError: It cannot be pickled.
        """
        target = self._given if isinstance(self._given, str) else ""
        code = b"" if target or not remote else pickled("objective", self._given)
        return ObjectiveSpec(target, code, self._names, self._required, metrics)


def pickled(setting: str, value: Any) -> bytes:
    """An object of the user's, for a child process of ours.

    Raises:
        ConfigError: It cannot be pickled.
    """
    import cloudpickle

    hidden = _hidden_modules(value)
    try:
        for module in hidden:
            cloudpickle.register_pickle_by_value(module)
        return bytes(cloudpickle.dumps(value))
    except Exception as error:  # whatever the object's own pickling raises
        raise ConfigError(
            f"{setting}={value!r} cannot be sent to another process ({type(error).__name__}: {error}); make what it uses "
            f'inside the objective, or name it as "package.module:name", or use an executor of this process'
        ) from error
    finally:
        for module in hidden:
            cloudpickle.unregister_pickle_by_value(module)


def _hidden_modules(value: Any) -> list[ModuleType]:
    """The modules of an object's classes that were loaded here in a way of their own, so that no other process finds them."""
    found = {}
    for kind in type(value).__mro__:
        module = sys.modules.get(kind.__module__)
        if module is not None and kind.__module__ != "__main__" and not _can_be_found(kind.__module__):
            found[kind.__module__] = module
    return list(found.values())


def _can_be_found(name: str) -> bool:
    """Whether a fresh process would find a module; `importlib.util.find_spec` believes `sys.modules` first."""
    package, _, _ = name.rpartition(".")
    path = getattr(sys.modules.get(package), "__path__", None) if package else None
    if package and (path is None or not _can_be_found(package)):
        return False
    return any(hasattr(finder, "find_spec") and finder.find_spec(name, path) is not None for finder in sys.meta_path)


def _check_instance(program: Any) -> None:
    if isinstance(program, type):
        raise ConfigError(f"objective={program!r}: give one of them, such as {program.__name__}(...), not the class")


def _check_target(target: str) -> None:
    module, _, name = target.partition(":")
    if not module or not name or not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise ConfigError(f'objective={target!r}: a text must have the form "package.module:function"')
    top = module.split(".")[0]
    if top not in sys.modules and importlib.util.find_spec(top) is None:
        raise ConfigError(f"objective={target!r}: there is no module {top!r} on the path")
