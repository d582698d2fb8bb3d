"""Which devices are used: what `CUDA_VISIBLE_DEVICES` leaves, and what is named."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.executors.gpu_choice import check, chosen, environment_of, visible
from asyncsweep.executors.gpu_nvml import Device

GPUS = [Device(f"GPU-{n}abc-{n}", n, "A100", 40) for n in range(4)]
MIXED = [Device("GPU-0abc", 0, "A100", 40), Device("GPU-1abc", 1, "T4", 16)]
INSTANCES = [
    GPUS[0],
    Device("MIG-1f-0", 1, "A100 MIG 3g.20gb", 20, "GPU-1abc-1", "MIG-GPU-1abc-1/1/0"),
    Device("MIG-1f-1", 1, "A100 MIG 3g.20gb", 20, "GPU-1abc-1", "MIG-GPU-1abc-1/2/0"),
    Device("MIG-2f-0", 2, "A100 MIG 7g.40gb", 40, "GPU-2abc-2", "MIG-GPU-2abc-2/0/0"),
]


def numbers(devices: list[Device]) -> list[int]:
    return [device.number for device in devices]


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("0,2", [0, 2]),
        ("2,0", [2, 0]),
        (" 1 , 3 ", [1, 3]),
        ("3", [3]),
        ("0,-1,1", [0]),
        ("1,7,2", [1]),
        ("1,nonsense,2", [1]),
        ("1,,2", [1]),
        ("GPU-2abc-2", [2]),
        ("GPU-2", [2]),
        ("GPU-1abc-1,GPU-0", [1, 0]),
        ("1,GPU-3", [1, 3]),
    ],
)
def test_the_variable_is_read_as_cuda_reads_it(value: str, left: list[int]) -> None:
    assert numbers(visible(GPUS, {"CUDA_VISIBLE_DEVICES": value})) == left


def test_without_the_variable_all_devices_are_visible() -> None:
    assert visible(GPUS, {}) == GPUS


@pytest.mark.parametrize("value", ["", " ", "-1", "-1,0", "NoDevFiles", "9", "GPU-", "GPU-ffff", "MIG-1f-0", "abc"])
def test_a_variable_that_hides_all_is_a_config_error(value: str) -> None:
    with pytest.raises(
        ConfigError, match=r"no GPU is left: CUDA_VISIBLE_DEVICES=.* hides all of 0 \(GPU-0abc-0, A100\)"
    ):
        visible(GPUS, {"CUDA_VISIBLE_DEVICES": value})


@pytest.mark.parametrize("value", ["1,1", "1,GPU-1abc", "0,2,0"])
def test_a_device_that_is_named_twice_hides_all(value: str) -> None:
    with pytest.raises(ConfigError, match="twice"):
        visible(GPUS, {"CUDA_VISIBLE_DEVICES": value})


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("MIG-1f-1", ["MIG-1f-1"]),
        ("MIG-1f-1,MIG-2f", ["MIG-1f-1", "MIG-2f-0"]),
        ("MIG-1f", None),  # which of the two?
        ("MIG-GPU-1abc-1/2/0", ["MIG-1f-1"]),
        ("MIG-GPU-1abc-1/3/0", None),
        ("1", ["MIG-1f-0", "MIG-1f-1"]),
        ("GPU-1abc-1", ["MIG-1f-0", "MIG-1f-1"]),
        ("GPU-1,0", ["MIG-1f-0", "MIG-1f-1", "GPU-0abc-0"]),
    ],
)
def test_instances_go_by_their_names_and_by_those_of_their_gpu(value: str, left: list[str] | None) -> None:
    environment = {"CUDA_VISIBLE_DEVICES": value}
    if left is None:
        with pytest.raises(ConfigError, match="no GPU is left"):
            visible(INSTANCES, environment)
    else:
        assert [device.uuid for device in visible(INSTANCES, environment)] == left


@pytest.mark.parametrize("order", [None, "FASTEST_FIRST"])
def test_numbers_that_may_mean_other_devices_are_warned_of(order: str | None) -> None:
    environment = {"CUDA_VISIBLE_DEVICES": "1"} | ({} if order is None else {"CUDA_DEVICE_ORDER": order})
    with pytest.warns(UserWarning, match=r"numbers of `nvidia-smi`: 1 \(GPU-1abc, T4\).*CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        assert numbers(visible(MIXED, environment)) == [1]


@pytest.mark.parametrize(
    "environment",
    [
        {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        {"CUDA_VISIBLE_DEVICES": "GPU-1abc"},
        {},
    ],
    ids=str,
)
def test_what_is_clear_is_not_warned_of(environment: dict[str, str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        visible(MIXED, environment)


@pytest.mark.parametrize(
    ("names", "left"),
    [([1], [1]), ([3, 0], [3, 0]), (["2"], [2]), (["GPU-2", 0], [2, 0]), (None, [0, 1, 2, 3])],
)
def test_devices_are_named_by_number_or_uuid(names: Any, left: list[int]) -> None:
    assert numbers(chosen(GPUS, check(names), {})) == left


def test_one_name_is_a_list_of_one() -> None:
    assert (check(2), check("GPU-2")) == ((2,), ("GPU-2",))


@pytest.mark.parametrize("wrong", [[], "", [True], [-1], [1.5], {"a": 1}, [[0]], True, 1.0], ids=repr)
def test_what_names_no_device_is_a_config_error(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"executor\.devices="):
        check(wrong)


def test_a_device_that_is_not_there_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"there is no device 9; there are 0 \(GPU-0abc-0, A100\), 1"):
        chosen(GPUS, (9,), {})


def test_a_hidden_device_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"CUDA_VISIBLE_DEVICES='2,3' hides the device 0 .* it leaves 2 \("):
        chosen(GPUS, (0,), {"CUDA_VISIBLE_DEVICES": "2,3"})


def test_numbers_count_all_devices_and_not_the_visible_ones() -> None:
    assert numbers(chosen(GPUS, (3,), {"CUDA_VISIBLE_DEVICES": "2,3"})) == [3]


def test_a_device_that_is_named_twice_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="was named before"):
        chosen(GPUS, (1, "GPU-1"), {})


def test_a_process_is_shown_devices_by_uuid_in_the_order_of_the_bus() -> None:
    assert environment_of(GPUS[1:3]) == {
        "CUDA_VISIBLE_DEVICES": "GPU-1abc-1,GPU-2abc-2",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
