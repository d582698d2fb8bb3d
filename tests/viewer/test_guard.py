"""The guard: which names, origins and tokens come in."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.viewer import guard
from asyncsweep.viewer.guard import Admission, Guard, checked_token, guard_of, is_loopback, offered_in

TOKEN = secrets.token_urlsafe(32)
CONTROL = secrets.token_urlsafe(32)
HOST = "localhost:8080"
ORIGIN = "http://localhost:8080"
OFFERED = [f"asyncsweep.token.{TOKEN}", "asyncsweep.v1.json"]


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost:8080", "localhost:8080"),
        ("LocalHost:8080", "localhost:8080"),
        ("127.0.0.1:1", "127.0.0.1:1"),  # the end of a tunnel
        ("localhost", "localhost"),
        ("[::1]:8080", "[::1]:8080"),
        ("lab.example:9000", "lab.example:9000"),
        ("lab.example:9001", None),
        ("any.example:9001", "any.example:9001"),
        ("any.example", "any.example"),
        ("localhost:", None),
        ("localhost:8080:80", None),
        ("localhost:+80", None),
        ("user@localhost:8080", None),
        ("localhost.", None),
        ("localhost.example", None),
        ("evil.example", None),
        ("127.0.0.1.evil.example", None),
        ("127.0.0.2", None),
        ("::1", None),
        ("", None),
        ("localhost\n", None),
        ("\uff4cocalhost", None),
    ],
)
def test_a_host_is_known_or_is_not(host: str, known: str | None) -> None:
    assert Guard(TOKEN, hosts=["lab.example:9000", "any.example"]).host([host]) == known


def test_a_request_has_one_host() -> None:
    assert Guard(TOKEN).host([]) is None
    assert Guard(TOKEN).host([HOST, HOST]) is None


def test_who_brings_the_token_may_look_and_who_brings_both_may_steer() -> None:
    both = Guard(TOKEN, CONTROL)
    assert both.upgrade(HOST, [ORIGIN], OFFERED, is_encrypted=False) == Admission("asyncsweep.v1.json", True, False)
    offered = [f"asyncsweep.control.{CONTROL}", *OFFERED]
    assert both.upgrade(HOST, [ORIGIN], offered, is_encrypted=False) == Admission("asyncsweep.v1.json", True, True)
    wrong = [f"asyncsweep.control.{TOKEN}", *OFFERED]
    assert both.upgrade(HOST, [ORIGIN], wrong, is_encrypted=False) == Admission("asyncsweep.v1.json", True, False)
    nobody = Guard(TOKEN).upgrade(HOST, [ORIGIN], offered, is_encrypted=False)
    assert nobody == Admission("asyncsweep.v1.json", True, False)


def test_the_first_form_that_is_offered_is_taken() -> None:
    offered = ["asyncsweep.v2.json", "asyncsweep.v1.msgpack", *OFFERED]
    found = Guard(TOKEN).upgrade(HOST, [ORIGIN], offered, is_encrypted=False)
    assert found == Admission("asyncsweep.v1.msgpack", False, False)
    assert Guard(TOKEN).upgrade(HOST, [ORIGIN], OFFERED[:1], is_encrypted=False) == guard.NO_SUBPROTOCOL


@pytest.mark.parametrize(
    "offered",
    [
        [],
        ["asyncsweep.v1.json"],
        ["asyncsweep.token.", "asyncsweep.v1.json"],
        [TOKEN, "asyncsweep.v1.json"],
        [f"asyncsweep.token.{TOKEN[:-1]}", "asyncsweep.v1.json"],
        [f"asyncsweep.token.{TOKEN}x", "asyncsweep.v1.json"],
        [f"asyncsweep.token.{CONTROL}", "asyncsweep.v1.json"],
        [f"asyncsweep.control.{TOKEN}", "asyncsweep.v1.json"],
        [f"asyncsweep.token.{TOKEN}", f"asyncsweep.token.{CONTROL}", "asyncsweep.v1.json"],
        [f"ASYNCSWEEP.TOKEN.{TOKEN}", "asyncsweep.v1.json"],
        ["asyncsweep.token.\xff\udcff", "asyncsweep.v1.json"],
    ],
)
def test_without_the_token_nobody_comes_in(offered: list[str]) -> None:
    assert Guard(TOKEN, CONTROL).upgrade(HOST, [ORIGIN], offered, is_encrypted=False) == guard.NO_TOKEN


def test_the_origin_is_looked_at_before_the_token() -> None:
    assert Guard(TOKEN).upgrade(HOST, ["http://evil.example"], [], is_encrypted=False) == guard.WRONG_ORIGIN


def test_the_origin_has_the_scheme_of_the_connection_or_is_one_that_was_told() -> None:
    plain, told = Guard(TOKEN), Guard(TOKEN, origins=["https://lab.example"])
    assert isinstance(plain.upgrade(HOST, ["https://localhost:8080"], OFFERED, is_encrypted=True), Admission)
    assert plain.upgrade(HOST, [ORIGIN], OFFERED, is_encrypted=True) == guard.WRONG_ORIGIN
    assert isinstance(told.upgrade(HOST, ["https://lab.example"], OFFERED, is_encrypted=False), Admission)
    assert told.upgrade(HOST, ["https://lab.example:444"], OFFERED, is_encrypted=False) == guard.WRONG_ORIGIN


def test_an_origin_has_no_default_port_as_a_browser_sends_none() -> None:
    told = Guard(
        TOKEN, origins=["https://lab.example:443", "http://lab.example:80", "http://[::1]:443", "https://a:80"]
    )
    assert told.origins == {"https://lab.example", "http://lab.example", "http://[::1]:443", "https://a:80"}


def test_subprotocols_may_be_in_several_headers() -> None:
    assert offered_in(["a,b , c", "", " d "]) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "token",
    [
        *(secrets.token_urlsafe(n) for n in (16, 32, 64)),
        secrets.token_hex(16),
        secrets.token_hex(16).upper(),
        "".join(secrets.choice("0123456789") for _ in range(39)),
    ],
    ids=["22 characters", "43 characters", "86 characters", "hexadecimal", "in capitals", "digits"],
)
def test_a_token_of_128_bits_is_taken(token: str) -> None:
    assert checked_token("token", token) == token


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "letters, digits"),
        ("letmein", "can hold 18 bits, 128 are needed"),
        ("0123456789012345678901", "can hold 73 bits"),
        ("0123456789abcdef012345", "can hold 88 bits"),
        ("abababababababababababababababababab", "can hold 36 bits"),
        ("has a space that no subprotocol can have", "letters, digits"),
        ("ends-in-a-new-line-as-from-a-file-1234567\n", "letters, digits"),
        ("plus+is+a+space+in+a+fragment+12345678", "letters, digits"),
        ("ümlaut-and-other-letters-0123456789", "letters, digits"),
        ("x0123456789" * 30, "at most 256"),
        (b"0123456789abcdef0123456789abcdef", "a bytes; expected a text"),
        (5, "a int; expected a text"),
    ],
)
def test_a_token_that_can_be_guessed_or_sent_by_nobody_is_refused_and_not_repeated(token: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        guard_of(token, False, None, (), ())
    assert not token or str(token).strip() not in str(caught.value)
    assert "secrets.token_urlsafe(32)" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"control": "yes"}, "control='yes': expected True or False"),
        ({"control_token": CONTROL}, "nobody may steer without control=True"),
        ({"token": TOKEN, "control": True, "control_token": TOKEN}, "the same as token"),
        ({"hosts": "lab.example"}, "hosts='lab.example': expected a list"),
        ({"hosts": ["http://lab.example"]}, "hosts: 'http://lab.example': expected such as 'lab.example:8080'"),
        ({"hosts": ["*"]}, "hosts: '*'"),
        ({"hosts": [5]}, "hosts: 5"),
        ({"origins": ["lab.example"]}, "origins: 'lab.example': expected such as 'https://lab.example'"),
        ({"origins": ["https://lab.example/"]}, "origins:"),
        ({"origins": ["*"]}, "origins:"),
        ({"origins": ["null"]}, "origins: 'null'"),
        ({"origins": 5}, "origins=5: expected a list"),
    ],
)
def test_what_is_no_argument_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        guard_of(**{"token": None, "control": False, "control_token": None, "hosts": (), "origins": (), **options})
    assert said in str(caught.value)


def test_tokens_that_are_made_are_new_each_time_and_never_one() -> None:
    made = [guard_of(None, True, None, (), ()) for _ in range(5)]
    assert len({token for found in made for token in (found.token, found.control_token)}) == 10
    assert made[0].fragment == f"#token={made[0].token}&control={made[0].control_token}"
    assert guard_of(TOKEN, False, None, (), ()).fragment == f"#token={TOKEN}"


def test_addresses_of_the_loopback_interface() -> None:
    assert [is_loopback(item) for item in ("127.0.0.1", "127.9.9.9", "::1")] == [True] * 3
    assert not any(is_loopback(item) for item in ("0.0.0.0", "::", "192.168.0.1", "fe80::1%eth0", "10.0.0.1"))
