"""A sweep goes on where its journal ends, however its process did."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import optuna
import pytest

import asyncsweep as sw
from asyncsweep.core.events import Reopened
from asyncsweep.driver.replay import replay
from asyncsweep.journal import format as layout
from asyncsweep.journal import journal as journals
from asyncsweep.journal.writer import NAME
from asyncsweep.samplers.random import RandomSampler
from tests.small_objectives import SPACE, curve, endless, failing, plain_curve, square

pytestmark = pytest.mark.anyio


def sweep(directory: Path, objective: Any = square, **settings: Any) -> sw.Sweep:
    return sw.Sweep(objective, SPACE, directory=directory, **{"sampler": "random", "seed": 1, **settings})


def cut(directory: Path, n_events: int) -> None:
    """Leave the journal's first events alone, as if its process had been killed after them."""
    path = directory / NAME
    events = journals.read(directory).events[:n_events]
    path.write_bytes(layout.header() + b"".join(map(layout.encode, events)))


def told(result: sw.Result) -> list[Any]:
    return [(t.number, t.state.value, t.params, t.metrics, list(t.reports), t.user_attrs) for t in result.trials]


class Logging(RandomSampler):
    """Notes the trials that it is told of."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def tell(self, trial: Any) -> None:
        self.told.append(trial.number)


# -- what is kept ------------------------------------------------------------------------------------------------------


async def test_replay_of_a_journal_equals_the_live_state(tmp_path: Path) -> None:
    live = await sweep(tmp_path, curve, pruner="median", n_trials=30, concurrency=3, retries=1).run()
    machine = replay(journals.read(tmp_path).events, "journal")
    assert list(live.trials) == machine.trials


async def test_a_finished_sweep_opened_again_has_the_same_trials(tmp_path: Path) -> None:
    first = await sweep(tmp_path, curve, pruner="median", n_trials=10).run()
    assert told(await sw.Sweep.resume(tmp_path, curve)) == told(first)


@pytest.mark.parametrize("n_events", [2, 3, 5, 8, 20, 40])
async def test_a_sweep_that_was_cut_off_anywhere_is_finished_without_a_gap(tmp_path: Path, n_events: int) -> None:
    await sweep(tmp_path, curve, pruner="median", n_trials=8, concurrency=2).run()
    cut(tmp_path, n_events)
    before = {t.number: told(sw.Result(t_spec, [t])) for t_spec, t in final_trials(tmp_path)}
    result = await sw.Sweep.resume(tmp_path, curve)
    assert (len(result.trials), all(t.is_final for t in result.trials)) == (8, True)
    assert {number: [told(result)[number]] for number in before} == before


def final_trials(directory: Path) -> list[tuple[Any, sw.TrialRecord]]:
    machine = replay(journals.read(directory).events, "journal")
    return [(machine.spec, trial) for trial in machine.trials if trial.is_final]


async def test_a_trial_that_ran_when_the_process_ended_is_tried_again_and_that_is_no_retry(tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks, sweep(tmp_path, endless, n_trials=2).start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted):
                break
        tasks.cancel_scope.cancel()
    result = await sw.Sweep.resume(tmp_path, square)
    assert [(t.state.value, t.attempt, t.failures) for t in result.trials] == [("COMPLETE", 2, ()), ("COMPLETE", 1, ())]


async def test_a_cancelled_sweep_can_be_resumed_by_the_same_process(tmp_path: Path) -> None:
    with anyio.CancelScope() as scope:

        async def cancelling(trial: Any) -> float:
            scope.cancel()
            return await endless(trial)

        await sweep(tmp_path, cancelling).run()
    assert len((await sw.Sweep.resume(tmp_path, square, n_trials=3)).trials) == 3


async def test_resuming_tells_the_sampler_of_each_final_trial_once(tmp_path: Path) -> None:
    await sweep(tmp_path, sampler=Logging(), n_trials=6).run()
    sampler = Logging()
    await sw.Sweep.resume(tmp_path, square, sampler=sampler, n_trials=9)
    assert sampler.told == list(range(9))


async def test_a_resumed_random_sampler_goes_on_as_if_never_interrupted(tmp_path: Path) -> None:
    whole = await sw.Sweep(square, SPACE, sampler="random", n_trials=10, seed=1).run()
    await sweep(tmp_path, n_trials=4).run()
    result = await sw.Sweep.resume(tmp_path, square, n_trials=10)
    assert [t.params for t in result.trials] == [t.params for t in whole.trials]


async def test_a_resumed_grid_repeats_no_point(tmp_path: Path) -> None:
    space = {"a": sw.Int(1, 4), "b": sw.Categorical(["x", "y"])}

    async def zero(trial: Any) -> float:
        return 0.0

    await sw.Sweep(zero, space, sampler="grid", n_trials=3, directory=tmp_path).run()
    result = await sw.Sweep.resume(tmp_path, zero, n_trials=None)
    points = [(t.params["a"], t.params["b"]) for t in result.trials]
    assert (len(points), len(set(points)), result.reason) == (8, 8, "space exhausted")


@pytest.mark.any_loop
async def test_a_resumed_tpe_does_not_repeat_its_first_draws(tmp_path: Path) -> None:
    await sweep(tmp_path, sampler="tpe", n_trials=4).run()
    result = await sw.Sweep.resume(tmp_path, square, n_trials=8)
    assert len({t.params["x"] for t in result.trials}) == 8


async def test_a_resumed_median_prunes_as_if_never_interrupted(tmp_path: Path) -> None:
    whole = await sw.Sweep(curve, SPACE, sampler="random", pruner="median", n_trials=20, seed=1).run()
    await sweep(tmp_path, curve, pruner="median", n_trials=9).run()
    result = await sw.Sweep.resume(tmp_path, curve, n_trials=20)
    assert [(t.state, list(t.reports)) for t in result.trials] == [(t.state, list(t.reports)) for t in whole.trials]


async def test_a_sampler_that_cannot_be_told_again_is_a_plugin_error(tmp_path: Path) -> None:
    class Deaf(RandomSampler):
        def tell(self, trial: Any) -> None:
            raise ValueError("deaf")

    await sweep(tmp_path, n_trials=1).run()
    with pytest.raises(sw.PluginError, match=r"told of trial 0 again: ValueError: deaf \(in Deaf\)"):
        await sw.Sweep.resume(tmp_path, square, sampler=Deaf(), n_trials=2)
    assert len((await sw.Sweep.resume(tmp_path, square, n_trials=2)).trials) == 2


async def test_a_torn_tail_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await sweep(tmp_path, n_trials=1).run()
    with open(tmp_path / NAME, "ab") as file:  # noqa: ASYNC230  a test
        file.write(b"torn")
    await sw.Sweep.resume(tmp_path, square, n_trials=2)
    assert "4 bytes of a write that never ended were cut off" in caplog.text


async def test_a_define_by_run_sweep_is_resumed(tmp_path: Path) -> None:
    async def suggesting(trial: Any) -> float:
        return float(trial.suggest_float("x", 0.0, 1.0))

    first = await sw.Sweep(suggesting, {}, sampler="random", n_trials=3, directory=tmp_path).run()
    result = await sw.Sweep.resume(tmp_path, suggesting, n_trials=5)
    assert told(result)[:3] == told(first)
    assert [list(trial.params) for trial in result.trials] == [["x"]] * 5


# -- what may change ---------------------------------------------------------------------------------------------------


async def test_settings_that_are_not_named_are_as_before(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"n_trials": 3, "concurrency": 2, "retries": 1, "patience": 9, "timeout": 60.0}
    first = sweep(tmp_path, sampler=sw.sampler("sobol"), pruner=sw.pruner("median", n_warmup_steps=2), **settings)
    await first.run()
    assert sw.Sweep.open(tmp_path, square).spec == first.spec


async def test_changes_hold_from_then_on_and_are_kept(tmp_path: Path) -> None:
    await sweep(tmp_path, n_trials=2).run()
    await sw.Sweep.resume(tmp_path, square, n_trials=5, concurrency=2)
    spec = sw.Sweep.open(tmp_path, square).spec
    assert (spec.n_trials, spec.concurrency) == (5, 2)


async def test_too_many_failures_can_be_resumed_with_a_higher_limit(tmp_path: Path) -> None:
    with pytest.raises(sw.TooManyFailures):
        await sweep(tmp_path, failing, n_trials=5, max_failures=1).run()
    result = await sw.Sweep.resume(tmp_path, square, max_failures=None)
    assert [t.state.value for t in result.trials] == ["FAILED"] * 2 + ["COMPLETE"] * 3


@pytest.mark.any_loop
async def test_a_sampler_object_must_be_given_again(tmp_path: Path) -> None:
    await sweep(tmp_path, sampler=optuna.samplers.RandomSampler(), n_trials=1).run()
    with pytest.raises(sw.ConfigError, match=r"made with an object \(RandomSampler\), .* give sampler=\.\.\."):
        sw.Sweep.open(tmp_path, square)
    result = await sw.Sweep.resume(tmp_path, square, sampler=optuna.samplers.RandomSampler(), n_trials=2)
    assert len(result.trials) == 2


@pytest.mark.any_loop
async def test_a_pruner_object_must_be_given_again(tmp_path: Path) -> None:
    await sweep(tmp_path, pruner=optuna.pruners.MedianPruner(), n_trials=1).run()
    with pytest.raises(sw.ConfigError, match=r"made with an object \(MedianPruner\), .* give pruner=\.\.\."):
        sw.Sweep.open(tmp_path, square)


async def test_a_stop_when_must_be_given_again(tmp_path: Path) -> None:
    def enough(run: sw.SweepRun) -> bool:
        return False

    await sweep(tmp_path, stop_when=enough, n_trials=1).run()
    with pytest.raises(
        sw.ConfigError, match=r"stop_when: .*enough\), .*give stop_when=\.\.\. again, or stop_when=None"
    ):
        sw.Sweep.open(tmp_path, square)
    assert len((await sw.Sweep.resume(tmp_path, square, stop_when=enough, n_trials=2)).trials) == 2
    assert len((await sw.Sweep.resume(tmp_path, square, stop_when=None, n_trials=3)).trials) == 3
    assert len((await sw.Sweep.resume(tmp_path, square, n_trials=4)).trials) == 4


class Silent:
    """An exporter that does nothing."""

    async def __aenter__(self) -> Silent:
        return self

    async def __aexit__(self, *exc: object) -> None: ...
    async def export(self, updates: Any) -> None: ...


async def test_an_exporter_object_must_be_given_again(tmp_path: Path) -> None:
    await sweep(tmp_path, exporters=[Silent()], n_trials=1).run()
    with pytest.raises(
        sw.ConfigError, match=r"exporters: .*Silent\), .*give exporters=\.\.\. again, or exporters=\(\)"
    ):
        sw.Sweep.open(tmp_path, square)
    assert len((await sw.Sweep.resume(tmp_path, square, exporters=(), n_trials=2)).trials) == 2


async def test_an_exporter_by_name_goes_on(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    await sweep(tmp_path / "sweep", exporters=[{"name": "jsonl", "path": str(lines)}], n_trials=1).run()
    before = lines.read_text()
    await sw.Sweep.resume(tmp_path / "sweep", square, n_trials=2)
    assert lines.read_text().startswith(before) and len(lines.read_text()) > len(before)


async def test_a_changed_space_is_refused(tmp_path: Path) -> None:
    await sweep(tmp_path, n_trials=1).run()
    with pytest.raises(sw.ConfigError, match=r"space=.*cannot be changed in a sweep that has begun"):
        await sw.Sweep.resume(tmp_path, square, space={"x": sw.Float(0, 2)})


async def test_an_objective_that_asks_for_other_parameters_is_refused(tmp_path: Path) -> None:
    await sweep(tmp_path, n_trials=1).run()
    with pytest.raises(sw.ConfigError, match="asks for depth, which the space does not have"):
        sw.Sweep.open(tmp_path, lambda x, depth: 0.0)


async def test_a_sweep_that_runs_cannot_be_resumed_beside_it(tmp_path: Path) -> None:
    async with sweep(tmp_path, endless).start() as run:
        with pytest.raises(sw.JournalError, match="in use by a sweep of this process"):
            await sw.Sweep.resume(tmp_path, square)
        run.stop(now=True)


async def test_a_journal_of_nothing_is_no_sweep(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(layout.header())
    with pytest.raises(sw.ConfigError, match="that sweep never began; start a new one there"):
        sw.Sweep.open(tmp_path, square)


async def test_events_that_cannot_follow_each_other_are_a_journal_error(tmp_path: Path) -> None:
    await sweep(tmp_path, n_trials=1).run()
    events = journals.read(tmp_path).events
    twice = [*events[:3], Reopened(events[0].spec, seq=4, at=0.0)]  # type: ignore[attr-defined]
    (tmp_path / NAME).write_bytes(layout.header() + b"".join(map(layout.encode, twice)))
    with pytest.raises(sw.JournalError, match="event 4 cannot follow those before it"):
        await sw.Sweep.resume(tmp_path, square)


async def test_what_worker_processes_ran_is_resumed_by_them(tmp_path: Path) -> None:
    await sweep(tmp_path, plain_curve, executor="process", pruner="median", n_trials=10, concurrency=2).run()
    cut(tmp_path, 60)
    result = await sw.Sweep.resume(tmp_path, plain_curve)
    assert (len(result.trials), all(t.is_final for t in result.trials)) == (10, True)


# -- kill -9 -----------------------------------------------------------------------------------------------------------

KILLED = """
import json, sys, anyio, asyncsweep as sw
from pathlib import Path
from asyncsweep.samplers.random import RandomSampler

