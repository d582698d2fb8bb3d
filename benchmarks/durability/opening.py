"""A process of its own that opens one large search, and says how long that took and how much memory it needs.

    python -m benchmarks.durability.opening sweep|journal_storage|sqlite PATH SMALL

A small search of the same kind is opened first, so that what is imported and made once is in no figure. Opening is what a resumed
search does before it can ask: a sweep reads its journal and replays it; Optuna loads the study with all of its trials. Memory is what the system counts for the process, so freed memory that Python keeps is in it.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

STATUS = Path("/proc/self/status")
ROOT = Path(__file__).parents[2]


class Opened(NamedTuple):
    """What opening took.

    Attributes:
        seconds: From the call until every trial is known.
        peak: How many bytes more the process had in memory at most.
        resident: How many bytes more it has afterwards.
        n_trials: How many trials it found.
    """

    seconds: float
    peak: float
    resident: float
    n_trials: int


def opened(kind: str, path: Path, small: Path, timeout_s: float) -> Opened:
    """Open it in a fresh process, after a small one."""
    command = [sys.executable, "-m", "benchmarks.durability.opening", kind, str(path), str(small)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=timeout_s, check=True, cwd=ROOT)
    return Opened(**json.loads(done.stdout.splitlines()[-1]))


def _open_sweep() -> Callable[[Path], int]:
    import anyio

    from asyncsweep.driver.replay import earlier_one

    def open_it(path: Path) -> int:
        journal, machine = anyio.run(earlier_one(path, None).opened)
        kept.append((journal, machine))
        return len(machine.trials)

    return open_it


def _open_study(kind: str) -> Callable[[Path], int]:
    import optuna
    from optuna.storages import BaseStorage, JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    from benchmarks.durability.files import STUDY

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def open_it(path: Path) -> int:
        storage: BaseStorage
        if kind == "journal_storage":
            storage = JournalStorage(JournalFileBackend(str(path)))
        else:
            storage = RDBStorage(f"sqlite:///{path}")
        study = optuna.load_study(study_name=STUDY, storage=storage)
        kept.append(study)
        return len(study.get_trials(deepcopy=False))

    return open_it


kept: list[object] = []
"""What was opened, so that it is still there when memory is looked at."""


def _memory(field: str) -> int:
    """Bytes, as Linux counts them for this process."""
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{STATUS} has no {field}")


def _measured(open_it: Callable[[Path], int], path: Path, small: Path) -> Opened:
    open_it(small)
    gc.collect()
    before = _memory("VmRSS")
    began_at = time.perf_counter()
    n_trials = open_it(path)
    seconds = time.perf_counter() - began_at
    gc.collect()
    return Opened(seconds, _memory("VmHWM") - before, _memory("VmRSS") - before, n_trials)


def main() -> None:
    kind = sys.argv[1]
    open_it = _open_sweep() if kind == "sweep" else _open_study(kind)
    print(json.dumps(_measured(open_it, *map(Path, sys.argv[2:]))._asdict()))


if __name__ == "__main__":
    main()
