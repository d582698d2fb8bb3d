"""Attempts as a program's objective gets them, on a port that keeps what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asyncsweep.worker.port import Steps
from asyncsweep.worker.trial import Trial


class Port:
    """Prunes from the step `prune_at` on."""

    def __init__(self, folder: str, prune_at: int | None) -> None:
        self.said: list[tuple[int, float, dict[str, float] | None]] = []
        self._folder = folder
        self._prune_at = prune_at

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None:
        self.said.append((step, value, metrics))

    def verdict(self, step: int) -> bool:
        return self._prune_at is not None and step >= self._prune_at

    async def verdict_async(self, step: int) -> bool:
        return self.verdict(step)

    def suggest(self, name: str, domain: dict[str, Any]) -> Any:
        raise NotImplementedError

    async def suggest_async(self, name: str, domain: dict[str, Any]) -> Any:
        raise NotImplementedError

    def set_attr(self, key: str, value: Any) -> None:
        raise NotImplementedError

    def set_constraint(self, name: str, value: float) -> None:
        raise NotImplementedError

    def folder(self) -> str:
        return self._folder


class Attempt(Trial):
    """The third trial's second attempt; `said` is what it reported."""

    def __init__(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Sequence[str] = ("loss",),
        folder: Path | str = "",
        prune_at: int | None = None,
    ) -> None:
        port = Port(str(folder), prune_at)
        super().__init__(port, 3, 2, dict(params or {}), metrics, Steps(0, 1))
        self.said = port.said
