"""`python -m asyncsweep_ssh.relay ADDRESS PORT DELAY_S`: a TCP relay that is slow, for tests. It prints the port that it listens on."""

from __future__ import annotations

import asyncio
import sys

_CHUNK = 1 << 16


async def main(address: str, port: int, delay_s: float) -> None:
    """Relay until cancelled."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, far_writer, delay_s), _pass_on(far_reader, writer, delay_s))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=1024)

    async def read() -> None:
        data = b"x"
        while data:
            try:
                data = await reader.read(_CHUNK)
            except OSError:
                data = b""
            await queue.put((loop.time() + delay_s, data))

    reading = asyncio.create_task(read())
    while True:
        at, data = await queue.get()
        await asyncio.sleep(max(0.0, at - loop.time()))
        if not data:
            break
        try:
            writer.write(data)
            await writer.drain()
        except OSError:
            break
    writer.close()
    reading.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
