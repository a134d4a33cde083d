"""The lean transport to a key-and-URL endpoint: one POST of JSON over aiohttp, with every way it can fail named.

The official SDKs cost 2 to 3 ms of CPU a call; this costs a tenth of that. They stay the way in for what they know
(`sdk.py`). No redirect is followed and no .netrc is read, so a key goes nowhere but to its own URL.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
import urllib.request
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from judgebench.errors import ProviderError

if TYPE_CHECKING:
    import aiohttp

_RETRYABLE = {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
_LONGEST_RETRY_AFTER = 300.0


class JsonEndpoint:
    """One URL that takes JSON and gives JSON.

    Args:
        url: where to POST. headers: sent with every call, keys included. secrets: texts that may appear in no message and no
            response. label: the endpoint's name for people.
    """

    def __init__(self, url: str, headers: Mapping[str, str], secrets: Iterable[str], label: str) -> None:
        self.url = url
        self.label = label
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "judgebench", **headers}
        self._secrets = tuple(s.encode() for s in secrets if s)
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = None

    async def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """POST a body and return the JSON object that came back.

        Raises:
            ProviderError: with its kind, and retryable where the same call may succeed later.
        """
        import aiohttp  # imported here: `judgebench --help` and runs without calls do without its 0.2 s

        session = self._session or self._opened()
        try:
            async with session.post(self.url, data=json.dumps(body).encode(), allow_redirects=False, proxy=self._proxy) as reply:
                status, headers, raw = reply.status, reply.headers, await reply.read()
        except (asyncio.TimeoutError, aiohttp.ServerTimeoutError) as error:
            raise ProviderError(f"{self.label}: timed out", retryable=True, kind="timeout") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise ProviderError(f"{self.label}: the certificate is not trusted ({self._plain(str(error))}); set SSL_CERT_FILE to your authority's file", retryable=False, kind="connection") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise ProviderError(f"{self.label}: not a URL that can be called", retryable=False, kind="not_found") from error
        except aiohttp.ClientPayloadError as error:
            raise ProviderError(f"{self.label}: the response was cut off", retryable=True, kind="bad_body") from error
        except aiohttp.ServerDisconnectedError as error:
            raise ProviderError(f"{self.label}: the connection was dropped", retryable=True, kind="server") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderError(f"{self.label}: no connection ({self._plain(str(error))})", retryable=True, kind="connection") from error
        raw = self._scrubbed(raw)
        if status != 200:
            raise status_error(self.label, status, headers, raw)
        return self._object(raw)

    def _opened(self) -> aiohttp.ClientSession:
        import ssl

        import aiohttp

        self._proxy = proxy_for(self.url)
        secure = ssl.create_default_context() if self.url.startswith("https") else True  # honours SSL_CERT_FILE and _DIR
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=secure, ttl_dns_cache=300), headers=self._headers, trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=30), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True,
        )  # fmt: skip
        return self._session

    def _scrubbed(self, raw: bytes) -> bytes:
        for secret in self._secrets:
            if secret in raw:
                raw = raw.replace(secret, b"***")
        return raw

    def _plain(self, text: str) -> str:
        return self._scrubbed(" ".join(text.split())[:300].encode("utf-8", "replace")).decode("utf-8", "replace")

    def _object(self, raw: bytes) -> dict[str, Any]:
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ProviderError(f"{self.label}: 200 with a body that is not JSON ({self._plain(raw[:60].decode('utf-8', 'replace'))!r})", retryable=True, kind="bad_body") from error
        if not isinstance(value, dict):
            raise ProviderError(f"{self.label}: 200 with JSON that is no object", retryable=True, kind="bad_body")
        return value

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def status_error(label: str, status: int, headers: Mapping[str, str], raw: bytes) -> ProviderError:
    """The error that an HTTP status other than 200 means. `raw` must not hold a secret any more."""
    detail, code, param = error_detail(raw)
    message = f"{label}: HTTP {status}" + (f" ({' '.join(detail.split())[:300]})" if detail else "")
    if status in (401, 403):
        return ProviderError(f"{message}; check the key", retryable=False, status=status, kind="credentials")
    if status == 404:
        return ProviderError(f"{message}; check the model name and the URL", retryable=False, status=status, kind="not_found")
    if code == "insufficient_quota":
        return ProviderError(f"{message}; the account is out of credit", retryable=False, status=status, kind="credentials")
    kind = "rate_limit" if status == 429 else "server" if status in _RETRYABLE else "request"
    return ProviderError(message, retryable=status in _RETRYABLE, status=status, retry_after=_retry_after(headers), kind=kind, code=code, param=param)


def proxy_for(url: str) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for a URL, None for a direct connection."""
    scheme, _, rest = url.partition("://")
    host = rest.split("/", 1)[0].rsplit("@", 1)[-1]
    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(host, proxies):  # type: ignore[attr-defined]  # public in practice, absent from the stubs
        return None
    return proxies.get(scheme) or proxies.get("all")


def error_detail(raw: bytes) -> tuple[str, str, str]:
    """(message, code, param) of an error body, "" for what it does not say."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return "", "", ""
    error = value.get("error", value) if isinstance(value, dict) else None
    if isinstance(error, str):
        return error, "", ""
    if not isinstance(error, dict):
        return "", "", ""
    return str(error.get("message") or ""), str(error.get("code") or error.get("type") or ""), str(error.get("param") or "")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from Retry-After (or OpenAI's Retry-After-Ms), at most five minutes; None when absent or senseless."""
    try:
        if value := headers.get("Retry-After-Ms"):
            seconds = float(value) / 1000
        elif value := headers.get("Retry-After"):
            seconds = float(value) if value.replace(".", "", 1).strip().isdigit() else email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        else:
            return None
    except (ValueError, TypeError):
        return None
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER)
