"""The executor `ssh`: trials in worker processes on machines that SSH reaches."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
import anyio.to_thread

from asyncsweep import ConfigError, PluginError
from asyncsweep.core.events import ExecutorFailed, Killed
from asyncsweep.core.records import ErrorInfo
from asyncsweep.executors.pass_env import names_of
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.worker.capture import Output
from asyncsweep.worker.secrets import learn_variables
from asyncsweep_ssh.code import code_of, size_of
from asyncsweep_ssh.faults import HostFault
from asyncsweep_ssh.files import Files
from asyncsweep_ssh.hosts import env_of, hosts_of
from asyncsweep_ssh.remote_host import Plan, RemoteHost
from asyncsweep_ssh.slot import Slot

# While no host was ever up: how often each is tried before the sweep ends.
MAX_FIRST_TRIES = 3

# With concurrency=None every slot that there is has a permit.
_NO_LIMIT = 2**20

log = logging.getLogger("asyncsweep")


class SshExecutor:
    """Runs objectives on other machines, with nothing to install there but Python >= 3.10.

    Args:
        hosts: The machines: "gpu1", "me@gpu1:4" (four slots), or mappings with `host` and any of `user`, `port`, `slots`, `gpus` ("all" or
            a list), `python`, `env` and `folder`.
        code: A folder with the code of the objective, which is sent to each host, without what `.gitignore` leaves out; None where it
            can be imported there.
        code_limit: The most that the code may have: bytes, or a text such as "100MB".
        env: Environment variables for trials on all hosts.
        pass_env: Names of variables of this process that trials there get; `*` stands for anything. The journal has the names alone.
        artifact_limit: The most that the files of one attempt may have on their way back: bytes, or a text such as "1GiB".
        connect_timeout: The seconds that reaching a host may take.
        lease: After so many seconds without a word of this process a host ends its trials; a little later they are tried elsewhere.
        give_up_after: The seconds without any host after which the sweep ends with an error.
        config: OpenSSH's configuration file, or several; None for `~/.ssh/config`.

    Raises:
        ConfigError: An option has a wrong type or value.

    Attributes:
        pass_env: As the argument.
        permits: For as many slots as may work at a time.
    """

    remote = True
    runs: Literal["async", "sync", "both"] = "both"
    own_slots = True

    def __init__(
        self,
        hosts: Sequence[str | Mapping[str, Any]],
        code: str | os.PathLike[str] | None = None,
        code_limit: int | str = "100MB",
        env: Mapping[str, str] | None = None,
        pass_env: Sequence[str] = (),
        artifact_limit: int | str = "1GiB",
        connect_timeout: float = 20.0,
        lease: float = 10.0,
        give_up_after: float = 600.0,
        config: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    ) -> None:
        if sys.platform == "win32":
            raise ConfigError("executor='ssh' needs Linux or macOS on this side, too")
        self._hosts = hosts_of(hosts)
        self._code = _folder(code)
        self._code_limit_bytes = size_of(code_limit, "executor.code_limit")
        self._env = env_of(env, "executor.env")
        self.pass_env = names_of(pass_env)
        self._limit_bytes = size_of(artifact_limit, "executor.artifact_limit")
        self._connect_timeout_s = _seconds(connect_timeout, "executor.connect_timeout", 0.1)
        self._lease_s = _seconds(lease, "executor.lease", 1.0)
        self._give_up_after_s = _seconds(give_up_after, "executor.give_up_after", 0.0)
        self._config = _files(config)
        for variables in (self._env, *(host.env for host in self._hosts)):
            learn_variables(variables)
        self._inbox: Inbox | None = None
        self._slots: dict[str, Slot] = {}
        self._jobs: dict[JobId, Slot] = {}
        self._remote_hosts: list[RemoteHost] = []
        self._was_up = False
        self._none_since: float | None = None
        self._has_unkept = False
        self.permits = anyio.Semaphore(0)

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        _refuse_other_loops()
        self._inbox = inbox
        self._slots.clear()
        self._jobs.clear()
        self._was_up, self._none_since, self._has_unkept = False, time.monotonic(), False
        self.permits = anyio.Semaphore(setup.slots or _NO_LIMIT)
        code = None
        if self._code is not None:
            code = await anyio.to_thread.run_sync(code_of, self._code, self._code_limit_bytes)
        # The contract's own: logs have their place whether trials have folders or not.
        logs = "" if setup.directory is None else os.path.join(setup.directory, "trials")
        files = Files(setup.folders or logs, setup.directory, self._limit_bytes)
        env = _named(os.environ, self.pass_env)
        plan = Plan(
            self._config,
            self._connect_timeout_s,
            self._lease_s,
            self._limit_bytes,
            {**env, **self._env},
            self.pass_env,
            code,
            setup,
            files,
        )
        async with anyio.create_task_group() as tasks:
            hosts = self._remote_hosts = [RemoteHost(host, plan, inbox, self) for host in self._hosts]
            tasks.start_soon(files.run)
            for host in hosts:
                tasks.start_soon(host.serve)
            tasks.start_soon(self._watch)
            try:
                yield
            finally:
                for host in hosts:
                    host.close()
                with anyio.CancelScope(shield=True):
                    async with anyio.create_task_group() as ends:
                        for host in hosts:
                            ends.start_soon(host.end, setup.grace_s)
                tasks.cancel_scope.cancel()
                files.stop()

    def launch(self, job: Job) -> None:
        slot = self._slots.get(job.worker)
        if slot is not None:  # else its loss is in the inbox already
            self._jobs[JobId(job.trial, job.attempt)] = slot
            slot.launch(job)

    def kill(self, job: JobId, grace_s: float) -> None:
        slot = self._jobs.get(job)
        if slot is not None:
            slot.kill(job, grace_s)
        elif self._inbox is not None:
            self._inbox.post(Killed(*job))

    def take_back(self, job: JobId) -> None:
        """Give a job back that has not begun; nothing happens when it has, or is not here."""
        slot = self._jobs.get(job)
        if slot is not None:
            slot.take_back(job)

    def answer(self, job: JobId, answer: Answer) -> None:
        slot = self._jobs.get(job)
        if slot is not None:
            slot.answer(job, answer)

    def output(self, job: JobId, offset: int, limit_bytes: int) -> Output | None:
        """What a running attempt has printed, as far as its host has shown it; see `ProcessExecutor.output`."""
        slot = self._jobs.get(job)
        return None if slot is None else slot.output(job, offset, limit_bytes)

    # -- for hosts and slots ------------------------------------------------------------------------------------------

    def joined(self, name: str, slot: Slot) -> None:
        self._slots[name] = slot

    def left(self, name: str) -> None:
        self._slots.pop(name, None)

    def done(self, job: JobId) -> None:
        self._jobs.pop(job, None)

    def unkept(self, why: str) -> None:
        """What an attempt printed is lost. It is said once in a sweep."""
        if not self._has_unkept:
            self._has_unkept = True
            log.warning("what a trial printed is lost: %s; of further ones that is not said again", why)

    def host_is_up(self, host: RemoteHost) -> None:
        """A host can be used."""
        self._was_up = True
        self._none_since = None
        if host.tries:
            log.info("%s is back", host.host.shown)

    def host_failed(self, host: RemoteHost, fault: HostFault) -> bool:
        """A host cannot be used; tells whether to try it again."""
        if host.is_out:
            log.error("the sweep goes on without a host: %s", fault)
        elif host.tries == 1:
            log.warning("a host cannot be used now, and is tried again: %s", fault)
        hosts = self._remote_hosts
        if self._none_since is None and not any(other.is_up for other in hosts):
            self._none_since = time.monotonic()
        if all(other.is_out for other in hosts):
            self._fail("no host can be used")
        elif not self._was_up and all(other.is_out or other.tries >= MAX_FIRST_TRIES for other in hosts):
            self._fail(f"no host can be used, after {MAX_FIRST_TRIES} tries")
            return False
        return True

    async def _watch(self) -> None:
        """Give up when there was no host for too long.

        Raises:
            PluginError: There were hosts before, and may be again. It leaves `open`, and so the sweep, as a fault does: what ran or waits is not
                CANCELLED, but made again when the sweep is resumed.
        """
        while True:
            since = self._none_since
            left_s = 1.0 if since is None or not self._was_up else since + self._give_up_after_s - time.monotonic()
            if left_s <= 0:
                what = f"no host could be used for {self._give_up_after_s:g} s"
                raise PluginError(f"{self._message(what)}\nresume the sweep when there is one")
            await anyio.sleep(min(left_s, 1.0))

    def _fail(self, what: str) -> None:
        assert self._inbox is not None
        self._inbox.post(ExecutorFailed(ErrorInfo("ConfigError", self._message(what))))

    def _message(self, what: str) -> str:
        reasons = "\n".join(f"- {host.fault}" for host in self._remote_hosts if host.fault is not None)
        return f"executor='ssh': {what}:\n{reasons}"


def _named(environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    patterns = [re.compile(re.escape(name).replace(r"\*", ".*"), re.DOTALL) for name in names]
    return {name: value for name, value in environment.items() if any(p.fullmatch(name) for p in patterns)}


def _refuse_other_loops() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError(
            "executor='ssh' rests on asyncssh, which needs asyncio: run the sweep under asyncio (`asyncio.run`, or anyio's asyncio backend), "
            "or use executor='process' under trio"
        ) from None


def _folder(code: object) -> str | None:
    if code is None:
        return None
    if not isinstance(code, str | os.PathLike) or not os.fspath(code):
        raise ConfigError(f'executor.code={code!r}: it must be a folder, such as "."')
    return os.fspath(code)


def _seconds(value: object, where: str, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e9:
        raise ConfigError(f"{where}={value!r}: it must be a number of seconds >= {least:g}")
    return float(value)


def _files(config: object) -> tuple[str, ...] | None:
    if config is None:
        return None
    given = [config] if isinstance(config, str | os.PathLike) else config
    if not isinstance(given, Sequence):
        raise ConfigError(f"executor.config={config!r}: it must be a file in the form of ~/.ssh/config")
    found = []
    for file in given:
        path = os.path.expanduser(os.fspath(file)) if isinstance(file, str | os.PathLike) else None
        if not isinstance(path, str) or not os.path.isfile(path):
            raise ConfigError(f"executor.config={file!r}: there is no such file")
        found.append(path)
    return tuple(found)
