"""The controller's side of the sampler host: starts it, asks it, and starts it again with everything retold when it dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import anyio
import msgspec

from asyncsweep.core.events import (
    AskFailed,
    Event,
    Judged,
    JudgeFailed,
    ParamSuggested,
    SpaceExhausted,
    Suggested,
    SuggestFailed,
    TellFailed,
)
from asyncsweep.core.records import ErrorInfo, State, TrialRecord
from asyncsweep.errors import ConfigError, PluginError
from asyncsweep.hooks.contracts import VerdictSteps
from asyncsweep.link.environment import missed
from asyncsweep.link.path import search_path
from asyncsweep.link.stream import MessageStream, StreamError
from asyncsweep.search import wire
from asyncsweep.search.parts import Setting
from asyncsweep.search.places import STARTS, Running
from asyncsweep.search.rest import Rest
from asyncsweep.search.retelling import Script
from asyncsweep.space import Domain
from asyncsweep.wire.stream import SETUP_LIMIT_BYTES
from asyncsweep.worker.secrets import redacted

# A host that dies so often on the way to one answer will not give it.
MAX_DEATHS = 3
_EXIT_S = 2.0
_LOOK_AGAIN_S = 0.1
_ANSWERS: dict[int, type[Event]] = {
    kind.__struct_config__.tag: kind  # type: ignore[misc]
    for kind in (
        Suggested,
        SpaceExhausted,
        AskFailed,
        TellFailed,
        ParamSuggested,
        SuggestFailed,
        Judged,
        JudgeFailed,
    )
}


class Parts(NamedTuple):
    """What a host holds, pickled: a sampler, a pruner, or both; and where it runs ("thread" or "process")."""

    sampler: bytes | None
    pruner: bytes | None
    place: str


class SamplerHost:
    """A sampler, a pruner, or both, that answer from a child process or a thread.

    Args:
        parts: What it holds.
        setting: The sweep.
        slots: How many trials run at a time.
        history: Trials of earlier searches.
        trials: The sweep's trials.
        post: Takes the answers, as events.
        fail: Takes the fault of a host that cannot be kept alive.
    """

    def __init__(
        self,
        parts: Parts,
        setting: Setting,
        slots: int,
        history: Sequence[TrialRecord],
        trials: Sequence[TrialRecord],
        post: Callable[..., None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._parts = parts
        self._setting = setting
        self._slots = slots
        self._history = history
        self._trials = trials
        self._post = post
        self._fail = fail
        self._running: Running | None = None
        self._stream: MessageStream | None = None
        self._script: Script | None = None
        self._opened = anyio.Event()
        self._verdicts: VerdictSteps | None = None
        self._refusal: Exception | None = None
        # Questions without an answer, with what the message needs beyond the key; a new host is asked them again.
        self._open: dict[tuple[Any, ...], Any] = {}
        # The attempt of each running trial that the host knows, and how many of its reports.
        self._fed: dict[int, tuple[int, int]] = {}
        self._last_told = -1
        self._deaths = 0
        self._closing = False
        self._ended = anyio.Event()

    async def opened(self) -> VerdictSteps | None:
        """Wait until the host has its sampler and pruner; gives the pruner's verdict steps.

        Raises:
            ConfigError: The sampler or pruner refuses an option or the space.
            PluginError: It cannot be built, or the host does not live long enough.
        """
        await self._opened.wait()
        if self._refusal is not None:
            raise self._refusal
        return self._verdicts

    def ask(self, trial: int, fixed: dict[str, Any] | None) -> None:
        self._question((wire.ASK, trial), fixed)

    def suggest(self, trial: int, attempt: int, name: str, domain: Domain) -> None:
        self._question((wire.SUGGEST, trial, attempt, name), wire.plain(domain))

    def judge(self, trial: int, attempt: int, step: int) -> None:
        self._question((wire.JUDGE, trial, attempt, step), None)

    def tell(self, trial: TrialRecord) -> None:
        self._fed.pop(trial.number, None)
        self._last_told = max(self._last_told, trial.number)
        if self._script is None or not self._script.covers(trial.number):
            self._send(wire.packed(trial))

    async def close(self) -> None:
        """Send the host home, and end it when it does not go."""
        self._closing = True
        if self._running is None:
            return
        self._send((wire.CLOSE,))
        with anyio.move_on_after(_EXIT_S):
            await self._ended.wait()
            return
        while not self._ended.is_set():  # one that was just being started comes into being first
            self._running.signal_group(signal.SIGKILL)
            with anyio.move_on_after(_LOOK_AGAIN_S):
                await self._ended.wait()

    # -- one host after the other -------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Keep a host alive until `close`."""
        try:
            while not self._closing:
                reason = await self._run()
                if not self._survives(reason):
                    break
        except (ConfigError, OSError) as error:
            self._give_up(error if isinstance(error, ConfigError) else PluginError(f"no sampler host: {error}"))
        finally:
            self._opened.set()
            self._ended.set()

    async def _run(self) -> str:
        """One host from its start to its end; gives how it ended."""
        self._running = running = await STARTS[self._parts.place]()
        if self._closing:
            running.signal_group(signal.SIGKILL)
        self._fed.clear()
        try:
            async with anyio.create_task_group() as tasks:
                self._stream = MessageStream(running.sock, tasks, self._take, SETUP_LIMIT_BYTES)
                self._script = Script(self._history, self._trials, self._setting.window, self._is_asked)
                tasks.start_soon(self._begin)
                tasks.start_soon(self._read, self._stream)
                await running.wait()
                self._stream.read_now()
                tasks.cancel_scope.cancel()
        finally:
            self._script = None
            if self._stream is not None:
                self._stream.close()
            ended = running.reap()
        return ended

    async def _read(self, stream: MessageStream) -> None:
        assert self._running is not None
        try:
            await stream.read()
        except StreamError as error:
            self._refusal = self._refusal or PluginError(f"the sampler host sent something that is no message: {error}")
        await anyio.sleep(_EXIT_S)
        self._running.signal_group(signal.SIGKILL)

    def _survives(self, reason: str) -> bool:
        """The host has ended; True when another one should be started."""
        if self._closing or self._refusal is not None:
            return False
        self._deaths += 1
        fault = PluginError(
            f"the sampler host ended by itself ({reason}), {self._deaths} times without an answer to what the sweep asked"
        )
        is_fault = not self._opened.is_set() and not reason.startswith("killed by ")
        if is_fault or self._deaths >= MAX_DEATHS:
            self._give_up(fault)
            return False
        return True

    def _give_up(self, fault: Exception) -> None:
        self._refusal = fault
        if self._opened.is_set():
            self._fail(fault)

    # -- what it is told and asked ------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Open the host and tell it all that happened before; what happens meanwhile comes in its turn."""
        parts, setting, script = self._parts, self._setting, self._script
        assert script is not None
        opening = wire.Opening(
            search_path(),
            parts.sampler,
            parts.pruner,
            dict(setting.space.domains),
            dict(setting.directions),
            setting.seed,
            setting.window,
            self._slots,
        )
        self._send((wire.OPEN, wire.plain(opening)))
        asked = set()
        n_told = 0
        rest = Rest()
        for what, trial in script:
            if rest.is_due:
                await rest.take()
            if what != "ask":
                self._send(wire.packed(trial))
                n_told += what == "tell" and trial.number >= 0
            elif parts.sampler is not None:
                asked.add((wire.ASK, trial.number))
                self._send((wire.ASK, trial.number, trial.fixed))
        # From here on nothing waits: what is missing must come before anything new.
        if setting.window:
            for number in range(n_told, self._last_told + 1):
                self._send(wire.packed(self._trials[number]))
        self._script = None
        for key, extra in list(self._open.items()):
            if key not in asked:
                self._ask_again(key, extra)

    def _ask_again(self, key: tuple[Any, ...], extra: Any) -> None:
        """Ask a new host what the former one did not answer; of an attempt that has ended meanwhile nobody waits for more."""
        if key[0] == wire.ASK or self._runs(*key[1:3]):
            self._send_question(key, extra)
        else:
            del self._open[key]
            _, trial, attempt, about = key
            if key[0] == wire.JUDGE:
                self._post(Judged(trial, attempt, about, False))
            else:
                self._post(SuggestFailed(trial, attempt, about, ErrorInfo("TrialError", "the attempt has ended")))

    def _runs(self, number: int, attempt: int) -> bool:
        trial = self._trials[number]
        return trial.state is State.RUNNING and trial.attempt == attempt

    def _is_asked(self, number: int) -> bool:
        return (wire.ASK, number) in self._open

    def _question(self, key: tuple[Any, ...], extra: Any) -> None:
        self._open[key] = extra
        if self._script is None:
            self._send_question(key, extra)

    def _send_question(self, key: tuple[Any, ...], extra: Any) -> None:
        if key[0] != wire.JUDGE:
            self._send((*key, extra))
            return
        trial = self._trials[key[1]]
        attempt, known = self._fed.get(trial.number, (trial.attempt, 0))
        known = known if attempt == trial.attempt else 0
        self._fed[trial.number] = trial.attempt, len(trial.steps or ())
        steps, values = wire.bytes_of(trial.steps, known), wire.bytes_of(trial.reported, known)
        self._send((*key, steps, values, trial.pruner_attrs))

    def _send(self, message: tuple[Any, ...]) -> None:
        if self._stream is not None:
            self._stream.send(message)

    def _take(self, messages: list[list[Any]]) -> None:
        events: list[Event] = []
        for message in messages:
            if message[0] == wire.OPENED:
                self._verdicts = None if message[1] is None else VerdictSteps(*message[1])
                self._opened.set()
            elif message[0] == wire.REFUSED:
                _, is_setting, kind, text, trace = message
                text = redacted(text) + _hint(ErrorInfo(kind, text, trace))
                self._refusal = (
                    ConfigError(text) if is_setting else PluginError(f"sampler: {kind}: {text}\n{redacted(trace)}")
                )
            else:
                event = _explained(msgspec.convert(message, _ANSWERS[message[0]]))
                key = _question_of(event)
                if key is None:
                    events.append(event)
                elif key in self._open:
                    del self._open[key]
                    events.append(event)
        if events:
            self._deaths = 0
            self._post(*events)


def _explained(event: Event) -> Event:
    """The event; an error in it is without the secrets of this process, and has a hint at a variable that the host may have missed."""
    if isinstance(event, AskFailed | TellFailed | SuggestFailed | JudgeFailed):
        error = event.error
        message, trace = redacted(error.message) + _hint(error), redacted(error.traceback)
        event.error = ErrorInfo(error.type, message, trace, error.bases)
    return event


def _hint(error: ErrorInfo) -> str:
    names = missed(str(error), error.traceback, os.environ)
    if not names:
        return ""
    return (
        f"; {' and '.join(names)} in the environment of this process {'is' if len(names) == 1 else 'are'} not passed on to the "
        "process that samplers and pruners run in by default: let it run in a thread of this one, with host='thread'"
    )


def _question_of(event: Event) -> tuple[Any, ...] | None:
    """The key of the question that an answer is to; None for what nobody asked."""
    if isinstance(event, Suggested | SpaceExhausted | AskFailed):
        return wire.ASK, event.trial
    if isinstance(event, Judged | JudgeFailed):
        return wire.JUDGE, event.trial, event.attempt, event.step
    if isinstance(event, ParamSuggested | SuggestFailed):
        return wire.SUGGEST, event.trial, event.attempt, event.name
    return None
