"""`python -m benchmarks`: what it lists, refuses, measures, writes. Called as a function here, as a program where that matters."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import workloads
from benchmarks.__main__ import main
from benchmarks.harness.environments import ROOT

Out = pytest.CaptureFixture[str]


def refusal_of(*arguments: str, capsys: Out) -> str:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_it_lists_every_workload_with_what_it_is_and_the_peers(capsys: Out) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert [name for name in workloads.names() if f"\n{name} " not in f"\n{out}"] == []
    assert "peers: " in out and "optuna" in out.splitlines()[-1]


def test_every_workload_says_who_it_is() -> None:
    for name in workloads.names():
        workload = workloads.named(name)
        assert workload.name == name and workload.about and workload.notes and workload.default_repetitions > 0


def test_an_unknown_workload_is_answered_with_the_nearest(capsys: Out) -> None:
    assert main(["run", "overhaed"]) == 2
    assert "no workload 'overhaed'; overhead?" in capsys.readouterr().err


def test_an_unknown_peer_is_answered_with_the_known_ones(capsys: Out) -> None:
    assert "no peer 'optina'; there are" in refusal_of("run", "pruners", "--peers", "optina", capsys=capsys)


def test_zero_repetitions_are_refused(capsys: Out) -> None:
    assert "0 is not at least 1" in refusal_of("run", "pruners", "--repetitions", "0", capsys=capsys)


def test_an_unknown_backend_is_refused_with_the_known_ones(capsys: Out) -> None:
    assert "trio" in refusal_of("run", "pruners", "--backend", "curio", capsys=capsys)


def test_a_file_that_is_no_run_is_refused_by_its_name(tmp_path: Path, capsys: Out) -> None:
    file = tmp_path / "other.json"
    file.write_text("{}")
    assert main(["compare", str(file), str(file)]) == 2
    assert str(file) in capsys.readouterr().err


def test_a_run_is_printed_and_written_as_a_program(tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "run",
        "pruners",
        "--quick",
        "--peers",
        "optuna",
        "--json",
        str(file),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    written = json.loads(file.read_text(encoding="utf-8"))
    assert (written["format"], written["setting"]["peers"], written["setting"]["is_quick"]) == (1, ["optuna"], True)
    found = written["workloads"]["pruners"]
    keys = [
        f"{name}_{size}{what}"
        for name in ("median", "asha")
        for size in (50, 100)
        for what in ("", "_optuna", "_ratio")
    ]
    assert {key: len(figure["samples"]) for key, figure in found["figures"].items()} == dict.fromkeys(keys, 1)
    assert [(goal["figure"], goal["at_least"]) for goal in found["goals"]] == [
        ("median_100_ratio", 20),
        ("asha_100_ratio", 20),
    ]
    lines = done.stdout.splitlines()
    assert [
        one["label"] for one in found["figures"].values() if not any(line.startswith(one["label"]) for line in lines)
    ] == []
    assert sum(line.endswith(("  yes", "  NO")) for line in lines) == 2
    assert "\x1b" not in done.stdout


def test_a_peer_whose_environment_cannot_be_made_is_a_line_and_the_status_is_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    from benchmarks.harness import contestants, environments

    peers = tmp_path / "peers"
    peers.mkdir()
    (peers / "with_broken.py").write_text("def pruners(): ...\n")
    for module in (contestants, environments):
        monkeypatch.setattr(module, "PEERS", peers)
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    assert main(["run", "pruners", "--quick", "--peers", "broken"]) == 1
    out = capsys.readouterr().out
    assert "failed: peer broken: its environment cannot be made: there is no peers/broken.txt" in out
    assert "median, 50 trials" in out
