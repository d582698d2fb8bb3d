"""Faults planted by hand, each with the invariant that finds it in random worlds, or the unit test where worlds cannot.

Together they break every invariant at least once: a check that cannot fail is a defect.
"""

from __future__ import annotations

from dataclasses import dataclass

from asyncsweep.core.invariants.effect_laws import (
    AHEAD,
    BACKOFF,
    BUDGET,
    CLEAN,
    DEADLY,
    FINISH,
    ONCE,
    ONE_SLOT,
    RETRIES,
    SLOTS,
    STOPPED,
    TIMERS,
    TOLD,
    WINDOW,
)
from asyncsweep.core.invariants.watch import FINAL
from tests.mutants.laboratory import CORE

STALE = "stale messages change nothing"
IDLE = "no slot idles while something waits"
COUNTS = "counts match the records"
ENDED = "what is to end is ended"
STORY = "updates tell the whole story"
WORD = "an attempt is taken at its word"
CANCELLED = "only what was cancelled is CANCELLED"
BEST = "the best trial is the best"


@dataclass(frozen=True)
class Fault:
    """Replaces a text, which is there once, in a file of the core.

    Attributes:
        name: What is wrong, as a sentence.
        found_by: The invariant that finds it; "" when only a unit test can.
    """

    name: str
    file: str
    before: str
    after: str
    found_by: str

    @property
    def how(self) -> tuple[str, ...]:
        """How a probe looks for it."""
        return ("worlds", self.found_by, str(SHOWN_BY.get(self.name, 0))) if self.found_by else ("hunt",)

    @property
    def source(self) -> str:
        """The whole file with the fault."""
        source = (CORE / self.file).read_text()
        if source.count(self.before) != 1:
            raise ValueError(f"{self.name}: {self.before!r} is {source.count(self.before)} times in {self.file}")
        return source.replace(self.before, self.after)


