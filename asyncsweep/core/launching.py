"""Whether attempts are launched to workers that are busy, so that a worker need not wait for its next one.

Between its result and its next attempt a worker idles: the result travels, is taken in and answered, and the answer travels. Where
that is a notable share of a trial's duration, one more attempt for each slot is sent ahead, to executors that take it. What it costs
is knowledge: its parameters are as old as one more trial. So long trials have nothing launched ahead, as nothing is fetched ahead for
them (`ahead`), nor have trials one at a time, or a sweep that is to come out the same whatever its timing.

How long a launch takes is seen by the events: from `Launch` to `Started`, of attempts that were given to a slot that was free. Where
`Started` is the executor's own word and comes at once, it is taken for `LEAST_GAP_S`: what two processes need to wake each other up.
"""

from __future__ import annotations

from collections.abc import Sequence

from asyncsweep.core.kept import KeptLaunching
from asyncsweep.core.records import State, TrialRecord

# No launch to another process takes less.
LEAST_GAP_S = 1e-4
# The weight of the newest gap in the average.
_NEWEST = 0.2


class Launching:
    """How long launches take in one sweep.

    Attributes:
        is_on: False where nothing is launched ahead.
        gap_s: From a launch to the start, on average; None before the first was seen.
        takes_s: How long a launch is thought to take.
        timed: The trial, the attempt and the time of the launch that is being timed; None when none is.
        is_slow: Whether a launch took notably long when the last trial ended.
    """

    __slots__ = ("gap_s", "is_slow", "takes_s", "timed")

    def __init__(self) -> None:
        self.gap_s: float | None = None
        self.takes_s = LEAST_GAP_S
        self.timed: tuple[int, int, float] | None = None
        self.is_slow = False

    def kept(self) -> KeptLaunching | None:
        """For a snapshot: what changes while the sweep runs; None when nothing is known."""
        is_known = self.gap_s is not None or self.timed is not None or self.is_slow
        return KeptLaunching(self.gap_s, self.timed, self.is_slow) if is_known else None

    def restore(self, kept: KeptLaunching | None) -> None:
        """Become what `kept` told."""
        if kept is not None:
            self.gap_s, self.timed, self.is_slow = kept.gap_s, kept.timed, kept.is_slow
            self.takes_s = max(kept.gap_s or 0.0, LEAST_GAP_S)

    def launched(self, trial: TrialRecord, at: float, trials: Sequence[TrialRecord]) -> None:
        """An attempt was given to a free slot; it is timed unless another one still is."""
        if self.timed is None or not _is_under_way(self.timed, trials):
            self.timed = trial.number, trial.attempt, at

    def started(self, trial: int, attempt: int, at: float) -> None:
        """An attempt runs."""
        timed = self.timed
        if timed is not None and timed[0] == trial and timed[1] == attempt:
            newest, known = at - timed[2], self.gap_s
            self.gap_s = newest if known is None else known + (newest - known) * _NEWEST
            self.takes_s = max(self.gap_s, LEAST_GAP_S)
            self.timed = None

    def forget(self, trial: int) -> None:
        """The launch of this trial never was; the next one is another."""
        if self.timed is not None and self.timed[0] == trial:
            self.timed = None


def _is_under_way(timed: tuple[int, int, float], trials: Sequence[TrialRecord]) -> bool:
    """Whether the launch that is timed can still end in a start."""
    number, attempt, _ = timed
    if number >= len(trials):
        return False
    trial = trials[number]
    return trial.attempt == attempt and trial.state is State.WAITING and trial.worker is not None
