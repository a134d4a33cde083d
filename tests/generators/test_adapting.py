"""Models that refuse a parameter: adapted to once, remembered, and nothing mistaken for a refusal that is none."""

import json

import pytest
from asking import ask, one_after_the_other, refusal, request
from loopback import LoopbackServer, rejects_parameter
from relay import Relay

from judgebench.errors import ProviderError
from judgebench.generators.adapting import content_filtered, refused_parameter
from judgebench.generators.openai_chat import OpenAIChat


def test_a_refused_temperature_costs_one_call_for_all() -> None:
    with LoopbackServer(rejects_parameter("temperature")) as server:
        one_after_the_other(OpenAIChat(server.url, "m"), *(request(str(i)) for i in range(4)))
    assert ["temperature" in r.body for r in server.requests] == [True, False, False, False, False]


def test_a_refused_limit_is_sent_under_its_other_name() -> None:
    with LoopbackServer(rejects_parameter("max_tokens")) as server:
        one_after_the_other(OpenAIChat(server.url, "m"), request("a", max_tokens=33), request("b", max_tokens=33))
    assert [r.body.get("max_completion_tokens") for r in server.requests] == [None, 33, 33]


def test_both_at_once_need_two_more_calls() -> None:
    with LoopbackServer(rejects_parameter("temperature", rejects_parameter("max_tokens"))) as server:
        one_after_the_other(OpenAIChat(server.url, "m"), request("a"), request("b"))
    assert server.calls == 4
    assert set(server.requests[-1].body) == {"model", "messages", "max_completion_tokens"}


def test_first_calls_at_once_adapt_each_and_all_are_answered() -> None:
    with LoopbackServer(rejects_parameter("temperature", rejects_parameter("max_tokens")), latency=0.02) as server:
        model = OpenAIChat(server.url, "m")
        responses = ask(model, *(request(str(i)) for i in range(20)))
        assert [r.text for r in responses] == ["ok"] * 20
        sent = server.calls
        ask(model, request("later"))
    assert sent == 60
    assert server.calls == 61
    assert (model.adaptations.dropped, model.adaptations.max_tokens_name) == ({"temperature"}, "max_completion_tokens")


def test_a_limit_refused_under_both_names_ends_in_the_providers_error() -> None:
    with LoopbackServer(rejects_parameter("max_tokens", rejects_parameter("max_completion_tokens"))) as server:
        error = refusal(OpenAIChat(server.url, "m"))
    assert server.calls == 2
    assert "max_completion_tokens" in str(error)
    assert error.status == 400


def test_a_parameter_that_comes_back_with_every_body_is_no_endless_loop() -> None:
    with LoopbackServer(rejects_parameter("max_completion_tokens")) as server:
        error = refusal(OpenAIChat(server.url, "m"), request(extra=(("max_completion_tokens", 5),)))
    assert server.calls <= 3
    assert "max_completion_tokens" in str(error)


def test_a_model_without_a_system_role_reads_the_system_text_as_user_text() -> None:
    error = {"message": "Unsupported value: 'messages[0].role' does not support 'system' with this model.", "param": "messages[0].role", "code": "unsupported_value"}

    def no_system(body: bytes) -> tuple[int, bytes] | None:
        return (400, json.dumps({"error": error}).encode()) if json.loads(body)["messages"][0]["role"] == "system" else None

    with LoopbackServer() as server, Relay(server.root, answer=no_system) as door:
        model = OpenAIChat(f"{door.url}/v1", "m")
        one_after_the_other(model, request("U", "A", "V", system="S"), request("W", system="S"), request("X"))
    assert len(door.seen) == 4
    merged = [{"role": "user", "content": "S\n\nU"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "V"}]
    assert [r.body["messages"] for r in server.requests] == [merged, [{"role": "user", "content": "S\n\nW"}], [{"role": "user", "content": "X"}]]
    assert model.adaptations.notes() == ["the system text is sent as user text (the model refuses the role)"]


