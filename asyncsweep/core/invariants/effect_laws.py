"""The invariants that an effect can break by itself, checked before the effect is carried out.

Each complaint comes with the name of its invariant; the names are shared with `laws`.
"""

from __future__ import annotations

from collections.abc import Iterator

from asyncsweep.core import events as ev
from asyncsweep.core.effects import Ask, CancelTimer, Effect, Judge, Kill, Launch, SetTimer, Suggest, TakeBack, Tell
from asyncsweep.core.invariants.scene import Scene

SLOTS = "slots are never over-committed"
ONE_SLOT = "a running trial holds one slot"
RETRIES = "launches <= retries + 1"
BACKOFF = "a retry waits as long as it should"
DEADLY = "what is deadly is not tried again"
TOLD = "each final trial is told once"
STOPPED = "nothing starts after stop"
CLEAN = "a new attempt starts clean"
FINISH = "Finish comes once, at the end"
ONCE = "a question is asked and answered once"
TIMERS = "timers are set and cancelled in pairs"
BUDGET = "no more trials than the budget"
AHEAD = "what waits at a busy worker waits for nothing better"
WINDOW = "an ask knows what it may, and no more"


def of_effect(scene: Scene, effect: Effect) -> Iterator[tuple[str, str]]:
    """Complaints about an effect that comes next, as (law, text)."""
    ledger = scene.ledger
    if ledger.finished:
        yield FINISH, f"{effect} after Finish"
    if isinstance(effect, Launch):
        yield from _of_launch(scene, effect)
    elif isinstance(effect, Ask):
        if ledger.stopping:
            yield STOPPED, f"{effect}"
        if effect.trial in ledger.asks:
            yield ONCE, f"{effect} is asked already"
        if ledger.window:
            known = [trial for trial in ledger.told if trial >= 0]
            if known != list(range(max(0, effect.trial - ledger.window + 1))):
                yield WINDOW, f"{effect} with a window of {ledger.window}, and told are {known}"
        if (
            scene.spec.n_trials is not None
            and effect.trial >= scene.spec.n_trials
            and not isinstance(scene.event, ev.Reopened)
        ):
            yield BUDGET, f"{effect}, n_trials={scene.spec.n_trials}"
    elif isinstance(effect, Tell):
        if effect.trial in ledger.told:
            yield TOLD, f"trial {effect.trial} is told again"
        record = scene.record(effect.trial)
        if effect.trial >= 0 and (record is None or not record.is_final):
            yield TOLD, f"trial {effect.trial} is told and is {record}"
    elif isinstance(effect, Judge):
        if (effect.trial, effect.attempt, effect.step) in ledger.verdicts:
            yield ONCE, f"{effect} is asked already"
    elif isinstance(effect, Suggest):
        if (effect.trial, effect.attempt, effect.name) in ledger.params:
            yield ONCE, f"{effect} is asked already"
    elif isinstance(effect, Kill):
        if (effect.trial, effect.attempt) in ledger.kills:
            yield ONCE, f"{effect} is under way already"
        if (effect.trial, effect.attempt) not in ledger.held and (effect.trial, effect.attempt) not in ledger.ahead:
            yield ONE_SLOT, f"{effect} of an attempt that holds no slot"
    elif isinstance(effect, TakeBack):
        attempt = (effect.trial, effect.attempt)
        if attempt not in ledger.ahead or attempt in ledger.take_backs or attempt in ledger.kills:
            yield AHEAD, f"{effect} of an attempt that waits nowhere, or that is asked for or killed already"
    elif isinstance(effect, SetTimer | CancelTimer):
        if ((effect.trial, effect.attempt) in ledger.timers) == isinstance(effect, SetTimer):
            yield TIMERS, f"{effect}, and the running timers are {list(ledger.timers)}"


def _of_launch(scene: Scene, launch: Launch) -> Iterator[tuple[str, str]]:
    ledger, number = scene.ledger, launch.trial
    if ledger.stopping:
        yield STOPPED, f"{launch}"
    if ledger.paused:
        yield STOPPED, f"{launch} while paused"
    if ledger.n_held(launch.worker) >= ledger.workers.get(launch.worker, 0):
        yield from _of_launch_ahead(scene, launch)
    if number in ledger.running or number in ledger.launched:
        yield ONE_SLOT, f"{launch}, and an earlier attempt of it has not ended"
    if launch.attempt != ledger.attempts.get(number, 0) + 1:
        yield RETRIES, f"{launch} follows attempt {ledger.attempts.get(number, 0)}"
    if ledger.launches.get(number, 0) > scene.spec.retries.times:
        yield RETRIES, f"{launch} with retries={scene.spec.retries.times}"


def _of_launch_ahead(scene: Scene, launch: Launch) -> Iterator[tuple[str, str]]:
    """A launch to a worker without a free slot: it has to have a place, and no slot may be free elsewhere."""
    ledger = scene.ledger
    n_waiting = sum(1 for worker in ledger.ahead.values() if worker == launch.worker)
    n_over = ledger.n_held(launch.worker) - ledger.workers.get(launch.worker, 0)
    if n_waiting + n_over >= ledger.places.get(launch.worker, 0):
        yield SLOTS, f"{launch}, and {launch.worker!r} has no free slot"
    if ledger.n_free:
        yield AHEAD, f"{launch} to a busy worker, and {ledger.n_free} slots are free"
    if ledger.window or scene.spec.concurrency == 1:
        yield AHEAD, f"{launch} to a busy worker, with concurrency={scene.spec.concurrency}, window {ledger.window}"
