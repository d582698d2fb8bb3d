"""What can be an objective, and how it is called.

An objective whose required parameters are all in the space is called with them by name; else, with one parameter, it gets
the `Trial`. A class is built once in each worker, and its `__call__` is the objective.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Sequence
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.worker.trial import Trial

_PYTHONS = "objective {}: it is built into Python and takes no `trial`; wrap it in a function of its own"
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def load(target: str) -> Any:
    """The object that "package.module:name" names.

    Raises:
        ConfigError: The text has another form, the module has no such name, or it ends the process when it is imported.
        ImportError: The module cannot be imported.
    """
    module_name, _, path = target.partition(":")
    if not module_name or not path:
        raise ConfigError(f'objective={target!r}: a text must have the form "package.module:function"')
    try:
        found: Any = importlib.import_module(module_name)
    except SystemExit as error:
        raise ConfigError(_ended(target, error)) from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise ConfigError(f"objective={target!r}: {module_name} has no {path!r}")
        found = getattr(found, name)
    return found


def _ended(target: str, error: SystemExit) -> str:
    module_name, _, name = target.partition(":")
    return (
        f"objective={target!r}: to import {module_name} ended the process (SystemExit: {error}), as a script does that reads its "
        'command line; have it do so under `if __name__ == "__main__":`, or run it as a script: '
        f"asyncsweep run {module_name.replace('.', '/')}.py --objective {name} ..."
    )


def _is_pythons(target: Any) -> bool:
    """True for `len`, `math.sin` and their like, which no trial makes sense to."""
    return inspect.isbuiltin(target) and getattr(target, "__module__", None) in sys.stdlib_module_names


class Call:
    """How to call one objective.

    Attributes:
        function: What is called; for a class, its instance once `build` was called.
        is_async: True for `async def`.
        keywords: Names of the parameters that it gets; None when it gets the trial.
    """

    def __init__(self, objective: Any, names: Sequence[str], required: Sequence[str] | None = None) -> None:
        """Look at the objective's signature.

        Args:
            objective: A function, another callable, or a class whose instances are callable.
            names: All parameters of the space.
            required: Those that every trial has (the others depend on conditions); all of them when None.

        Raises:
            ConfigError: It cannot be called, or asks for what the space does not have.
        """
        self.function = objective
        self._is_class = isinstance(objective, type)
        target = objective.__call__ if self._is_class else objective
        if not callable(objective) or (self._is_class and "__call__" not in dir(objective)):
            raise ConfigError(f"objective={objective!r}: it must be callable, a class with __call__, or a text")
        self.is_async = inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(
            getattr(target, "__call__", None)  # noqa: B004  an instance whose __call__ is `async def`
        )
        # A program gets the trial, also where a parameter is called "trial".
        is_program = getattr(objective, "needs_process", False)
        self.keywords = None if is_program else self._choose(target, names, names if required is None else required)

    def _choose(self, target: Any, names: Sequence[str], required: Sequence[str]) -> tuple[str, ...] | None:
        shown = getattr(target, "__qualname__", repr(target))
        try:
            parameters = list(inspect.signature(target).parameters.values())
        except (TypeError, ValueError):
            if _is_pythons(target):
                raise ConfigError(_PYTHONS.format(shown)) from None
            return None  # compiled code without a signature: it gets the trial
        if self._is_class:
            parameters = parameters[1:]
        wanted = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        if all(p.kind in _BY_NAME and p.name in names for p in wanted) and (wanted or names):
            accepts_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
            accepted = tuple(names) if accepts_all else tuple(p.name for p in parameters if p.name in names)
            if accepted or wanted:
                for parameter in wanted:
                    if parameter.name not in required:
                        raise ConfigError(
                            f"objective {shown}: the parameter {parameter.name!r} has a condition in the space; "
                            f"give it a default for the trials that do not have it"
                        )
                return accepted
        takes_trial = wanted or parameters
        if len(takes_trial) == 1 and takes_trial[0].kind not in (
            inspect.Parameter.KEYWORD_ONLY,
            inspect.Parameter.VAR_KEYWORD,
        ):
            if _is_pythons(target):
                raise ConfigError(_PYTHONS.format(shown))
            return None
        unknown = [p.name for p in wanted if p.name not in names]
        fault = f"asks for {', '.join(unknown)}, which the space does not have" if unknown else "takes no parameter"
        raise ConfigError(
            f"objective {shown}: it {fault}; the space has {', '.join(names) or 'no parameters'}: "
            f"take parameters of the space by name, or one `trial`"
        )

    def build(self) -> None:
        """Make the instance of a class; other objectives are ready."""
        if self._is_class:
            self.function = self.function()
            self._is_class = False

    def __call__(self, trial: Trial) -> Any:
        """Call the objective; a coroutine for `async def`."""
        if self.keywords is None:
            return self.function(trial)
        params = trial.params
        return self.function(**{name: params[name] for name in self.keywords if name in params})
