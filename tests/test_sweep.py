"""A sweep from its constructor to its result."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import numpy
import optuna
import pytest

import asyncsweep as sw
from asyncsweep.executors.inline import InlineExecutor
from asyncsweep.hooks.contracts import Inbox, Setup
from tests.small_objectives import SPACE, curve, endless, failing, plain_curve, square, square_by_name

pytestmark = pytest.mark.anyio


def states(result: sw.Result) -> list[str]:
    return [trial.state.value for trial in result.trials]


async def test_a_sweep_runs_all_its_trials_and_finds_the_best() -> None:
    result = await sw.Sweep(square, SPACE, sampler="random", n_trials=20, concurrency=3, seed=1).run()
    assert result.best is not None
    assert (states(result), result.best.value) == (
        ["COMPLETE"] * 20,
        min(trial.metrics["value"] for trial in result.trials),
    )


@pytest.mark.parametrize("executor", ["thread", "process"])
async def test_a_plain_function_runs_elsewhere_with_the_same_result(executor: str) -> None:
    plain = sw.Sweep(square_by_name, SPACE, sampler="random", executor=executor, n_trials=5, seed=1)
    here = sw.Sweep(square, SPACE, sampler="random", n_trials=5, seed=1)
    assert [trial.value for trial in (await plain.run()).trials] == [trial.value for trial in (await here.run()).trials]


async def test_the_objective_chooses_the_default_executor() -> None:
    chosen = [sw.Sweep(objective, SPACE).spec.executor.name for objective in (square, square_by_name)]
    assert chosen == ["inline", "process"]


async def test_a_seed_gives_the_same_sweep_again() -> None:
    runs = [await sw.Sweep(curve, SPACE, sampler="random", pruner="median", n_trials=30, seed=5).run() for _ in "ab"]
    assert [(t.params, t.state, list(t.reports)) for t in runs[0].trials] == [
        (t.params, t.state, list(t.reports)) for t in runs[1].trials
    ]


async def test_without_a_seed_two_sweeps_differ() -> None:
    runs = [await sw.Sweep(square, SPACE, sampler="random", n_trials=3).run() for _ in "ab"]
    assert runs[0].trials[0].params != runs[1].trials[0].params


async def test_a_failed_trial_is_data_and_no_exception() -> None:
    result = await sw.Sweep(failing, SPACE, sampler="random", n_trials=3).run()
    assert [(trial.state.value, str(trial.error)) for trial in result.trials] == [("FAILED", "ValueError: boom")] * 3


async def test_the_pruner_ends_hopeless_trials() -> None:
    result = await sw.Sweep(curve, SPACE, sampler="random", pruner="median", n_trials=30, seed=1).run()
    assert result.counts[sw.State.PRUNED] > 5 and states(result)[:5] == ["COMPLETE"] * 5


@pytest.mark.parametrize("pruner", ["median", optuna.pruners.MedianPruner()], ids=["here", "host"])
async def test_a_retried_trial_is_pruned_by_its_last_attempt_alone(pruner: Any) -> None:
    """Its first attempt was the worst that there is; to the pruner it never was."""
    failed: set[int] = set()

    async def once_awful(trial: Any) -> float:
        awful = trial.number >= 6 and trial.number not in failed
        for step in range(3):
            trial.report(100.0 if awful else 1.0 - trial.number / 100, step)
        pruned = await trial.should_prune_async()
        if awful:
            failed.add(trial.number)
            raise ValueError(f"pruned={pruned}")
        if pruned:
            raise sw.TrialPruned
        return 1.0

    result = await sw.Sweep(once_awful, SPACE, sampler="random", pruner=pruner, n_trials=9, retries=1, seed=1).run()
    assert [(t.state.value, [f.message for f in t.failures]) for t in result.trials[6:]] == [
        ("COMPLETE", ["pruned=True"])
    ] * 3


async def test_a_target_ends_the_sweep() -> None:
    result = await sw.Sweep(square, SPACE, sampler="random", n_trials=1000, target=0.01, seed=1).run()
    assert (result.reason, result.trials[-1].metrics["value"] <= 0.01) == ("target 0.01 reached", True)


async def test_patience_ends_the_sweep() -> None:
    result = await sw.Sweep(square, SPACE, sampler="random", n_trials=1000, patience=7, seed=1).run()
    assert result.best is not None
    assert (result.reason, len(result.trials) - 1 - result.best.number) == ("no better value in 7 trials", 7)


async def test_too_many_failures_end_the_sweep_with_an_error_that_carries_the_result() -> None:
    with pytest.raises(sw.TooManyFailures, match="3 trials failed, max_failures=2") as caught:
        await sw.Sweep(failing, SPACE, sampler="random", n_trials=100, max_failures=2).run()
    assert isinstance(caught.value.result, sw.Result) and states(caught.value.result) == ["FAILED"] * 3


async def test_a_timeout_ends_the_sweep_and_cancels_running_trials() -> None:
    with anyio.fail_after(10):
        result = await sw.Sweep(endless, SPACE, sampler="random", concurrency=2, timeout=0.05).run()
    assert (result.reason, states(result)) == ("timeout", ["CANCELLED"] * 2)


async def test_a_trial_timeout_ends_each_trial() -> None:
    with anyio.fail_after(10):
        result = await sw.Sweep(endless, SPACE, sampler="random", n_trials=2, trial_timeout=0.02).run()
    assert [str(trial.error) for trial in result.trials] == ["TrialTimeout: ran longer than trial_timeout=0.02 s"] * 2


async def test_stop_when_ends_the_sweep() -> None:
    def enough(run: sw.SweepRun) -> bool:
        return run.counts[sw.State.COMPLETE] >= 4

    result = await sw.Sweep(square, SPACE, sampler="random", stop_when=enough).run()
    assert (result.reason, result.counts[sw.State.COMPLETE]) == ("stop_when", 4)


async def test_a_stop_when_that_raises_is_a_plugin_error_with_the_result() -> None:
    def broken(run: sw.SweepRun) -> bool:
        raise KeyError("nothing")

    with pytest.raises(sw.PluginError, match="stop_when raised KeyError: 'nothing'") as caught:
        await sw.Sweep(square, SPACE, sampler="random", stop_when=broken).run()
    assert isinstance(caught.value.result, sw.Result) and len(caught.value.result.trials) >= 1


async def test_a_stop_when_whose_answer_is_neither_true_nor_false_is_a_plugin_error() -> None:
    def unclear(run: sw.SweepRun) -> Any:
        return numpy.array([1, 2])

    with pytest.raises(sw.PluginError, match="stop_when raised ValueError: The truth value") as caught:
        await sw.Sweep(square, SPACE, sampler="random", stop_when=unclear).run()
    assert isinstance(caught.value.__cause__, ValueError)


async def test_several_directions_have_a_front_instead_of_a_best() -> None:
    async def two(trial: Any) -> dict[str, float]:
        x = trial.params["x"]
        return {"size": x, "loss": (1 - x) ** 2, "note": 3.0}

    directions: dict[str, Any] = {"loss": "minimize", "size": "minimize"}
    result = await sw.Sweep(two, SPACE, direction=directions, sampler="random", n_trials=10, seed=1).run()
    assert len(result.best_trials) == 10  # every point of a trade-off is on the front
    assert list(result.trials[0].metrics) == ["loss", "size", "note"]
    with pytest.raises(sw.ConfigError, match="use best_trials"):
        _ = result.best


async def test_a_sampler_that_has_nothing_left_ends_the_sweep() -> None:
    space = {"a": sw.Categorical(["x", "y"]), "b": sw.Int(1, 3)}

    async def zero(trial: Any) -> float:
        return 0.0

    result = await sw.Sweep(zero, space, sampler="grid", n_trials=None, concurrency=4).run()
    assert (result.reason, len(result.trials), result.counts[sw.State.COMPLETE]) == ("space exhausted", 6, 6)


async def test_define_by_run_asks_for_parameters_while_the_trial_runs() -> None:
    async def suggesting(trial: Any) -> float:
        depth = trial.suggest_int("depth", 1, 3)
        return float(sum(trial.suggest_float(f"layer{n}", 0.0, 1.0) for n in range(depth)))

    result = await sw.Sweep(suggesting, {}, sampler="random", n_trials=10, seed=1).run()
    assert [len(trial.params) for trial in result.trials] == [1 + trial.params["depth"] for trial in result.trials]


async def test_sweeps_run_side_by_side_in_one_loop(tmp_path: Path) -> None:
    results: dict[int, sw.Result] = {}

    async def one(number: int, **settings: Any) -> None:
        sweep = sw.Sweep(sampler="random", n_trials=15, concurrency=2, seed=number, **settings)
        results[number] = await sweep.run()

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(lambda n=number: one(n, objective=curve, space=SPACE, directory=tmp_path / f"{n}"))
        tasks.start_soon(lambda: one(4, objective=square_by_name, space=SPACE, executor="thread"))
        tasks.start_soon(lambda: one(5, objective=plain_curve, space=SPACE, executor="process", pruner="median"))
    assert [results[number].counts[sw.State.COMPLETE] for number in range(5)] == [15] * 5
    assert len({str(result.trials[0].params) for result in results.values()}) == 6


async def test_one_sweep_runs_as_often_as_it_is_asked_to() -> None:
    sweep = sw.Sweep(square, SPACE, sampler="random", n_trials=3, seed=1)
    first, second = await sweep.run(), await sweep.run()
    assert [t.params for t in first.trials] == [t.params for t in second.trials]


async def test_a_sweep_touches_no_signal_handler_and_no_logging(tmp_path: Path) -> None:
    def seen() -> Any:
        root, ours = logging.getLogger(), logging.getLogger("asyncsweep")
        handlers = [signal.getsignal(number) for number in signal.valid_signals()]
        return handlers, list(root.handlers), list(ours.handlers), root.level, ours.level, os.getcwd(), sys.path[:]

    before = seen()
    during = []

    async def looking(trial: Any) -> float:
        during.append(seen())
        return 0.0

    await sw.Sweep(looking, SPACE, sampler="random", n_trials=1, directory=tmp_path).run()
    assert [*during, seen()] == [before, before]


async def test_the_log_says_what_optunas_would(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="asyncsweep")
    await sw.Sweep(square, {"x": 0.5}, sampler="random", n_trials=1).run()
    line = "Trial 0 finished with value: 0.25 and parameters: {'x': 0.5}. Best is trial 0 with value: 0.25."
    assert caplog.messages == [line]


async def test_a_class_is_built_once(tmp_path: Path) -> None:
    built = []

    class Loaded:
        def __init__(self) -> None:
            built.append(1)

        async def __call__(self, x: float) -> float:
            return x

    result = await sw.Sweep(Loaded, SPACE, sampler="random", n_trials=5).run()
    assert (len(built), result.counts[sw.State.COMPLETE]) == (1, 5)


async def test_a_class_that_cannot_be_built_is_told_before_the_first_trial() -> None:
    class Broken:
        def __init__(self) -> None:
            raise OSError("no data")

        async def __call__(self, x: float) -> float:
            return x

    with pytest.raises(sw.AsyncSweepError, match="no data"):
        await sw.Sweep(Broken, SPACE, sampler="random").run()


async def test_metrics_that_are_no_text_fail_their_trial_alone(tmp_path: Path) -> None:
    async def odd(trial: Any) -> dict[str, float]:
        return {"value": 1.0, **({"\udcff": 2.0} if trial.number == 1 else {})}

    result = await sw.Sweep(odd, SPACE, sampler="random", n_trials=3, directory=tmp_path).run()
    assert states(result) == ["COMPLETE", "FAILED", "COMPLETE"]


async def test_metrics_that_are_too_large_for_the_journal_fail_their_trial_alone(tmp_path: Path) -> None:
    async def vast(trial: Any) -> dict[str, float]:
        return {"value": 1.0, **({"x" * 2**24: 2.0} if trial.number == 1 else {})}

    result = await sw.Sweep(vast, SPACE, sampler="random", n_trials=3, directory=tmp_path).run()
    assert states(result) == ["COMPLETE", "FAILED", "COMPLETE"]


async def test_further_metrics_that_are_too_large_are_left_out_of_a_report(tmp_path: Path) -> None:
    async def vast(trial: Any) -> float:
        trial.report({"value": 1.0, **{f"{n:01000}": 2.0 for n in range(17_000)}}, 0)
        return 1.0

    result = await sw.Sweep(vast, SPACE, sampler="random", n_trials=1, directory=tmp_path).run()
    assert list(result.trials[0].reports) == [(0, 1.0)]


async def test_an_error_with_text_that_is_no_unicode_fails_its_trial_alone(tmp_path: Path) -> None:
    async def odd(trial: Any) -> float:
        raise ValueError(os.fsdecode(b"caf\xe9"))

    result = await sw.Sweep(odd, SPACE, sampler="random", n_trials=2, directory=tmp_path).run()
    assert [trial.error.message for trial in result.trials if trial.error] == ["caf\\udce9"] * 2


async def test_options_that_cannot_be_written_down_count_as_an_object(tmp_path: Path) -> None:
    sampler = sw.sampler("tpe", gamma=lambda n: min(n, 10))
    sweep = sw.Sweep(square, SPACE, sampler=sampler, n_trials=2, directory=tmp_path)
    await sweep.run()
    with pytest.raises(sw.ConfigError, match=r"sampler: .* not in the journal; give sampler="):
        sw.Sweep.open(tmp_path, square)


HOST_STAYS_CLEAN = """
import sys, anyio, asyncsweep as sw
async def objective(trial):
    return trial.params["x"]
