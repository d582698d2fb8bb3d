"""Modules that start a sweep when a worker imports them."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.worker.loading import loading
from tests import objectives
from tests.leaks import nothing_left

pytestmark = pytest.mark.anyio

# Without the check, as many generations as `ASYNCSWEEP_TEST_DEPTH` allows.
ENDLESS = """
import asyncio, os
import asyncsweep as sw

def objective(x):
    return x

depth = int(os.environ.get("ASYNCSWEEP_TEST_DEPTH", 0))
os.environ["ASYNCSWEEP_TEST_DEPTH"] = str(depth + 1)
if depth < 3:
    asyncio.run(sw.Sweep("endless:objective", {"x": 1}, sampler="random", executor="process", n_trials=1).run())
"""


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "endless.py").write_text(ENDLESS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ASYNCSWEEP_TEST_DEPTH", "0")
    return "endless"


@pytest.mark.any_loop
async def test_a_module_that_starts_a_sweep_at_its_import_does_so_once(endless: str) -> None:
    async with nothing_left():
        sweep = sw.Sweep(f"{endless}:objective", {"x": 1}, sampler="random", executor="process", n_trials=1)
        told = r'put the start of the sweep under `if __name__ == "__main__":`'
        with anyio.fail_after(60), pytest.raises(sw.ConfigError, match=told):
            await sweep.run()


class ByReference:
    """Something whose unpickling imports the module."""

    def __init__(self, module: str) -> None:
        self.module = module

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return __import__, (self.module,)


@pytest.mark.any_loop
async def test_a_sampler_of_such_a_module_is_refused_too(endless: str) -> None:
    async with nothing_left():
        sweep = sw.Sweep(objectives.square, {"x": 1}, sampler=ImportsIt(endless), executor="thread", n_trials=1)
        with anyio.fail_after(60), pytest.raises(sw.AsyncSweepError, match="put the start of the sweep under"):
            await sweep.run()


class ImportsIt:
    """A sampler in a process of its own that is pickled by reference to a module."""

    host = "process"

    def __init__(self, module: str) -> None:
        self._module = ByReference(module)

    def open(self, space: object, directions: object, seed: object) -> None: ...

    def ask(self, trial: object) -> dict[str, object]:
        return {}

    def suggest(self, trial: object, name: str, domain: object) -> object: ...

    def tell(self, trial: object) -> None: ...


async def test_no_sweep_starts_while_something_is_loaded_and_any_does_afterwards() -> None:
    sweep = sw.Sweep(objectives.square, {"x": 1}, sampler="random", executor="thread", n_trials=1)
    with loading(), pytest.raises(sw.ConfigError, match="a sweep is started while a worker"):
        await sweep.run()
    assert len((await sweep.run()).trials) == 1


def sweeps_inside(x: float) -> float:
    inner = sw.Sweep("tests.objectives:square", {"x": x}, sampler="random", executor="process", n_trials=1)
    return float(anyio.run(inner.run).best.value + 0 * os.getpid())


@pytest.mark.any_loop
async def test_an_objective_may_run_a_sweep_when_it_is_called() -> None:
    async with nothing_left():
        result = await sw.Sweep(sweeps_inside, {"x": 3.0}, sampler="random", executor="process", n_trials=1).run()
    assert [(str(trial.state), trial.value) for trial in result.trials] == [("COMPLETE", 9.0)]