FAULTS = (
    Fault("a slot is not released", "slots.py", "        self._free[worker] = self._free.get(worker, 0) + 1\n        self.n_free += 1\n", "", SLOTS),
    Fault("a slot is taken and stays free", "slots.py", "            del self._free[worker]\n        self.n_free -= 1\n", "            del self._free[worker]\n", SLOTS),
    Fault(
        "a kill forgets its slot",
        "workers.py",
        "            self._life.slots.release(worker, attempt)\n",
        "            pass\n",
        SLOTS,
    ),
    Fault(
        "a slot is free before its attempt is killed",
        "lifecycle.py",
        "            if attempt not in self.questions.kills:\n                self.slots",
        "            if True:\n                self.slots",
        SLOTS,
    ),
    Fault(
        "a trial of a lost worker keeps its worker",
        "workers.py",
        "        for number, attempt in held:\n            trial = self._life.trials[number]\n            if trial.attempt == attempt and trial.worker == event.worker:",
        "        for number, attempt in held:\n            trial = self._life.trials[number]\n            if trial.attempt == attempt and trial.kill_reason is None:",
        ONE_SLOT,
    ),
    Fault(
        "a retry beyond the last one",
        "lifecycle.py",
        "spec.retries.allows(error, len(trial.failures))",
        "spec.retries.allows(error, len(trial.failures) - 1)",
        RETRIES,
    ),
    Fault("retries are not made use of", "lifecycle.py", "if may_retry and not", "if not may_retry and not", RETRIES),
    Fault(
        "every error is retried",
        "records.py",
        "return not self.on or",
        "return True or",
        RETRIES,
    ),
    Fault(
        "an error that is retried by its base is not",
        "records.py",
        " or any(base in self.on for base in error.bases)",
        "",
        RETRIES,
    ),
    Fault(
        "a retry does not wait",
        "lifecycle.py",
        "            if delay_s:\n",
        "            if False:\n",
        BACKOFF,
    ),
    Fault(
        "a retry waits longer than the most",
        "records.py",
        "min(most, least * 2.0 ** min(n_failures - 1, 1000))",
        "least * 2.0 ** min(n_failures - 1, 1000)",
        "",
    ),
    Fault(
        "deadly parameters are launched again",
        "answers.py",
        "if self._life.deaths and not trial.external:",
        "if False:",
        DEADLY,
    ),
    Fault(
        "what waits with deadly parameters goes on waiting",
        "course.py",
        "        for other in self.life.trials if self.life.n_open else ():\n",
        "        for other in ():\n",
        "",
    ),
    Fault(
        "a kill counts as a death",
        "course.py",
        "if trial.kill_reason is not None or trial.external:",
        "if trial.external:",
        "",
    ),
    Fault(
        "an interrupted attempt consumes its number",
        "lifecycle.py",
        "        trial.attempt += 1\n        trial.worker = self.slots.take((",
        "        trial.attempt = len(trial.failures) + 1\n        trial.worker = self.slots.take((",
        RETRIES,
    ),
    Fault(
        "a trial is told twice",
        "lifecycle.py",
        "        self.out.append(Tell(number))\n",
        "        self.out += [Tell(number), Tell(number)]\n",
        TOLD,
    ),
    Fault(
        "a trial that never ran is not told",
        "lifecycle.py",
        "        self.out.append(Tell(number))\n",
        "        if trial.attempt:\n                self.out.append(Tell(number))\n",
        TOLD,
    ),
    Fault(
        "a message of an old attempt is not stale",
        "course.py",
        "            if trial.attempt == attempt and trial.state is _RUNNING:\n",
        "            if trial.state is _RUNNING:\n",
        STALE,
    ),
    Fault(
        "a message to a final trial is not stale",
        "course.py",
        "            if trial.attempt == attempt and trial.state is _RUNNING:\n",
        "            if trial.attempt == attempt:\n",
        FINAL,
    ),
    Fault(
        "a final state is overwritten",
        "machine.py",
        "        if not trial.is_final:\n            self.course.cancel(trial, policy.KILL_CANCEL)\n",
        "        if trial.worker is None:\n            trial.state = type(trial.state).CANCELLED\n",
        FINAL,
    ),
    Fault(
        "new trials are asked for after a stop",
        "course.py",
        "            self.phase is _OPEN\n            and not self.exhausted",
        "            self.phase is not Phase.FINISHED\n            and not self.exhausted",
        FINISH,
    ),
    Fault(
        "a stop is forgotten",
        "course.py",
        "            self.phase = Phase.STOPPING\n",
        "            pass\n",
        STOPPED,
    ),
    Fault("a failed attempt is retried after a stop", "course.py", "may_retry=self.phase is Phase.RUNNING", "may_retry=True", STOPPED),
    Fault("a stop leaves what waits", "course.py", "(now or (trial.worker is None", "(now and (trial.worker is None", STOPPED),
    Fault("a paused sweep launches", "settling.py", "is _OPEN and not course.paused:", "is _OPEN:", STOPPED),
    Fault(
        "a retry keeps the reports",
        "lifecycle.py",
        "trial.steps = trial.reported = trial.report_metrics = trial.attrs = None",
        "trial.attrs = None",
        CLEAN,
    ),
    Fault(
        "a retry keeps the attributes",
        "lifecycle.py",
        "trial.report_metrics = trial.attrs = None",
        "trial.report_metrics = None",
        CLEAN,
    ),
    Fault("a retry keeps the reason of the kill", "lifecycle.py", "        trial.kill_reason = None\n", "", CLEAN),
    Fault(
        "a free slot idles while a trial waits",
        "settling.py",
        "            while slots.n_free and waiting:\n",
        "            if slots.n_free and waiting:\n",
        IDLE,
    ),
    Fault(
        "one slot is never asked for",
        "settling.py",
        "                wanted > life.n_asked + len(waiting)",
        "                wanted > 1 + life.n_asked + len(waiting)",
        IDLE,
    ),
    Fault("a trial beyond the budget", "course.py", "< self.spec.n_trials)", "<= self.spec.n_trials)", BUDGET),
    Fault("the sweep finishes twice", "course.py", "        self.phase = Phase.FINISHED\n", "", FINISH),
    Fault("the sweep finishes before its kills", "settling.py", " and not life.questions.kills", "", FINISH),
    Fault("the sweep never finishes when paused", "settling.py", "        if not life.n_open and", "        if not course.paused and not life.n_open and", FINISH),
    Fault(
        "a finished sweep goes on handling",
        "machine.py",
        "        if course.phase is not _FINISHED or kind is ev.Reopened:\n",
        "        if True:\n",
        FINISH,
    ),
    Fault("an open trial is forgotten by the count", "lifecycle.py", "        self.n_open += 1\n", "        self.n_open += not external\n", COUNTS),
    Fault("a cancelled trial stays in the queue", "lifecycle.py", "            self.waiting.remove(number)\n", "            pass\n", COUNTS),
    Fault(
        "a verdict is not given",
        "answers.py",
        "            self._life.out.append(AnswerVerdict(event.trial, event.attempt, event.step, prune))\n",
        "            pass\n",
        ONCE,
    ),
    Fault("a verdict is turned round", "answers.py", "self._answer_verdict(event, prune=event.prune)", "self._answer_verdict(event, prune=not event.prune)", ONCE),
    Fault(
        "the pruner is asked twice",
        "attempts.py",
        "        if question in self._life.questions.verdicts:\n",
        "        if False:\n",
        ONCE,
    ),
    Fault("a trial is killed twice", "lifecycle.py", "        if attempt not in self.questions.kills:\n            self.questions", "        if True:\n            self.questions", ONCE),
    Fault("a timer is not cancelled", "lifecycle.py", "            self.out.append(CancelTimer(*attempt))\n", "", TIMERS),
    Fault("a new process has the whole time limit again", "machine.py", "        if kind is ev.Reopened:\n            course.end_segment()\n", "", TIMERS),
    Fault("the sweep's timer outlives it", "course.py", "            self.life.out.append(CancelTimer(*timer))\n", "            pass\n", TIMERS),
    Fault(
        "a trial that ran too long goes on",
        "machine.py",
        "            self.life.kill(trial, policy.KILL_TIMEOUT, self.spec.grace_s)\n",
        "            pass\n",
        ENDED,
    ),
    Fault("a cancelled trial goes on", "machine.py", "            self.course.cancel(trial, policy.KILL_CANCEL)\n", "            pass\n", ENDED),
    Fault(
        "a retry is not shown",
        "lifecycle.py",
        "        self.publish(TrialRetried(at=self.at, trial=trial.number, attempt=trial.attempt, error=error))\n",
        "",
        STORY,
    ),
    Fault("a stop is not shown", "course.py", "            self.life.publish(SweepStopping(at=self.life.at, reason=reason))\n", "", STORY),
    Fault("zero counts as no metric", "policy.py", "        if value is None:\n", "        if not value:\n", WORD),
    Fault("NaN counts as a metric", "policy.py", "        if value != value:\n", "        if False:\n", WORD),
    Fault("a step is reported twice", "attempts.py", "            if not rising and step in trial.steps:\n", "            if False:\n", WORD),
    Fault("a series counts as rising whatever came before", "attempts.py", "        if trial.rising and all(map(", "        if True or all(map(", WORD),
    Fault("a step of a series is reported twice", "attempts.py", "            if step in steps:\n", "            if False:\n", WORD),
    Fault("metrics lose their order", "policy.py", "    return {**{name: metrics[name] for name in directions}, **metrics}", "    return metrics", WORD),
    Fault("a trial that was pruned is complete", "attempts.py", "conclude(trial, State.PRUNED,", "conclude(trial, State.COMPLETE,", WORD),
    Fault("a stop hides that the user cancelled a trial", "policy.py", "KILL_STOP: 2, KILL_CANCEL: 3", "KILL_STOP: 3, KILL_CANCEL: 2", CANCELLED),
    Fault("what ran in the former process is cancelled", "course.py", "        elif reason == policy.KILL_CANCEL:\n", "        elif trial.attempt:\n", CANCELLED),
    Fault("the worst trial is the best", "policy.py", 'value < than if direction == "minimize" else value > than', 'value > than if direction == "minimize" else value < than', BEST),
    Fault("the last of equal trials is the best", "policy.py", "return value < than if", "return value <= than if", BEST),
    Fault("a target is missed when it is met exactly", "policy.py", "if not is_better(self._direction, spec.target, self._best_value):", "if is_better(self._direction, self._best_value, spec.target):", ""),
    Fault("patience counts from one", "policy.py", "self._since_best >= spec.patience", "self._since_best > spec.patience", ""),
    Fault("one failure too many is let pass", "policy.py", "self._n_failed <= limit:", "self._n_failed <= limit + 1:", ""),
    Fault("a result that came before the kill is lost", "attempts.py", "        if fault is None:\n", "        if fault is None and trial.kill_reason is None:\n", WORD),
    # -- suggestions ahead --
    Fault("suggestions are fetched ahead of trials one at a time", "ahead.py", "self.is_on = is_on and slots != 1", "self.is_on = is_on", IDLE),
    Fault("suggestions are fetched ahead in a sweep with a window", "course.py", "is_on=not spec.reproducible", "is_on=True", IDLE),
    Fault("each launch has one more trial fetched ahead, and there is no limit", "ahead.py", "min(self.depth + 1, MOST_PER_SLOT * self._slots)", "self.depth + MOST_PER_SLOT * self._slots", IDLE),
    Fault("what was fetched ahead goes before what the user wants next", "lifecycle.py", "elif trial.fixed is None:\n            self.waiting", "elif True:\n            self.waiting", ""),
    Fault("a pause counts as waiting for a sampler", "machine.py", "            self.course.ahead.idle_since = None\n", "", ""),
    # -- launches ahead --
    Fault("more wait at a worker than it offered places for", "slots.py", "        room = max(0, places - taken)\n", "        room = places\n", SLOTS),
    Fault("what waited is never known to begin", "lifecycle.py", "            self.slots.began(trial.worker, attempt)\n", "            pass\n", SLOTS),
    Fault("a slot is free although something waits for it there", "slots.py", "        queue = self.queues.get(worker)\n        if queue is None:\n            return False\n        following", "        queue = self.queues.get(worker)\n        if True:\n            return False\n        following", SLOTS),
    Fault("a slot is freed twice when a start was heard before an end", "slots.py", "        if worker in self._over:\n", "        if False:\n", SLOTS),
    Fault("what waits is not asked back", "settling.py", "            self.ask_back()\n        if not life", "            pass\n        if not life", AHEAD),
    Fault("what waits is asked back though no slot is free", "settling.py", "if place < n_idle or life.slots.is_leaving(one[0])]", "if True]", ""),
    Fault("what waits at a worker that leaves is not asked back", "settling.py", "if place < n_idle or life.slots.is_leaving(one[0])]", "if place < n_idle]", ""),
    Fault("a pause leaves what waits ahead", "settling.py", "        if course.paused or course.phase is not _OPEN:\n            waits", "        if course.phase is not _OPEN:\n            waits", AHEAD),
    Fault("a stop leaves what waits ahead", "settling.py", "        if course.paused or course.phase is not _OPEN:\n            waits", "        if course.paused:\n            waits", AHEAD),
    Fault("an attempt is asked back twice", "settling.py", "return attempt not in questions.take_backs and attempt not in", "return attempt not in", AHEAD),
    Fault("what began is still asked back", "lifecycle.py", "        self.questions.take_backs.pop(attempt, None)\n\n", "\n", AHEAD),
    Fault("a launch that was taken back counts as an attempt", "lifecycle.py", "        trial.attempt -= 1\n", "", RETRIES),
    Fault("a trial that waited at a lost worker has failed", "workers.py", "                if trial.kill_reason is None:\n                    self._course.take_back(trial)\n                else:\n                    self._course.lose", "                if True:\n                    self._course.lose", ""),
    Fault("what is given back after a stop waits on", "course.py", "        if self.phase is not _OPEN:\n            if trial is", "        if False:\n            if trial is", STOPPED),
    Fault("what is given back is launched again with deadly parameters", "course.py", "        elif self.life.deaths:\n            self.refuse_deadly(trial)\n\n    def lose", "\n    def lose", ""),
    Fault("what is being killed is given back, too", "attempts.py", "        if (event.trial, event.attempt) in self._life.questions.kills:\n", "        if False:\n", STALE),
    Fault("trials one at a time are launched ahead", "workers.py", "ahead if course.ahead.is_on else 0", "ahead", SLOTS),
    Fault("a launch is slow beside any trial", "course.py", "self.launching.takes_s > ahead.notable_s", "True", ""),
    Fault("a launch that was taken back is timed on", "course.py", "        self.launching.forget(trial.number)\n", "", ""),
    # -- other slots, needs, usage --
    Fault("a slot that is given up stays", "slots.py", "            free = max(0, free + more)\n", "            pass\n", SLOTS),
    Fault("what runs beyond the slots frees one", "slots.py", "                self._over[worker] = self._over.get(worker, 0) - more - free\n", "                pass\n", SLOTS),
    Fault("new slots are not offered", "slots.py", "        for _ in range(more):\n", "        for _ in ():\n", SLOTS),
    Fault("trials are launched where their needs are not met", "workers.py", "slots if lacking is None else 0, ahead if", "slots, ahead if", SLOTS),
    Fault("what an attempt uses is forgotten", "attempts.py", "            trial.usage = {**(trial.usage or {}), **event.usage}\n", "            trial.usage = {**event.usage, **(trial.usage or {})}\n", WORD),
    Fault("a retry keeps what was used", "lifecycle.py", "trial.constraints = trial.usage = None", "trial.constraints = None", CLEAN),
    # -- a window --
    Fault("an ask knows one trial too few", "order.py", "number - self.window + 1)", "number - self.window)", WINDOW),
    Fault("with a window trials are told as they end", "lifecycle.py", "        if not self.order.window:\n            self.out.append(Tell(number))", "        if True:\n            self.out.append(Tell(number))", WINDOW),
    Fault("a new sampler is not told what it has to know", "order.py", "        self.told = max(0, n_answered - self.window)\n", "", WINDOW),
    Fault("a new sampler is told too much", "order.py", "max(0, n_answered - self.window)", "0", TOLD),
    Fault("what came after the stop stays", "course.py", "while order.kept is not None and len", "while order.kept is not None and not self.life.trials and len", WINDOW),
    Fault("the last trial that was judged is dropped, too", "course.py", "len(self.life.trials) > order.kept:", "len(self.life.trials) >= order.kept > 0:", TOLD),
    Fault("a trial begins before what its ask has to know is final", "order.py", "self.settled > number - self.window", "self.settled >= number - self.window", TOLD),
    Fault("a trial begins later than it could", "order.py", "self.settled > number - self.window", "self.settled > number - self.window + 1", IDLE),
    Fault("the end does not tell what no ask had to know", "course.py", "        if order.window:  #", "        if False:  #", TOLD),
    Fault("trials are taken from the sampler though the sweep has a window", "machine.py", "may_ask and not self.life.order.window", "may_ask", TOLD),
    Fault("the stop rules take trials as they end, and again in order", "course.py", "        if not self.life.order.window:\n            self.rules", "        if True:\n            self.rules", BEST),
    Fault("a drop is not shown", "lifecycle.py", "        self.counts[trial.state] -= 1\n        self.publish(TrialDropped(at=self.at, trial=trial.number))\n", "        self.counts[trial.state] -= 1\n", FINAL),
    Fault("what is taken back is not shown", "lifecycle.py", "            self.enqueued.appendleft(trial.fixed)\n        self.publish(TrialDropped(at=self.at, trial=trial.number))\n", "            self.enqueued.appendleft(trial.fixed)\n", FINAL),
    Fault("what is taken back waits for a slot", "lifecycle.py", "            self.waiting.remove(trial.number)\n        if trial.fixed", "            pass\n        if trial.fixed", COUNTS),
    Fault("what is taken back is counted as asked for", "lifecycle.py", "            self.n_asked -= trial.number in self.questions.asks\n        else", "            pass\n        else", COUNTS),
    Fault("a dropped trial is counted", "lifecycle.py", "        self.counts[trial.state] -= 1\n        self.publish(TrialDropped", "        self.publish(TrialDropped", COUNTS),
    Fault("a sweep goes on with another window", "machine.py", "same = event.spec.reproducible == self.spec.reproducible", "same = True", ""),
    # -- history, constraints, attributes, domains --
    Fault("history is not told", "lifecycle.py", "        self.out.append(Tell(record.number))\n", "", TOLD),
    Fault("all of the history has one number", "lifecycle.py", "TrialRecord(-1 - len(self.history),", "TrialRecord(-1,", TOLD),
    Fault("a retry keeps the constraints", "lifecycle.py", "trial.pruner_attrs = trial.constraints = trial.usage = None", "trial.pruner_attrs = trial.usage = None", CLEAN),
    Fault("a retry keeps what the pruner noted", "lifecycle.py", "trial.pruner_attrs = trial.constraints = trial.usage = None", "trial.constraints = trial.usage = None", CLEAN),
    Fault("the last value of a constraint stands", "attempts.py", "event.name not in (known := trial.constraints or {})", "(known := trial.constraints or {}) is not None", WORD),
    Fault("an infeasible trial is the best", "policy.py", "trial.constraints is not None and not trial.is_feasible", "False", BEST),
    Fault("what the pruner notes is taken for the sampler's", "answers.py", "trial.pruner_attrs = {", "trial.sampler_attrs = {", ONCE),
    Fault("the domain of a parameter is forgotten", "lifecycle.py", "        trial.domains = self.shared_domains({**(trial.domains or {}), name: domain})\n", "", ONCE),
    Fault("a retry is not settled", "machine.py", "        *(ev.Judged,", "        *(ev.Failed, ev.Judged,", IDLE),
)  # fmt: skip
# Where the first few worlds do not show a fault: one that does. It is looked at first, and only then the others in turn.
SHOWN_BY = {
    "a kill forgets its slot": 7,
    "a trial of a lost worker keeps its worker": 18,
    "a retry beyond the last one": 8,
    "an error that is retried by its base is not": 51,
    "deadly parameters are launched again": 132,
    "an interrupted attempt consumes its number": 3,
    "a message to a final trial is not stale": 3,
    "a failed attempt is retried after a stop": 4,
    "a retry keeps the reports": 10,
    "a retry keeps the attributes": 6,
    "a retry keeps the reason of the kill": 10,
    "a free slot idles while a trial waits": 5,
    "a verdict is not given": 8,
    "a verdict is turned round": 8,
    "the pruner is asked twice": 8,
    "a trial is killed twice": 3,
    "NaN counts as a metric": 10,
    "a step is reported twice": 3,
    "a series counts as rising whatever came before": 5,
    "a step of a series is reported twice": 5,
    "metrics lose their order": 3,
    "a trial that was pruned is complete": 3,
    "a stop hides that the user cancelled a trial": 5,
    "the last of equal trials is the best": 4,
    "suggestions are fetched ahead of trials one at a time": 79,
    "suggestions are fetched ahead in a sweep with a window": 36,
    "each launch has one more trial fetched ahead, and there is no limit": 61,
    "more wait at a worker than it offered places for": 15,
    "what waited is never known to begin": 15,
    "a slot is free although something waits for it there": 51,
    "a slot is freed twice when a start was heard before an end": 4,
    "what waits is not asked back": 14,
    "a pause leaves what waits ahead": 121,
    "a stop leaves what waits ahead": 14,
    "an attempt is asked back twice": 14,
    "what began is still asked back": 57,
    "what is given back after a stop waits on": 14,
    "what is being killed is given back, too": 38,
    "what runs beyond the slots frees one": 4,
    "what an attempt uses is forgotten": 173,
    "a retry keeps what was used": 10,
    "an ask knows one trial too few": 9,
    "with a window trials are told as they end": 7,
    "what came after the stop stays": 188,
    "the last trial that was judged is dropped, too": 11,
    "the stop rules take trials as they end, and again in order": 47,
    "a drop is not shown": 6,
    "what is taken back waits for a slot": 14,
    "what is taken back is counted as asked for": 6,
    "a dropped trial is counted": 6,
    "history is not told": 3,
    "all of the history has one number": 73,
    "a retry keeps the constraints": 8,
    "a retry keeps what the pruner noted": 55,
    "the last value of a constraint stands": 71,
    "an infeasible trial is the best": 7,
    "what the pruner notes is taken for the sampler's": 8,
    "the domain of a parameter is forgotten": 10,
    "a retry is not settled": 6,
}
