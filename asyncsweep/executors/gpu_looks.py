"""Looks at devices from a thread, because a look takes milliseconds, and with a broken driver for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import anyio.to_thread

from asyncsweep.errors import ConfigError
from asyncsweep.executors.gpu_nvml import Device, Gone, Look, Nvml
from asyncsweep.worker import tree

# A look that takes longer has met a driver that hangs.
PATIENCE_S = 5.0
# A driver needs seconds to wake devices that nobody uses.
OPEN_S = 60.0
# So long NVML may have nothing but an error to say of a device; then it is gone, whatever the error.
SILENCE_S = 10.0

log = logging.getLogger("asyncsweep")
T = TypeVar("T")


class Looker:
    """Looks, one at a time. One that does not come back is left alone, and there is no other until it does."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml
        self._lock = threading.Lock()
        self._one = anyio.CapacityLimiter(1)
        self._has_complained = False
        self._silent_since: dict[str, float] = {}

    async def devices(self) -> list[Device]:
        """See `Nvml.devices`."""
        return await _in_thread(self._nvml.devices, OPEN_S)

    async def first(self, devices: Sequence[Device]) -> list[tuple[Device, Look]]:
        """The devices that can be used, with a look at each.

        Raises:
            ConfigError: There is none.
        """
        looks = await _in_thread(lambda: self._look_at(devices), OPEN_S)
        seen = [(device, look) for device in devices if isinstance(look := looks.get(device.uuid), Look)]
        if not seen:
            raise ConfigError(
                f"executor='gpu': no GPU can be used: NVML tells nothing of {', '.join(map(str, devices))}"
            )
        return seen

    async def look(
        self, devices: Sequence[Device], guards: Sequence[int]
    ) -> tuple[dict[str, Look | Gone], dict[int, frozenset[int]]] | None:
        """Look at devices, by their UUIDs, and at the processes behind the guards of workers.

        A device of which NVML tells nothing for a while is left out, and counts as gone after that. None: NVML does not answer.
        """
        with anyio.move_on_after(PATIENCE_S):
            async with self._one:
                found = await anyio.to_thread.run_sync(
                    self._look, devices, guards, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
                )
                if found is not None:
                    self._has_complained = False
                    return found
        if not self._has_complained:
            self._has_complained = True
            log.warning(
                "the NVIDIA driver has not answered for %g s; until it does, no trial is started on a GPU that another one has left",
                PATIENCE_S,
            )
        return None

    def _look(
        self, devices: Sequence[Device], guards: Sequence[int]
    ) -> tuple[dict[str, Look | Gone], dict[int, frozenset[int]]] | None:
        if not self._lock.acquire(blocking=False):
            return None  # an earlier look hangs
        try:
            families = {guard: _family(guard) for guard in guards}
            return self._look_at(devices), families
        finally:
            self._lock.release()

    def _look_at(self, devices: Sequence[Device]) -> dict[str, Look | Gone]:
        found: dict[str, Look | Gone] = {}
        for device in devices:
            try:
                found[device.uuid] = _with_dead(self._nvml.look(device))
            except OSError as error:
                since = self._silent_since.setdefault(device.uuid, time.monotonic())
                if time.monotonic() - since > SILENCE_S:
                    found[device.uuid] = Gone(f"{error}, for more than {SILENCE_S:g} s")
            else:
                self._silent_since.pop(device.uuid, None)
        return found


@asynccontextmanager
async def looking() -> AsyncIterator[Looker]:
    """NVML, open while the context is entered.

    Raises:
        ConfigError: It cannot be had; see `Nvml`.
    """
    nvml = await _in_thread(Nvml, OPEN_S)
    try:
        yield Looker(nvml)
    finally:
        with anyio.move_on_after(PATIENCE_S, shield=True):
            await anyio.to_thread.run_sync(nvml.close, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))


async def _in_thread(call: Callable[[], T], patience_s: float) -> T:
    """What a call gives.

    Raises:
        ConfigError: It does not come back.
    """
    try:
        with anyio.fail_after(patience_s):
            return await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
    except TimeoutError as error:
        raise ConfigError(
            f"executor='gpu': the NVIDIA driver does not answer within {patience_s:g} s; see whether `nvidia-smi` does, and restart the "
            "machine if not"
        ) from error


def _with_dead(look: Look | Gone) -> Look | Gone:
    if isinstance(look, Gone) or not look.processes or not tree.is_visible():
        return look
    return look._replace(dead=frozenset(pid for pid in look.processes if tree.stat_of(pid) is None))


def _family(guard: int) -> frozenset[int]:
    """The processes behind the guard of a worker; elsewhere than on Linux the guard is the worker."""
    if not guard:
        return frozenset()
    if not tree.is_visible():
        return frozenset((guard,))
    return frozenset((guard, *(pid for pid, _ in tree.family_of(guard))))
