"""The hub: what was published and no more, in steps, and at a pace."""

from __future__ import annotations

import json
from array import array
from typing import Any

import anyio
import pytest

from asyncsweep.core import effects as ef
from asyncsweep.core.events import Used
from asyncsweep.core.records import State, TrialRecord
from asyncsweep.testing import events as on
from asyncsweep.viewer import budget
from asyncsweep.viewer import hub as hub_module
from asyncsweep.viewer.forms import JSON
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.table import Table
from tests.viewer.histories import BenchSource, opened


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def looked(hub: Hub) -> Hub:
    hub.pull()
    while hub.has_work:
        hub.pull()
    return hub


def complete(source: BenchSource, count: int, worker: str = "w") -> None:
    """So many more trials run and end."""
    for _ in range(count):
        number = len(source.trials) - 1
        source.bench.send(on.suggested(number), on.started(number), on.finished(number, 1.0 - number / 100))


def many(n: int, **changes: Any) -> BenchSource:
    source = opened(on.spec(n_trials=None, **changes), on.worker_joined())
    complete(source, n)
    return source


# -- what was published --------------------------------------------------------------------------------------------------


def test_nothing_is_shown_that_was_not_published() -> None:
    source = opened(on.spec(), on.worker_joined(), on.suggested(0), on.started(0))
    hub = looked(Hub(source))
    source.publish()
    looked(hub)
    before = hub.rows.row(0, source.trials[0]), hub.status()["counts"], hub.seq
    source.bench.send(on.reported(0, 1, 0.5), on.finished(0, 2.0))
    looked(hub)
    assert (hub.rows.row(0, source.trials[0]), hub.status()["counts"], hub.seq) == before
    shown = hub.published(0)
    assert shown is not None
    assert (shown.state, shown.metrics, list(shown.reports), shown.finished_at) == (State.RUNNING, {}, [], 0.0)
    source.publish(1)
    looked(hub)
    assert hub.rows.row(0, source.trials[0])[:7] == [0, "RUNNING", 1, None, None, 1, 0.5]
    source.publish()
    looked(hub)
    assert hub.rows.row(0, source.trials[0])[1] == "COMPLETE"


def test_a_retry_that_was_not_published_changes_no_row() -> None:
    source = opened(on.spec(retries=1), on.worker_joined(), on.suggested(0), on.started(0), on.reported(0, 1, 0.5))
    source.publish()
    hub = looked(Hub(source))
    before = hub.rows.row(0, source.trials[0])
    source.bench.send(on.failed(0))
    looked(hub)
    assert hub.rows.row(0, source.trials[0]) == before
    source.publish()
    looked(hub)
    assert hub.rows.row(0, source.trials[0]) == [0, "WAITING", 1, None, None, None, None, None, 0.5]


def test_a_trial_without_parameters_is_not_there_yet() -> None:
    hub = looked(Hub(opened(on.spec(), on.worker_joined())))
    assert (hub.table.total, hub.published(0), hub.published(-1), hub.published(10**9)) == (0, None, None, None)


def test_trials_of_earlier_searches_are_not_shown() -> None:
    source = opened(on.spec(), on.adopted(), on.adopted(0.5), on.worker_joined())
    assert looked(Hub(source)).table.total == 0


def test_what_a_late_update_says_of_a_final_trial_changes_nothing() -> None:
    table = Table()
    table.finished(ef.TrialFinished(at=2.0, trial=0, state=State.PRUNED, metrics={}))
    table.suggested(ef.TrialSuggested(at=1.0, trial=0, params={}))
    table.started(ef.TrialStarted(at=1.0, trial=0, attempt=1, worker=None))
    table.retried(ef.TrialRetried(at=1.0, trial=0, attempt=1, error=on.ERROR))
    assert not table.reported(ef.TrialReported(at=1.0, trial=0, step=1, value=1.0))
    assert (table.state(0), table.n_final, table.total) == (State.PRUNED, 1, 1)


def test_another_trial_with_the_number_of_a_dropped_one_is_seen() -> None:
    table = Table()
    final, other = TrialRecord(0, State.COMPLETE), TrialRecord(0, State.COMPLETE)
    final.finished_at, other.finished_at = 1.0, 2.0
    assert table.sync(0, final) and not table.sync(0, final)
    assert table.sync(0, other)
    waiting = TrialRecord(0)
    assert table.sync(0, waiting)
    assert table.state(0) is None
    waiting.param_names = ()
    assert table.sync(0, waiting) and not table.sync(0, waiting)
    assert (table.state(0), table.n_final) == (State.WAITING, 0)


