"""Faults planted into the real code, one at a time: what a simulation has to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asyncsweep.core import events as ev
from asyncsweep.core import snapshot, workers
from asyncsweep.core.course import Course
from asyncsweep.core.lifecycle import Lifecycle
from asyncsweep.core.records import Retry, State, SweepSpec, TrialRecord
from asyncsweep.core.settling import Settling
from asyncsweep.core.slots import Slots
from asyncsweep.driver.clock import Clock
from asyncsweep.driver.crew import Crew, _Desk
from asyncsweep.driver.driver import Driver
from asyncsweep.hooks.contracts import Job, JobId
from asyncsweep.journal.writer import Journal
from asyncsweep.search.retelling import Script, Step

Fault = Callable[[pytest.MonkeyPatch], None]


def updates_are_shown_before_they_are_written(patch: pytest.MonkeyPatch) -> None:
    commit, show = Driver._commit, Driver._show

    def late(self: Driver, updates: Any) -> None:
        show(self, updates)
        commit(self)

    patch.setattr(Driver, "_commit", lambda self: None)
    patch.setattr(Driver, "_show", late)


def attempts_are_launched_before_they_are_written(patch: pytest.MonkeyPatch) -> None:
    commit, act = Driver._commit, Driver._act

    def late(self: Driver, outside: Any) -> None:
        act(self, outside)
        commit(self)

    patch.setattr(Driver, "_commit", lambda self: None)
    patch.setattr(Driver, "_act", late)


def always_does_not_wait_for_the_sync(patch: pytest.MonkeyPatch) -> None:
    init = Driver.__init__

    def hasty(self: Driver, *args: Any, **options: Any) -> None:
        init(self, *args, **{**options, "waits_for_sync": False})

    patch.setattr(Driver, "__init__", hasty)


def the_journal_leaves_out_a_record(patch: pytest.MonkeyPatch) -> None:
    add = Journal.add

    def skip(self: Journal, event: ev.Event) -> None:
        if not (isinstance(event, ev.Reported) and event.step == 2):
            add(self, event)

    patch.setattr(Journal, "add", skip)


def a_sync_is_acknowledged_and_never_happens(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Journal, "sync", lambda self: None)


def a_stale_message_is_accepted(patch: pytest.MonkeyPatch) -> None:
    def running(self: Course, number: int, attempt: int) -> TrialRecord | None:
        trials = self.life.trials
        return trials[number] if 0 <= number < len(trials) and trials[number].state is State.RUNNING else None

    patch.setattr(Course, "running", running)


def a_retry_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Retry, "delay_s", lambda self, n_failures: 0.0)


def every_error_is_retried(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Retry, "allows", lambda self, error, n_failures: n_failures < self.times)


def deadly_parameters_are_tried_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Course, "refuse_deadly", lambda self, trial: False)


def reopening_forgets_an_open_trial(patch: pytest.MonkeyPatch) -> None:
    take_up = Course._take_up
    patch.setattr(Course, "_take_up", lambda self, trial: None if trial.number == 1 else take_up(self, trial))


def reopening_changes_a_result(patch: pytest.MonkeyPatch) -> None:
    reopen = Course.reopen

    def changed(self: Course, spec: SweepSpec) -> None:
        if self.life.trials and self.life.trials[0].state is State.COMPLETE:
            self.life.trials[0].metric_values = (0.123,)
        reopen(self, spec)

    patch.setattr(Course, "reopen", changed)


def a_new_sampler_is_told_twice(patch: pytest.MonkeyPatch) -> None:
    steps = Script._as_they_are

    def twice(self: Script) -> Iterator[Step]:
        for step in steps(self):
            yield step
            if step.what == "tell":
                yield step

    patch.setattr(Script, "_as_they_are", twice)


def a_new_sampler_is_not_told_of_all(patch: pytest.MonkeyPatch) -> None:
    steps = Script._as_they_are
    patch.setattr(Script, "_as_they_are", lambda self: (step for step in steps(self) if step.trial.number != 1))


def events_have_the_time_of_the_wall_clock(patch: pytest.MonkeyPatch) -> None:
    def init(self: Any, not_before: float = 0.0, wall: Any = None, monotonic: Any = None) -> None:
        self.now = wall

    patch.setattr(Clock, "__init__", init)


def compaction_forgets_what_was_written_meanwhile(patch: pytest.MonkeyPatch) -> None:
    collected = Journal.collected

    def forgotten(self: Journal) -> bytes:
        collected(self)
        return b""

    patch.setattr(Journal, "collected", forgotten)


def a_snapshot_has_other_results(patch: pytest.MonkeyPatch) -> None:
    record = snapshot._record

    def changed(*args: Any) -> TrialRecord:
        trial = record(*args)
        trial.metric_values = tuple(0.123 for _ in trial.metric_values)
        return trial

    patch.setattr(snapshot, "_record", changed)


def nothing_is_killed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Driver, "_kill", lambda self, effect: None)


def what_waited_at_a_lost_worker_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Course, "take_back", lambda self, trial: None)


def what_waited_is_launched_again_before_it_is_given_back(patch: pytest.MonkeyPatch) -> None:
    ask_back = Lifecycle.ask_back

    def hasty(self: Lifecycle, attempt: tuple[int, int]) -> None:
        ask_back(self, attempt)
        self.take_back(self.trials[attempt[0]])

    patch.setattr(Lifecycle, "ask_back", hasty)


def what_begins_at_a_busy_worker_is_thought_to_wait(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Slots, "began", lambda self, worker, attempt: None)


def the_pause_leaves_what_waits_ahead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Settling, "ask_back", lambda self: None)


def trials_run_where_their_needs_are_not_met(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(workers, "unmet", lambda needs, offered: None)


def more_slots_than_before_stay_unused(patch: pytest.MonkeyPatch) -> None:
    change = Slots.change

    def fewer_alone(self: Slots, worker: str, slots: int) -> None:
        change(self, worker, min(slots, self._sizes.get(worker, slots)))

    patch.setattr(Slots, "change", fewer_alone)


def fewer_slots_than_before_are_overlooked(patch: pytest.MonkeyPatch) -> None:
    change = Slots.change

    def more_alone(self: Slots, worker: str, slots: int) -> None:
        change(self, worker, max(slots, self._sizes.get(worker, slots)))

    patch.setattr(Slots, "change", more_alone)


def a_failed_executor_keeps_its_workers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_Desk, "_losses", lambda self, error: [])


def a_failed_executor_is_still_heard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_Desk, "_is_deaf", property(lambda self: False, lambda self, value: None), raising=False)


def what_was_to_be_killed_at_a_failed_executor_stays_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Crew, "kills_of", lambda self, desk: [])


def the_first_executor_is_not_told_apart_from_an_added_one(patch: pytest.MonkeyPatch) -> None:
    take_over = Crew.take_over
    patch.setattr(Crew, "take_over", lambda self, workers, jobs, kills: take_over(self, workers, [], kills))


def orders_go_to_who_had_the_attempt_before(patch: pytest.MonkeyPatch) -> None:
    def launch(self: Crew, job: Job) -> None:
        desk = self._by_worker.get(job.worker)
        if desk is not None:
            self._by_job.setdefault(JobId(job.trial, job.attempt), (desk, job.worker))
            desk.member.launch(desk.translated(job))

    patch.setattr(Crew, "launch", launch)
    patch.setattr(Crew, "left", lambda self, worker: self._by_worker.pop(worker, None))
    patch.setattr(Crew, "ended", lambda self, event, desk: None)


FAULTS: tuple[Fault, ...] = (
    updates_are_shown_before_they_are_written,
    attempts_are_launched_before_they_are_written,
    always_does_not_wait_for_the_sync,
    the_journal_leaves_out_a_record,
    a_sync_is_acknowledged_and_never_happens,
    a_stale_message_is_accepted,
    a_retry_does_not_wait,
    every_error_is_retried,
    deadly_parameters_are_tried_again,
    reopening_forgets_an_open_trial,
    reopening_changes_a_result,
    a_new_sampler_is_told_twice,
    a_new_sampler_is_not_told_of_all,
    events_have_the_time_of_the_wall_clock,
    compaction_forgets_what_was_written_meanwhile,
    a_snapshot_has_other_results,
    nothing_is_killed,
    what_waited_at_a_lost_worker_is_forgotten,
    what_waited_is_launched_again_before_it_is_given_back,
    what_begins_at_a_busy_worker_is_thought_to_wait,
    the_pause_leaves_what_waits_ahead,
    trials_run_where_their_needs_are_not_met,
    more_slots_than_before_stay_unused,
    fewer_slots_than_before_are_overlooked,
    a_failed_executor_keeps_its_workers,
    a_failed_executor_is_still_heard,
    what_was_to_be_killed_at_a_failed_executor_stays_open,
    the_first_executor_is_not_told_apart_from_an_added_one,
    orders_go_to_who_had_the_attempt_before,
)
