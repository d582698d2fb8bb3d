"""Optuna's TPE, able to answer several asks from one fit.

It imports optuna, so nothing imports it before a sampler is built.

In a hurry the first of several asks draws candidates for all of them, a group for each, from the one density that was fitted,
and each ask gets the best of its own group: the same as asking again, but that the asks do not know of each other.

The method that is overridden for this is called by Optuna's `TPESampler` on itself and is not public, and neither is what
the candidates are scored by: where another version of Optuna does without them, each ask is answered by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from optuna import Study
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial

from asyncsweep.samplers.optuna_mixture import Mixture, log_density

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator

Samples = dict[str, np.ndarray]


class HurriedTPESampler(TPESampler):
    """`TPESampler` with its options; as long as it is not hurried, it is no different."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._draws = np.random.RandomState(options.get("seed"))
        # With `group` an ask takes several fits, each of some of the parameters.
        self._may_hurry = not options.get("group")
        self._asks = 0
        self._is_fitting = False
        self._fitted: dict[str, BaseDistribution] = {}
        self._picks: list[dict[str, Any]] = []

    def hurry(self, asks: int) -> None:
        """Answer the next `asks` asks from one fit; 0 ends the hurry."""
        self._asks = asks if self._may_hurry else 0
        self._picks = []

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        # Optuna's Hyperband shows each trial a study of its own, whose fit fits no other.
        if not self._asks or type(study) is not Study:
            return super().sample_relative(study, trial, search_space)
        self._asks -= 1
        if self._picks and self._fitted == search_space:
            pick = self._picks.pop(0)
            return {name: domain.to_external_repr(pick[name]) for name, domain in search_space.items()}
        self._fitted = search_space
        self._picks = []
        self._is_fitting = True
        try:
            return super().sample_relative(study, trial, search_space)
        finally:
            self._is_fitting = False

    def _compute_acquisition_func(
        self, samples: Samples, mpe_below: _ParzenEstimator, mpe_above: _ParzenEstimator
    ) -> np.ndarray:
        below, above = _mixture(mpe_below), _mixture(mpe_above)
        if not self._is_fitting or not self._asks or below is None or above is None:
            return super()._compute_acquisition_func(samples, mpe_below, mpe_above)
        size = len(next(iter(samples.values())))
        more = mpe_below.sample(self._draws, size * self._asks)
        together = {name: np.concatenate([values, more[name]]) for name, values in samples.items()}
        columns = list(together.values())
        scores = log_density(below, columns) - log_density(above, columns)
        # The first is for the ask at hand: Optuna takes it by itself.
        self._picks = picks(together, scores, size)[1:]
        first: np.ndarray = scores[:size]
        return first


def _mixture(estimator: _ParzenEstimator) -> Mixture | None:
    """What the estimator holds, with its parameters in the order of its samples."""
    return getattr(estimator, "_mixture_distribution", None)


def picks(samples: Samples, scores: np.ndarray, size: int) -> list[dict[str, Any]]:
    """The best of each group of `size` candidates, as Optuna's inner values.

    A point that an earlier group gave is passed over, while the group or any other has one that was not given.
    """
    points = list(zip(*(values.tolist() for values in samples.values()), strict=True))
    order = np.argsort(-scores, kind="stable").tolist()
    given: dict[tuple[Any, ...], None] = {}
    found = []
    for start in range(0, len(points), size):
        own = [place for place in order if start <= place < start + size]
        fresh = next((place for place in (*own, *order) if points[place] not in given), own[0])
        given[points[fresh]] = None
        found.append(dict(zip(samples, points[fresh], strict=True)))
    return found
