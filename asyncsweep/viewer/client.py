"""A sweep as a program elsewhere sees it: the Python client of a viewer's stream.

async with sw.connect("http://127.0.0.1:8080/#token=...") as stream:
    async for change in stream:
        print(stream.status.counts, [stream.trials[number] for number in change.trials])
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from asyncsweep import checks
from asyncsweep.errors import ConfigError
from asyncsweep.progress.text import visible
from asyncsweep.viewer.address import parsed
from asyncsweep.viewer.keeping import MOST_QUESTIONS, Change, Keeper
from asyncsweep.viewer.received import as_enqueued
from asyncsweep.viewer.shapes import Column, CsvPiece, Detail, Info, LogPiece, Status

MOST_WATCHED = 64

Answer = TypeVar("Answer", CsvPiece, Detail, LogPiece)


@asynccontextmanager
async def connect(
    url: str, *, sweep: str | None = None, follow: bool = True, reconnect_s: float = 60.0, timeout_s: float = 15.0
) -> AsyncIterator[Stream]:
    """Watch a sweep of another process through its viewer: `async with sw.connect(url) as stream: ...`.

    When the block is entered, everything that there is by then has been received. Needs asyncio, and
    `pip install "asyncsweep[viewer]"`.

    Iterating ends with the sweep: at ENDED, and at INTERRUPTED, when its process has ended in the middle. The connection is kept until
    the block is left. If an interrupted sweep is resumed meanwhile, in a directory that the viewer follows, `status` and `trials` tell so,
    and iterating once more goes on with what is new.

    Args:
        url: What `serve` prints, with its token: `http://127.0.0.1:8080/#token=...`; with `&control=...` one may steer, too.
        sweep: Which one, by its name; may be left out where the server has one.
        follow: Iterating goes on until the sweep has ended or was interrupted. False: it tells of what there is, and ends.
        reconnect_s: For how many seconds a lost connection is tried to be made again; 0: not at all.
        timeout_s: How many seconds connecting, and an answer, may take.

    Raises:
        ConfigError: Nobody answers, the token is wrong, there is no such sweep, or the server is newer than this asyncsweep.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError("connect(): the websocket library needs asyncio, and this is another event loop") from None
    keeper = Keeper(
        parsed(url),
        None if sweep is None else checks.text("sweep", sweep),
        checks.seconds("reconnect_s", reconnect_s, zero=True),
        checks.seconds("timeout_s", timeout_s),
    )
    stream = Stream(keeper, checks.flag("follow", follow), timeout_s + reconnect_s)
    fault: BaseException | None = None
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(keeper.run())
        try:
            await keeper.ready()
            yield stream
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            fault = error  # it leaves as itself, and not in a group
        finally:
            keeping.cancel()
    if fault is not None:
        raise fault


