"""Workers as they can be: slow, silent, dead; and the executor that launches, kills and replaces them.

A `Fleet` is all workers of one process of the controller, and ends with it. It keeps what every executor promises: `Started`
comes before everything else that an attempt says, each `Kill` ends in one `Killed`, and a worker that is gone is reported. Where it
offers places ahead, what waits at a worker begins when something there has ended, of which the controller hears later; and what is
asked back is given back, unless it has begun.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from asyncsweep.core import events as ev
from asyncsweep.core.effects import AnswerVerdict
from asyncsweep.core.records import ErrorInfo
from asyncsweep.hooks.contracts import Answer, Job, JobId, VerdictSteps
from asyncsweep.testing.simulation.faults import Planter
from asyncsweep.testing.simulation.links import Link
from asyncsweep.testing.simulation.objective import ASKED, Course, Landscape, value_at, value_of
from asyncsweep.testing.simulation.setting import FleetSetting
from asyncsweep.testing.simulation.world import World
from asyncsweep.worker.port import Steps

_START_S = 2.0
_NOTICE_S = 1.0
_FAULT = ErrorInfo("ConnectionError", "the cluster is gone")
_LAUNCH_FAULT = ErrorInfo("OSError", "no process can be started")


class Fleet:
    """The executor, and what runs on its workers.

    Args:
        world: The world.
        random: Draws what is not a fault.
        planter: Plants faults.
        landscape: What attempts do.
        verdicts: The steps at which a verdict is possible; None without a pruner.
        setting: Its workers.
        resizes: Whether they come to have more and fewer slots.
        may_fail: Whether it could be done without, now.
        post: Takes events.

    Attributes:
        has_failed: True once it said that it cannot go on.
    """

    def __init__(
        self,
        world: World,
        random: Random,
        planter: Planter,
        landscape: Landscape,
        verdicts: VerdictSteps | None,
        setting: FleetSetting,
        resizes: bool,
        may_fail: Callable[[], bool],
        post: Callable[..., None],
    ) -> None:
        self.world = world
        self.random = random
        self.planter = planter
        self.landscape = landscape
        self.verdicts = None if verdicts is None else Steps(*verdicts.parts)
        self._post = post
        self._is_over = False
        self.setting = setting
        self._resizes_workers = resizes
        self._may_fail = may_fail
        self.has_failed = False
        self._workers: dict[str, Worker] = {}
        self._launching: dict[JobId, Job] = {}
        self._killing: dict[JobId, str] = {}
        self._unheard: dict[JobId, None] = {}
        self._giving_back: dict[JobId, str] = {}
        self._n_started = 0
        # Some executors end an attempt, others the process that it runs in.
        self._kills_processes = random.random() < 0.5
        self._starts_late = random.random() < (0.7 if setting.ahead else 0.3)
        # Some give back at once what has not begun, others have to ask the worker.
        self._gives_back_late = random.random() < 0.5

    def begin(self) -> None:
        """Start all workers."""
        for slots in self.setting.slots:
            self._start(slots)
        self.after(self.random.expovariate(0.1), self._despairs)

    def _despairs(self) -> None:
        """Perhaps it cannot go on. It is not closed at once, and what it says until then is heard by nobody."""
        self._fails_perhaps()
        if not self.has_failed:
            self.after(self.random.expovariate(0.1), self._despairs)

    def _fails_perhaps(self) -> None:
        if not self.has_failed and self._may_fail() and self.planter.strikes("executor_fails"):
            self.has_failed = True
            self._post(ev.ExecutorFailed(_FAULT))
            self.after(self.random.random() * _NOTICE_S, self.end)

    def end(self) -> None:
        """The controller is gone, and so are its workers."""
        self._is_over = True

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Plan something that does not happen when the fleet has ended."""
        self.world.after(delay_s, lambda: None if self._is_over else call())

    def heard(self, event: ev.Event) -> None:
        """A message of a worker has arrived. What an attempt says tells that it has begun."""
        if not self._is_over:
            self._begun(JobId(event.trial, event.attempt))  # type: ignore[attr-defined]
            self._post(event)

    # -- what the driver orders -----------------------------------------------------------------------------------------

    def launch(self, job: Job) -> None:
        worker = self._workers.get(job.worker)
        if worker is None:
            return  # its loss is in the inbox already
        if not worker.slots:  # that was not known yet
            self._post(ev.TakenBack(job.trial, job.attempt))
        elif self.planter.strikes("launch_fails"):
            self._post(ev.LaunchFailed(job.trial, job.attempt, _LAUNCH_FAULT))
        elif worker.is_busy:
            worker.queue[JobId(job.trial, job.attempt)] = job
        elif self._starts_late:
            worker.n_coming += 1
            self._launching[JobId(job.trial, job.attempt)] = job
            self.after(self.random.random(), lambda: self._starts(worker, job))
        else:
            self._started(worker, job)
            return
        if self.planter.strikes("drains"):
            self.after(self.random.random() * _NOTICE_S, lambda: self._drains(worker, job))

    def _drains(self, worker: Worker, job: Job) -> None:
        """What has not begun is given back, unasked."""
        key = JobId(job.trial, job.attempt)
        if not worker.is_alive:
            return
        if worker.queue.get(key) is job:
            del worker.queue[key]
        elif self._launching.get(key) is job:
            self._forget_launch(key)
        else:
            return
        self._post(ev.TakenBack(*key))

    def answer(self, job: JobId, answer: Answer) -> None:
        holder = self._holder(JobId(*job))
        if holder is not None:
            attempt = holder.attempts[JobId(*job)]
            holder.to_worker.send(lambda: attempt.answered(answer))

    def kill(self, job: JobId, grace_s: float) -> None:
        key = JobId(*job)
        self.after(0.0, self._fails_perhaps)
        self._forget_launch(key)
        if self._withdraws(key):
            return
        holder = self._holder(key)
        if holder is None:
            self._killing[key] = ""
            self.after(0.0, lambda: self._killed(key))
            return
        self._killing[key] = holder.name
        attempt = holder.attempts[key]
        holder.to_worker.send(lambda: self._politely(holder, attempt))
        self.after(grace_s, lambda: self._by_force(holder, key))

    def take_back(self, job: JobId) -> None:
        """Give an attempt back that has not begun."""
        key = JobId(*job)
        worker = self._queued_at(key)
        if worker is None:
            return
        if not self._gives_back_late:
            del worker.queue[key]
            self._post(ev.TakenBack(*key))
            return

        def asked() -> None:
            if worker.is_alive and worker.queue.pop(key, None) is not None:
                self._giving_back[key] = worker.name
                worker.to_controller.send(lambda: self._gave_back(key, worker), must_arrive=True)

        worker.to_worker.send(asked, must_arrive=True)

    def _gave_back(self, key: JobId, worker: Worker) -> None:
        """The worker's answer, once; with the loss of the worker it is lost, too, and the attempt may be elsewhere by now."""
        if not self._is_over and self._giving_back.get(key) == worker.name:
            del self._giving_back[key]
            self._post(ev.TakenBack(*key))

    def _queued_at(self, key: JobId) -> Worker | None:
        return next((worker for worker in self._workers.values() if key in worker.queue), None)

    def _withdraws(self, key: JobId) -> bool:
        """Whether what is to be killed waits at a worker, and need not be begun."""
        worker = self._queued_at(key)
        if worker is None:
            return False
        del worker.queue[key]
        self._killing[key] = ""
        self.after(0.0, lambda: self._killed(key))
        return True

    def _forget_launch(self, key: JobId) -> None:
        job = self._launching.pop(key, None)
        if job is not None and job.worker in self._workers:
            self._came(self._workers[job.worker])

    def _came(self, worker: Worker) -> None:
        """One that was on its way to a worker is there, or was given up."""
        worker.n_coming -= 1
        self._next_at(worker)

    def _holder(self, job: JobId) -> Worker | None:
        return next((worker for worker in self._workers.values() if job in worker.attempts), None)

    # -- from the launch to the end ---------------------------------------------------------------------------------------

    def _starts(self, worker: Worker, job: Job) -> None:
        key = JobId(job.trial, job.attempt)
        if self._launching.get(key) is job:  # else it was given up; the same attempt may be on its way elsewhere
            del self._launching[key]
            worker.n_coming -= 1
            self._started(worker, job)

    def _started(self, worker: Worker, job: Job) -> None:
        if worker.is_alive:
            attempt = self._placed(worker, job)
            self._post(ev.Started(*attempt.key))
            worker.to_worker.send(attempt.begin)

    def _placed(self, worker: Worker, job: Job) -> Attempt:
        key = JobId(job.trial, job.attempt)
        course = self.landscape.course(job.params, self.random, self.planter)
        worker.attempts[key] = attempt = Attempt(self, worker, key, job.params, course)
        return attempt

    def _next_at(self, worker: Worker) -> None:
        """A worker goes on with what waits there; the controller hears of it, or of what it says first."""
        while worker.is_alive and worker.queue and not worker.is_busy:
            attempt = self._placed(worker, worker.queue.pop(next(iter(worker.queue))))
            self._unheard[attempt.key] = None
            worker.to_controller.send(lambda key=attempt.key: self._begun(key), must_arrive=True)  # type: ignore[misc]
            attempt.begin()

    def _begun(self, key: JobId) -> None:
        if not self._is_over and key in self._unheard:
            del self._unheard[key]
            self._post(ev.Started(*key))

    def has_ended(self, worker: Worker) -> None:
        """Something has ended at a worker, just now."""
        self._next_at(worker)

    def _politely(self, worker: Worker, attempt: Attempt) -> None:
        if self._is_over or not worker.is_alive or attempt.is_over or attempt.course.ending == "hangs":
            return
        if self._kills_processes:
            self.dies(worker, "killed by SIGTERM")
        else:
            attempt.stop()
            worker.to_controller.send(lambda: self._killed(attempt.key))
            self._next_at(worker)

    def _by_force(self, worker: Worker, job: JobId) -> None:
        """What did not end by itself in time, or said so in vain."""
        if job in self._killing and worker.is_alive:
            if self._kills_processes:
                self.dies(worker, "killed by SIGKILL")
            else:
                worker.attempts[job].stop()
                self._killed(job)
                self._next_at(worker)

    def _killed(self, job: JobId) -> None:
        if not self._is_over and self._killing.pop(job, None) is not None:
            self._post(ev.Killed(*job))

    # -- the workers ------------------------------------------------------------------------------------------------------

    def _start(self, slots: int) -> None:
        if self.planter.strikes("start_fails"):
            self.after(self.random.random() * _START_S, lambda: self._start(slots))
        else:
            self.after(self.random.random() * _START_S, lambda: self._join(slots))

    def _join(self, slots: int) -> None:
        self._n_started += 1
        worker = Worker(f"w{self._n_started}", slots, self)
        self._workers[worker.name] = worker
        ahead = slots if self.setting.ahead else 0
        self._post(ev.WorkerJoined(worker.name, slots, ahead, self.setting.resources))
        self.after(self.random.expovariate(0.05), lambda: self._idles(worker))
        if self._resizes_workers:
            self.after(self.random.expovariate(0.3), lambda: self._resizes(worker))

    def _resizes(self, worker: Worker) -> None:
        """A worker has another number of slots; none at all only for a moment."""
        if worker.is_alive:
            worker.slots = self.random.randint(0, worker.most) if worker.slots else worker.most
            self._post(ev.SlotsChanged(worker.name, worker.slots))
            self._next_at(worker)
            self.after(self.random.expovariate(0.3 if worker.slots else 1.0), lambda: self._resizes(worker))

    def _idles(self, worker: Worker) -> None:
        if worker.is_alive and self.planter.strikes("idle_worker_dies"):
            self.dies(worker, "killed by SIGSEGV")

    def dies(self, worker: Worker, reason: str) -> None:
        """A worker is dead, which is noticed a little later."""
        if worker.is_alive:
            worker.is_alive = False
            for attempt in worker.attempts.values():
                attempt.stop()
            for key in [key for key in self._unheard if key in worker.attempts]:  # it begins nothing any more
                self._begun(key)
            self.after(self.random.random() * _NOTICE_S, lambda: self._noticed(worker, reason))

    def _noticed(self, worker: Worker, reason: str) -> None:
        del self._workers[worker.name]
        self._giving_back = {key: name for key, name in self._giving_back.items() if name != worker.name}
        self._launching = {key: job for key, job in self._launching.items() if job.worker != worker.name}
        kind = self.random.choices(("WorkerLost", "MemoryLimitExceeded", "DeviceLost"), (7, 2, 1))[0]
        self._post(ev.WorkerLost(worker.name, reason, kind))
        for job, holder in list(self._killing.items()):
            if holder == worker.name:
                self._killed(job)
        self._start(worker.most)


