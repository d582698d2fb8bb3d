"""A domain as Optuna's distribution, and values there and back.

Optuna takes None, bool, int, float and str as choices, and does not tell 1, True and 1.0 apart. Where a domain has other
choices, or such twins, Optuna is shown the choices' places instead; otherwise it sees exactly what it would see if the user
had called it, so that it suggests the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncsweep.space import Categorical, Constant, Domain, Float, Int
from asyncsweep.space.values import same

if TYPE_CHECKING:  # optuna is imported where it is used: a module of the application must not bring it along
    from optuna import Trial
    from optuna.distributions import BaseDistribution

_ACCEPTED = (type(None), bool, int, float, str)


class OptunaDomain:
    """A domain between us and Optuna."""

    def __init__(self, domain: Domain) -> None:
        choices = domain.choices if isinstance(domain, Categorical) else ()
        known = all(isinstance(choice, _ACCEPTED) for choice in choices) and len(set(choices)) == len(choices)
        if isinstance(domain, Float) and domain.low == domain.high and not domain.log and domain.step is None:
            domain = Float(domain.low, domain.high, step=1.0)  # one value: else Optuna takes it for a continuum
        self._domain = domain
        self._choices = None if known else choices
        self._distribution: BaseDistribution | None = None

    def suggest(self, trial: Trial, name: str) -> Any:
        """The value that Optuna suggests for the trial."""
        domain = self._domain
        if isinstance(domain, Float):
            return trial.suggest_float(name, domain.low, domain.high, log=domain.log, step=domain.step)
        if isinstance(domain, Int):
            return trial.suggest_int(name, domain.low, domain.high, log=domain.log, step=domain.step)
        if isinstance(domain, Constant):
            return domain.value
        if self._choices is None:
            return trial.suggest_categorical(name, domain.choices)
        return self._choices[trial.suggest_categorical(name, range(len(self._choices)))]

    def distribution(self) -> BaseDistribution:
        """What `suggest` uses; one object for all trials, as retelling needs it for each."""
        if self._distribution is None:
            self._distribution = self._new_distribution()
        return self._distribution

    def told(self, value: Any) -> Any:
        """What Optuna calls the value."""
        if self._choices is None:
            return value
        return next(place for place, choice in enumerate(self._choices) if same(choice, value))

    def _new_distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        domain = self._domain
        if isinstance(domain, Float):
            return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
        if isinstance(domain, Int):
            return IntDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
        choices = (domain.value,) if isinstance(domain, Constant) else domain.choices
        return CategoricalDistribution(choices if self._choices is None else range(len(choices)))
