"""Promise S18: no parameter, path or name of one is ever run; a program gets every value unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.errors import TrialError
from asyncsweep.worker.arguments import STYLES, arguments
from tests.promises import hostile
from tests.worker.attempts import Attempt

# Writes what it got to the file that `OUT` names.
PROBE = """
import json, os, sys
with open(os.environ["OUT"], "w") as file:
    variables = {name: value for name, value in os.environ.items() if name.startswith("V_")}
    json.dump([sys.argv[1:], variables, json.loads(os.environ.get("ASYNCSWEEP_PARAMS", "{}"))], file)
print('{"value": 1}')
"""


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The working folder is a new one; nothing may make the file `canary` there or beside it."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield tmp_path / "canary"
    found = [path for path in (tmp_path / "canary", *tmp_path.rglob("canary")) if path.exists()]
    assert found == []


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    path = tmp_path / "probe.py"
    path.write_text(PROBE)
    return path


def reporting(probe: Path) -> None:
    """Make it a script of `sw.Script`."""
    probe.write_text(PROBE + "import asyncsweep\nasyncsweep.finish(1)\n")


def probed(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "out").read_text())


def test_there_are_200_hostile_values_of_which_many_would_make_the_canary(canary: Path) -> None:
    values = hostile.values(str(canary))
    assert len(values) >= 200
    assert sum("touch" in value for value in values) >= 100


def test_a_shell_would_make_the_canary(tmp_path: Path) -> None:
    """What the other tests look for can happen."""
    for number, value in enumerate(hostile.values("canary")[:3]):
        (tmp_path / str(number)).mkdir()
        subprocess.run(f"true {value}", shell=True, cwd=tmp_path / str(number), check=False, capture_output=True)
        assert os.listdir(tmp_path / str(number)) == ["canary"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_values_reach_a_command_unchanged_in_arguments_and_environment(
    tmp_path: Path, canary: Path, probe: Path
) -> None:
    """Through a whole sweep: space, journal, link, worker, program."""
    space: dict[str, Any] = {f"v{place}": value for place, value in enumerate(hostile.values(str(canary)))}
    passed = [name for name, value in space.items() if "\0" not in value]
    command = sw.Command(
        [sys.executable, str(probe), *(f"{{{name}}}" for name in passed), *(f"--{name}={{{name}}}" for name in passed)],
        env={"OUT": f"{tmp_path}/out", **{f"V_{name}": f"{{{name}}}" for name in passed}},
    )
    result = await sw.Sweep(
        command, space, sampler="random", n_trials=1, executor="process", directory=tmp_path / "sweep"
    ).run()
    assert [str(trial.error) for trial in result.trials if trial.error] == []
    argv, variables, params = probed(tmp_path)
    assert argv == [space[name] for name in passed] + [f"--{name}={space[name]}" for name in passed]
    assert variables == {f"V_{name}": space[name] for name in passed}
    assert params == space


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("style", STYLES)
async def test_values_reach_a_script_unchanged(tmp_path: Path, canary: Path, probe: Path, style: str) -> None:
    values = [value for value in hostile.values(str(canary)) if "\0" not in value and value != "???"]
    space: dict[str, Any] = {f"v{place}": value for place, value in enumerate(values)}
    reporting(probe)
    script = sw.Script(probe, style=style, env={"OUT": f"{tmp_path}/out"})
    result = await sw.Sweep(script, space, sampler="random", n_trials=1, executor="process").run()
    assert [str(trial.error) for trial in result.trials if trial.error] == []
    assert probed(tmp_path)[0] == arguments(space, style)


def test_a_value_that_no_argument_can_be_is_an_error_of_its_trial(canary: Path) -> None:
    values = [value for value in hostile.values(str(canary)) if "\0" in value]
    for value in values:
        for command in (sw.Command(["sh", "{v}"]), sw.Command(["sh"], env={"V": "{v}"}), sw.Command(["sh"], cwd="{v}")):
            with pytest.raises(TrialError, match="has a NUL character"):
                command(Attempt({"v": value}))
    assert len(values) >= 3


@pytest.mark.parametrize("style", STYLES)
def test_values_are_arguments_of_each_style_unchanged(tmp_path: Path, canary: Path, probe: Path, style: str) -> None:
    values = [value for value in hostile.values(str(canary)) if "\0" not in value]
    params = {f"v{place}": value for place, value in enumerate(values) if value != "???" or style != "name=value"}
    given = arguments(params, style)
    subprocess.run([sys.executable, probe, *given], env={**os.environ, "OUT": f"{tmp_path}/out"}, check=True)
    argv = probed(tmp_path)[0]
    if style == "--name value":
        assert argv == [part for name, value in params.items() for part in (f"--{name}", value)]
    elif style == "--name=value":
        assert argv == [f"--{name}={value}" for name, value in params.items()]
    else:
        assert argv == given
        assert _read_by_hydra(argv) == params


def _read_by_hydra(argv: list[str]) -> dict[str, Any]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    parser = OverridesParser.create()
    config = OmegaConf.create({})
    for override in parser.parse_overrides(argv):
        OmegaConf.update(config, str(override.key_or_group), override.value())
    return dict(config)  # type: ignore[call-overload]


def test_names_of_parameters_are_text_too(tmp_path: Path, canary: Path, probe: Path) -> None:
    names = [name for name in hostile.values(str(canary)) if not {"\0", "{", "}"} & set(name) and name]
    params = {name: place for place, name in enumerate(names)}
    command = sw.Command([sys.executable, probe, *(f"{{{name}}}" for name in names)], env={"OUT": f"{tmp_path}/out"})
    command.check(names)
    command(Attempt(params, metrics=("value",)))
    argv, _, seen = probed(tmp_path)
    assert (argv, seen) == ([str(place) for place in range(len(names))], params)


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.deep)])
def test_folders_and_files_may_have_any_name(tmp_path: Path, canary: Path, every: int) -> None:
    """As the trial's folder, as the folder in which the program runs, and as the file of its result."""
    names = hostile.names(str(canary))
    assert len(names) >= 100
    parent = tmp_path / "folders"
    parent.mkdir()
    for name in names[::every]:
        folder = parent / name
        folder.mkdir()
        command = sw.Command(
            ["sh", "-c", 'pwd -P > here; printf 7 > "$1"', "sh", "{trial_dir}/{name}.txt"],
            reports=None,
            result_file="{trial_dir}/{name}.txt",
            cwd=folder,
        )
        assert command(Attempt({"name": name}, folder=folder)) == {"loss": 7.0}, name
        assert (folder / "here").read_bytes().rstrip(b"\n") == os.fsencode(folder).rstrip(b"\n"), name
