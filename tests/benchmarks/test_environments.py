"""Environments of peers: where they are, when they are made anew, what a failure says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness import environments
from benchmarks.harness.environments import EnvironmentFailed, cache, interpreter, place


@pytest.fixture
def peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for pins; environments are made beside it."""
    folder = tmp_path / "peers"
    folder.mkdir()
    monkeypatch.setattr(environments, "PEERS", folder)
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setenv(environments.CACHE_VARIABLE, str(tmp_path / "environments"))
    return folder


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would be run: nothing is, but the folder is made."""
    run: list[list[str]] = []

    def do(command: list[str]) -> None:
        run.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True)

    monkeypatch.setattr(environments, "_do", do)
    return run


def test_a_place_tells_pins_and_python(tmp_path: Path) -> None:
    first = place("ray", "ray==2.60.0\n", tmp_path, "3.11")
    assert first.parent == tmp_path and first.name.startswith("ray-")
    assert first == place("ray", "ray==2.60.0\n", tmp_path, "3.11")
    others = [place("ray", "ray==2.61.0\n", tmp_path, "3.11"), place("ray", "ray==2.60.0\n", tmp_path, "3.12")]
    assert len({first, *others}) == 3


def test_the_cache_is_in_the_checkout_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(environments.CACHE_VARIABLE, raising=False)
    assert cache() == environments.ROOT / "build" / "benchmark-environments"
    monkeypatch.setenv(environments.CACHE_VARIABLE, str(tmp_path))
    assert cache() == tmp_path


def test_an_environment_is_made_once(peers: Path, commands: list[list[str]]) -> None:
    (peers / "ray.txt").write_text("ray==2.60.0\n")
    told: list[str] = []
    python = interpreter("ray", told.append)
    assert python.parts[-2:] == ("bin", "python")
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"]]
    assert commands[1][-2:] == ["-r", str(peers / "ray.txt")]
    assert interpreter("ray", told.append) == python
    assert (len(commands), len(told)) == (2, 1)


def test_changed_pins_make_another_one(peers: Path, commands: list[list[str]]) -> None:
    (peers / "ray.txt").write_text("ray==2.60.0\n")
    before = interpreter("ray")
    (peers / "ray.txt").write_text("ray==2.61.0\n")
    assert interpreter("ray") != before and len(commands) == 4


def test_one_that_was_not_finished_is_made_again(peers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (peers / "ray.txt").write_text("ray==2.60.0\n")
    attempts: list[bool] = []

    def make(folder: Path, python: Path, pins: Path) -> None:
        attempts.append(True)
        if len(attempts) == 1:
            raise EnvironmentFailed("the network is away")

    monkeypatch.setattr(environments, "_make", lambda folder, *rest: (folder.mkdir(exist_ok=True), make(folder, *rest)))
    with pytest.raises(EnvironmentFailed, match="the network is away"):
        interpreter("ray")
    interpreter("ray")
    assert len(attempts) == 2


def test_what_pip_says_first_is_the_reason() -> None:
    said = "import sys; print('WARNING: old\\nERROR: no such version\\nERROR: more', file=sys.stderr); sys.exit(1)"
    with pytest.raises(EnvironmentFailed, match=r"^ERROR: no such version$"):
        environments._do([environments.sys.executable, "-c", said])
