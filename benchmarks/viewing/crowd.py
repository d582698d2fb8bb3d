"""A crowd of viewers in a process of their own: python -m benchmarks.viewing.crowd URL READING SILENT

Those who read acknowledge what they get and look no further; the silent ones ask for everything and never read. Says "there" when all have
come, then waits for the end of its standard input, and says how many bytes those who read have got.
"""

from __future__ import annotations

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

_PUSHED = (b'{"type":"snapshot"', b'{"type":"delta"', b'{"type":"status"', b'{"type":"points"')


class Crowd:
    """The viewers of one sweep."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._stream = f"ws://{parts.netloc}/stream"
        self._origin = f"http://{parts.netloc}"
        self._token = parse_qs(parts.fragment)["token"][0]
        self.n_bytes = 0
        self.n_whole = 0

    async def come(self, is_reading: bool, whole: asyncio.Event) -> None:
        """Be a viewer until the connection is closed; `whole` is set when the first snapshot is there, or will never be read."""
        async with connect(
            self._stream,
            origin=self._origin,  # type: ignore[arg-type]
            subprotocols=["asyncsweep.v1.json", f"asyncsweep.token.{self._token}"],  # type: ignore[list-item]
            compression=None,
            max_size=None,
        ) as socket:
            await socket.recv()
            await socket.send(json.dumps({"type": "open"}))
            if is_reading:
                await self._read(socket, whole)
            else:
                whole.set()
                await asyncio.Event().wait()

    async def _read(self, socket: ClientConnection, whole: asyncio.Event) -> None:
        received = 0
        try:
            while True:
                message = await socket.recv(decode=False)
                self.n_bytes += len(message)
                if message.startswith(_PUSHED):
                    received += 1
                    await socket.send(json.dumps({"type": "ack", "received": received}))
                    if not whole.is_set() and b'"last":true' in message[:400]:
                        self.n_whole += 1
                        whole.set()
        except ConnectionClosed:
            whole.set()


async def main(url: str, n_reading: int, n_silent: int) -> None:
    crowd, loop = Crowd(url), asyncio.get_running_loop()
    wholes = [asyncio.Event() for _ in range(n_reading + n_silent)]
    viewers = [asyncio.create_task(crowd.come(place < n_reading, whole)) for place, whole in enumerate(wholes)]
    for whole in wholes:
        await asyncio.wait_for(whole.wait(), 120)
    print("there", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for viewer in viewers:
        viewer.cancel()
    await asyncio.gather(*viewers, return_exceptions=True)
    print(json.dumps({"bytes": crowd.n_bytes, "whole": crowd.n_whole}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
