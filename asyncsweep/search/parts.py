"""From the sampler and pruner that a sweep was given to a desk with both of them opened.

Optuna's own are wrapped here. A sampler and a pruner of Optuna's share one study, as in Optuna, where pruners may change what
samplers see; in a sweep with a window each verdict has its own view of the trials, and so its own study.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from asyncsweep.core.records import Direction
from asyncsweep.hooks.contracts import Pruner
from asyncsweep.samplers import optunas
from asyncsweep.samplers.optuna_pruner import OptunaPruner
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.search.desk import Desk
from asyncsweep.search.lanes import Pruning
from asyncsweep.space import Space

# The name of an Optuna pruner, and its options.
Twin = tuple[str, dict[str, Any]]


class Setting(NamedTuple):
    """What samplers and pruners have to know of a sweep.

    Attributes:
        space: The space.
        directions: Metric name to direction.
        seed: The sweep's seed.
        window: W of a `reproducible` sweep; 0 when results count as they come.
        twin: What stands in an Optuna study for a pruner that is elsewhere: Optuna's samplers look at it.
    """

    space: Space
    directions: Mapping[str, Direction]
    seed: int
    window: int
    twin: Twin | None

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
        sampler = OptunaStudy(sampler)
    first = None if make_pruner is None else make_pruner()
    if isinstance(sampler, OptunaStudy):
        if optunas.is_pruner(first):
            sampler.pruner = first
        elif setting.twin is not None:
            sampler.pruner, sampler.judges = _optunas(*setting.twin), False
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


def twin_of(pruner: Any) -> Twin | None:
    """See `Setting.twin`; None for a pruner that no sampler looks at."""
    twin: Twin | None = pruner.as_optuna() if hasattr(pruner, "as_optuna") else None
    return twin


def _optunas(name: str, options: dict[str, Any]) -> Any:
    import optuna

    return getattr(optuna.pruners, name)(**options)
