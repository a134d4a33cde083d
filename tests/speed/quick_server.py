"""A quick server of chat completions for measuring clients: `python quick_server.py LATENCY_MS` prints its port.

GET /stats gives the calls so far and the seconds between the first and the last answer, and starts counting anew.
"""

import asyncio
import json
import sys
import time

VERDICT = (
    "The answer is relevant, accurate and reasonably detailed. It addresses the question directly, gives an example and stays on topic, although a little "
    "more depth in the second part would have improved it. Overall it is a good response to the question.\n\nRating: [[7]]"
)
COMPLETION = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "fake-2026-01-01", "usage": {"prompt_tokens": 700, "completion_tokens": 120, "total_tokens": 820},
    "choices": [{"index": 0, "message": {"role": "assistant", "content": VERDICT, "refusal": None}, "logprobs": None, "finish_reason": "stop"}],
}  # fmt: skip


def response(payload: object) -> bytes:
    body = json.dumps(payload).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


ANSWER = response(COMPLETION)


class Stats:
    """Calls answered, and when the first came and the last was answered."""

    def __init__(self) -> None:
        self.calls, self.first, self.last = 0, 0.0, 0.0


class Quick(asyncio.Protocol):
    """One connection; requests come one at a time, as those of keep-alive clients do."""

    def __init__(self, stats: Stats, latency: float) -> None:
        self.stats, self.latency, self.buffer = stats, latency, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        if self.buffer.startswith(b"GET"):
            self.tell()
            return
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:") + 15
        length = int(head[at : head.find(b"\r", at)] if b"\r" in head[at:] else head[at:])
        if len(self.buffer) >= end + 4 + length:
            self.buffer = b""
            self.stats.first = self.stats.first or time.perf_counter()
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self.answer)
            else:
                self.answer()

    def answer(self) -> None:
        self.stats.calls += 1
        self.stats.last = time.perf_counter()
        if not self.transport.is_closing():
            self.transport.write(ANSWER)  # type: ignore[attr-defined]

    def tell(self) -> None:
        self.buffer = b""
        self.transport.write(response({"calls": self.stats.calls, "seconds": self.stats.last - self.stats.first}))  # type: ignore[attr-defined]
        self.stats.__init__()  # type: ignore[misc]


async def serve(latency: float) -> None:
    stats = Stats()
    server = await asyncio.get_running_loop().create_server(lambda: Quick(stats, latency), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000))
