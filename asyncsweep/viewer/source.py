"""Where a viewer's facts come from: a sweep that runs in this process, or a sweep's directory (`following`).

Whatever the source, a viewer learns of changes from `Publish`ed updates alone; the records are read for what these do not carry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from asyncsweep.core.records import State, SweepSpec, TrialRecord
from asyncsweep.driver.updates import Watcher
from asyncsweep.logs import Log

Standing = Literal["RUNNING", "PAUSED", "STOPPING", "ENDED", "INTERRUPTED"]


class Stand(NamedTuple):
    """How a sweep stands.

    Attributes:
        state: In a word.
        reason: Why it ended or is ending; "" otherwise.
        error: What broke the sweep itself; "" otherwise.
    """

    state: Standing
    reason: str = ""
    error: str = ""


class Steering(Protocol):
    """What takes a viewer's commands: `Commands` of a run of this process, or who passes them on to another one."""

    def check(self, command: str, fields: dict[str, Any]) -> None:
        """Refuse what cannot be answered.

        Raises:
            ConfigError: There is no such command, or it takes other fields.
        """

    async def answer(self, command: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request that was checked.

        Raises:
            ConfigError: A field has a wrong value, or the sweep cannot be steered (any more).
            OSError: A log cannot be read.
        """


class Source(Protocol):
    """One sweep, as a viewer sees it. Everything is called on the event loop's thread, and nothing but `log` takes time.

    Attributes:
        name: What the sweep is called, unique on its server.
        generation: Grows when all that was said before is void: a journal was replaced by its compacted form, for example. Watchers
            of before are closed then.
        is_live: The sweep runs, or may go on.
        is_here: The sweep runs on this loop, and has precedence.
        has_logs: What trials print is kept.
        commands: What steers it; None where nothing can.
    """

    @property
    def name(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def is_live(self) -> bool: ...
    @property
    def is_here(self) -> bool: ...
    @property
    def has_logs(self) -> bool: ...
    @property
    def commands(self) -> Steering | None: ...

    @property
    def spec(self) -> SweepSpec:
        """The settings that hold now."""

    @property
    def trials(self) -> Sequence[TrialRecord]:
        """Every trial by its number: the sweep's own list, which changes as it runs."""

    @property
    def best(self) -> TrialRecord | None:
        """The best trial of a sweep with one direction."""

    @property
    def counts(self) -> Mapping[State, int]:
        """How many trials are in each state, published or not."""

    @property
    def n_enqueued(self) -> int:
        """How many parameters wait to be tried."""

    @property
    def stand(self) -> Stand:
        """How the sweep stands."""

    @property
    def problem(self) -> str:
        """What keeps the source from telling more, such as a damaged journal; "" otherwise."""

    def watch(self, buffered: int) -> Watcher:
        """A new watcher of the updates from now on; closed already where no more come."""

    async def log(self, number: int, attempt: int | None, offset: int, limit_bytes: int) -> Log:
        """A piece of what a trial printed, as `SweepRun.log`.

        Raises:
            ConfigError: There is no such trial or attempt, or nothing is kept.
            OSError: It cannot be read.
        """
