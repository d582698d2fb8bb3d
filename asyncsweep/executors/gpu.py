"""Trials in local processes that each see the GPUs they are given, and no others.

A slot (`gpu_slots`) leases devices (`gpu_shares`) and has a worker process there. One task looks at the devices (`gpu_looks`), every
second and more often while a slot waits for memory that has to come back; all decisions follow from what it saw. Nothing of NVML
is ever called on the loop.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio

from asyncsweep.core import events as ev
from asyncsweep.core.records import ErrorInfo
from asyncsweep.errors import ConfigError
from asyncsweep.executors import gpu_choice
from asyncsweep.executors.gpu_looks import Looker, looking
from asyncsweep.executors.gpu_nvml import Device
from asyncsweep.executors.gpu_shares import Lease, Shares, memory_of, share_of
from asyncsweep.executors.gpu_slots import GpuSlot
from asyncsweep.executors.gpu_usage import Usages
from asyncsweep.executors.limits import limits_of
from asyncsweep.executors.process import MAX_FAILED_STARTS, ProcessExecutor
from asyncsweep.executors.supervision import Supervision
from asyncsweep.executors.worker import WorkerProcess
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.worker.capture import Output

_LOOK_EVERY_S = 1.0
# While a slot waits for devices: soon, and then more and more seldom.
_LOOK_SOON_S = 0.05
# The first processes of a sweep are not tried again for long; later, what is short may be there again soon.
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0, 5.0)

log = logging.getLogger("asyncsweep")


class GpuExecutor:
    """Runs objectives in local processes on NVIDIA's GPUs.

    A trial's process has `CUDA_VISIBLE_DEVICES` with the UUIDs of its devices before it imports anything, so that they are
    `cuda:0`, `cuda:1`, ... to it and it cannot reach another. Instances of divided GPUs (MIG) are devices of their own. A device is
    given to the next trial when the memory that the last one had there is back.

    A running trial's usage has `gpu_memory_gib`, `gpu_memory_peak_gib`, `gpu_utilisation` and `gpu_utilisation_mean` (from 0 to 1), as far
    as the driver tells them: memory is that of the trial's processes on all its devices, utilisation that of the devices, whoever uses
    them.

    Args:
        per_trial: How many devices a trial gets: 1, 2, ...; or which part of one, such as 0.25 for four trials on each. Parts are counted
            on each device by itself and never come to more than the whole of it. Nothing holds a trial to its part but itself. None: as
            many as the sweep's `needs` say, else 1.
        devices: Which devices may be used: numbers as in `nvidia-smi`, UUIDs or their beginnings. None: all. What
            `CUDA_VISIBLE_DEVICES` of this process hides is never used.
        memory_gib: The memory that a trial needs on each of its devices: it begins only where so much is free, less what others were
            promised and have not taken yet.
        release_timeout_s: After so many seconds a device whose memory is not back is warned of; it is left out until it is, and a
            trial that waits for it is given to another.
        fresh: True: a new process for each trial. False: a process stays with what it holds on its devices, and is replaced after a
            trial that failed. None: a process that has memory on a device after its trial is replaced, any other stays.
        usage_every_s: How often a trial's usage is told, at least 1; None: never.
        memory_limit: As for the process executor; it is about the memory of the machine.
        cpu_time_limit: As for the process executor.
        pass_env: As for the process executor.

    Raises:
        ConfigError: An option has a wrong type or value. When it is opened: there is no package, no driver or no GPU.

    Attributes:
        pass_env: As the argument.
        resources: What each slot offers.
    """

    remote = True
    own_slots = True
    runs: Literal["async", "sync", "both"] = "both"

    def __init__(
        self,
        per_trial: float | None = None,
        devices: Sequence[int | str] | int | str | None = None,
        memory_gib: float | None = None,
        release_timeout_s: float = 60.0,
        fresh: bool | None = None,
        usage_every_s: float | None = 5.0,
        memory_limit: int | str | None = None,
        cpu_time_limit: float | None = None,
        pass_env: Sequence[str] = (),
    ) -> None:
        process = ProcessExecutor(memory_limit=memory_limit, cpu_time_limit=cpu_time_limit, pass_env=pass_env)
        self.limits, self.pass_env = limits_of(memory_limit, cpu_time_limit), process.pass_env
        self._is_told = per_trial is not None
        self._per_trial = share_of(1 if per_trial is None else per_trial)
        self._names = gpu_choice.check(devices)
        self._promise_bytes = memory_of(memory_gib)
        self.patience_s = _seconds("release_timeout_s", release_timeout_s, 0.0)
        if fresh is not None and not isinstance(fresh, bool):
            raise ConfigError(f"executor.fresh={fresh!r}: it must be True, False or None")
        self.fresh = fresh
        self._usage_every_s = None if usage_every_s is None else _seconds("usage_every_s", usage_every_s, 1.0)
        self._slots: list[GpuSlot] = []
        self.resources: dict[str, Any] | None = {"gpus": float(self._per_trial)} if self._is_told else None

    def set_needs(self, needs: Mapping[str, Any]) -> None:
        """What each trial needs; called before it is opened. Without `per_trial` a trial gets so many `gpus`.

        Raises:
            ConfigError: Nobody can have so many.
        """
        if not self._is_told and needs.get("gpus"):
            self._per_trial = share_of(needs["gpus"])

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        self._setup, self._inbox = setup, inbox
        self._by_name: dict[str, GpuSlot] = {}
        self._jobs: dict[JobId, GpuSlot] = {}
        self._waiting: dict[GpuSlot, anyio.Event] = {}
        self._leases: dict[GpuSlot, Lease] = {}
        self._left: dict[Lease, tuple[float, bool]] = {}
        self._usages = Usages(self._usage_every_s)
        self._failed_starts, self._was_ready, self._has_unkept = 0, False, False
        self._starving_since: float | None = None
        self._has_failed = self._closing = False
        self._closed = anyio.Event()
        self._news = anyio.Event()
        async with looking() as self._looker:
            self._shares = await self._find(self._looker)
            self.resources = self._offer()
            slots = self._slots = []
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                self.resize(setup.slots or self._shares.capacity)
                tasks.start_soon(self._watch)
                supervision = Supervision(self.limits, setup.grace_s)
                tasks.start_soon(supervision.run, lambda: [slot.process for slot in slots if slot.process is not None])
                try:
                    yield
                finally:
                    self._close()
                    with anyio.CancelScope(shield=True):
                        async with anyio.create_task_group() as ends:
                            for slot in slots:
                                ends.start_soon(slot.end)
                    tasks.cancel_scope.cancel()

    def resize(self, slots: int) -> None:
        """Have so many slots from now on, as far as the devices go round; those that are given up finish what runs there."""
        staying = [slot for slot in self._slots if not slot.leaves]
        wanted = min(slots, self._shares.capacity)
        for _ in range(wanted - len(staying)):
            slot = GpuSlot(self, self._setup, self._inbox)
            self._slots.append(slot)
            self._tasks.start_soon(slot.serve)
        staying.sort(key=lambda slot: slot.running is not None)
        for slot in staying[: max(0, len(staying) - wanted)]:
            slot.leave()
            if slot in self._waiting:
                self._waiting[slot].set()

    def launch(self, job: Job) -> None:
        slot = self._by_name.get(job.worker)
        if slot is not None:  # else its loss is in the inbox already
            self._jobs[JobId(job.trial, job.attempt)] = slot
            slot.launch(job)

    def kill(self, job: JobId, grace_s: float) -> None:
        slot = self._jobs.get(job)
        if slot is None:
            self._inbox.post(ev.Killed(*job))
        else:
            slot.kill(job, grace_s)

    def answer(self, job: JobId, answer: Answer) -> None:
        slot = self._jobs.get(job)
        if slot is not None:
            slot.answer(job, answer)

    def output(self, job: JobId, offset: int, limit_bytes: int) -> Output | None:
        """See `ProcessExecutor.output`."""
        slot = self._jobs.get(job)
        return None if slot is None else slot.output(offset, limit_bytes)

    # -- looking ------------------------------------------------------------------------------------------------------

    async def _find(self, looker: Looker) -> Shares:
        devices = gpu_choice.chosen(await looker.devices(), self._names, os.environ)
        return Shares(await looker.first(devices), self._per_trial, self._promise_bytes)

    def _offer(self) -> dict[str, Any]:
        """What each slot offers. A label that differs between devices says nothing of a slot, which may have any of them."""
        models = {device.name for device in self._shares.devices}
        labels = {"gpu": models.pop()} if len(models) == 1 else {}
        return {"host": socket.gethostname(), "gpus": float(self._per_trial), "labels": labels}

    async def _watch(self) -> None:
        """Look, and do what follows from it, until cancelled."""
        pause_s = _LOOK_SOON_S
        while True:
            self._news = anyio.Event()
            await self._look(self._shares.devices, [(slot, slot.lease) for slot in self._slots])
            self._settle()
            pause_s = min(2 * pause_s, _LOOK_EVERY_S) if self._waiting or self._left else _LOOK_EVERY_S
            with anyio.move_on_after(pause_s):
                await self._news.wait()
                pause_s = _LOOK_SOON_S

    async def _look(self, devices: Sequence[Device], slots: Sequence[tuple[GpuSlot, Lease | None]]) -> bool:
        """Look at devices and at the workers of slots; False when nothing was seen."""
        watched = [(lease, slot.process.pid) for slot, lease in slots if lease is not None and slot.process is not None]
        seen = await self._looker.look(devices, [pid for _, pid in watched])
        looks, families = seen or ({}, {})
        for device in devices:
            look = looks.get(device.uuid)
            if look is None:
                self._shares.missed(device)
            elif self._shares.saw(device, look):
                self._device_gone(device)
        if seen is None:
            return False
        for lease, pid in watched:
            self._shares.saw_family(lease, families[pid])
        return all(device.uuid in looks for device in devices)

    def _device_gone(self, device: Device) -> None:
        for slot in self._slots:
            if slot.lease is not None and device in slot.lease.devices:
                why = self._shares.gone(slot.lease)
                assert why is not None
                slot.device_gone(why)
        n_left = self._shares.capacity
        log.warning(
            "%s is gone and is used no more; trials that ran there are tried again elsewhere (%d can run at a time on what is left)",
            *(device, n_left),
        )
        if not n_left and not self._has_failed:
            self._fail(ErrorInfo("DeviceLost", f"no GPU is left that a trial could run on; the last one was {device}"))

    def _settle(self) -> None:
        """After a look: give back, give out, start what waits, tell what is used."""
        now = anyio.current_time()
        for lease, (since, was_told) in list(self._left.items()):
            if self._shares.release(lease):
                del self._left[lease]
                if was_told:
                    log.warning("the memory of %s is free again, and it is used again", lease)
            elif not was_told and now - since > self.patience_s:
                self._left[lease] = since, True
                log.warning(
                    "a trial's worker ended %.0f s ago, and its memory is not back: %s. The device is left out until it is free; "
                    "`nvidia-smi` shows who has it. Programs that a trial left running can be ended; memory that nobody has "
                    "comes back with a reset of the device (`nvidia-smi --gpu-reset`)",
                    *(now - since, self._shares.held_by(lease)),
                )
        for slot in sorted(self._waiting, key=lambda slot: not slot.has_waiting):  # those with a trial first
            given = self._shares.take()
            if given is None:
                break
            self._leases[slot] = given
            self._waiting.pop(slot).set()
        self._complain_of_shortage(now)
        for slot in self._slots:
            slot.look_on(now)
            if slot.running is not None and slot.lease is not None:
                self._inbox.post(*self._usages.now(now, slot.running, self._shares.figures(slot.lease)))

    def _complain_of_shortage(self, now: float) -> None:
        """Say once that slots wait although no device is held by what a trial of ours left."""
        if not self._waiting or self._left or not self._promise_bytes:
            self._starving_since = None
        elif self._starving_since is None:
            self._starving_since = now
        elif self._starving_since >= 0 and now - self._starving_since > self.patience_s:
            self._starving_since = -1.0
            log.warning(
                "trials wait for a GPU with memory_gib=%.3g free: %s",
                self._promise_bytes / 2**30,
                self._shares.shortage(),
            )

    # -- for the slots ------------------------------------------------------------------------------------------------

    async def lease(self, slot: GpuSlot) -> Lease | None:
        """Wait for devices; None when there is no use in it."""
        granted = self._waiting[slot] = anyio.Event()
        self._news.set()
        if not self._closing and not self._has_failed and not slot.leaves:
            await granted.wait()
        self._waiting.pop(slot, None)
        return self._leases.pop(slot, None)

    def leave(self, lease: Lease) -> None:
        self._shares.leave(lease)
        self._left[lease] = anyio.current_time(), False
        self._news.set()

    async def look(self, lease: Lease, process: WorkerProcess) -> bool:
        """Look at a lease's devices, and at its worker."""
        return await self._look(lease.devices, [(slot, lease) for slot in self._slots if slot.process is process])

    def gone(self, lease: Lease) -> str | None:
        return self._shares.gone(lease)

    def admits(self, lease: Lease) -> bool:
        return self._shares.admits(lease)

    def is_clean(self, lease: Lease) -> bool:
        return self._shares.is_clean(lease)

    def usage(self, lease: Lease, job: Job) -> list[ev.Event]:
        """What an attempt that has just ended used."""
        return self._usages.last(job, self._shares.figures(lease))

    def joined(self, name: str, slot: GpuSlot) -> None:
        self._was_ready = True
        self._by_name[name] = slot

    def retired(self, slot: GpuSlot) -> None:
        self._slots.remove(slot)

    def left(self, name: str) -> None:
        del self._by_name[name]

    def done(self, job: JobId) -> None:
        self._jobs.pop(job, None)
        self._usages.forget(job)

    def unkept(self, why: str) -> None:
        """See `ProcessExecutor.unkept`."""
        if not self._has_unkept:
            self._has_unkept = True
            log.warning("what a trial printed is lost: %s; of further ones that is not said again", why)

    async def failed_start(self, error: ErrorInfo, tries: int, *, final: bool) -> bool:
        """A process could not be started, so often in a row; False when trying again is no use."""
        if not self._was_ready:
            self._failed_starts += 1
            if not final and self._failed_starts < MAX_FAILED_STARTS:
                return True
        elif tries <= len(_PAUSES_S) or any(slot.is_ready for slot in self._slots):
            if tries == 1:
                log.warning("no worker process can be started now: %s; it is tried again", error)
            with anyio.move_on_after(_PAUSES_S[min(tries, len(_PAUSES_S)) - 1]):
                await self._closed.wait()
            return True
        self._fail(error)
        return False

    def _fail(self, error: ErrorInfo) -> None:
        self._has_failed = True
        self._inbox.post(ev.ExecutorFailed(error))
        self._dismiss()

    def _dismiss(self) -> None:
        """Nobody waits for devices any more."""
        for granted in self._waiting.values():
            granted.set()

    def _close(self) -> None:
        self._closing = True
        self._closed.set()
        for slot in self._slots:
            slot.close()
        self._dismiss()


def _seconds(name: str, value: Any, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < float("inf"):
        raise ConfigError(f"executor.{name}={value!r}: it must be a number of seconds >= {least:g}")
    return float(value)
