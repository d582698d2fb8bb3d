"""How an actor learns that the sweep is out of reach: the sweep calls it again and again, and for long it has not.

Ray ends an actor whose owner has died, and the actors of a node that it has given up. An actor on a node whose link was cut hears
of neither, and Ray lets it run on for minutes, while its trial is tried again elsewhere.
"""

from __future__ import annotations

import asyncio

# A lease is renewed so often within its time, and looked at so often.
BEATS = 4


class Lease:
    """A time that begins anew whenever it is renewed.

    It counts what this process has lived through: one that was stopped, with its machine, finds its lease as it was.

    Args:
        lease_s: The time.
    """

    def __init__(self, lease_s: float) -> None:
        self._beat_s = lease_s / BEATS
        self._n_missed = 0

    def renew(self) -> None:
        """Begin anew."""
        self._n_missed = 0

    async def over(self) -> None:
        """Wait until it has run out."""
        while self._n_missed < BEATS:
            await asyncio.sleep(self._beat_s)
            self._n_missed += 1
