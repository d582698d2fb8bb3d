"""What kind of sweep a simulation runs: everything that is drawn once, from the seed."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from asyncsweep.core.records import Fsync, Retry, SweepSpec
from asyncsweep.pruners.asha import AshaPruner
from asyncsweep.pruners.hyperband import HyperbandPruner
from asyncsweep.pruners.percentile import MedianPruner
from asyncsweep.testing.simulation.objective import SPACE, Landscape

TRIAL_TIMEOUT_S = 30.0


class Setting(NamedTuple):
    """One sweep and its world.

    Attributes:
        spec: The sweep's settings.
        landscape: What attempts do.
        slots: For each worker, how many attempts it takes at a time.
        ahead: Whether as many may wait at each.
        pruner: The name of a pruner in `PRUNERS`; "" for none.
        is_hosted: Whether sampler and pruner answer late.
        n_orders: How often the user steers.
        resumes_with: So many more trials are wanted when the sweep has ended; 0 for none.
    """

    spec: SweepSpec
    landscape: Landscape
    slots: list[int]
    ahead: bool
    pruner: str
    is_hosted: bool
    n_orders: int
    resumes_with: int


PRUNERS: dict[str, Any] = {
    "median": lambda: MedianPruner(n_startup_trials=1, n_warmup_steps=1),
    "asha": lambda: AshaPruner(min_resource=1, reduction_factor=2),
    "hyperband": lambda: HyperbandPruner(min_resource=1, max_resource=4, reduction_factor=2),
}

_FSYNCS: tuple[Fsync, ...] = ("batch", "batch", "batch", "always", "always", "never")
_RETRIES = (
    Retry(),
    Retry(1),
    Retry(3, backoff_s=(0.5, 4.0)),
    Retry(2, on=("OSError", "WorkerLost"), backoff_s=(1.0, 1.0)),
    Retry(2, on=("MemoryLimitExceeded",)),
    Retry(1, interrupted="fail"),
)


def setting_of(seed: int) -> Setting:
    """The setting of a seed."""
    random = Random(f"{seed}:setting")
    chance = random.random
    concurrency = random.randint(1, 4)
    has_limit = chance() < 0.6
    spec = SweepSpec(
        space=SPACE,
        directions={"value": random.choice(("minimize", "maximize"))},
        n_trials=random.randint(2, 8),
        concurrency=concurrency,
        timeout=random.uniform(20.0, 200.0) if chance() < 0.1 else None,
        trial_timeout=TRIAL_TIMEOUT_S if has_limit else None,
        grace_s=random.choice((0.0, 2.0)),
        retries=random.choice(_RETRIES),
        reproducible=concurrency if chance() < 0.15 else 0,
        max_failures=random.randint(0, 3) if chance() < 0.1 else None,
        target=0.02 if chance() < 0.05 else None,
        patience=3 if chance() < 0.05 else None,
        seed=seed % 2**32,
        fsync=random.choice(_FSYNCS),
    )
    landscape = Landscape(
        most_steps=random.randint(0, 3),
        step_s=random.choice((0.2, 2.0)),
        asks=chance() < 0.2,
        is_deadly=chance() < 0.3,
        may_hang=has_limit,
    )
    one_worker = chance() < 0.2
    return Setting(
        spec=spec,
        landscape=landscape,
        slots=[concurrency] if one_worker else [1] * concurrency,
        ahead=chance() < 0.5,
        pruner=random.choice(tuple(PRUNERS)) if chance() < 0.4 else "",
        is_hosted=chance() < 0.4,
        n_orders=random.randint(1, 4) if chance() < 0.4 else 0,
        resumes_with=random.randint(1, 3) if chance() < 0.1 else 0,
    )
