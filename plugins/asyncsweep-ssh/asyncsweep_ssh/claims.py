"""Who has an attempt that waits at a busy worker of a host: see `asyncsweep.worker.claims`."""

from __future__ import annotations

from asyncsweep.worker.claims import Claims


class HostClaims(Claims):
    """The claims of a host: their places are given here, and claimed there."""

    def take(self, place: int) -> bool:
        """Nothing can be claimed from here at once: `RemoteWorker.ask_back` asks the host."""
        return False

    def close(self) -> None:
        """The file is the host's."""
