"""Objectives that do what they should not; they run in a worker on a host."""

import os
import random
import socket
import time

import msgpack


def forges(trial):
    """Says a thousand things about attempts that are not its own, and things that are no messages' shape, over its own link."""
    link = trial._port._link
    chosen = random.Random(trial.number)
    for _ in range(1000):
        tag = chosen.choice((13, 16, 17, 20, 21, 22, 23, 31, 99, 108))
        secret = chosen.choice((0, 1, -1, chosen.getrandbits(63)))
        if tag == 108:
            continue
        body = chosen.choice(([5, 0.0, None], [{"value": -1.0}], ["x", 1], [], [None], [[["E", "forged", "", []]]]))
        with link._lock:
            link._sock.sendall(msgpack.packb([tag, secret, *body]))
    return trial.params["x"]


def breaks(trial):
    """Sends what is no message."""
    link = trial._port._link
    with link._lock:
        link._sock.sendall(b"\xc1" * 100)
    import time

    time.sleep(30)


def shows(trial):
    """Tells what it has: its environment, and where it is."""
    time.sleep(0.2)  # so that each slot has its turn
    trial.set_user_attr("environment", dict(os.environ))
    trial.set_user_attr("cwd", os.getcwd())
    trial.set_user_attr("host", socket.gethostname())
    return 0.0


def echoes(trial):
    """Gives its parameter back as it got it."""
    trial.set_user_attr("text", trial.params["text"])
    print(trial.params["text"])
    return 0.0


def keeps(trial):
    """Leaves artifacts, a checkpoint, a log, and what should not be taken."""
    from pathlib import Path

    folder = Path(trial.dir)
    (folder / "model.bin").write_bytes(bytes(range(256)) * 1000)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "é.txt").write_text("text")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "empty").touch()
    checkpoint = Path(trial.checkpoint_dir)
    seen = sorted(path.name for path in checkpoint.iterdir())
    (checkpoint / f"state-{trial.attempt}").write_text(f"of attempt {trial.attempt}")
    trial.set_user_attr("seen", seen)
    print(f"attempt {trial.attempt}")
    if trial.attempt == 1:
        raise RuntimeError("once")
    return 0.0


def fills(trial):
    """Leaves more than may come back."""
    from pathlib import Path

    (Path(trial.dir) / "a-small").write_bytes(b"x" * 1000)
    (Path(trial.dir) / "b-large").write_bytes(b"x" * 3_000_000)
    return 0.0


def prints(trial):
    """Prints far more than a log keeps."""
    line = "x" * 999
    for _ in range(20_000):
        print(line)
    return 0.0


def is_silent(trial):
    """Says nothing for longer than the lease."""
    import time

    time.sleep(3.5)
    return 0.0


def leaves_a_daemon(trial):
    """Starts what leaves its session, says so, and waits."""
    import subprocess
    import time

    daemon = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    trial.set_user_attr("daemon", daemon.pid)
    trial.report(0.0, 0)
    if trial.attempt == 1:
        time.sleep(60)
    return 0.0
