"""A worker that has lost its controller ends."""

from __future__ import annotations

import socket
import subprocess
import sys

from tests.leaks import has_ended

WATCHES = """
import sys, time
from asyncsweep.worker.watch import Watch
Watch(int(sys.argv[1]), None).start()
print("watching", flush=True)
time.sleep(60)
"""
STARTS = """
import subprocess, sys, time
command = [sys.executable, "-c", sys.argv[1], sys.argv[2]]
worker = subprocess.Popen(command, pass_fds=[int(sys.argv[2])], process_group=0, stdout=subprocess.PIPE)
worker.stdout.readline()
print(worker.pid, flush=True)
time.sleep(60)
"""


def test_a_worker_whose_controller_died_ends_though_the_link_is_open() -> None:
    ours, theirs = socket.socketpair()
    fd = theirs.fileno()
    command = [sys.executable, "-c", STARTS, WATCHES, str(fd)]
    with ours, theirs, subprocess.Popen(command, pass_fds=[fd], stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout is not None
        worker = int(controller.stdout.readline())
        controller.kill()
        controller.wait()
        assert has_ended(worker)
