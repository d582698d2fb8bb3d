"""What counts as a secret, and what is left of texts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from asyncsweep.worker import secrets
from asyncsweep.worker.secrets import is_secret_name, is_secret_variable, known, learn, redacted, trimmed

SECRET = "s3cr3t-v4lue"
SECRETS = """
    HF_TOKEN WANDB_API_KEY api_key apiKey accessToken GITHUB_TOKEN DB_PASSWORD db_passwd DB_PASS MYSQL_PWD PASS client_secret
    AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID NGROK_AUTHTOKEN SENTRY_DSN GOOGLE_APPLICATION_CREDENTIALS PRIVATE_KEY SSH_KEY
    http-cookie Authorization X-Auth-Token SLACK_WEBHOOK CONNECTION_STRING KEY_PASSPHRASE storage-key
"""
OTHERS = """
    PATH PWD OLDPWD TOKENIZERS_PARALLELISM TIKTOKEN_CACHE_DIR XAUTHORITY pass_env key keys sort_key monkey AUTHOR KEYBOARD
    COMPASS passes SSH_CLIENT LC_KEYMAP
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but what a test sets, and nothing learned before."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setattr(secrets, "_learned", set())


@pytest.mark.parametrize("name", SECRETS.split())
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", OTHERS.split())
def test_other_names_are_of_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


def test_a_variable_with_key_at_its_end_is_a_secret_and_an_option_is_not() -> None:
    assert (is_secret_variable("STRIPE_KEY"), is_secret_name("sort_key")) == (True, False)


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        repr(SECRET),
        json.dumps({"a": SECRET}),
        f"https://h/?q={SECRET}&r",
        f"x{SECRET}y{SECRET}z",
        f"\n{SECRET}",
    ],
)
def test_a_secret_is_redacted_wherever_it_is(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", SECRET)
    assert redacted(form) == form.replace(SECRET, "***")
    assert redacted(form.encode()) == form.replace(SECRET, "*" * len(SECRET)).encode()


@pytest.mark.parametrize(
    "odd", ["pass word+1", 'quo"ted\\x', "zw\u00f6lf-\u2713-zeichen", "per%cent/sl@sh", "new\nline-of-it"]
)
@pytest.mark.parametrize("form", [str, repr, json.dumps, quote, lambda odd: quote(odd, safe="")],
                         ids=["plain", "python", "json", "url", "url-part"])  # fmt: skip
def test_an_odd_secret_is_found_in_other_texts(odd: str, form: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", odd)
    text = form(odd)  # type: ignore[operator]
    assert redacted(f"<{text}>").replace('"', "").replace("'", "") == "<***>"


def test_the_lines_of_a_private_key_are_found_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
    monkeypatch.setenv("SIGNING_KEY", f"-----BEGIN PRIVATE KEY-----\n{line}\nshort==\n-----END PRIVATE KEY-----\n")
    assert redacted(f"-----BEGIN PRIVATE KEY-----\n > {line} short==") == "-----BEGIN PRIVATE KEY-----\n > *** short=="


@pytest.mark.parametrize("value", ["short", "1234567890", "3.14159265", "disabled", "PASSWORD", ""])
def test_what_may_mean_anything_is_no_secret(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_TOKENS", value)
    assert known() == []


def test_the_path_of_a_file_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.json").touch()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setenv("OTHER_SECRET", "/not/a/file/but+base64=")
    assert str(tmp_path) in redacted(f"{tmp_path}/key.json")
    assert redacted("/not/a/file/but+base64=") == "***"


def test_the_longest_secret_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "abcdefgh")
    monkeypatch.setenv("B_TOKEN", "abcdefgh-and-more")
    assert redacted("abcdefgh-and-more abcdefgh") == "*** ***"


def test_a_secret_that_is_no_text_is_found_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", os.fsdecode(b"\xff\xfe-bytes-\x80"))
    assert redacted(b"<\xff\xfe-bytes-\x80>") == b"<" + b"*" * 10 + b">"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("postgresql://me:hunter2@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:p@ss@host/db", "postgresql://me:***@host/db"),
        ("redis://:hunter2@host", "redis://:***@host"),
        ("http://a:b@c and http://d:efg@h", "http://a:*@c and http://d:***@h"),
        ("https://ghp_abcdefghijklmnopqrstuv@github.com/a", "https://***@github.com/a"),
        (
            "https://h/p?a=1&access_token=abc&X-Amz-Signature=def#x",
            "https://h/p?a=1&access_token=***&X-Amz-Signature=***#x",
        ),
    ],
)
def test_the_passwords_of_urls_are_left_out_of_any_text(text: str, left: str) -> None:
    assert redacted(text) == left
    assert len(redacted(text.encode())) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8080/npm/@scope/x",
        "ssh://git@github.com:22/a",
        "see http://host:8080, or write to me@host",
        "sqlite:///study.db?timeout=30",
        "a: b@c",
    ],
)
def test_other_urls_stay(text: str) -> None:
    assert redacted(text) == text


def test_the_password_of_a_url_in_the_environment_is_a_secret_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2/with@slash@host/db")
    assert redacted("access denied for hunter2/with@slash") == "access denied for ***"


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": SECRET},
        {"a": {"headers": [{"Authorization": SECRET}]}},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"url": f"https://me:{SECRET}@host"},
        {"url": f"https://host/?a=1&token={SECRET}"},
        {"password": SECRET.encode()},
        f"https://me:{SECRET}@host",
    ],
)
def test_secrets_among_options_are_learned(options: object) -> None:
    assert (learn(options), redacted(f"no {SECRET} here")) == (True, "no *** here")


@pytest.mark.parametrize(
    "options",
    [{"key": "accuracy"}, {"n_tokens": 5}, {"pass_env": ["HF_TOKEN"]}, {"url": "http://host"}, {"password": ""}, None],
)
def test_other_options_hold_no_secret(options: object) -> None:
    assert not learn(options)


@pytest.mark.parametrize("size", range(4, len(SECRET)))
def test_a_secret_that_was_cut_through_is_in_neither_piece(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", SECRET)
    assert trimmed(f"log {SECRET[:size]}".encode(), ends=True) == b"log " + b"*" * size
    assert trimmed(f"{SECRET[-size:]} log".encode(), ends=False) == b"*" * size + b" log"


def test_the_password_of_a_url_that_was_cut_through_is_in_neither_piece() -> None:
    assert trimmed(b"log redis://me:hunt", ends=True) == b"log redis://me:****"
    assert trimmed(b"ter2@host log", ends=False) == b"****@host log"


def test_a_whole_piece_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", SECRET)
    assert [trimmed(b"an email log", ends=ends) for ends in (True, False)] == [b"an email log"] * 2
