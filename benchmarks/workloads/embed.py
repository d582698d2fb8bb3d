"""How late the event loop of a program is while a sweep runs in it, run in the way that each library's documentation shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.harness.cases import Case, Options, contested
from benchmarks.harness.contestants import Contestant
from benchmarks.harness.figures import OURS, Figure, Goal, at_most

_OURS = {
    "noop": "trials in the loop that do nothing",
    "reports": "2 processes, 100 reports a trial, ASHA",
    "tpe": "2 processes, TPE with {history:,} trials behind it",
}
_HOW = {
    "raw": "idle loop",
    "by_hand": "ask and tell on the loop, 2 child processes",
    "optuna": "asyncio.to_thread(study.optimize)",
    "ray": "Tuner.fit in a thread",
}
_PARTS = ("p50", "p99", "max")
# What a turn of trials in the loop takes at most.
_TURN_S = 0.0005
_FULL_S, _QUICK_S, _WARM_UP_S = 5.0, 0.5, 0.3


class Embed:
    """The lag of a host's event loop."""

    name = "embed"
    about = "how late the host's event loop is while a sweep runs in it: p50, p99 and the worst"
    notes = (
        "ms by which a task of the host wakes up late that sleeps 1 ms again and again, from the call that starts the search to its end.",
        "Trials do nothing, so that the library is what is busy; with two cores, it and its workers share them with the host.",
        "The sweeps keep a journal. raw is the idle loop, and one in which a task computes for half a ms at a time: no figure can be better.",
    )
    default_repetitions = 5

    def cases(self, options: Options) -> list[Case]:
        return [case for contestant in options.taking_part(self.name) for case in _of(contestant, options)]

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        return at_most(figures, {f"{OURS}_{kind}_p99": 3.0 for kind in _OURS})


def _of(contestant: Contestant, options: Options) -> Iterator[Case]:
    name = contestant.name
    if name == OURS:
        history = options.pick(1_000, 40, 20)
        for kind, how in _OURS.items():
            label = f"{name}, {how.format(history=history)}"
            yield _case(contestant, f"{name}_{kind}", label, options, kind=kind, history=history)
    else:
        if name == "raw":
            label = f"{name}, a loop that computes {1e3 * _TURN_S:g} ms at a time"
            yield _case(contestant, f"{name}_busy", label, options, turn_s=_TURN_S)
        yield _case(contestant, name, f"{name}, {_HOW.get(name, 'in a thread')}", options)


def _case(contestant: Contestant, key: str, label: str, options: Options, **further: Any) -> Case:
    seconds = options.pick(_FULL_S, _QUICK_S, _WARM_UP_S)
    names = {part: f"lag_ms_{part}" for part in _PARTS}
    return contested(contestant, "embed", key, label, "ms", names, seconds=seconds, **further)


WORKLOAD = Embed()
