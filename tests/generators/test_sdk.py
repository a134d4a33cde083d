"""Azure, Bedrock and Vertex through the real SDKs: what they send, what their failures mean, nothing retried twice."""

import subprocess
import sys
from pathlib import Path

import pytest
from asking import KEY, ask, one_after_the_other, refusal, request
from loopback import LoopbackServer, Reply, rejects_parameter
from relay import Relay

from judgebench.errors import CredentialError, InputError
from judgebench.generators.sdk import SDKGenerator, azure_chat, bedrock_messages, vertex_messages
from judgebench.types import Response, Usage


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> object:
    """Makes a deployment on a server."""

    def made(root: str) -> SDKGenerator:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", root)
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
        return azure_chat("dep", root)

    return made


def test_azure_is_asked_as_azure_wants_it(azure) -> None:
    with LoopbackServer(lambda body: Reply("hi", prompt_tokens=3, completion_tokens=2)) as server:
        response = ask(azure(server.root), request("U", system="S", temperature=0.5, max_tokens=9, extra=(("seed", 1),)))[0]
    (sent,) = server.requests
    assert response == Response("hi", "stop", "fake-2026-01-01", Usage(3, 2))
    assert sent.path == "/openai/deployments/dep/chat/completions?api-version=2024-10-21"
    assert sent.headers["api-key"] == KEY
    assert {k: v for k, v in sent.body.items() if k != "messages"} == {"model": "dep", "max_tokens": 9, "temperature": 0.5, "seed": 1}
    assert [m["role"] for m in sent.body["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("fault", "kind", "retryable", "wait"),
    [
        ("429", "rate_limit", True, 0.2), ("500", "server", True, None), ("502", "server", True, None), ("529", "server", True, None), ("400", "request", False, None),
        ("401", "credentials", False, None), ("404", "not_found", False, None), ("html", "bad_body", True, None), ("badjson", "bad_body", True, None),
        ("wrong-shape", "bad_body", True, None), ("cut", "connection", True, None), ("drop", "connection", True, None),
    ],
)  # fmt: skip
def test_what_every_fault_means_and_that_the_sdk_asks_once(azure, fault: str, kind: str, retryable: bool, wait: float | None) -> None:
    with LoopbackServer(faults=lambda i: fault) as server:
        error = refusal(azure(server.root))
    assert (error.kind, error.retryable, error.retry_after) == (kind, retryable, wait)
    assert server.calls == 1
    assert "\n" not in str(error)


def test_a_redirect_does_not_take_the_key_to_another_host(azure) -> None:
    with LoopbackServer() as other, Relay(other.root, answer=lambda body: (307, b"{}"), location=f"{other.url}/chat/completions") as door:
        error = refusal(azure(door.url))
    assert other.requests == []
    assert (error.kind, error.status) == ("not_found", 307)


def test_an_echoed_key_is_scrubbed(azure) -> None:
    with LoopbackServer() as server, Relay(server.root, answer=lambda body: (401, b'{"error": {"message": "bad key ' + KEY.encode() + b'"}}')) as door:
        error = refusal(azure(door.url))
    assert "bad key ***" in str(error)
    with LoopbackServer(lambda body: f"it is {KEY}") as server:
        assert ask(azure(server.root))[0].text == "it is ***"


def test_a_filtered_prompt_and_refused_parameters_are_handled_as_elsewhere(azure) -> None:
    with LoopbackServer(faults=lambda i: "400-content_filter") as server:
        assert ask(azure(server.root))[0].finish_reason == "content_filter"
    with LoopbackServer(rejects_parameter("temperature", rejects_parameter("max_tokens"))) as server:
        assert [r.text for r in one_after_the_other(azure(server.root), request("a"), request("b"))] == ["ok", "ok"]
    assert server.calls == 4


def test_a_call_has_no_time_limit_of_the_sdk(azure) -> None:
    with LoopbackServer() as server:
        model = azure(server.root)
        ask(model)
        made = model._make(__import__("openai"), max_retries=0, timeout=None)
    assert (made.max_retries, made.timeout) == (0, None)


def test_what_the_sdk_lacks_in_its_environment_is_one_line() -> None:
    with pytest.raises(InputError) as caught:
        ask(azure_chat("dep", "http://127.0.0.1:9"))
    assert len(str(caught.value).splitlines()) == 1
    assert "AZURE_OPENAI_API_KEY" in str(caught.value)


# Claude on Bedrock and Vertex


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> object:
    """Makes a model on a server, with a bearer token, which needs no AWS package."""

    def made(url: str) -> SDKGenerator:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
        return bedrock_messages("anthropic.claude-x", "eu-west-1", url)

    return made


def test_bedrock_is_asked_as_bedrock_wants_it(bedrock) -> None:
    with LoopbackServer(lambda body: Reply("hi", reasoning="hm", prompt_tokens=3, completion_tokens=2)) as server, Relay(server.root, lambda path: "/v1/messages") as door:
        response = ask(bedrock(door.url), request("U", system="S", temperature=0.5, max_tokens=50_000))[0]
    assert response == Response("hi", "stop", "fake-2026-01-01", Usage(3, 2), "hm")
    assert door.seen == ["/model/anthropic.claude-x/invoke"]
    assert door.headers[0]["authorization"] == f"Bearer {KEY}"
    assert {k: v for k, v in server.requests[0].body.items() if k != "anthropic_version"} == {
        "max_tokens": 50_000, "messages": [{"role": "user", "content": "U"}], "system": "S", "temperature": 0.5
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "kind", "retryable"), [("429", "rate_limit", True), ("529", "server", True), ("html", "bad_body", True), ("badjson", "bad_body", True), ("403", "credentials", False)]
)
def test_what_faults_of_bedrock_mean(bedrock, fault: str, kind: str, retryable: bool) -> None:
    with LoopbackServer(faults=lambda i: fault) as server, Relay(server.root, lambda path: "/v1/messages") as door:
        error = refusal(bedrock(door.url))
    assert (error.kind, error.retryable, server.calls) == (kind, retryable, 1)


