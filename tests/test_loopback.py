"""The loopback server keeps to the wire formats, fails as told and leaves nothing open."""

import json
import threading
import time
from email.utils import parsedate_to_datetime
from http.client import BadStatusLine, HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any

import pytest
from loopback import Fault, LoopbackServer, Reply, rejects_parameter

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
BODY = {"model": "fake", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
STATUSES = ["429", "429-plain", "429-date", "500", "502", "503", "529"]
STATUSES += ["408", "409", "401", "403", "404", "400"]


def ask(
    server: LoopbackServer, path: str = CHAT, headers: dict[str, str] | None = None, **more: object
) -> tuple[HTTPResponse, Any]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request("POST", path, json.dumps(BODY | more), headers or {})
        response = connection.getresponse()
        raw = response.read()
    finally:
        connection.close()
    return response, json.loads(raw) if response.headers.get_content_type() == "application/json" else raw


def test_openai_wire_over_one_connection() -> None:
    reply = Reply("7", reasoning="hm", logprobs=({"7": -0.1, "8": -2.0},))
    with LoopbackServer(lambda body: reply) as server:
        connection = HTTPConnection("127.0.0.1", server.port)
        for path in (CHAT, "/openai/deployments/x/chat/completions?api-version=1"):
            body = json.dumps(BODY | {"logprobs": True})
            connection.request("POST", path, body, {"Authorization": "Bearer k"})
            data = json.load(connection.getresponse())
        connection.request("GET", "/v1/models")
        assert json.load(connection.getresponse())["data"][0]["id"] == "fake"
        connection.close()
        assert server.spec == f"http://127.0.0.1:{server.port}/v1#fake"
    choice = data["choices"][0]
    assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ("7", "hm")
    assert choice["logprobs"]["content"][0]["top_logprobs"][1]["token"] == "8"
    assert data["usage"] == {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    assert (server.calls, server.answered, len(server.requests)) == (2, 2, 3)
    assert server.requests[1].headers["authorization"] == "Bearer k"
    assert server.requests[1].path.endswith("api-version=1") and server.requests[1].body["model"] == "fake"


def test_anthropic_wire() -> None:
    replies = iter([Reply("7", "length", reasoning="hm"), Reply("", refusal="no")])
    with LoopbackServer(lambda body: next(replies), faults={2: "529"}.get) as server:
        _, first = ask(server, MESSAGES)
        _, second = ask(server, MESSAGES)
        overloaded, third = ask(server, MESSAGES)
    assert [block["type"] for block in first["content"]] == ["thinking", "text"]
    assert (first["stop_reason"], second["stop_reason"], second["content"]) == ("max_tokens", "refusal", [])
    assert (overloaded.status, third["type"], third["error"]["type"]) == (529, "error", "overloaded_error")


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("name", STATUSES)
def test_statuses(name: str, path: str) -> None:
    with LoopbackServer(faults={0: name}.get) as server:
        response, _ = ask(server, path)
    assert (response.status, server.answered) == (int(name[:3]), 0)
    wait = response.headers["Retry-After"]
    if name == "429-date":
        assert 0 < parsedate_to_datetime(wait).timestamp() - time.time() <= 2
    else:
        assert wait == ("0.2" if name == "429" else None)


def test_refused_parameters_and_filters() -> None:
    faults = {1: "400-max_tokens", 2: "400-content_filter"}
    with LoopbackServer(rejects_parameter("temperature"), faults=faults.get) as server:
        errors = [ask(server, temperature=0.2)[1]["error"], ask(server)[1]["error"], ask(server)[1]["error"]]
        assert ask(server)[0].status == 200
        assert "temperature" in ask(server, MESSAGES, temperature=0)[1]["error"]["message"]
    codes = ["unsupported_value", "unsupported_parameter", "content_filter"]
    assert [error["code"] for error in errors] == codes
    assert [error["param"] for error in errors] == ["temperature", "max_tokens", "prompt"]
    assert errors[0]["message"].startswith("Unsupported value: 'temperature' does not support 0.2 with")
    assert errors[1]["message"].endswith("with this model. Use 'max_completion_tokens' instead.")


@pytest.mark.parametrize(
    ("name", "error"),
    [("cut", IncompleteRead), ("drop", BadStatusLine), ("badjson", json.JSONDecodeError)],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_broken_bodies(name: str, error: type[Exception], path: str) -> None:
    with LoopbackServer(faults={0: name}.get) as server:
        with pytest.raises(error):
            ask(server, path)
        assert ask(server, path)[0].status == 200
    assert server.answered == 1


def test_odd_successes() -> None:
    names = ["html", "wrong-shape", "null-content", "redirect", "echo-key"]
    with LoopbackServer(faults=dict(enumerate(names)).get) as server:
        html, wrong, null, redirect, echo = [ask(server, headers={"x-api-key": "sk-1"}) for _ in names]
    assert html[0].status == 200 and html[1].startswith(b"<html>")
    assert "error" in wrong[1] and null[1]["choices"][0]["message"]["content"] is None
    assert (redirect[0].status, redirect[0].headers["Location"]) == (307, "http://127.0.0.1:9/")
    assert echo[0].status == 401 and "sk-1" in echo[1]["error"]["message"]


def test_silence_ends_with_the_client_or_the_server() -> None:
    with LoopbackServer(faults=lambda index: "silent") as server:
        connections = [HTTPConnection("127.0.0.1", server.port, timeout=0.05) for _ in range(2)]
        for connection in connections:
            connection.request("POST", CHAT, "{}")
            with pytest.raises(TimeoutError):
                connection.getresponse()
        assert server.max_in_flight == 2
        connections[0].close()
        deadline = time.monotonic() + 5
        while server.in_flight != 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.in_flight == 1
    connections[1].close()


def test_latency_overlaps_and_the_port_is_kept() -> None:
    server = LoopbackServer(latency=0.3)
    with server:
        start, port = time.monotonic(), server.port
        threads = [threading.Thread(target=ask, args=(server,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - start >= 0.3 and server.max_in_flight > 1
    with server:
        assert (ask(server)[0].status, server.port, server.answered) == (200, port, 9)


def test_a_bug_in_the_reply_is_the_tests_failure() -> None:
    def reply(body: dict[str, Any]) -> str:
        raise Fault("500") if body["model"] == "fake" else RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"), LoopbackServer(reply) as server:
        assert ask(server)[0].status == 500
        assert ask(server, model="other")[0].status == 400
