"""What the tests send to hosts. It notes each attempt in a folder that all "hosts" share, for they are one machine."""

import os
import time
from pathlib import Path


def noted(trial):
    """Takes as long as NOTED_S says, in steps. Each time that it begins is a line of its note.

    The trials from number GATED on, where that is given, wait until there is a file `go` before they end.
    """
    folder = Path(os.environ["NOTES"])
    note = folder / f"{trial.number}-{trial.attempt}"
    with note.open("a") as lines:
        lines.write(f"{os.getpid()} {os.environ.get('SSH_CONNECTION', '')}\n")
    for step in range(10):
        trial.report(trial.params["x"], step)
        time.sleep(float(os.environ.get("NOTED_S", "0.2")) / 10)
    if trial.number >= int(os.environ.get("GATED", "1000000")):
        while not (folder / "go").exists():
            time.sleep(0.01)
    note.with_suffix(".end").touch()
    return trial.params["x"]


def waits(trial):
    """Prints, says nothing else until a file is there, and prints again."""
    print("begun")
    while not os.path.exists(trial.params["file"]):
        time.sleep(0.01)
    print("gone on")
    return 0.0