def test_a_launch_does_not_count_as_an_attempt_before_its_start() -> None:
    table, record = Table(), TrialRecord(0, attempt=1, worker="w", param_names=())
    table.sync(0, record)
    assert table.open[0].attempt == 0


def test_reports_that_were_missed_are_read_from_the_record() -> None:
    source = opened(on.spec(), on.worker_joined(), on.suggested(0), on.started(0), buffered=2)
    source.publish()
    hub = looked(Hub(source))
    for step in range(7):
        source.bench.send(on.reported(0, step, step / 10))
    source.publish()
    looked(hub)
    assert hub.table.open[0].facts() == (State.RUNNING, 1, 0.0, 1, 7, 6, "0.6")


def test_a_parameter_that_was_missed_is_read_from_the_record() -> None:
    source = opened(on.spec(), on.worker_joined(), on.suggested(0), on.started(0), buffered=1)
    source.publish()
    hub = looked(Hub(source))
    seq = hub.seq
    source.bench.send(on.param_asked(0, "y"), on.param_suggested(0, "y", 0.25))
    assert hub.rows.row(0, source.trials[0])[8:] == [0.5]
    detail = hub.published(0)
    assert detail is not None and detail.params == {"x": 0.5}
    source.publish()
    source._watchers.put([ef.SweepPaused(at=1.0)])  # pushes the parameter out
    looked(hub)
    assert hub.rows.row(0, source.trials[0])[8:] == [0.5, None, 0.25]
    assert bytes(hub.rows.piece(seq, JSON, may_be_older=False).rows).count(b"RUNNING") == 1


# -- steps ---------------------------------------------------------------------------------------------------------------


def test_a_large_table_is_read_in_steps_and_has_no_epoch_before_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "STEP_RECORDS", 4)
    hub = Hub(many(10))
    hub.pull()
    totals, epochs = [hub.table.total], [hub.epoch]
    while hub.has_work:
        hub.pull()
        totals.append(hub.table.total)
        epochs.append(hub.epoch)
    assert totals == [4, 8, 10]
    assert epochs[:2] == ["", ""] and epochs[2]


def test_many_updates_are_taken_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "STEP_UPDATES", 5)
    source = many(0)
    hub = looked(Hub(source))
    complete(source, 4)
    source.publish()  # three updates for each, and one trial more was suggested by nobody
    hub.pull()
    assert (hub.table.total, hub.has_work) == (2, True)
    looked(hub)
    assert (hub.table.total, hub.table.n_final) == (4, 4)


def test_however_often_a_trial_changed_it_is_one_change() -> None:
    source = opened(on.spec(), on.worker_joined(), on.suggested(0), on.started(0))
    source.publish()
    hub = looked(Hub(source))
    piece = hub.rows.piece(0, JSON, may_be_older=False)
    for step in range(50):
        source.bench.send(on.reported(0, step, 1.0))
    source.publish()
    looked(hub)
    after = hub.rows.piece(piece.to, JSON, may_be_older=False)
    assert bytes(after.rows).count(b"RUNNING") == 1


def test_what_a_trial_uses_is_a_change_of_it_so_that_its_details_are_asked_for_again() -> None:
    source = opened(on.spec(), on.worker_joined(), on.suggested(0), on.started(0))
    source.publish()
    hub = looked(Hub(source))
    piece = hub.rows.piece(0, JSON, may_be_older=False)
    source.bench.send(Used(0, 1, {"gpu_memory_gib": 1.5}))
    source.publish()
    looked(hub)
    after = hub.rows.piece(piece.to, JSON, may_be_older=False)
    assert (after.to > piece.to, bytes(after.rows).count(b"RUNNING")) == (True, 1)


@pytest.mark.anyio
async def test_others_have_their_turn_while_a_large_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "STEP_RECORDS", 1)
    hub = Hub(many(20))
    turns: list[int] = []

    async def count() -> None:
        while not hub.epoch:
            turns.append(hub.table.total)
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        tasks.start_soon(hub.catch_up)
        tasks.start_soon(hub.catch_up)
    assert len(set(turns)) >= 8
    assert hub.table.total == 20


# -- epochs and samples --------------------------------------------------------------------------------------------------


def test_a_journal_that_was_replaced_is_a_new_epoch() -> None:
    source = many(3)
    hub = looked(Hub(source))
    epoch, seq = hub.epoch, hub.seq
    source.replace()
    looked(hub)
    assert hub.epoch not in ("", epoch)
    assert (hub.table.total, hub.seq > seq) == (3, True)


def test_two_hubs_of_one_sweep_have_different_epochs() -> None:
    source = many(1)
    assert looked(Hub(source)).epoch != looked(Hub(source)).epoch


