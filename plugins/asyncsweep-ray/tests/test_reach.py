"""What is out of reach: an actor that the sweep does not call any more, and a head node that does not answer. All but one need no Ray."""

from __future__ import annotations

import asyncio
import logging
import socket
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from asyncsweep_ray import head
from asyncsweep_ray.executor import RayExecutor
from asyncsweep_ray.lease import BEATS, Lease

import asyncsweep as sw

pytestmark = pytest.mark.anyio


async def test_a_lease_that_is_renewed_does_not_run_out() -> None:
    lease = Lease(0.2)
    over = asyncio.create_task(lease.over())
    for _ in range(4 * BEATS):
        await asyncio.sleep(0.05)
        lease.renew()
    assert not over.done()
    with anyio.fail_after(5):
        await over


async def test_a_lease_that_nobody_renews_runs_out_in_its_time() -> None:
    began = anyio.current_time()
    with anyio.fail_after(5):
        await Lease(0.2).over()
    assert anyio.current_time() - began >= 0.2


class Away:
    """As much of Ray as is asked for the head node's address."""

    def __init__(self, port: int, is_client: bool = False) -> None:
        self.util = SimpleNamespace(client=SimpleNamespace(ray=SimpleNamespace(is_connected=lambda: is_client)))
        self._address = f"127.0.0.1:{port}"

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(gcs_address=self._address)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(head, "LOOK_EVERY_S", 0.02)
    caplog.set_level(logging.WARNING, "asyncsweep")


def listening(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


@pytest.mark.usefixtures("quick")
async def test_a_head_node_that_stays_away_ends_the_sweep_with_its_address() -> None:
    server = listening()
    port = server.getsockname()[1]
    with anyio.fail_after(10), pytest.raises(ExceptionGroup) as failed:  # noqa: PT012
        async with head.watched(Away(port), 0.2):
            server.close()
            await anyio.sleep_forever()
    (fault,) = failed.value.exceptions
    assert isinstance(fault, sw.PluginError)
    assert f"Ray's head node at 127.0.0.1:{port} has not answered for 0.2 s" in str(fault)


@pytest.mark.usefixtures("quick")
async def test_a_head_node_that_comes_back_in_time_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = listening()
    port = server.getsockname()[1]
    with anyio.fail_after(10):
        async with head.watched(Away(port), 60.0):
            server.close()
            while "does not answer" not in caplog.text:  # noqa: ASYNC110  it logs, and tells nobody
                await anyio.sleep(0.01)
            with listening(port):
                while "answers again" not in caplog.text:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["Ray's head node at 127.0.0.1"] * 2


@pytest.mark.usefixtures("quick")
async def test_of_a_ray_client_the_head_node_is_not_looked_for(caplog: pytest.LogCaptureFixture) -> None:
    async with head.watched(Away(1, is_client=True), 0.0):
        await anyio.sleep(0.1)
    assert caplog.text == ""


@pytest.mark.parametrize("options", [{"lease": 0.5}, {"lease": "1"}, {"give_up_after": -1}])
def test_a_time_that_is_none_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(sw.ConfigError, match=f"executor.{next(iter(options))}="):
        RayExecutor(**options)


async def test_a_trial_that_says_nothing_for_longer_than_the_lease_goes_on(stand: Any) -> None:
    del stand  # this process is connected to it
    space = {"x": sw.Float(0.0, 1.0), "work_s": 4.0}
    executor = {"name": "ray", "lease": 1}
    result = await sw.Sweep("ray_objectives:quiet", space, executor=executor, n_trials=2, concurrency=2).run()
    assert [(trial.state, trial.attempt) for trial in result.trials] == [(sw.State.COMPLETE, 1)] * 2
