"""The limit: how often a MessagePack message goes to a child process and comes back, with nothing else done.

asyncio with `add_reader` and non-blocking sockets, two children that decode each message and send it back encoded anew, one
message under way to each. No library on top of a socketpair can do more round trips than this.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time

import msgpack

from benchmarks.peers.shared import lag, measured

LIBRARIES = ("msgpack",)
LESS = {"overhead": "bare round trips, no trials", "embed": "no trials"}
MOST: dict[str, int] = {}
_READ_BYTES = 65536
# As long as the message that ends a trial.
_MESSAGE = (21, 2**62 + 1, {"value": 0.5})


def overhead(n_trials: int, workers: int = 2, durable: bool = False) -> dict[str, float]:
    """Round trips/s with all children together."""
    pairs = [socket.socketpair() for _ in range(workers)]
    children = [
        subprocess.Popen([sys.executable, "-m", __spec__.name, str(theirs.fileno())], pass_fds=(theirs.fileno(),))
        for _, theirs in pairs
    ]
    try:
        for ours, theirs in pairs:
            theirs.close()
            ours.sendall(msgpack.packb(_MESSAGE))
            ours.recv(_READ_BYTES)  # the child is up
            ours.setblocking(False)
        return asyncio.run(_ping_pong([ours for ours, _ in pairs], n_trials))
    finally:
        for ours, _ in pairs:
            ours.setblocking(True)
            ours.shutdown(socket.SHUT_WR)
            while ours.recv(_READ_BYTES):
                pass  # an echo that nobody waited for
            ours.close()
        for child in children:
            child.wait()


def embed(seconds: float, turn_s: float = 0.0) -> dict[str, float]:
    """The lag of a loop that is idle, or in which a task computes for `turn_s` at a time and then lets the others have their turn."""
    return asyncio.run(lag.lag_during(lambda: _computing(seconds, turn_s) if turn_s else asyncio.sleep(seconds)))


async def _computing(seconds: float, turn_s: float) -> None:
    ends_at = time.perf_counter() + seconds
    while (began_at := time.perf_counter()) < ends_at:
        while time.perf_counter() < began_at + turn_s:
            pass
        await asyncio.sleep(0)


async def _ping_pong(socks: list[socket.socket], count: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    left = count

    def on_readable(sock: socket.socket, unpacker: msgpack.Unpacker) -> None:
        nonlocal left
        unpacker.feed(sock.recv(_READ_BYTES))
        for message in unpacker:
            left -= 1
            if left > 0:
                sock.send(msgpack.packb(message))
            elif not done.done():
                done.set_result(None)

    for sock in socks:
        loop.add_reader(sock, on_readable, sock, msgpack.Unpacker())
    began_at = time.monotonic()
    for sock in socks:
        sock.send(msgpack.packb(_MESSAGE))
    await done
    figures = measured.rate(count, count, began_at)
    for sock in socks:
        loop.remove_reader(sock)
    return figures


def _echo(fd: int) -> None:
    sock = socket.socket(fileno=fd)
    unpacker = msgpack.Unpacker()
    while data := sock.recv(_READ_BYTES):
        unpacker.feed(data)
        for message in unpacker:
            sock.sendall(msgpack.packb(message))


if __name__ == "__main__":
    _echo(int(sys.argv[1]))
