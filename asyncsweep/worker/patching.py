"""Hooks in the place of functions and methods of modules that nobody wants to change: `Script(patch=...)`."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from asyncsweep.errors import ConfigError


def apply(patches: Mapping[str, Callable[..., Any]]) -> None:
    """Put each hook in the place of its target; the targets' modules are imported.

    A hook is called as `hook(original, *args, **kwargs)`. For a method, `args` begins with the instance, for a class method with
    the class. What is inherited is replaced in the named class alone.

    Raises:
        ConfigError: There is no such target, or it cannot be replaced.
        ImportError: A module cannot be imported.
    """
    for target, hook in patches.items():
        owner, name = _owner_of(target, importlib.import_module(target.partition(":")[0]))
        kept = inspect.getattr_static(owner, name)
        try:
            setattr(owner, name, _replaced(kept, getattr(owner, name), hook, target))
        except (AttributeError, TypeError) as error:  # compiled code
            raise ConfigError(f"patch {target!r}: it cannot be replaced: {error}") from error


def check_imported(patches: Mapping[str, Callable[..., Any]]) -> None:
    """Look whether the targets are there, of modules that are imported already.

    Raises:
        ConfigError: One is not.
    """
    for target in patches:
        module = sys.modules.get(target.partition(":")[0])
        if module is not None:
            _owner_of(target, module)


def _owner_of(target: str, module: Any) -> tuple[Any, str]:
    """The module or class that has the target, and its name there."""
    *parents, name = target.partition(":")[2].split(".")
    owner = module
    for parent in parents:
        owner = _member(owner, parent, target)
    found = _member(owner, name, target)
    return (found, "__init__") if isinstance(found, type) else (owner, name)


def _member(owner: Any, name: str, target: str) -> Any:
    if not hasattr(owner, name):
        from difflib import get_close_matches

        near = get_close_matches(name, dir(owner), n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ConfigError(f"patch {target!r}: {getattr(owner, '__name__', owner)!s} has no {name!r}{hint}")
    return getattr(owner, name)


def _replaced(kept: Any, found: Any, hook: Callable[..., Any], target: str) -> Any:
    """What to put in a target's place, of the same kind."""
    if isinstance(kept, staticmethod):
        return staticmethod(_wrapper(kept.__func__, hook))
    if isinstance(kept, classmethod):
        return classmethod(_wrapper(kept.__func__, hook))
    if not callable(found):
        raise ConfigError(
            f"patch {target!r}: it is a {type(kept).__name__}, and only functions and methods can be hooked"
        )
    return _wrapper(kept if callable(kept) else found, hook)


def _wrapper(original: Callable[..., Any], hook: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(original):  # others may ask whether it is one

        @functools.wraps(original)
        async def wrapper_async(*args: Any, **kwargs: Any) -> Any:
            returned = hook(original, *args, **kwargs)
            return await returned if inspect.isawaitable(returned) else returned

        return wrapper_async

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return hook(original, *args, **kwargs)

    return wrapper
