"""What is left when an executor is closed: nothing."""

from __future__ import annotations

import anyio
import pytest

from asyncsweep.core import events as ev
from asyncsweep.hooks.contracts import Executor
from asyncsweep.testing.executor_suite.bench import Bench, belongings


class Leaving(Bench):
    """Leaving with work open, by a cancellation too."""

    async def test_leaving_while_something_waits_leaves_nothing_behind(self, executor: Executor) -> None:
        await anyio.to_thread.run_sync(int)
        before = belongings(self.counts_fds)
        async with self.open(executor, "hangs") as stand:
            await stand.two_at_one_slot()
        assert belongings(self.counts_fds) == before
        assert stand.said(1) == []

    @pytest.mark.parametrize("objective", ["goes_on", "hangs"])
    async def test_leaving_with_work_open_leaves_nothing_behind(self, executor: Executor, objective: str) -> None:
        await anyio.to_thread.run_sync(int)  # the event loop's own first thread is not the executor's
        before = belongings(self.counts_fds)
        with anyio.fail_after(self.patience_s):
            async with self.open(executor, objective, slots=2) as stand:
                await stand.launch()
                await stand.next(ev.Reported)
        assert belongings(self.counts_fds) == before

    async def test_being_cancelled_leaves_nothing_behind(self, executor: Executor) -> None:
        await anyio.to_thread.run_sync(int)
        before = belongings(self.counts_fds)
        with anyio.CancelScope() as scope:
            async with self.open(executor, "goes_on") as stand:
                await stand.launch()
                await stand.next(ev.Reported)
                scope.cancel()
                await anyio.sleep_forever()
        assert belongings(self.counts_fds) == before
