"""What a warm parent imports before it forks, and what a script must not find imported.

A worker has imported much of the standard library, and that is no affair of its scripts: a script with a `csv.py` beside it means
that one. So what is beside it is not hidden by a module of the same name (`uncover`). Only what Python itself has imported before
any script starts stays, as it does under `python train.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import PathFinder

from asyncsweep.errors import ConfigError

_MOMENT_S = 0.3
# What Python imports from files to start, where these are not frozen into it; and what carries this process.
_STAYS = frozenset(
    (
        *("__main__", "_collections_abc", "_sitebuiltins", "abc", "asyncsweep", "codecs", "encodings", "genericpath"),
        *("importlib", "io", "os", "posixpath", "runpy", "site", "sitecustomize", "stat", "usercustomize", "zipimport"),
    )
)


def preload(names: Sequence[str]) -> None:
    """Import modules, each whole: with all that it does when it is imported.

    Raises:
        ConfigError: One cannot be imported, or has started a thread that still runs: a fork has none of them.
    """
    _check_threads(set(), "Script.patch: loading the hooks", "define them in a module that starts none")
    for name in names:
        known = set(threading.enumerate())
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:  # whatever a module does when it is imported
            cause = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
            raise ConfigError(f"Script.preload: {name!r} cannot be imported: {cause}") from error
        _check_threads(known, f"Script.preload: {name!r}", "leave it out")


def _check_threads(known: set[threading.Thread], who: str, mend: str) -> None:
    for thread in threading.enumerate():
        if thread in known or thread is threading.main_thread():
            continue
        thread.join(_MOMENT_S)  # one that has only something to prepare may end it
        if thread.is_alive():
            raise ConfigError(f"{who} has started the thread {thread.name!r}, which a fork does not have; {mend}")


def uncover(folder: str) -> None:
    """Forget the imported modules that hide one of this folder, which is the first of `sys.path`.

    Who has imported them keeps them.
    """
    try:
        beside = {entry.partition(".")[0] for entry in os.listdir(folder)}
    except OSError:  # it may be entered, and not be read: nothing of it can be imported either
        return
    hiding = {name for name in beside & sys.modules.keys() if _hides(name, folder)}
    for name in list(sys.modules):
        if name.partition(".")[0] in hiding:
            del sys.modules[name]


def _hides(name: str, folder: str) -> bool:
    if name in _STAYS or name in sys.builtin_module_names:
        return False
    module = sys.modules[name]
    if getattr(getattr(module, "__spec__", None), "origin", None) == "frozen":
        return False
    spec = PathFinder.find_spec(name, [folder])
    if spec is None or spec.origin is None:  # nothing, or a folder without __init__.py, which any module hides
        return False
    file = getattr(module, "__file__", None)
    return file is None or os.path.realpath(file) != os.path.realpath(spec.origin)
