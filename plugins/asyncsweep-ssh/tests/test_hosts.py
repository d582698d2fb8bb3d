"""The option `hosts`: what it takes, and what it refuses."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from asyncsweep_ssh.executor import SshExecutor
from asyncsweep_ssh.hosts import Host, hosts_of

from asyncsweep import ConfigError


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("gpu1", Host("gpu1")),
        ("gpu1:4", Host("gpu1", slots=4)),
        ("me@gpu1", Host("gpu1", "me")),
        ("me@gpu1.example.org:2", Host("gpu1.example.org", "me", slots=2)),
        ("10.0.0.7:3", Host("10.0.0.7", slots=3)),
        ("fe80::1", Host("fe80::1")),
        ("[fe80::1]:3", Host("fe80::1", slots=3)),
        ({"host": "me@gpu2", "slots": 2, "gpus": "all"}, Host("gpu2", "me", slots=2, gpus="all")),
        ({"host": "gpu2", "user": "me", "port": 2222}, Host("gpu2", "me", 2222)),
        ({"host": "gpu2", "gpus": [0, 1], "env": {"A": "b"}}, Host("gpu2", gpus=("0", "1"), env={"A": "b"})),
        ({"host": "gpu2", "python": "~/env/bin/python"}, Host("gpu2", python="~/env/bin/python")),
    ],
)
def test_what_a_host_may_be(given: Any, host: Host) -> None:
    assert hosts_of([given]) == (host,)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("gpu1", "it must be a list of hosts"),
        ([], "it must be a list of hosts"),
        ([7], "hosts[0]=7: a host is a text or a mapping"),
        ([{"slots": 2}], "hosts[0].host=None"),
        (["gpu1", "gpu1:2"], "hosts[1]='gpu1' is executor.hosts[0] again"),
        (["gpu1:many"], "behind the colon is the number of slots"),
        (["gpu1:0"], "hosts[0].slots=0"),
        ([{"host": "gpu1", "slots": True}], "hosts[0].slots=True"),
        ([{"host": "gpu1", "port": 70000}], "hosts[0].port=70000"),
        ([{"host": "gpu1", "gpus": [0, 0]}], "a list of different numbers or UUIDs"),
        ([{"host": "gpu1", "gpus": "0"}], "hosts[0].gpus='0'"),
        ([{"host": "gpu1", "env": {"A B": "x"}}], "is no name of an environment variable"),
        ([{"host": "gpu1", "env": {"A": 1}}], "hosts[0].env.A: its value must be a text, not int"),
        ([{"host": "gpu1", "python": "-c"}], "hosts[0].python='-c'"),
        ([{"host": "gpu1", "sluts": 2}], "hosts[0].'sluts': unknown"),
        ([{"host": "a@gpu1", "user": "b"}], "the user is named twice"),
    ],
)
def test_what_it_may_not_be(given: Any, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        hosts_of(given)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "given",
    ["me:hunter2222@gpu1", {"host": "gpu1", "password": "hunter2222"}, {"host": "gpu1", "passphrase": "hunter2222"}],
)
def test_a_password_is_refused_and_not_shown(given: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        hosts_of([given])
    assert "password" in str(refused.value)
    assert "hunter2222" not in str(refused.value)


HOSTILE = ["$(touch {})", "`touch {}`", "; touch {} ;", "| touch {}", "\n touch {} \n", "-oProxyCommand=touch {}", "&& touch {}", "' ; touch {} ; '", '" ; touch {} ; "', "x\0y", "../{}", "%h;touch {}"]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_name_of_a_host_or_user_is_a_command(hostile: str, tmp_path: Path) -> None:
    text = hostile.replace("{}", str(tmp_path / "canary"))
    for given in (text, f"me@{text}", f"{text}@gpu1", {"host": text}, {"host": "gpu1", "user": text}):
        with pytest.raises(ConfigError):
            hosts_of([given])


def test_two_hundred_random_texts_are_a_host_or_refused() -> None:
    chosen = random.Random(1)
    for _ in range(200):
        text = "".join(chosen.choice("ab1.:@-[]%$;|&`'\"\\\n\t ~/*é") for _ in range(chosen.randint(1, 12)))
        try:
            (host,) = hosts_of([text])
        except ConfigError:
            continue
        assert not set(host.name + (host.user or "")) & set("$;|&`'\"\n\t ~/*")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"code": ""}, "executor.code=''"),
        ({"code_limit": "many"}, "executor.code_limit='many'"),
        ({"lease": 0.1}, "executor.lease=0.1"),
        ({"connect_timeout": "1"}, "executor.connect_timeout='1'"),
        ({"config": "/no/such/file"}, "executor.config='/no/such/file': there is no such file"),
        ({"pass_env": "HOME"}, "executor.pass_env='HOME'"),
        ({"env": ["A"]}, "executor.env: it must be a mapping"),
    ],
)
def test_a_wrong_option_is_told_with_its_path(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SshExecutor(["gpu1"], **options)
    assert said in str(refused.value)
