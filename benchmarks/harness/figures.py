"""What was measured, and what it is held against: figures, ratios within a repetition, goals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

OURS = "asyncsweep"


@dataclass(frozen=True)
class Figure:
    """One quantity, measured again and again.

    Attributes:
        key: Its name in JSON.
        label: Its name for people.
        unit: What a sample is in.
        samples: One for each repetition, in order.
        contestant: Whose it is; "" for a ratio.
        does_less: What its contestant leaves out that others do ("keeps nothing on disk"); "" for nothing.
    """

    key: str
    label: str
    unit: str
    samples: list[float] = field(default_factory=list)
    contestant: str = OURS
    does_less: str = ""

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def low(self) -> float:
        return min(self.samples)

    @property
    def high(self) -> float:
        return max(self.samples)

    def as_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "unit": self.unit,
            "contestant": self.contestant,
            "does_less": self.does_less,
            "median": self.median,
            "low": self.low,
            "high": self.high,
            "samples": self.samples,
        }

    @staticmethod
    def from_json(key: str, found: dict[str, Any]) -> Figure:
        return Figure(
            key, found["label"], found["unit"], list(found["samples"]), found["contestant"], found["does_less"]
        )


def ratio(key: str, label: str, above: Figure, below: Figure) -> Figure:
    """How many times one figure is the other, taken within each repetition, so that a slow minute slows both.

    A figure that was measured in fewer repetitions was measured in the first ones; only these count.
    """
    samples = [a / b for a, b in zip(above.samples, below.samples, strict=False)]
    less = "; ".join(dict.fromkeys(figure.does_less for figure in (above, below) if figure.does_less))
    return Figure(key, label, "x", samples, contestant="", does_less=less)


def add_ratios(figures: dict[str, Figure], pairs: Iterable[tuple[str, str, str, str]]) -> None:
    """Add a ratio for each `(key, label, key above, key below)` of which both figures were measured."""
    for key, label, above, below in pairs:
        if above in figures and below in figures:
            figures[key] = ratio(key, label, figures[above], figures[below])


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

    @staticmethod
    def from_json(found: dict[str, Any], figures: dict[str, Figure]) -> Goal:
        at_most = "at_most" in found
        return Goal(figures[found["figure"]], found["at_most" if at_most else "at_least"], at_most)


def at_least(figures: dict[str, Figure], limits: dict[str, float]) -> list[Goal]:
    """Goals for those of the figures that were measured: what failed is told of elsewhere."""
    return [Goal(figures[key], limit) for key, limit in limits.items() if key in figures]


def at_most(figures: dict[str, Figure], limits: dict[str, float]) -> list[Goal]:
    """The same where less is better."""
    return [Goal(figures[key], limit, at_most=True) for key, limit in limits.items() if key in figures]
