"""The invariants of the state after an event, one function each: `LAWS`.

They compare the machine with the books in `ledger` and with what an `onlooker` saw, which both know events and effects
alone. A law gives its complaints as texts; `watch.Watch` calls them. The driver uses them in debug mode, so a law may look
at what is open, and not at every trial that ever was.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator

from asyncsweep.core import events as ev
from asyncsweep.core import policy
from asyncsweep.core.ahead import MOST_PER_SLOT
from asyncsweep.core.effects import (
    AnswerParam,
    AnswerVerdict,
    Ask,
    Finish,
    Launch,
    Publish,
    SetTimer,
    SweepFinished,
    Tell,
    TrialRetried,
)
from asyncsweep.core.invariants.effect_laws import (
    AHEAD,
    BACKOFF,
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
)
from asyncsweep.core.invariants.scene import Scene
from asyncsweep.core.machine import SWEEP_TIMER, Phase
from asyncsweep.core.records import State


def slots_are_never_overcommitted(scene: Scene) -> Iterator[str]:
    """The machine's slots are those that the workers have, less those that attempts hold."""
    ledger, slots = scene.ledger, scene.machine.life.slots
    if scene.ledger.finished:
        return
    held: dict[str, dict[tuple[int, int], None]] = {worker: {} for worker in ledger.workers}
    for attempt, worker in ledger.held.items():
        held.setdefault(worker, {})[attempt] = None
    if slots.jobs != held:
        yield f"the slots are held by {held}, the machine has {slots.jobs}"
    if slots.n_free != ledger.n_free:
        yield f"{ledger.n_free} slots are free, the machine has {slots.n_free}"
    waiting: dict[str, dict[tuple[int, int], None]] = {}
    for attempt, worker in ledger.ahead.items():
        waiting.setdefault(worker, {})[attempt] = None
    if slots.queues != waiting:
        yield f"at busy workers wait {waiting}, the machine has {slots.queues}"
    if slots.n_room != ledger.n_room:
        yield f"{ledger.n_room} more may wait at busy workers, the machine has room for {slots.n_room}"


def a_running_trial_holds_one_slot(scene: Scene) -> Iterator[str]:
    """A trial on a worker holds a slot of it for its attempt; all other held slots are those of attempts being killed."""
    ledger = scene.ledger
    rightful = dict.fromkeys(ledger.kills)
    for trial in scene.open:
        attempt = (trial.number, trial.attempt)
        if trial.worker is not None:
            rightful[attempt] = None
            if ledger.held.get(attempt, ledger.ahead.get(attempt)) != trial.worker:
                yield f"trial {trial.number} is on {trial.worker!r} and holds a slot of {ledger.held.get(attempt)!r}"
        elif trial.state is State.RUNNING and trial.number not in ledger.external:
            yield f"trial {trial.number} is RUNNING on no worker"
        elif (attempt in ledger.held or attempt in ledger.ahead) and attempt not in ledger.kills:
            yield f"trial {trial.number} holds a slot and is on no worker"
        if trial.state is State.RUNNING and attempt in ledger.ahead:
            yield f"trial {trial.number} runs, and waits at {trial.worker!r}"
    for attempt in (*ledger.held, *ledger.ahead):
        if attempt not in rightful:
            yield f"a slot is held for {attempt}, which has ended"


def launches_stay_within_retries(scene: Scene) -> Iterator[str]:
    """Attempts are those that failed, those that were cut short, and the current one; retries are made use of."""
    ledger = scene.ledger
    retried = [effect.update for effect in scene.did(Publish) if isinstance(effect.update, TrialRetried)]
    for update in retried if not isinstance(scene.event, ev.Reopened) else ():
        trial = scene.record(update.trial)
        if update.error.type in policy.BLAMELESS:
            continue
        if trial is not None and not scene.is_retryable(update.error, len(trial.failures) - 1):
            yield f"trial {update.trial} is tried again after {update.error}, which {scene.spec.retries} does not allow"
    for trial in scene.open:
        if trial.attempt > len(trial.failures) + 1 + ledger.interrupted.get(trial.number, 0):
            yield f"attempt {trial.attempt} of trial {trial.number}, and {len(trial.failures)} failures"
    for trial in scene.ended:
        error = trial.error
        retry_left = (
            error is not None
            and scene.is_retryable(error, len(trial.failures))
            and trial.number not in ledger.external
            and not scene.is_deadly(trial)
            and error is not policy.INTERRUPTED
        )
        if trial.state is State.FAILED and trial.attempt and retry_left and not scene.was_stopping:
            yield f"trial {trial.number} is FAILED after {len(trial.failures)} of {scene.spec.retries.times} retries"


