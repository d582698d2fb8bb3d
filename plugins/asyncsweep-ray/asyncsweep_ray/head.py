"""Whether the head node of a Ray cluster can be reached.

Ray ends a process that is connected to a cluster with `_exit` when its head node has been away for 60 s (`gcs_rpc_server_reconnect_timeout_s`):
the user would see no error of ours, and a notebook would be gone. So we look ourselves, by connecting to the port of the head
node's store of everything (GCS), and end the sweep before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from asyncsweep import PluginError

# How often is looked, and how long a look may take.
LOOK_EVERY_S = 2.0
LOOK_S = 3.0

log = logging.getLogger("asyncsweep")


@asynccontextmanager
async def watched(ray: Any, give_up_after_s: float) -> AsyncIterator[None]:
    """While it is entered, the head node is looked for.

    Args:
        ray: The module, connected.
        give_up_after_s: How long it may be away.

    Raises:
        PluginError: It was away for longer. It leaves the body as a fault does: what ran or waits is repeated when the sweep is resumed.
    """
    address = _address_of(ray)
    async with anyio.create_task_group() as tasks:
        if address is not None:
            tasks.start_soon(_watch, *address, give_up_after_s)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


def _address_of(ray: Any) -> tuple[str, int] | None:
    """Where the head node's store is; None where the connection is a `ray://` one, which cannot reach it."""
    if ray.util.client.ray.is_connected():
        return None
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    return host.strip("[]"), int(port)


async def _watch(host: str, port: int, give_up_after_s: float) -> None:
    seen_at = anyio.current_time()
    is_away = False
    while True:
        error = await _look(host, port)
        now = anyio.current_time()
        if error is None:
            if is_away:
                log.warning("Ray's head node at %s:%d answers again", host, port)
            seen_at, is_away = now, False
        elif now - seen_at >= give_up_after_s:
            raise PluginError(
                f"Ray's head node at {host}:{port} has not answered for {give_up_after_s:g} s ({error}), and Ray ends every process that "
                "is connected to it soon; a sweep with a directory goes on by Sweep.resume(...), with this cluster or another one"
            )
        elif not is_away:
            is_away = True
            log.warning(
                "Ray's head node at %s:%d does not answer: %s; the sweep ends if it stays away for %g s",
                *(host, port, error, give_up_after_s),
            )
        await anyio.sleep(LOOK_EVERY_S)


async def _look(host: str, port: int) -> str | None:
    """Why nobody answers; None when somebody does."""
    try:
        with anyio.fail_after(LOOK_S):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as error:  # `TimeoutError` is one
        return str(error) or f"no answer within {LOOK_S:g} s"
    writer.close()
    return None