def refused(text: str, *, status: int = 400, param: str = "", code: str = "", label: str = "m at http://h/v1") -> str | None:
    return refused_parameter(ProviderError(f"{label}: HTTP {status} ({text})", retryable=False, status=status, param=param, code=code))


REFUSALS = [  # as providers word it
    ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "max_tokens", "unsupported_parameter", "max_tokens"),
    ("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.", "temperature", "unsupported_value", "temperature"),
    ("Unsupported value: 'messages[0].role' does not support 'system' with this model.", "messages[0].role", "unsupported_value", "system"),
    ("`temperature` is deprecated for this model.", "", "invalid_request_error", "temperature"),
    ("temperature: Extra inputs are not permitted", "", "invalid_request_error", "temperature"),
    ("`temperature` may only be set to 1 when thinking is enabled.", "", "invalid_request_error", "temperature"),
    ("[{'type': 'extra_forbidden', 'loc': ['body', 'seed'], 'msg': 'Extra inputs are not permitted'}]", "", "", "seed"),
    ("Developer instruction is not enabled for models/gemma-3-27b-it", "", "400", "system"),
    ("System role not supported", "", "", "system"),
]


@pytest.mark.parametrize(("text", "param", "code", "name"), REFUSALS, ids=[r[0][:40] for r in REFUSALS])
def test_refusals_are_recognised(text: str, param: str, code: str, name: str) -> None:
    assert refused(text, param=param, code=code) == name


OTHERS = [  # the value is wrong, not the parameter: to go on without it would change what was asked for
    ("max_tokens is too large: 200000. This model supports at most 128000 completion tokens, whereas you provided 200000.", "max_tokens", "invalid_value"),
    ("max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens for claude", "", "invalid_request_error"),
    ("Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.", "temperature", "decimal_above_max_value"),
    ("This model's maximum context length is 8192 tokens.", "messages", "context_length_exceeded"),
    ("The model `x` does not exist", "model", "model_not_found"),
    ("", "", ""),
]


@pytest.mark.parametrize(("text", "param", "code"), OTHERS, ids=[r[0][:40] for r in OTHERS])
def test_a_wrong_value_is_no_refusal(text: str, param: str, code: str) -> None:
    assert refused(text, param=param, code=code) is None


def test_the_name_of_the_model_is_no_word_of_the_provider() -> None:
    assert refused("prompt too long", label="unsupported temperature at http://h/v1") is None
    assert refused("unsupported image", label="bytedance/seed at http://h/v1") is None


def test_other_statuses_are_no_refusals() -> None:
    assert refused("Unsupported parameter: 'temperature'", status=500, param="temperature", code="unsupported_parameter") is None
    assert refused("Unsupported parameter: 'temperature'", status=422, param="temperature", code="unsupported_parameter") == "temperature"


def test_what_counts_as_a_filtered_prompt() -> None:
    def error(status: int, text: str, code: str = "") -> ProviderError:
        return ProviderError(f"m: HTTP {status} ({text})", retryable=False, status=status, code=code)

    assert content_filtered(error(400, "...", "content_filter")) is not None
    assert content_filtered(error(400, "Invalid prompt: your prompt was flagged as violating", "invalid_prompt")) is not None
    assert content_filtered(error(403, "Your input was flagged")) is not None
    assert content_filtered(error(400, "Invalid prompt: too long", "invalid_prompt")) is None
    assert content_filtered(error(403, "Region not supported")) is None
    assert content_filtered(error(500, "...", "content_filter")) is None


def test_what_was_learnt_is_told() -> None:
    told: list[list[str]] = []
    with LoopbackServer(rejects_parameter("temperature")) as server:
        model = OpenAIChat(server.url, "m")
        model.adaptations.on_change = told.append
        ask(model, request())
    assert told == [["temperature is not sent (the model refuses it)"]]
