"""Trials on a Ray cluster."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec

from asyncsweep import ConfigError
from asyncsweep.executors.outposts.seats import Seats, n_wanted
from asyncsweep.executors.own_slots import checked
from asyncsweep.executors.process import ProcessExecutor
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep_ray.cluster import Cluster
from asyncsweep_ray.connection import Target
from asyncsweep_ray.head import watched

ARTIFACTS_LIMIT_BYTES = 64 * 2**20
# What of a sweep's `needs` Ray reserves.
_TAKEN = ("cpus", "gpus", "memory_gib")


class RayExecutor:
    """Runs trials on the nodes of a Ray cluster, each in a process of its own beside an actor.

    A slot of the sweep is one actor, a *seat*, that holds what a trial needs as long as the sweep goes on. Ray places it. As many are wanted
    as the sweep's `concurrency`; those for which there is no room are pending, and a cluster that scales by itself adds nodes for
    them, of which they are given back when the sweep ends.

    Without `address` and `init`, the cluster is meant that this process is connected to.

    Args:
        address: The cluster's address, as for `ray.init`: "auto", "host:6379", "ray://host:10001".
        init: Connect to Ray, or start it, with these arguments of `ray.init` for this sweep.
        num_cpus: The CPUs that a trial needs; None for the sweep's `needs`, or 1.
        num_gpus: The GPUs that a trial needs; None for the sweep's `needs`, or none; a part, such as 0.25, where several share one. Ray tells the trial which by
            `CUDA_VISIBLE_DEVICES`.
        resources: Ray's custom resources that a trial needs: `{"a100": 1}`.
        memory_gib: The memory that is reserved for a trial; None for the sweep's `needs`. It is no limit: see `memory_limit`.
        runtime_env: Of the actors, as for `ray.remote`: packages, files, and environment variables of the nodes.
        scheduling_strategy: Of the actors: "DEFAULT" fills nodes up, "SPREAD" spreads over them.
        slots: The most seats; None for the sweep's `concurrency`, or, where that is left out, for what the cluster has room for, also when
            nodes join and leave; then a cluster that scales by itself is not told to grow.
        artifacts_limit_bytes: The most that an attempt's artifacts may have together where the nodes do not share the sweep's
            directory, and so they travel through Ray.
        lease: After so many seconds without a word of this process an actor ends its trial: the link to its node is cut.
        give_up_after: The seconds for which the head node may be away; then the sweep ends with an error, to be resumed. Ray itself ends
            this process after 60.
        fresh, max_trials_per_worker, memory_limit, cpu_time_limit: As with `ProcessExecutor`, for the process of a trial.
        pass_env: Names of environment variables of the *actors'* that trials need besides those that every trial gets.

    Raises:
        ConfigError: An option has a wrong type or value.
    """

    remote = True
    runs: Literal["async", "sync", "both"] = "both"
    own_slots = True

    def __init__(
        self,
        address: str = "",
        init: Mapping[str, Any] | None = None,
        num_cpus: float | None = None,
        num_gpus: float | None = None,
        resources: Mapping[str, float] | None = None,
        memory_gib: float | None = None,
        runtime_env: Mapping[str, Any] | None = None,
        scheduling_strategy: str = "DEFAULT",
        slots: int | None = None,
        artifacts_limit_bytes: int = ARTIFACTS_LIMIT_BYTES,
        lease: float = 60.0,
        give_up_after: float = 30.0,
        fresh: bool = False,
        max_trials_per_worker: int | None = None,
        memory_limit: int | str | None = None,
        cpu_time_limit: float | None = None,
        pass_env: Sequence[str] = (),
    ) -> None:
        self._target = Target(address, init)
        self._slots = checked(slots)
        if resources is not None and not isinstance(resources, Mapping):
            raise ConfigError(f'executor.resources={resources!r}: it must be a mapping, such as {{"a100": 1}}')
        # By the names of `needs`: what was said here, which goes first.
        self._own = {
            name: _amount(option, amount)
            for name, option, amount in (
                ("cpus", "num_cpus", num_cpus),
                ("gpus", "num_gpus", num_gpus),
                ("memory_gib", "memory_gib", memory_gib),
            )
            if amount is not None
        }
        self._custom = {name: _amount(f"resources[{name!r}]", amount) for name, amount in (resources or {}).items()}
        if scheduling_strategy not in ("DEFAULT", "SPREAD"):
            raise ConfigError(f'executor.scheduling_strategy={scheduling_strategy!r}: it must be "DEFAULT" or "SPREAD"')
        self._actor: dict[str, Any] = {"scheduling_strategy": scheduling_strategy}
        if runtime_env is not None:
            self._actor["runtime_env"] = dict(runtime_env)
        self._artifacts_limit_bytes = artifacts_limit_bytes
        self._lease_s = _amount("lease", lease)
        if self._lease_s < 1:
            raise ConfigError(f"executor.lease={lease!r}: it must be a number of seconds >= 1")
        self._give_up_after_s = _amount("give_up_after", give_up_after)
        self._options: dict[str, Any] = {
            "fresh": fresh,
            "max_trials_per_worker": max_trials_per_worker,
            "memory_limit": memory_limit,
            "cpu_time_limit": cpu_time_limit,
            "pass_env": pass_env,
        }
        ProcessExecutor(**self._options)  # checks them
        self._seats: Seats

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        takes = {"cpus": 1, **{name: setup.needs[name] for name in _TAKEN if name in setup.needs}, **self._own}
        slots = n_wanted(self._slots, setup.slots)
        setup = msgspec.structs.replace(setup, slots=slots)
        async with self._target.connected() as ray:
            cluster = Cluster(ray, self._actor, takes, self._custom, self._lease_s)
            seats = self._seats = cluster.seats = Seats(
                "ray", setup, inbox, self._options, self._artifacts_limit_bytes, cluster.keep
            )
            self._cluster = cluster
            async with watched(ray, self._give_up_after_s), seats.open(), cluster.following(follows=not slots):
                yield

    def resize(self, slots: int) -> None:
        """Have so many seats from now on; those that are given up finish what runs there."""
        self._cluster.follows = False
        self._seats.resize(slots)

    def take_back(self, job: JobId) -> None:
        self._seats.take_back(job)

    def launch(self, job: Job) -> None:
        self._seats.launch(job)

    def kill(self, job: JobId, grace_s: float) -> None:
        self._seats.kill(job, grace_s)

    def answer(self, job: JobId, answer: Answer) -> None:
        self._seats.answer(job, answer)


def _amount(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ConfigError(f"executor.{name}={value!r}: it must be a number >= 0")
    return value
