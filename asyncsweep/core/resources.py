"""What workers offer and trials need: numbers by name, the host's name, labels.

    offered   {"host": "gpu1", "cpus": 8, "gpus": 1, "memory_gib": 64, "labels": {"zone": "a"}}     by each slot of a worker
    needed    {"gpus": 1, "labels": {"zone": "a"}}                                                   by each trial

A number is enough when it is at least what is needed; what computing with fractions adds or takes away (0.1 * 3 > 0.3) does not count. What a worker says nothing of is there without limit where every machine has
some of it (processors, memory), and is not there otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ALMOST = 1 - 1e-9
# What every machine has.
_EVERYWHERE = ("cpus", "memory_gib")


def unmet(needs: Mapping[str, Any], offered: Mapping[str, Any]) -> str | None:
    """The first need that is not met, in words; None when all are."""
    for name, needed in needs.items():
        found = offered.get(name)
        if isinstance(needed, Mapping):
            labels = found if isinstance(found, Mapping) else {}
            lacking = {key: value for key, value in needed.items() if labels.get(key) != value}
            if lacking:
                return f"{name}={dict(labels)}, and {lacking} is needed"
        elif isinstance(needed, str):
            if found != needed:
                return f"{name}={found!r}, and {needed!r} is needed"
        elif found is None:
            if name not in _EVERYWHERE:
                return f"no {name}, and {needed:g} are needed"
        elif not isinstance(found, int | float) or found < needed * _ALMOST:
            return f"{name}={found!r}, and {needed:g} is needed"
    return None


def refusal(needs: Mapping[str, Any], executors: Mapping[str, Any]) -> str | None:
    """Why no trial could run on any of these executors, in words; None where one could, or what it offers is not known by now."""
    lacking = {
        name: None if (offered := getattr(executor, "resources", None)) is None else unmet(needs, offered)
        for name, executor in executors.items()
    }
    if None in lacking.values():
        return None
    what = "; ".join(f"executor={name!r} offers {why}" for name, why in lacking.items())
    return f"needs={dict(needs)!r}: no trial could run: {what}"
