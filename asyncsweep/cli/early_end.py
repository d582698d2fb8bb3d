"""A sweep whose every trial fails is stopped early: a wrong script would only fail a hundred times alike."""

from __future__ import annotations

from typing import Protocol

from asyncsweep.core.effects import TrialFinished
from asyncsweep.core.records import FINAL_STATES, State
from asyncsweep.progress.text import visible
from asyncsweep.run import SweepRun

ENOUGH = 5
REASON = f"the first {ENOUGH} trials failed"
_LONGEST = 200


class _Encoded(Protocol):
    @property
    def encoding(self) -> str: ...


class EarlyEnd:
    """Stops a run when so many of its trials failed and none went well; trials that run then may end.

    Attributes:
        has_come: Whether it was stopped for that.
    """

    def __init__(self, run: SweepRun) -> None:
        """Begin to count; what had failed when the sweep was resumed is forgiven."""
        self._run = run
        self._forgiven = run.counts[State.FAILED]
        self.has_come = False

    async def watch(self) -> None:
        """Look at each trial that ends, until one went well, or the run is over."""
        updates = self._run.updates()
        if self._is_settled():
            return
        async for update in updates:
            if isinstance(update, TrialFinished) and self._is_settled():
                return

    def story(self, console: _Encoded) -> str:
        """Why it was stopped, in one line."""
        errors = [trial.error for trial in self._run.trials if trial.state is State.FAILED and trial.error is not None]
        last = errors[-ENOUGH:]
        if not last:
            return f"{REASON}; --max-failures N lets more fail"
        how = " alike" if len({error.type for error in last}) == 1 else ""
        lines = [line.strip() for line in str(last[-1]).splitlines() if line.strip()] or [""]
        text = lines[0] if len(lines) == 1 else f"{lines[0]}{'' if lines[0].endswith(':') else ' ...'} {lines[-1]}"
        text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
        return visible(f"{REASON}{how}: {text}; --max-failures N lets more fail", console.encoding)

    def _is_settled(self) -> bool:
        """Stop the run where that is due; true when there is nothing more to look for."""
        counts = self._run.counts
        if self._run.is_over or self._run.is_stopping or counts[State.COMPLETE] or counts[State.PRUNED]:
            return True
        if self._run.n_trials is not None and sum(counts[state] for state in FINAL_STATES) >= self._run.n_trials:
            return True
        if counts[State.FAILED] - self._forgiven < ENOUGH:
            return False
        self._run.stop(REASON)
        self.has_come = True
        return True
