"""A real HTTP/1.1 server on 127.0.0.1 that speaks OpenAI's and Anthropic's wire format and fails on demand.

    with LoopbackServer(lambda body: "Rating: [[7]]", faults={0: "429", 3: "cut"}.get) as server:
        ...  # point a client at server.url, then look at server.calls and server.requests

`reply` and `faults` are called in the server's thread, in order of arrival, and must not block.
"""

import asyncio
import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says. `finish_reason` is in OpenAI's words; the Anthropic side translates it."""

    text: str | None
    finish_reason: str = "stop"
    reasoning: str | None = None
    refusal: str | None = None
    model: str = "fake-2026-01-01"
    prompt_tokens: int = 100
    completion_tokens: int = 20
    # One {token: logprob} per token, the sampled token first; sent only if the request asks for logprobs.
    logprobs: tuple[Mapping[str, float], ...] | None = None


class Fault(Exception):
    """Fault("500"): a fault that a reply function returns or raises; `_fault` has the names."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as it arrived: `path` with its query, header names in lower case, a monotonic `time`."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]  # empty for a GET
    time: float

    @property
    def anthropic(self) -> bool:
        return self.path.partition("?")[0].endswith("/v1/messages")


ReplyFunction = Callable[[dict[str, Any]], str | Reply | Fault]


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    good: bool = False  # an answer that a client can use

    def encode(self) -> bytes:
        fields = {"Content-Type": "application/json", "Content-Length": len(self.body), **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} Loopback\r\n{head}\r\n".encode("latin-1") + self.body


def _json(status: int, payload: object, **options: Any) -> _Response:
    return _Response(status, json.dumps(payload).encode(), **options)


def _chat_completion(reply: Reply, request: Recorded) -> dict[str, Any]:
    text = reply.text if reply.refusal is None else None
    message = {"role": "assistant", "content": text, "refusal": reply.refusal}
    if reply.reasoning is not None:
        message["reasoning_content"] = reply.reasoning
    logprobs = None
    if reply.logprobs is not None and request.body.get("logprobs"):
        tokens = [[{"token": t, "logprob": p, "bytes": None} for t, p in o.items()] for o in reply.logprobs]
        logprobs = {"content": [{**options[0], "top_logprobs": options} for options in tokens]}
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": reply.finish_reason}
    usage = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
    usage["total_tokens"] = sum(usage.values())
    result = {"id": "chatcmpl-loopback", "object": "chat.completion", "created": int(time.time())}
    return {**result, "model": reply.model, "choices": [choice], "usage": usage}


def _message(reply: Reply) -> dict[str, Any]:
    content = []
    if reply.reasoning is not None:
        content.append({"type": "thinking", "thinking": reply.reasoning, "signature": "bG9vcGJhY2s="})
    if reply.text and reply.refusal is None:
        content.append({"type": "text", "text": reply.text})
    words = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
    stop, details = words.get(reply.finish_reason, reply.finish_reason), None
    if reply.refusal is not None:
        stop, details = "refusal", {"type": "refusal", "category": None, "explanation": reply.refusal}
    usage = {"input_tokens": reply.prompt_tokens, "output_tokens": reply.completion_tokens}
    result = {"id": "msg_loopback", "type": "message", "role": "assistant", "model": reply.model}
    return {**result, "content": content, "stop_reason": stop, "stop_details": details, "usage": usage}


def _success(reply: str | Reply, request: Recorded, good: bool = True) -> _Response:
    full = Reply(reply) if isinstance(reply, str) else reply
    return _json(200, _message(full) if request.anthropic else _chat_completion(full, request), good=good)


INVALID = "invalid_request_error"
BROKEN = ("The server had an error.", "server_error", None, "api_error")  # for a status that is not below
ERRORS = {  # status: (message, OpenAI's type, OpenAI's code, Anthropic's type)
    400: ("Invalid value in the request.", INVALID, None, INVALID),
    401: ("Incorrect API key provided.", INVALID, "invalid_api_key", "authentication_error"),
    403: ("Region not supported.", "request_forbidden", "unsupported_region", "permission_error"),
    404: ("The model does not exist.", INVALID, "model_not_found", "not_found_error"),
    429: ("Rate limit reached.", "requests", "rate_limit_exceeded", "rate_limit_error"),
    529: ("Overloaded", "overloaded_error", None, "overloaded_error"),
}
FILTERED = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please "
    "modify your prompt and retry. To learn more about our content filtering policies please read our "
    "documentation: https://go.microsoft.com/fwlink/?linkid=2198766"
)
SAFE = {"filtered": False, "severity": "safe"}
UNSAFE = {"filtered": True, "severity": "medium"}
JAILBREAK = {"filtered": False, "detected": False}
FILTER_RESULT = {"hate": SAFE, "jailbreak": JAILBREAK, "self_harm": SAFE, "sexual": SAFE, "violence": UNSAFE}


def _error(request: Recorded, status: int, message: str = "", /, **fields: Any) -> _Response:
    """An error in the dialect of the request; `fields` are OpenAI's param, code and whatever more."""
    text, kind, code, anthropic_kind = ERRORS.get(status, BROKEN)
    if request.anthropic:
        error = {"type": anthropic_kind, "message": message or text}
        return _json(status, {"type": "error", "error": error, "request_id": "req_loopback"})
    openai = {"message": message or text, "type": kind, "param": None, "code": code, **fields}
    return _json(status, {"error": openai})


