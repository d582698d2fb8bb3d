"""Which final trials were handed over, so that each is handed over once, whatever was missed.

Who reads updates too slowly misses some, and is told how many. The records of the trials are all there; so after every gap
all trials are looked through that were not known to be final before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from asyncsweep.core.effects import TrialDropped, TrialFinished, Update, UpdatesSkipped
from asyncsweep.core.records import TrialRecord


class Ledger:
    """What was handed over of a sweep's trials. On the event loop alone.

    The first batch counts as one after a gap, so that the trials of earlier processes come with it.

    Args:
        trials: Gives all trials by their numbers.
    """

    def __init__(self, trials: Callable[[], Sequence[TrialRecord]]) -> None:
        self._trials = trials
        self._seen = 0
        self._is_first = True
        # Seen and not yet handed over: those that wait or run, and final ones of which nobody told.
        self._open: dict[int, None] = {}
        # Handed over after a gap, though updates of theirs may still come.
        self._ahead: set[int] = set()

    def rest(self) -> list[TrialRecord]:
        """All final trials that were not handed over."""
        trials = self._up_to_date()
        found = [trials[number] for number in self._open if trials[number].is_final]
        for trial in found:
            del self._open[trial.number]
        return found

    def taken(self, updates: Sequence[Update]) -> tuple[Sequence[Update], list[TrialRecord]]:
        """The updates, without those of trials that were handed over before; and the trials that are to be, with them."""
        if self._ahead:
            updates = [update for update in updates if not self._is_old(update)]
        if self._is_first or any(type(update) is UpdatesSkipped for update in updates):
            self._is_first = False
            found = self.rest()
            told = {update.trial for update in updates if type(update) is TrialFinished}
            self._ahead.update(trial.number for trial in found if trial.number not in told)
            return updates, found
        ended = [update.trial for update in updates if type(update) is TrialFinished]
        if not ended:
            return updates, []
        trials = self._up_to_date()
        found = [trials[number] for number in ended if number in self._open]
        for trial in found:
            del self._open[trial.number]
        return updates, found

    def _is_old(self, update: Update) -> bool:
        number = getattr(update, "trial", None)
        if number not in self._ahead or type(update) is TrialDropped:
            return False
        if type(update) is TrialFinished:
            self._ahead.discard(number)
        return True

    def _up_to_date(self) -> Sequence[TrialRecord]:
        trials = self._trials()
        if len(trials) < self._seen:  # those that were not to be started any more are gone
            self._seen = len(trials)
            self._open = {number: None for number in self._open if number < self._seen}
        self._open |= dict.fromkeys(range(self._seen, len(trials)))
        self._seen = len(trials)
        return trials
