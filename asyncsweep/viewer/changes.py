"""In which order trials changed last: what a viewer lacks is what changed after the place up to which it knows everything.

Each change has a number, `seq`, which only grows. A trial is in the log once, at its last change; where it was before is stale. The
log is in segments, and one of which most is stale is cut down to the rest: no single step costs more than a segment, however many
trials there are, and all together the log is at most some segments longer than twice the number of trials.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

SEGMENT = 2_048


class _Segment:
    """Some changes in a row.

    Attributes:
        seqs: Their numbers, rising.
        trials: Whose changes they are.
        n_live: How many of them are not stale.
    """

    __slots__ = ("n_live", "seqs", "trials")

    def __init__(self) -> None:
        self.seqs = array("q")
        self.trials = array("q")
        self.n_live = 0


class Changes:
    """The log.

    Args:
        seq: Where to begin.

    Attributes:
        seq: The number of the last change.
        touched: That of a trial's last one.
    """

    def __init__(self, seq: int = 0) -> None:
        self.seq = self.touched = seq
        self._last = array("q")  # by trial: its last change; 0 where there is none
        self._segments = [_Segment()]
        self._firsts = [seq + 1]  # by segment: no change in it has a lower number

    def __len__(self) -> int:
        """How many changes are kept, stale ones included."""
        return sum(len(segment.seqs) for segment in self._segments)

    def touch(self, trial: int) -> None:
        """A trial, numbered from 0, has changed."""
        last = self._last
        self.seq = self.touched = seq = self.seq + 1
        if trial >= len(last):
            last.frombytes(bytes(last.itemsize * (trial + 1 - len(last))))
        elif before := last[trial]:
            self._outdate(before)
        last[trial] = seq
        segment = self._segments[-1]
        segment.seqs.append(seq)
        segment.trials.append(trial)
        segment.n_live += 1
        if len(segment.seqs) >= SEGMENT:
            self._close_last(segment)

    def skip(self) -> None:
        """Something else than a trial has changed."""
        self.seq += 1

    def changed(self, trial: int) -> int:
        """The number of a trial's last change; 0 when it never did."""
        return self._last[trial] if 0 <= trial < len(self._last) else 0

    def after(self, seq: int) -> Iterator[tuple[int, int]]:
        """(seq, trial) of each trial that changed after a place, the oldest change first; nothing may change meanwhile."""
        last = self._last
        place = max(0, bisect_right(self._firsts, seq) - 1)
        start = bisect_right(self._segments[place].seqs, seq)
        for segment in self._segments[place:]:
            for at, trial in zip(segment.seqs[start:], segment.trials[start:], strict=True):
                if last[trial] == at:
                    yield at, trial
            start = 0

    def _outdate(self, seq: int) -> None:
        place = bisect_right(self._firsts, seq) - 1
        segment = self._segments[place]
        segment.n_live -= 1
        if place + 1 < len(self._segments) and 2 * segment.n_live < len(segment.seqs):
            # What has just become stale is still the last change of its trial by `_last`, but that is set next.
            self._compact(segment, without=seq)
            self._join(place)

    def _close_last(self, segment: _Segment) -> None:
        self._compact(segment)
        if 2 * len(segment.seqs) > SEGMENT:
            self._segments.append(_Segment())
            self._firsts.append(self.seq + 1)

    def _compact(self, segment: _Segment, without: int = 0) -> None:
        last = self._last
        pairs = zip(segment.seqs, segment.trials, strict=True)
        live = [(at, trial) for at, trial in pairs if last[trial] == at and at != without]
        segment.seqs = array("q", [at for at, _ in live])
        segment.trials = array("q", [trial for _, trial in live])

    def _join(self, place: int) -> None:
        """A segment that has become small goes into the one before it, if that has room."""
        segment = self._segments[place]
        if place and len(self._segments[place - 1].seqs) + len(segment.seqs) <= SEGMENT // 2:
            before = self._segments[place - 1]
            before.seqs.extend(segment.seqs)
            before.trials.extend(segment.trials)
            before.n_live += segment.n_live
            del self._segments[place], self._firsts[place]
        elif not segment.seqs:
            if place + 1 < len(self._segments):
                del self._segments[place], self._firsts[place]
