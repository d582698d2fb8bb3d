"""The line to a host that is up: its workers, its files, and what both sides call a place."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from asyncsweep.worker.claims import Claims
from asyncsweep_ssh import frames
from asyncsweep_ssh.channel import Channel
from asyncsweep_ssh.claims import HostClaims
from asyncsweep_ssh.faults import HostFault
from asyncsweep_ssh.files import Files
from asyncsweep_ssh.hosts import Host
from asyncsweep_ssh.info import Info, info_of

if TYPE_CHECKING:
    from asyncsweep_ssh.code import Code
    from asyncsweep_ssh.worker import RemoteChild

log = logging.getLogger("asyncsweep")


class Line:
    """Frames to a host's workers and back.

    Args:
        host: Which host.
        lease_s: How long either side goes on without hearing of the other.
        code: The user's code that went there, if any.
        files: Where files of trials are here.

    Attributes:
        channel: What carries it.
        files: As the argument.
        informed: Set when the host has said what it has.
    """

    def __init__(self, host: Host, lease_s: float, code: Code | None, files: Files) -> None:
        self._host = host
        self._code = code
        self._children: dict[str, RemoteChild] = {}
        self._setup = b""
        self._info: Info | None = None
        self.channel = Channel(host, lease_s, self._take)
        self.files = files
        self.informed = anyio.Event()
        self._claims: Claims | None = None

    @property
    def info(self) -> Info:
        """What the host has said; wait for `informed` first."""
        assert self._info is not None
        return self._info

    @property
    def claims(self) -> Claims | None:
        """By which an attempt may wait at a busy worker there."""
        if self._claims is None and self.info.claims is not None:
            self._claims = HostClaims(self.info.claims)
        return self._claims

    @property
    def folders(self) -> str:
        """The folder of trials' folders there."""
        return self.info.folders

    def send(self, *frame: Any) -> None:
        self.channel.send(*frame)

    def add(self, name: str, child: RemoteChild) -> None:
        self._children[name] = child
        if not self.channel.is_up:
            child.ended(self._why_lost())

    def remove(self, name: str) -> None:
        self._children.pop(name, None)

    def set_up(self, name: str, message: bytes) -> None:
        """Give a worker its first message. That is the same for all of them, may be long, and goes there once."""
        digest = hashlib.sha256(message).digest()
        if digest != self._setup:
            self._setup = digest
            self.send(frames.SETUP, message)
        self.send(frames.SET_UP, name)

    def search_path(self, ours: Sequence[str]) -> list[str]:
        """Where workers there look for modules: in the folders of the code as we do, then where their Python does."""
        there: list[str] = []
        if self._code is not None:
            root = self._code.root
            inside = [Path(entry).resolve() for entry in ours]
            names = [entry.relative_to(root).as_posix() for entry in inside if entry == root or root in entry.parents]
            names = [name for name in names if self._code.has_folder(name)]
            there = [os.path.normpath(f"{self.info.code}/{name}") for name in dict.fromkeys([*names, "."])]
        return [*there, *self.info.path]

    async def put_checkpoint(self, trial: int) -> None:
        """Send what earlier attempts of a trial have left to it."""
        async for path, data, is_first in self.files.checkpoint(trial):
            await self.channel.send_when_taken(frames.PUT, trial, path, data, is_first)

    def lose(self) -> None:
        """The channel is lost, and all workers with it."""
        for child in list(self._children.values()):
            child.ended(self._why_lost())

    def _why_lost(self) -> str:
        return f"the connection is lost: {self.channel.why}" if self.channel.why else "the connection is lost"

    # -- frames -------------------------------------------------------------------------------------------------------

    def _take(self, frame: list[Any]) -> None:
        """Raises StreamError where it is none of ours: the channel is given up."""
        try:
            self._take_checked(frame)
        except (TypeError, ValueError, KeyError, IndexError) as error:
            from asyncsweep.wire.stream import StreamError

            raise StreamError(f"a frame with tag {frame[0]} has a wrong shape: {error}") from error

    def _take_checked(self, frame: list[Any]) -> None:
        tag, *parts = frame
        if tag == frames.FROM_WORKER:
            name, data = parts
            child = self._children.get(name)
            if child is not None:
                self.files.after(name, partial(child.said, data))
        elif tag == frames.FILE:
            name, trial, path, data, is_first = parts
            self.files.write(name, trial, path, data, is_first, lambda: self.send(frames.TAKEN, len(data)))
        elif tag == frames.PRINTED:
            name, secret, offset, data = parts
            child = self._children.get(name)
            if child is not None:
                self.files.after(name, partial(child.on_printed, secret, offset, data))
        elif tag == frames.BEGUN:
            name, secret = parts
            child = self._children.get(name)
            if child is not None:
                self.files.after(name, partial(child.on_begun, secret))
        elif tag == frames.TOOK:
            name, place, did = parts
            child = self._children.get(name)
            if child is not None:
                self.files.after(name, partial(child.on_took, place, did))
        elif tag == frames.ENDED:
            name, reason = parts
            child = self._children.get(name)
            if child is not None:
                self.files.after(name, partial(child.ended, str(reason)))
        elif tag == frames.LEFT_OUT:
            _, trial, path, reason = parts
            log.warning("%s: trial %d: %.200r is left there: %.500s", self._host.shown, trial, path, reason)
        elif tag == frames.UNKEPT:
            log.warning("%s: what a trial printed is lost: %.500s", self._host.shown, parts[1])
        elif tag == frames.INFO:
            self._info = info_of(parts[0])
            self.informed.set()
        elif tag == frames.FAULT:
            self.channel.give_up(_fault_of(self._host, *parts))


def _fault_of(host: Host, kind: str, reason: str) -> HostFault:
    if kind == frames.DISK:
        return HostFault(f"{host.shown}: {reason}", is_final=False)
    if kind == frames.GPUS:
        return HostFault(f"{host.shown}: gpus={host.gpus!r}: {reason}", is_final=True)
    return HostFault(f"{host.shown}: {reason}", is_final=True)
