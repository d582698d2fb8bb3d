"""What was measured, what it is compared with, and how both are shown: tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One quantity, measured again and again.

    Attributes:
        key: Its name in JSON.
        label: Its name for people.
        unit: What a sample is in.
        samples: One for each repetition, in order.
    """

    key: str
    label: str
    unit: str
    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.samples)

    def as_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "unit": self.unit,
            "median": self.median,
            "low": min(self.samples),
            "high": max(self.samples),
            "samples": self.samples,
        }


def ratio(key: str, label: str, above: Figure, below: Figure) -> Figure:
    """How many times one figure is the other, taken within each repetition, so that a slow minute slows both."""
    return Figure(key, label, "x", [a / b for a, b in zip(above.samples, below.samples, strict=True)])


@dataclass(frozen=True)
class Goal:
    """A limit that the median of a figure should keep.

    Attributes:
        figure: What is judged.
        limit: In the figure's unit.
        at_most: True when less is better.
    """

    figure: Figure
    limit: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.figure.median <= self.limit if self.at_most else self.figure.median >= self.limit

    def as_json(self) -> dict[str, Any]:
        limit = "at_most" if self.at_most else "at_least"
        return {"figure": self.figure.key, limit: self.limit, "measured": self.figure.median, "met": self.met}


def show(setting: dict[str, Any], figures: Sequence[Figure], goals: Sequence[Goal], notes: Sequence[str]) -> None:
    """Print everything to stdout."""
    measured = [
        (
            figure.label,
            _shown(figure.median),
            f"{_shown(min(figure.samples))} .. {_shown(max(figure.samples))}",
            figure.unit,
        )
        for figure in figures
    ]
    judged = [
        (
            goal.figure.label,
            f"{'<=' if goal.at_most else '>='} {_shown(goal.limit)} {goal.figure.unit}",
            f"{_shown(goal.figure.median)} {goal.figure.unit}",
            "yes" if goal.met else "NO",
        )
        for goal in goals
    ]
    for name, value in setting.items():
        print(f"{name.replace('_', ' ')}: {value}")
    _table(("measured", "median", "range", "unit"), measured)
    _table(("goal", "limit", "median", "met"), judged)
    print()
    for note in notes:
        print(note)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    print()
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table()
        for place, name in enumerate(head):
            table.add_column(name, justify="right" if 0 < place < len(head) - 1 else "left")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    for first, *middle, last in lines:
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(middle, widths[1:], strict=False)),
            last,
        ]
        print("  ".join(cells))


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
