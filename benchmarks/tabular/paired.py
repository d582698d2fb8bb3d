"""How far our regrets are from Optuna's, taken within a seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import mean, stdev

from scipy.stats import t as student

from benchmarks.harness.figures import Figure


def interval(samples: Sequence[float]) -> tuple[float, float]:
    """Where the mean of paired differences lies with 95 % confidence by Student's t; two samples at least."""
    half = float(student.ppf(0.975, len(samples) - 1)) * stdev(samples) / math.sqrt(len(samples))
    return mean(samples) - half, mean(samples) + half


def add_difference(figures: dict[str, Figure], key: str, label: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Add the mean of the differences between figures, for each repetition, and as `key_up_to` the upper end of its interval.

    Args:
        figures: Those that were measured; a pair of which one failed does not count.
        key: Of the difference.
        label: Of the difference.
        pairs: Keys, ours and Optuna's.
    """
    paired = [
        [one - other for one, other in zip(figures[ours].samples, figures[theirs].samples, strict=True)]
        for ours, theirs in pairs
        if ours in figures and theirs in figures
    ]
    if not paired:
        return
    samples = [mean(of_seed) for of_seed in zip(*paired, strict=True)]
    figures[key] = Figure(key, label, "regret", samples, "")
    if len(samples) > 1:
        figures[f"{key}_up_to"] = Figure(f"{key}_up_to", f"{label}, up to", "regret", [interval(samples)[1]], "")


def add_sum(figures: dict[str, Figure], key: str, label: str, parts: Iterable[str]) -> None:
    """Add the sum of figures over all repetitions: what must never happen is not hidden by a median."""
    measured = [figures[part] for part in parts if part in figures]
    if measured:
        figures[key] = Figure(key, label, measured[0].unit, [sum(sum(part.samples) for part in measured)])
