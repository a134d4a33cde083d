"""The lean transport to a key-and-URL endpoint: one POST of JSON over aiohttp, with every way it can fail named.

The official SDKs cost 2 to 3 ms of CPU a call; this costs a tenth of that. They stay the way in for what they know
(`sdk.py`). No redirect is followed and no .netrc is read, so a key goes nowhere but to its own URL.
"""

from __future__ import annotations

import email.utils
import errno
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from judgebench.errors import InputError, ProviderError
from judgebench.types import Usage

if TYPE_CHECKING:
    import aiohttp

_RETRYABLE_4XX = {408, 409, 425, 429}
_LONGEST_RETRY_AFTER = 300.0
_SHORTEST_IN_ERRORS, _SHORTEST_IN_ANSWERS = 6, 12
_LARGEST_COUNT = 2**53
_LARGEST_BODY = 32 * 1024 * 1024  # after decompression; answers are a thousandth of that
_READ_AT_ONCE = 1024 * 1024
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
_ESCAPED = re.compile(r"\\(?:u00([0-9a-fA-F]{2})|([/\"\\]))")


class Secrets:
    """Texts that may stand in no message and in no response: keys that a server may send back.

    A value of a few letters ("EMPTY", "ollama") is a placeholder and no key: an answer that holds the word stays as it is.
    """

    def __init__(self, values: Iterable[str]) -> None:
        given = [v for v in values if len(v) >= _SHORTEST_IN_ERRORS]
        # The form that JSON writers use most; whatever else an escape may hide is found once decoded (`decoded`).
        self._all = [form.encode() for v in given for form in dict.fromkeys((v, v.replace("/", "\\/")))]
        self._texts, self._long_texts = given, [v for v in given if len(v) >= _SHORTEST_IN_ANSWERS]
        self._odd = any(c in v for v in given for c in '"\\\b\f\n\r\t')
        self._long = [secret for secret in self._all if len(secret) >= _SHORTEST_IN_ANSWERS]

    def scrubbed(self, raw: bytes, *, answer: bool = False) -> bytes:
        """The bytes with "***" for every secret; in the body of an answer only for those that no sentence holds by chance."""
        for secret in self._long if answer else self._all:
            if secret in raw:
                raw = raw.replace(secret, b"***")
        return raw

    def escaped_in(self, raw: bytes | str) -> bool:
        """Whether escapes in a JSON text may hide a secret; that of a line's end, which most answers hold, cannot."""
        text = raw.encode() if isinstance(raw, str) else raw
        return b"\\u" in text or b"\\/" in text or (self._odd and b"\\" in text)

    def decoded(self, value: Any, *, answer: bool = False) -> Any:
        """Parsed JSON with "***" for every secret in its texts, keys included: what was escaped in the bytes is plain by now."""
        if isinstance(value, str):
            for secret in self._long_texts if answer else self._texts:
                value = value.replace(secret, "***")
            return value
        if isinstance(value, list):
            return [self.decoded(one, answer=answer) for one in value]
        if isinstance(value, dict):
            return {self.decoded(k, answer=answer): self.decoded(v, answer=answer) for k, v in value.items()}
        return value

    def line(self, text: str) -> str:
        """One line of at most 300 characters for a message; JSON's escapes of ASCII are undone, as they may hide a secret."""
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
        return self.scrubbed(" ".join(text.split()).encode("utf-8", "replace")).decode("utf-8", "replace")[:300]


