"""The samplers that ship pass the suite that everybody's samplers have to pass."""

from __future__ import annotations

from collections.abc import Callable

import optuna
import pytest

from asyncsweep.hooks.contracts import Sampler
from asyncsweep.hooks.registry import Registry
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Categorical, Float, Int
from asyncsweep.testing import SamplerSuite
from asyncsweep.testing.samplers import EVERY_DOMAIN

ONE_DIRECTION = ({"value": "minimize"}, {"value": "maximize"})
FINITE_SPACE = {
    "lr": Float(0.0, 1.0, step=0.1),
    "depth": Int(1, 8, log=True),
    "kind": Categorical(["linear", "tree"]),
    "leaves": Int(2, 10, step=2, when={"kind": "tree"}),
    "epochs": 30,
}
FINITE_DOMAINS = {
    name: domain
    for name, domain in EVERY_DOMAIN.items()
    if domain.cardinality is not None and name != "float-one-value"  # Optuna wants a step there, too
}
# A fit takes a tenth of a second.
SMALL_SPACE = {"lr": Float(1e-5, 1e-1, log=True), "kind": Categorical(["linear", "tree"]), "epochs": 30}
FEW_DOMAINS = {name: EVERY_DOMAIN[name] for name in ("float", "int-log", "categorical-mixed", "constant")}


def building(name: str, **options: object) -> Callable[[], Sampler]:
    registry = Registry()
    return lambda: registry.build("sampler", name, options)


class TestRandom(SamplerSuite):
    learns = False

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("random")


class TestSobol(SamplerSuite):
    learns = False

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("sobol")


class TestGrid(SamplerSuite):
    is_finite = True
    uses_seed = False
    takes_asked_parameters = False
    learns = False

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("grid", points=3)


class TestShuffledGrid(SamplerSuite):
    space = FINITE_SPACE
    is_finite = True
    takes_asked_parameters = False
    learns = False

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("grid", points=3, shuffle=True)


class TestTPE(SamplerSuite):
    n_many = 200

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("tpe")


@pytest.mark.filterwarnings("ignore:Constraints have been set, but CmaEsSampler will not use them")
class TestCmaEs(SamplerSuite):
    directions = ONE_DIRECTION
    learns_from_history = False

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("cmaes")


@pytest.mark.filterwarnings("ignore:Clip non-finite values to the min/max finite values")
class TestGP(SamplerSuite):
    space = SMALL_SPACE
    domains = FEW_DOMAINS
    n_few = 11
    n_many = 14

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("gp", n_startup_trials=9)

    @pytest.mark.xfail(raises=ValueError, reason="Optuna's GP wants as many constraints of every trial")
    def test_constraints_that_some_trials_lack_are_borne(self, make: Callable[[], Sampler]) -> None:
        super().test_constraints_that_some_trials_lack_are_borne(make)


class TestNSGAII(SamplerSuite):
    learns_from_history = False  # its first generation is its own
    n_few = 100

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("nsgaii")


class TestNSGAIII(SamplerSuite):
    learns_from_history = False  # its first generation is its own
    n_few = 100

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("nsgaiii")


class TestQMC(SamplerSuite):
    learns = False

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("qmc", warn_independent_sampling=False)


class TestBruteForce(SamplerSuite):
    space = FINITE_SPACE
    domains = FINITE_DOMAINS
    is_finite = True
    learns = False
    n_many = 100

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("bruteforce")


class TestPartialFixed(SamplerSuite):
    n_many = 50

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return building("partial-fixed", fixed_params={}, base_sampler="tpe")


class TestInstanceOfOptunas(SamplerSuite):
    """As the sampler host takes it: inside of a study."""

    uses_seed = False
    learns = False
    n_many = 100

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        return lambda: OptunaStudy(optuna.samplers.RandomSampler(seed=3))


def test_every_name_that_ships_has_its_suite() -> None:
    shipped = {row.name for row in Registry().describe() if (row.kind, row.distribution) == ("sampler", "asyncsweep")}
    assert shipped == {
        "bruteforce", "cmaes", "gp", "grid", "nsgaii", "nsgaiii", "partial-fixed", "qmc", "random", "sobol", "tpe",
    }  # fmt: skip
