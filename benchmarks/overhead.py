"""What a sweep costs beyond its objectives, measured beside Optuna, a hand-written loop and bare sockets.

    python benchmarks/overhead.py [--quick] [--repetitions N] [--backend asyncio|trio] [--json FILE]

`README.md` beside this file tells what each figure is. Everything is run once to warm up; then each repetition runs every
measurement once, in order, so that a minute in which the machine is busy slows all of them.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lag
import optuna
import peers
import raw
from figures import Figure, Goal, ratio, show
from objectives import REPORTS_PER_TRIAL
from sweeps import Sweeps

_LIBRARIES = ("asyncsweep", "optuna", "anyio", "trio", "msgpack", "msgspec")
_NOTES = (
    "Rates are trials, reports or round trips per second; ranges span all repetitions; x are ratios within a repetition.",
    "A sweep's clock starts at its first TrialStarted, a peer's when its processes are up: starting processes is not counted.",
    "Optuna and both hand-written loops but the one on Optuna's journal keep everything in memory; our processes journal.",
    "The loop lag is how late a task wakes up that sleeps 1 ms, while TPE asks with that many finished trials.",
)


@dataclass(frozen=True)
class Sizes:
    """How much work one sample is."""

    in_loop: int = 10_000
    processes: int = 10_000
    reporting: int = 1_000
    optuna: int = 2_000
    pool: int = 2_000
    pool_journaled: int = 100
    pool_reporting: int = 200
    round_trips: int = 30_000
    idle_s: float = 1.0
    history: int = 1_000
    asks: int = 100


_FULL = Sizes()
_QUICK = Sizes(1_000, 300, 50, 100, 100, 10, 10, 2_000, 0.05, 50, 10)
_WARM_UP = Sizes(500, 100, 10, 50, 50, 4, 4, 500, 0.02, 20, 4)


class Overhead:
    """The figures, and how a repetition is added to them."""

    def __init__(self, backend: str, folder: Path) -> None:
        self._backend = backend
        self._folder = folder
        self._sweeps = Sweeps(backend, folder)
        self.figures: dict[str, Figure] = {}

    def repeat(self, sizes: Sizes) -> None:
        """Measure everything once."""
        sweeps, backend = self._sweeps, self._backend
        file = sweeps.new_directory()
        self._rate("optuna", "Optuna, in memory", lambda: peers.optuna_in_memory(sizes.optuna))
        self._rate("in_loop", "sweep in the loop, in memory", lambda: sweeps.in_loop(sizes.in_loop))
        self._rate("in_loop_journaled", "sweep in the loop, journal", lambda: sweeps.in_loop_journaled(sizes.in_loop))
        self._rate("pool", "hand-written loop, 2 processes", lambda: peers.pool(sizes.pool))
        self._rate(
            "pool_journaled",
            "hand-written loop, 2 processes, journal",
            lambda: peers.pool_journaled(sizes.pool_journaled, file),
        )
        self._rate("processes", "sweep, 2 processes, journal", lambda: sweeps.processes(sizes.processes))
        self._rate(
            "round_trips", "bare socketpairs, 2 processes", lambda: raw.round_trips(sizes.round_trips), "trips/s"
        )
        self._rate(
            "pool_reports",
            "hand-written loop, 2 processes",
            lambda: peers.pool_reports(sizes.pool_reporting),
            "reports/s",
        )
        self._rate("reports", "sweep, 2 processes, journal", lambda: sweeps.reports(sizes.reporting), "reports/s")
        self._lag("lag_idle", "loop lag, idle", lambda: lag.idle(sizes.idle_s, backend))
        self._lag(
            "lag_tpe_by_hand",
            f"loop lag, hand-written loop, TPE in a thread at {sizes.history:,}",
            lambda: lag.tpe_by_hand(sizes.history, sizes.asks),
        )
        self._lag(
            "lag_tpe",
            f"loop lag, sweep, TPE in its host at {sizes.history:,}",
            lambda: lag.tpe(sizes.history, sizes.asks, sweeps, backend),
        )

    def compare(self) -> list[Goal]:
        """Add the ratios, and judge."""
        measured = self.figures
        pairs = (
            ("in_loop_by_optuna", "sweep in the loop, journal / Optuna, in memory", "in_loop_journaled", "optuna"),
            ("processes_by_pool", "sweep, 2 processes, journal / hand-written loop", "processes", "pool"),
            (
                "processes_by_pool_journaled",
                "sweep, 2 processes, journal / hand-written loop, journal",
                "processes",
                "pool_journaled",
            ),
            ("processes_by_round_trips", "sweep, 2 processes, journal / bare socketpairs", "processes", "round_trips"),
            ("reports_by_pool", "reports: sweep, journal / hand-written loop", "reports", "pool_reports"),
        )
        for key, label, above, below in pairs:
            measured[key] = ratio(key, label, measured[above], measured[below])
        return [
            Goal(measured["in_loop_by_optuna"], 5),
            Goal(measured["processes"], 10_000),
            Goal(measured["reports"], 60_000),
            Goal(measured["lag_tpe_p99"], 5, at_most=True),
        ]

    def _rate(self, key: str, label: str, measure: Callable[[], float], unit: str = "trials/s") -> None:
        gc.collect()
        self._add(key, label, unit, measure())

    def _lag(self, key: str, label: str, measure: Callable[[], lag.Lag]) -> None:
        gc.collect()
        for name, value in measure()._asdict().items():
            self._add(f"{key}_{name}", f"{label}, {name}", "ms", value)

    def _add(self, key: str, label: str, unit: str, sample: float) -> None:
        self.figures.setdefault(key, Figure(key, label, unit)).samples.append(sample)


def setting(backend: str, repetitions: int, folder: Path) -> dict[str, Any]:
    """Where and with what it was measured."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES if _is_installed(name))
    return {
        "versions": f"{platform.python_implementation()} {platform.python_version()}, {versions}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average_before": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
        "backend": f"{backend} (peers and bare socketpairs: asyncio)",
        "repetitions": repetitions,
        "space": f"8 mixed parameters, random sampler; {REPORTS_PER_TRIAL} reports a trial where reports are counted",
        "journals_on": _file_system(folder),
    }


def main() -> None:
    options = _options()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        folder = Path(name)
        described = setting(options.backend, options.repetitions, folder)
        Overhead(options.backend, folder).repeat(_WARM_UP)
        overhead = Overhead(options.backend, folder)
        for _ in range(options.repetitions):
            overhead.repeat(_QUICK if options.quick else _FULL)
        goals = overhead.compare()
    described["load_average_after"] = ", ".join(f"{load:.2f}" for load in os.getloadavg())
    notes = (*_NOTES, "--quick: samples this small say little.") if options.quick else _NOTES
    show(described, list(overhead.figures.values()), goals, notes)
    if options.json is not None:
        content = {
            "setting": described,
            "quick": options.quick,
            "figures": {key: figure.as_json() for key, figure in overhead.figures.items()},
            "goals": [goal.as_json() for goal in goals],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what a sweep costs, beside Optuna.")
    parser.add_argument("--quick", action="store_true", help="tiny samples: to see that it works, not how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    parser.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio", help="the sweep's event loop")
    parser.add_argument("--repetitions", type=_positive, metavar="N", help="samples of each figure (5; 1 with --quick)")
    options = parser.parse_args()
    if options.repetitions is None:
        options.repetitions = 1 if options.quick else 5
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _file_system(folder: Path) -> str:
    """The type of file system that `fsync` goes to; set TMPDIR to measure another one."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    found = ("", "unknown")
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, point, kind, *_ = line.split()
        if folder.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]


if __name__ == "__main__":
    main()
