"""`ThreadedExporter`: which calls come, in which thread, and that no final trial is missed or doubled."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import asyncsweep as sw
from asyncsweep.core.effects import TrialDropped, TrialFinished, TrialReported, UpdatesSkipped
from asyncsweep.core.records import State, TrialRecord
from asyncsweep.exporters.ledger import Ledger
from tests.exporters.sweeps import Keeping, quick, run

pytestmark = pytest.mark.anyio


async def test_the_calls_come_in_order_in_one_thread_that_is_not_the_loops() -> None:
    exporter = Keeping()
    await run(exporters=[exporter])
    assert (exporter.calls[0], exporter.calls[-1], set(exporter.calls[1:-1])) == ("open", "close", {"write"})
    assert len(exporter.threads) == 1 and threading.get_ident() not in exporter.threads


async def test_every_update_and_every_final_trial_comes_once() -> None:
    exporter = Keeping()
    result = await run(exporters=[exporter])
    assert [trial.number for trial in exporter.trials] == [0, 1, 2, 3, 4]
    assert exporter.trials[2] is result.trials[2]
    kinds = [type(update).__name__ for update in exporter.updates]
    assert (kinds.count("TrialFinished"), kinds.count("TrialReported"), kinds[-1]) == (5, 15, "SweepFinished")


async def test_a_resumed_sweep_hands_over_the_earlier_trials_first(tmp_path: Path) -> None:
    await run(quick, n_trials=3, directory=tmp_path / "sweep")
    exporter = Keeping()
    with anyio.fail_after(50):
        await sw.Sweep.resume(tmp_path / "sweep", quick, n_trials=5, exporters=[exporter])
    assert exporter.earlier[:3] == [0, 1, 2]
    assert [trial.number for trial in exporter.trials] == [0, 1, 2, 3, 4]


async def test_an_exporter_object_serves_one_sweep_after_the_other() -> None:
    exporter = Keeping()
    for _ in range(2):
        await run(exporters=[exporter])
    assert exporter.calls.count("close") == 2


async def test_an_exporter_object_of_two_sweeps_at_once_is_refused() -> None:
    exporter = Keeping()
    async with sw.Sweep(quick, {"x": sw.Float(0.0, 1.0)}, sampler="random", n_trials=3, exporters=[exporter]).start():
        with pytest.raises(sw.ConfigError, match=r"exporter=<Keeping> is in use by another sweep"):
            await run(exporters=[exporter])


async def test_a_cancelled_sweep_hands_over_what_is_final_and_closes() -> None:
    exporter = Keeping()
    with anyio.CancelScope() as scope:
        async with sw.Sweep(
            quick, {"x": sw.Float(0.0, 1.0)}, sampler="random", n_trials=None, exporters=[exporter]
        ).start() as running:
            async for update in running.updates():
                if isinstance(update, TrialFinished) and update.trial >= 20:
                    scope.cancel()
    numbers = [trial.number for trial in exporter.trials]
    assert exporter.calls[-1] == "close" and set(range(20)) <= set(numbers) and len(set(numbers)) == len(numbers)


async def test_what_became_final_unheard_is_handed_over_at_the_end() -> None:
    trials = trials_of(State.RUNNING)
    exporter = Keeping()
    exporter.begin(sw.SweepInfo("sweep", None, sw.Space({}), {"value": "minimize"}, "f", lambda: trials))
    async with exporter:
        await exporter.export([])
        trials[0].state = State.COMPLETE
    assert (exporter.trials, exporter.calls[-2:]) == (trials, ["write", "close"])


async def test_a_config_error_of_open_is_the_sweeps() -> None:
    class Refusing(Keeping):
        def open(self, info: sw.SweepInfo) -> None:
            raise sw.ConfigError("exporter.path: no")

    with pytest.raises(sw.ConfigError, match=r"^exporter\.path: no$"):
        await run(exporters=[Refusing()])


async def test_after_an_error_of_write_it_is_closed_and_gets_no_more(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Keeping):
        def write(self, updates: Sequence[sw.Update], trials: Sequence[sw.TrialRecord]) -> None:
            super().write(updates, trials)
            raise OSError("disk full")

    exporter = Failing()
    with caplog.at_level(logging.ERROR, "asyncsweep"):
        result = await run(exporters=[exporter])
    assert exporter.calls == ["open", "write", "close"]
    assert len(result.trials) == 5 and "disk full" in caplog.text


async def test_an_order_to_exit_in_the_thread_is_an_error_of_the_exporter(caplog: pytest.LogCaptureFixture) -> None:
    class Exiting(Keeping):
        def write(self, updates: Sequence[sw.Update], trials: Sequence[sw.TrialRecord]) -> None:
            sys.exit(3)

    with caplog.at_level(logging.ERROR, "asyncsweep"):
        assert len((await run(exporters=[Exiting()])).trials) == 5
    assert "the thread was told to exit: SystemExit(3)" in caplog.text


async def test_a_class_without_write_says_so(caplog: pytest.LogCaptureFixture) -> None:
    class Empty(sw.ThreadedExporter):
        pass

    with caplog.at_level(logging.ERROR, "asyncsweep"):
        await run(exporters=[Empty()])
    assert "Empty has no method write(updates, trials)" in caplog.text


async def test_export_outside_the_context_says_so() -> None:
    with pytest.raises(RuntimeError, match="inside `async with exporter`"):
        await Keeping().export([])


async def test_entering_before_begin_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"begin\(info\) comes first"):
        await Keeping().__aenter__()


async def test_its_thread_ends_with_the_sweep() -> None:
    await run(exporters=[Keeping()])
    with anyio.fail_after(20):
        while any(thread.name == "asyncsweep-Keeping" for thread in threading.enumerate()):  # a thread ends by itself
            await anyio.lowlevel.checkpoint()


# -- the ledger ----------------------------------------------------------------------------------------------------------


def trials_of(*states: State) -> list[TrialRecord]:
    return [TrialRecord(number, state) for number, state in enumerate(states)]


def finished(number: int) -> TrialFinished:
    return TrialFinished(at=1.0, trial=number, state=State.COMPLETE, metrics={})


def taken(ledger: Ledger, *updates: Any) -> tuple[list[Any], list[int]]:
    shown, trials = ledger.taken(updates)
    return list(shown), [trial.number for trial in trials]


def begun(trials: list[TrialRecord]) -> Ledger:
    """A ledger whose first batch has been."""
    ledger = Ledger(lambda: trials)
    ledger.taken([])
    return ledger


REPORT = TrialReported(at=1.0, trial=0, step=1, value=0.5)
GAP = UpdatesSkipped(at=1.0, count=5)


async def test_a_trial_comes_with_the_update_that_ends_it() -> None:
    trials = trials_of(State.RUNNING, State.RUNNING)
    ledger = begun(trials)
    trials[0].state = trials[1].state = State.COMPLETE
    assert taken(ledger, finished(0)) == ([finished(0)], [0])
    assert taken(ledger, finished(1)) == ([finished(1)], [1])


async def test_after_a_gap_all_that_were_missed_come_at_once() -> None:
    trials = trials_of(State.RUNNING, State.RUNNING, State.RUNNING)
    ledger = begun(trials)
    trials[0].state = trials[2].state = State.COMPLETE
    assert taken(ledger, GAP) == ([GAP], [0, 2])
    assert taken(ledger, GAP) == ([GAP], [])


async def test_no_update_comes_of_a_trial_that_was_handed_over() -> None:
    trials = trials_of(State.RUNNING)
    ledger = begun(trials)
    trials[0].state = State.COMPLETE
    assert taken(ledger, GAP) == ([GAP], [0])
    assert taken(ledger, REPORT, finished(0)) == ([], [])


async def test_that_a_trial_which_was_handed_over_is_dropped_is_told() -> None:
    trials = trials_of(State.RUNNING)
    ledger = begun(trials)
    trials[0].state = State.COMPLETE
    dropped = TrialDropped(at=1.0, trial=0)
    assert taken(ledger, GAP) == ([GAP], [0])
    assert taken(ledger, dropped) == ([dropped], [])


async def test_a_number_that_was_taken_back_is_free_again() -> None:
    trials = trials_of(State.COMPLETE, State.WAITING, State.WAITING)
    ledger = begun(trials)
    del trials[1:]
    assert taken(ledger, GAP) == ([GAP], [])
    trials.append(TrialRecord(1, State.COMPLETE))
    assert taken(ledger, finished(1)) == ([finished(1)], [1])


async def test_what_nobody_told_of_comes_at_the_end() -> None:
    trials = trials_of(State.RUNNING, State.RUNNING)
    ledger = begun(trials)
    trials[1].state = State.FAILED
    assert [trial.number for trial in ledger.rest()] == [1]
    assert ledger.rest() == []
