"""Shares of devices: exact, never too much, and free again when the memory is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncsweep.errors import ConfigError
from asyncsweep.executors.gpu_nvml import Device, Gone, Look
from asyncsweep.executors.gpu_shares import SLACK_BYTES, Lease, Shares, memory_of, share_of

GIB = 2**30
TOTAL = 80 * GIB
OURS, THEIRS = 100, 900


def device(n: int, gib: int = 80) -> Device:
    return Device(f"GPU-{n}", n, "H100", gib * GIB)


def look(
    processes: dict[int, int | None] | None = None, *, driver: float = 0.5, hidden: float = 0, **more: Any
) -> Look:
    """A look at a device of 80 GiB; sizes in GiB."""
    used = int((driver + hidden) * GIB) + sum(int((taken or 0) * GIB) for taken in (processes or {}).values())
    told = (
        None if processes is None else {pid: None if taken is None else taken * GIB for pid, taken in processes.items()}
    )
    return Look(TOTAL - used, used, told, **more)


def shares(n_devices: int = 2, per_trial: Any = 1, promise_gib: float = 0, first: Look | None = None) -> Shares:
    seen = [(device(n), first or look({})) for n in range(n_devices)]
    return Shares(seen, share_of(per_trial), int(promise_gib * GIB))


def take(pool: Shares) -> Lease:
    lease = pool.take()
    assert lease is not None
    return lease


def numbers(*leases: Lease) -> list[tuple[int, ...]]:
    return [tuple(found.number for found in lease.devices) for lease in leases]


def all_of(pool: Shares) -> list[Lease]:
    found = []
    while (lease := pool.take()) is not None:
        found.append(lease)
    return found


# -- the size of a share ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("per_trial", "share"),
    [
        (1, Fraction(1)),
        (2, Fraction(2)),
        (2.0, Fraction(2)),
        (0.25, Fraction(1, 4)),
        (0.1, Fraction(1, 10)),
        (0.3, Fraction(3, 10)),
        (0.75, Fraction(3, 4)),
        (1 / 3, Fraction(1, 3)),
        (1 / 49, Fraction(1, 49)),
        (0.3334, Fraction(1667, 5000)),
    ],
)
def test_a_share_is_what_was_written(per_trial: float, share: Fraction) -> None:
    assert share_of(per_trial) == share


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "0.5", None, float("nan"), float("inf")], ids=repr)
def test_a_share_that_cannot_be_is_a_config_error(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"executor\.per_trial="):
        share_of(wrong)


@pytest.mark.parametrize("wrong", [0, -1, True, "1GiB", float("nan"), float("inf")], ids=repr)
def test_a_memory_that_cannot_be_is_a_config_error(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"executor\.memory_gib="):
        memory_of(wrong)


@settings(deadline=None)
@given(n_parts=st.integers(1, 500))
def test_n_parts_of_one_nth_fit_on_a_device(n_parts: int) -> None:
    assert shares(1, 1 / n_parts).capacity == n_parts


@settings(deadline=None)
@given(per_trial=st.floats(0.02, 1), n_devices=st.integers(1, 3))
def test_shares_never_come_to_more_than_their_device(per_trial: float, n_devices: int) -> None:
    pool = shares(n_devices, per_trial)
    leases = all_of(pool)
    assert len(leases) == pool.capacity
    for n in range(n_devices):
        there = [lease.share for lease in leases if numbers(lease) == [(n,)]]
        assert sum(there) <= 1 < sum(there) + there[0]


@pytest.mark.parametrize(
    ("per_trial", "n_devices", "capacity"), [(0.3, 2, 6), (0.75, 3, 3), (2, 3, 1), (3, 8, 2), (1, 8, 8)]
)
def test_what_fits_is_counted_for_each_device(per_trial: float, n_devices: int, capacity: int) -> None:
    pool = shares(n_devices, per_trial)
    assert len(all_of(pool)) == pool.capacity == capacity


def test_trials_are_spread_over_devices_before_they_share_one() -> None:
    pool = shares(2, 0.5)
    assert numbers(*all_of(pool)) == [(0,), (1,), (0,), (1,)]


def test_several_devices_are_the_lowest_that_are_free() -> None:
    pool = shares(4, 2)
    assert numbers(*all_of(pool)) == [(0, 1), (2, 3)]


def test_more_devices_than_there_are_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="per_trial=3: there are 2 devices"):
        shares(2, 3)


def test_several_instances_for_a_trial_are_a_config_error() -> None:
    instances = [(Device(f"MIG-{n}", 0, "MIG", TOTAL, "GPU-0"), look({})) for n in range(2)]
    with pytest.raises(ConfigError, match="one instance of a GPU only"):
        Shares(instances, Fraction(2))


def test_more_memory_than_a_device_has_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"memory_gib=81: no device has so much memory; the largest has 80 GiB"):
        shares(2, 1, 81)


# -- memory that was promised -----------------------------------------------------------------------------------------


def test_promises_count_before_the_memory_is_taken() -> None:
    pool = shares(1, 0.25, 30)
    assert len(all_of(pool)) == 2 == pool.capacity


def test_what_was_taken_of_a_promise_is_not_counted_twice() -> None:
    pool = shares(1, 0.25, 19)
    leases = [take(pool) for _ in range(3)]
    pool.saw(device(0), look({OURS: 19, OURS + 1: 19, OURS + 2: 10}))
    for n, lease in enumerate(leases):
        pool.saw_family(lease, {OURS + n})
    assert pool.take() is not None  # 31.5 GiB are free, of which 9 are promised


def test_what_a_trial_takes_beyond_its_promise_is_missing_to_others() -> None:
    pool = shares(1, 0.25, 19)
    lease = take(pool)
    pool.saw(device(0), look({OURS: 62}))
    pool.saw_family(lease, {OURS})
    assert pool.take() is None


def test_memory_of_other_programs_is_not_promised() -> None:
    pool = shares(1, 0.25, 19)
    pool.saw(device(0), look({THEIRS: 61}))
    assert pool.take() is None
    assert pool.shortage() == "GPU 0 (GPU-0) has 18.5 GiB free (process 900: 61 GiB)"


def test_without_names_of_processes_promises_are_counted_as_a_whole() -> None:
    pool = shares(1, 0.25, 30, look())
    take(pool)
    pool.saw(device(0), look(hidden=30))
    second = take(pool)
    assert pool.take() is None
    pool.saw(device(0), look(hidden=60))
    pool.leave(second)
    assert pool.take() is None


def test_a_trial_begins_where_its_promise_still_holds() -> None:
    pool = shares(1, 0.5, 30)
    lease, other = take(pool), take(pool)
    assert pool.admits(lease) and pool.admits(other)
    pool.saw(device(0), look({THEIRS: 25}))
    assert not pool.admits(lease)
    pool.saw(device(0), look({OURS: 30, THEIRS: 15}))
    pool.saw_family(lease, {OURS})
    assert pool.admits(lease) and pool.admits(other)


# -- memory that has to come back -------------------------------------------------------------------------------------


def test_a_share_is_free_when_the_process_and_its_memory_are_gone() -> None:
    pool = shares(1)
    lease = take(pool)
    pool.saw(device(0), look({OURS: 10}))
    pool.saw_family(lease, {OURS, OURS + 1})
    pool.leave(lease)
    pool.saw(device(0), look({OURS: 10}))
    assert not pool.release(lease) and pool.take() is None
    assert pool.held_by(lease) == "on GPU 0 (GPU-0) the process 100 has 10 GiB"
    pool.saw(device(0), look({}, hidden=4))
    assert not pool.release(lease)
    assert pool.held_by(lease) == "on GPU 0 (GPU-0) 4 GiB are taken that were free before, by no process that is told"
    pool.saw(device(0), look({}, hidden=SLACK_BYTES / GIB))
    assert pool.release(lease) and pool.take() is not None


def test_both_devices_of_a_trial_have_to_be_free() -> None:
    pool = shares(2, 2)
    lease = take(pool)
    pool.leave(lease)
    pool.saw(device(0), look({}))
    pool.saw(device(1), look({}, hidden=4))
    assert not pool.release(lease)
    pool.saw(device(1), look({}))
    assert pool.release(lease)


def test_what_was_seen_before_a_worker_ended_says_nothing_of_what_it_left() -> None:
    pool = shares(2, 2)
    lease = take(pool)
    pool.leave(lease)
    assert not pool.release(lease)
    pool.saw(device(0), look({}))
    assert not pool.release(lease)
    assert pool.held_by(lease) == "of GPU 0 (GPU-0) and GPU 1 (GPU-1) nothing is known since then"
    pool.saw(device(1), look({}))
    assert pool.release(lease)


def test_nobody_is_sent_to_a_device_of_which_nothing_is_told() -> None:
    pool = shares(1)
    pool.missed(device(0))
    assert pool.take() is None
    pool.saw(device(0), look({}))
    assert pool.take() is not None


def test_what_other_programs_took_meanwhile_is_theirs() -> None:
    pool = shares(1)
    lease = take(pool)
    pool.leave(lease)
    pool.saw(device(0), look({THEIRS: 20}))
    assert pool.release(lease)


def test_on_a_shared_device_the_processes_decide() -> None:
    pool = shares(1, 0.5)
    lease, other = take(pool), take(pool)
    both = look({OURS: 10, OURS + 1: 10})
    pool.saw(device(0), both)
    pool.saw_family(lease, {OURS})
    pool.saw_family(other, {OURS + 1})
    pool.leave(lease)
    pool.saw(device(0), both)
    assert not pool.release(lease)
    pool.saw(device(0), look({OURS + 1: 30}))
    assert pool.release(lease)


def test_a_process_that_died_before_it_was_seen_with_anybody_is_waited_for() -> None:
    pool = shares(1)
    pool.tells_processes = True
    lease = take(pool)
    pool.leave(lease)
    pool.saw(device(0), look({OURS: 10}, dead=frozenset((OURS,))))
    assert not pool.release(lease)


def test_a_dead_process_that_was_there_before_is_not_waited_for() -> None:
    pool = shares(1, first=look({THEIRS: 10}, dead=frozenset((THEIRS,))))
    pool.tells_processes = True
    lease = take(pool)
    pool.leave(lease)
    pool.saw(device(0), look({THEIRS: 10}, dead=frozenset((THEIRS,))))
    assert pool.release(lease)


def test_small_remains_do_not_add_up() -> None:
    pool = shares(1)
    for n in range(3):
        lease = take(pool)
        pool.leave(lease)
        for _ in range(2):
            pool.saw(device(0), look({}, hidden=0.04 * (n + 1)))
        assert pool.release(lease) == (n < 2)
        pool.saw(device(0), look({}, hidden=0.04 * (n + 1)))


def test_what_a_neighbour_has_is_not_waited_for() -> None:
    pool = shares(1, 0.5, first=look())
    lease, _ = take(pool), take(pool)
    pool.leave(lease)
    pool.saw(device(0), look(hidden=20))
    assert pool.release(lease)


def test_what_others_take_while_nobody_of_ours_is_there_is_the_new_measure() -> None:
    pool = shares(1, first=look())
    pool.saw(device(0), look(hidden=20))
    lease = take(pool)
    pool.saw(device(0), look(hidden=30))
    pool.leave(lease)
    assert not pool.release(lease)
    pool.saw(device(0), look(hidden=20))
    assert pool.release(lease)


# -- a worker between two trials --------------------------------------------------------------------------------------


def test_a_worker_that_has_memory_is_not_clean() -> None:
    pool = shares(1)
    lease = take(pool)
    assert pool.is_clean(lease)
    pool.saw(device(0), look({OURS: 0.3}))
    pool.saw_family(lease, {OURS})
    assert not pool.is_clean(lease)
    pool.saw(device(0), look({}))
    pool.saw_family(lease, {OURS})
    assert pool.is_clean(lease)


def test_where_it_cannot_be_told_a_worker_is_not_clean() -> None:
    pool = shares(1, 0.5)
    lease, _ = take(pool), take(pool)
    assert not pool.is_clean(lease)
    pool.tells_processes = True
    assert pool.is_clean(lease)


# -- devices that are gone --------------------------------------------------------------------------------------------


def test_a_device_that_is_gone_is_given_to_nobody() -> None:
    pool = shares(3)
    lease = take(pool)
    assert pool.saw(device(0), Gone("GPU is lost")) and not pool.saw(device(0), Gone("GPU is lost"))
    assert pool.gone(lease) == "GPU 0 (GPU-0) is gone: GPU is lost"
    pool.leave(lease)
    assert pool.release(lease)
    assert (numbers(*all_of(pool)), pool.capacity) == ([(1,), (2,)], 2)


def test_a_device_does_not_come_back() -> None:
    pool = shares(2)
    pool.saw(device(0), Gone("GPU is lost"))
    assert not pool.saw(device(0), look({}))
    assert pool.devices == [device(1)]


# -- figures ----------------------------------------------------------------------------------------------------------


def test_the_memory_of_a_trial_is_that_of_its_processes() -> None:
    pool = shares(1, 0.5)
    lease = take(pool)
    pool.saw(device(0), look({OURS: 2, THEIRS: 5}, utilisation=0.75))
    pool.saw_family(lease, {OURS})
    assert pool.figures(lease) == {"gpu_memory_gib": 2.0, "gpu_utilisation": 0.75}


def test_without_names_of_processes_it_is_what_was_added_to_a_device_of_its_own() -> None:
    pool = shares(1, 0.5, first=look())
    lease = take(pool)
    pool.saw(device(0), look(hidden=3))
    assert pool.figures(lease) == {"gpu_memory_gib": 3.0}
    take(pool)
    assert pool.figures(lease) == {}
