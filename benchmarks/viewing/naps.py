"""The trials of `lag.py`: they sleep, and give something that a sampler can learn from. Run by worker processes."""

from __future__ import annotations

import math
import time
from typing import Any

TRIAL_S = 0.05


def nap(trial: Any) -> float:
    time.sleep(TRIAL_S)
    return bowl(trial.params)


async def at_once(trial: Any) -> float:
    return bowl(trial.params)


def bowl(params: dict[str, Any]) -> float:
    return float(
        (math.log10(params["lr"]) + 3.0) ** 2 + (params["momentum"] - 0.9) ** 2 + abs(params["depth"] - 20) / 50
    )
