"""How much of their workers' time contestants spend in objectives, which sleep for some milliseconds here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.harness.cases import Case, Options
from benchmarks.harness.contestants import Answer, Contestant
from benchmarks.harness.figures import OURS, Figure, Goal, at_least


class Naps(NamedTuple):
    """How long trials sleep: uniformly from `low_ms` to `high_ms`."""

    low_ms: int
    high_ms: int

    @property
    def mean_s(self) -> float:
        return (self.low_ms + self.high_ms) / 2000


_SHORT, _LONG = Naps(10, 50), Naps(50, 250)
_WORKERS = (2, 8, 32)
_FULL_S, _QUICK_S, _WARM_UP_S = 8.0, 0.6, 0.3
_LEAST_TRIALS = 6  # of a worker
_WHOLE = "with start and end"


class Utilisation:
    """The share of the workers' time that trials had."""

    name = "utilisation"
    about = (
        "trials that sleep 10 to 50 and 50 to 250 ms on 2, 8 and 32 workers: the share of their time that trials had"
    )
    notes = (
        "% of the time of all workers that was spent in objectives, by time stamps that these write themselves.",
        "From when all workers are busy for the first time (if they never are, from the first trial's begin) to the last trial's begin: while there is work for all.",
        f"{_WHOLE}: from the first trial's begin to the last one's end, with processes that still start, and workers that are done.",
        "lost at the start, at the end: of that time, what no trial had before all workers were busy, and after the last trial's begin.",
        f"--set seconds=N makes a run so long (default: {_FULL_S:g}), --set workers=8,32 measures these numbers of workers.",
    )
    default_repetitions = 3

    def cases(self, options: Options) -> list[Case]:
        workers = options.pick(_WORKERS, _WORKERS[:2], _WORKERS[:1])
        if "workers" in options.extra:
            workers = tuple(int(number) for number in options.extra["workers"].split(","))
        ways = [(naps, n_workers) for naps in (_SHORT, _LONG) for n_workers in workers]
        return [case for naps, n_workers in ways for case in self._of(naps, n_workers, options)]

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        return at_least(figures, {_key(OURS, _LONG, 8): 99, _key(OURS, _LONG, 32): 97})

    def _of(self, naps: Naps, workers: int, options: Options) -> Iterator[Case]:
        seconds = options.pick(float(options.extra.get("seconds", _FULL_S)), _QUICK_S, _WARM_UP_S)
        n_trials = workers * max(round(seconds / naps.mean_s), _LEAST_TRIALS)
        for contestant in options.taking_part(self.name):
            yield _case(contestant, naps, workers, n_trials)


def _case(contestant: Contestant, naps: Naps, workers: int, n_trials: int) -> Case:
    most = contestant.most.get("utilisation", n_trials)

    def measure() -> Mapping[str, float]:
        answer = contestant.call(
            "utilisation",
            workers=workers,
            low_s=naps.low_ms / 1000,
            high_s=naps.high_ms / 1000,
            n_trials=min(n_trials, most),
        )
        names = {"": "share", _WHOLE: "share_whole", "lost at the start": "lost_start", "lost at the end": "lost_end"}
        shares = Answer({label: 100 * answer[name] for label, name in names.items()})
        shares.does_less = answer.does_less
        return shares

    label = f"{contestant.name}, {workers} workers, {naps.low_ms} to {naps.high_ms} ms"
    less = contestant.less.get("utilisation", "")
    repetitions = 0 if most >= n_trials else 1  # the slow ones
    return Case(_key(contestant.name, naps, workers), label, "%", measure, contestant.name, less, {}, repetitions)


def _key(name: str, naps: Naps, workers: int) -> str:
    return f"{name}_{workers}_{naps.low_ms}_{naps.high_ms}"


WORKLOAD = Utilisation()
