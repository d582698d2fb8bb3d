"""The Ray cluster that the user means: one that this process is connected to, or one that it is to connect to for the sweep alone."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread

from asyncsweep import ConfigError

# How long it may take to leave a cluster: one that is out of reach Ray waits for.
SHUTDOWN_S = 10.0
THREE_WAYS = (
    'call ray.init() before, name a cluster as {"name": "ray", "address": "auto"}, or have one started for the sweep by '
    '{"name": "ray", "init": {}}'
)

log = logging.getLogger("asyncsweep")


class Target:
    """Which cluster is meant.

    Args:
        address: As for `ray.init`; "" when it is told otherwise.
        init: Arguments of `ray.init`, or None when it is not to be called.

    Raises:
        ConfigError: They do not go together.
    """

    def __init__(self, address: str, init: Mapping[str, Any] | None) -> None:
        if not isinstance(address, str):
            raise ConfigError(f'executor.address={address!r}: it must be a text, such as "auto" or "ray://host:10001"')
        if init is not None and not isinstance(init, Mapping):
            raise ConfigError(
                f'executor.init={init!r}: it must be a mapping of arguments of ray.init, such as {{"num_cpus": 4}}'
            )
        if address and init and "address" in init:
            raise ConfigError(f"executor.address={address!r}: executor.init has an address, too")
        self._arguments: dict[str, Any] | None = None
        if address or init is not None:
            self._arguments = {**({"address": address} if address else {}), **(init or {})}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """The module `ray`, connected; what was not connected before is not connected afterwards.

        Raises:
            ConfigError: There is no cluster, or Ray does not run here.
        """
        ray = await loaded()
        arguments = self._arguments
        if ray.is_initialized():
            if arguments is not None and not _is_same(ray, arguments):
                raise ConfigError(
                    f"executor={{'name': 'ray', ...}}: this process is connected to another Ray cluster than {arguments!r}, and Ray "
                    "knows one at a time; leave out `address` and `init` to use it, or call ray.shutdown() before"
                )
            yield ray
            return
        if arguments is None and os.environ.get("RAY_ADDRESS"):
            arguments = {"address": os.environ["RAY_ADDRESS"]}
        if arguments is None:
            raise ConfigError(f"executor='ray': this process is not connected to a Ray cluster; {THREE_WAYS}")
        await _in_thread(lambda: _init(ray, arguments))
        try:
            yield ray
        finally:
            with anyio.move_on_after(SHUTDOWN_S, shield=True) as limit:
                await anyio.to_thread.run_sync(ray.shutdown, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
            if limit.cancelled_caught:
                log.warning("Ray has not let go of its cluster within %g s; it goes on trying in a thread", SHUTDOWN_S)


def _is_same(ray: Any, arguments: Mapping[str, Any]) -> bool:
    address = arguments.get("address")
    return set(arguments) == {"address"} and address in ("auto", ray.get_runtime_context().gcs_address)


def _init(ray: Any, arguments: Mapping[str, Any]) -> None:
    starts = {
        "address": "local",
        "include_dashboard": False,
    }  # without an address Ray may take any cluster that it finds
    try:
        ray.init(**{"log_to_driver": False, **({} if "address" in arguments else starts), **arguments})
    except (ConnectionError, ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(f"executor='ray': ray.init({_shown(arguments)}) failed: {error}; {THREE_WAYS}") from error


def _shown(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


async def loaded() -> Any:
    """The module `ray`: its import takes a second, which the loop need not wait for.

    Raises:
        ConfigError: It is not installed, or does not run on this event loop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError(
            "executor='ray' needs asyncio, on which Ray gives its results; under trio use 'process' or 'ssh'"
        ) from None
    if "ray" not in sys.modules and importlib.util.find_spec("ray") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        raise ConfigError(
            f"executor='ray': Ray is not installed: pip install ray (it has wheels for some versions of Python; this is {version})"
        )
    if "ray" not in sys.modules:
        await _in_thread(lambda: importlib.import_module("ray"))
    return sys.modules["ray"]


async def _in_thread(call: Any) -> Any:
    return await anyio.to_thread.run_sync(call, limiter=anyio.CapacityLimiter(1))
