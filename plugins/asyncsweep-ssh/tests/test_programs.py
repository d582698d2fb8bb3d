"""Scripts and commands on hosts: what is in the code that was sent is found there by its place in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from asyncsweep_ssh.executor import SshExecutor
from asyncsweep_ssh.testing import BARE_PYTHON, Keys, Server

import asyncsweep as sw
from asyncsweep.worker import elsewhere

CODE = Path(__file__).parent / "code"
SCRIPTS = CODE / "scripts"


async def result_of(keys: Keys, objective: object, folder: Path, code: Path | None = CODE) -> sw.Result:
    executor = SshExecutor([{"host": "near", "python": BARE_PYTHON}], code=code, config=str(keys.config))
    space = {"lr": sw.Float(0.0, 1.0)}
    sweep = sw.Sweep(objective, space, sampler="random", executor=executor, n_trials=2, directory=folder)  # type: ignore[arg-type]
    return await sweep.run()


def printed(folder: Path) -> list[str]:
    return (folder / "trials" / "0" / "attempt-1.log").read_text().splitlines()


@pytest.mark.anyio
@pytest.mark.parametrize("link", [False, True])
async def test_a_script_in_the_code_is_run_there_with_what_is_beside_it(
    keys: Keys, near: Server, tmp_path: Path, link: bool
) -> None:
    code = CODE
    if link:
        code = tmp_path / "link"
        code.symlink_to(CODE)
    script = sw.Script(code / "scripts" / "train.py", metric="loss", cwd=code / "scripts")
    result = await result_of(keys, script, tmp_path / "sweep", code)
    assert [trial.value for trial in result.trials] == [2 * trial.params["lr"] for trial in result.trials]
    file, folder = printed(tmp_path / "sweep")
    assert file.startswith(f"{keys.temporary}/asyncsweep-ssh-")
    assert (file, folder) == (f"{folder}/train.py", str(Path(file).parent))


@pytest.mark.anyio
async def test_a_command_begins_in_the_folder_of_the_code_that_is_its_own(
    keys: Keys, near: Server, tmp_path: Path
) -> None:
    command = sw.Command(["./train.sh", "{lr}"], cwd=SCRIPTS)
    result = await result_of(keys, command, tmp_path / "sweep")
    assert [trial.value for trial in result.trials] == [trial.params["lr"] for trial in result.trials]
    assert printed(tmp_path / "sweep")[0].startswith(f"{keys.temporary}/asyncsweep-ssh-")


@pytest.mark.anyio
async def test_a_script_that_is_not_sent_is_told(keys: Keys, near: Server, tmp_path: Path) -> None:
    hosts_only = tmp_path / "elsewhere.py"  # this machine is the host: it goes before anybody there looks for it
    for code, mend in ((None, 'send the folder that it is in, by code="."'), (CODE, f"which is {CODE}")):
        hosts_only.write_text("loss = 0.0\n")
        script = sw.Script(hosts_only, metric="loss")
        hosts_only.unlink()
        with pytest.raises(sw.ConfigError) as failed:
            await result_of(keys, script, tmp_path / f"sweep-{code is None}", code)
        assert f"near: the objective cannot be loaded there: ConfigError: Script('{hosts_only}')" in str(failed.value)
        assert f"there is no file {hosts_only} on this host" in str(failed.value)
        assert mend in str(failed.value)


def test_paths_in_the_code_are_moved_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert elsewhere.moved("/me/code/a.py") == "/me/code/a.py"
    for name, value in elsewhere.told(["/me/code", "/data/code"], "/tmp/x/code").items():
        monkeypatch.setenv(name, value)
    paths = ["/me/code/a.py", "/data/code/b/c.py", "/me/code", "/me/code2/a.py", "/me/a.py", "a.py"]
    assert [elsewhere.moved(path) for path in paths] == [
        "/tmp/x/code/a.py",
        "/tmp/x/code/b/c.py",
        "/tmp/x/code",
        "/me/code2/a.py",
        "/me/a.py",
        "a.py",
    ]


def test_what_gitignore_left_out_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in elsewhere.told(["/me/code"], str(tmp_path)).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(sw.ConfigError, match=r"does [.]gitignore leave it out"):
        elsewhere.moved_file("Script('x')", "/me/code/build/train.py")
