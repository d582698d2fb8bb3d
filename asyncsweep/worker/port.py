"""What a `Trial` needs from the world: one implementation for each kind of executor."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class Steps(NamedTuple):
    """The steps at which a verdict can be anything but "go on": `first`, `first + every`, ..."""

    first: int
    every: int

    def has(self, step: int) -> bool:
        return step >= self.first and (step - self.first) % self.every == 0


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
