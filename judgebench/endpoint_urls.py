"""Keys, base URLs and what a URL spec holds: checked before anything is called, with complaints that repeat no secret."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping

from judgebench.errors import InputError


def without_password(text: str) -> str:
    """A text without what may be the name and password of a URL in it."""
    return re.sub(r"(?s):.*@", "://...@", text)


def key_of(environ: Mapping[str, str], variable: str) -> str:
    """The key in a variable, "" for none. One that cannot stand in a header would show up in the error of whoever tries:
    say so without it."""
    key = environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable() or any(c in " \"'`\\" for c in key):
        raise InputError(f"{variable}: holds characters that no key has (a blank, line break or quote from copying?); export {variable}=... again")
    return key


def base_of(environ: Mapping[str, str], variable: str, default: str) -> str:
    """The base URL that a variable names, without a slash at its end."""
    base = environ.get(variable, "").strip()
    return checked_base(base, variable) if base else default


def checked_base(base: str, whence: str) -> str:
    """A base URL that can be called.

    Args:
        base: the URL. whence: what it comes from, for the message, which repeats nothing of it but its host.

    Raises:
        InputError: no http(s) URL, no host, a port out of range, a password or a query in it.
    """
    try:
        parts = urllib.parse.urlsplit(base)
        host, port, password = parts.hostname, parts.port, parts.username is not None or parts.password is not None
    except ValueError:
        raise InputError(f"{whence}: not a URL that can be called (check the host and the port, which ends at 65535); write http://HOST:PORT/v1") from None
    if password:
        raise InputError(f"{whence}: a URL holds no name and password; put a key into a variable and, in a spec, name it: http://HOST/v1?key_env=VARIABLE#MODEL")
    if parts.scheme not in ("http", "https") or not host or port == 0 or not _callable_host(host) or re.search(r"[\s\x00-\x1f\x7f]", base):
        raise InputError(f"{whence}: not a URL that can be called; write http://HOST:PORT/v1")
    if parts.query or parts.fragment:
        raise InputError(f"{whence}: a base URL has no '?' or '#' in it; write http://HOST:PORT/v1")
    return base.rstrip("/")


def _callable_host(host: str) -> bool:
    try:
        return bool(host.encode("idna"))
    except UnicodeError:  # an empty label, or one of more than 63 characters
        return False


def place_of(base: str) -> tuple[str, int]:
    """(host, port) of a base URL."""
    parts = urllib.parse.urlsplit(base)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def key_variable_of(query: str, base: str, environ: Mapping[str, str]) -> str:
    """The variable that ?key_env= names. A key written there by mistake is not repeated."""
    given = urllib.parse.parse_qs(query, keep_blank_values=True)
    if list(given) != ["key_env"] or len(given["key_env"]) > 1:
        unknown = next((name for name in given if name != "key_env"), None)
        detail = f", not {without_password(unknown)!r}" if unknown and len(unknown) <= 20 else ""
        raise InputError(f"{base}: a URL spec takes one ?key_env=VARIABLE and nothing else{detail}")
    variable = given["key_env"][0]
    resembles_key = variable not in environ and len(variable) >= 20 and any(c.islower() for c in variable) and any(c.isdigit() for c in variable)
    if not re.fullmatch(r"[A-Za-z_]\w{0,63}", variable, re.ASCII) or resembles_key:
        raise InputError(f"{base}: ?key_env= takes the name of the variable that holds the key, not the key; export MY_KEY=... and write ?key_env=MY_KEY")
    return variable
