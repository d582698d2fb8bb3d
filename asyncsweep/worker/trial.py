"""The trial as an objective sees it. Its names are Optuna's, so that an objective written for Optuna runs unmodified."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asyncsweep.errors import TrialError, TrialPruned
from asyncsweep.worker.domains import (
    NOWHERE,
    Distribution,
    choice_domain,
    described,
    distribution_of,
    float_domain,
    has,
    int_domain,
    is_same,
    place_of,
)
from asyncsweep.worker.folders import ARTIFACTS, CHECKPOINT, make
from asyncsweep.worker.outcome import metric_name
from asyncsweep.worker.port import Port, Steps
from asyncsweep.worker.values import MOST_STEP, check_constraint, check_step, number_in

if TYPE_CHECKING:
    from datetime import datetime
    from os import PathLike
    from pathlib import Path

# The most that `save` copies when nothing else is said.
LIMIT_BYTES = 2**30

# What Optuna's trial has and one of ours cannot have, with what to do instead.
_ELSEWHERE = {
    "study": "there is no study beside the objective, which may run on another host; read the result, or watch the run",
    "storage": "what is stored is written by the sweep; use report(), set_user_attr() and set_constraint()",
    "relative_search_space": "only the sampler knows it, and it is in another process; see `distributions` and `params`",
}


class Trial:
    """One attempt at one set of parameters. Its methods may be called from any thread of the objective.

    Attributes:
        number: The trial's number in the sweep, from 0.
        attempt: Counts the attempts at this trial, from 1.
        params: The parameters by name, constants included. Define-by-run adds to it.
        relative_params: Those that were suggested together before the objective began: of the space or enqueued.
    """

    def __init__(
        self,
        port: Port,
        number: int,
        attempt: int,
        params: dict[str, Any],
        metrics: Sequence[str],
        verdicts: Steps | None,
    ) -> None:
        self.number = number
        self.attempt = attempt
        self.params = params
        self.relative_params = dict(params)
        self._port = port
        self._metrics = metrics
        self._verdicts = verdicts
        self._domains: dict[str, dict[str, Any]] = {}
        self._steps: set[int] = set()
        self._last_step = -1
        self._asked_step = -1
        self._quiet_before = 0 if verdicts is None else verdicts.next(-1)
        self._lock = threading.Lock()
        self._user_attrs: dict[str, Any] = {}
        self._constraints: dict[str, float] = {}
        self._started_at = time.time()

    if not TYPE_CHECKING:  # a type checker would take every name for an attribute

        def __getattr__(self, name: str) -> Any:
            why = _ELSEWHERE.get(name)
            raise AttributeError(f"'Trial' object has no attribute {name!r}" + (f": {why}" if why else ""))

    def report(self, value: float | Mapping[str, float], step: int | None = None) -> None:
        """Tell the sweep an intermediate value. Never waits, never raises for pruning.

        Args:
            value: A number (NaN is allowed), or metric names with numbers, the sweep's first metric among them.
            step: A whole number >= 0; left out, it is one more than the highest so far. The first report of a step stands.

        Raises:
            TypeError: `value` or `step` is no number.
            ValueError: `step` is negative or beyond 2**62, or the first metric is missing.
            OverflowError: `value` is a whole number beyond all floats.
            TrialError: A metric's name is no valid Unicode text, or longer than 1,000 characters.
        """
        further: dict[str, float] | None = None
        if type(value) is float:
            number = value
        elif isinstance(value, Mapping):
            numbers = {metric_name(name): number_in(number) for name, number in value.items()}
            first = self._metrics[0]
            if first not in numbers:
                raise ValueError(f"report() needs the metric {first!r}; it got {', '.join(numbers) or 'nothing'}")
            number = numbers.pop(first)
            further = numbers or None
        else:
            number = number_in(value)
        if step is not None and (type(step) is not int or not 0 <= step <= MOST_STEP):
            step = check_step(step)
        with self._lock:
            if step is None:
                step = self._last_step + 1
            if step in self._steps:
                return
            self._steps.add(step)
            if step > self._last_step:
                self._last_step = step
            self._port.report(step, number, further)

    def should_prune(self) -> bool:
        """True when the pruner wants this trial to end, on what it reported so far.

        Waits for the verdict where one is possible; False at once before the first report, at steps at which the pruner
        never prunes, and without a pruner.

        Raises:
            TrialError: The objective runs on the sweep's own event loop and the verdict comes from another process: use
                `await trial.should_prune_async()`.
        """
        step = self._last_step
        if not self._is_verdict_due(step):
            return False
        return self._answered(step, self._port.verdict(step))

    async def should_prune_async(self) -> bool:
        """As `should_prune`, without blocking the event loop."""
        step = self._last_step
        if not self._is_verdict_due(step):
            return False
        return self._answered(step, await self._port.verdict_async(step))

    def report_or_prune(self, value: float | Mapping[str, float], step: int | None = None) -> None:
        """Report, and end the trial when the pruner says so.

        Raises:
            TrialPruned: The pruner wants the trial to end; let it pass.
        """
        self.report(value, step)
        if self.should_prune():
            raise TrialPruned(f"pruned at step {self._last_step}")

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number between `low` and `high`; the same name gives the same value for the whole trial.

        A `step` that does not divide the range makes it end at its last point, with a warning.

        Raises:
            TrialError: The bounds, `step` or `log` make no domain, the same name was asked for with another one, the space
                gave it a value outside of this one, or the sampler cannot answer.
        """
        return float(self._suggest(name, float_domain(name, low, high, step, log)))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number between `low` and `high`, both included; see `suggest_float`."""
        return int(self._suggest(name, int_domain(name, low, high, step, log)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of `choices`, the very object; see `suggest_float`.

        A choice is None, a bool, int, float, str, bytes, or a list, tuple or dict of these.
        """
        choices = list(choices)
        domain = choice_domain(name, choices)
        is_new = name not in self._domains
        value = self._suggest(name, domain)
        return self._own(name, domain, choices) if is_new else value

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        """Deprecated, as in Optuna: `suggest_float(name, low, high)`."""
        _deprecated("suggest_uniform", "suggest_float(name, low, high)")
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        """Deprecated, as in Optuna: `suggest_float(name, low, high, log=True)`."""
        _deprecated("suggest_loguniform", "suggest_float(name, low, high, log=True)")
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        """Deprecated, as in Optuna: `suggest_float(name, low, high, step=q)`."""
        _deprecated("suggest_discrete_uniform", "suggest_float(name, low, high, step=q)")
        return self.suggest_float(name, low, high, step=q)

    async def suggest_float_async(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """As `suggest_float`, without blocking the event loop."""
        return float(await self._suggest_async(name, float_domain(name, low, high, step, log)))

    async def suggest_int_async(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """As `suggest_int`, without blocking the event loop."""
        return int(await self._suggest_async(name, int_domain(name, low, high, step, log)))

    async def suggest_categorical_async(self, name: str, choices: Sequence[Any]) -> Any:
        """As `suggest_categorical`, without blocking the event loop."""
        choices = list(choices)
        domain = choice_domain(name, choices)
        is_new = name not in self._domains
        value = await self._suggest_async(name, domain)
        return self._own(name, domain, choices) if is_new else value

    def set_constraint(self, key: str, value: float) -> None:
        """Say how far the trial is from keeping a constraint: it is feasible when none of its constraints is above 0.

        The first value of a name stands; another one is ignored, with a warning. As in Optuna, what `float` takes is a
        value ("0.5" too), and what is no text becomes a name by `str`.

        Raises:
            TypeError: `value` is no number.
            ValueError: It is NaN, or the name is no valid Unicode text or longer than 1,000 characters.
            OverflowError: It is a whole number beyond all floats.
        """
        name, number = check_constraint(key, value)
        with self._lock:
            if name not in self._constraints:
                self._constraints[name] = number
                self._port.set_constraint(name, number)
                return
        warnings.warn(
            f"set_constraint({name!r}): it is {self._constraints[name]} already; {number} is ignored", stacklevel=2
        )

    @property
    def constraints(self) -> dict[str, float]:
        """What `set_constraint` stored in this attempt."""
        return dict(self._constraints)

    @property
    def distributions(self) -> dict[str, Distribution]:
        """What `suggest_*` was asked for in this attempt; each has the attributes of Optuna's class of the same name."""
        return {name: distribution_of(domain) for name, domain in dict(self._domains).items()}

    @property
    def datetime_start(self) -> datetime:
        """When this attempt began, in local time without a zone, as Optuna tells it."""
        from datetime import datetime  # for the few that ask

        return datetime.fromtimestamp(self._started_at)

    @property
    def checkpoint_dir(self) -> Path:
        """A folder of this trial's own that outlives an attempt: what one saves, the next finds, also after a resume.

        It is made when it is first asked for. With `Sweep(directory=...)` it is there, and stays as `keep` says; otherwise it
        is a temporary one, which goes with the run.

        Raises:
            TrialError: The executor gives its trials no folder.
            OSError: It cannot be made, or there is a symbolic link in its place.
        """
        from pathlib import Path  # for the few that ask

        folders = self._folders("checkpoint_dir", "save checkpoints at a place of your own")
        return Path(make(folders, str(self.number), CHECKPOINT))

    @property
    def dir(self) -> Path:
        """The folder of what this trial is to leave behind: `save` copies there, and the objective may write there itself.

        It is made when it is first asked for, stays as `keep` says, and is shared by the attempts of a trial. Without
        `Sweep(directory=...)` it is a temporary one, which goes with the run.

        Raises:
            TrialError: The executor gives its trials no folder.
            OSError: It cannot be made, or there is a symbolic link in its place.
        """
        from pathlib import Path  # for the few that ask

        return Path(make(self._folders("dir", "keep files at a place of your own"), str(self.number), ARTIFACTS))

    def save(self, path: str | PathLike[str], name: str | None = None, *, limit_bytes: int = LIMIT_BYTES) -> Path:
        """Copy a file or a folder into `dir`, and give the path of the copy. Waits until it is there.

        A copy takes the place of an earlier one of the same name, in one step (a folder in two); one that fails leaves
        nothing behind. What is in `dir` already stays where it is, unless it is given another name.

        Args:
            path: What to copy. Links in a folder to files of the same folder become copies; other links are refused.
            name: What to call it, by default as it is called; a relative path such as "plots/roc.png". What cannot be in
                a file's name everywhere is written as %XX: ".." as "%2E%2E", ":" as "%3A", "%" as "%25".
            limit_bytes: The most that it may have, all files together. Default: 1 GiB.

        Raises:
            TrialError: It is too large, or something in it is neither a file nor a folder; or the name is empty, or taken
                by something of another kind.
            TypeError: An argument has the wrong type.
            OSError: It cannot be read, or not be written: a full disk, for example.
        """
        from pathlib import Path  # for the few that ask

        from asyncsweep.worker import artifacts

        folders = self._folders("save()", "keep files at a place of your own")
        return Path(artifacts.save(folders, self.number, self.attempt, path, name, limit_bytes))

    @property
    def user_attrs(self) -> dict[str, Any]:
        """What `set_user_attr` stored in this attempt."""
        return dict(self._user_attrs)

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep a value with the trial; it is in the result.

        Raises:
            TypeError: The value is not made of None, bool, int, float, str, bytes, lists and dicts with text keys.
            ValueError: It is larger than 1 MiB, or nested too deep.
        """
        self._port.set_attr(str(key), value)
        self._user_attrs[str(key)] = value

    def _folders(self, asked_for: str, mend: str) -> str:
        # A port of somebody's executor may be older than folders.
        folders = self._port.folder() if hasattr(self._port, "folder") else ""
        if not folders:
            raise TrialError(f"trial.{asked_for}: the executor of this sweep gives its trials no folder; {mend}")
        return folders

    def _is_verdict_due(self, step: int) -> bool:
        return (
            self._verdicts is not None
            and step >= self._quiet_before
            and step >= 0
            and self._verdicts.is_due(step, self._asked_step)
        )

    def _answered(self, step: int, prune: bool) -> bool:
        # A trial that goes on although it was told to stop is judged anew at once, not where the next verdict would be due:
        # of several rungs that it passed in one leap only the first was decided.
        self._asked_step = -1 if prune else step
        if self._verdicts is not None:
            self._quiet_before = self._verdicts.next(self._asked_step)
        return prune

    def _suggest(self, name: str, domain: dict[str, Any]) -> Any:
        if not self._known(name, domain):
            self._learn(name, domain, self._port.suggest(name, domain))
        return self.params[name]

    async def _suggest_async(self, name: str, domain: dict[str, Any]) -> Any:
        if not self._known(name, domain):
            self._learn(name, domain, await self._port.suggest_async(name, domain))
        return self.params[name]

    def _known(self, name: str, domain: dict[str, Any]) -> bool:
        """True when the parameter has its value already: from the space, or from an earlier call."""
        if not isinstance(name, str):
            raise TypeError(f"suggest_*(): the name must be a text, not {name!r:.80} ({type(name).__name__})")
        if not name.isascii() and name != name.encode("utf-8", "ignore").decode():
            raise TrialError(f"suggest_*(): the name {name!r:.80} is no valid Unicode text")
        if name not in self.params:
            self._check_same(name, domain)
            return False
        if name not in self._domains and not has(domain, self.params[name]):
            raise TrialError(
                f"{name!r} is {self.params[name]!r:.80} in this trial, from the space or the enqueued parameters, which is "
                f"not in the domain that is asked for, {described(domain)}"
            )
        self._learn(name, domain, self.params[name])
        return True

    def _learn(self, name: str, domain: dict[str, Any], value: Any) -> None:
        """From now on the name has this domain: only a value makes it so, not a question that failed."""
        self._check_same(name, domain)
        self._domains[name] = domain
        self.params[name] = value

    def _check_same(self, name: str, domain: dict[str, Any]) -> None:
        before = self._domains.get(name, domain)
        if not is_same(before, domain):
            raise TrialError(
                f"{name!r} was suggested from {described(before)} and is now asked for from {described(domain)}"
            )

    def _own(self, name: str, domain: dict[str, Any], choices: Sequence[Any]) -> Any:
        """The objective's own object for a choice: a tuple, say, which travels as a list."""
        place = place_of(domain, self.params[name])
        if place != NOWHERE:
            self.params[name] = choices[place]
        return self.params[name]


def _deprecated(name: str, instead: str) -> None:
    warnings.warn(f"trial.{name}() is deprecated, in Optuna too: use {instead}", FutureWarning, stacklevel=3)
