"""The trial as an objective sees it. Its names are Optuna's, so that an objective written for Optuna runs unmodified."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from asyncsweep.errors import TrialError, TrialPruned
from asyncsweep.worker.outcome import metric_name
from asyncsweep.worker.port import Port, Steps


class Trial:
    """One attempt at one set of parameters. Its methods may be called from any thread of the objective.

    Attributes:
        number: The trial's number in the sweep, from 0.
        attempt: Counts the attempts at this trial, from 1.
        params: The parameters by name, constants included. Define-by-run adds to it.
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
        self._port = port
        self._metrics = metrics
        self._verdicts = verdicts
        self._domains: dict[str, dict[str, Any]] = {}
        self._steps: set[int] = set()
        self._last_step = -1
        self._lock = threading.Lock()
        self._user_attrs: dict[str, Any] = {}

    def report(self, value: float | Mapping[str, float], step: int | None = None) -> None:
        """Tell the sweep an intermediate value. Never waits, never raises for pruning.

        Args:
            value: A number (NaN is allowed), or metric names with numbers, the sweep's first metric among them.
            step: A whole number >= 0; left out, it is one more than the highest so far. The first report of a step stands.

        Raises:
            TypeError: `value` or `step` is no number.
            ValueError: `step` is negative, or the first metric is missing.
            TrialError: A metric's name is no valid Unicode text, or longer than 1,000 characters.
        """
        further: dict[str, float] | None = None
        if isinstance(value, Mapping):
            numbers = {metric_name(name): _number(number, "value") for name, number in value.items()}
            first = self._metrics[0]
            if first not in numbers:
                raise ValueError(f"report() needs the metric {first!r}; it got {', '.join(numbers) or 'nothing'}")
            number = numbers.pop(first)
            further = numbers or None
        else:
            number = _number(value, "value")
        if step is not None:
            step = _whole(step)
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
        if self._verdicts is None or self._last_step < 0 or not self._verdicts.has(self._last_step):
            return False
        return self._port.verdict(self._last_step)

    async def should_prune_async(self) -> bool:
        """As `should_prune`, without blocking the event loop."""
        if self._verdicts is None or self._last_step < 0 or not self._verdicts.has(self._last_step):
            return False
        return await self._port.verdict_async(self._last_step)

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

        Raises:
            TrialError: The same name was asked for with another domain, the space gave it a value outside of this one, or
                the sampler cannot answer.
        """
        return float(self._suggest(name, _float_domain(low, high, step, log)))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number between `low` and `high`, both included; see `suggest_float`."""
        return int(self._suggest(name, _int_domain(low, high, step, log)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of `choices`; see `suggest_float`."""
        return self._suggest(name, _choice_domain(choices))

    async def suggest_float_async(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """As `suggest_float`, without blocking the event loop."""
        return float(await self._suggest_async(name, _float_domain(low, high, step, log)))

    async def suggest_int_async(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """As `suggest_int`, without blocking the event loop."""
        return int(await self._suggest_async(name, _int_domain(low, high, step, log)))

    async def suggest_categorical_async(self, name: str, choices: Sequence[Any]) -> Any:
        """As `suggest_categorical`, without blocking the event loop."""
        return await self._suggest_async(name, _choice_domain(choices))

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

    def _suggest(self, name: str, domain: dict[str, Any]) -> Any:
        if not self._known(name, domain):
            self.params[name] = self._port.suggest(name, domain)
        return self.params[name]

    async def _suggest_async(self, name: str, domain: dict[str, Any]) -> Any:
        if not self._known(name, domain):
            self.params[name] = await self._port.suggest_async(name, domain)
        return self.params[name]

    def _known(self, name: str, domain: dict[str, Any]) -> bool:
        """True when the parameter has its value already: from the space, or from an earlier call."""
        if not isinstance(name, str):
            raise TypeError(f"suggest_*(): the name must be a text, not {name!r:.80} ({type(name).__name__})")
        if not name.isascii() and name != name.encode("utf-8", "ignore").decode():
            raise TrialError(f"suggest_*(): the name {name!r:.80} is no valid Unicode text")
        if name not in self._domains and name in self.params and not _has(domain, self.params[name]):
            raise TrialError(
                f"{name!r} is {self.params[name]!r:.80} in this trial, from the space or the enqueued parameters, which is "
                f"not in the domain that is asked for, {domain}"
            )
        before = self._domains.setdefault(name, domain)
        if before != domain:
            raise TrialError(f"{name!r} was suggested from {before} and is now asked for from {domain}")
        return name in self.params


def _float_domain(low: float, high: float, step: float | None, log: bool) -> dict[str, Any]:
    return {"type": "float", "low": float(low), "high": float(high), "step": step, "log": bool(log)}


def _int_domain(low: int, high: int, step: int, log: bool) -> dict[str, Any]:
    return {"type": "int", "low": int(low), "high": int(high), "step": int(step), "log": bool(log)}


def _choice_domain(choices: Sequence[Any]) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(choices)}


def _has(domain: dict[str, Any], value: Any) -> bool:
    """Whether a value may come from a domain; steps and scales are left to who gave it."""
    if domain["type"] == "categorical":
        # Stored sequences come back as lists.
        return _as_list(value) in [_as_list(choice) for choice in domain["choices"]]
    try:
        return bool(domain["low"] <= value <= domain["high"] and (domain["type"] == "float" or value == int(value)))
    except (TypeError, ValueError):
        return False  # no number


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _number(value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"report(): {what} must be a number, not {value!r:.80} ({type(value).__name__})") from None


def _whole(step: Any) -> int:
    try:
        number = int(step)
    except (TypeError, ValueError):
        raise TypeError(f"report(): step must be a whole number, not {step!r:.80} ({type(step).__name__})") from None
    if not 0 <= number <= 2**62:
        raise ValueError(f"report(): step must be between 0 and 2**62, not {number}")
    return number
