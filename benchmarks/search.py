"""What searching costs: how long workers wait for parameters, how late the host's loop is, and what a report costs a pruner.

    python benchmarks/search.py [--quick] [--repetitions N] [--backend asyncio|trio] [--json FILE]

`README.md` beside this file tells what each figure is; `quality.py` measures how good the search is. Each repetition runs every
measurement once, in order, so that a minute in which the machine is busy slows all of them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import lag
import optuna
import overhead
import pruners
import search_waits
from figures import Figure, Goal, ratio, show
from search_naps import TRIAL_S
from search_waits import WORKERS, Histories, Limits, Waits

_NOTES = (
    "A wait is from the end of a trial to the beginning of the next in its worker. Ranges span all repetitions.",
    "busy is the share of the workers' time that trials had. The random sampler answers at once: its wait is the way there and back.",
    "on the loop, in threads: a hand-written asyncio loop that asks Optuna's TPE where a slot is free, or in asyncio.to_thread.",
    f"{WORKERS} workers with {TRIAL_S * 1000:.0f} ms trials need {WORKERS / TRIAL_S:.0f} suggestions a second.",
    "The loop lag is how late a task wakes up that sleeps 1 ms; that of the start spans reading the history and telling the sampler.",
    "us: microseconds for one report and the verdict on it (see pruners.py).",
)


_LIMITS = Limits(settle_s=2.0, measured_s=8.0, trials=800)


@dataclass(frozen=True)
class Sizes:
    """How much work one sample is."""

    few: int = 1_000
    many: int = 10_000
    limits: Limits = _LIMITS
    idle_s: float = 1.0
    our_reports: int = 10_000
    their_reports: int = 200


_FULL = Sizes()
_QUICK = Sizes(30, 60, Limits(0.1, 0.5, 60), 0.05, 200, 50)


class Searching:
    """The figures, and how a repetition is added to them."""

    def __init__(self, backend: str, sizes: Sizes, folder: Path) -> None:
        self._backend = backend
        self._sizes = sizes
        self._histories = Histories(folder)
        self.figures: dict[str, Figure] = {}

    def repeat(self) -> None:
        """Measure everything once."""
        sizes = self._sizes
        self._lag("lag_idle", "loop lag, idle", lag.idle(sizes.idle_s, self._backend))
        for name, history in (("few", sizes.few), ("many", sizes.many)):
            at = f"at {history:,}"
            self._waits(f"loop_{name}", f"Optuna on the loop {at}", self._on_the_loop(history))
            self._waits(f"threads_{name}", f"Optuna in threads {at}", self._in_threads(history))
            self._waits(f"tpe_{name}", f"sweep, tpe {at}", self._of_sweep(history, "tpe"))
        found = self._of_sweep(sizes.many, "random")
        self._waits("random_many", f"sweep, random at {sizes.many:,}", found)

    def judge_reports(self, repetitions: int) -> None:
        """Measure what a report and its verdict cost; `pruners.py` repeats by itself."""
        sizes = self._sizes
        found = pruners.measure((sizes.few, sizes.many), repetitions, sizes.our_reports, sizes.their_reports)
        self.figures |= {figure.key: figure for figure in found}

    def compare(self) -> list[Goal]:
        """Add the ratios, and judge."""
        measured = self.figures
        for name, history in (("few", self._sizes.few), ("many", self._sizes.many)):
            key = f"loop_by_tpe_{name}"
            label = f"wait: Optuna on the loop / sweep, tpe, at {history:,}"
            measured[key] = ratio(key, label, measured[f"wait_loop_{name}_p50"], measured[f"wait_tpe_{name}_p50"])
        return [
            Goal(measured["wait_tpe_few_p50"], 1, at_most=True),
            Goal(measured["wait_tpe_many_p50"], 1, at_most=True),
            Goal(measured["lag_tpe_many_p99"], 5, at_most=True),
            Goal(measured["lag_tpe_many_max"], 50, at_most=True),
            Goal(measured["lag_of_start_tpe_many_max"], 50, at_most=True),
            Goal(measured[f"median_{self._sizes.many}_ratio"], 20),
            Goal(measured[f"asha_{self._sizes.many}_ratio"], 20),
        ]

    def _of_sweep(self, history: int, sampler: str) -> Waits:
        gc.collect()
        directory = self._histories.directory(history)
        return search_waits.of_sweep(directory, history, self._sizes.limits, self._backend, sampler)

    def _on_the_loop(self, history: int) -> Waits:
        gc.collect()
        return search_waits.of_asking_on_the_loop(self._histories.study(history), self._sizes.limits)

    def _in_threads(self, history: int) -> Waits:
        gc.collect()
        return search_waits.of_asking_in_threads(self._histories.study(history), self._sizes.limits)

    def _waits(self, key: str, label: str, found: Waits) -> None:
        self._add(f"wait_{key}_p50", f"wait, {label}, p50", "ms", found.p50)
        self._add(f"wait_{key}_p99", f"wait, {label}, p99", "ms", found.p99)
        self._add(f"busy_{key}", f"busy, {label}", "%", 100 * found.busy)
        if found.ask_ms is not None:
            self._add(f"ask_{key}", f"one ask, {label}, p50", "ms", found.ask_ms)
        self._lag(f"lag_{key}", f"loop lag, {label}", found.lag)
        if found.lag_of_start is not None:
            self._lag(f"lag_of_start_{key}", f"loop lag, start of {label}", found.lag_of_start)

    def _lag(self, key: str, label: str, found: lag.Lag) -> None:
        for name, value in found._asdict().items():
            self._add(f"{key}_{name}", f"{label}, {name}", "ms", value)

    def _add(self, key: str, label: str, unit: str, sample: float) -> None:
        self.figures.setdefault(key, Figure(key, label, unit)).samples.append(sample)


def main() -> None:
    options = _options()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    began_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="search-") as name:
        folder = Path(name)
        described = overhead.setting(options.backend, options.repetitions, folder)
        described["space"] = f"8 mixed parameters; {WORKERS} workers, {TRIAL_S * 1000:.0f} ms trials"
        searching = Searching(options.backend, _QUICK if options.quick else _FULL, folder)
        for _ in range(options.repetitions):
            searching.repeat()
        searching.judge_reports(options.repetitions)
        goals = searching.compare()
    described["load_average_after"] = ", ".join(f"{load:.2f}" for load in os.getloadavg())
    described["took"] = f"{time.monotonic() - began_at:.0f} s"
    notes = (*_NOTES, "--quick: samples this small say little.") if options.quick else _NOTES
    show(described, list(searching.figures.values()), goals, notes)
    if options.json is not None:
        content = {
            "setting": described,
            "quick": options.quick,
            "figures": {key: figure.as_json() for key, figure in searching.figures.items()},
            "goals": [goal.as_json() for goal in goals],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what searching costs, beside Optuna.")
    parser.add_argument("--quick", action="store_true", help="tiny samples: to see that it works, not how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    parser.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio", help="the sweep's event loop")
    parser.add_argument("--repetitions", type=_positive, metavar="N", help="samples of each figure (3; 1 with --quick)")
    options = parser.parse_args()
    if options.repetitions is None:
        options.repetitions = 1 if options.quick else 3
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


if __name__ == "__main__":
    main()