def a_retry_waits_as_long_as_it_should(scene: Scene) -> Iterator[str]:
    """An attempt that failed is repeated after its backoff, and one that was cut short at once."""
    timers = {(timer.trial, timer.attempt): timer.delay_s for timer in scene.did(SetTimer)}
    for update in (effect.update for effect in scene.did(Publish) if isinstance(effect.update, TrialRetried)):
        trial = scene.record(update.trial)
        if trial is None or trial.is_final:
            continue
        least, most = scene.spec.retries.backoff_s
        is_cut_short = isinstance(scene.event, ev.Reopened) or update.error.type in policy.BLAMELESS
        due = min(most, least * 2 ** (len(trial.failures) - 1)) if not is_cut_short else 0.0
        delay_s = timers.get((update.trial, update.attempt), 0.0)
        if not math.isclose(delay_s, due):
            yield f"attempt {update.attempt} of trial {update.trial} is repeated after {delay_s} s, {due} s were due"


def what_is_deadly_is_not_tried_again(scene: Scene) -> Iterator[str]:
    """Parameters that ended so many workers wait for no slot, and are not launched."""
    if not scene.deaths:
        return
    for trial in scene.open:
        launched_now = any(launch.trial == trial.number for launch in scene.did(Launch))
        waits = trial.state is State.WAITING and trial.worker is None
        if (launched_now or waits) and trial.param_names and not trial.external and scene.is_deadly(trial):
            yield f"trial {trial.number} has the parameters {trial.params}, which ended too many workers"
    for trial in scene.ended:
        told = trial.error is not None and trial.error.type == "Quarantined"
        if told and not scene.is_deadly(trial):
            yield f"trial {trial.number} is quarantined, and its parameters {trial.params} are not deadly"


def each_final_trial_is_told_once(scene: Scene) -> Iterator[str]:
    """At once; in a sweep with a window at latest when it finishes, and those of earlier searches when they are taken in."""
    told = [tell.trial for tell in scene.did(Tell)]
    if isinstance(scene.event, ev.Adopted) and not scene.over:
        if told != [-len(scene.machine.history)]:
            yield f"trial {-len(scene.machine.history)} of an earlier search was taken in and {told} were told"
        return
    if scene.ledger.window:
        numbers = [trial for trial in scene.ledger.told if trial >= 0]
        if scene.ledger.finished and numbers != list(range(len(scene.machine.trials))):
            yield f"the sweep is finished with {len(scene.machine.trials)} trials, and {numbers} were told"
        return
    ended = [trial.number for trial in scene.ended]
    if sorted(ended) != sorted(told):
        yield f"trials {ended} became final and {told} were told"


def stale_messages_change_nothing(scene: Scene) -> Iterator[str]:
    if scene.stale and scene.effects:
        yield f"the message is stale and has the effects {scene.effects}"
    if scene.stale and not scene.unchanged:
        yield "the message is stale and changed the state"


def nothing_starts_after_stop(scene: Scene) -> Iterator[str]:
    """From the stop on nothing waits to be started; a stop "now" ends what runs."""
    ledger = scene.ledger
    if scene.machine.phase is Phase.RUNNING and ledger.stopping:
        yield "a stop was asked for and the sweep goes on"
    if not ledger.stopping:
        return
    for trial in scene.open:
        if trial.state is State.WAITING and trial.worker is None:
            yield f"trial {trial.number} still waits to be started"
        elif scene.stop_now and (trial.number, trial.attempt) not in ledger.kills:
            yield f"trial {trial.number} goes on running"


def a_new_attempt_starts_clean(scene: Scene) -> Iterator[str]:
    for launch in scene.did(Launch):
        trial = scene.record(launch.trial)
        if trial is None or trial.is_final or trial.param_names is None or trial.external:
            yield f"{launch} of a trial that cannot run: {trial}"
        elif (
            any((trial.steps, trial.reported, trial.report_metrics, trial.attrs, trial.metric_values, trial.error))
            or trial.pruner_attrs is not None
            or trial.constraints is not None
            or trial.usage is not None
            or trial.kill_reason is not None
            or trial.started_at
            or not trial.rising
        ):
            yield f"{launch} with the remains of an earlier attempt: {trial}"
        elif (trial.attempt, trial.worker) != (launch.attempt, launch.worker):
            yield f"{launch}, and the record says attempt {trial.attempt} on {trial.worker!r}"