class Stream:
    """A sweep of another process: what is known of it, and what can be asked; made by `connect`.

    It is an async iterator over `Change`s. The first one tells of everything that there is; it ends when the sweep has ended, or was
    interrupted, and all of it was received. What is read is always the newest, and whoever is slow gets several changes as one.

    Values are as they were, but that choices and constants are texts, and that in a column of type "any" what JSON has no word for, such
    as NaN, is a text, too.

    Once the connection is lost for good, whatever waits raises a `ConfigError`.
    """

    def __init__(self, keeper: Keeper, follow: bool, patience_s: float) -> None:
        self._keeper = keeper
        self._follow = follow
        self._patience_s = patience_s
        self._places = asyncio.Semaphore(MOST_QUESTIONS)
        self._one_curve = asyncio.Lock()
        self._one_csv = asyncio.Lock()
        self._wanted: tuple[int, ...] = ()

    def __repr__(self) -> str:
        state = self.status.state if self._keeper.status is not None else "not connected yet"
        return f"<Stream of {self._keeper.address.shown}: {state}>"

    # -- what is known -------------------------------------------------------------------------------------------------

    @property
    def trials(self) -> Mapping[int, Mapping[str, Any]]:
        """Trials by their numbers, in the order in which they changed first.

        Each has `number`, `state`, `attempt`, `started_at` (seconds since the epoch), `duration_s`, `last_report` (step, value), `error`,
        and by their names `params`, `metrics` and `constraints`. What is not known is None, or not there; errors are cut at 200
        characters. `trial` tells all.
        """
        table = self._keeper.table
        return {} if table is None else table.trials

    @property
    def columns(self) -> Sequence[Column]:
        """The parameters, metrics and constraints that any trial has."""
        table = self._keeper.table
        return () if table is None else table.columns

    @property
    def info(self) -> Info:
        """What the sweep was made with."""
        assert self._keeper.table is not None
        return self._keeper.table.info

    @property
    def status(self) -> Status:
        """How the sweep stands."""
        assert self._keeper.status is not None
        return self._keeper.status

    @property
    def curves(self) -> Mapping[int, Sequence[tuple[int, float]]]:
        """What the watched trials have reported, (step, value); see `watch`."""
        return self._keeper.curves.points

    @property
    def sweeps(self) -> Sequence[str]:
        """The names of all sweeps of the server."""
        return self._keeper.sweeps

    @property
    def may_control(self) -> bool:
        """Whether the sweep can be steered: the address has the second token, and the server was made with `control=True`."""
        return self._keeper.may_control

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._keeper.is_connected

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Change:
        """What has changed since the last time."""
        while True:
            change = self._keeper.take_change()
            if change is not None:
                return change
            if not self._follow or self._keeper.is_complete:
                raise StopAsyncIteration
            await self._keeper.newer()

    # -- what can be asked ---------------------------------------------------------------------------------------------

    async def watch(self, trials: Iterable[int]) -> None:
        """Have the curves of these trials, at most 64, in `curves`, as they grow, in place of those before.

        Of long curves every 2nd, 4th, ... point and the last one are sent.

        Raises:
            ConfigError: They are too many, or no numbers.
        """
        wanted = tuple(dict.fromkeys(checks.count("trials", trial, least=0) for trial in trials))
        if len(wanted) > MOST_WATCHED:
            raise ConfigError(f"trials: {len(wanted)} of them; at most {MOST_WATCHED} can be watched at a time")
        async with self._one_curve:
            self._wanted = wanted
            await self._keeper.watch(wanted)

    async def curve(self, number: int) -> list[tuple[int, float]]:
        """What a trial has reported so far, (step, value), in the order of its reports; see `watch` for long ones.

        Raises:
            ConfigError: There is no such trial.
        """
        if not (await self.trial(number))["n_reports"]:
            return []
        async with self._one_curve:
            try:
                async with asyncio.timeout(self._patience_s):
                    if number not in self._wanted:
                        await self._keeper.watch((number, *self._wanted[: MOST_WATCHED - 1]))
                    while number not in self.curves:
                        await self._keeper.newer()
                return list(self.curves[number])
            except TimeoutError:
                raise ConfigError(f"curve: that of trial {number} has not come within {self._patience_s:g} s") from None
            finally:
                if number not in self._wanted:
                    await self._keeper.watch(self._wanted)

    async def trial(self, number: int) -> dict[str, Any]:
        """All that there is to know about one trial.

        It has what a trial in `trials` has, and `worker`, `external`, `user_attrs`, `usage`, `n_reports`, `asked_at`, `finished_at`, `feasible`,
        and `failures`, the errors of the attempts that were repeated; errors are dicts with `type`, `message` and `traceback`.

        Raises:
            ConfigError: There is no such trial.
        """
        return (await self._shaped(Detail, "trial", trial=number)).plain(self.columns)

    async def log(self, number: int, attempt: int | None = None, *, offset: int = 0) -> str:
        """What a trial has printed so far.

        Args:
            number: The trial.
            attempt: From 1; None is the current or last one.
            offset: Where to begin, in bytes; negative: so many before the end.

        Raises:
            ConfigError: There is no such trial or attempt, or the sweep is in memory, where nothing is kept.
        """
        text = ""
        while True:
            piece = await self._shaped(LogPiece, "log", trial=number, attempt=attempt, offset=offset)
            text += piece.text
            if piece.next_offset >= piece.total or piece.next_offset <= piece.offset:
                return text
            attempt, offset = piece.attempt, piece.next_offset

    async def csv(self, trials: Iterable[int] | None = None) -> str:
        """The table that `Result.to_csv` writes, of all trials or of some, each once, in the order of their numbers here.

        Raises:
            ConfigError: There is no trial with one of the numbers.
        """
        wanted = None if trials is None else [checks.count("trials", trial, least=0) for trial in trials]
        async with self._one_csv:
            text, offset, began_on = "", 0, self._keeper.n_connections
            while True:
                try:
                    piece = await self._shaped(CsvPiece, "csv", trials=wanted, offset=offset)
                except ConfigError:
                    if not offset or began_on == self._keeper.n_connections:
                        raise
                    # Another server knows nothing of the pieces before.
                    text, offset, began_on = "", 0, self._keeper.n_connections
                    continue
                text += piece.text
                if piece.next_offset is None or piece.next_offset <= offset:
                    return text
                offset = piece.next_offset

    # -- steering ------------------------------------------------------------------------------------------------------

    async def pause(self) -> None:
        """Start no more trials until `unpause`; running ones go on.

        Raises:
            ConfigError: It is not allowed, refused, or the connection was lost before the answer. So it is with all that steers.
        """
        await self._steer("pause")

    async def unpause(self) -> None:
        """Start trials again."""
        await self._steer("unpause")

    async def stop(self, reason: str = "stopped", *, now: bool = False) -> None:
        """Start no more trials; with `now` also end the running ones, which become CANCELLED."""
        await self._steer("stop", reason=reason, now=now)

    async def cancel_trial(self, number: int) -> None:
        """End one trial, running or not; it becomes CANCELLED. Nothing happens to one that is final."""
        await self._steer("cancel", trial=number)

    async def enqueue(self, params: Mapping[str, Any]) -> None:
        """Have these parameters tried next; the sampler fills in what is missing.

        Args:
            params: Values, or what `trials` has: of a choice its text, and the text of a constant, which is left out.

        Raises:
            ConfigError: As of `pause`; or several choices have the same text, because it is cut.
        """
        values, places = as_enqueued(params, self.columns)
        await self._steer("enqueue", params=values, choices=places)

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _steer(self, what: str, **fields: Any) -> None:
        if not self.may_control:
            mend = (
                "the server does not take it; it has to be made with sw.serve(..., control=True)"
                if self._keeper.address.control
                else "the address has no second token; give all that sw.serve(..., control=True) prints"
            )
            raise ConfigError(f"{what}: {mend}")
        await self._ask(what, fields, is_repeatable=False)

    async def _shaped(self, shape: type[Answer], what: str, **fields: Any) -> Answer:
        """The answer to a question that changes nothing."""
        answer = await self._ask(what, fields, is_repeatable=True)
        try:
            return msgspec.convert(answer.get("detail") if shape is Detail else answer, shape)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{what}: {self._keeper.address.shown} gives another answer: {error}") from error

    async def _ask(self, what: str, fields: dict[str, Any], *, is_repeatable: bool) -> dict[str, Any]:
        answer = None
        async with self._places:
            try:
                async with asyncio.timeout(self._patience_s):
                    answer = await self._keeper.ask({"what": what, **fields})
                    while answer is None and is_repeatable:
                        answer = await self._keeper.ask({"what": what, **fields})
            except TimeoutError:
                raise ConfigError(
                    f"{what}: {self._keeper.address.shown} does not answer within {self._patience_s:g} s"
                ) from None
        if answer is None:
            raise ConfigError(f"{what}: the connection was lost before the answer; see whether it was done")
        if answer.get("error"):
            raise ConfigError(visible(str(answer["error"])[:2000]))
        return answer
