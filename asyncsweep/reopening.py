"""What a journal says of the sweep that shall go on: its settings, and what of them may be changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asyncsweep import arguments, settings
from asyncsweep.core.events import Adopted, Event, Kept, Reopened, Snapshot, SweepOpened
from asyncsweep.core.records import SweepSpec
from asyncsweep.errors import ConfigError
from asyncsweep.journal import journal

# What may be changed when a sweep is opened again, and what is as the journal says.
CHANGEABLE = (
    "n_trials",
    "concurrency",
    "timeout",
    "trial_timeout",
    "grace_s",
    "retries",
    "fsync",
    "keep",
    "max_failures",
    "target",
    "patience",
    "executor",
    "sampler",
    "pruner",
    "stop_when",
    "exporters",
    "plugins",
)


class Found:
    """The settings in a journal.

    Attributes:
        spec: Those that hold at its end.
        n_adopted: How many trials of earlier searches are there.
    """

    spec: SweepSpec

    def __init__(self) -> None:
        self.n_adopted = 0

    def take(self, event: Event) -> None:
        """Look at the next event."""
        if isinstance(event, SweepOpened | Reopened | Snapshot):
            self.spec = event.spec
        elif isinstance(event, Adopted):
            self.n_adopted += 1
        elif isinstance(event, Kept):
            self.n_adopted += sum(trial.number < 0 for trial in event.trials.trials)

    def settings(self, changes: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a `Sweep` that goes on, with what the user wants different.

        Raises:
            ConfigError: A setting cannot be changed, or has to be given again.
        """
        unknown = [name for name in changes if name not in CHANGEABLE]
        if unknown:
            hint = ""
            if unknown[0] == "space":
                hint = "; for another space make a new sweep that learns from this one: Sweep(..., history=directory)"
            raise ConfigError(
                f"{unknown[0]}={changes[unknown[0]]!r}: it cannot be changed in a sweep that has begun"
                f"{arguments.instead(unknown[0], CHANGEABLE)}; can be changed: {', '.join(CHANGEABLE)}{hint}"
            )
        spec = self.spec
        kept: dict[str, Any] = {
            name: getattr(spec, name)
            for name in CHANGEABLE
            if name in SweepSpec.__struct_fields__ and name not in changes
        }
        for kind in ("sampler", "pruner", "executor"):
            if kind in kept:
                kept[kind] = settings.restored(kind, getattr(spec, kind))
        for name, attached in spec.attached.items():
            if name not in changes:
                kept[name] = [settings.restored(name, one) for one in attached]
        kept["reproducible"] = spec.reproducible or False
        return kept | changes


def read(path: Path) -> Found:
    """Look through the journal in a directory.

    Raises:
        ConfigError: There is no sweep, or it never began.
        JournalError: The journal is damaged, or is of a newer version.
    """
    found = Found()
    if not journal.read(path, take=found.take).seq:
        raise ConfigError(f"directory={str(path)!r}: that sweep never began; start a new one there with Sweep(...)")
    if found.spec.n_history > found.n_adopted:
        raise ConfigError(
            f"directory={str(path)!r}: the process ended while it took in the sweep's history, before the first trial; "
            "delete the directory and start anew with Sweep(...)"
        )
    return found