def no_slot_idles_while_something_waits(scene: Scene) -> Iterator[str]:
    """Free slots are filled; where nothing waits, new trials are asked for: as many as free slots and fetching ahead need."""
    ledger = scene.ledger
    if ledger.paused or ledger.stopping or ledger.finished:
        return
    n_coming = len(scene.waiting) + scene.n_asked
    if ledger.n_free and scene.waiting:
        yield f"{ledger.n_free} slots are free while trials {scene.waiting} wait"
    if ledger.n_free > n_coming and scene.budget_left and scene.may_begin:
        yield f"{ledger.n_free} slots are free, {n_coming} trials are to come, and no further one is asked for"
    asked = [ask for ask in scene.did(Ask) if ask.trial not in ledger.external]
    slots = scene.spec.concurrency or max(1, ledger.most_slots)
    early = MOST_PER_SLOT * slots + 1 if scene.spec.concurrency != 1 and not ledger.window else 0
    early += ledger.n_room if early else 0
    if asked and n_coming > ledger.n_free + early and not isinstance(scene.event, ev.Reopened):
        yield f"{asked} although {ledger.n_free} slots are free for {n_coming} trials"


def what_waits_ahead_waits_for_nothing_better(scene: Scene) -> Iterator[str]:
    """What waits at a busy worker is asked back when a slot is free elsewhere, and when nothing may start."""
    ledger = scene.ledger
    if ledger.finished:
        return
    if ledger.take_backs.keys() != scene.machine.life.questions.take_backs.keys():
        yield f"asked back are {list(ledger.take_backs)}, the machine has {list(scene.machine.life.questions.take_backs)}"
    left = [attempt for attempt in ledger.ahead if attempt not in ledger.take_backs and attempt not in ledger.kills]
    if left and (ledger.paused or ledger.stopping):
        yield f"nothing may start, and {left} wait at busy workers"
    stranded = [attempt for attempt in left if not ledger.workers[ledger.ahead[attempt]]]
    if stranded:
        yield f"{stranded} wait at workers without slots"
    if left and ledger.n_free > len(ledger.take_backs):
        yield f"{left} wait at busy workers, and {ledger.n_free} slots are free"


def finish_comes_once_at_the_end(scene: Scene) -> Iterator[str]:
    """Finish comes as soon as nothing is open and nothing new may start; it is the last effect, and nothing comes after."""
    ledger, effects = scene.ledger, scene.effects
    if scene.over and (effects or not scene.unchanged):
        yield f"the sweep was finished; effects {effects}, unchanged {scene.unchanged}"
    if ledger.finished != (scene.machine.phase is Phase.FINISHED):
        yield f"Finish was {'' if ledger.finished else 'not '}given and the sweep is {scene.machine.phase.value}"
    done = not scene.open and not ledger.kills and not scene.budget_left
    if done and not ledger.finished:
        yield "nothing is open and nothing new may start, and there is no Finish"
    if scene.did(Finish):
        if not done:
            yield f"trials {[trial.number for trial in scene.open]} and kills {list(ledger.kills)} are open"
        last = [effect.update for effect in effects[-2:] if isinstance(effect, Publish)]
        if not isinstance(effects[-1], Finish) or not last or not isinstance(last[0], SweepFinished):
            yield f"the last effects are {effects[-2:]}"


def counts_match_the_records(scene: Scene) -> Iterator[str]:
    life = scene.machine.life
    states = Counter(trial.state for trial in scene.open)
    counts = {state: states[state] + scene.n_final.get(state, 0) for state in State}
    if life.counts != counts:
        yield f"the records have {counts}, the counts say {life.counts}"
    if life.n_open != len(scene.open):
        yield f"{len(scene.open)} trials are open, the count says {life.n_open}"
    if life.n_asked != scene.n_asked and not scene.ledger.finished:
        yield f"{scene.n_asked} trials wait for parameters, the count says {life.n_asked}"
    if sorted(life.waiting) != sorted(scene.waiting):
        yield f"trials {scene.waiting} wait for a slot, the queue has {list(life.waiting)}"


