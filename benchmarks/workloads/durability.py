"""What durability costs, and what it is worth, beside Optuna's JournalStorage and SQLite.

Rates are measured again and again; large searches are written once, in the layout of each, and then opened in fresh processes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna

from benchmarks.durability import cuts, files, opening
from benchmarks.durability.files import REPORTS_PER_TRIAL
from benchmarks.durability.rates import WORKERS, Rates
from benchmarks.harness.cases import Case, Options
from benchmarks.harness.figures import OURS, Figure, Goal, add_ratios, at_least, at_most

_PEERS = {"journal_storage": "Optuna JournalStorage", "sqlite": "Optuna SQLite"}
_OURS = {"sweep": "sweep", "compacted": "sweep, compacted"}
_OPTUNA = "optuna"
_OPEN_LIMIT_S = 900.0
# What is opened first in each process, so that the figures are of the trials alone.
_SMALL = 10
_BATCH = "is on the disk within 50 ms, not before anything else happens"
_NEVER = "never asks for the disk: a power loss may take everything"


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
_WARM_UP = Sizes(100, 10, 20, 2, 20, 30, 2, 4)


class Durability:
    """Rates with everything on disk, bytes and memory a trial, opening, files that were cut."""

    name = "durability"
    about = "what durability costs and is worth: rates, bytes, opening large searches, files that were cut"
    notes = (
        f"10 mixed parameters drawn at random; {REPORTS_PER_TRIAL} reports a trial where files are opened. x are ratios within a repetition.",
        "fsync always and both of Optuna's storages wait for the disk; batch syncs within 50 ms, beside the loop; never leaves it to the system.",
        "Opening is done in a fresh process each: until every trial is known. compacted: a snapshot in place of what happened.",
        "A sweep compacts its journal at 32 MiB, and again when it has doubled: real ones of this size lie between the two.",
        "Memory is how much more the process has than before it opened: resident afterwards, and at most.",
        "Cuts: files cut at random bytes, gone on with twice, read again. Unreadable: an error on the way. Lossy: an ended trial is gone.",
        "The files that are opened were written in their own layouts; that Optuna writes the same is checked at the start.",
    )
    default_repetitions = 3

    def cases(self, options: Options) -> list[Case]:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        logging.getLogger("asyncsweep").setLevel(logging.ERROR)  # each torn tail is a warning
        sizes, folder = options.pick(_FULL, _QUICK, _WARM_UP), options.folder
        files.check_layouts(folder)
        written = _write(folder, (_SMALL, sizes.few, sizes.many))
        return [
            *_rates(Rates(folder), sizes),
            *_bytes(written, sizes.many),
            *_opened(written, sizes.few, most=0),
            *_opened(written, sizes.many, most=1),  # Optuna's take minutes
            *_cut(folder, sizes),
        ]

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        many = max((int(key.rpartition("_")[2]) for key in figures if key.startswith("open_sweep_")), default=0)
        ratios = (
            ("batch_by_journal_storage", "fsync batch / JournalStorage", "batch", "journal_storage"),
            ("always_by_journal_storage", "fsync always / JournalStorage", "always", "journal_storage"),
            ("batch_by_sqlite", "fsync batch / SQLite", "batch", "sqlite"),
            ("bytes_by_journal_storage", "bytes: sweep / JournalStorage", "bytes_sweep", "bytes_journal_storage"),
        )
        add_ratios(figures, ratios)
        memory = {f"memory_{kind}_{many}_resident": 1024.0 for kind in _OURS}
        opened = {f"open_{kind}_{many}": 3.0 for kind in _OURS}
        rest = {"bytes_by_journal_storage": 0.5, "unreadable_sweep": 0, "lossy_sweep": 0}
        return [*at_least(figures, {"batch_by_journal_storage": 20}), *at_most(figures, opened | memory | rest)]


def _write(folder: Path, sizes: tuple[int, ...]) -> dict[tuple[str, int], Path]:
    """Write the searches that will be opened."""
    written = {(kind, count): folder / f"{kind}-{count}" for count in sizes for kind in (*_OURS, *_PEERS)}
    for count in sizes:
        machine = files.write_sweep(written["sweep", count], count)
        files.write_compacted(written["compacted", count], machine)
        del machine
        files.write_journal_storage(written["journal_storage", count], files.drawn(count))
        files.write_sqlite(written["sqlite", count], files.drawn(count))
    return written


def _rates(rates: Rates, sizes: Sizes) -> Iterator[Case]:
    def rate(key: str, label: str, measure: Callable[[], float], does_less: str = "") -> Case:
        whose = _OPTUNA if key in _PEERS else OURS
        return Case(key, label, "trials/s", lambda: {"": measure()}, whose, does_less)

    yield rate("journal_storage", _PEERS["journal_storage"], lambda: rates.journal_storage(sizes.peers))
    yield rate("batch", "sweep in the loop, fsync batch", lambda: rates.in_loop(sizes.in_loop, "batch"), _BATCH)
    yield rate("sqlite", _PEERS["sqlite"], lambda: rates.sqlite(sizes.peers))
    yield rate("always", "sweep in the loop, fsync always", lambda: rates.in_loop(sizes.always, "always"))
    yield rate("never", "sweep in the loop, fsync never", lambda: rates.in_loop(sizes.in_loop, "never"), _NEVER)
    label = f"sweep, {WORKERS} processes, batch"
    yield rate("processes", label, lambda: rates.processes(sizes.processes, "batch"), _BATCH)


def _bytes(written: Mapping[tuple[str, int], Path], count: int) -> Iterator[Case]:
    for kind, label in (_OURS | _PEERS).items():

        def measure(path: Path = written[kind, count]) -> dict[str, float]:
            return {"": sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir())) / count}

        whose = _OPTUNA if kind in _PEERS else OURS
        yield Case(f"bytes_{kind}", f"bytes a trial on disk, {label}", "B", measure, whose)


def _opened(written: Mapping[tuple[str, int], Path], count: int, most: int) -> Iterator[Case]:
    """Two cases for each: the first opens it and gives seconds, the second what that process said of its memory."""
    for kind, label in (_OURS | _PEERS).items():
        found: list[opening.Opened] = []

        def open_it(kind: str = kind, label: str = label, found: list[opening.Opened] = found) -> dict[str, float]:
            reader = kind if kind in _PEERS else "sweep"
            opened = opening.opened(reader, written[kind, count], written[kind, _SMALL], _OPEN_LIMIT_S)
            if opened.n_trials != count:
                raise RuntimeError(f"{label}: {opened.n_trials} of {count} trials were opened")
            found[:] = [opened]
            return {"": opened.seconds}

        def memory(found: list[opening.Opened] = found) -> dict[str, float]:
            (opened,) = found
            return {"resident": opened.resident / count, "peak": opened.peak / count}

        whose, times = (_OPTUNA, most) if kind in _PEERS else (OURS, 0)
        of = f"{count:,} trials, {label}"
        yield Case(f"open_{kind}_{count}", f"open {of}", "s", open_it, whose, most_repetitions=times)
        yield Case(f"memory_{kind}_{count}", f"memory a trial, {of}", "B", memory, whose, most_repetitions=times)


def _cut(folder: Path, sizes: Sizes) -> Iterator[Case]:
    measures = {"sweep": cuts.of_sweeps, "journal_storage": cuts.of_journal_storage}
    for kind, measure in measures.items():
        found: list[cuts.Cuts] = []

        def cut(
            measure: Callable[[Path, int, int], cuts.Cuts] = measure, found: list[cuts.Cuts] = found
        ) -> dict[str, float]:
            found[:] = [measure(folder, sizes.cuts, sizes.cut_trials)]
            return {"": found[0].unreadable}

        def lossy(found: list[cuts.Cuts] = found) -> dict[str, float]:
            return {"": found[0].lossy}

        whose, of = (_OPTUNA if kind in _PEERS else OURS), f"of {sizes.cuts} cut, {(_OURS | _PEERS)[kind]}"
        yield Case(f"unreadable_{kind}", f"unreadable {of}", "files", cut, whose, most_repetitions=1)
        yield Case(f"lossy_{kind}", f"lossy {of}", "files", lossy, whose, most_repetitions=1)


WORKLOAD = Durability()
