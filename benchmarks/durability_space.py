"""The same ten mixed parameters, as a space of ours and as Optuna's distributions: those of `space8.py` and two more."""

from __future__ import annotations

import space8
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from asyncsweep import Categorical, Float

SCHEDULES = ("constant", "cosine", "linear", "step")

SPACE = {
    **space8.SPACE,
    "decay": Float(1e-6, 1e-2, log=True),
    "schedule": Categorical(SCHEDULES),
}

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    **space8.DISTRIBUTIONS,
    "decay": FloatDistribution(1e-6, 1e-2, log=True),
    "schedule": CategoricalDistribution(SCHEDULES),
}

REPORTS_PER_TRIAL = 10
