"""Keyword arguments that `Sweep` does not have, answered with the one that is meant.

A decorator does it and not a `**unknown` in the signature, with which type checkers and editors would accept any name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from asyncsweep.hooks.nearest import did_you_mean

P = ParamSpec("P")
R = TypeVar("R")

# What people bring along from Optuna's `create_study` and `optimize`.
_HERE = {
    "callbacks": "stop_when=function(run) stops the sweep, exporters=[...] see each update, and so does "
    "`async with sweep.start() as run: async for update in run.updates(): ...`",
    "catch": "an objective that raises makes a FAILED trial and never ends the sweep; max_failures=... does",
    "directions": 'several directions have names: direction={"loss": "minimize", "accuracy": "maximize"}',
    "fn": "the function is the argument `objective`, the first one",
    "func": "the function is the argument `objective`, the first one",
    "gc_after_trial": "executor={'name': 'process', 'fresh': True} gives each trial a process of its own",
    "load_if_exists": "Sweep.resume(directory, objective) goes on with a sweep",
    "n_jobs": "concurrency=... is how many trials run at a time",
    "show_progress_bar": "give progress=True to run()",
    "storage": "directory=... is where the sweep is kept; history=... learns from a storage of Optuna's",
    "study_name": 'a sweep is named by its directory=...; for a study to learn from: history=History(url, study_name="...")',
}


def answering(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which answers a keyword that it does not have with a `TypeError` that tells what there is instead."""
    known = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                raise TypeError(f"{function.__qualname__}: there is no argument {name!r}{instead(name, known)}")
        return function(*args, **kwargs)

    return checked


def instead(name: str, known: Iterable[str]) -> str:
    """How an error's sentence about an unknown argument goes on: what is there instead, or the nearest of the known ones."""
    return f": {_HERE[name]}" if name in _HERE else did_you_mean(name, known)
