"""The controller's side of the sampler host: starts it, asks it, and starts it again with everything retold when it dies."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from asyncsweep.core.records import Direction, TrialRecord
from asyncsweep.errors import ConfigError, PluginError
from asyncsweep.hooks.contracts import VerdictSteps
from asyncsweep.link.child import Child, start
from asyncsweep.link.path import search_path
from asyncsweep.link.stream import MessageStream, StreamError
from asyncsweep.samplers import host as tags
from asyncsweep.space import Domain, Space
from asyncsweep.wire.stream import SETUP_LIMIT_BYTES

# A host that dies so often on the way to one answer will not give it.
MAX_DEATHS = 3
_EXIT_S = 2.0

_ANSWERS: dict[int, type[Event]] = {
    tags.SUGGESTED: Suggested,
    tags.SPACE_EXHAUSTED: SpaceExhausted,
    tags.ASK_FAILED: AskFailed,
    tags.TELL_FAILED: TellFailed,
    tags.PARAM_SUGGESTED: ParamSuggested,
    tags.SUGGEST_FAILED: SuggestFailed,
    tags.JUDGED: Judged,
    tags.JUDGE_FAILED: JudgeFailed,
}


class SamplerHost:
    """A sampler, a pruner, or both, in a child process.

    Args:
        sampler: The pickled sampler; None when it is not hosted.
        pruner: The pickled pruner; None when it is not hosted.
        space: The space.
        directions: Metric name to direction.
        seed: The sweep's seed.
        trials: The sweep's trials, to be retold.
        post: Takes the answers, as events.
        fail: Takes the fault of a host that cannot be kept alive.
    """

    def __init__(
        self,
        sampler: bytes | None,
        pruner: bytes | None,
        space: Space,
        directions: Mapping[str, Direction],
        seed: int,
        trials: Sequence[TrialRecord],
        post: Callable[..., None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._sampler = sampler
        self._pruner = pruner
        self._space = space
        self._directions = directions
        self._seed = seed
        self._trials = trials
        self._post = post
        self._fail = fail
        self._child: Child | None = None
        self._stream: MessageStream | None = None
        self._opened = anyio.Event()
        self._verdicts: VerdictSteps | None = None
        self._refusal: Exception | None = None
        # Questions without an answer, with what the message needs beyond the key; a new host is asked them again.
        self._open: dict[tuple[Any, ...], Any] = {}
        # How many reports of an attempt the host knows.
        self._fed: dict[tuple[int, int], int] = {}
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
        self._question((tags.ASK, trial), fixed)

    def suggest(self, trial: int, attempt: int, name: str, domain: Domain) -> None:
        self._question((tags.SUGGEST, trial, attempt, name), msgspec.to_builtins(domain, builtin_types=(bytes,)))

    def judge(self, trial: int, attempt: int, step: int) -> None:
        self._question((tags.JUDGE, trial, attempt, step), None)

    def tell(self, trial: TrialRecord) -> None:
        self._fed.pop((trial.number, trial.attempt), None)
        self._send(
            (
                tags.TELL,
                trial.number,
                trial.attempt,
                trial.state.value,
                trial.params,
                trial.metrics,
                list(trial.steps or ()),
                list(trial.reported or ()),
                trial.sampler_attrs,
            )
        )

    async def close(self) -> None:
        """Send the host home, and end it when it does not go."""
        self._closing = True
        if self._child is None:
            return
        self._send((tags.CLOSE,))
        with anyio.move_on_after(_EXIT_S):
            await self._ended.wait()
            return
        self._child.signal_group(signal.SIGKILL)
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
        self._child = child = await start("asyncsweep.samplers.host")
        self._fed.clear()
        try:
            async with anyio.create_task_group() as tasks:
                self._stream = MessageStream(child.sock, tasks, self._take, SETUP_LIMIT_BYTES)
                self._tell_everything()
                tasks.start_soon(self._read, self._stream)
                await child.wait()
                self._stream.read_now()
                tasks.cancel_scope.cancel()
        finally:
            if self._stream is not None:
                self._stream.close()
            ended = child.reap()
        return ended

    async def _read(self, stream: MessageStream) -> None:
        assert self._child is not None
        try:
            await stream.read()
        except StreamError as error:
            self._refusal = self._refusal or PluginError(f"the sampler host sent something that is no message: {error}")
        await anyio.sleep(_EXIT_S)
        self._child.signal_group(signal.SIGKILL)

    def _survives(self, reason: str) -> bool:
        """The host has ended; True when another one should be started."""
        if self._closing or self._refusal is not None:
            return False
        self._deaths += 1
        fault = PluginError(
            f"the sampler host ended by itself ({reason}), {self._deaths} times without an answer between"
        )
        if not self._opened.is_set() or self._deaths >= MAX_DEATHS:
            self._give_up(fault)
            return False
        return True

    def _give_up(self, fault: Exception) -> None:
        self._refusal = fault
        if self._opened.is_set():
            self._fail(fault)

    def _tell_everything(self) -> None:
        path = search_path()
        space = msgspec.msgpack.encode(self._space.domains)
        directions = dict(self._directions)
        self._send((tags.OPEN, path, self._sampler, self._pruner, space, directions, self._seed, str(self._seed)))
        for trial in self._trials:
            if trial.is_final:
                self.tell(trial)
        for key, extra in self._open.items():
            self._send_question(key, extra)

    def _question(self, key: tuple[Any, ...], extra: Any) -> None:
        self._open[key] = extra
        self._send_question(key, extra)

    def _send_question(self, key: tuple[Any, ...], extra: Any) -> None:
        if key[0] == tags.JUDGE:
            trial = self._trials[key[1]]
            attempt = (trial.number, trial.attempt)
            known = self._fed.get(attempt, 0)
            steps, values = list(trial.steps or ())[known:], list(trial.reported or ())[known:]
            self._fed[attempt] = known + len(steps)
            self._send((*key, steps, values))
        else:
            self._send((*key, extra))

    def _send(self, message: tuple[Any, ...]) -> None:
        if self._stream is not None:
            self._stream.send(message)

    def _take(self, messages: list[list[Any]]) -> None:
        events: list[Event] = []
        for message in messages:
            if message[0] == tags.OPENED:
                self._verdicts = None if message[1] is None else VerdictSteps(*message[1])
                self._opened.set()
            elif message[0] == tags.REFUSED:
                _, is_setting, kind, text, trace = message
                self._refusal = ConfigError(text) if is_setting else PluginError(f"sampler: {kind}: {text}\n{trace}")
            else:
                event = msgspec.convert(message, _ANSWERS[message[0]])
                key = _question_of(event)
                if key is None:
                    events.append(event)
                elif key in self._open:
                    del self._open[key]
                    events.append(event)
        if events:
            self._deaths = 0
            self._post(*events)


def _question_of(event: Event) -> tuple[Any, ...] | None:
    """The key of the question that an answer is to; None for what nobody asked."""
    if isinstance(event, Suggested | SpaceExhausted | AskFailed):
        return tags.ASK, event.trial
    if isinstance(event, Judged | JudgeFailed):
        return tags.JUDGE, event.trial, event.attempt, event.step
    if isinstance(event, ParamSuggested | SuggestFailed):
        return tags.SUGGEST, event.trial, event.attempt, event.name
    return None
