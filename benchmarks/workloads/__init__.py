"""One module for each workload, found by its name, with "-" for "_"; each has a `WORKLOAD`, of the protocol in `benchmarks.harness.cases`."""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from benchmarks.harness.cases import Workload


def names() -> list[str]:
    """The names of all workloads, in the order of the alphabet."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if not module.ispkg)


def named(name: str) -> Workload:
    """A workload by its name.

    Raises:
        KeyError: There is none; the message names the nearest one.
        ImportError: It needs what is not installed.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        raise KeyError(f"no workload {name!r}; " + (f"{near[0]}?" if near else f"there are {', '.join(names())}"))
    workload: Workload = importlib.import_module(f"benchmarks.workloads.{name.replace('-', '_')}").WORKLOAD
    return workload
