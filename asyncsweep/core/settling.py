"""What the state asks for after a move, to a fixed point.

Obey the stop rules, fill free slots with waiting trials, ask for more while the budget lasts, have asked back what waits at busy
workers and should not, finish when nothing is left.
"""

from __future__ import annotations

from asyncsweep.core.answers import Answers
from asyncsweep.core.course import Course, Phase

# Reading a member off its class costs as much as a call.
_OPEN, _FINISHED = Phase.RUNNING, Phase.FINISHED


class Settling:
    """Does what the state asks for.

    Args:
        course: The sweep.
        answers: The moves of the sampler's answers, which know of trials that it has withdrawn from.
    """

    def __init__(self, course: Course, answers: Answers) -> None:
        self._course = course
        self._answers = answers

    def settle(self) -> None:
        """Do what the state asks for, until it asks for nothing more."""
        course = self._course
        life = course.life
        if self._answers.withdrawn and not life.questions.asks:
            self._answers.drop_withdrawn()
        order = life.order
        if order.window:
            course.settle_order()
        elif course.rules.has_news and course.phase is _OPEN:
            course.obey_rules()
        if course.phase is _OPEN and not course.paused:
            slots, waiting, ahead = life.slots, life.waiting, course.ahead
            while slots.n_free and waiting:
                trial = life.launch()
                if slots.takes_ahead:
                    course.launching.launched(trial, life.at, life.trials)
                since = ahead.idle_since
                if ahead.depth or (since is not None and life.at - since > ahead.notable_s):
                    ahead.launched(life.at, len(waiting))
            goes_ahead = slots.n_room and not slots.n_free and course.launching.is_slow
            while goes_ahead and slots.n_room and waiting:
                life.launch_ahead()
                if ahead.depth:
                    ahead.launched(life.at, len(waiting))
            wanted = slots.n_free
            if goes_ahead:
                wanted += slots.n_room
            if ahead.depth:
                wanted += ahead.depth
                if life.enqueued:
                    wanted += 1  # what the user wants next is not kept waiting by what was fetched early
            while (
                wanted > life.n_asked + len(waiting)
                and course.may_ask
                and (not order.window or order.lets_begin(len(life.trials)))
            ):
                life.begin(external=False)
            if not ahead.is_on or not (slots.n_free and life.n_asked):
                ahead.idle_since = None
            elif ahead.idle_since is None:
                ahead.idle_since = life.at
        slots = life.slots
        if slots.queues and (slots.n_free or slots.has_leaving or course.paused or course.phase is not _OPEN):
            self.ask_back()
        if not life.n_open and not life.questions.kills and course.phase is not _FINISHED and not course.may_ask:
            course.finish()

    def ask_back(self) -> None:
        """Ask for what waits at busy workers and should not: nothing may start, or a slot is free elsewhere."""
        course = self._course
        life, questions = course.life, course.life.questions
        queues = life.slots.queues.items()
        waits = [(worker, attempt) for worker, queue in queues for attempt in queue if self._may_ask_back(attempt)]
        if course.paused or course.phase is not _OPEN:
            waits.reverse()  # the newest first: those that vanish leave no gap in the numbers
        else:
            n_idle = life.slots.n_free - len(questions.take_backs)
            waits = [one for place, one in enumerate(waits) if place < n_idle or life.slots.is_leaving(one[0])]
        for _, attempt in waits:
            life.ask_back(attempt)

    def _may_ask_back(self, attempt: tuple[int, int]) -> bool:
        questions = self._course.life.questions
        return attempt not in questions.take_backs and attempt not in questions.kills