class JsonEndpoint:
    """One URL that takes JSON and gives JSON.

    Args:
        url: where to POST. headers: sent with every call, keys included. secrets: texts that may appear in no message and no
            response. label: the endpoint's name for people.
    """

    def __init__(self, url: str, headers: Mapping[str, str], secrets: Iterable[str], label: str) -> None:
        self.url = url
        self.label = " ".join(label.split())
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "judgebench", **headers}
        self._secrets = Secrets(secrets)
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = None

    async def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """POST a body and return the JSON object that came back.

        Raises:
            ProviderError: with its kind, and retryable where the same call may succeed later.
            InputError: the proxy that the environment names cannot be used.
        """
        import aiohttp  # imported here: `judgebench --help` and runs without calls do without its 0.2 s

        session = self._session or self._opened()
        try:
            async with session.post(self.url, data=json.dumps(body).encode(), allow_redirects=False, proxy=self._proxy) as reply:
                status, headers, raw = reply.status, reply.headers, await _body(reply)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise self._no_reply(error) from error
        if status != 200:
            raise status_error(self.label, status, headers, self._secrets.scrubbed(raw or b""), self._secrets)
        if raw is None:
            raise ProviderError(f"{self.label}: 200 with a body of more than {_LARGEST_BODY // 2**20} MB; check the URL", retryable=False, kind="bad_body")
        return json_object(self._secrets.scrubbed(raw, answer=True), self.label, self._secrets)

    def _no_reply(self, error: Exception) -> ProviderError:
        """What went wrong where no whole reply came back."""
        import aiohttp

        if isinstance(error, TimeoutError):
            return ProviderError(f"{self.label}: timed out", retryable=True, kind="timeout")
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            said = self._secrets.line(str(error))
            return ProviderError(f"{self.label}: the certificate is not trusted ({said}); set SSL_CERT_FILE to your authority's file", retryable=False, kind="not_found")
        if isinstance(error, aiohttp.ClientHttpProxyError):
            what = f"the proxy refuses (HTTP {error.status}); check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
            return ProviderError(f"{self.label}: {what}", retryable=error.status >= 500, kind="server" if error.status >= 500 else "not_found")
        if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
            return ProviderError(f"{self.label}: not a URL that can be called", retryable=False, kind="not_found")
        if isinstance(error, aiohttp.ClientResponseError) or isinstance(error.__cause__, aiohttp.http_exceptions.ContentEncodingError):
            # The parser quotes what it met, headers included; only the first words, which say what is wrong, are ours to show.
            said = self._secrets.line(str(getattr(error, "message", error)).partition("\n")[0].partition(": b")[0])[:100]
            return ProviderError(f"{self.label}: what answers there speaks no proper HTTP ({said}); check the URL", retryable=True, kind="protocol")
        if isinstance(error, OSError) and error.errno in _TOO_MANY_FILES:
            return ProviderError(f"{self.label}: too many open files here; lower --concurrency or raise `ulimit -n`", retryable=True, kind="open_files")
        if isinstance(error, aiohttp.ClientPayloadError):
            return ProviderError(f"{self.label}: the response was cut off", retryable=True, kind="bad_body")
        if isinstance(error, aiohttp.ServerDisconnectedError):
            return ProviderError(f"{self.label}: the connection was dropped", retryable=True, kind="server")
        return ProviderError(f"{self.label}: no connection ({self._secrets.line(str(error))})", retryable=True, kind="connection")

    def _opened(self) -> aiohttp.ClientSession:
        import ssl

        import aiohttp

        self._proxy = usable_proxy(self.url)
        secure = ssl.create_default_context() if self.url.startswith("https") else True  # honours SSL_CERT_FILE and _DIR
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=secure, ttl_dns_cache=300), headers=self._headers, trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=30), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True,
        )  # fmt: skip
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _body(reply: aiohttp.ClientResponse) -> bytes | None:
    """The body as it came, decompressed; None when it is larger than any answer could be."""
    length = reply.content_length
    if length is not None and length <= _READ_AT_ONCE and "Content-Encoding" not in reply.headers:
        return await reply.read()
    raw = bytearray()
    async for chunk in reply.content.iter_any():
        raw += chunk
        if len(raw) > _LARGEST_BODY:
            reply.close()  # the rest is not waited for
            return None
    return bytes(raw)


def json_object(raw: bytes | str, label: str, secrets: Secrets) -> dict[str, Any]:
    """The JSON object that the body of a 200 should be. Raises ProviderError when it is none: asking again may help."""
    try:
        value = json.loads(raw)
        if secrets.escaped_in(raw):
            value = secrets.decoded(value, answer=True)
    except (ValueError, RecursionError) as error:
        start = raw[:2000] if isinstance(raw, str) else raw[:2000].decode("utf-8", "replace")
        raise ProviderError(f"{label}: 200 with a body that is not JSON ({secrets.line(start)[:60]!r})", retryable=True, kind="bad_body") from error
    if not isinstance(value, dict):
        raise ProviderError(f"{label}: 200 with JSON that is no object", retryable=True, kind="bad_body")
    return value


def no_answer(label: str, what: str, raw: Mapping[str, Any]) -> ProviderError:
    """The error of a 200 whose JSON is no answer, with what it says instead."""
    said = " ".join(_detail(raw)[0].split())[:200]
    return ProviderError(f"{label}: 200 with a body that has no {what}" + (f" ({said})" if said else ""), retryable=True, kind="bad_body")


