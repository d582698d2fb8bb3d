"""A run for people: tables on a terminal, plain lines elsewhere.

Where a contestant does less than the others its figures, and ratios to them, carry a mark, and the mark a footnote.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.harness.cases import Outcome
from benchmarks.harness.figures import Figure
from benchmarks.harness.results import Results


def show(results: Results) -> None:
    """Print everything to stdout."""
    for line in setting_lines(results.setting):
        print(line)
    for name, outcome in results.workloads.items():
        print(f"\n== {name}")
        show_outcome(outcome)


def show_outcome(outcome: Outcome) -> None:
    """Print the tables of one workload."""
    marks = marks_of(outcome.figures.values())
    if outcome.figures:
        table(("measured", "median", "range", "unit"), [_row(figure, marks) for figure in outcome.figures.values()])
    judged = [
        (
            marked(goal.figure, marks),
            f"{'<=' if goal.at_most else '>='} {shown(goal.limit)} {goal.figure.unit}",
            f"{shown(goal.figure.median)} {goal.figure.unit}",
            "yes" if goal.met else "NO",
        )
        for goal in outcome.goals
    ]
    if judged:
        table(("goal", "limit", "median", "met"), judged)
    print()
    for less, mark in marks.items():
        print(f"[{mark}] {less}")
    for key, why in outcome.failed.items():
        print(f"failed: {key}: {why}")
    for why in dict.fromkeys(outcome.skipped.values()):
        keys = [key for key, reason in outcome.skipped.items() if reason == why]
        print(f"not measured: {', '.join(keys)}: {why}")
    print(f"noise: {outcome.noise_line}")
    for note in outcome.notes:
        print(note)


def setting_lines(setting: Mapping[str, Any]) -> Iterator[str]:
    """Where it was measured, one line for each thing that is known."""
    for name, value in setting.items():
        if value not in ({}, [], ""):
            yield f"{name.replace('_', ' ')}: {_told(value)}"


def marks_of(figures: Any) -> dict[str, str]:
    """What is left out, to its mark: a, b, ..., in the order in which it comes up."""
    lacks = dict.fromkeys(figure.does_less for figure in figures if figure.does_less)
    return {less: chr(ord("a") + place % 26) * (1 + place // 26) for place, less in enumerate(lacks)}


def marked(figure: Figure, marks: Mapping[str, str]) -> str:
    """The label of a figure with its mark."""
    return f"{figure.label} [{marks[figure.does_less]}]" if figure.does_less else figure.label


def shown(value: float) -> str:
    """A number with as many digits as say something."""
    size = abs(value)
    digits = 0 if size >= 100 or size == 0 else 1 if size >= 10 else 2 if size >= 0.1 else 4
    return f"{value:,.{digits}f}"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table whose first and last columns are text, and those between are numbers."""
    print()
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        made = Table()
        for place, name in enumerate(head):
            made.add_column(name, justify="right" if 0 < place < len(head) - 1 else "left")
        for row in rows:
            made.add_row(*map(escape, row))
        Console().print(made)
        return
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    for first, *middle, last in lines:
        numbers = (cell.rjust(width) for cell, width in zip(middle, widths[1:], strict=False))
        print("  ".join([first.ljust(widths[0]), *numbers, last]))


def _row(figure: Figure, marks: Mapping[str, str]) -> tuple[str, ...]:
    spread = f"{shown(figure.low)} .. {shown(figure.high)}"
    return marked(figure, marks), shown(figure.median), spread, figure.unit


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_told, value))
    return f"{value:.2f}" if isinstance(value, float) else str(value)
