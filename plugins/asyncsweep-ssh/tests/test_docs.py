"""What docs/ssh.md shows is run, and what it lists is what there is."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

from asyncsweep_ssh.executor import SshExecutor
from asyncsweep_ssh.hosts import KEYS
from asyncsweep_ssh.testing import Keys, Server

PAGE = Path(__file__).parents[3] / "docs" / "ssh.md"


def blocks() -> dict[str, str]:
    """The files that the page shows, by the names in their first lines."""
    found = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return dict(found)


def test_the_first_sweep_of_the_page_runs(keys: Keys, near: Server, tmp_path: Path) -> None:
    files = blocks()
    assert list(files) == ["train.py", "sweep.py"]
    hosts = '"hosts": ["gpu1:4", "me@gpu2:2"]'
    assert hosts in files["sweep.py"]
    files["sweep.py"] = files["sweep.py"].replace(hosts, f'"hosts": ["near:6"], "config": "{keys.config}"')
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "sweep.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "'lr'" in done.stdout


def test_the_page_lists_every_option_and_every_key_of_a_host() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", PAGE.read_text(), re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    options = list(inspect.signature(SshExecutor).parameters)
    assert sorted(listed) == sorted([*KEYS, *options])
