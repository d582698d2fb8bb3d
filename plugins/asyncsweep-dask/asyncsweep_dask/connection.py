"""A client of our own to the cluster that the user means, on the event loop of the sweep.

It is our own, although the user may have one: theirs may live on another thread's loop, and what we subscribe to, submit and forget is
none of theirs. When it is closed, or its process dies, the scheduler forgets all that was ours.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import anyio
import anyio.to_thread

from asyncsweep import ConfigError

THREE_WAYS = (
    'name one as {"name": "dask", "address": "tcp://host:8786"}, give a client or cluster object as '
    'DaskExecutor(client=...), or have a local one started by {"name": "dask", "local": {"n_workers": 2}}'
)


class Target:
    """Which cluster is meant.

    Args:
        address: The scheduler's address; "" when it is told otherwise.
        client: The user's `Client` or cluster, or None.
        local: Arguments of the `LocalCluster` to start, or None.

    Raises:
        ConfigError: More than one is given.
    """

    def __init__(self, address: str, client: Any, local: Mapping[str, Any] | None) -> None:
        given = [
            name
            for name, is_given in (
                ("address", bool(address)),
                ("client", client is not None),
                ("local", local is not None),
            )
            if is_given
        ]
        if len(given) > 1:
            raise ConfigError(
                f"executor.{given[1]}: executor.{given[0]} is given, too; one of them tells which cluster"
            )
        if local is not None and not isinstance(local, Mapping):
            raise ConfigError(
                f'executor.local={local!r}: it must be a mapping of arguments, such as {{"n_workers": 2}}'
            )
        self._address = address
        self._client = client
        self._local = local

    @asynccontextmanager
    async def cluster(self) -> AsyncIterator[tuple[str, Any]]:
        """The address of the scheduler, and the security to talk to it; a local cluster lives while it is entered.

        Raises:
            ConfigError: There is none.
        """
        distributed = await loaded()
        if self._local is not None:
            async with self._started(distributed, self._local) as cluster:
                yield cluster.scheduler_address, cluster.security
            return
        client = self._client or (None if self._address else _current(distributed))
        yield _address_of(client, self._address), getattr(client, "security", None)

    @asynccontextmanager
    async def _started(self, distributed: ModuleType, local: Mapping[str, Any]) -> AsyncIterator[Any]:
        cluster = None
        try:
            try:
                cluster = distributed.LocalCluster(**{"dashboard_address": ":0", **local, "asynchronous": True})
                await cluster
            except (TypeError, ValueError, RuntimeError, OSError) as error:  # whatever its parts raise
                raise ConfigError(f"executor.local={dict(local)!r}: {error}") from error
            yield cluster
        finally:
            if cluster is not None:
                with anyio.CancelScope(shield=True):
                    await cluster.close()


def _address_of(client: Any, address: str) -> str:
    if client is not None:
        found = getattr(client, "scheduler_address", None) or getattr(
            getattr(client, "scheduler", None), "address", None
        )
        if not found:
            raise ConfigError(f"executor.client={client!r}: it has no scheduler; is it closed?")
        return str(found)
    import dask

    found = address or dask.config.get("scheduler-address", None)
    if not found:
        raise ConfigError(f"executor='dask': no cluster is known; {THREE_WAYS}")
    return str(found)


def _current(distributed: ModuleType) -> Any:
    try:
        return distributed.Client.current()
    except ValueError:
        return None


async def loaded() -> ModuleType:
    """The module `distributed`: its import takes a second, which the loop need not wait for.

    Raises:
        ConfigError: It does not run on this event loop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError(
            "executor='dask' needs asyncio, which Dask is built on; under trio use 'process' or 'ssh'"
        ) from None
    if "distributed" not in sys.modules:
        await anyio.to_thread.run_sync(importlib.import_module, "distributed")
    return sys.modules["distributed"]
