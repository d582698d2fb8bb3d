"""Sweeps in virtual time, with faults planted, one for each seed: they keep every promise, and end (R10, R25, R29)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from asyncsweep.driver.driver import Driver
from asyncsweep.testing import Faults, Report, Simulation, SimulationFailed
from asyncsweep.testing.simulation.__main__ import main
from asyncsweep.testing.simulation.faults import NO_FAULTS
from tests.simulation.faults_of_ours import FAULTS, Fault, a_retry_does_not_wait

ROOT = Path(__file__).parents[2]
PER_TEST = 250
PER_DEEP_TEST = 3_000
# Every fault that we planted shows itself within so many simulations; those that show late are looked for first where they are known to.
ENOUGH = 1_000
SHOWN_BY = {
    "a_failed_executor_is_still_heard": 66,
    "the_first_executor_is_not_told_apart_from_an_added_one": 63,
    "orders_go_to_who_had_the_attempt_before": 223,
    "what_was_to_be_killed_at_a_failed_executor_stays_open": 535,
}


def simulated(seeds: Iterable[int]) -> list[Report]:
    return [Simulation(seed).run() for seed in seeds]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(0, 1_000, PER_TEST))
def test_a_sweep_keeps_its_promises_whatever_goes_wrong(first: int) -> None:
    reports = simulated(range(first, first + PER_TEST))
    planted = sum((Counter(report.planted) for report in reports), Counter[str]())
    assert set(planted) == set(Faults.__struct_fields__) - {"most"}
    assert sum(report.n_processes > 1 for report in reports) > PER_TEST // 4


def test_seeds_that_once_broke_a_promise_break_none() -> None:
    """A launch that waited for its sync was let out twice when its worker came back by the same name."""
    simulated((22_462, 23_569))


@pytest.mark.deep
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("first", range(1_000, 100_000, PER_DEEP_TEST))
def test_a_hundred_thousand_sweeps_keep_their_promises(first: int) -> None:
    simulated(range(first, min(first + PER_DEEP_TEST, 100_000)))


def test_without_faults_one_process_does_it_all_unless_the_user_wants_more() -> None:
    for seed in range(40):
        report = Simulation(seed, NO_FAULTS).run()
        assert (report.planted, report.n_processes <= 2) == ({}, True)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("plant", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_in_our_own_code_is_found(plant: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(SimulationFailed):
        simulated([SHOWN_BY.get(plant.__name__, 0), *range(ENOUGH)])


def test_a_failure_names_its_seed_and_tells_how_to_have_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    a_retry_does_not_wait(monkeypatch)
    with pytest.raises(SimulationFailed) as failed:
        simulated(range(ENOUGH))
    seed = failed.value.seed
    text = str(failed.value)
    assert text.startswith(f"seed {seed}: ")
    assert f"python -m asyncsweep.testing.simulation --seeds 1 --from {seed}\n" in text
    assert "SweepOpened" in text or len(text.splitlines()) > 20
    with pytest.raises(SimulationFailed) as again:
        Simulation(seed).run()
    assert str(again.value) == text


def test_a_seed_gives_the_same_world_in_any_process() -> None:
    program = (
        "from asyncsweep.testing import Simulation\n"
        "print(*(Simulation(seed).run().digest for seed in range(12)), sep='')"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            timeout=50,
        ).stdout
        for hash_seed in ("0", "4242")
    }
    assert digests == {"".join(report.digest for report in simulated(range(12))) + "\n"}


def test_seeds_give_different_worlds() -> None:
    assert len({report.digest for report in simulated(range(30))}) == 30


def test_the_command_sums_up_what_it_simulated() -> None:
    done = CliRunner().invoke(main, ["--seeds", "10", "--from", "30"])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "failed: none")
    assert done.output.startswith("10 simulations: ")
    assert " virtual hours\nfaults: clock_jumps " in done.output


def test_the_command_names_the_seeds_that_failed_and_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Driver, effect: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(Driver, "_launch", broken)
    done = CliRunner().invoke(main, ["--seeds", "2", "--from", "7", "--most", "0"])
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "failed: 7, 8")
    assert "again: python -m asyncsweep.testing.simulation --seeds 1 --from 7\n" in done.stderr
