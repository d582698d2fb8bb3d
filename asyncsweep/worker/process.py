"""A worker process: takes attempts from its link, one at a time, and calls the objective in its main thread.

A script is no objective that can be called: `forked` runs it.
"""

from __future__ import annotations

import errno
import os
import pickle
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from asyncsweep.wire.messages import (
    FAILED,
    FINISHED,
    HELLO,
    LAUNCH,
    PROTOCOL,
    PRUNED,
    READY,
    SETUP,
    SHUTDOWN,
    UNKEPT,
    UNREADY,
)
from asyncsweep.worker import outcome as ends
from asyncsweep.worker.capture import Capture
from asyncsweep.worker.claims import Claims
from asyncsweep.worker.current import CURRENT
from asyncsweep.worker.link import Link, LinkPort
from asyncsweep.worker.loading import loading
from asyncsweep.worker.objective import Call, load
from asyncsweep.worker.output import Output
from asyncsweep.worker.port import Steps
from asyncsweep.worker.trial import Trial
from asyncsweep.worker.watch import Watch, end_group


def main(fd: int) -> Callable[[], None] | None:
    """Serve the link on file descriptor `fd` until the controller says that it is enough.

    Returns:
        In a fork that is to run a script, what runs it.
    """
    sock = socket.socket(fileno=fd)
    os.set_inheritable(fd, False)
    link = Link(sock)
    hello = link.receive()
    if hello is None:
        return None
    link.send((HELLO, PROTOCOL, hello[2]))
    setup = link.receive()
    if setup is None or hello[:2] != [HELLO, PROTOCOL] or setup[0] != SETUP:
        return None
    _, path, target, pickled, names, required, metrics, verdicts, log_limit, folders, claims_fd = setup
    own_path, sys.path[:] = sys.path[:], path
    claims = _claims(claims_fd)
    output = Output()
    capture = None if log_limit is None else Capture(os.dup(1), log_limit)
    watch = Watch(fd, capture)
    watch.start()
    program = None
    try:
        objective = _load(target, pickled)
        steps = None if verdicts is None else Steps(*verdicts)
        warm = None
        if _is_script(objective):
            from asyncsweep.worker.forked import WarmParent

            watch.stop()  # no thread may run where processes are forked
            asked = (names, required, metrics, steps)
            warm = WarmParent(link, objective, asked, folders, own_path, output, capture)
        else:
            call = Call(objective, names, required)
            call.build()
    except BaseException as error:  # whatever importing or building the objective raises is told to the controller
        link.send((UNREADY, *ends.describe(error)))
        watch.end()
        return None
    try:
        link.send((READY, 0 if warm is not None or claims is None else 1))
        if warm is None:
            _serve(link, claims, call, metrics, steps, folders, output, capture, watch)
        else:
            program = warm.serve()
    except ConnectionError:
        end_group()  # the controller is gone; nobody is left to hear of it
    watch.end()
    return program


def _load(target: str, pickled: bytes) -> Any:
    # The controller's own launch message: the one place of the worker where bytes are unpickled.
    with loading():
        return load(target) if target else pickle.loads(pickled)  # noqa: S301  our parent's bytes


def _claims(fd: int | None) -> Claims | None:
    if fd is None:
        return None
    os.set_inheritable(fd, False)
    return Claims(fd)


def _is_script(objective: object) -> bool:
    module = sys.modules.get("asyncsweep.worker.script")  # it was imported if there is one
    return module is not None and isinstance(objective, module.Script)


def _serve(
    link: Link,
    claims: Claims | None,
    call: Call,
    metrics: Sequence[str],
    verdicts: Steps | None,
    folders: str,
    output: Output,
    capture: Capture | None,
    watch: Watch,
) -> None:
    """Run attempts until the controller says that it is enough.

    Raises:
        ConnectionError: The controller is gone.
    """
    pid = os.getpid()
    while True:
        message = link.receive()
        if message is None:
            raise ConnectionResetError("the controller closed the link without a word")
        if message[0] == SHUTDOWN:
            return
        if message[0] != LAUNCH:
            continue  # an answer to an attempt that has ended
        _, secret, number, attempt, params, log_path, place = message
        if place is not None and (claims is None or not claims.take(place)):
            continue  # it was taken back before its turn came
        if capture is not None:
            capture.path = log_path
        trial = Trial(LinkPort(link, secret, folders), number, attempt, params, metrics, verdicts)
        tag, payload = _call(call, trial, metrics)
        if os.getpid() != pid:
            os._exit(0)  # the objective forked and its child came back from it too
        output.flush()
        output.restore()
        if capture is not None:
            _collect(capture, watch, link, secret)
        if tag == FINISHED:
            link.send((FINISHED, secret, payload))
        elif tag == PRUNED:
            link.send((PRUNED, secret))
        else:
            link.send((FAILED, secret, payload))


def _collect(capture: Capture, watch: Watch, link: Link, secret: int) -> None:
    with watch.lock:
        try:
            capture.collect()
        except OSError as error:  # a full disk, a folder that is gone: no reason to lose the trial too
            link.send((UNKEPT, secret, error.errno or errno.EIO))


def _call(call: Call, trial: Trial, metrics: Sequence[str]) -> ends.Outcome:
    CURRENT.set(trial)
    try:
        returned: Any = call(trial)
        if call.is_async:
            import asyncio  # 30 ms that most workers never need

            returned = asyncio.run(returned)
    except BaseException as error:  # sys.exit and KeyboardInterrupt end the trial, not the worker
        return ends.raised(error)
    return ends.finished(returned, metrics)
