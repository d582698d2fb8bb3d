"""What kind of sweep a simulation runs: everything that is drawn once, from the seed."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from msgspec.structs import replace

from asyncsweep.core.records import Fsync, Retry, SweepSpec
from asyncsweep.core.resources import unmet
from asyncsweep.pruners.asha import AshaPruner
from asyncsweep.pruners.hyperband import HyperbandPruner
from asyncsweep.pruners.percentile import MedianPruner
from asyncsweep.testing.simulation.objective import SPACE, Landscape

TRIAL_TIMEOUT_S = 30.0


class FleetSetting(NamedTuple):
    """One executor.

    Attributes:
        slots: For each worker, how many attempts it takes at a time.
        ahead: Whether as many may wait at each.
        resources: What each slot offers.
    """

    slots: list[int]
    ahead: bool
    resources: dict[str, float]

    def fits(self, spec: SweepSpec) -> bool:
        """Whether trials can run there."""
        return unmet(spec.needs, self.resources) is None


class Setting(NamedTuple):
    """One sweep and its world.

    Attributes:
        spec: The sweep's settings.
        landscape: What attempts do.
        fleets: The executors that it begins with; trials can run on the first.
        added: One more, which the user adds later; None for none.
        resizes: Whether workers come to have more and fewer slots, down to none for a while.
        pruner: The name of a pruner in `PRUNERS`; "" for none.
        is_hosted: Whether sampler and pruner answer late.
        n_orders: How often the user steers.
        resumes_with: So many more trials are wanted when the sweep has ended; 0 for none.
    """

    spec: SweepSpec
    landscape: Landscape
    fleets: list[FleetSetting]
    added: FleetSetting | None
    resizes: bool
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
    slots = [concurrency] if one_worker else [1] * concurrency
    first = FleetSetting(slots, chance() < 0.5, {"gpus": 1.0})
    setting = Setting(
        spec=spec,
        landscape=landscape,
        fleets=[first],
        added=None,
        resizes=False,
        pruner=random.choice(tuple(PRUNERS)) if chance() < 0.4 else "",
        is_hosted=chance() < 0.4,
        n_orders=random.randint(1, 4) if chance() < 0.4 else 0,
        resumes_with=random.randint(1, 3) if chance() < 0.1 else 0,
    )
    spec = replace(spec, needs={"gpus": 0.5}) if chance() < 0.3 else spec
    others = [_other(random) for _ in range(random.randint(1, 2))] if chance() < 0.4 else []
    return setting._replace(
        spec=replace(spec, concurrency=0) if others else spec,
        fleets=[first, *others],
        added=_other(random) if chance() < 0.2 else None,
        resizes=chance() < 0.3,
    )


def _other(random: Random) -> FleetSetting:
    resources: list[dict[str, float]] = [{}, {"gpus": 0.25}, {"gpus": 0.5}, {"gpus": 4.0}]
    return FleetSetting([random.randint(1, 2)] * random.randint(1, 2), random.random() < 0.5, random.choice(resources))
