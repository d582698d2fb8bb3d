"""How a sweep stands, in one message: what is left, how fast it goes, when it will have ended."""

from __future__ import annotations

from collections import deque
from typing import Any

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.viewer import values
from asyncsweep.viewer.source import Source, Stand
from asyncsweep.viewer.table import Table

RECENT = 100
# Ends longer ago than this say little about how fast it goes now, if there are newer ones.
RECENT_S = 300.0
# The same of who is behind: that is so where trials end by the thousand.
BEHIND_S = 10.0
TEXT_CHARS = 10_000


class Pace:
    """The last ends of trials."""

    def __init__(self) -> None:
        self._ends: deque[float] = deque(maxlen=RECENT)
        self._durations_s: deque[float] = deque(maxlen=RECENT)
        self._counted: deque[tuple[float, int]] = deque(maxlen=RECENT)

    def ended(self, at: float, duration_s: float | None) -> None:
        """A trial ended; `duration_s` is None where it says nothing about others."""
        self._ends.append(at)
        if duration_s is not None:
            self._durations_s.append(duration_s)

    def counted(self, at: float, n_final: int) -> None:
        """So many had ended, seen or not."""
        self._counted.append((at, n_final))

    def rate_per_s(self, now: float, *, is_behind: bool = False) -> float | None:
        """Trials per second of late; None while it is unknown. Who is behind has not seen the last ends, but has counted them."""
        if is_behind:
            late = [found for found in self._counted if found[0] > now - BEHIND_S] or [(now, 0)]
            (began, before), (at, n_final) = late[0], late[-1]
            return (n_final - before) / (at - began) if at > began else None
        ends = [at for at in self._ends if at > now - RECENT_S]
        if len(ends) < 2:
            ends = list(self._ends)
        span = now - min(ends, default=now)
        return (len(ends) - 1) / span if len(ends) > 1 and span > 0 else None

    def left_s(self, now: float, n_left: int, concurrency: int, running_since: list[float]) -> float | None:
        """The time until the end, if each trial lasts as long as the recent ones on average; None while it is unknown.

        Args:
            now: The time.
            n_left: How many trials are still to end.
            concurrency: How many run at a time.
            running_since: When those began that run.
        """
        if n_left <= 0:
            return 0.0
        if not self._durations_s:
            return None
        mean = sum(self._durations_s) / len(self._durations_s)
        work = mean * max(0, n_left - len(running_since))
        work += sum(max(0.0, mean - (now - since)) for since in running_since)
        return work / max(1, min(concurrency, n_left))


def status(
    source: Source,
    stand: Stand,
    table: Table,
    pace: Pace,
    best: int | None,
    stride: int,
    now: float,
    *,
    is_behind: bool = False,
) -> dict[str, Any]:
    """The message, without its type; of who `is_behind` the table, the numbers are the source's."""
    spec, trials = source.spec, source.trials
    counts, total, n_final = table.counts, table.total, table.n_final
    if is_behind:
        counts, total, n_final = dict(source.counts), sum(source.counts.values()), n_final_of(source)
    goes_on = stand.state in ("RUNNING", "STOPPING")
    if spec.n_trials is None or stand.state != "RUNNING":
        eta_s = None
    else:
        running = [trial.started_at for trial in table.open.values() if trial.started_at]
        eta_s = pace.left_s(now, spec.n_trials - n_final, concurrency_of(source, table), running)
    record = trials[best] if best is not None and best < len(trials) else None
    return {
        "state": stand.state,
        "reason": values.text(stand.reason, TEXT_CHARS),
        "error": values.text(stand.error, TEXT_CHARS),
        "counts": {state.value: count for state, count in counts.items()},
        "n_trials": spec.n_trials,
        "concurrency": concurrency_of(source, table),
        "enqueued": source.n_enqueued,
        "total": total,
        "stride": stride,
        "best": None if record is None else {"number": record.number, "value": values.number(record.value)},
        "rate_per_s": pace.rate_per_s(now, is_behind=is_behind) if goes_on else None,
        "eta_s": eta_s,
        "started_at": (trials[0].asked_at or None) if trials else None,
        "now": now,
    }


def n_final_of(source: Source) -> int:
    """How many trials have ended, published or not."""
    return sum(count for state, count in source.counts.items() if state not in (State.WAITING, State.RUNNING))


def concurrency_of(source: Source, table: Table) -> int:
    """How many trials run at a time: as the settings say, or as many as run now, and at least 1."""
    return source.spec.concurrency or max(1, table.counts[State.RUNNING])


def duration_of(record: TrialRecord) -> float | None:
    """How long a final trial's last attempt took, where that says something about others."""
    return None if record.state is State.CANCELLED else record.duration_s
