"""Optuna's storages, by a URL or a path. What is secret in one never gets into a message.

It is used in an exporter's thread alone: only there optuna and SQLAlchemy are imported.
"""

from __future__ import annotations

import os
import re
import traceback
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from asyncsweep.errors import ConfigError, PluginError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PASSWORD = re.compile(r"://[^:/@]*:(.*)@")
_SECRET_OPTION = re.compile("pass|secret|token|key", re.IGNORECASE)
_OF_SQLITE = (".db", ".sqlite", ".sqlite3")


class Address:
    """Where a storage is.

    Args:
        given: A URL that Optuna takes, or the path of a file for its `JournalStorage`; `${NAME}` in it stands for an environment
            variable, quoted for the URL unless it is all there is.

    Raises:
        ConfigError: It is neither.
    """

    def __init__(self, given: str | os.PathLike[str]) -> None:
        if not isinstance(given, str | os.PathLike) or not os.fspath(given) or not isinstance(os.fspath(given), str):
            raise ConfigError(
                f"exporter.storage: expected a URL such as sqlite:///optuna.db, or a path, got {type(given).__name__}"
            )
        self._given = os.fspath(given)
        if "://" not in self._given and PurePath(self._given).suffix in _OF_SQLITE:
            raise ConfigError(
                f"exporter.storage: {self._given!r} is a path, which stands for a journal file of Optuna; for a database of "
                f"SQLite write 'sqlite:///{self._given}'"
            )
        self._secrets: set[str] = _secrets_of(self._given)

    def open(self) -> BaseStorage:
        """The storage, made where there is none.

        Raises:
            ConfigError: It cannot be reached, a variable is not set, or a library is missing.
        """
        url = _VARIABLE.sub(self._variable, self._given)
        self._secrets |= _secrets_of(url)
        try:
            return _storage(url)
        except ImportError as error:
            raise ConfigError(
                f"exporter.storage: a library for {self} is missing ({self._masked(str(error))}); install it, such as "
                'pip install "psycopg2-binary" for PostgreSQL, "mysqlclient" for MySQL, "redis" for Redis'
            ) from None
        except Exception as error:
            told = self._masked(str(error).strip().partition("\n")[0])
            raise ConfigError(f"exporter.storage: {self} cannot be opened: {type(error).__name__}: {told}") from None

    def without_secrets(self, error: Exception) -> Exception:
        """The error, or one in its place if its text or that of its causes has a secret in it."""
        text = "".join(traceback.format_exception(error))
        if self._masked(text) == text:
            return error
        return PluginError(f"{type(error).__name__}: {self._masked(str(error))}")

    def __str__(self) -> str:
        return repr(self._masked(self._given))

    def _variable(self, found: re.Match[str]) -> str:
        value = os.environ.get(found[1])
        if not value:
            raise ConfigError(f"exporter.storage: the environment variable {found[1]} in {self} is not set")
        self._secrets |= {value, quote(value, safe="")}
        return value if found[0] == self._given else quote(value, safe="")

    def _masked(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def _secrets_of(url: str) -> set[str]:
    """What must not be shown of a URL, as it is written and as it is meant."""
    found = _PASSWORD.search(url)
    secrets = [found[1]] if found and not _VARIABLE.fullmatch(found[1]) else []
    try:
        options = parse_qsl(urlsplit(url).query)
    except ValueError:
        options = []
    secrets += [value for key, value in options if _SECRET_OPTION.search(key) and not _VARIABLE.fullmatch(value)]
    return {form for secret in secrets for form in (secret, unquote(secret), quote(secret, safe="")) if form}


def _storage(url: str) -> BaseStorage:
    if "://" not in url or url.startswith("redis"):
        from optuna.storages import JournalStorage
        from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalRedisBackend

        backend: BaseJournalBackend = JournalRedisBackend(url) if "://" in url else JournalFileBackend(url)
        return JournalStorage(backend)
    from optuna.storages import RDBStorage

    return RDBStorage(url)