def test_of_very_many_trials_a_sample_is_shown_with_the_best_and_the_open_ones() -> None:
    source = many(0)
    source.bench.send(on.suggested(0), on.started(0), on.finished(0, 9.0))
    source.bench.send(on.suggested(1), on.started(1), on.finished(1, -5.0))
    hub = looked(Hub(source, most_shown=5))
    before = hub.epoch
    for number in range(2, 11):
        source.bench.send(on.suggested(number), on.started(number), on.finished(number, 1.0))
    source.bench.send(on.suggested(11), on.started(11))
    source.publish()
    looked(hub)
    assert (hub.stride, hub.epoch != before) == (4, True)
    assert [n for n in range(13) if hub.is_shown(n)] == [0, 1, 4, 8, 11]
    assert hub.status()["total"] == 12
    source.bench.send(on.finished(11, -9.0))  # the new best
    source.publish()
    seq = hub.seq
    looked(hub)
    assert [n for n in range(13) if hub.is_shown(n)] == [0, 4, 8, 11]
    assert [number for _, number in hub.rows.piece(seq, JSON, may_be_older=False).gone] == [1]


# -- status --------------------------------------------------------------------------------------------------------------


def test_the_status_tells_how_the_sweep_stands() -> None:
    source = opened(on.spec(n_trials=4, concurrency=2))
    source.bench.send(on.worker_joined(slots=2), after_s=1.0)
    source.bench.send(on.suggested(0), on.started(0), on.suggested(1), on.started(1))
    source.bench.send(on.finished(0, 2.0), after_s=10.0)
    source.bench.send(on.failed(1), after_s=2.0)
    source.publish()
    status = looked(Hub(source)).status()
    assert status["now"] > 0
    # They ended some seconds after the epoch, which was long ago.
    assert 0 < status["rate_per_s"] < 1e-8
    expected = {
        "state": "RUNNING",
        "reason": "",
        "error": "",
        "counts": {"WAITING": 0, "RUNNING": 0, "COMPLETE": 1, "PRUNED": 0, "FAILED": 1, "CANCELLED": 0},
        "n_trials": 4,
        "concurrency": 2,
        "total": 2,
        "stride": 1,
        "best": {"number": 0, "value": 2.0},
        "eta_s": 11.0,  # two trials at a time, of 10 and 12 seconds
        "started_at": 1.0,
        "problem": "",
    }
    assert {name: status[name] for name in expected} == expected


def test_what_a_plugin_or_the_source_failed_with_is_told() -> None:
    source = opened(on.spec(), on.worker_joined())
    hub = looked(Hub(source))
    source.bench.send(on.ask_failed(0))
    source.publish()
    looked(hub)
    assert "boom" in hub.status()["problem"]
    seq = hub.seq
    source.problem = "the journal is damaged"
    looked(hub)
    assert (hub.status()["problem"], hub.seq > seq) == ("the journal is damaged", True)


def test_counts_are_told_at_most_twice_a_second_and_the_last_ones_always() -> None:
    clock, source = Clock(), many(0)
    hub = looked(Hub(source, clock=clock))
    told = []
    for _ in range(10):
        complete(source, 1)
        source.publish()
        clock.now += 0.1
        looked(hub)
        told.append(hub.status_seq)
    assert len(set(told)) == 10  # each is a new best
    told.clear()
    for _ in range(10):
        number = len(source.trials) - 1
        source.bench.send(on.suggested(number), on.started(number), on.finished(number, 5.0))
        source.publish()
        clock.now += 0.1
        looked(hub)
        told.append(hub.status_seq)
    assert 2 <= len(set(told)) <= 3
    clock.now += 0.5
    before = hub.status_seq
    looked(hub)
    after = hub.status_seq
    clock.now += 0.5
    looked(hub)
    assert (after >= before, hub.status_seq) == (True, after)  # nothing more to tell


def test_the_end_is_not_told_before_the_last_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "STEP_UPDATES", 1)
    source = opened(on.spec(n_trials=2), on.worker_joined())
    complete(source, 1)
    source.publish()
    hub = looked(Hub(source))
    source.problem = "the status has changed"
    hub.pull()
    complete(source, 1)  # it ends before anybody asks how it stands
    assert not source.is_live
    assert (json.loads(hub.status_message(JSON))["state"], hub.table.total) == ("RUNNING", 1)
    source.publish()
    looked(hub)
    found = json.loads(hub.status_message(JSON))
    assert (found["state"], found["counts"]["COMPLETE"], found["seq"]) == (
        "ENDED",
        2,
        hub.rows.piece(0, JSON, may_be_older=False).to - 1,
    )


