"""What counts as a secret, and texts without secrets.

Secrets are what can be known as such: the values of environment variables whose names look like a secret's ("WANDB_API_KEY"), what
options with such names were given (`learn`), and in any text the password of a URL and the values of its query that are named so.
In texts they become `***`, in bytes (logs) as many asterisks, so that places in a log stay what they were. So do the forms that
they take in other texts: as a Python literal, in JSON, in a URL.

Not found, and so kept as they are:
- what an objective reads from a file or computes, is split into pieces, encoded (base64, compressed) or changed in any other way;
- values of fewer than 8 characters, numbers, words such as "disabled", and paths of files that exist;
- in a worker's log, what the worker knows from elsewhere than its environment (a closure, say): its errors are looked at by the
  controller too, its output is not;
- parameters, metrics, attributes and their names: they are data, and the journal has them as they were given.

Each process looks at its own environment as it is at that moment, so that what an objective adds to it counts too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, AnyStr

MASK = "***"
# Shorter values would be found in texts that have nothing to do with them.
LEAST = 8
_LONGEST_URL = 2048
# A multi-line secret (a private key) is shown line by line; its short lines tell nothing.
_LEAST_OF_A_LINE = 20

_NAME = (
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|BEARER|COOKIE"
    r"|(?<![A-Z])((AUTH|ACCESS|API|BOT|REFRESH|USER)?TOKENS?|CREDS?|AUTH|AUTHORIZATION|JWT|DSN|WEBHOOK|CONNECTION_?STRING)(?![A-Z])"
    r"|(API|ACCESS|ACCOUNT|AUTH|ENCRYPTION|LICENSE|MASTER|PRIVATE|SIGNING|SSH|STORAGE|SUBSCRIPTION)_?KEYS?(?![A-Z])"
    r"|_(PASS|PWD)$|^PASS$"
)
_KEY = r"_KEYS?$"
_WORDS = (
    *(
        "changeme",
        "default",
        "disable",
        "disabled",
        "enable",
        "enabled",
        "optional",
        "password",
        "required",
        "undefined",
    ),
    "unlimited",
)
_NUMBER = r"[+-]?[\d.,_]+"
_PLAIN = r"[\w.~-]+"

_URL_PASSWORD = r"(://[^\s/:@?#'\"<>]{0,256}:)([^\s/'\"<>]{1,1024})(?=@[^\s@])"
_URL_TOKEN = r"(://)([^\s/:@?#'\"<>]{20,1024})(?=@[^\s@])"
_QUERY = r"([?&;]([\w.%\[\]-]{1,64})=)([^\s&;#'\"<>]{1,2048})"
_CUT_URL = r"(://[^\s/:@?#'\"<>]{0,256}:)([^\s/'\"<>]{1,1024})\Z"
_REST_OF_URL = r"[^\s/'\"<>]{1,1024}(?=@[^\s@])"
_SIGNATURES = frozenset(("KEY", "SIG", "SIGNATURE", "X_AMZ_SIGNATURE", "X_GOOG_SIGNATURE"))
_SCHEME = r"(?:bearer|basic|digest|token|apikey|api-key)\s+(\S+)"
_WHOLE_URL = r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@?#]*:(.+)@[^@\s]*"

_learned: set[str] = set()


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a variable, option or key of this name holds a secret: "api_key", "DB_PASSWORD", "accessToken"."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).upper()
    return re.search(_NAME, words) is not None


@lru_cache(maxsize=4096)
def is_secret_variable(name: str) -> bool:
    """Whether an environment variable of this name holds a secret: as `is_secret_name`, and "STRIPE_KEY"."""
    return is_secret_name(name) or re.search(_KEY, name.upper()) is not None


def url_password(text: str) -> str:
    """The password of a text that is a URL; "" when there is none."""
    found = re.fullmatch(_WHOLE_URL, text.strip()) if "://" in text and "@" in text else None
    return "" if found is None else found.group(1)


def learn(options: Any) -> bool:
    """Look for secrets in options, however deep, and hold them for secrets from now on; tells whether there are any.

    Args:
        options: What a user gave: mappings, lists and texts; anything else is passed over.
    """
    found = list(_given(options))
    for value in found:
        if _is_telling(value):
            _learned.add(value)
    return bool(found)


def learn_variables(environment: Mapping[str, str]) -> None:
    """Hold the secrets of an environment that another process gets for secrets from now on."""
    for name, value in environment.items():
        _learned.update(found for found in _in_variable(name, value) if _is_telling(found))


def _given(options: Any) -> Iterator[str]:
    if isinstance(options, Mapping):
        for name, value in options.items():
            if isinstance(value, (str, bytes)) and value and isinstance(name, str) and is_secret_name(name):
                text = value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
                yield text
                if found := re.fullmatch(_SCHEME, text.strip(), re.IGNORECASE):
                    yield found.group(1)
            else:
                yield from _given(value)
    elif isinstance(options, (list, tuple)):
        for value in options:
            yield from _given(value)
    elif isinstance(options, str):
        yield from _in_url(options)


def _in_url(text: str) -> Iterator[str]:
    if "://" in text:
        if password := url_password(text):
            yield password
        for found in re.finditer(_QUERY, text):
            if _is_secret_in_query(found.group(2)):
                yield found.group(3)
        if redacted_urls(text) != text:
            yield text


def redacted(text: AnyStr) -> AnyStr:
    """The text without the secrets that this process knows: never longer than it was, and bytes never shorter."""
    if isinstance(text, bytes):
        # Latin-1 gives each byte a character and back, so that one set of rules serves both.
        secrets = [_bytes(secret).decode("latin-1") for secret in known()]
        return _without(text.decode("latin-1"), secrets, _as_many).encode("latin-1")
    return _without(text, known(), _mask)


def trimmed(data: bytes, *, ends: bool) -> bytes:
    """A piece that was cut out of a longer text, without the part of a secret that it ends (or begins) with."""
    for secret in map(_bytes, known()):
        for size in range(min(len(secret) - 1, len(data)), len(MASK), -1):
            if ends and data.endswith(secret[:size]):
                return data[:-size] + b"*" * size
            if not ends and data.startswith(secret[-size:]):
                return b"*" * size + data[size:]
    if ends:
        whole, last = data[:-_LONGEST_URL], data[-_LONGEST_URL:]
        return whole + re.sub(_CUT_URL.encode(), lambda found: found[1] + b"*" * len(found[2]), last)
    found = re.match(_REST_OF_URL.encode(), data)
    return data if found is None else b"*" * found.end() + data[found.end() :]


def known() -> list[str]:
    """The secrets that this process knows, in all their forms, the longest first."""
    found = set(_learned)
    for name in list(os.environ):
        found.update(_in_variable(name, os.environ.get(name, "")))
    forms = {form for secret in found if _is_telling(secret) for form in _forms(secret)}
    return sorted(forms, key=lambda form: (-len(form), form))


def _in_variable(name: str, value: str) -> Iterator[str]:
    value = value.strip()
    if len(value) < LEAST:
        return
    if is_secret_variable(name):
        yield value
        yield from (line for line in map(str.strip, value.splitlines()) if _is_of_a_key(line))
    if password := url_password(value):
        yield password


def _is_of_a_key(line: str) -> bool:
    return len(line) >= _LEAST_OF_A_LINE and not line.startswith("-----")


def _is_telling(value: str) -> bool:
    """Whether a value can be looked for in texts: it is long, and not one of those that have other meanings, too."""
    if len(value) < LEAST or value.lower() in _WORDS or re.fullmatch(_NUMBER, value) or not _bytes(value):
        return False
    return not (value.startswith(("/", "~", "./", "../")) and _exists(value))


def _bytes(secret: str) -> bytes:
    """As a process prints it; nothing for what no process can print."""
    try:
        return secret.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return b""


def _exists(path: str) -> bool:
    try:
        return os.path.exists(os.path.expanduser(path))
    except ValueError:  # a zero byte in it
        return False


@lru_cache(maxsize=256)
def _forms(secret: str) -> frozenset[str]:
    """The secret as other texts show it."""
    if re.fullmatch(_PLAIN, secret, re.ASCII):
        return frozenset((secret,))
    import json
    from urllib.parse import quote, quote_plus

    texts = (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    quoted = {form(secret, safe=safe, errors="surrogateescape") for form in (quote, quote_plus) for safe in ("", "/")}
    return frozenset((*texts, secret.encode("utf-8", "backslashreplace").decode(), *quoted))


def _without(text: str, secrets: list[str], mask: Callable[[int], str]) -> str:
    text = redacted_urls(text, mask)
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, mask(len(secret)))
    return text


def _mask(length: int) -> str:
    return MASK[:length]


def _as_many(length: int) -> str:
    return "*" * length


def redacted_urls(text: str, mask: Callable[[int], str] = _mask) -> str:
    """The text with the passwords and tokens of URLs left out; in it alone, whatever this process knows."""
    if "://" not in text:
        return text

    def masked(found: re.Match[str]) -> str:
        return found.group(1) + mask(len(found.group(2)))

    def masked_in_query(found: re.Match[str]) -> str:
        before, name, value = found.groups()
        return before + mask(len(value)) if _is_secret_in_query(name) else found.group()

    if "@" in text:
        text = re.sub(_URL_PASSWORD, masked, text, flags=re.ASCII)
        text = re.sub(_URL_TOKEN, masked, text, flags=re.ASCII)
    if "=" in text:
        text = re.sub(_QUERY, masked_in_query, text, flags=re.ASCII)
    return text


def _is_secret_in_query(name: str) -> bool:
    return is_secret_name(name) or re.sub(r"\W", "_", name).upper() in _SIGNATURES
