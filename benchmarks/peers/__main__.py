"""Run one workload of one contestant in this interpreter, and print its figures as the last line, in JSON.

    python -m benchmarks.peers NAME WORKLOAD ['{"n_trials": 200, "workers": 2}']

A contestant that does not offer what is asked for raises `NotImplementedError`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

_CHECKOUT = str(Path(__file__).parents[2])


def main(name: str, workload: str, arguments: str = "{}") -> None:
    # Whatever the peer starts, wherever, finds this package.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_CHECKOUT, os.environ.get("PYTHONPATH")]))
    adapter = importlib.import_module(f"benchmarks.peers.with_{name}")
    measure = getattr(adapter, workload, None)
    if measure is None:
        raise NotImplementedError(f"{name} has no {workload!r}")
    figures: dict[str, Any] = measure(**json.loads(arguments))
    versions = {library: importlib.metadata.version(library) for library in adapter.LIBRARIES}
    print(f"\n{json.dumps(figures | {'versions': versions})}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
