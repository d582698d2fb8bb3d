"""Objectives, a sampler and an exporter that show every secret that they get hold of, each trial in another way."""
# ruff: noqa: T201  what is printed is the point

from __future__ import annotations

import functools
import json
import linecache
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

import asyncsweep as sw

NAMES = """
    WANDB_API_KEY HF_TOKEN OPENAI_API_KEY AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SESSION_TOKEN GITHUB_TOKEN NPM_TOKEN
    DB_PASSWORD DB_PASS MYSQL_PWD PGPASSWORD REDIS_PASSWD SMTP_PASSWORD KEY_PASSPHRASE SIGNING_KEY STRIPE_KEY AZURE_STORAGE_KEY
    SSH_PRIVATE_KEY CLIENT_SECRET DJANGO_SECRET_KEY OAUTH_SECRETS SENTRY_DSN SLACK_WEBHOOK SESSION_COOKIE JWT X_AUTH_TOKEN
    HTTP_AUTHORIZATION GCP_CREDENTIALS SERVICE_CREDS CONNECTION_STRING NGROK_AUTHTOKEN COMET_API_KEY NEPTUNE_API_TOKEN apiToken
    DATABASE_URL BROKER_URL PIP_INDEX_URL LICENSE_KEYS telegram_bot_token
""".split()  # noqa: SIM905
SHAPES = (
    "{}",
    "sk-{}-AbCd",
    "{} with a space",
    'qu"o\\te{}',
    "{}=+/%40",
    "z\u00f6lf\u2713{}",
    "/{}/no/such/file",
    "-----BEGIN KEY-----\n{}0123456789abcdef\n-----END KEY-----",
)
URLS = tuple(f"cAnArYu{number}x9f" for number in range(5))
OPTIONS = tuple(f"cAnArYo{number}x9f" for number in range(5))
LONG = 16_000


def core(name: str) -> str:
    """What nothing that is left may have in it."""
    return f"cAnArY{NAMES.index(name):02}x9f"


def value(name: str) -> str:
    if name.endswith("_URL"):
        return f"postgresql://me:{core(name)}@host/db"
    return SHAPES[NAMES.index(name) % len(SHAPES)].format(core(name))


def cores() -> list[str]:
    return [*map(core, NAMES), *URLS, *OPTIONS]


def found() -> list[str]:
    """The secrets that are in this process's environment."""
    return [os.environ[name] for name in NAMES if name in os.environ]


def urls() -> Iterator[str]:
    yield f"redis://:{URLS[0]}@host:6379/0"
    yield f"postgresql+psycopg://me:{URLS[1]}@host/db"
    yield f"https://{URLS[2]}{URLS[2]}@github.com/a.git"
    yield f"https://bucket/key?X-Amz-Signature={URLS[3]}&a=1"
    yield f"GET https://host/v1?access_token={URLS[4]} HTTP/1.1"


# -- each trial shows them in its own way ----------------------------------------------------------------------------------------


def prints(secrets: Sequence[str]) -> None:
    for secret in (*secrets, *urls()):
        print("here:", secret)


def prints_to_stderr(secrets: Sequence[str]) -> None:
    sys.stderr.write("\n".join(secrets))


def prints_in_pieces(secrets: Sequence[str]) -> None:
    for secret in map(os.fsencode, secrets):
        for byte in secret:
            os.write(1, bytes((byte,)))
        os.write(2, b"|")


def prints_other_forms(secrets: Sequence[str]) -> None:
    for form in (repr, json.dumps, quote, quote_plus, functools.partial(quote, safe="")):
        print(*map(form, secrets), sep="\n")
    print(dict(os.environ))


def has_a_child_print(secrets: Sequence[str]) -> None:
    subprocess.run(["env"], check=True)


def logs_and_warns(secrets: Sequence[str]) -> None:
    for secret in secrets:
        logging.error("secret %s", secret)
        warnings.warn(secret, stacklevel=1)


