"""What a `Trial` needs from the world: one implementation for each kind of executor."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

# Beyond all steps that can be reported.
_NEVER = 2**63


class Steps(NamedTuple):
    """The steps at which a verdict can be anything but "go on".

    With `factor` 1 they are `first`, `first + every`, ... With a greater one they are wherever the reports have passed one of
    `first`, `first * factor`, `first * factor**2`, ... since the last verdict.
    """

    first: int
    every: int
    factor: int = 1

    def is_due(self, step: int, asked: int) -> bool:
        """Whether to ask for a verdict.

        Args:
            step: The highest step reported so far.
            asked: The highest step reported when the last verdict was "go on"; -1 before that, and after one was "stop".
        """
        if step < self.first:
            return False
        if self.factor == 1:
            return (step - self.first) % self.every == 0
        return step >= self.next(asked)

    def next(self, asked: int) -> int:
        """The lowest step at which to ask after a verdict at the step `asked`, or -1; with a `factor` of 1, `first`."""
        step = self.first
        if self.factor == 1 or asked < step:
            return step
        while 0 < step <= asked:
            step *= self.factor
        return step or _NEVER


class Port(Protocol):
    """How one attempt talks to the controller.

    `verdict` and `suggest` wait for the answer; on the controller's own loop they can do so only through their `_async`
    forms, and raise `TrialError` otherwise.
    """

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None: ...
    def verdict(self, step: int) -> bool: ...
    async def verdict_async(self, step: int) -> bool: ...
    def suggest(self, name: str, domain: dict[str, Any]) -> Any: ...
    async def suggest_async(self, name: str, domain: dict[str, Any]) -> Any: ...
    def set_attr(self, key: str, value: Any) -> None: ...
    def set_constraint(self, name: str, value: float) -> None: ...

    def folder(self) -> str:
        """The folder of all trials' folders; "" where trials have none."""
