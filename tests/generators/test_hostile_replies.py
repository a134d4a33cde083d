"""What a server may send in place of an answer: a key in disguise, bodies without end, and no HTTP at all."""

import contextlib
import gzip
import json
import re
import socketserver
import threading
from collections.abc import Iterator

import pytest
from asking import KEY, ask, refusal
from loopback import LoopbackServer
from relay import Relay

from judgebench.errors import InputError
from judgebench.generators import http
from judgebench.generators.http import usable_proxy
from judgebench.generators.openai_chat import OpenAIChat

PLUS = "sk+planted+0123456789+abcdef"
EVERY = "".join(f"\\u{ord(c):04x}" for c in PLUS)
BODY = json.dumps({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}).encode()


@contextlib.contextmanager
def sending(raw: bytes) -> Iterator[str]:
    """A server that answers every connection with these bytes; yields its base URL."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            with contextlib.suppress(OSError):
                self.request.sendall(raw)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


def replied(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Connection: close", *headers, b"", body])


@pytest.mark.parametrize("escaped", [PLUS.replace("+", "\\u002b"), PLUS.replace("+", "\\u002B"), EVERY])
def test_a_key_in_json_escapes_is_in_no_response_and_no_error(escaped: str) -> None:
    answer = BODY.replace(b"ok", f"a {escaped} b".encode())
    failure = json.dumps({"error": {"message": "bad @ key", "code": "@", "param": "@"}}).replace("@", escaped).encode()
    with LoopbackServer() as server:
        for odd in ('sk"planted"0123456789', "sk\\planted\\0123456789"):
            with Relay(server.root, answer=lambda body, odd=odd: (200, BODY.replace(b'"ok"', json.dumps(f"a {odd}").encode()))) as door:  # type: ignore[misc]
                assert ask(OpenAIChat(f"{door.url}/v1", "m", odd))[0].text == "a ***"
        with Relay(server.root, answer=lambda body: (200, answer)) as door:
            assert ask(OpenAIChat(f"{door.url}/v1", "m", PLUS))[0].text == "a *** b"
        for status in (400, 200):  # 200: the body has no answer, and the error says what it has
            with Relay(server.root, answer=lambda body, status=status: (status, failure)) as door:  # type: ignore[misc]
                error = refusal(OpenAIChat(f"{door.url}/v1", "m", PLUS))
            assert "bad *** key" in str(error)
            assert "planted" not in str(error) + error.code + error.param
        with Relay(server.root, answer=lambda body: (200, f'{{"{escaped}'.encode())) as door:  # cut: no JSON to decode
            error = refusal(OpenAIChat(f"{door.url}/v1", "m", PLUS))
        assert "***" in str(error) and not re.search(r"planted|u006c", str(error))


def test_gzip_that_inflates_without_end_is_read_no_further_than_the_cap() -> None:
    raw = gzip.compress(b" " * (http._LARGEST_BODY + 1), 1)
    with sending(replied(raw, b"Content-Encoding: gzip", b"Content-Length: %d" % len(raw))) as url:
        error = refusal(OpenAIChat(url, "m", KEY))
    assert (error.kind, error.retryable) == ("bad_body", False)
    assert "more than 32 MB" in str(error)


def test_a_body_without_length_is_read_and_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_LARGEST_BODY", 100_000)
    with sending(replied(BODY)) as url:
        assert ask(OpenAIChat(url, "m"))[0].text == "ok"
    with sending(replied(BODY + b" " * (100_000 - len(BODY)))) as url:
        assert ask(OpenAIChat(url, "m"))[0].text == "ok"
    with sending(replied(BODY + b" " * 100_000)) as url:
        assert refusal(OpenAIChat(url, "m")).retryable is False


def test_gzip_of_an_ordinary_size_is_an_answer() -> None:
    raw = gzip.compress(BODY)
    with sending(replied(raw, b"Content-Encoding: gzip", b"Content-Length: %d" % len(raw))) as url:
        assert ask(OpenAIChat(url, "m"))[0].text == "ok"


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n", replied(b"{}", b"Content-Length: many"), replied(b"{}", b"Content-Encoding: br", b"Content-Length: 2"),
        replied(b"{}", b"Content-Encoding: gzip", b"Content-Length: 2"), replied(b"{}", b"X: " + KEY.encode() + b"a" * 100_000), replied(b"zz\r\n{}", b"Transfer-Encoding: chunked"),
    ],
    ids=["ssh", "length", "brotli", "no-gzip", "headers", "chunks"],
)  # fmt: skip
def test_what_is_no_http_is_named_so(raw: bytes) -> None:
    with sending(raw) as url:
        error = refusal(OpenAIChat(url, "m", KEY))
    assert (error.kind, error.retryable) == ("protocol", True)
    assert "no proper HTTP" in str(error)
    assert KEY not in str(error) and "\n" not in str(error) and len(str(error)) < 250


@pytest.mark.parametrize(
    "value",
    ["http://", "http://user:hunter2@", "user:hunter2@host:port", "http://user:hunter2@host:99999", "user:hunter2@pro xy:1", "user:hunter2://host:1", "http://[user:hunter2"],
)
def test_a_proxy_that_is_no_url_is_the_variables_fault(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", value)
    with pytest.raises(InputError, match=r"^HTTP_PROXY: not a proxy URL") as caught:
        ask(OpenAIChat("http://models.invalid/v1", "m"))
    assert "hunter2" not in str(caught.value)


def test_proxies_that_are_urls_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("http://user:pa%20ss@proxy:3128", "http://10.0.0.1:3128/", "http://[::1]:3128", "https://proxy.example"):
        monkeypatch.setenv("HTTP_PROXY", value)
        assert usable_proxy("http://h/v1") == value
