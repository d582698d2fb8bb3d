"""The option `hosts`: which machines, how many trials on each, and with what.

A host is a text, "gpu1", "me@gpu1" or "gpu1:4" (four slots), or a mapping. Names are those that `ssh` understands, so that
`~/.ssh/config` has the rest: addresses, ports, users, keys, jump hosts.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from asyncsweep import ConfigError

# What OpenSSH takes for a name, and no shell, option or URL could be made of. A zone may follow an IPv6 address.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9_.-]{1,16})?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}\$?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KEYS = ("host", "port", "user", "slots", "gpus", "python", "env", "folder")
_MOST_SLOTS = 1024

Gpus = tuple[str, ...] | Literal["all"] | None


class Host(NamedTuple):
    """A machine and what is wanted of it.

    Attributes:
        name: As `ssh` knows it.
        user: None for what the configuration says.
        port: The same.
        slots: How many trials at a time; None for one, or for each GPU one.
        gpus: The GPUs to use, by number or UUID; None leaves them alone.
        python: The interpreter; "" for `python3`.
        env: Environment variables for trials.
        folder: Where a private folder is made; "" for the usual place.
    """

    name: str
    user: str | None = None
    port: int | None = None
    slots: int | None = None
    gpus: Gpus = None
    python: str = ""
    env: Mapping[str, str] = {}
    folder: str = ""

    @property
    def shown(self) -> str:
        """As messages call it."""
        return f"{self.user}@{self.name}" if self.user else self.name


def hosts_of(given: object) -> tuple[Host, ...]:
    """The option, checked.

    Raises:
        ConfigError: It is something else; the message has the path of the value, and no password.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence) or not given:
        raise ConfigError(
            f'executor.hosts={_shown(given)}: it must be a list of hosts, such as ["gpu1:4", {{"host": "me@gpu2", "slots": 2}}]'
        )
    found = tuple(_host(value, f"executor.hosts[{at}]") for at, value in enumerate(given))
    seen: dict[tuple[str, str | None, int | None], int] = {}
    for at, host in enumerate(found):
        key = (host.name, host.user, host.port)
        if key in seen:
            raise ConfigError(
                f"executor.hosts[{at}]={host.shown!r} is executor.hosts[{seen[key]}] again: give it more slots instead"
            )
        seen[key] = at
    return found


def _host(value: object, where: str) -> Host:
    if isinstance(value, str):
        text, slots = _split_slots(value, where)
        return _named(text, {"slots": slots}, where)
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}={_shown(value)}: a host is a text or a mapping with a `host`")
    for key in value:
        if key not in KEYS:
            hint = "; passwords are not taken: use a key, `ssh-agent` or a certificate" if _is_secret(key) else ""
            raise ConfigError(f"{where}.{_shown(key)}: unknown; a host has {', '.join(KEYS)}{hint}")
    name = value.get("host")
    if not isinstance(name, str):
        raise ConfigError(f"{where}.host={_shown(name)}: it must be the name of a host")
    return _named(name, value, where)


def _named(text: str, options: Mapping[str, Any], where: str) -> Host:
    before, at, name = text.rpartition("@")
    if at and ":" in before:
        raise ConfigError(f"{where}: a password has no place in the name of a host; use a key, or `ssh-agent`")
    name = name.removeprefix("[").removesuffix("]")
    if not (_NAME.fullmatch(name) or (":" in name and _ADDRESS.fullmatch(name))):
        raise ConfigError(
            f"{where}={_shown(text)}: no name of a host: letters, digits, dots and hyphens, as in me@gpu1:4"
        )
    given = options.get("user")
    if at and given is not None:
        raise ConfigError(f"{where}.user: the user is named twice, in {_shown(text)} and in `user`")
    user = before if at else given
    if user is not None and (not isinstance(user, str) or not _USER.fullmatch(user)):
        raise ConfigError(f"{where}.user={_shown(user)}: no name of a user")
    return Host(
        name,
        user,
        _whole(options.get("port"), f"{where}.port", 65535),
        _whole(options.get("slots"), f"{where}.slots", _MOST_SLOTS),
        _gpus(options.get("gpus"), f"{where}.gpus"),
        _path(options.get("python"), f"{where}.python"),
        env_of(options.get("env"), f"{where}.env"),
        _path(options.get("folder"), f"{where}.folder"),
    )


def _split_slots(text: str, where: str) -> tuple[str, int | None]:
    if text.endswith("]") or ":" not in text.rpartition("@")[2]:
        return text, None
    name, _, slots = text.rpartition(":")
    if ":" in name.rpartition("@")[2] and not name.endswith("]"):
        return text, None  # an IPv6 address
    if not slots.isascii() or not slots.isdigit():
        raise ConfigError(f"{where}={_shown(text)}: behind the colon is the number of slots, as in gpu1:4")
    return name, int(slots)


def _whole(value: object, where: str, most: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ConfigError(f"{where}={_shown(value)}: it must be a whole number from 1 to {most}")
    return value


def _gpus(value: object, where: str) -> Gpus:
    if value is None or value == "all":
        return value
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and value:
        names = [str(gpu) for gpu in value if isinstance(gpu, str | int) and not isinstance(gpu, bool)]
        is_plain = all(re.fullmatch(r"[0-9]{1,4}|(GPU|MIG)-[A-Za-z0-9/-]{1,80}", name) for name in names)
        if len(names) == len(value) == len(set(names)) and is_plain:
            return tuple(names)
    raise ConfigError(
        f'{where}={_shown(value)}: it must be "all", or a list of different numbers or UUIDs, such as [0, 1]'
    )


def _path(value: object, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not value or any(ord(character) < 32 for character in value) or value[0] == "-":
        raise ConfigError(f"{where}={_shown(value)}: it must be a path there, such as ~/env/bin/python")
    return value


def env_of(value: object, where: str) -> dict[str, str]:
    """Environment variables, checked.

    Raises:
        ConfigError: They are something else. Values are not shown.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: it must be a mapping of names to texts")
    for name, text in value.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise ConfigError(f"{where}: {_shown(name)} is no name of an environment variable")
        if not isinstance(text, str) or "\0" in text:
            raise ConfigError(f"{where}.{name}: its value must be a text, not {type(text).__name__}")
    return dict(value)


def _is_secret(key: object) -> bool:
    return isinstance(key, str) and re.search("pass|secret|key", key, re.IGNORECASE) is not None


def _shown(value: object) -> str:
    return reprlib.repr(value)
