"""R4: what was synced is there after a power loss, whatever else was lost, torn or reordered, and the sweep goes on."""

from __future__ import annotations

from random import Random

import anyio
import pytest

from asyncsweep.testing.files import MemoryFiles, Operation
from tests.journal.histories import Writer, is_kept, last, opened


class PowerCut(BaseException):
    """Ends a process that cannot catch it."""


class Cut:
    """Cuts the power at one step of what is done with files."""

    def __init__(self, files: MemoryFiles, random: Random) -> None:
        self.after: MemoryFiles | None = None
        self._files = files
        self._random = random
        self._steps_left = random.randrange(60)
        files.on_step = self._step

    def _step(self, operation: Operation) -> None:
        self._steps_left -= 1
        if self._steps_left == 0:
            self.after = self._files.crash(self._random)
            raise PowerCut


async def live(writer: Writer, random: Random) -> None:
    """Some things that a writer does, in any order."""
    for _ in range(random.randrange(40)):
        doing = random.random()
        if doing < 0.5:
            writer.add()
        elif doing < 0.75:
            writer.commit()
        elif doing < 0.95:
            writer.sync()
        else:
            await writer.compact()


async def history(seed: int) -> str:
    """Up to four processes, most of them ended by a power loss, some killed; what went wrong, or nothing."""
    random = Random(seed)
    files = MemoryFiles(block_bytes=random.choice([64, 512]))
    writer: Writer | None = None
    for part in range(random.randrange(1, 5)):
        cut = Cut(files, random)
        try:
            writer = Writer(files, random, writer)
            await live(writer, random)
        except PowerCut:
            pass
        files.on_step = None
        is_killed = cut.after is None and random.random() < 0.5
        after = files.kill() if is_killed else cut.after or files.crash(random)
        if writer is not None:
            journal, found = opened(after.kill())
            journal.close()
            least = writer.committed if is_killed else writer.synced
            if not is_kept(found, writer.added, least):
                return f"seed {seed}, part {part}: {least} events were safe, {last(found)} are there"
        files = after
    return ""


async def lost(seeds: range) -> list[str]:
    return [what for seed in seeds if (what := await history(seed))]


def test_what_was_synced_survives_every_power_loss() -> None:
    assert anyio.run(lost, range(2_000)) == []


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_what_was_synced_survives_very_many_power_losses() -> None:
    assert anyio.run(lost, range(2_000, 100_000)) == []