directory, backend = Path(sys.argv[1]), sys.argv[2]

class Logging(RandomSampler):
    told = []
    def tell(self, trial):
        self.told.append((trial.number, trial.state.value, trial.metrics))

async def objective(trial):
    for step in range(10):
        trial.report(trial.params["x"], step)
        if trial.should_prune():
            raise sw.TrialPruned
        await anyio.sleep(0.001)
    return trial.params["x"]

sampler = Logging()
try:
    sweep = sw.Sweep.open(directory, objective, sampler=sampler)
except sw.ConfigError as error:
    if "holds no sweep" not in str(error) and "never began" not in str(error):
        raise
    space = {"x": sw.Float(0, 1)}
    sweep = sw.Sweep(objective, space, sampler=sampler, pruner="median", n_trials=600, concurrency=3, seed=7, directory=directory)
print("running", flush=True)
result = anyio.run(sweep.run, backend=backend)
print(json.dumps({
    "told": sampler.told,
    "trials": [(t.number, t.state.value, t.metrics) for t in result.trials],
    "reason": result.reason,
}))
"""


def killed_until_it_is_done(directory: Path, kills: int, backend: str) -> tuple[int, dict[str, Any]]:
    """Run the sweep, kill it again and again, then let it finish; gives how often it was killed, and its last words."""
    rng = random.Random(kills)
    command = [sys.executable, "-c", KILLED, str(directory), backend]
    n_killed = 0
    finals: dict[int, Any] = {}
    for _ in range(kills):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(rng.uniform(0.0, 0.12))
            except subprocess.TimeoutExpired:
                process.kill()
                n_killed += 1
        finals = what_is_final_on_disk(directory, finals)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return n_killed, json.loads(done.stdout.splitlines()[-1])


def what_is_final_on_disk(directory: Path, before: dict[int, Any]) -> dict[int, Any]:
    """The final trials, those of `before` as they were."""
    if not (directory / NAME).exists():
        return before
    machine = replay(journals.read(directory).events, "journal")
    now = {t.number: (t.state, t.params, t.metrics, list(t.reports)) for t in machine.trials if t.is_final}
    assert {number: now.get(number) for number in before} == before
    return now


def check_the_end(words: dict[str, Any]) -> None:
    """All trials are there, final, and told to the last process's sampler exactly once with what they came to."""
    trials = words["trials"]
    assert ([number for number, *_ in trials], words["reason"]) == (list(range(600)), "n_trials reached")
    assert {state for _, state, _ in trials} <= {"COMPLETE", "PRUNED"}
    assert Counter(number for number, *_ in words["told"]) == Counter(range(600))
    assert sorted(words["told"]) == trials


