"""Samplers and pruners that misbehave or take notes. Hosts import them by name, so this module imports little."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asyncsweep.pruners.percentile import MedianPruner
from asyncsweep.samplers.random import RandomSampler


class Broken(RandomSampler):
    """A sampler that does something else at some trials, here or in the host.

    Args:
        where: The method that is broken.
        how: What it does instead: raises, dies, or returns this.
        at: The trials at which it does so.
        host: Where it lives.
    """

    def __init__(self, where: str, how: Any, at: Sequence[int] = (2,), host: str = "inline") -> None:
        self.where, self.how, self.at = where, how, at
        self.host = host  # type: ignore[assignment, misc]

    def _broken(self, method: str, number: int) -> bool:
        if self.where != method or number not in self.at:
            return False
        if self.how == "die":
            os._exit(3)
        if self.how == "raise":
            raise ValueError("broken here")
        return True

    def ask(self, trial: Any) -> Any:
        return self.how if self._broken("ask", trial.number) else super().ask(trial)

    def tell(self, trial: Any) -> None:
        self._broken("tell", trial.number)

    def suggest(self, trial: Any, name: str, domain: Any) -> Any:
        return self.how if self._broken("suggest", trial.number) else super().suggest(trial, name, domain)


class BrokenPruner(MedianPruner):
    """Raises or dies when it judges trial 7."""

    def __init__(self, where: str, how: str, host: str = "inline") -> None:
        super().__init__()
        self.where, self.how = where, how
        self.host = host  # type: ignore[assignment, misc]

    def judge(self, trial: int, step: int) -> bool:
        self._break("judge", trial)
        return super().judge(trial, step)

    def finish(self, trial: Any) -> None:
        self._break("finish", trial.number)
        super().finish(trial)

    def _break(self, where: str, trial: int) -> None:
        if where == self.where and trial == 7:
            if self.how == "die":
                os._exit(3)
            raise ValueError("broken here")


class Marking(RandomSampler):
    """Gives these attributes with trial 1."""

    def __init__(self, attrs: Any, host: str) -> None:
        self.given = attrs
        self.host = host  # type: ignore[misc, assignment]

    def attrs(self, trial: int) -> Any:
        return self.given if trial == 1 else {"fine": trial}


class MarkingPruner(MedianPruner):
    def __init__(self, attrs: Any, host: str) -> None:
        super().__init__()
        self.given = attrs
        self.host = host  # type: ignore[misc, assignment]

    def attrs(self, trial: int) -> Any:
        return self.given if trial == 1 else {"fine": trial}


class Noting(RandomSampler):
    """Writes its process, what it is told and what it is asked to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.host = "process"  # type: ignore[misc]

    def ask(self, trial: Any) -> Any:
        self._note(f"ask {trial.number}")
        return super().ask(trial)

    def tell(self, trial: Any) -> None:
        self._note(f"tell {trial.number}")

    def _note(self, what: str) -> None:
        with open(self.path, "a") as file:
            file.write(f"{os.getpid()} {what}\n")


class NotingPruner(MedianPruner):
    """Writes what it hears to a file."""

    def __init__(self, path: Path, host: str) -> None:
        super().__init__()
        self.path = path
        self.host = host  # type: ignore[assignment, misc]

    def report(self, trial: int, step: int, value: float) -> None:
        self._note(f"report {trial} {step} {value}")

    def restart(self, trial: int) -> None:
        self._note(f"restart {trial}")

    def judge(self, trial: int, step: int) -> bool:
        self._note(f"judge {trial} {step}")
        return False

    def finish(self, trial: Any) -> None:
        self._note(f"finish {trial.number}")

    def _note(self, what: str) -> None:
        with open(self.path, "a") as file:
            file.write(what + "\n")


class Whereabouts(RandomSampler):
    """Suggests where it is: the process and the thread."""

    def __init__(self, host: str) -> None:
        self.host = host  # type: ignore[misc, assignment]

    def ask(self, trial: Any) -> dict[str, Any]:
        return {"where": [os.getpid(), threading.current_thread().name]}
