"""From the sampler and pruner that a sweep was given to a desk with both of them opened.

Optuna's own are wrapped here. A sampler and a pruner of Optuna's share one study, as in Optuna, where pruners may change what
samplers see; in a sweep with a window each verdict has its own view of the trials, and so its own study.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import Pruner
from asyncsweep.samplers import optunas
from asyncsweep.samplers.optuna_pruner import OptunaPruner
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.search.desk import Desk
from asyncsweep.search.lanes import Pruning
from asyncsweep.space import Space


class Setting(NamedTuple):
    """What samplers and pruners have to know of a sweep.

    Attributes:
        space: The space.
        directions: Metric name to direction.
        seed: The sweep's seed.
        window: W of a `reproducible` sweep; 0 when results count as they come.
    """

    space: Space
    directions: Mapping[str, Direction]
    seed: int
    window: int

    @property
    def name(self) -> str:
        """How studies and pruners know the sweep; some of Optuna's pruners draw from their study's name."""
        return f"asyncsweep-{self.seed}"


def desk_of(setting: Setting, sampler: Any, make_pruner: Callable[[], Any] | None) -> Desk:
    """A desk for a sampler, for a pruner, or for both.

    Args:
        setting: The sweep.
        sampler: Of the contract `Sampler`, or an Optuna sampler, not opened; None when it is elsewhere.
        make_pruner: Gives a pruner of the contract `Pruner`, or an Optuna pruner, not opened; None when it is elsewhere.

    Raises:
        ConfigError: One of them refuses an option, the space, or the directions.
    """
    if optunas.is_sampler(sampler):
        if setting.window:
            _check_seeded(sampler)
        sampler = OptunaStudy(sampler)
    first = None if make_pruner is None else make_pruner()
    if setting.window and optunas.is_pruner(first):
        _check_settled(first)
    if isinstance(sampler, OptunaStudy) and optunas.is_pruner(first):
        sampler.pruner = first
    if sampler is not None:
        sampler.open(setting.space, setting.directions, setting.seed)
    study = sampler if isinstance(sampler, OptunaStudy) and not setting.window else None
    ready = [first]

    def make() -> Pruner:
        assert make_pruner is not None
        pruner: Any = ready.pop() if ready else make_pruner()
        if optunas.is_pruner(pruner):
            pruner = OptunaPruner(pruner, study)
        pruner.open(next(iter(setting.directions.values())), setting.seed, setting.name)
        opened: Pruner = pruner
        return opened

    pruning = None if make_pruner is None else Pruning(make, setting.window)
    return Desk(setting.space, sampler, pruning, setting.window)


def _check_settled(pruner: Any) -> None:
    """Refuse an Optuna pruner that learns an "auto" from the trials: a new one would learn it from others.

    Raises:
        ConfigError: It has such an option.
    """
    if getattr(pruner, "_max_resource", None) == "auto" or getattr(pruner, "_min_resource", 1) is None:
        kind = type(pruner).__name__
        raise ConfigError(
            f'pruner={kind}: with `reproducible` its resource must be a number, not "auto"; or use our own, by name: '
            f"pruner={'hyperband' if 'Hyperband' in kind else 'asha'!r}"
        )


def _check_seeded(sampler: Any) -> None:
    """Refuse an Optuna sampler that draws otherwise in each process: two copies of it draw differently, too.

    Raises:
        ConfigError: It has no seed.
    """
    import optuna

    distribution = optuna.distributions.FloatDistribution(0.0, 1.0)
    draws = set()
    for copied in (copy.deepcopy(sampler), copy.deepcopy(sampler)):
        with optunas.quiet():
            study = optuna.create_study(storage=optuna.storages.InMemoryStorage(), sampler=copied)
        draws.add(study.ask({"x": distribution}).params["x"])
    if len(draws) > 1:
        kind = type(sampler).__name__
        raise ConfigError(f"sampler={kind}: with `reproducible` it needs a seed of its own: {kind}(seed=1)")
