"""Limits of memory and processor time: what takes too much is stopped, and the sweep goes on."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.executors.limits import Limits, in_words, limits_of
from asyncsweep.executors.process import ProcessExecutor
from tests import objectives
from tests.executors import hard_cases
from tests.leaks import nothing_left

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what processes take"),
]


async def sweep(objective: Any, space: dict[str, Any], limits: dict[str, Any], **settings: Any) -> sw.Result:
    executor = sw.executor("process", **limits)
    settings = {"sampler": "random", "n_trials": 3, "seed": 1, "grace_s": 0.2, **settings}
    async with nothing_left():
        return await sw.Sweep(objective, space, executor=executor, **settings).run()


def ends(result: sw.Result) -> list[str]:
    return [str(trial.error or trial.state) for trial in result.trials]


@pytest.mark.parametrize(("anyio_backend", "where"), [("asyncio", "here"), ("trio", "child")])
async def test_a_hog_is_stopped_and_the_sweep_goes_on(where: str) -> None:
    """S25."""
    result = await sweep(hard_cases.takes_memory, {"megabytes": 400, "where": where}, {"memory_limit": "200MiB"})
    first, hog, last = ends(result)
    assert (first, last) == ("COMPLETE", "COMPLETE")
    assert hog.startswith("MemoryLimitExceeded: took ") and hog.endswith(" of memory, and memory_limit is 200 MiB")


@pytest.mark.parametrize(("anyio_backend", "where"), [("asyncio", "here"), ("trio", "child")])
async def test_what_takes_too_much_processor_time_is_stopped_and_the_sweep_goes_on(where: str) -> None:
    """S25."""
    result = await sweep(hard_cases.takes_time, {"where": where}, {"cpu_time_limit": 0.5})
    first, hog, last = ends(result)
    assert (first, last) == ("COMPLETE", "COMPLETE")
    assert hog.startswith("CpuTimeLimitExceeded: took ") and hog.endswith("processor time, and cpu_time_limit is 0.5 s")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_limit_that_was_passed_is_a_lost_worker_to_retries() -> None:
    result = await sweep(
        hard_cases.takes_memory,
        {"megabytes": 400, "where": "here"},
        {"memory_limit": "200MiB"},
        retries=sw.Retry(times=1, on=sw.errors.WorkerLost),
    )
    assert [error.type for error in result.trials[1].failures] == ["MemoryLimitExceeded"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_processor_time_of_earlier_trials_does_not_count() -> None:
    result = await sweep(hard_cases.takes_a_little_time, {"seconds": 0.4}, {"cpu_time_limit": 0.7})
    assert ends(result) == ["COMPLETE"] * 3


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("objective", [hard_cases.takes_time_for_ever, hard_cases.takes_time_and_ends_well])
async def test_whatever_an_objective_does_at_sigterm_its_trial_has_passed_the_limit(objective: Any) -> None:
    result = await sweep(objective, {}, {"cpu_time_limit": 0.3}, n_trials=1)
    (end,) = ends(result)
    assert end.startswith("CpuTimeLimitExceeded: ")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_worker_that_kept_half_of_the_limit_is_replaced_before_the_next_trial() -> None:
    result = await sweep(hard_cases.leaks_memory, {"megabytes": 60}, {"memory_limit": "240MiB"}, n_trials=4)
    pids = [trial.value for trial in result.trials]
    assert ends(result) == ["COMPLETE"] * 4
    assert pids[0] == pids[1] != pids[2] == pids[3]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_memory_that_processes_share_counts_once() -> None:
    space = {"megabytes": 100, "seconds": 0.6}
    result = await sweep(hard_cases.shares_memory, space, {"memory_limit": "250MiB"}, n_trials=1)
    assert ends(result) == ["COMPLETE"]


async def test_without_limits_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(*_: object) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr("asyncsweep.executors.limits.usage_of", measured)
    monkeypatch.setattr("asyncsweep.executors.supervision.usage_of", measured)
    result = await sweep(objectives.square, {"x": sw.Float(0, 1)}, {})
    assert ends(result) == ["COMPLETE"] * 3


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (1, 1),
        (2**40, 2**40),
        ("2GiB", 2 * 2**30),
        ("500MB", 500_000_000),
        ("1.5 gib", 3 * 2**29),
        ("64kB", 64_000),
        ("512 B", 512),
        (" 1TiB ", 2**40),
    ],
)
def test_a_memory_limit_is_a_number_of_bytes_or_a_size(value: Any, size: int) -> None:
    assert limits_of(value, None) == Limits(size, None)


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "", "2", "2 G", "2Gi", "iB", "-1MB", "0MB", "2XB", [], b"1MB"])
def test_a_wrong_memory_limit_is_a_config_error(value: Any) -> None:
    with pytest.raises(sw.ConfigError) as raised:
        ProcessExecutor(memory_limit=value)
    expected = (
        f'executor.memory_limit={value!r}: it must be a number of bytes >= 1, a text such as "2GiB" or "500MB", or None'
    )
    assert str(raised.value) == expected


@pytest.mark.parametrize("value", [0, -1, True, "5", float("nan"), float("inf"), []])
def test_a_wrong_cpu_time_limit_is_a_config_error(value: Any) -> None:
    with pytest.raises(sw.ConfigError) as raised:
        ProcessExecutor(cpu_time_limit=value)
    assert str(raised.value) == f"executor.cpu_time_limit={value!r}: it must be a number of seconds > 0, or None"


@pytest.mark.parametrize("option", [{"memory_limit": "1GiB"}, {"cpu_time_limit": 5}], ids=str)
def test_limits_elsewhere_than_on_linux_are_a_config_error(
    monkeypatch: pytest.MonkeyPatch, option: dict[str, Any]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(sw.ConfigError, match=f"executor.{next(iter(option))}: only Linux tells what processes take"):
        ProcessExecutor(**option)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (200 * 2**20, "200 MiB"), (3 * 2**29, "1.5 GiB"), (5 * 2**40, "5 TiB")],
)
def test_sizes_are_told_in_units_that_people_read(size: int, text: str) -> None:
    assert in_words(size) == text
