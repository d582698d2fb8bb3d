"""Objectives that other processes can import, and those that tests share."""

from __future__ import annotations

import os
from typing import Any

import anyio

import asyncsweep as sw

SPACE = {"x": sw.Float(0.0, 1.0)}


async def square(trial: Any) -> float:
    """The parameter squared, at once."""
    return float(trial.params["x"]) ** 2


async def curve(trial: Any) -> float:
    """Five reports, worse for a greater `x`; half of the trials are pruned by the median."""
    for step in range(5):
        trial.report(trial.params["x"] + step, step)
        if await trial.should_prune_async():
            raise sw.TrialPruned
    return float(trial.params["x"])


async def endless(trial: Any) -> float:
    await anyio.sleep_forever()
    return 0.0


async def failing(trial: Any) -> float:
    raise ValueError("boom")


def square_by_name(x: float) -> float:
    return x**2


def plain_curve(trial: Any) -> float:
    for step in range(5):
        trial.report_or_prune(trial.params["x"] + step, step)
    return float(trial.params["x"])


def process_id(x: float) -> float:
    return float(os.getpid())