def questions_are_answered_once(scene: Scene) -> Iterator[str]:
    """Every question of a running attempt is answered, by the answer to it; the open ones are those on the machine's list."""
    ledger, event, asked = scene.ledger, scene.event, scene.machine.life.questions
    books = ("asks", "verdicts", "params", "kills")
    for name in books:
        mine, theirs = getattr(ledger, name), getattr(asked, name)
        if mine.keys() != theirs.keys():
            yield f"open {name} are {list(mine)}, the machine has {list(theirs)}"
    verdicts = [(answer.trial, answer.attempt, answer.step, answer.prune) for answer in scene.did(AnswerVerdict)]
    params = [(answer.trial, answer.attempt, answer.name) for answer in scene.did(AnswerParam)]
    due_verdicts: list[tuple[int, int, int, bool]] = []
    due_params: list[tuple[int, int, str]] = []
    if scene.was_running:
        if isinstance(event, ev.Judged | ev.JudgeFailed):
            prune = isinstance(event, ev.Judged) and event.prune
            due_verdicts = [(event.trial, event.attempt, event.step, prune)]
        elif isinstance(event, ev.ParamSuggested | ev.SuggestFailed):
            due_params = [(event.trial, event.attempt, event.name)]
        elif isinstance(event, ev.ParamAsked):
            question = (event.trial, event.attempt, event.name)
            due_params = [] if question in ledger.params else [question]
        elif isinstance(event, ev.VerdictAsked):
            if (event.trial, event.attempt, event.step) not in ledger.verdicts:
                yield "the pruner was not asked"
    if verdicts != due_verdicts or params != due_params:
        yield f"the answers {verdicts + params} were given, {due_verdicts + due_params} were due"
    yield from _what_an_answer_lacks(scene)


def _what_an_answer_lacks(scene: Scene) -> Iterator[str]:
    """The record of a running trial has what its answers brought: attributes of the pruner, domains of parameters."""
    event = scene.event
    if not scene.was_running or not isinstance(event, ev.Judged | ev.ParamSuggested):
        return
    trial = scene.record(event.trial)
    assert trial is not None
    if isinstance(event, ev.Judged):
        noted = trial.pruner_attrs or {}
        missing = [key for key, value in (event.attrs or {}).items() if key not in noted or noted[key] is not value]
        if missing:
            yield f"the pruner's attributes {missing} are not in {noted}"
    else:
        asked = scene.ledger.domains[event.trial, event.attempt, event.name]
        if (trial.domains or {}).get(event.name) != asked:
            yield f"{event.name!r} was asked in {asked}, which is not in {trial.domains}"


def timers_run_as_long_as_attempts(scene: Scene) -> Iterator[str]:
    """Each attempt under a time limit has a timer until it ends or is killed, and no other timer runs."""
    ledger, spec = scene.ledger, scene.spec
    if ledger.timers.keys() != scene.machine.life.questions.timers.keys():
        yield f"the timers {list(ledger.timers)} run, the machine has {list(scene.machine.life.questions.timers)}"
    if ledger.finished and ledger.timers:
        yield f"the sweep is finished and the timers {list(ledger.timers)} run"
    for number, attempt in ledger.timers:
        if number != SWEEP_TIMER and ledger.running.get(number) != attempt and number not in ledger.resting:
            yield f"a timer runs for attempt {attempt} of trial {number}, which has ended"
    if spec.trial_timeout is not None:
        for key in ledger.running.items():
            if key in ledger.held and key not in ledger.timers and key not in ledger.kills:
                yield f"no timer runs for {key}"
    timers = [timer for timer in scene.did(SetTimer) if timer.trial == SWEEP_TIMER]
    if isinstance(scene.event, ev.SweepOpened | ev.Reopened):
        due = [] if spec.timeout is None else [max(0.0, spec.timeout - scene.worked_s)]
        delays = [timer.delay_s for timer in timers]
        if len(due) != len(delays) or not all(map(math.isclose, due, delays)):
            yield f"the sweep's timers {delays} were set, {due} were due"
    elif timers:
        yield f"{timers} was set in the middle"


def kills_are_sent(scene: Scene) -> Iterator[str]:
    """What the user cancelled and what ran too long is ended."""
    event, ledger = scene.event, scene.ledger
    if scene.over or not isinstance(event, ev.TrialCancelled | ev.TimerFired):
        return
    trial = scene.record(event.trial)
    if trial is None or trial.is_final:
        return
    due = isinstance(event, ev.TrialCancelled) or (scene.was_timed and scene.was_running)
    if due and (trial.number, trial.attempt) not in ledger.kills:
        yield f"trial {trial.number} goes on"


def updates_tell_the_whole_story(scene: Scene) -> Iterator[str]:
    machine, onlooker = scene.machine, scene.onlooker
    for trial in (*scene.open, *scene.ended):
        contradiction = onlooker.contradicts(trial)
        if contradiction is not None:
            yield contradiction
    if onlooker.paused != machine.paused:
        yield f"the updates say paused={onlooker.paused}, the machine {machine.paused}"
    if onlooker.finished != (machine.phase is Phase.FINISHED):
        yield f"the updates say finished={onlooker.finished}, the machine is {machine.phase.value}"
    if (onlooker.stopping is not None) < (machine.phase is Phase.STOPPING):
        yield "no update says that the sweep is stopping"