def _refused(request: Recorded, name: str) -> _Response:
    """The 400 for "400-NAME": a content filter, or a parameter that this model does not take."""
    if name == "content_filter":
        inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": FILTER_RESULT}
        message = "Output blocked by content filtering policy" if request.anthropic else FILTERED
        more = {"param": "prompt", "code": name, "status": 400, "innererror": inner}
        return _error(request, 400, message, type=None, **more)
    if request.anthropic:
        return _error(request, 400, f"`{name}` is deprecated for this model.")
    problem, hint = "parameter: '{}' is not supported with this model.", ""
    if name == "temperature":
        problem = f"value: '{{}}' does not support {request.body.get(name, 0)} with this model."
        hint = " Only the default (1) value is supported."
    elif name == "max_tokens":
        hint = " Use 'max_completion_tokens' instead."
    code = f"unsupported_{problem.partition(':')[0]}"
    return _error(request, 400, f"Unsupported {problem.format(name)}{hint}", param=name, code=code)


def _fault(name: str, request: Recorded) -> _Response | None:
    """What the named fault sends; None closes the connection. No such name: KeyError or ValueError."""
    good = _success("This answer is never whole.", request).body
    html = _Response(200, b"<html><body><h1>Bad gateway</h1></body></html>", {"Content-Type": "text/html"})
    special: dict[str, _Response | None] = {
        "drop": None,
        "cut": _Response(200, good[:20], {"Content-Length": "500", "Connection": "close"}),
        "badjson": _Response(200, good[: len(good) // 2]),
        "html": html,
        "502": replace(html, status=502),  # real ones come from a proxy, which speaks no JSON
        "wrong-shape": _json(200, {"error": {"message": "Provider returned error", "code": 502}}),
        "null-content": _success(Reply(None), request, good=False),
        "redirect": _Response(307, b"{}", {"Location": "http://127.0.0.1:9/"}),
        "429-plain": _error(request, 429),
    }
    if name in special:
        return special[name]
    if name == "echo-key":
        key = request.headers.get("x-api-key") or request.headers.get("authorization", "none")
        return _error(request, 401, f"Incorrect API key provided: {key}.")
    status, _, detail = name.partition("-")
    if status == "429":  # HTTP dates have whole seconds: rounded up, so never less than a second ahead
        waits = {"": "0.2", "date": formatdate(math.ceil(time.time() + 1), usegmt=True)}
        return replace(_error(request, 429), headers={"Retry-After": waits[detail]})
    return _refused(request, detail) if status == "400" and detail else _error(request, int(name))


def rejects_parameter(name: str, reply: ReplyFunction = lambda body: "ok") -> ReplyFunction:
    """`reply`, but a 400 as the vendor words it while the body has the key `name`. Wrappers may be nested."""
    return lambda body: Fault(f"400-{name}") if name in body else reply(body)


class LoopbackServer:
    """Use it in a `with`, or call start() and stop(); started again, it takes the same port.

    `faults` maps the number of a POST (from 0) to the name of a fault or None. GET requests never fail.
    """

    def __init__(
        self,
        reply: ReplyFunction = lambda body: "ok",
        latency: float = 0.0,
        faults: Callable[[int], str | None] = lambda index: None,
        port: int = 0,
    ) -> None:
        self.reply, self.latency, self.faults, self.port = reply, latency, faults, port
        self.root = self.url = self.spec = ""  # known once started
        self.requests: list[Recorded] = []
        self.calls = self.answered = self.in_flight = self.max_in_flight = 0
        self.failure: Exception | None = None  # a bug in the test's own functions; stop() raises it
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def start(self) -> Self:
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), daemon=True)
        self._thread.start()
        ready.result(timeout=10)
        return self

    def stop(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=10)
        assert not self._thread.is_alive(), "the loopback server did not stop"
        if self.failure is not None:
            raise self.failure

    __enter__, __exit__ = start, stop

    async def _run(self, ready: Future[None]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=1024)
        except OSError as error:
            ready.set_exception(error)
            return
        self.port = server.sockets[0].getsockname()[1]
        self.root = f"http://127.0.0.1:{self.port}"
        self.url, self.spec = f"{self.root}/v1", f"{self.root}/v1#fake"
        ready.set_result(None)
        await self._stopping.wait()
        # A connection that is just being accepted needs the server: stop listening, finish, then close.
        for listener in server.sockets:
            self._loop.remove_reader(listener.fileno())
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in self._open.values():  # aborted, not cancelled: handlers end and close by themselves
                writer.transport.abort()
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        server.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._open[task] = writer
        task.add_done_callback(self._open.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            closing = False
            while not closing:
                request = await self._read(reader)
                response = await self._answer(request, reader)
                if response is None or reader.at_eof():
                    break
                self.answered += response.good  # before the bytes leave: the client may look at once
                writer.write(response.encode())
                await writer.drain()
                closing = "close" in (request.headers.get("connection"), response.headers.get("Connection"))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left
        except Exception as error:
            self.failure = self.failure or error
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> Recorded:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        body = json.loads(raw or b"{}")  # a client that sends no JSON is a bug, which _serve keeps for stop()
        self.requests.append(Recorded(method, path, headers, body, time.monotonic()))
        return self.requests[-1]

    async def _answer(self, request: Recorded, reader: asyncio.StreamReader) -> _Response | None:
        route = request.path.partition("?")[0]
        if request.method == "GET" and route.endswith("/models"):
            return _json(200, {"object": "list", "data": [{"id": "fake", "object": "model"}]})
        if request.method != "POST" or not route.endswith(("/chat/completions", "/v1/messages")):
            return _error(request, 404, f"Unknown path: {request.method} {route}")
        self.calls += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            reply = self._choose(request)
            silent = isinstance(reply, Fault) and reply.args[0] == "silent"
            if self.latency or silent:
                # Nothing is due to be read: reading ends when the client gives up, in flight no more.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if silent else self.latency):
                        await reader.read(1)
                    return None
            return _fault(reply.args[0], request) if isinstance(reply, Fault) else _success(reply, request)
        finally:
            self.in_flight -= 1

    def _choose(self, request: Recorded) -> str | Reply | Fault:
        try:
            name = self.faults(self.calls - 1)
            return self.reply(request.body) if name is None else Fault(name)
        except Fault as fault:
            return fault
        except Exception as error:
            self.failure = self.failure or error
            return Fault("400")  # a status that no client tries again
