"""What speed is measured against: clients that send the same calls and keep nothing. `python bare_clients.py KIND PORT BODY N WIDTH`."""

import asyncio
import http.client
import json
import sys
import threading
from pathlib import Path

PATH = "/v1/chat/completions"


def threads(port: int, body: bytes, n: int, width: int) -> None:
    """The standard library's client, a connection per thread."""
    left, lock = iter(range(n)), threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                if next(left, None) is None:
                    break
            connection.request("POST", PATH, body, {"Content-Type": "application/json"})
            json.loads(connection.getresponse().read())
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(width)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def aiohttp(port: int, body: bytes, n: int, width: int) -> None:
    """aiohttp, which judgebench sits on."""
    import aiohttp

    async def run() -> None:
        left = iter(range(n))

        async def work() -> None:
            while next(left, None) is not None:
                async with session.post(f"http://127.0.0.1:{port}{PATH}", data=body, headers={"Content-Type": "application/json"}) as reply:
                    json.loads(await reply.read())

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(work() for _ in range(width)))

    asyncio.run(run())


if __name__ == "__main__":
    kind, where, file, calls, at_once = sys.argv[1:]
    {"threads": threads, "aiohttp": aiohttp}[kind](int(where), Path(file).read_bytes(), int(calls), int(at_once))
