"""What goes over the wire to a Messages server, and what is made of what comes back."""

from typing import Any

import pytest
from asking import KEY, ask, one_after_the_other, refusal, request
from loopback import LoopbackServer, Reply, rejects_parameter

from judgebench.errors import ProviderError
from judgebench.generators.anthropic_messages import AnthropicMessages, messages_response
from judgebench.types import Response, Usage


def answered(reply: Reply | str) -> Response:
    with LoopbackServer(lambda body: reply) as server:
        return ask(AnthropicMessages(server.root, "claude", KEY))[0]


def test_the_request_is_what_the_protocol_says() -> None:
    with LoopbackServer() as server:
        ask(AnthropicMessages(server.root, "claude", KEY), request("one", "two", "three", system="be brief", temperature=0.25, max_tokens=7))
    (sent,) = server.requests
    assert sent.path == "/v1/messages"
    assert (sent.headers["x-api-key"], sent.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert "authorization" not in sent.headers
    messages = [{"role": r, "content": c} for r, c in (("user", "one"), ("assistant", "two"), ("user", "three"))]
    assert sent.body == {"model": "claude", "max_tokens": 7, "messages": messages, "system": "be brief", "temperature": 0.25}


def test_the_api_wants_a_limit_and_a_temperature_of_at_most_one() -> None:
    with LoopbackServer() as server:
        one_after_the_other(AnthropicMessages(server.root, "claude", KEY), request(max_tokens=None, temperature=None), request(temperature=1.3))
    assert server.requests[0].body["max_tokens"] == 4096
    assert not {"temperature", "system"} & set(server.requests[0].body)
    assert server.requests[1].body["temperature"] == 1.0


@pytest.mark.parametrize(
    ("reply", "text", "finish", "thinking"),
    [
        (Reply("42", reasoning="six times seven"), "42", "stop", "six times seven"),
        (Reply("no", refusal="cannot"), "", "refused", None),
        (Reply("cut", finish_reason="length"), "cut", "length", None),
        (Reply(None, finish_reason="length", reasoning="on and on"), "", "length", "on and on"),
        (Reply("x", finish_reason="model_context_window_exceeded"), "x", "length", None),
    ],
)
def test_how_an_answer_ended_is_recorded_as_it_was(reply: Reply, text: str, finish: str, thinking: str | None) -> None:
    response = answered(reply)
    assert (response.text, response.finish_reason, response.reasoning) == (text, finish, thinking)


def test_cached_tokens_are_tokens_of_the_prompt() -> None:
    usage = {"input_tokens": 5, "cache_creation_input_tokens": 7, "cache_read_input_tokens": None, "output_tokens": 3}
    assert messages_response({"content": [], "usage": usage, "model": "claude-1"}, "c") == Response("", "unknown", "claude-1", Usage(12, 3))


def test_a_block_without_text_adds_nothing() -> None:
    blocks = [{"type": "text", "text": None}, {"type": "text", "text": "a"}, {"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "b"}]
    assert messages_response({"content": blocks}, "c").text == "ab"


@pytest.mark.parametrize("raw", [{}, {"content": "x"}, {"content": ["x"]}, {"type": "error", "error": {"message": "Overloaded"}}], ids=str)
def test_a_body_of_another_shape_is_worth_another_try(raw: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as caught:
        messages_response(raw, "claude at here")
    assert (caught.value.retryable, caught.value.kind) == (True, "bad_body")
    assert "error" not in raw or "Overloaded" in str(caught.value)


def test_529_is_worth_another_try_and_says_why() -> None:
    with LoopbackServer(faults=lambda i: "529") as server:
        error = refusal(AnthropicMessages(server.root, "claude", KEY))
    assert (error.status, error.retryable, error.kind) == (529, True, "server")
    assert "Overloaded" in str(error)


def test_a_filtered_prompt_is_a_refusal_and_no_error() -> None:
    with LoopbackServer(faults=lambda i: "400-content_filter") as server:
        assert ask(AnthropicMessages(server.root, "claude", KEY))[0] == Response("", "content_filter")


def test_a_refused_temperature_is_left_out_from_there_on() -> None:
    with LoopbackServer(rejects_parameter("temperature")) as server:
        model = AnthropicMessages(server.root, "claude", KEY)
        assert [r.text for r in one_after_the_other(model, request("a"), request("b"))] == ["ok", "ok"]
    assert ["temperature" in r.body for r in server.requests] == [True, False, False]
    assert model.adaptations.notes() == ["temperature is not sent (the model refuses it)"]


def test_a_limit_that_cannot_go_is_the_providers_own_error() -> None:
    with LoopbackServer(rejects_parameter("max_tokens")) as server:
        error = refusal(AnthropicMessages(server.root, "claude", KEY))
    assert server.calls == 1
    assert "`max_tokens` is deprecated" in str(error)
