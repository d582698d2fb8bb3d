"""What is the sampler's own, beside what every sampler has to do."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from asyncsweep_nevergrad.sampler import NevergradSampler

import asyncsweep as sw
from asyncsweep.hooks.contracts import TrialRef

pytestmark = pytest.mark.filterwarnings("ignore")  # nevergrad's own

SPACE = sw.Space({"x": sw.Float(0.0, 1.0), "y": sw.Float(0.0, 1.0)})
PUBLIC = {
    "asyncsweep": set(sw.__all__),
    "asyncsweep.testing": {"SamplerSuite", "PrunerSuite", "ExecutorSuite"},
}


def opened(**options: object) -> NevergradSampler:
    sampler = NevergradSampler(**options)  # type: ignore[arg-type]  # some of them are wrong
    sampler.open(SPACE, {"value": "minimize"}, 1)
    return sampler


def told(number: int, params: dict[str, float], value: float) -> sw.TrialRecord:
    return sw.TrialRecord(
        number,
        sw.State.COMPLETE,
        param_names=tuple(params),
        param_values=tuple(params.values()),
        metric_names=("value",),
        metric_values=(value,),
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "NGOptt"}, "did you mean 'NGOpt'?"),
        ({"optimizer": "cma "}, "did you mean 'CMA'?"),
        ({"optimizer": 3}, "sampler.optimizer: expected the name of an optimizer, got 3"),
        ({"budget": 0}, "sampler.budget: expected a whole number of at least 1, got 0"),
        ({"num_workers": True}, "sampler.num_workers: expected a whole number of at least 1, got True"),
        ({"optimizer": "Cobyla", "num_workers": 4}, "refuses budget=100 and num_workers=4"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(sw.ConfigError) as caught:
        opened(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize(("direction", "best"), [("minimize", 0.0), ("maximize", 1.0)])
def test_it_finds_the_end_that_the_direction_asks_for(direction: str, best: float) -> None:
    sampler = NevergradSampler("OnePlusOne", budget=80)
    sampler.open(SPACE, {"value": direction}, 1)
    for number in range(80):
        params = sampler.ask(TrialRef(number))
        sampler.tell(told(number, params, params["x"] + params["y"]))
    assert params["x"] == pytest.approx(best, abs=0.25)
    assert params["y"] == pytest.approx(best, abs=0.25)


@pytest.mark.parametrize("optimizer", ["CMA", "TwoPointsDE", "ScrHammersleySearch", "Cobyla"])
def test_a_resumed_sequential_sweep_goes_on_as_if_nothing_had_happened(optimizer: str) -> None:
    first = opened(optimizer=optimizer)
    trials = []
    for number in range(12):
        params = first.ask(TrialRef(number))
        trials.append(told(number, params, (params["x"] - 0.3) ** 2 + params["y"]))
        first.tell(trials[-1])
    second = opened(optimizer=optimizer)
    for trial in trials:
        second.tell(trial)
    assert second.ask(TrialRef(12)) == first.ask(TrialRef(12))


def test_a_sequential_optimizer_never_waits_for_an_open_trial() -> None:
    sampler = opened(optimizer="Cobyla")
    params = [sampler.ask(TrialRef(number)) for number in range(4)]
    assert len({str(found) for found in params}) == 4
    assert [sampler.attrs(number) for number in range(4)] == [{}, {"drawn": True}, {"drawn": True}, {"drawn": True}]


def test_an_optimizer_with_a_fixed_number_of_points_ends_with_them() -> None:
    sampler = opened(optimizer="ScrHammersleySearch", budget=3)
    for number in range(3):
        sampler.ask(TrialRef(number))
    with pytest.raises(sw.SpaceExhausted, match="ScrHammersleySearch has given its 3 points"):
        sampler.ask(TrialRef(3))


def test_a_trial_without_a_value_counts_as_the_worst_so_far() -> None:
    sampler = opened(optimizer="CMA")
    for number in range(3):
        sampler.ask(TrialRef(number))
    failed = sw.TrialRecord(0, sw.State.FAILED, param_names=("x", "y"), param_values=(0.5, 0.5))
    losses: list[float] = []
    sampler._optimizer.register_callback("tell", lambda optimizer, candidate, loss: losses.append(loss))
    sampler.tell(failed)
    sampler.tell(told(1, {"x": 0.1, "y": 0.1}, 7.0))
    sampler.tell(told(2, {"x": 0.2, "y": 0.2}, 3.0))
    assert losses == [7.0, 7.0, 3.0]


def test_the_package_uses_public_names_only() -> None:
    used = set()
    for path in (Path(__file__).parents[1] / "asyncsweep_nevergrad").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "asyncsweep":
                used |= {(node.module or "", alias.name) for alias in node.names}
            elif isinstance(node, ast.Import):
                used |= {(alias.name, "") for alias in node.names if alias.name.split(".")[0] == "asyncsweep"}
    assert used
    assert sorted(use for use in used if use[1] not in PUBLIC.get(use[0], ())) == []


SWEEP = """
import asyncio, sys
import asyncsweep as sw
import asyncsweep_nevergrad.plugin as plugin

def main():
    sampler = {"name": "given/nevergrad" if PLUGIN else "nevergrad", "optimizer": "TwoPointsDE", "num_workers": 2}
    sweep = sw.Sweep(
        "math:hypot", {"x": sw.Float(-1.0, 1.0), "y": sw.Float(-1.0, 1.0)}, sampler=sampler,
        n_trials=12, concurrency=2, seed=1, executor="process", plugins=PLUGIN,
    )
    result = asyncio.run(sweep.run())
    print(len(result.trials), result.counts[sw.State.COMPLETE], "nevergrad" in sys.modules)

main()
"""
OBJECTIVE = "def distance(x, y):\n    return abs(x) + abs(y)\n"


def test_a_sweep_on_worker_processes_never_imports_nevergrad_itself(tmp_path: Path) -> None:
    (tmp_path / "far.py").write_text(OBJECTIVE)
    code = SWEEP.replace("math:hypot", "far:distance").replace("PLUGIN", "[plugin]" if not installed() else "()")
    code = code.replace('"given/nevergrad" if [plugin] else "nevergrad"', '"given/nevergrad"')
    code = code.replace('"given/nevergrad" if () else "nevergrad"', '"nevergrad"')
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.stdout, done.returncode) == ("12 12 False\n", 0), done.stderr


def installed() -> bool:
    """Whether the entry point is there, as after `pip install`; in a source tree alone the plugin is given."""
    from importlib.metadata import entry_points

    return any(point.value == "asyncsweep_nevergrad.plugin" for point in entry_points(group="asyncsweep"))
