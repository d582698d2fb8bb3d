"""Parameters that ended too many workers are not tried again by the next process either."""

from __future__ import annotations

from asyncsweep.core.events import Reopened
from asyncsweep.core.records import State
from asyncsweep.testing.events import Bench, spec, started, suggested, worker_joined, worker_lost


def test_an_attempt_with_deadly_parameters_that_a_death_of_the_process_cut_short_is_not_repeated() -> None:
    settings = spec(n_trials=2, retries=5, concurrency=2)
    bench = Bench(settings, worker_joined("a"), suggested(0, x=0.5), started(0))
    bench.send(worker_joined("b"), suggested(1, x=0.5), started(1), worker_lost("a"))
    bench.send(worker_joined("c"), started(0, 2), worker_lost("c"), worker_joined("d"), started(0, 3), worker_lost("d"))
    assert [bench.trial(number).state for number in (0, 1)] == [State.FAILED, State.RUNNING]
    bench.send(Reopened(settings))
    assert [bench.trial(number).state for number in (0, 1)] == [State.FAILED, State.FAILED]
    error = bench.trial(1).error
    assert error is not None and error.type == "Quarantined"
