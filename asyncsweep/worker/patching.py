"""Hooks in the place of functions and methods of modules that nobody wants to change: `Script(patch=...)`."""

from __future__ import annotations

import functools
import importlib
import importlib.util
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
        ConfigError: A module cannot be imported, there is no such target, or it cannot be replaced.
    """
    for target, hook in patches.items():
        owner, name = _owner_of(target, _module_of(target))
        kept = inspect.getattr_static(owner, name)
        try:
            setattr(owner, name, _replaced(kept, getattr(owner, name), hook, target))
        except (AttributeError, TypeError) as error:  # compiled code
            raise ConfigError(f"Script.patch: {target!r}: it cannot be replaced: {error}") from error


def check(patches: Mapping[str, Callable[..., Any]]) -> None:
    """Look whether the targets can be there, as far as that shows without importing anything.

    Raises:
        ConfigError: A module that is imported already has no such target, or there is none of its name (of its package's name).
    """
    for target in patches:
        name = target.partition(":")[0]
        package = name.partition(".")[0]
        if name in sys.modules:
            _owner_of(target, sys.modules[name])
        elif package not in sys.modules and importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"Script.patch: {target!r}: there is no module {package!r}, neither beside the script nor installed"
            )


def _module_of(target: str) -> Any:
    try:
        return importlib.import_module(target.partition(":")[0])
    except ImportError as error:
        raise ConfigError(f"Script.patch: {target!r}: its module cannot be imported: {error}") from None
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        told = f"Script.patch: {target!r}: its module cannot be imported: {type(error).__name__}: {error}"
        raise ConfigError(told) from error


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
        raise ConfigError(f"Script.patch: {target!r}: {getattr(owner, '__name__', owner)!s} has no {name!r}{hint}")
    return getattr(owner, name)


def _replaced(kept: Any, found: Any, hook: Callable[..., Any], target: str) -> Any:
    """What to put in a target's place, of the same kind."""
    if isinstance(kept, staticmethod):
        return staticmethod(_wrapper(kept.__func__, hook))
    if isinstance(kept, classmethod):
        return classmethod(_wrapper(kept.__func__, hook))
    if not callable(found):
        raise ConfigError(
            f"Script.patch: {target!r}: it is a {type(kept).__name__}, and only functions and methods can be hooked"
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
