"""What a journal says of the sweep that shall go on: its settings, and what of them may be changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asyncsweep import arguments, checks, settings
from asyncsweep.core.events import Adopted, Event, Kept, Reopened, Snapshot, SweepOpened
from asyncsweep.core.records import SweepSpec
from asyncsweep.errors import ConfigError
from asyncsweep.journal import journal
from asyncsweep.space import Space

# What may be changed when a sweep is opened again, and what is as the journal says.
CHANGEABLE = (
    "n_trials",
    "concurrency",
    "needs",
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


_ANEW = "; make a new sweep in another directory, which can learn from this one: Sweep(..., history=directory)"
_MENDS = {
    "space": _ANEW,
    "direction": _ANEW,
    "seed": _ANEW,
    "reproducible": _ANEW,
    "history": "; it is read before the first trial",
    "enqueue": "; use run.enqueue(...) of `async with sweep.start() as run`",
}


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
        changes = {name: value for name, value in changes.items() if not self._is_so(name, value)}
        unknown = [name for name in changes if name not in CHANGEABLE]
        if unknown:
            mend = _MENDS.get(unknown[0]) or arguments.instead(unknown[0], CHANGEABLE)
            raise ConfigError(
                f"{unknown[0]}={changes[unknown[0]]!r}: it cannot be changed in a sweep that has begun{mend}; "
                f"can be changed: {', '.join(CHANGEABLE)}"
            )
        spec = self.spec
        kept: dict[str, Any] = {
            name: getattr(spec, name)
            for name in CHANGEABLE
            if name in SweepSpec.__struct_fields__ and name not in changes
        }
        if "concurrency" in kept:
            several = settings.members_of(changes.get("executor")) is not None  # each has slots of its own
            kept["concurrency"] = None if several else kept["concurrency"] or None
        for kind in ("sampler", "pruner", "executor"):
            if kind in kept:
                kept[kind] = settings.restored(kind, getattr(spec, kind))
        for name, attached in spec.attached.items():
            if name not in changes:
                kept[name] = [settings.restored(name, one) for one in attached]
        kept["reproducible"] = spec.reproducible or False
        return kept | changes

    def _is_so(self, name: str, value: Any) -> bool:
        """Whether this is no change, of a setting that cannot be changed."""
        if name == "seed":
            return bool(value == self.spec.seed)
        if name == "direction":
            return checks.directions(value) == self.spec.directions
        if name == "reproducible":
            return bool(value == self.spec.reproducible) and not isinstance(value, bool)
        if name == "space":
            return (value if isinstance(value, Space) else Space(value)).domains == self.spec.space
        return False


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
