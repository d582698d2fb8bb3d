"""Somebody outside who keeps a log of everything that the sweep acknowledged, and holds the sweep to it.

Acknowledged is what was shown, launched, answered, or taken as an order of the user. After a death of the process all of it
has to be in the journal; after a power loss what was synced. No acknowledged result ever changes. The log knows the number of
the event that each acknowledgement rests on, and nothing else of the machine's own books.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

import msgspec

from asyncsweep.core import effects as ef
from asyncsweep.core import events as ev
from asyncsweep.core.invariants import Watch
from asyncsweep.core.invariants.watch import state_of
from asyncsweep.core.machine import Machine
from asyncsweep.core.policy import BLAMELESS
from asyncsweep.core.records import State
from asyncsweep.driver.replay import steps
from asyncsweep.hooks.contracts import Answer, Job
from asyncsweep.testing.simulation.faults import Found
from asyncsweep.testing.simulation.objective import value_of
from asyncsweep.testing.simulation.world import World

_LAST_EVENTS = 25
_ROUNDING_S = 1e-3

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(reduce(or_, ev.EVENTS))


class Final(msgspec.Struct, frozen=True):
    """A result as it was shown; `seq` is the event that it rests on."""

    seq: int
    state: State
    metrics: dict[str, float]
    error: str | None


class Observer:
    """The log, over all processes of one sweep.

    Attributes:
        n_events: How many events were handled, those of a replay left aside.
        acknowledged: The last event that an acknowledgement rests on.
        durable: The last event that was synced.
        last: The last events, each with its time.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._digest = hashlib.sha256()
        self.n_events = 0
        self.acknowledged = 0
        self.durable = 0
        self.last: deque[tuple[float, ev.Event]] = deque(maxlen=_LAST_EVENTS)
        self._events: list[bytes] = []
        self._rests_on: dict[tuple[object, ...], int] = {}
        self._finals: dict[int, Final] = {}
        self._launched: dict[tuple[int, int], tuple[int, dict[str, Any], str]] = {}
        self._begun: dict[tuple[int, int], int] = {}
        self._lost: dict[str, None] = {}
        self._drops: list[tuple[int, int]] = []
        self._may_start_at: dict[tuple[int, int], float] = {}
        self._offset_s = 0.0
        self._machine: Machine | None = None
        self._power_failed = False
        self._log: Log | None = None
        self._let_out = 0
        self._began_at = 1

    @property
    def digest(self) -> str:
        """A text that differs when anything happened otherwise, or at another time."""
        return self._digest.hexdigest()

    # -- what happens in the controller ---------------------------------------------------------------------------------

    def handled(self, event: ev.Event, effects: Sequence[ef.Effect]) -> None:
        """The machine has handled an event; nothing of it has left the controller yet."""
        encoded = _encoder.encode(event)
        self.n_events += 1
        self.last.append((self._world.now, event))
        self._events.append(encoded)
        self._digest.update(b"%r" % self._world.now + encoded + _encoder.encode(effects))
        self._check_time(event)
        self._forget_taken_back(event)
        for effect in effects:
            if isinstance(effect, ef.Launch):
                self._rests_on["launch", effect.trial, effect.attempt] = event.seq
            elif isinstance(effect, ef.AnswerVerdict | ef.AnswerParam):
                self._rests_on[_key_of(effect)] = event.seq
            elif isinstance(effect, ef.Publish):
                update = effect.update
                if isinstance(update, ef.TrialFinished | ef.TrialDropped | ef.TrialRetried):
                    self._rests_on[type(update).__name__, update.trial] = event.seq
                if isinstance(update, ef.TrialRetried):
                    self._retried(update)
                elif isinstance(update, ef.TrialDropped):
                    self._drops.append((event.seq, update.trial))

    def _forget_taken_back(self, event: ev.Event) -> None:
        """A launch that was taken back, or lost with a worker that had not begun it, never was: the next one has its number."""
        if isinstance(event, ev.Started):
            self._begun.setdefault((event.trial, event.attempt), event.seq)
        elif isinstance(event, ev.TakenBack):
            self._take_back([(event.trial, event.attempt)])
        elif isinstance(event, ev.WorkerCame):
            self._lost.pop(event.worker, None)  # one of another executor may be named alike
        elif isinstance(event, ev.WorkerLost):
            self._lost[event.worker] = None
            self._take_back([key for key, launch in self._launched.items() if launch[2] == event.worker])

    def _take_back(self, keys: Sequence[tuple[int, int]]) -> None:
        for key in keys:
            if key in self._launched and key not in self._begun:
                del self._launched[key]

    def process_began(self, machine: Machine) -> None:
        """A process goes on, or begins."""
        self._machine = machine
        self._began_at = machine.seq + 1
        self._may_start_at.clear()
        self._lost.clear()
        self._offset_s = math.nan

    def _check_time(self, event: ev.Event) -> None:
        """Within a process the events' clock goes as the monotonic one does, whatever the wall clock does."""
        offset_s = event.at - self._world.now
        if math.isnan(self._offset_s):
            self._offset_s = offset_s
        elif abs(offset_s - self._offset_s) > _ROUNDING_S:
            raise Found(f"the clock jumped by {offset_s - self._offset_s} s within a process")

    # -- what leaves it -------------------------------------------------------------------------------------------------

    def ordered(self, seq: int) -> None:
        """An order of the user was taken."""
        self.acknowledged = max(self.acknowledged, seq)

    def answered(self, answer: Answer) -> None:
        """An attempt got an answer, and goes on with it. A power loss that takes the answer ends the attempt as well.

        The end of our process does that, too; but a parameter stays with the trial, and a verdict is for the attempt alone.
        """
        if isinstance(answer, ef.AnswerParam):
            self.acknowledged = max(self.acknowledged, self._rests_on[_key_of(answer)])

    def _leaves(self, seq: int) -> None:
        """Something that rests on this event leaves the controller."""
        self.acknowledged = max(self.acknowledged, seq)
        self._let_out = max(self._let_out, seq)

    def launched(self, job: Job) -> None:
        """An attempt was given to a worker."""
        key = (job.trial, job.attempt)
        seq = self._rests_on["launch", *key]
        if key in self._launched:
            raise Found(f"attempt {job.attempt} of trial {job.trial} was launched twice")
        if job.trial in self._finals:
            raise Found(f"trial {job.trial} was launched, and is final: {self._finals[job.trial]}")
        due = self._may_start_at.pop(key, 0.0)
        if self._world.now < due - _ROUNDING_S:
            raise Found(f"trial {job.trial} was tried again {due - self._world.now} s before its backoff was over")
        if job.worker not in self._lost:  # else it waited for its sync, and nobody takes it any more
            self._launched[key] = seq, job.params, job.worker
        self._leaves(seq)

    def shown(self, updates: Sequence[ef.Update]) -> None:
        """Users see these."""
        for update in updates:
            if isinstance(update, ef.TrialFinished):
                self._finished(update)
            elif isinstance(update, ef.TrialRetried):
                self._leaves(self._rests_on["TrialRetried", update.trial])
            elif isinstance(update, ef.TrialDropped):
                seq = self._rests_on["TrialDropped", update.trial]
                self._leaves(seq)
                self._forget(update.trial, seq)

    def _finished(self, update: ef.TrialFinished) -> None:
        seq = self._rests_on["TrialFinished", update.trial]
        error = None if update.error is None else str(update.error)
        final = Final(seq, update.state, update.metrics, error)
        before = self._finals.get(update.trial)
        if before is not None:
            raise Found(f"trial {update.trial} was shown as {before}, and again as {final}")
        self._check_result(update)
        self._finals[update.trial] = final
        self._leaves(seq)

    def _check_result(self, update: ef.TrialFinished) -> None:
        """A result is that of an attempt that ran, with the parameters that it was launched with."""
        machine = self._machine
        assert machine is not None
        number = update.trial
        trial = machine.trials[number] if number < len(machine.trials) else None
        if trial is None or trial.external or update.state is not State.COMPLETE:
            return
        launched = self._launched.get((number, trial.attempt))
        if launched is None:
            raise Found(f"trial {number} is COMPLETE and its attempt {trial.attempt} never ran")
        if update.metrics["value"] != value_of(launched[1]):
            raise Found(f"trial {number} ran with {launched[1]} and has {update.metrics}")

    def _retried(self, update: ef.TrialRetried) -> None:
        """An attempt is to be repeated: after the right error, not too often, and not too soon."""
        machine = self._machine
        if machine is None or update.error.type == "Interrupted" or update.trial >= len(machine.trials):
            return  # or the same event dropped it
        if update.error.type in BLAMELESS:
            return  # neither counted nor waited for
        retries = machine.spec.retries
        kinds = (update.error.type, *update.error.bases)
        if retries.on and not any(kind in retries.on for kind in kinds):
            raise Found(f"trial {update.trial} is tried again after {update.error}, and retries are {retries}")
        n_failures = len(machine.trials[update.trial].failures)
        if n_failures > retries.times:
            raise Found(f"trial {update.trial} is tried again after {n_failures} failures, and retries are {retries}")
        least_s, most_s = retries.backoff_s
        wait_s = min(most_s, least_s * 2 ** (n_failures - 1))
        self._may_start_at[update.trial, update.attempt + 1] = self._world.now + wait_s

    def _forget(self, number: int, seq: int) -> None:
        """With this event a trial was no part of the sweep any more; from then on its number may be another one's."""
        if number in self._finals and self._finals[number].seq <= seq:
            del self._finals[number]
        for key in [key for key, launch in self._launched.items() if key[0] == number and launch[0] <= seq]:
            del self._launched[key]
            self._begun.pop(key, None)

    # -- what is on disk --------------------------------------------------------------------------------------------------

    def synced(self, seq: int) -> None:
        """A sync that began after this event was written has returned."""
        self.durable = max(self.durable, seq)

    def power_failed(self) -> None:
        """The machine was off: what was not synced may be gone."""
        self._power_failed = True

    def reopened(self, events: Sequence[ev.Event], machine: Machine) -> None:
        """A new process has read the journal: nothing acknowledged may be missing."""
        n_due, what = self.acknowledged, "acknowledged"
        if self._power_failed:
            always = self._machine is not None and self._machine.spec.fsync == "always"
            n_due, what = max(self.durable, self._let_out if always else 0), "synced"
        if machine.seq < n_due:
            raise Found(f"the journal ends at event {machine.seq}, and event {n_due} was {what}")
        for event in events:
            if event.seq and type(event) not in (ev.Kept, ev.Snapshot):
                if _encoder.encode(event) != self._events[event.seq - 1]:
                    raise Found(f"event {event.seq} is {event} in the journal, which is not what was handled")
        self._forget_after(machine.seq)
        if self._power_failed:  # what was read back is on the disk
            self._power_failed, self.durable = False, machine.seq
        self._compare(machine)

    def _forget_after(self, seq: int) -> None:
        """What was lost, and had not been promised to last, never was."""
        del self._events[seq:]
        self._finals = {number: final for number, final in self._finals.items() if final.seq <= seq}
        self._launched = {key: launch for key, launch in self._launched.items() if launch[0] <= seq}
        self._begun = {key: begun for key, begun in self._begun.items() if begun <= seq}
        for dropped_at, number in self._drops:  # perhaps nobody lived to see it
            if dropped_at <= seq:
                self._forget(number, dropped_at)
        self._drops.clear()
        self.acknowledged = min(self.acknowledged, seq)
        self._let_out = min(self._let_out, seq)
        self.durable = min(self.durable, seq)

    def _compare(self, machine: Machine) -> None:
        """Hold the machine's records to what was shown."""
        for number, final in self._finals.items():
            trial = machine.trials[number] if number < len(machine.trials) else None
            if trial is None:
                raise Found(f"trial {number} was shown as {final}, and is lost")
            error = None if trial.error is None else str(trial.error)
            if (trial.state, trial.metrics, error) != (final.state, final.metrics, final.error):
                raise Found(f"trial {number} was shown as {final}, and is now {trial}")
        for (number, attempt), (_, params, _worker) in self._launched.items():
            trial = machine.trials[number] if number < len(machine.trials) else None
            if trial is None or trial.attempt < attempt or not _begins(trial.params, params):
                raise Found(f"attempt {attempt} of trial {number} ran with {params}, and the trial is now {trial}")

    def new_log(self) -> Log:
        """The invariants of a new sweep."""
        self._log = Log(Machine(), self)
        return self._log

    def log_of(self, machine: Machine, events: Sequence[ev.Event]) -> Log:
        """The invariants of a machine that a new process made from these events: it has to be what the former one was."""
        log = self._log
        if log is None or log.machine.seq != machine.seq:  # the end of the journal was lost
            log = self.new_log()
            if isinstance(events[0], ev.Kept | ev.Snapshot):
                events = [_decoder.decode(event) for event in self._events]
            for event, effects in zip(events, steps(log.machine, events, "the journal"), strict=True):
                log.see(event, effects)
        if state_of(log.machine) != state_of(machine):
            raise Found("the machine that was made from the journal is not what the former process had")
        log.machine = machine
        return log

    # -- the end ----------------------------------------------------------------------------------------------------------

    def ended(self, machine: Machine, told: dict[int, str] | None) -> None:
        """The sweep is over: everything is final, shown, and told; `told` is None when the sampler's host is down."""
        self._compare(machine)
        for trial in machine.trials:
            if not trial.is_final:
                raise Found(f"the sweep is over and trial {trial.number} is {trial.state}")
            if (
                self._rests_on.get(("TrialFinished", trial.number), 0) >= self._began_at
                and trial.number not in self._finals
            ):
                raise Found(f"the sweep is over and the end of trial {trial.number} was never shown")
        if told is None:
            return
        due = {trial.number: str(trial.state) for trial in machine.trials}
        known = {number: state for number, state in told.items() if 0 <= number < len(due)}
        if known != due:
            raise Found(f"the sampler was told of {known} and the trials are {due}")


class Log(Watch):
    """The invariants of a machine, with an observer who hears of every event that is no replay.

    Attributes:
        is_live: False while it is shown what is in the journal already.
    """

    def __init__(self, machine: Machine, observer: Observer) -> None:
        super().__init__(machine)
        self._observer = observer
        self.is_live = False

    def see(self, event: ev.Event, effects: list[ef.Effect]) -> None:
        if self.is_live:
            self._observer.handled(event, effects)
        super().see(event, effects)


def _begins(params: dict[str, Any], launched: dict[str, Any]) -> bool:
    """Whether a trial has at least the parameters that it was launched with."""
    return all(params.get(name) == value for name, value in launched.items())


def _key_of(answer: Answer) -> tuple[object, ...]:
    return "answer", answer.trial, answer.attempt, getattr(answer, "step", getattr(answer, "name", None))