result = anyio.run(sw.Sweep(objective, {"x": sw.Float(0, 1)}, sampler="tpe", n_trials=12, seed=1).run)
assert result.counts[sw.State.COMPLETE] == 12
print(sorted({"optuna", "numpy", "scipy", "pandas"} & set(sys.modules)))
"""


def test_the_application_never_imports_optuna_or_numpy() -> None:
    done = subprocess.run([sys.executable, "-c", HOST_STAYS_CLEAN], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


WITHOUT_FCNTL = """
import sys
sys.modules["fcntl"] = None  # as on Windows
import anyio, asyncsweep as sw
async def objective(x):
    return x
space = {"x": sw.Float(0, 1)}
print(len(anyio.run(sw.Sweep(objective, space, sampler="random", n_trials=2).run).trials))
try:
    anyio.run(sw.Sweep(objective, space, sampler="random", directory=sys.argv[1]).run)
except sw.ConfigError as error:
    print(error)
"""


def test_a_system_without_file_locks_runs_sweeps_in_memory_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_FCNTL, str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    refusal = f"directory='{tmp_path / 'new'}': this system has no POSIX file locks; use directory=None"
    assert (done.stdout, done.stderr) == (f"2\n{refusal}\n", "")
    assert list(tmp_path.iterdir()) == []


async def test_debug_mode_watches_the_invariants(monkeypatch: pytest.MonkeyPatch) -> None:
    from asyncsweep.core.invariants import Watch

    seen: list[str] = []
    really = Watch.see
    monkeypatch.setattr(
        Watch, "see", lambda self, event, effects: (seen.append(type(event).__name__), really(self, event, effects))
    )
    monkeypatch.setenv("ASYNCSWEEP_DEBUG", "1")
    await sw.Sweep(curve, SPACE, sampler="random", pruner="median", n_trials=10).run()
    assert seen[0] == "SweepOpened" and seen.count("Suggested") == 10


async def test_without_debug_mode_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    from asyncsweep.core.invariants import Watch

    monkeypatch.delenv("ASYNCSWEEP_DEBUG", raising=False)
    monkeypatch.setattr(Watch, "see", lambda *_: pytest.fail("it was watched"))
    await sw.Sweep(square, SPACE, sampler="random", n_trials=2).run()


async def test_debug_mode_watches_what_was_before_a_resumed_sweep_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asyncsweep.core.invariants import Watch

    await sw.Sweep(square, SPACE, sampler="random", n_trials=2, directory=tmp_path).run()
    seen: list[int] = []
    really = Watch.see
    monkeypatch.setattr(
        Watch, "see", lambda self, event, effects: (seen.append(event.seq), really(self, event, effects))
    )
    monkeypatch.setenv("ASYNCSWEEP_DEBUG", "1")
    result = await sw.Sweep.resume(tmp_path, square, n_trials=4)
    assert (seen, len(result.trials)) == (list(range(1, len(seen) + 1)), 4)


class CountsSlots(InlineExecutor):
    slots = 0

    def open(self, setup: Setup, inbox: Inbox) -> AbstractAsyncContextManager[None]:
        self.slots = setup.slots
        return super().open(setup, inbox)


@pytest.mark.parametrize(("n_trials", "slots"), [(2, 2), (40, 30), (None, 30)])
async def test_no_more_slots_are_opened_than_there_are_trials_left(n_trials: int | None, slots: int) -> None:
    executor = CountsSlots()
    sweep = sw.Sweep(square, SPACE, sampler="random", executor=executor, n_trials=n_trials, concurrency=30, target=1e9)
    await sweep.run()
    assert executor.slots == slots