class Worker:
    """One worker.

    Attributes:
        name: Its name.
        slots: How many attempts it takes at a time.
        most: How many that were at its beginning.
        is_alive: False from its death on, of which the controller hears later.
        attempts: What was started here.
        queue: What waits here, next one first.
        n_coming: How many are on their way here.
        to_worker: The link to it.
        to_controller: The link from it.
    """

    def __init__(self, name: str, slots: int, fleet: Fleet) -> None:
        self.name = name
        self.slots = self.most = slots
        self.is_alive = True
        self.attempts: dict[JobId, Attempt] = {}
        self.queue: dict[JobId, Job] = {}
        self.n_coming = 0
        is_lossy = fleet.landscape.may_hang
        self.to_worker = Link(fleet.world, fleet.random, fleet.planter, is_lossy)
        self.to_controller = Link(fleet.world, fleet.random, fleet.planter, is_lossy)

    @property
    def is_busy(self) -> bool:
        """Whether it could begin nothing now."""
        return self.n_coming + sum(not attempt.is_over for attempt in self.attempts.values()) >= self.slots


class Attempt:
    """An attempt as it happens on a worker.

    Attributes:
        key: Trial and attempt.
        course: What it is going to do.
        is_over: Nothing of it runs any more.
    """

    def __init__(self, fleet: Fleet, worker: Worker, key: JobId, params: dict[str, object], course: Course) -> None:
        self.key = key
        self.course = course
        self.is_over = False
        self._fleet = fleet
        self._worker = worker
        self._params = params
        self._step = -1
        self._asked_step = -1
        self._waits_for: object = None
        self._has_begun = False

    def begin(self) -> None:
        """The order to begin has arrived; another one like it changes nothing."""
        if not self._has_begun and not self.is_over:
            self._has_begun = True
            self._next()

    def stop(self) -> None:
        self.is_over = True

    def answered(self, answer: Answer) -> None:
        """An answer has arrived; one that nothing waits for is dropped."""
        question: object = answer.step if isinstance(answer, AnswerVerdict) else answer.name
        if self.is_over or self._waits_for is None or question != self._waits_for:
            return
        self._waits_for = None
        if not isinstance(answer, AnswerVerdict):
            if answer.error is not None:
                self._end(ev.Failed(*self.key, answer.error))
            else:
                self._report()
            return
        self._asked_step = -1 if answer.prune else answer.step
        if answer.prune and self.course.heeds:
            self._end(ev.Pruned(*self.key))
        else:
            self._next()

    def _next(self) -> None:
        self._step += 1
        self._fleet.after(self.course.pauses_s[self._step], self._step_ends)

    def _step_ends(self) -> None:
        fleet = self._fleet
        if self.is_over:
            return
        is_last = self._step == len(self.course.pauses_s) - 1
        if fleet.planter.strikes("worker_dies") or (is_last and self.course.ending == "dies"):
            fleet.dies(self._worker, "killed by SIGKILL")
        elif self._step == self.course.asks_at:
            name, domain = ASKED
            self._waits_for = name
            self._say(ev.ParamAsked(*self.key, name, domain))
        else:
            self._report()

    def _report(self) -> None:
        step = self._step
        if step == len(self.course.pauses_s) - 1:
            self._finish()
            return
        value = value_at(self._params, step)
        if self._fleet.random.random() < 0.1:
            self._say(ev.Used(*self.key, {"gpu_memory_gib": value}))
        verdicts = self._fleet.verdicts
        is_due = verdicts is not None and verdicts.is_due(step, self._asked_step)
        series = [(step, value), (step, value + 1.0)]  # the first one stands
        if is_due:
            self._waits_for = step
        if step % 2 and is_due:
            self._say(ev.SeriesUpForVerdict(*self.key, step, series))
        else:
            self._say(ev.SeriesReported(*self.key, series) if step % 2 else ev.Reported(*self.key, step, value))
            if is_due:
                self._say(ev.VerdictAsked(*self.key, step))
        if not is_due:
            self._next()

    def _finish(self) -> None:
        ending = self.course.ending
        if ending == "raises":
            self._end(ev.Failed(*self.key, self.course.error))
        elif ending != "hangs":
            value = float("nan") if ending == "returns nan" else value_of(self._params)
            self._end(ev.Finished(*self.key, {"value": value}))

    def _end(self, event: ev.Event) -> None:
        self.is_over = True
        self._say(event)
        self._fleet.has_ended(self._worker)

    def _say(self, event: ev.Event) -> None:
        # Each arrival is an event of its own, which the driver stamps.
        self._worker.to_controller.send(lambda: self._fleet.heard(msgspec.structs.replace(event)))
