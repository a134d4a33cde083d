"""JSON Lines, read strictly: every complaint names the file, the line and the mend."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from judgebench.errors import InputError

BOM, GZIP = b"\xef\xbb\xbf", b"\x1f\x8b"


class Row(NamedTuple):
    """One object of a file and the line it stands on (from 1)."""

    line: int
    value: dict[str, Any]


def read_rows(path: Path, digest: Callable[[bytes], object] | None = None) -> Iterator[Row]:
    """The objects of a JSON Lines file, in order; blank lines, a byte order mark and CRLF are fine.

    Args:
        path: the file. digest: given every raw line as it is read (a hash's `update`).

    Raises:
        InputError: the file cannot be read, or a line is not a JSON object in UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if digest is not None:
                    digest(raw)
                if number == 1:
                    if raw.startswith(GZIP):
                        raise InputError(f"{path}: is gzip-compressed; gunzip it first")
                    raw = raw.removeprefix(BOM)
                if raw.strip():
                    yield Row(number, parse_object(raw, f"{path} line {number}"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error


def parse_object(raw: bytes, where: str) -> dict[str, Any]:
    """One JSON object from bytes. Raises InputError that starts with `where`."""
    try:
        value = strict_json(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 (byte {error.start + 1}); save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not valid JSON ({error.msg} at column {error.colno}); every line must hold one whole JSON object") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON that can be read ({str(error)[:80]}); every line must hold one whole JSON object") from error
    if not isinstance(value, dict):
        raise InputError(f"{where}: holds {_name(value)}, not an object; every line must look like {{\"question_id\": ...}}")
    return value


def strict_json(text: str) -> Any:
    """A JSON value, every number in it finite. Raises ValueError, or RecursionError for one that is nested too deep."""
    return _DECODER.decode(text)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)  # made once: json.loads would make one per row
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def _name(value: Any) -> str:
    return {"list": "a list", "str": "a text", "int": "a number", "float": "a number", "bool": "true or false", "NoneType": "null"}.get(type(value).__name__, "something else")


def whole(text: str) -> bool:
    """Whether a text can be written as UTF-8, that is, holds no lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def cleaned(text: str) -> str:
    """The text with lone surrogates, which no file or wire can carry, replaced by U+FFFD."""
    return text if text.isascii() or whole(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def dump(value: Any) -> str:
    """One line of JSON: UTF-8 text, no NaN, keys in the order given."""
    return _ENCODER.encode(value)


def sha256_text(text: str) -> str:
    """The hash by which data files are named in results."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