def test_a_sweep_that_is_killed_again_and_again_loses_no_trial_and_tells_none_twice(tmp_path: Path) -> None:
    n_killed, words = killed_until_it_is_done(tmp_path, 10, "asyncio")
    check_the_end(words)
    assert n_killed >= 5


@pytest.mark.deep
@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_hundred_kills_lose_no_trial_and_tell_none_twice(tmp_path: Path, backend: str) -> None:
    for part in range(10):
        n_killed, words = killed_until_it_is_done(tmp_path / f"{part}", 10, backend)
        check_the_end(words)
        assert n_killed >= 5


# -- a pause ----------------------------------------------------------------------------------------------------------


async def paused(directory: Path) -> None:
    """A sweep of four trials whose process ended while it was paused, after two."""

    async def waiting(trial: Any) -> float:
        if trial.number == 2:
            await anyio.sleep_forever()
        return 0.0

    async with sw.Sweep(waiting, SPACE, n_trials=4, sampler="random", seed=1, directory=directory).start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted) and update.trial == 2:
                run.pause()
                break
        assert run.is_paused
        raise KeyError("the process ends")


async def test_a_paused_sweep_is_still_paused_when_it_is_started_again(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        await paused(tmp_path)
    async with sw.Sweep.open(tmp_path, square).start() as run:
        assert run.is_paused
        assert run.counts[sw.State.WAITING] == 1
        run.unpause()
        assert not run.is_paused
        assert (await run.result()).counts[sw.State.COMPLETE] == 4


async def test_run_and_resume_have_no_handle_so_they_go_on(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        await paused(tmp_path)
    with anyio.fail_after(30):
        result = await sw.Sweep.resume(tmp_path, square)
    assert result.counts[sw.State.COMPLETE] == 4


# -- what is the same, and what cannot be changed ------------------------------------------------------------------------


async def test_settings_that_are_as_they_were_may_be_given_again(tmp_path: Path) -> None:
    await sweep(tmp_path, n_trials=2).run()
    again = sw.Sweep.open(tmp_path, square, seed=1, direction="minimize", space=SPACE, n_trials=3)
    assert len((await again.run()).trials) == 3


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("seed", 2, r"make a new sweep in another directory, .* Sweep\(..., history=directory\)"),
        ("direction", "maximize", "make a new sweep in another directory"),
        ("space", {"x": sw.Float(0, 9)}, "make a new sweep in another directory"),
        ("reproducible", True, "make a new sweep in another directory"),
        ("enqueue", [{"x": 0.5}], r"use run.enqueue\(...\)"),
    ],
)
async def test_a_setting_that_cannot_be_changed_names_another_way(
    tmp_path: Path, name: str, value: Any, mend: str
) -> None:
    await sweep(tmp_path, n_trials=2).run()
    with pytest.raises(sw.ConfigError, match=f"{name}=.*it cannot be changed in a sweep that has begun; {mend}"):
        sw.Sweep.open(tmp_path, square, **{name: value})
