"""The eight mixed parameters that every contestant searches, as plain data: each adapter maps them to its library's domains."""

from __future__ import annotations

from typing import NamedTuple


class Real(NamedTuple):
    """Floats from `low` to `high`; with a `step`, only those that many steps above `low`."""

    low: float
    high: float
    is_log: bool = False
    step: float | None = None


class Whole(NamedTuple):
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int
    is_log: bool = False


class Choice(NamedTuple):
    """One of these."""

    options: tuple[str | bool, ...]


SPACE: dict[str, Real | Whole | Choice] = {
    "momentum": Real(0.0, 1.0),
    "lr": Real(1e-5, 1e-1, is_log=True),
    "dropout": Real(0.0, 1.0, step=0.1),
    "depth": Whole(1, 100),
    "width": Whole(1, 1024, is_log=True),
    "optimizer": Choice(("sgd", "adam", "lion")),
    "nesterov": Choice((True, False)),
    "bias": Real(-5.0, 5.0),
}
