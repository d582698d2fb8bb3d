"""Trials on a Dask cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec

from asyncsweep import ConfigError
from asyncsweep.executors.outposts.seats import Seats, n_wanted
from asyncsweep.executors.own_slots import checked
from asyncsweep.executors.process import ProcessExecutor
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep_dask.cluster import Cluster
from asyncsweep_dask.connection import Target

ARTIFACTS_LIMIT_BYTES = 64 * 2**20


class DaskExecutor:
    """Runs trials on the workers of a Dask cluster, each in a process of its own beside its worker.

    A slot of the sweep is one task on the cluster, a *seat*, that takes a thread of a worker, and the `resources` that it needs, as long
    as the sweep goes on. Dask places it. As many are wanted as the sweep's `concurrency`; those for which there is no room wait, as
    tasks do, and take what is free or joins later.

    Without any of the first three, the current `Client` of this process is meant, or the address of Dask's own settings.

    Args:
        address: The scheduler's address.
        client: A `distributed.Client` or a cluster object; of any kind, for its address alone is taken from it.
        local: Start a `LocalCluster` with these arguments for this sweep.
        resources: Dask's own resources that each trial needs: `{"GPU": 1}`. `needs={"gpus": 1}` of the sweep means that, too.
        slots: The most seats; None for the sweep's `concurrency`, or, where that is left out, for what the cluster has room for, also when
            workers join and leave.
        artifacts_limit_bytes: The most that an attempt's artifacts may have together where the workers do not share the sweep's
            directory, and so they travel through Dask.
        give_up_after: The seconds for which a scheduler that was lost is looked for; then the sweep ends with an error, to be resumed.
        fresh, max_trials_per_worker, memory_limit, cpu_time_limit: As with `ProcessExecutor`, for the process of a trial.
        pass_env: Names of environment variables of the *Dask worker's* that trials need besides those that every trial gets.

    Raises:
        ConfigError: An option has a wrong type or value.
    """

    remote = True
    runs: Literal["async", "sync", "both"] = "both"
    own_slots = True

    def __init__(
        self,
        address: str = "",
        client: Any = None,
        local: Mapping[str, Any] | None = None,
        resources: Mapping[str, float] | None = None,
        slots: int | None = None,
        artifacts_limit_bytes: int = ARTIFACTS_LIMIT_BYTES,
        give_up_after: float = 120.0,
        fresh: bool = False,
        max_trials_per_worker: int | None = None,
        memory_limit: int | str | None = None,
        cpu_time_limit: float | None = None,
        pass_env: Sequence[str] = (),
    ) -> None:
        self._target = Target(address, client, local)
        self._resources = _resources_of(resources)
        self._slots = checked(slots)
        self._artifacts_limit_bytes = artifacts_limit_bytes
        if (
            isinstance(give_up_after, bool)
            or not isinstance(give_up_after, int | float)
            or not 0 <= give_up_after < 1e9
        ):
            raise ConfigError(f"executor.give_up_after={give_up_after!r}: it must be a number of seconds >= 0")
        self._give_up_after_s = float(give_up_after)
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
        gpus = setup.needs.get("gpus")
        resources = {**({"GPU": gpus} if gpus else {}), **self._resources}
        offers = {"gpus": gpus} if gpus else {}
        slots = n_wanted(self._slots, setup.slots)
        setup = msgspec.structs.replace(setup, slots=slots)
        async with self._target.cluster() as (address, security):
            cluster = Cluster(address, security, resources, offers, self._give_up_after_s)
            seats = self._seats = Seats("dask", setup, inbox, self._options, self._artifacts_limit_bytes, cluster.keep)
            async with cluster.open(seats), seats.open():
                if not slots:
                    cluster.follow()
                self._cluster = cluster
                yield

    def resize(self, slots: int) -> None:
        """Have so many seats from now on; those that are given up finish what runs there."""
        self._cluster.follow(False)
        self._seats.resize(slots)

    def take_back(self, job: JobId) -> None:
        self._seats.take_back(job)

    def launch(self, job: Job) -> None:
        self._seats.launch(job)

    def kill(self, job: JobId, grace_s: float) -> None:
        self._seats.kill(job, grace_s)

    def answer(self, job: JobId, answer: Answer) -> None:
        self._seats.answer(job, answer)


def _resources_of(resources: object) -> dict[str, float]:
    """The option as a dict of its own.

    Raises:
        ConfigError: It is no mapping of names to numbers above 0.
    """
    if resources is None:
        return {}
    if not isinstance(resources, Mapping):
        raise ConfigError(f'executor.resources={resources!r}: it must be a mapping, such as {{"GPU": 1}}')
    for name, amount in resources.items():
        if (
            not isinstance(name, str)
            or isinstance(amount, bool)
            or not isinstance(amount, int | float)
            or not amount > 0
        ):
            raise ConfigError(f"executor.resources[{name!r}]={amount!r}: it must be a number above 0")
    return dict(resources)