def status_error(label: str, status: int, headers: Mapping[str, str], raw: bytes, secrets: Secrets | None = None) -> ProviderError:
    """The error that an HTTP status other than 200 means. `raw` must hold no secret as it is; `secrets` finds escaped ones."""
    detail, code, param = error_detail(raw, secrets)
    message = f"{label}: HTTP {status}" + (f" ({' '.join(detail.split())[:300]})" if detail else "")
    retryable, kind, mend = _meaning(status, code, detail)
    return ProviderError(message + mend, retryable=retryable, status=status, retry_after=_retry_after(headers), kind=kind, code=code, param=param)


def _meaning(status: int, code: str, detail: str) -> tuple[bool, str, str]:
    """(worth asking again, kind, what to do about it) of an HTTP status."""
    if code == "insufficient_quota" or status == 402 or "credit balance is too low" in detail:
        return False, "credentials", "; the account is out of credit"
    if status == 401 or (status == 403 and "flagged" not in detail):
        return False, "credentials", "; check the key"
    if status in (404, 405, 410):
        return False, "not_found", "; check the model name and the URL"
    if 300 <= status < 400:
        return False, "not_found", "; the URL redirects, which is not followed: give the URL that it leads to"
    if status == 407:
        return False, "not_found", "; check the name and password in HTTPS_PROXY or HTTP_PROXY"
    if status == 429:
        return True, "rate_limit", ""
    if status >= 500:
        return True, "server", ""
    return status in _RETRYABLE_4XX, "server" if status in _RETRYABLE_4XX else "request", ""


def proxy_for(url: str) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for a URL, None for a direct connection."""
    return _named_proxy(url)[1]


def _named_proxy(url: str) -> tuple[str, str | None]:
    """(variable, value) of the proxy for a URL, with None for a direct connection."""
    scheme, _, rest = url.partition("://")
    host = rest.split("/", 1)[0].rsplit("@", 1)[-1]
    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(host, proxies):  # type: ignore[attr-defined]  # public in practice, absent from the stubs
        return "", None
    name = scheme if proxies.get(scheme) else "all"
    return f"{name.upper()}_PROXY", proxies.get(name)


def usable_proxy(url: str) -> str | None:
    """The proxy for a URL, in a form that the transport takes.

    Raises:
        InputError: the value is no URL, or of a proxy that does not speak HTTP. A name and password in it are not shown.
    """
    variable, proxy = _named_proxy(url)
    if proxy is None:
        return None
    scheme, separator, _ = proxy.partition("://")
    if separator and scheme.isalnum() and scheme.lower() not in ("http", "https"):
        raise InputError(f"{variable}: {scheme}:// proxies cannot be used; name one as http://HOST:PORT, or exempt the host in NO_PROXY")
    usable = proxy if separator else f"http://{proxy}"
    if not _is_proxy_url(usable):
        raise InputError(f"{variable}: not a proxy URL; write http://HOST:PORT, or exempt the host in NO_PROXY")
    return usable


def _is_proxy_url(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        host, port = parts.hostname, parts.port  # the port is checked when it is read
        named = bool(host) and bool(str(host).encode("idna"))
    except ValueError:
        return False
    return named and port != 0 and parts.scheme in ("http", "https") and text.isprintable() and " " not in text


def error_detail(raw: bytes, secrets: Secrets | None = None) -> tuple[str, str, str]:
    """(message, code, param) of an error body, "" for what it does not say."""
    try:
        value = json.loads(raw)
        return _detail(secrets.decoded(value) if secrets else value)
    except (ValueError, RecursionError):
        return "", "", ""


def _detail(value: Any) -> tuple[str, str, str]:
    error = value.get("error", value) if isinstance(value, dict) else None
    if isinstance(error, str):
        return error, "", ""
    if not isinstance(error, dict):
        return "", "", ""
    message = error.get("message") or error.get("detail") or ""  # "detail": FastAPI's word
    return str(message), str(error.get("code") or error.get("type") or ""), str(error.get("param") or "")


def usage_of(prompt: Iterable[Any], completion: Any) -> Usage:
    """Tokens as an API reported them; what is no sensible count is taken as not reported.

    Args:
        prompt: the parts of the prompt's count, None where absent. completion: likewise.
    """
    parts = [p for p in prompt if _is_count(p)]
    return Usage(sum(parts) if parts else None, completion if _is_count(completion) else None)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_COUNT


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from Retry-After (or OpenAI's Retry-After-Ms), at most five minutes; None when absent or senseless."""
    try:
        if value := headers.get("Retry-After-Ms"):
            seconds = float(value) / 1000
        elif value := headers.get("Retry-After"):
            seconds = float(value) if value.replace(".", "", 1).strip().isdigit() else email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        else:
            return None
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER)
