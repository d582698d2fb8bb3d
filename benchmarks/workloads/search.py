"""What searching costs: how long workers wait for parameters, how late the host's loop is, what one ask takes.

How good what it finds is, is measured by `quality`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import optuna

from benchmarks.harness.cases import Case, Options, contested
from benchmarks.harness.figures import OURS, Figure, Goal, add_ratios, at_most
from benchmarks.searching import lateness, waits
from benchmarks.searching.asking import Ours
from benchmarks.searching.naps import TRIAL_S
from benchmarks.searching.waits import WORKERS, Histories, Limits, Waits

_BY_HAND = "by_hand"
_LIMITS = Limits(settle_s=2.0, measured_s=8.0, trials=800)


@dataclass(frozen=True)
class Sizes:
    """How much work one sample is.

    Attributes:
        histories: Finished trials before the sweeps and loops whose waits are measured.
        asked: Finished trials before the asks that are timed by themselves.
        n_asks: How many of these.
        limits: How long a sweep or loop runs.
        idle_s: How long the lag of an idle loop is measured.
    """

    histories: tuple[int, int] = (1_000, 10_000)
    asked: tuple[int, ...] = (100, 1_000, 10_000)
    n_asks: int = 30
    limits: Limits = _LIMITS
    idle_s: float = 1.0


_FULL = Sizes()
_QUICK = Sizes((30, 60), (20, 50), 5, Limits(0.1, 0.5, 60), 0.05)
_WARM_UP = Sizes((20, 30), (20,), 2, Limits(0.05, 0.3, 40), 0.02)


class Search:
    """Waits, lags and asks with thousands of finished trials."""

    name = "search"
    about = "how long workers wait for parameters with 1,000 and 10,000 trials behind them, the loop's lag, the cost of an ask"
    notes = (
        f"8 mixed parameters; {WORKERS} workers with {TRIAL_S * 1000:.0f} ms trials need {WORKERS / TRIAL_S:.0f} suggestions a second.",
        "A wait is from the end of a trial to the beginning of the next in its worker. busy is the share of the workers' time that trials had.",
        "The random sampler answers at once: its wait is the way there and back.",
        "on the loop, in threads: a hand-written asyncio loop that asks Optuna's TPE where a slot is free, or in asyncio.to_thread.",
        "The lag is how late a task wakes up that sleeps 1 ms; that of the start spans reading the history and telling the sampler.",
        "ask: one suggestion by itself, of each contestant's default model; in a hurry: eight at once, as the sampler host asks for.",
    )
    default_repetitions = 3

    def cases(self, options: Options) -> list[Case]:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sizes = options.pick(_FULL, _QUICK, _WARM_UP)
        return [*_waiting(Histories(options.folder), sizes, options.backend), *self._asking(sizes, options)]

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        histories = sorted(int(key.split("_")[1]) for key in figures if key.startswith("tpe_") and key.endswith("busy"))
        for history in histories:
            key, label = f"loop_by_tpe_{history}", f"wait: Optuna on the loop / sweep, tpe, at {history:,}"
            add_ratios(figures, [(key, label, f"loop_{history}_wait_p50", f"tpe_{history}_wait_p50")])
        goals = {f"tpe_{history}_wait_p50": 1.0 for history in histories}
        if histories:
            most = histories[-1]
            goals |= {f"tpe_{most}_lag_p99": 5, f"tpe_{most}_lag_max": 50, f"tpe_{most}_lag_of_start_max": 50}
        hurried = sorted(int(key.rpartition("_")[2]) for key in figures if key.startswith("hurried_"))
        return at_most(figures, goals | {f"hurried_{count}": 5.0 for count in hurried})

    def _asking(self, sizes: Sizes, options: Options) -> Iterator[Case]:
        for count in sizes.asked:
            at = f"at {count:,}"
            for contestant in options.taking_part(self.name):
                yield contested(
                    contestant,
                    self.name,
                    f"ask_{contestant.name}_{count}",
                    f"ask, {contestant.name} {at}",
                    "ms",
                    {"p50": "ask_ms_p50", "p99": "ask_ms_p99"},
                    history=count,
                    n_asks=sizes.n_asks,
                )
            ours = Ours(count)
            yield _one(f"alone_{count}", f"ask and tell, ours {at}", "ms", ours.alone)
            yield _one(f"hurried_{count}", f"the same in a hurry {at}", "ms", ours.hurried)
            yield _one(f"retold_{count}", f"one trial of the history retold, ours {at}", "us", ours.retelling, 1)


def _waiting(histories: Histories, sizes: Sizes, backend: str) -> Iterator[Case]:
    yield Case("lag_idle", "lag, idle", "ms", lambda: lateness.idle(sizes.idle_s, backend)._asdict())
    limits = sizes.limits
    for history in sizes.histories:

        def of_sweep(sampler: str, history: int = history) -> Waits:
            return waits.of_sweep(histories.directory(history), history, limits, backend, sampler)

        def on_the_loop(history: int = history) -> Waits:
            return waits.of_asking_on_the_loop(histories.study(history), limits)

        def in_threads(history: int = history) -> Waits:
            return waits.of_asking_in_threads(histories.study(history), limits)

        at = f"at {history:,}"
        yield _wait(f"loop_{history}", f"Optuna on the loop {at}", on_the_loop, _BY_HAND)
        yield _wait(f"threads_{history}", f"Optuna in threads {at}", in_threads, _BY_HAND)
        yield _wait(f"tpe_{history}", f"sweep, tpe {at}", partial(of_sweep, "tpe"))
        if history == sizes.histories[-1]:
            yield _wait(f"random_{history}", f"sweep, random {at}", partial(of_sweep, "random"))


def _wait(key: str, label: str, measure: Callable[[], Waits], contestant: str = OURS) -> Case:
    def measured() -> dict[str, float]:
        found = measure()
        sample = {"wait p50": found.p50, "wait p99": found.p99, "busy": 100 * found.busy}
        if found.ask_ms is not None:
            sample["ask"] = found.ask_ms
        sample |= {f"lag {name}": value for name, value in found.lag._asdict().items()}
        if found.lag_of_start is not None:
            sample |= {f"lag of start {name}": value for name, value in found.lag_of_start._asdict().items()}
        return sample

    less = "keeps nothing on disk; trials are sleeps on its loop" if contestant == _BY_HAND else ""
    return Case(key, label, "ms", measured, contestant, less, units={"busy": "%"})


def _one(key: str, label: str, unit: str, measure: Callable[[], float], most_repetitions: int = 0) -> Case:
    return Case(key, label, unit, lambda: {"": measure()}, most_repetitions=most_repetitions)


WORKLOAD = Search()
