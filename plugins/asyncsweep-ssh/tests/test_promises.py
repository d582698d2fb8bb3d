"""S17, S18, S19, S21 over SSH, and what comes back from a host."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from asyncsweep_ssh.executor import SshExecutor
from asyncsweep_ssh.testing import BARE_PYTHON, Keys, Server, loopback

import asyncsweep as sw
from asyncsweep.worker.tree import name_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]
CODE = Path(__file__).parent / "code"


def sweep_of(
    keys: Keys, objective: str, folder: Path | None = None, n_trials: int = 1, host: Any = None, **options: Any
) -> sw.Sweep:
    settings = {key: options.pop(key) for key in ("space", "retries", "concurrency") if key in options}
    executor = SshExecutor(
        [{"host": "near", "python": BARE_PYTHON, "slots": 2, **(host or {})}],
        code=CODE,
        config=str(keys.config),
        **{"lease": 5.0, **options},
    )
    return sw.Sweep(
        objective,
        space=settings.pop("space", {"x": sw.Float(0.0, 1.0)}),
        sampler="random",
        executor=executor,
        n_trials=n_trials,
        directory=folder,
        **{"concurrency": 2, **settings},
    )


@pytest.fixture(autouse=True)
def code_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CODE))


async def test_a_thousand_forgeries_of_a_worker_touch_no_other_attempt(
    keys: Keys, near: Server, tmp_path: Path
) -> None:
    result = await sweep_of(keys, "hostile:forges", n_trials=4).run()
    assert [trial.state for trial in result.trials] == [sw.State.COMPLETE] * 4
    assert [trial.value for trial in result.trials] == [trial.params["x"] for trial in result.trials]
    assert [list(trial.reports) for trial in result.trials] == [[]] * 4
    assert [trial.user_attrs for trial in result.trials] == [{}] * 4


async def test_a_worker_that_speaks_no_messagepack_is_ended(keys: Keys, near: Server) -> None:
    result = await sweep_of(keys, "hostile:breaks").run()
    assert [trial.error.type for trial in result.trials if trial.error] == ["WorkerLost"]


async def test_a_trial_that_is_silent_for_longer_than_the_lease_goes_on(keys: Keys, near: Server) -> None:
    result = await sweep_of(keys, "hostile:is_silent", lease=1.0).run()
    assert [(trial.state, trial.attempt) for trial in result.trials] == [(sw.State.COMPLETE, 1)]


async def test_what_a_trial_started_ends_with_the_agent_and_the_guard_that_were_killed_together(
    keys: Keys, near: Server
) -> None:
    sweep = sweep_of(keys, "hostile:leaves_a_daemon", retries=1, host={"slots": 1})
    async with sweep.start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialReported):
                break
        daemon = run.trials[0].user_attrs["daemon"]
        guards, agents = (pids_of(keys, name) for name in (b"asyncsweep-guar", b"asyncsweep-host"))
        assert (len(guards), len(agents)) == (1, 1)
        os.kill(guards[0], signal.SIGSTOP)
        for pid in (*agents, *guards):
            os.kill(pid, signal.SIGKILL)
        result = await run.result()
    assert [(trial.state, trial.attempt) for trial in result.trials] == [(sw.State.COMPLETE, 2)]
    assert name_of(daemon) != b"sleep"


def pids_of(keys: Keys, name: bytes) -> list[int]:
    """The processes of this name that work in the folder of these tests."""
    found = []
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        if name_of(pid) == name and f"TMPDIR={keys.temporary}".encode() in Path(f"/proc/{pid}/environ").read_bytes():
            found.append(pid)
    return found


async def test_hosts_get_none_of_our_variables_but_those_that_are_named(
    keys: Keys, near: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "canary-canary-1")
    monkeypatch.setenv("MYAPP_MODE", "canary-canary-2")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    result = await sweep_of(
        keys, "hostile:shows", pass_env=["MYAPP_*"], env={"A": "1", "B": "2"}, host={"env": {"B": "$(3) `4`"}}
    ).run()
    found = result.trials[0].user_attrs["environment"]
    assert "WANDB_API_KEY" not in found
    assert "OMP_NUM_THREADS" not in found
    assert {name: found[name] for name in ("MYAPP_MODE", "A", "B")} == {
        "MYAPP_MODE": "canary-canary-2",
        "A": "1",
        "B": "$(3) `4`",
    }
    assert "SSH_AUTH_SOCK" not in found


async def test_our_agent_is_not_forwarded_whatever_the_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(tmp_path)
    with loopback(keys, "near", "ForwardAgent yes"):
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        result = await sweep_of(keys, "hostile:shows").run()
    assert "SSH_AUTH_SOCK" not in result.trials[0].user_attrs["environment"]


HOSTILE = [
    *(
        "$(touch {})",
        "`touch {}`",
        "; touch {};",
        "' ; touch {} ; '",
        '" ; touch {} ; "',
        "\n touch {}\n",
        "| touch {}",
        "&& touch {} &&",
    ),
    *(
        "${{IFS}}touch {}",
        "%(touch {})",
        "{}",
        "../../{}",
        "~/{}",
        "\x1b]0;touch {}\x07",
        "\\$(touch {})",
        "!touch {}",
        "#{}",
        "<(touch {})",
    ),
]


async def test_two_hundred_hostile_values_arrive_as_they_are_and_run_nothing(
    keys: Keys, near: Server, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    texts = [
        hostile.replace("{}", str(canary)) + ("" if n == 0 else f" {n}") for n in range(12) for hostile in HOSTILE
    ][:200]
    sweep = sweep_of(
        keys, "hostile:echoes", tmp_path / "sweep", n_trials=len(texts), space={"text": sw.Categorical(texts)}
    )
    async with sweep.start() as run:
        for text in texts:
            run.enqueue({"text": text})
        result = await run.result()
    assert [trial.user_attrs["text"] for trial in result.trials] == texts
    assert not canary.exists()


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_hostile_path_of_a_python_or_folder_runs_nothing(
    keys: Keys, near: Server, tmp_path: Path, hostile: str
) -> None:
    canary = tmp_path / "canary"
    text = hostile.replace("{}", str(canary))
    for option in ({"python": text}, {"folder": text}):
        with pytest.raises(sw.ConfigError):
            await sweep_of(keys, "hostile:shows", host=option).run()
    assert not canary.exists()


async def test_artifacts_logs_and_checkpoints_come_back_and_checkpoints_go_again(
    keys: Keys, near: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = await sweep_of(keys, "hostile:keeps", tmp_path / "sweep", retries=1).run()
    trial = result.trials[0]
    assert (trial.state, trial.attempt, trial.user_attrs["seen"]) == (sw.State.COMPLETE, 2, ["state-1"])
    folder = tmp_path / "sweep" / "trials" / "0"
    assert (folder / "artifacts" / "model.bin").read_bytes() == bytes(range(256)) * 1000
    assert (folder / "artifacts" / "deep" / "er" / "é.txt").read_text() == "text"
    assert (folder / "artifacts" / "empty").read_bytes() == b""
    assert not (folder / "artifacts" / "link").exists()
    assert "trial 0: 'artifacts/link' is left there: it is neither a file nor a folder" in caplog.text
    assert (folder / "attempt-1.log").read_text() == "attempt 1\n"
    assert (folder / "attempt-2.log").read_text() == "attempt 2\n"
    assert {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*")} == {"0o600", "0o700"}


async def test_what_is_too_large_stays_there_and_is_told(
    keys: Keys, near: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = await sweep_of(keys, "hostile:fills", tmp_path / "sweep", artifact_limit="2MB").run()
    assert result.counts[sw.State.COMPLETE] == 1
    assert [path.name for path in (tmp_path / "sweep" / "trials" / "0" / "artifacts").iterdir()] == ["a-small"]
    assert "'artifacts/b-large' is left there: 3,000,000 bytes" in caplog.text


async def test_a_log_is_capped(keys: Keys, near: Server, tmp_path: Path) -> None:
    await sweep_of(keys, "hostile:prints", tmp_path / "sweep").run()
    log = tmp_path / "sweep" / "trials" / "0" / "attempt-1.log"
    assert 16 * 2**20 <= log.stat().st_size < 16 * 2**20 + 100
    assert b"bytes left out" in log.read_bytes()


async def test_a_jump_host_of_the_configuration_is_used_and_its_key_checked(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    with loopback(keys, "jump") as jump, loopback(keys, "near", "ProxyJump jump") as near:
        result = await sweep_of(keys, "hostile:shows").run()
        assert result.counts[sw.State.COMPLETE] == 1
        assert "Accepted publickey" in jump.log.read_text()
        known = keys.known_hosts.read_text().splitlines()
        keys.known_hosts.write_text("\n".join(line for line in known if f":{jump.port} " not in line) + "\n")
        with pytest.raises(sw.ConfigError, match="jump: its host key is unknown"):
            await sweep_of(keys, "hostile:shows").run()
        assert near.log.read_text().count("Accepted publickey") == 1


FAKE_SMI = """#!/bin/sh
echo "0, GPU-aaaa, 40960, NVIDIA A100"
echo "1, GPU-bbbb, 40960, NVIDIA A100"
"""


@pytest.mark.parametrize(
    ("slots", "gpus", "seen"),
    [
        (None, "all", {"GPU-aaaa", "GPU-bbbb"}),
        (1, "all", {"GPU-aaaa,GPU-bbbb"}),
        (2, [1], {"GPU-bbbb"}),
        (None, ["GPU-bbbb"], {"GPU-bbbb"}),
    ],
)
async def test_gpus_are_dealt_out_by_what_nvidia_smi_lists_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slots: Any, gpus: Any, seen: set[str]
) -> None:
    fake = tmp_path / "bin" / "nvidia-smi"
    fake.parent.mkdir()
    fake.write_text(FAKE_SMI)
    fake.chmod(0o700)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    keys = Keys(tmp_path)
    with loopback(keys):
        result = await sweep_of(keys, "hostile:shows", n_trials=8, host={"slots": slots, "gpus": gpus}).run()
    environments = [trial.user_attrs["environment"] for trial in result.trials]
    assert {environment["CUDA_VISIBLE_DEVICES"] for environment in environments} == seen
    assert {environment["CUDA_DEVICE_ORDER"] for environment in environments} == {"PCI_BUS_ID"}


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ({"gpus": [7]}, "near: gpus: there is no '7'; nvidia-smi lists 0 (NVIDIA A100), 1 (NVIDIA A100)"),
        ({"gpus": "all", "slots": 3}, "near: 2 GPUs cannot be dealt out to 3 slots"),
    ],
)
async def test_gpus_that_are_not_there_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: dict[str, Any], said: str
) -> None:
    fake = tmp_path / "bin" / "nvidia-smi"
    fake.parent.mkdir()
    fake.write_text(FAKE_SMI)
    fake.chmod(0o700)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    keys = Keys(tmp_path)
    with loopback(keys), pytest.raises(sw.ConfigError) as failed:
        await sweep_of(keys, "hostile:shows", host=host).run()
    assert said in str(failed.value)


async def test_no_nvidia_smi_is_told(keys: Keys, near: Server) -> None:
    with pytest.raises(sw.ConfigError, match="near: gpus='all': there is no nvidia-smi"):
        await sweep_of(keys, "hostile:shows", host={"gpus": "all"}).run()
