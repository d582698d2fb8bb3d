"""The eight mixed parameters of the peers, and the same with two more: as spaces of ours and as Optuna's distributions."""

from __future__ import annotations

from asyncsweep.space import Domain
from benchmarks.peers.shared import space as shared
from benchmarks.peers.shared.in_asyncsweep import domain_of
from benchmarks.peers.shared.in_optuna import distribution_of
from benchmarks.peers.shared.space import Choice, Real

_TEN = {
    **shared.SPACE,
    "decay": Real(1e-6, 1e-2, is_log=True),
    "schedule": Choice(("constant", "cosine", "linear", "step")),
}

TEN: dict[str, Domain] = {name: domain_of(domain) for name, domain in _TEN.items()}
EIGHT: dict[str, Domain] = {name: TEN[name] for name in shared.SPACE}
TEN_IN_OPTUNA = {name: distribution_of(domain) for name, domain in _TEN.items()}
EIGHT_IN_OPTUNA = {name: TEN_IN_OPTUNA[name] for name in shared.SPACE}
