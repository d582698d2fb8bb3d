"""What every executor must do, as a test suite: subclass it with one fixture.

    class TestMine(ExecutorSuite):
        @pytest.fixture
        def executor(self) -> MyExecutor:
            return MyExecutor()

The tests are `async` and run under anyio's pytest plugin, on each event loop that your `anyio_backend` fixture names. They
need `pytest`; nothing else of asyncsweep imports this module.

Where an executor offers no places ahead, has no `resize`, or keeps no output, the tests of these are skipped and say so. Those of workers that are lost want to be told by `lose` how.
"""

from __future__ import annotations

import pytest

from asyncsweep.testing.executor_suite.changing_slots import ChangingSlots
from asyncsweep.testing.executor_suite.kills import Kills
from asyncsweep.testing.executor_suite.leaving import Leaving
from asyncsweep.testing.executor_suite.places_ahead import PlacesAhead
from asyncsweep.testing.executor_suite.trials import Trials


@pytest.mark.anyio
class ExecutorSuite(Trials, Kills, ChangingSlots, PlacesAhead, Leaving):
    """Subclass it with a fixture `executor`: a new executor, not yet open.

    Attributes:
        patience_s: How long an executor may take to start a worker or to end a trial.
        counts_fds: False where a library that the executor uses keeps connections of its own, which come and go.
        n_many: How many trials many short ones are; fewer where each starts a process.
    """
