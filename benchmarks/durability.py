"""What durability costs, and what it is worth, beside Optuna's JournalStorage and SQLite.

    python benchmarks/durability.py [--quick] [--repetitions N] [--json FILE]

`README.md` beside this file tells what each figure is. Each repetition runs every measurement once, ours and theirs in turn, so
that a minute in which the machine is busy slows all of them.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import durability_cuts
import durability_files
import durability_open
import optuna
import overhead
from durability_rates import WORKERS, Rates
from durability_space import REPORTS_PER_TRIAL
from figures import Figure, Goal, ratio, show

_NOTES = (
    "Rates are trials per second; ranges span all repetitions; x are ratios within a repetition.",
    "fsync always and both of Optuna's storages wait for the disk; batch syncs within 50 ms, beside the loop; never leaves it to the system.",
    "Opening is done in a fresh process each: until every trial is known. compacted: a snapshot in place of what happened.",
    "A sweep compacts its journal at 32 MiB, and again when it has doubled: real ones of this size lie between the two.",
    "Memory is how much more the process has than before it opened: resident afterwards, and at most.",
    "Cuts: files cut at random bytes, gone on with twice, read again. Unreadable: an error on the way. Lossy: an ended trial is gone.",
    "The files that are opened were written in their own layouts; that Optuna writes the same is checked at the start.",
)
_PEERS = {"journal_storage": "Optuna JournalStorage", "sqlite": "Optuna SQLite"}
_OPEN_LIMIT_S = 900.0
# What is opened first in each process, so that the figures are of the trials alone.
_SMALL = 10


@dataclass(frozen=True)
class Sizes:
    """How much work one sample is."""

    in_loop: int = 5_000
    always: int = 500
    processes: int = 5_000
    peers: int = 50
    few: int = 28_000
    many: int = 100_000
    cuts: int = 300
    cut_trials: int = 25


_FULL = Sizes()
_QUICK = Sizes(300, 50, 100, 5, 2_000, 5_000, 20, 8)


class Durability:
    """The figures, and how measurements are added to them."""

    def __init__(self, sizes: Sizes, folder: Path) -> None:
        self._sizes = sizes
        self._folder = folder
        self._rates = Rates(folder)
        self._files: dict[tuple[str, int], Path] = {}
        self.figures: dict[str, Figure] = {}

    def rate(self) -> None:
        """Measure every rate once."""
        sizes, rates = self._sizes, self._rates
        self._rate("journal_storage", _PEERS["journal_storage"], lambda: rates.journal_storage(sizes.peers))
        self._rate("batch", "sweep in the loop, fsync batch", lambda: rates.in_loop(sizes.in_loop, "batch"))
        self._rate("sqlite", _PEERS["sqlite"], lambda: rates.sqlite(sizes.peers))
        self._rate("always", "sweep in the loop, fsync always", lambda: rates.in_loop(sizes.always, "always"))
        self._rate("never", "sweep in the loop, fsync never", lambda: rates.in_loop(sizes.in_loop, "never"))
        self._rate("processes", f"sweep, {WORKERS} processes, batch", lambda: rates.processes(sizes.processes, "batch"))

    def write(self) -> None:
        """Write the searches that will be opened, and measure their size."""
        folder = self._folder
        for count in (_SMALL, self._sizes.few, self._sizes.many):
            of = {kind: folder / f"{kind}-{count}" for kind in ("sweep", "compacted", *_PEERS)}
            machine = durability_files.write_sweep(of["sweep"], count)
            durability_files.write_compacted(of["compacted"], machine)
            del machine
            durability_files.write_journal_storage(of["journal_storage"], durability_files.drawn(count))
            durability_files.write_sqlite(of["sqlite"], durability_files.drawn(count))
            self._files |= {(kind, count): path for kind, path in of.items()}
        for kind, label in {"sweep": "sweep", "compacted": "sweep, compacted", **_PEERS}.items():
            path = self._files[kind, self._sizes.many]
            size = sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir()))
            self._add(f"bytes_{kind}", f"bytes a trial on disk, {label}", "B", size / self._sizes.many)

    def open(self, count: int, *, peers: bool) -> None:
        """Open every search of a size once."""
        kinds = {"sweep": "sweep", "compacted": "sweep, compacted", **(_PEERS if peers else {})}
        for kind, label in kinds.items():
            reader = kind if kind in _PEERS else "sweep"
            found = durability_open.opened(reader, self._files[kind, count], self._files[kind, _SMALL], _OPEN_LIMIT_S)
            if found.n_trials != count:
                raise RuntimeError(f"{label}: {found.n_trials} of {count} trials were opened")
            of = f"{count:,} trials, {label}"
            self._add(f"open_{kind}_{count}", f"open {of}", "s", found.seconds)
            self._add(f"resident_{kind}_{count}", f"memory a trial, {of}", "B", found.resident / count)
            self._add(f"peak_{kind}_{count}", f"the same at most, {of}", "B", found.peak / count)

    def cut(self) -> None:
        """Cut files, go on with them and read them."""
        sizes = self._sizes
        for key, label, measure in (
            ("sweep", "sweep", durability_cuts.of_sweeps),
            ("journal_storage", _PEERS["journal_storage"], durability_cuts.of_journal_storage),
        ):
            found = measure(self._folder, sizes.cuts, sizes.cut_trials)
            self._add(f"unreadable_{key}", f"unreadable of {sizes.cuts} cut, {label}", "files", found.unreadable)
            if key == "sweep":
                for error in found.errors:
                    print(f"unreadable: {error}", file=sys.stderr)
            self._add(f"lossy_{key}", f"lossy of {sizes.cuts} cut, {label}", "files", found.lossy)

    def compare(self) -> list[Goal]:
        """Add the ratios, and judge."""
        measured, many = self.figures, self._sizes.many
        pairs = (
            ("batch_by_journal_storage", "fsync batch / JournalStorage", "batch", "journal_storage"),
            ("always_by_journal_storage", "fsync always / JournalStorage", "always", "journal_storage"),
            ("batch_by_sqlite", "fsync batch / SQLite", "batch", "sqlite"),
            ("bytes_by_journal_storage", "bytes: sweep / JournalStorage", "bytes_sweep", "bytes_journal_storage"),
        )
        for key, label, above, below in pairs:
            measured[key] = ratio(key, label, measured[above], measured[below])
        return [
            Goal(measured["batch_by_journal_storage"], 20),
            Goal(measured[f"open_sweep_{many}"], 3, at_most=True),
            Goal(measured[f"open_compacted_{many}"], 3, at_most=True),
            Goal(measured[f"resident_sweep_{many}"], 1024, at_most=True),
            Goal(measured[f"resident_compacted_{many}"], 1024, at_most=True),
            Goal(measured["bytes_by_journal_storage"], 0.5, at_most=True),
            Goal(measured["unreadable_sweep"], 0, at_most=True),
            Goal(measured["lossy_sweep"], 0, at_most=True),
        ]

    def _rate(self, key: str, label: str, measure: Callable[[], float]) -> None:
        gc.collect()
        self._add(key, label, "trials/s", measure())

    def _add(self, key: str, label: str, unit: str, sample: float) -> None:
        self.figures.setdefault(key, Figure(key, label, unit)).samples.append(sample)


def main() -> None:
    options = _options()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("asyncsweep").setLevel(logging.ERROR)  # each torn tail is a warning
    began_at = time.monotonic()
    sizes = _QUICK if options.quick else _FULL
    with tempfile.TemporaryDirectory(prefix="durability-") as name:
        folder = Path(name)
        described = overhead.setting("asyncio", options.repetitions, folder)
        described["space"] = (
            f"10 mixed parameters, random sampler; {REPORTS_PER_TRIAL} reports a trial where files are opened"
        )
        durability_files.check_layouts(folder)
        durability = Durability(sizes, folder)
        for _ in range(options.repetitions):
            durability.rate()
        durability.write()
        for repetition in range(options.repetitions):
            durability.open(sizes.few, peers=True)
            durability.open(sizes.many, peers=repetition == 0)  # Optuna's take minutes
        durability.cut()
        goals = durability.compare()
    described["load_average_after"] = ", ".join(f"{load:.2f}" for load in os.getloadavg())
    described["took"] = f"{time.monotonic() - began_at:.0f} s"
    notes = (*_NOTES, "--quick: samples this small say little.") if options.quick else _NOTES
    show(described, list(durability.figures.values()), goals, notes)
    if options.json is not None:
        content = {
            "setting": described,
            "quick": options.quick,
            "figures": {key: figure.as_json() for key, figure in durability.figures.items()},
            "goals": [goal.as_json() for goal in goals],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what durability costs and is worth, beside Optuna.")
    parser.add_argument("--quick", action="store_true", help="tiny samples: to see that it works, not how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
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