def an_attempt_is_taken_at_its_word(scene: Scene) -> Iterator[str]:
    """What a running attempt reports and returns is what its record has."""
    event = scene.event
    if not scene.was_running or not isinstance(event, ev.WorkerEvent):
        return
    trial = scene.record(event.trial)
    assert trial is not None
    if isinstance(event, ev.Reported | ev.SeriesReported | ev.SeriesUpForVerdict):
        steps = [event.step] if isinstance(event, ev.Reported) else [step for step, _ in event.reports]
        for step in steps:
            if trial.steps is None or trial.steps.count(step) != 1:
                yield f"step {step} is not once in {trial.steps}"
    elif isinstance(event, ev.AttrSet):
        if (trial.attrs or {}).get(event.key) is not event.value:
            yield f"{event.key!r} is not in {trial.attrs}"
    elif isinstance(event, ev.ConstraintSet):
        first = scene.ledger.constraints[event.trial, event.attempt]
        if repr(trial.constraints) != repr(first):
            yield f"the constraints {first} were set, its record has {trial.constraints}"
    elif isinstance(event, ev.Used):
        noted = trial.usage or {}
        if any(name not in noted or noted[name] is not value for name, value in event.usage.items()):
            yield f"{event.usage} was used, its record has {trial.usage}"
    elif isinstance(event, ev.Finished):
        values = [event.metrics.get(name, math.nan) for name in scene.spec.directions]
        if any(map(math.isnan, values)) == (trial.state is State.COMPLETE):
            yield f"returned {event.metrics} and is {trial.state}"
        elif trial.state is State.COMPLETE:
            if list(trial.metric_values[: len(values)]) != values or trial.metrics.keys() != event.metrics.keys():
                yield f"returned {event.metrics} and has {trial.metrics}"
    elif isinstance(event, ev.Pruned):
        top = max(trial.reports, default=None, key=lambda report: report[0])
        has_value = top is not None and not math.isnan(top[1]) and len(scene.spec.directions) == 1
        if trial.state is not State.PRUNED or trial.value != (top[1] if has_value and top else None):
            yield f"pruned with the last report {top}, and is {trial.state} with {trial.value}"
    elif isinstance(event, ev.Failed):
        if trial.state in (State.COMPLETE, State.PRUNED, State.RUNNING):
            yield f"failed and is {trial.state}"


def only_what_was_cancelled_is_cancelled(scene: Scene) -> Iterator[str]:
    ledger = scene.ledger
    for trial in scene.ended:
        asked = ledger.stopping or trial.number in scene.cancelled or trial.number in ledger.withdrawn
        interrupted = isinstance(scene.event, ev.Reopened) and trial.number in ledger.external
        if trial.state is State.CANCELLED and not asked and not interrupted:
            yield f"nobody cancelled trial {trial.number}"
    if isinstance(scene.event, ev.Reopened):
        yield from (
            f"trial {trial.number} was cancelled and goes on" for trial in scene.open if trial.number in scene.cancelled
        )


def the_best_trial_is_the_best(scene: Scene) -> Iterator[str]:
    if scene.ledger.window and scene.ledger.stopping and not scene.ledger.finished:
        return  # what came after the stop is about to be dropped
    best = scene.machine.best
    if (None if best is None else best.number) != scene.best:
        yield f"trial {scene.best} is the best, the machine says {best}"


LAWS: dict[str, Callable[[Scene], Iterator[str]]] = {
    SLOTS: slots_are_never_overcommitted,
    ONE_SLOT: a_running_trial_holds_one_slot,
    RETRIES: launches_stay_within_retries,
    BACKOFF: a_retry_waits_as_long_as_it_should,
    DEADLY: what_is_deadly_is_not_tried_again,
    TOLD: each_final_trial_is_told_once,
    "stale messages change nothing": stale_messages_change_nothing,
    STOPPED: nothing_starts_after_stop,
    CLEAN: a_new_attempt_starts_clean,
    "no slot idles while something waits": no_slot_idles_while_something_waits,
    AHEAD: what_waits_ahead_waits_for_nothing_better,
    FINISH: finish_comes_once_at_the_end,
    "counts match the records": counts_match_the_records,
    ONCE: questions_are_answered_once,
    TIMERS: timers_run_as_long_as_attempts,
    "what is to end is ended": kills_are_sent,
    "updates tell the whole story": updates_tell_the_whole_story,
    "an attempt is taken at its word": an_attempt_is_taken_at_its_word,
    "only what was cancelled is CANCELLED": only_what_was_cancelled_is_cancelled,
    "the best trial is the best": the_best_trial_is_the_best,
}
