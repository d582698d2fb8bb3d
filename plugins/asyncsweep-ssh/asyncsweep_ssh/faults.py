"""Why a host cannot be used, in words that say what to do."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncsweep_ssh.hosts import Host


class HostFault(Exception):
    """A host cannot be used.

    Attributes:
        is_final: True when trying again is no use before somebody has mended something.
    """

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


def of_connecting(host: Host, error: BaseException, patience_s: float) -> HostFault:
    """The fault that an error of the way to a host is."""
    import asyncssh

    name = host.shown
    if isinstance(error, HostFault):
        return error
    if isinstance(error, asyncssh.PermissionDenied):
        return HostFault(
            f"{name}: it accepts none of our keys ({error.reason}); see that `ssh -o BatchMode=yes {name} true` works: name the key by "
            f"IdentityFile in ~/.ssh/config, load it into ssh-agent if it has a passphrase, or bring it there by `ssh-copy-id {name}`",
            is_final=True,
        )
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return HostFault(f"{name}: its host key cannot be trusted: {error.reason}", is_final=True)
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return HostFault(f"{name}: no common algorithms: {error.reason}", is_final=True)
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return HostFault(
            f"{name}: no answer within {patience_s:g} s: is it up, and does a firewall let us through? "
            "Where it is only slow, raise `connect_timeout`",
            is_final=False,
        )
    if isinstance(error, socket.gaierror):
        return HostFault(
            f"{name}: there is no such name ({error.strerror}): write it as `ssh` knows it, or give it a HostName in ~/.ssh/config",
            is_final=error.errno == socket.EAI_NONAME,
        )
    if isinstance(error, asyncssh.ChannelOpenError):
        return HostFault(f"{name}: no channel could be opened: {error.reason}", is_final=False)
    if isinstance(error, asyncssh.DisconnectError):
        return HostFault(f"{name}: the connection was lost: {error.reason or 'without a word'}", is_final=False)
    if isinstance(error, OSError):
        return HostFault(f"{name}: {_of_network(error)}", is_final=False)
    return HostFault(f"{name}: {type(error).__name__}: {error}", is_final=True)


def _of_network(error: OSError) -> str:
    number = error.errno
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return f"there is no route to it ({error.strerror}): is it up, and in a network that this machine reaches?"
    if number == errno.ECONNREFUSED:
        return "it refuses the connection: does sshd run there, and on this port?"
    return error.strerror or str(error)


def unknown_key(host: Host, where: str, offered: str, known: int) -> HostFault:
    """A host key that is not the one that we know, or that we do not know."""
    name = host.shown
    if known:
        return HostFault(
            f"{name}: its host key has CHANGED: it shows {offered}, and another one is known for {where}. Somebody may be between us, "
            f"or it was installed anew: ask who looks after it, and if it was, remove the old key by `ssh-keygen -R '{where}'` and "
            f"connect once by `ssh {name}`",
            is_final=True,
        )
    return HostFault(
        f"{name}: its host key is unknown: it shows {offered}. Connect once by `ssh {name}`, compare that with what who looks after it "
        "tells, and accept it: then it is in ~/.ssh/known_hosts",
        is_final=True,
    )


def of_python(host: Host, python: str, status: int | None, said: str) -> HostFault:
    """Nothing of ours began there."""
    name = host.shown
    said = said.strip()[-500:]
    if status == 127 or "not found" in said or "No such file" in said:
        return HostFault(
            f"{name}: there is no {python!r} ({said or 'not found'}): install Python >= 3.10, or name it: "
            f'{{"host": "{name}", "python": "~/env/bin/python"}}',
            is_final=True,
        )
    how = "without a word" if status is None else f"with exit code {status}"
    return HostFault(
        f"{name}: Python did not begin there: {python!r} ended {how}{': ' + said if said else ''}; "
        f"see what `ssh {name} {python} --version` says",
        is_final=True,
    )


def of_old_python(host: Host, version: str, path: str) -> HostFault:
    return HostFault(
        f"{host.shown}: {path or 'its Python'} is Python {version}, and 3.10 or later is needed; name another one: "
        f'{{"host": "{host.shown}", "python": "~/env/bin/python"}}',
        is_final=True,
    )


def of_disk(host: Host, folder: str, why: str, number: int | None) -> HostFault:
    """The private folder cannot be made or filled."""
    mend = f'make room there, or choose another folder: {{"host": "{host.shown}", "folder": "/scratch"}}'
    return HostFault(
        f"{host.shown}: {folder} cannot be written: {why}; {mend}", is_final=number not in (errno.ENOSPC, errno.EDQUOT)
    )
