"""Snapshots: a machine as a few events, from which another one becomes its equal.

`freeze` gives `Kept` events with some trials each, then one `Snapshot` with everything else. Handled by a new machine they
leave it in the state of the first one, open questions and all: what follows in the journal follows as before. Effects there
are none, and what the process that made the snapshot had open goes with the next `Reopened`, as always.
"""

from __future__ import annotations

import struct
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from asyncsweep.core.course import Phase
from asyncsweep.core.events import Event, Kept, Snapshot
from asyncsweep.core.kept import KeptState, KeptTrial, KeptTrials
from asyncsweep.core.order import Order
from asyncsweep.core.policy import StopRules
from asyncsweep.core.records import TrialRecord
from asyncsweep.space import Domain

if TYPE_CHECKING:
    from asyncsweep.core.machine import Machine

# The trials of one event: encoding them takes about a millisecond, in which nobody else computes.
AT_A_TIME = 200
REPORTS_AT_A_TIME = 10_000


def freeze(machine: Machine) -> Iterator[Event]:
    """The machine as it is now, in events that are numbered as its last one.

    What can still change is copied before this returns. Final trials are read when the events are taken, which may be later,
    and in another thread.
    """
    seq, at = machine.seq, machine.at
    trials = [trial if trial.is_final else trial.copied() for trial in machine.trials]
    end = Snapshot(_state(machine), seq=seq, at=at)
    groups = [[*machine.history], trials]
    chunks = (chunk for group in groups for chunk in _chunks(group))

    def events() -> Iterator[Event]:
        for chunk in chunks:
            yield Kept(_packed(chunk), seq=seq, at=at)
        yield end

    return events()


def halves(event: Kept) -> tuple[Kept, Kept]:
    """The same in two events, for one that is too large for a record; it has at least two trials."""
    kept = event.trials
    middle = len(kept.trials) // 2
    first, second = (
        Kept(KeptTrials(kept.names, kept.domains, part), seq=event.seq, at=event.at)
        for part in (kept.trials[:middle], kept.trials[middle:])
    )
    return first, second


def _chunks(trials: Sequence[TrialRecord]) -> Iterator[list[TrialRecord]]:
    chunk: list[TrialRecord] = []
    n_reports = 0
    for trial in trials:
        chunk.append(trial)
        n_reports += len(trial.steps or ())
        if len(chunk) >= AT_A_TIME or n_reports >= REPORTS_AT_A_TIME:
            yield chunk
            chunk, n_reports = [], 0
    if chunk:
        yield chunk


def thaw_trials(machine: Machine, kept: KeptTrials) -> None:
    """Take in one chunk of trials."""
    life = machine.life
    names = [life.shared(one) for one in kept.names]
    domains = [life.shared_domains(one) for one in kept.domains]
    for trial in kept.trials:
        record = _record(trial, names, domains)
        if record.is_final and record.steps is not None:
            record.steps = life.shared_steps(record.steps)
        if record.number < 0:
            life.history.append(record)
        else:
            life.trials.append(record)
            life.counts[record.state] += 1
            life.n_open += not record.is_final


def thaw(machine: Machine, state: KeptState) -> None:
    """Take in everything else, after the trials."""
    life, course, spec = machine.life, machine.course, state.spec
    machine.course.paused = state.paused
    course.spec = spec
    course.phase = Phase(state.phase)
    course.stale, course.exhausted, course.error = state.stale, state.exhausted, state.error
    course.active_s, course.segment_at, course.stop_reason = state.active_s, state.segment_at, state.stop_reason
    course.rules = StopRules(spec)
    course.rules.restore(state.rules)
    course.set_pace(spec)
    course.ahead.restore(state.ahead)
    machine.answers.restore(state.answers)
    life.enqueued, life.waiting = deque(state.enqueued), deque(state.waiting)
    life.n_asked = state.n_asked
    life.deaths = dict(state.deaths)
    life.order = Order(spec.reproducible)
    life.order.restore(state.order)
    life.slots.restore(state.jobs, state.free, state.slots_ahead)
    course.follow_slots()
    course.launching.restore(state.launching)
    life.questions.restore(state.questions)


def _state(machine: Machine) -> KeptState:
    life, course = machine.life, machine.course
    jobs, free, slots_ahead = life.slots.kept()
    return KeptState(
        spec=course.spec,
        paused=machine.paused,
        phase=course.phase.value,
        stale=course.stale,
        exhausted=course.exhausted,
        error=course.error,
        active_s=course.active_s,
        segment_at=course.segment_at,
        stop_reason=course.stop_reason,
        enqueued=list(life.enqueued),
        waiting=list(life.waiting),
        n_asked=life.n_asked,
        deaths=list(life.deaths.items()),
        answers=machine.answers.kept(),
        order=life.order.kept_state(),
        ahead=course.ahead.kept(),
        rules=course.rules.kept(),
        jobs=jobs,
        free=free,
        slots_ahead=slots_ahead,
        launching=course.launching.kept(),
        questions=life.questions.kept(),
    )


def _packed(trials: Sequence[TrialRecord]) -> KeptTrials:
    names: dict[tuple[str, ...], int] = {}
    shared: list[dict[str, Domain]] = []
    packed = []
    for trial in trials:
        # Most trials that asked for domains share one dict: the last one's.
        if trial.domains is not None and not (shared and trial.domains is shared[-1]):
            shared.append(trial.domains)
        packed.append(
            KeptTrial(
                trial.number,
                trial.state,
                trial.attempt,
                trial.worker,
                trial.external,
                None if trial.param_names is None else names.setdefault(trial.param_names, len(names)),
                trial.param_values,
                names.setdefault(trial.metric_names, len(names)),
                trial.metric_values,
                None if trial.steps is None else tuple(trial.steps),
                None if trial.reported is None else struct.pack(f"<{len(trial.reported)}d", *trial.reported),
                trial.report_metrics,
                trial.error,
                trial.failures,
                trial.attrs,
                trial.sampler_attrs,
                trial.pruner_attrs,
                None if trial.domains is None else len(shared) - 1,
                trial.constraints,
                trial.fixed,
                trial.kill_reason,
                trial.asked_at,
                trial.started_at,
                trial.finished_at,
                trial.rising,
                trial.usage,
            )
        )
    return KeptTrials(list(names), shared, packed)


def _record(trial: KeptTrial, names: Sequence[tuple[str, ...]], domains: Sequence[dict[str, Domain]]) -> TrialRecord:
    return TrialRecord(
        trial.number,
        trial.state,
        trial.attempt,
        trial.worker,
        trial.external,
        None if trial.param_names is None else names[trial.param_names],
        trial.param_values,
        names[trial.metric_names],
        trial.metric_values,
        None if trial.steps is None else array("q", trial.steps),
        None if trial.reported is None else _doubles(trial.reported),
        trial.report_metrics,
        trial.error,
        trial.failures,
        trial.attrs,
        trial.sampler_attrs,
        trial.pruner_attrs,
        None if trial.domains is None else domains[trial.domains],
        trial.constraints,
        trial.fixed,
        trial.kill_reason,
        trial.asked_at,
        trial.started_at,
        trial.finished_at,
        trial.rising,
        trial.usage,
    )


def _doubles(packed: bytes) -> array[float]:
    return array("d", struct.unpack(f"<{len(packed) // 8}d", packed))