def breaks_in_a_thread(secrets: Sequence[str]) -> None:
    thread = threading.Thread(target=raises, args=(secrets,))
    thread.start()
    thread.join()


def raises(secrets: Sequence[str]) -> None:
    raise ValueError(" ".join((*secrets, *urls())))


def raises_them_as_they_are(secrets: Sequence[str]) -> None:
    raise KeyError(*secrets)


def raises_from_another(secrets: Sequence[str]) -> None:
    try:
        raises(secrets)
    except ValueError as error:
        raise RuntimeError(secrets[0]) from error


def raises_with_a_note(secrets: Sequence[str]) -> None:
    error = ValueError("see below")
    for secret in secrets:
        error.add_note(secret)
    raise error


def raises_a_group(secrets: Sequence[str]) -> None:
    raise ExceptionGroup("several", [OSError(13, "no entry", secret) for secret in secrets])


def has_them_in_its_source(secrets: Sequence[str]) -> None:
    lines = [f"raise ValueError({secret!r} and 'here')\n" for secret in secrets[:1]]
    linecache.cache["leaky source"] = (1, None, lines, "leaky source")
    exec(compile("".join(lines), "leaky source", "exec"))  # noqa: S102


def raises_a_long_text(secrets: Sequence[str]) -> None:
    """Texts are cut at their limit: through a secret."""
    raise ValueError("x" * (LONG // 2 - 8) + secrets[0] + "x" * LONG + secrets[1] + "x" * (LONG // 2 - 8))


def returns_them(secrets: Sequence[str]) -> str:
    return secrets[0]


def dies(secrets: Sequence[str]) -> None:
    prints(secrets)
    sys.stdout.flush()
    os._exit(3)


WAYS: tuple[Callable[[Sequence[str]], Any], ...] = (
    *(
        prints,
        prints_to_stderr,
        prints_in_pieces,
        prints_other_forms,
        has_a_child_print,
        logs_and_warns,
        breaks_in_a_thread,
    ),
    *(raises, raises_them_as_they_are, raises_from_another, raises_with_a_note, raises_a_group, has_them_in_its_source),
    *(raises_a_long_text, returns_them, dies),
)


def leak(trial: Any) -> Any:
    secrets = found()
    assert len(secrets) == len(NAMES)
    returned = WAYS[trial.number](secrets)
    return float(len(secrets)) if returned is None else returned


def n_found(trial: Any) -> float:
    return float(len(found()))


async def nothing(trial: Any) -> float:
    return 0.0


async def leak_inline(trial: Any) -> float:
    WAYS[WAYS.index(raises) + trial.number](found())
    return 0.0


# -- what is chosen by name, with secrets for options ----------------------------------------------------------------------------


class LeakySampler:
    """In a process of its own, which does not see secrets of the environment, and gets one as an option."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def open(self, space: Any, directions: Any, seed: int) -> None: ...

    def ask(self, trial: Any) -> dict[str, Any]:
        if found():
            raise ValueError(f"the host has {len(found())} secrets")
        return {"x": 0.5}

    def suggest(self, trial: Any, name: str, domain: Any) -> Any: ...

    def tell(self, trial: Any) -> None:
        raise ValueError(f"401 for {self._api_key}")


class LeakyExporter:
    def __init__(self, url: str, headers: dict[str, str], password: str) -> None:
        self._options = url, headers, password

    def __repr__(self) -> str:
        return f"LeakyExporter{self._options}"

    async def __aenter__(self) -> LeakyExporter:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def export(self, updates: Any) -> None:
        raise ConnectionError(f"no connection with {self._options}, {found()}")


class Plugin:
    @sw.hookimpl
    def asyncsweep_samplers(self) -> dict[str, type]:
        return {"leaky": LeakySampler}

    @sw.hookimpl
    def asyncsweep_exporters(self) -> dict[str, type]:
        return {"leaky": LeakyExporter}

    @sw.hookimpl
    def asyncsweep_finished(self, result: Any) -> None:
        raise ValueError(*found(), *OPTIONS)
