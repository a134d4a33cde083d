"""The transport: what every failure means, where a key may go, proxies and certificates. All of it over real sockets."""

import datetime
import email.utils
import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from asking import KEY, ask, refusal
from loopback import LoopbackServer, Reply
from relay import Relay

from judgebench.errors import InputError
from judgebench.generators.http import Secrets, error_detail, proxy_for, status_error, usable_proxy
from judgebench.generators.openai_chat import OpenAIChat


@pytest.mark.parametrize(
    ("fault", "status", "kind", "retryable", "wait"),
    [
        ("400", 400, "request", False, None),
        ("401", 401, "credentials", False, None),
        ("403", 403, "credentials", False, None),
        ("404", 404, "not_found", False, None),
        ("408", 408, "server", True, None),
        ("409", 409, "server", True, None),
        ("429", 429, "rate_limit", True, 0.2),
        ("429-plain", 429, "rate_limit", True, None),
        ("500", 500, "server", True, None),
        ("502", 502, "server", True, None),
        ("503", 503, "server", True, None),
        ("529", 529, "server", True, None),
        ("redirect", 307, "not_found", False, None),
        ("drop", None, "server", True, None),
        ("cut", None, "bad_body", True, None),
        ("badjson", None, "bad_body", True, None),
        ("html", None, "bad_body", True, None),
    ],
)
def test_what_every_fault_means(fault: str, status: int | None, kind: str, retryable: bool, wait: float | None) -> None:
    with LoopbackServer(faults=lambda i: fault) as server:
        error = refusal(OpenAIChat(server.url, "m", KEY))
    assert (error.status, error.kind, error.retryable, error.retry_after) == (status, kind, retryable, wait)
    assert str(error).startswith(f"m at {server.url}: ")
    assert "\n" not in str(error)
    assert server.calls == 1  # asking again is the engine's business


def test_retry_after_as_a_date_is_seconds_from_now() -> None:
    with LoopbackServer(faults=lambda i: "429-date") as server:
        error = refusal(OpenAIChat(server.url, "m"))
    assert error.retry_after is not None
    assert 0 < error.retry_after <= 2.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0), ({"Retry-After": "0.5"}, 0.5), ({"Retry-After-Ms": "1500"}, 1.5), ({"Retry-After-Ms": "250", "Retry-After": "9"}, 0.25),
        ({"Retry-After": "86400"}, 300.0), ({"Retry-After": "-3"}, None), ({"Retry-After": "soon"}, None), ({"Retry-After": ""}, None), ({}, None),
        ({"Retry-After-Ms": "nan"}, 0.0), ({"Retry-After": "²"}, None), ({"Retry-After": "Fri, 31 Feb 2031 99:00:00 GMT"}, None),
    ],
    ids=str,
)  # fmt: skip
def test_forms_of_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert status_error("m", 429, headers, b"").retry_after == seconds


def test_a_date_far_ahead_is_capped_and_one_in_the_past_is_no_wait() -> None:
    now = datetime.datetime.now(datetime.UTC)
    ahead, past = (email.utils.format_datetime(now + datetime.timedelta(days=d), usegmt=True) for d in (2, -2))
    assert status_error("m", 503, {"Retry-After": ahead}, b"").retry_after == 300.0
    assert status_error("m", 503, {"Retry-After": past}, b"").retry_after == 0.0


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (429, b'{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'),
        (402, b'{"error": {"message": "Insufficient Balance"}}'),
        (400, b'{"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API."}}'),
    ],
)
def test_an_account_without_credit_is_not_asked_again(status: int, raw: bytes) -> None:
    error = status_error("m", status, {}, raw)
    assert (error.retryable, error.kind) == (False, "credentials")
    assert str(error).endswith("the account is out of credit")


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b'{"error": "plain"}', ("plain", "", "")),
        (b'{"message": "at the top", "code": 7}', ("at the top", "7", "")),
        (b'{"detail": "not here"}', ("not here", "", "")),
        (b'{"error": {"message": "m", "type": "t", "param": "p"}}', ("m", "t", "p")),
        (b"<html>", ("", "", "")), (b"[1]", ("", "", "")), (b"", ("", "", "")), (b"[" * 100_000, ("", "", "")), (b"\xff\xfe", ("", "", "")),
    ],
    ids=lambda v: str(v)[:30],
)  # fmt: skip
def test_error_bodies_of_all_sorts(raw: bytes, detail: tuple[str, str, str]) -> None:
    assert error_detail(raw) == detail


def test_nobody_listening_is_no_connection() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = refusal(OpenAIChat(f"http://127.0.0.1:{port}/v1", "m", KEY))
    assert (error.kind, error.retryable) == ("connection", True)


# Where a key may go


def test_a_redirect_is_not_followed_so_the_key_stays_where_it_belongs() -> None:
    with LoopbackServer() as other, Relay(other.root, answer=lambda body: (308, b"{}"), location=f"{other.url}/chat/completions") as door:
        error = refusal(OpenAIChat(f"{door.url}/v1", "m", KEY))
    assert (other.requests, len(door.seen)) == ([], 1)
    assert (error.kind, error.retryable) == ("not_found", False)
    assert "redirect" in str(error)


