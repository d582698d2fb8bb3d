"""What a host may have wrong: each is told with its name and what to do, by a real sshd where it is about one."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest
from asyncsweep_ssh.executor import SshExecutor
from asyncsweep_ssh.testing import BARE_PYTHON, Keys, Server, free_port, loopback, make_key

import asyncsweep as sw

pytestmark = pytest.mark.anyio
OBJECTIVE = "asyncsweep.testing.objectives:doubles"


async def result_of(keys: Keys, *hosts: object, **options: object) -> sw.Result:
    settings = {"connect_timeout": 3.0, "lease": 3.0, **options}
    executor = SshExecutor(list(hosts), config=str(keys.config), **settings)  # type: ignore[arg-type]
    sweep = sw.Sweep(OBJECTIVE, space={"x": sw.Float(0.0, 1.0)}, sampler="random", executor=executor, n_trials=2)
    return await sweep.run()


async def fault_of(keys: Keys, host: object, **options: object) -> str:
    """What the sweep says of a host that is its only one."""
    with pytest.raises(sw.ConfigError) as failed:
        await result_of(keys, host, **options)
    return str(failed.value)


def fingerprint_of(key: Path) -> str:
    public = key.with_suffix(".pub")
    said = subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True).stdout
    return said.split()[1]


def mount(small: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")


def unmount(small: Path) -> None:
    subprocess.run(["umount", str(small)], check=True)


@pytest.fixture
def own(keys: Keys, tmp_path: Path) -> Keys:
    """A configuration of this test alone."""
    return Keys(tmp_path)


async def test_an_unknown_host_key_is_refused_and_shown(own: Keys) -> None:
    with loopback(own) as server:
        own.known_hosts.write_text("")
        said = await fault_of(own, "near")
        shown = fingerprint_of(server.host_key)
    assert "near: its host key is unknown" in said
    assert shown in said
    assert "`ssh near`" in said


async def test_a_changed_host_key_is_refused_with_the_way_to_remove_the_old_one(own: Keys) -> None:
    with loopback(own) as server:
        make_key(own.folder / "another")
        public = (own.folder / "another.pub").read_text()
        own.known_hosts.write_text(f"[{server.address}]:{server.port} {public}")
        said = await fault_of(own, "near")
    assert "near: its host key has CHANGED" in said
    assert f"ssh-keygen -R '[{server.address}]:{server.port}'" in said


@pytest.mark.parametrize(
    "line", ["UserKnownHostsFile none", "UserKnownHostsFile /dev/null", "StrictHostKeyChecking no"]
)
async def test_no_line_of_the_configuration_lets_an_unknown_key_through(own: Keys, line: str) -> None:
    with loopback(own) as server:
        own.known_hosts.write_text("")
        own.config.write_text(f"Host near\n  {line}\n" + own.config.read_text())
        said = await fault_of(own, "near")
        assert "its host key is unknown" in said
        assert "Accepted" not in server.log.read_text()


async def test_a_key_that_is_not_accepted_is_told(own: Keys) -> None:
    with loopback(own) as server:
        (server.log.parent / "authorized_keys").write_text("")
        said = await fault_of(own, "near")
    assert "near: it accepts none of our keys" in said
    assert "ssh-copy-id near" in said


async def test_no_python_is_told(keys: Keys, near: Server) -> None:
    said = await fault_of(keys, {"host": "near", "python": "~/nowhere/bin/python"})
    assert "near: there is no '~/nowhere/bin/python'" in said
    assert "install Python >= 3.10, or name it" in said


async def test_an_old_python_is_told_with_its_version(keys: Keys, near: Server, tmp_path: Path) -> None:
    old = tmp_path / "old python"
    old.write_text(
        f'#!/bin/sh\nshift; code=$1; shift; exec {BARE_PYTHON} -c "import sys; sys.version_info = (3, 8, 18); $code" "$@"'
    )
    old.chmod(0o700)
    said = await fault_of(keys, {"host": "near", "python": str(old)})
    assert f"near: {BARE_PYTHON} is Python 3.8.18, and 3.10 or later is needed" in said


async def test_an_old_python3_gives_way_to_a_newer_one(own: Keys, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").write_text(
        f'#!/bin/sh\nshift; code=$1; shift; exec {BARE_PYTHON} -c "import sys; sys.version_info = (3, 8, 18); $code" "$@"'
    )
    (folder / "python3").chmod(0o700)
    for name in ("python3.14", "python3.13", "python3.12", "python3.11", "python3.10"):
        (folder / name).symlink_to(BARE_PYTHON)
    server = Server(own, "mixed", environment="")
    config = server.log.parent / "sshd_config"
    server.stop()
    config.write_text(
        "\n".join(line for line in config.read_text().splitlines() if "SetEnv" not in line)
        + f"\nSetEnv PATH={folder}:/usr/bin:/bin TMPDIR={own.temporary}\n"
    )
    server.start()
    try:
        own.add("mixed", server.address, server.port, server.host_key)
        result = await result_of(own, "mixed")
    finally:
        server.stop()
    assert result.counts[sw.State.COMPLETE] == 2


async def test_a_full_disk_is_told_with_the_folder(keys: Keys, near: Server, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount(small)
    try:
        said = await fault_of(keys, {"host": "near", "folder": str(small)})
        assert list(small.iterdir()) == []
    finally:
        unmount(small)
    assert f"near: {small} cannot be written: No space left on device" in said
    assert '"folder": "/scratch"' in said


async def test_a_folder_that_is_not_there_is_told(keys: Keys, near: Server) -> None:
    said = await fault_of(keys, {"host": "near", "folder": "/nowhere"})
    assert "near: /nowhere cannot be written: No such file or directory" in said


async def test_a_host_that_refuses_is_told(own: Keys) -> None:
    own.add("shut", "127.0.0.1", free_port(), None)
    assert "shut: it refuses the connection: does sshd run there" in await fault_of(own, "shut")


async def test_a_host_that_does_not_answer_is_told(own: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        own.add("silent", "127.0.0.1", silent.getsockname()[1], None)
        said = await fault_of(own, "silent", connect_timeout=0.5)
    assert "silent: no answer within 0.5 s" in said


async def test_no_route_is_told(own: Keys) -> None:
    own.add("far", "255.255.255.255", 22, None)
    said = await fault_of(own, "far")
    assert "far: " in said


async def test_a_name_that_nobody_knows_is_told(own: Keys) -> None:
    own.add("typo", "no-such-host.invalid", 22, None)
    assert "typo: there is no such name" in await fault_of(own, "typo")


async def test_an_objective_that_cannot_be_imported_there_is_told(
    keys: Keys, near: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def f(x): return x")
    monkeypatch.syspath_prepend(str(tmp_path))
    executor = SshExecutor([{"host": "near", "python": BARE_PYTHON}], config=str(keys.config))
    sweep = sw.Sweep("only_here:f", space={"x": sw.Float(0.0, 1.0)}, sampler="random", executor=executor, n_trials=1)
    with pytest.raises(sw.ConfigError, match=r"No module named 'only_here'.*code=\"[.]\""):
        await sweep.run()


async def test_a_module_that_makes_a_sweep_when_it_is_imported_is_told(
    keys: Keys, near: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = Path(__file__).parent / "code"
    monkeypatch.syspath_prepend(str(code))
    executor = SshExecutor([{"host": "near", "python": BARE_PYTHON}], code=code, config=str(keys.config))
    sweep = sw.Sweep(
        "with_sweep:objective", space={"x": sw.Float(0.0, 1.0)}, sampler="random", executor=executor, n_trials=1
    )
    with pytest.raises(sw.ConfigError) as failed:
        await sweep.run()
    said = str(failed.value)
    assert "near: the objective cannot be loaded there: ModuleNotFoundError: No module named 'asyncsweep.sweep'" in said
    assert 'put the rest under `if __name__ == "__main__":`, or the objective into a module of its own' in said
    assert "install it there" not in said


async def test_a_login_shell_that_prints_is_no_hindrance(own: Keys, tmp_path: Path) -> None:
    with loopback(own) as server:
        config = server.log.parent / "sshd_config"
        server.stop()
        config.write_text(
            config.read_text() + 'ForceCommand echo welcome; echo; echo to the host; eval "$SSH_ORIGINAL_COMMAND"\n'
        )
        server.start()
        result = await result_of(own, {"host": "near", "python": BARE_PYTHON})
    assert result.counts[sw.State.COMPLETE] == 2


async def test_one_bad_host_does_not_stop_the_sweep(keys: Keys, near: Server, caplog: pytest.LogCaptureFixture) -> None:
    good = {"host": "near", "python": BARE_PYTHON}
    bad = {"host": "near", "user": "nobody-of-this-name"}
    result = await result_of(keys, good, bad)
    assert result.counts[sw.State.COMPLETE] == 2
    assert "the sweep goes on without a host: nobody-of-this-name@near: it accepts none of our keys" in caplog.text


async def test_all_bad_hosts_end_the_sweep_with_all_reasons(own: Keys) -> None:
    own.add("shut", "127.0.0.1", free_port(), None)
    own.add("typo", "no-such-host.invalid", 22, None)
    with pytest.raises(sw.ConfigError) as failed:
        await result_of(own, "shut", "typo")
    assert "shut: it refuses" in str(failed.value)
    assert "typo: there is no such name" in str(failed.value)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_trio_is_refused_in_words(anyio_backend: str) -> None:
    executor = SshExecutor(["gpu1"])
    sweep = sw.Sweep(OBJECTIVE, space={"x": sw.Float(0.0, 1.0)}, executor=executor, n_trials=1, sampler="random")
    with pytest.raises(sw.ConfigError, match="executor='ssh' rests on asyncssh, which needs asyncio"):
        await sweep.run()
