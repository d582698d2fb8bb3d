"""What attempts use of their devices, over time: the latest figures, the highest and the mean."""

from __future__ import annotations

from asyncsweep.core import events as ev
from asyncsweep.hooks.contracts import Job, JobId

MEMORY = "gpu_memory_gib"
UTILISATION = "gpu_utilisation"


class Course:
    """The figures of one attempt so far."""

    def __init__(self) -> None:
        self.peak = 0.0
        self.sum = 0.0
        self.n = 0
        self.told_at: float | None = None

    def with_past(self, figures: dict[str, float]) -> dict[str, float]:
        """The figures, with what came before."""
        found = dict(figures)
        if MEMORY in figures:
            self.peak = max(self.peak, figures[MEMORY])
            found["gpu_memory_peak_gib"] = self.peak
        if UTILISATION in figures:
            self.sum += figures[UTILISATION]
            self.n += 1
            found["gpu_utilisation_mean"] = round(self.sum / self.n, 3)
        return found


class Usages:
    """Of all attempts that run.

    Args:
        every_s: How often figures are told; None for never.
    """

    def __init__(self, every_s: float | None) -> None:
        self._every_s = every_s
        self._courses: dict[JobId, Course] = {}

    def now(self, at: float, job: Job, figures: dict[str, float]) -> list[ev.Event]:
        """Take note of a look at a running attempt; what is to be told of it now."""
        course = self._courses.setdefault(JobId(job.trial, job.attempt), Course())
        found = course.with_past(figures)
        if self._every_s is None or (course.told_at is not None and at - course.told_at < self._every_s):
            return []
        course.told_at = at
        return _used(job, found)

    def last(self, job: Job, figures: dict[str, float]) -> list[ev.Event]:
        """The same at the attempt's end."""
        found = self._courses.pop(JobId(job.trial, job.attempt), Course()).with_past(figures)
        return [] if self._every_s is None else _used(job, found)

    def forget(self, job: JobId) -> None:
        """The attempt is over."""
        self._courses.pop(job, None)


def _used(job: Job, usage: dict[str, float]) -> list[ev.Event]:
    return [ev.Used(job.trial, job.attempt, usage)] if usage else []
