"""What executors say of their workers: who is there with how many slots, who is lost, who was killed.

Also the end of an attempt that was killed, for that is when its slot is free: nothing runs there any more.
"""

from __future__ import annotations

from typing import Any

from asyncsweep.core import events as ev
from asyncsweep.core import policy
from asyncsweep.core.course import Course
from asyncsweep.core.effects import PluginFailed
from asyncsweep.core.records import ErrorInfo
from asyncsweep.core.resources import unmet


class Workers:
    """The moves of workers, one method for each event.

    Args:
        course: The sweep.
    """

    def __init__(self, course: Course) -> None:
        self._course = course
        self._life = course.life

    def came(self, event: ev.WorkerCame) -> None:
        self._join(event.worker, event.slots, 0, {})

    def joined(self, event: ev.WorkerJoined) -> None:
        self._join(event.worker, event.slots, event.ahead, event.resources)

    def _join(self, worker: str, slots: int, ahead: int, offered: dict[str, Any]) -> None:
        life, course = self._life, self._course
        lacking = unmet(course.spec.needs, offered) if course.spec.needs else None
        life.slots.join(worker, slots if lacking is None else 0, ahead if course.ahead.is_on else 0)
        if lacking is not None and not life.slots.n_slots:
            # Nothing can run; on other workers it perhaps can, later.
            message = f"worker {worker!r} offers {lacking}: nothing is launched there"
            life.publish(PluginFailed(at=life.at, where="needs", error=ErrorInfo("NeedsNotMet", message)))
        course.follow_slots()

    def slots_changed(self, event: ev.SlotsChanged) -> None:
        self._life.slots.change(event.worker, event.slots)
        self._course.follow_slots()

    def lost(self, event: ev.WorkerLost) -> None:
        held, waited = self._life.slots.lose(event.worker)
        self._course.follow_slots()
        for number, attempt in reversed([*waited]):
            trial = self._life.trials[number]
            if trial.attempt == attempt and trial.worker == event.worker:
                if trial.kill_reason is None:
                    self._course.take_back(trial)
                else:
                    self._course.lose(trial, policy.lost(event))
        for number, attempt in held:
            trial = self._life.trials[number]
            if trial.attempt == attempt and trial.worker == event.worker:
                self._course.lose(trial, policy.lost(event))

    def killed(self, event: ev.Killed) -> None:
        attempt = (event.trial, event.attempt)
        worker = self._life.questions.kills.pop(attempt)
        if worker is not None:
            self._life.slots.release(worker, attempt)
        trial = self._life.trials[event.trial]
        if trial.attempt == event.attempt and trial.worker is not None:
            self._course.end_attempt(trial, ErrorInfo("Killed"))

    def executor_failed(self, event: ev.ExecutorFailed) -> None:
        self._course.error = self._course.error or event.error
        self._course.stop(str(event.error), now=True)