def test_a_netrc_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login eve password hunter2-hunter2\ndefault login eve password hunter2-hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with LoopbackServer() as server:
        ask(OpenAIChat(server.url, "m"))
    assert "authorization" not in server.requests[0].headers


def test_an_echoed_key_is_in_no_error() -> None:
    with LoopbackServer(faults=lambda i: "echo-key") as server:
        error = refusal(OpenAIChat(server.url, "m", KEY))
    assert KEY not in str(error) + repr(error) + repr(error.__cause__)
    assert "***" in str(error)


def test_an_echoed_key_is_in_no_response() -> None:
    with LoopbackServer(lambda body: Reply(f"your key is {KEY}!", reasoning=KEY, model=KEY)) as server:
        response = ask(OpenAIChat(server.url, "m", KEY))[0]
    assert response.text == "your key is ***!"
    assert KEY not in repr(response)


def test_a_key_is_found_behind_escaped_slashes_too() -> None:
    key = "sk/planted/0123456789abcdef"
    raw = json.dumps(f"key {key}").replace("/", "\\/").encode()
    assert b"planted" not in Secrets([key]).scrubbed(raw)


def test_a_placeholder_key_does_not_mangle_answers() -> None:
    with LoopbackServer(lambda body: "ollama runs models; EMPTY is empty") as server:
        for key in ("ollama", "EMPTY", "lm-studio"):
            assert ask(OpenAIChat(server.url, "m", key))[0].text == "ollama runs models; EMPTY is empty"


def test_a_broken_body_that_holds_the_key_does_not_print_it() -> None:
    with LoopbackServer() as server, Relay(server.root, answer=lambda body: (200, b"<html>" + KEY.encode())) as door:
        error = refusal(OpenAIChat(f"{door.url}/v1", "m", KEY))
    assert "***" in str(error)
    assert KEY not in str(error)


# Proxies and certificates


def test_http_proxy_is_used_and_no_proxy_goes_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with LoopbackServer() as server, Relay(server.root) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert ask(OpenAIChat("http://models.invalid/v1", "m", KEY))[0].text == "ok"
        assert proxy.seen == ["http://models.invalid/v1/chat/completions"]
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
        assert ask(OpenAIChat(server.url, "m"))[0].text == "ok"
        assert len(proxy.seen) == 1
        monkeypatch.setenv("NO_PROXY", "")
        assert ask(OpenAIChat(server.url, "m"))[0].text == "ok"
        assert len(proxy.seen) == 2


def test_a_proxy_without_a_scheme_is_an_http_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with LoopbackServer() as server, Relay(server.root) as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        assert ask(OpenAIChat("http://models.invalid/v1", "m"))[0].text == "ok"
    assert len(proxy.seen) == 1


def test_which_proxy_a_url_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_for("https://api.openai.com/v1") is None
    monkeypatch.setenv("HTTPS_PROXY", "http://secure:1")
    monkeypatch.setenv("ALL_PROXY", "http://all:2")
    monkeypatch.setenv("NO_PROXY", ".internal,10.0.0.7:8000")
    assert proxy_for("https://api.openai.com/v1") == "http://secure:1"
    assert proxy_for("http://host/v1") == "http://all:2"
    assert proxy_for("http://gpu.internal/v1") is None
    assert proxy_for("http://10.0.0.7:8000/v1") is None
    assert proxy_for("http://10.0.0.7:9000/v1") == "http://all:2"
    monkeypatch.setenv("NO_PROXY", "*")
    assert proxy_for("https://api.openai.com/v1") is None


def test_a_proxy_that_speaks_no_http_is_wrong_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:hunter2@127.0.0.1:1080")
    with pytest.raises(InputError, match="socks5:// proxies cannot be used") as caught:
        usable_proxy("http://h/v1")
    assert "hunter2" not in str(caught.value)


def test_a_proxy_that_is_down_does_not_show_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://user:hunter2@127.0.0.1:{port}")
    error = refusal(OpenAIChat("http://models.invalid/v1", "m"))
    assert error.kind == "connection"
    assert "hunter2" not in str(error)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """(certificate, key) files of a self-signed server called localhost."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    files = str(folder / "certificate.pem"), str(folder / "key.pem")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-addext", "subjectAltName=DNS:localhost", "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


def test_ssl_cert_file_is_honoured(certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with LoopbackServer() as server, Relay(server.root, tls=certificate) as secure:
        monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
        assert ask(OpenAIChat(f"{secure.url}/v1", "m", KEY))[0].text == "ok"
    assert secure.headers[0]["authorization"] == f"Bearer {KEY}"


def test_a_certificate_that_nobody_vouches_for_gets_no_key(certificate: tuple[str, str]) -> None:
    os.environ.pop("SSL_CERT_FILE", None)
    with LoopbackServer() as server, Relay(server.root, tls=certificate) as secure:
        error = refusal(OpenAIChat(f"{secure.url}/v1", "m", KEY))
    assert (error.kind, error.retryable, secure.headers) == ("not_found", False, [])
    assert "SSL_CERT_FILE" in str(error)
