"""The eight mixed parameters of the peers, and the same with two more: as spaces of ours and as Optuna's distributions."""

from __future__ import annotations

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from asyncsweep import Categorical, Float, Int
from asyncsweep.space import Domain
from benchmarks.peers.shared import space as shared
from benchmarks.peers.shared.space import Choice, Real, Whole

_TEN = {
    **shared.SPACE,
    "decay": Real(1e-6, 1e-2, is_log=True),
    "schedule": Choice(("constant", "cosine", "linear", "step")),
}


def _ours(domain: Real | Whole | Choice) -> Domain:
    if isinstance(domain, Choice):
        return Categorical(domain.options)
    if isinstance(domain, Whole):
        return Int(domain.low, domain.high, log=domain.is_log)
    return Float(domain.low, domain.high, log=domain.is_log, step=domain.step)


def _theirs(domain: Real | Whole | Choice) -> BaseDistribution:
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.options)
    if isinstance(domain, Whole):
        return IntDistribution(domain.low, domain.high, log=domain.is_log)
    return FloatDistribution(domain.low, domain.high, log=domain.is_log, step=domain.step)


TEN: dict[str, Domain] = {name: _ours(domain) for name, domain in _TEN.items()}
EIGHT: dict[str, Domain] = {name: TEN[name] for name in shared.SPACE}
TEN_IN_OPTUNA = {name: _theirs(domain) for name, domain in _TEN.items()}
EIGHT_IN_OPTUNA = {name: TEN_IN_OPTUNA[name] for name in shared.SPACE}
