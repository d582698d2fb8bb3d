"""The record of what was run: only its maker's is used, and no secret is in it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from asyncsweep.cli import record, signing
from asyncsweep.cli.again import env_again
from asyncsweep.errors import ConfigError

OBJECTIVE = {"script": "train.py", "args": ["--a"]}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "asyncsweep"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "d").mkdir()
    return tmp_path / "d"


def written(directory: Path, objective: object = OBJECTIVE) -> record.Record:
    made = record.record_of(objective, Path("/from"), {})
    record.write(directory, made)
    return made


def test_a_record_comes_back(directory: Path) -> None:
    made = written(directory)
    assert record.read(directory) == made
    assert made == record.Record(OBJECTIVE, os.getcwd(), "/from", {}, [])


def test_record_and_key_are_for_their_owner_alone(directory: Path, home: Path) -> None:
    before = os.umask(0)
    try:
        written(directory)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (directory / record.NAME, home / "key", home)]
    assert modes == [0o600, 0o600, 0o700]
    assert os.listdir(home) == ["key"]
    assert os.listdir(directory) == [record.NAME]


@pytest.mark.parametrize("field", ["objective", "folder", "paths_from", "hooks", "secret_env", "version", "signature"])
def test_a_record_with_any_field_changed_is_not_used(directory: Path, field: str) -> None:
    written(directory)
    document = json.loads((directory / record.NAME).read_text())
    document[field] = "m:evil"
    (directory / record.NAME).write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=f"this sweep was recorded elsewhere.*asyncsweep resume {directory} train.py"):
        record.read(directory)


@pytest.mark.parametrize(
    "content", ["", "[]", "3", "{}", '{"signature": 3}', "{" * 10_000, '{"signature": "\ud800"}', None]
)
def test_what_is_no_record_is_not_used(directory: Path, content: str | None) -> None:
    written(directory)
    (directory / record.NAME).unlink()
    if content is not None:
        (directory / record.NAME).write_text(content, errors="surrogatepass")
    with pytest.raises(ConfigError, match="name the objective: asyncsweep resume"):
        record.read(directory)


def test_no_symbolic_link_is_followed_and_no_pipe_waited_for(directory: Path, tmp_path: Path) -> None:
    written(directory)
    os.rename(directory / record.NAME, tmp_path / "other")
    (directory / record.NAME).symlink_to(tmp_path / "other")
    with pytest.raises(ConfigError, match="cannot be read"):
        record.read(directory)
    (directory / record.NAME).unlink()
    os.mkfifo(directory / record.NAME)
    with pytest.raises(ConfigError, match="cannot be read"):
        record.read(directory)


def test_a_key_that_others_could_have_read_is_not_used(directory: Path, home: Path) -> None:
    written(directory)
    (home / "key").chmod(0o640)
    with pytest.raises(
        ConfigError, match=r"cannot be checked: .*key must be a file of your own that nobody else can read"
    ):
        record.read(directory)


def test_without_a_key_nothing_is_checked_and_none_is_made(directory: Path, home: Path) -> None:
    written(directory)
    (home / "key").unlink()
    with pytest.raises(ConfigError, match="cannot be checked: there is no key"):
        record.read(directory)
    assert os.listdir(home) == []


def test_a_short_key_signs_nothing(directory: Path, home: Path) -> None:
    home.mkdir(parents=True, mode=0o700)
    (home / "key").touch(0o600)
    with pytest.raises(signing.NoKey, match="is no key of 32 bytes; delete it"):
        written(directory)
    assert os.listdir(directory) == []


def test_a_second_record_has_the_same_key(directory: Path, home: Path) -> None:
    written(directory)
    key = (home / "key").read_bytes()
    written(directory, "m:f")
    assert (home / "key").read_bytes() == key
    assert record.read(directory).objective == "m:f"


def test_values_of_secret_variables_are_not_kept(directory: Path) -> None:
    made = written(directory, {**OBJECTIVE, "env": {"API_TOKEN": "hunter2hunter2", "THREADS": "1"}})
    assert "hunter2" not in (directory / record.NAME).read_text()
    assert (made.objective["env"], made.secret_env) == ({"THREADS": "1"}, ["API_TOKEN"])


def test_what_is_not_recorded_is_asked_for_when_the_user_is_told_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_API_KEY", "of another account")
    monkeypatch.setenv("API_TOKEN", "hunter2")
    env = {"MY_API_KEY": "x", "OTHER_API_KEY": "y", "API_TOKEN": "hunter2", "MODE": "a b"}
    assert env_again(env, env) == " --env MY_API_KEY=... --env OTHER_API_KEY=... --env 'MODE=a b'"
    assert env_again(env, ()).count("--env") == 4
    assert "hunter2" not in env_again(env, ())