def test_the_status_is_encoded_once_for_all() -> None:
    hub = looked(Hub(many(2)))
    assert hub.status_message(JSON) is hub.status_message(JSON)


# -- waiting -------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_all_who_wait_hear_of_one_change() -> None:
    source = many(1)
    hub = Hub(source)
    await hub.catch_up()
    heard: list[int] = []

    async def wait(number: int) -> None:
        await hub.newer(hub.seq, hub.budget.round)
        heard.append(number)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(wait, number)
            await anyio.wait_all_tasks_blocked()
            complete(source, 1)
            source.publish()
    assert sorted(heard) == [0, 1, 2, 3, 4]


@pytest.mark.anyio
async def test_who_was_cancelled_while_waiting_takes_nothing_away() -> None:
    source = many(1)
    hub = Hub(source)
    await hub.catch_up()
    with anyio.move_on_after(0.01):
        await hub.newer(hub.seq, hub.budget.round)
    complete(source, 1)
    source.publish()
    with anyio.fail_after(10):
        await hub.newer(hub.seq, hub.budget.round)
    assert hub.table.total == 2


@pytest.mark.anyio
async def test_a_problem_without_an_update_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "LOOK_EVERY_S", 0.02)
    source = many(1)
    hub = Hub(source)
    await hub.catch_up()
    source.problem = "the disk is gone"
    with anyio.fail_after(10):
        await hub.newer(hub.seq, hub.budget.round)
    assert hub.status()["problem"] == "the disk is gone"


@pytest.mark.anyio
async def test_what_somebody_else_has_seen_is_told_to_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "LOOK_EVERY_S", 1_000.0)
    source = many(1)
    hub = Hub(source)
    await hub.catch_up()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(hub.newer, hub.seq, hub.budget.round)
            await anyio.wait_all_tasks_blocked()
            source.problem = "the disk is gone"
            await hub.catch_up()


@pytest.mark.anyio
async def test_a_new_table_is_read_to_its_end_though_who_began_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "STEP_RECORDS", 1)
    monkeypatch.setattr(hub_module, "LOOK_EVERY_S", 0.02)
    source = many(5)
    hub = Hub(source)
    await hub.catch_up()
    source.replace()
    before, epoch = hub.seq, hub.epoch
    hub.pull()  # and no further
    assert hub.has_work and hub.seq > before
    with anyio.fail_after(10):
        await hub.newer(before, -1)
    assert (hub.table.total, hub.epoch not in ("", epoch)) == (5, True)


@pytest.mark.anyio
async def test_a_watcher_that_is_closed_makes_nobody_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "TICK_S", 0.001)
    source = many(1)
    hub = Hub(source)
    await hub.catch_up()
    source._watchers.close()
    looks = 0
    look = hub._look

    async def counted() -> None:
        nonlocal looks
        looks += 1
        await look()

    monkeypatch.setattr(hub, "_look", counted)
    with anyio.move_on_after(0.3):
        await hub.newer(hub.seq, hub.budget.round)
    assert looks <= 3


def test_nothing_happens_without_viewers_but_that_a_buffer_fills_up() -> None:
    source = opened(on.spec(), on.worker_joined(), on.suggested(0), on.started(0), buffered=10)
    hub = Hub(source)
    for step in range(100):
        source.bench.send(on.reported(0, step, 1.0))
        source.publish()
    assert hub.seq == 1 and hub.table.total == 0
    looked(hub)
    assert hub.table.open[0].n_reports == 100


def test_an_update_of_a_trial_that_has_no_record_raises_nothing() -> None:
    source = many(0)
    hub = looked(Hub(source))
    source._watchers.put(
        [ef.TrialSuggested(at=1.0, trial=50, params={}), ef.TrialStarted(at=1.0, trial=50, attempt=1, worker=None)]
    )
    source._watchers.put([ef.TrialFinished(at=1.0, trial=51, state=State.FAILED, metrics={})])
    looked(hub)
    assert hub.published(50) is None
    assert [number for _, number in hub.rows.piece(0, JSON, may_be_older=False).gone] == [50, 51]


def test_a_curve_longer_than_the_record_is_cut_at_the_record() -> None:
    table, record = Table(), TrialRecord(0, State.RUNNING, 1, param_names=())
    record.steps, record.reported = array("q", [1]), array("d", [0.5])
    table.sync(0, record)
    table.reported(ef.TrialReported(at=1.0, trial=0, step=1, value=0.5))  # it came before the record was read
    shown = table.published(0, [record])
    assert shown is not None
    assert list(shown.reports) == [(1, 0.5)]
