"""SPEC strings -> generators, with every complaint naming its mend. What stands behind a prefix is in `providers.py`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from judgebench.arguments import Arguments
from judgebench.complaints import nearest
from judgebench.errors import InputError
from judgebench.formats.jsonl import whole
from judgebench.providers import PROVIDERS, Asked, Resolved, from_entry_point, shown, third_party

_PREFIXED = re.compile(r"(?P<prefix>[A-Za-z][\w+.-]*):(?P<rest>.*)", re.S)
_RENAMED = re.compile(r"(?P<name>.*?)=(?P<spec>[A-Za-z][\w+.-]*:.*)", re.S)


def split_name(text: str) -> tuple[str | None, str]:
    """(NAME, SPEC) of NAME=SPEC, (None, SPEC) of a bare spec.

    NAME may hold anything, "=" and line breaks included, as long as it does not begin with a known prefix and ":".

    Raises:
        InputError: the name is blank.
    """
    renamed = _RENAMED.fullmatch(text)
    if renamed is None or (prefix := _prefix(text)) in PROVIDERS or (prefix is not None and prefix in third_party()):
        return None, text
    if not renamed["name"].strip():
        raise InputError(f"{shown(text)}: the name before '=' is blank; write NAME=SPEC or the SPEC alone")
    return renamed["name"], renamed["spec"]


def _prefix(text: str) -> str | None:
    found = _PREFIXED.fullmatch(text)
    return found["prefix"].lower() if found else None


_PLACE = re.compile(r"(?P<host>localhost|[\w-]+(?:\.[\w-]+)*):(?P<port>\d{1,5})(?:/[^#\s]*)?(?:#(?P<model>.+))?", re.S)


def _without_scheme(spec: str) -> str | None:
    """What to write for HOST:PORT, None where a spec is none."""
    found = _PLACE.fullmatch(spec)
    return found and f"{shown(spec)}: is a place without http://; write http://{found['host']}:{found['port']}/v1#{shown(found['model'] or 'NAME')}"


def resolve(text: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    """A SPEC as a generator.

    Args:
        text: SPEC or NAME=SPEC. arguments: of all models or all judges. environ: where keys and base URLs are read.

    Raises:
        InputError: unknown prefix (with the nearest), no model name, missing file, senseless option.
    """
    if not whole(text):
        raise InputError(f"{shown(text)}: is not UTF-8; write the spec in UTF-8")
    name, spec = split_name(text)
    found = _PREFIXED.fullmatch(spec)
    if found is None:
        raise InputError(_without_scheme(spec) or _no_prefix(spec))
    prefix, asked = found["prefix"].lower(), Asked(name, spec, found["rest"], arguments, environ)
    if prefix in PROVIDERS:
        provider = PROVIDERS[prefix]
        if not asked.rest.strip() and not provider.optional:
            raise InputError(f"{shown(spec)}: names no {'file' if provider.form == 'FILE' else 'model'}; write {_written(prefix)}")
        return provider.build(asked)
    entries = third_party()
    if prefix in entries:
        return from_entry_point(prefix, entries[prefix], asked)
    if said := _without_scheme(spec):
        raise InputError(said)
    raise InputError(f"{shown(spec)}: unknown provider {shown(prefix)!r}{nearest(prefix, (*PROVIDERS, *entries))}")


def _written(prefix: str) -> str:
    return f"{prefix}:{PROVIDERS[prefix].form}"


def _no_prefix(spec: str) -> str:
    head, slash, tail = spec.partition("/")
    if slash and tail and head.lower() in PROVIDERS:
        said = shown(spec)
        return f"{said}: write {head.lower()}:{shown(tail)} for {head}'s own API, or openrouter:{said} (or http://HOST:PORT/v1#{said}) for a server that calls its model {said!r}"
    if "\x00" not in spec and os.path.exists(spec):
        return f"{shown(spec)}: looks like a file; write recorded:{shown(spec)} for recorded answers"
    if spec.lower() in PROVIDERS:
        return f"{shown(spec)}: names no model; write {_written(spec.lower())}"
    return f"{shown(spec)}: names no provider; write openai:{shown(spec)}, anthropic:..., http://HOST:PORT/v1#NAME or recorded:FILE"
