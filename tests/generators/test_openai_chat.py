"""What goes over the wire to a Chat Completions server, and what is made of what comes back."""

from typing import Any

import pytest
from asking import KEY, ask, refusal, request
from loopback import LoopbackServer, Reply

from judgebench.generators.openai_chat import OpenAIChat, chat_response
from judgebench.reasoning import split_reasoning
from judgebench.types import Response, Usage


def answered(reply: Reply | str) -> Response:
    with LoopbackServer(lambda body: reply) as server:
        return ask(OpenAIChat(server.url, "m"))[0]


def test_the_request_is_what_the_protocol_says() -> None:
    with LoopbackServer() as server:
        ask(
            OpenAIChat(server.url + "/", "org/model:tag", KEY),
            request("one", "two", "three", system="be brief", temperature=0.25, max_tokens=7, extra=(("seed", 3), ("stop", ["x"]))),
        )
    (sent,) = server.requests
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["content-type"] == "application/json"
    roles = [("system", "be brief"), ("user", "one"), ("assistant", "two"), ("user", "three")]
    messages = [{"role": r, "content": c} for r, c in roles]
    assert sent.body == {"model": "org/model:tag", "messages": messages, "temperature": 0.25, "max_tokens": 7, "seed": 3, "stop": ["x"]}


def test_what_is_left_to_the_provider_is_not_sent() -> None:
    with LoopbackServer() as server:
        ask(OpenAIChat(server.url, "m"), request(temperature=None, max_tokens=None))
    assert set(server.requests[0].body) == {"model", "messages"}


def test_the_limit_bears_the_name_that_was_asked_for() -> None:
    with LoopbackServer() as server:
        ask(OpenAIChat(server.url, "m", max_tokens_name="max_completion_tokens"), request(max_tokens=9))
    assert server.requests[0].body["max_completion_tokens"] == 9
    assert "max_tokens" not in server.requests[0].body


def test_usage_and_snapshot_are_taken_from_the_reply() -> None:
    assert answered(Reply("hi", model="fake-2026-02-03", prompt_tokens=11, completion_tokens=5)) == Response("hi", "stop", "fake-2026-02-03", Usage(11, 5))


@pytest.mark.parametrize(
    ("reply", "text", "finish"),
    [
        (Reply(None), "", "stop"),
        (Reply("cut of", finish_reason="length"), "cut of", "length"),
        (Reply("half", finish_reason="content_filter"), "half", "content_filter"),
        (Reply("x", finish_reason="tool_calls"), "x", "stop"),
        (Reply("x", finish_reason="never heard of"), "x", "unknown"),
        (Reply("kept", refusal="I will not."), "I will not.", "refused"),
    ],
)
def test_how_an_answer_ended_is_recorded_as_it_was(reply: Reply, text: str, finish: str) -> None:
    response = answered(reply)
    assert (response.text, response.finish_reason) == (text, finish)


def test_separate_thinking_stays_apart_from_the_text() -> None:
    response = answered(Reply("42", reasoning="six times seven"))
    assert (response.text, response.reasoning) == ("42", "six times seven")


def test_inline_thinking_is_kept_as_received_and_told_apart_later() -> None:
    response = answered("<think>six times [[9]]</think>\n\n42")
    assert response.text == "<think>six times [[9]]</think>\n\n42"
    assert split_reasoning(response.text)[1] == "42"


def test_a_filtered_prompt_is_a_refusal_and_no_error() -> None:
    with LoopbackServer(faults=lambda i: "400-content_filter") as server:
        assert ask(OpenAIChat(server.url, "m"))[0] == Response("", "content_filter")
    assert server.calls == 1


def message(content: Any, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content, **fields}, "finish_reason": "stop"}]}


def test_a_text_in_parts_is_put_together() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "thinking", "thinking": "?"}, {"type": "text", "text": None}, "stray", {"type": "text", "text": "two"}]
    assert chat_response(message(parts), "m").text == "one two"


@pytest.mark.parametrize("usage", [None, [], "many", {}, {"prompt_tokens": "7"}, {"prompt_tokens": -1, "completion_tokens": True}, {"prompt_tokens": 10**30}])
def test_usage_that_makes_no_sense_is_unknown(usage: Any) -> None:
    assert chat_response({**message("x"), "usage": usage}, "m").usage == Usage(None, None)


def test_lone_surrogates_do_not_get_in() -> None:
    response = chat_response({**message("a\ud800b", reasoning="\udfff"), "model": "\ud800"}, "m")
    assert (response.text, response.reasoning, response.model) == ("a\ufffdb", "\ufffd", "\ufffd")


WRONG = [
    {},
    {"choices": []},
    {"choices": {}},
    {"choices": None},
    {"choices": ["x"]},
    {"choices": [{"message": "x"}]},
    {"choices": [{"message": None}]},
    message(7),
    message({"text": "x"}),
]


@pytest.mark.parametrize("raw", WRONG, ids=str)
def test_a_body_of_another_shape_is_worth_another_try(raw: dict[str, Any]) -> None:
    from judgebench.errors import ProviderError

    with pytest.raises(ProviderError) as caught:
        chat_response(raw, "m at here")
    assert (caught.value.retryable, caught.value.kind) == (True, "bad_body")
    assert str(caught.value).startswith("m at here: 200 with a ")


def test_an_error_inside_a_200_says_what_it_says() -> None:
    with LoopbackServer(faults=lambda i: "wrong-shape") as server:
        error = refusal(OpenAIChat(server.url, "m"))
    assert (error.retryable, error.kind) == (True, "bad_body")
    assert "Provider returned error" in str(error)


def test_a_router_that_breaks_off_has_not_answered() -> None:
    from judgebench.errors import ProviderError

    raw = {"choices": [{"message": {"content": "half an ans"}, "finish_reason": "error", "error": {"message": "upstream died"}}]}
    with pytest.raises(ProviderError, match="upstream died") as caught:
        chat_response(raw, "m")
    assert caught.value.retryable