def test_bedrock_drops_a_refused_temperature(bedrock) -> None:
    with LoopbackServer(rejects_parameter("temperature")) as server, Relay(server.root, lambda path: "/v1/messages") as door:
        assert [r.text for r in one_after_the_other(bedrock(door.url), request("a"), request("b"))] == ["ok", "ok"]
    assert server.calls == 3


def test_bedrock_without_the_aws_package_says_which_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        import botocore  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"claude-x on Bedrock: .*botocore.*install"):
            ask(bedrock_messages("claude-x", "eu-west-1", "http://127.0.0.1:9"))
    else:
        pytest.skip("the package is installed")


def test_bedrock_without_credentials_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(CredentialError, match=r"on Bedrock: .*credentials"):
        ask(bedrock_messages("claude-x", "eu-west-1", "http://127.0.0.1:9"))


def test_bedrock_signs_with_aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPLANTED000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    with LoopbackServer() as server, Relay(server.root, lambda path: "/v1/messages") as door:
        # A region of its own: the SDK keeps the credentials that it has found for one.
        assert ask(bedrock_messages("claude-x", "eu-west-2", door.url))[0].text == "ok"
    assert door.headers[0]["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAPLANTED000000000/")
    assert KEY not in str(door.headers)


def test_vertex_without_the_google_package_says_which_to_install() -> None:
    try:
        import google.auth  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"claude-x on Vertex: .*google-auth"):
            ask(vertex_messages("claude-x", "us-east5", "p", "http://127.0.0.1:9"))
    else:
        pytest.skip("the package is installed")


def test_vertex_without_credentials_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("google.auth")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(CredentialError, match=r"on Vertex: .*credentials"):
        ask(vertex_messages("claude-x", "us-east5", "p", "http://127.0.0.1:9"))


def test_the_sdks_are_imported_only_when_they_are_used() -> None:
    code = "import judgebench.specs, judgebench.preflight, judgebench.generators.sdk, sys; print([m for m in ('openai', 'anthropic', 'aiohttp') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"
