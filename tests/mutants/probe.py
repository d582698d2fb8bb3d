"""Looks for a fault in the core that it imports: by the unit tests, then by random worlds. Run in a process of its own.

    probe.py hunt                   stops at the first thing that finds a fault
    probe.py worlds INVARIANT SEED  random worlds alone, that of SEED first, until that invariant is broken

Prints what found the fault, or nothing; the exit status is 0 either way, so that any other means that it was found by a crash.
"""

from __future__ import annotations

import importlib
import resource
import sys
from collections.abc import Iterable, Iterator
from inspect import signature

UNIT_TESTS = (
    "test_trials",
    "test_questions",
    "test_endings",
    "test_steering",
    "test_reopened",
    "test_refusals",
    "test_records",
    "test_ahead",
    "test_launching",
    "test_resources",
    "test_changing_slots",
    "test_order",
    "test_history",
    "test_constraints",
    "test_retries",
    "test_reopened_deadly",
    "test_snapshot",
)
N_WORLDS = 60
MEMORY_BYTES = 2**30


def failing_unit_tests() -> Iterator[str]:
    for name in UNIT_TESTS:
        module = importlib.import_module(f"tests.core.{name}")
        for test_name, test in vars(module).items():
            if test_name.startswith("test_") and not signature(test).parameters:
                try:
                    test()
                except (Exception, KeyboardInterrupt) as error:
                    yield f"{name}.{test_name} ({type(error).__name__})"


def broken_worlds(seeds: Iterable[int]) -> Iterator[tuple[str, ...]]:
    """For each world in which something is found: the invariants, or the exception."""
    from asyncsweep.core.invariants import InvariantBroken
    from tests.core.worlds import random_world

    for seed in seeds:
        try:
            world = random_world(seed, keep_states=seed % 4 == 0)
            if world.states is not None:
                world.replay()
        except InvariantBroken as error:
            yield tuple(dict.fromkeys(name for name, _ in error.broken))
        except (Exception, KeyboardInterrupt) as error:
            yield (f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:80],)


def hunt() -> str:
    for test in failing_unit_tests():
        return test
    for found in broken_worlds(range(N_WORLDS)):
        return f"a world: {found[0]}"
    return ""


def hunt_in_worlds(invariant: str, first: int) -> str:
    found: dict[str, None] = {}
    for names in broken_worlds([first, *range(N_WORLDS * 6)]):
        found |= dict.fromkeys(names)
        if invariant in found:
            break
    return "\n".join(found)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sys.stdout.write(hunt() if sys.argv[1] == "hunt" else hunt_in_worlds(sys.argv[2], int(sys.argv[3])))
