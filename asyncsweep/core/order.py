"""What an ask may know, in a sweep that is to come out the same however fast its trials are.

With a window of W the ask for trial k, and every verdict on it, know the trials up to k - W, told in the order of their
numbers, and nothing else. So trial k can begin when those are final; which of the others are, makes no difference.
"""

from __future__ import annotations


class Order:
    """Where one sweep stands.

    Attributes:
        window: W; 0 when the sweep takes results as they come.
        settled: How many trials at the start of the sweep are final, with the stop rules held to them.
        told: How many of them the sampler was told of.
        kept: How many trials remain when a stop rule has spoken; None before.
    """

    __slots__ = ("kept", "settled", "told", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.settled = 0
        self.told = 0
        self.kept: int | None = None

    def kept_state(self) -> tuple[int, int, int | None]:
        """For a snapshot: what changes while the sweep runs."""
        return self.settled, self.told, self.kept

    def restore(self, state: tuple[int, int, int | None]) -> None:
        """Become what `kept_state` told."""
        self.settled, self.told, self.kept = state

    def lets_begin(self, number: int) -> bool:
        """Whether everything that the ask for this trial has to know is final."""
        return not self.window or self.settled > number - self.window

    def due_before(self, number: int) -> range:
        """The trials that the sampler has to be told of before it is asked for this one; from now on they count as told."""
        due = range(self.told, number - self.window + 1)
        self.told = max(self.told, due.stop)
        return due

    def reopen(self, n_answered: int) -> None:
        """A new sampler is asked again for the first `n_answered` trials, and told what it then has to know."""
        self.told = max(0, n_answered - self.window)
        self.kept = None
