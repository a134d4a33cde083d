"""SPEC strings -> generators and judges, with keys from the environment and every complaint naming its mend."""

from __future__ import annotations

import difflib
import json
import os
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judgebench.errors import InputError
from judgebench.generators.anthropic_messages import AnthropicMessages
from judgebench.generators.openai_chat import OpenAIChat
from judgebench.generators.recorded import Recorded
from judgebench.generators.simulated import Simulated
from judgebench.types import Generator, Sampling

ENTRY_POINTS = "judgebench.generators"
OPENAI_URL, ANTHROPIC_URL = "https://api.openai.com/v1", "https://api.anthropic.com"

PRESETS: dict[str, tuple[str, str | None, str | None]] = {
    # prefix: (base URL, variable of its key, provider in the price table)
    "ollama": ("http://127.0.0.1:11434/v1", None, None),
    "lmstudio": ("http://127.0.0.1:1234/v1", None, None),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "openrouter"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY", "groq"),
    "together": ("https://api.together.xyz/v1", "TOGETHER_API_KEY", "together"),
    "deepseek": ("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "deepseek"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY", "mistral"),
}


@dataclass(frozen=True)
class Resolved:
    """A spec made into a generator.

    Attributes:
        name: for people and files. spec: as given, without the renaming. generator: what answers.
        endpoint: what shares a rate limit; "" for what is not remote. probe: (host, port) to try before the first call.
        missing_key: what to say when a call is needed and no key is set, None when all is well.
        priced: (provider, model) for the price table. sampling: what --generator-arg or --judge-arg set.
    """

    name: str
    spec: str
    generator: Generator
    endpoint: str = ""
    probe: tuple[str, int] | None = None
    missing_key: str | None = None
    priced: tuple[str, str] | None = None
    arguments: Arguments = field(default_factory=lambda: Arguments())


@dataclass(frozen=True)
class Arguments:
    """--generator-arg or --judge-arg, sorted into what is ours and what is sent as it is."""

    sampling: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    price: tuple[float, float] | None = None

    def applied(self, default: Sampling) -> Sampling:
        """The default with what the user set in its place."""
        return Sampling(self.sampling.get("temperature", default.temperature), self.sampling.get("max_tokens", default.max_tokens), tuple(sorted(self.extra.items())))


def parse_arguments(pairs: tuple[str, ...], option: str) -> Arguments:
    """K=V pairs; a value is JSON where it is valid JSON, else text. Raises InputError."""
    given: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][\w.-]*", key):
            raise InputError(f"{option} {pair!r}: write it as NAME=VALUE, for example {option} temperature=0")
        try:
            given[key] = json.loads(value)
        except ValueError:
            given[key] = value
    sampling: dict[str, Any] = {}
    for name, kinds, low in (("temperature", (int, float), 0), ("max_tokens", (int,), 1)):
        if name in given:
            value = given.pop(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, kinds) or value < low):
                raise InputError(f"{option} {name}={value}: must be a number of at least {low} (or null to leave it to the provider)")
            sampling[name] = value
    prices = [given.pop(name, None) for name in ("price_prompt", "price_completion")]
    if any(p is not None and (isinstance(p, bool) or not isinstance(p, (int, float)) or p < 0) for p in prices) or (prices.count(None) == 1):
        raise InputError(f"{option}: price_prompt and price_completion go together, in US dollars per million tokens")
    return Arguments(sampling, given, (float(prices[0]), float(prices[1])) if prices[0] is not None and prices[1] is not None else None)


_PREFIXED = re.compile(r"(?P<prefix>[A-Za-z][\w+.-]*):(?P<rest>.*)", re.S)
_RENAMED = re.compile(r"(?P<name>.*?)=(?P<spec>[A-Za-z][\w+.-]*:.*)", re.S)


def split_name(text: str) -> tuple[str | None, str]:
    """(NAME, SPEC) of NAME=SPEC, (None, SPEC) of a bare spec."""
    if _prefix(text) in known_prefixes():
        return None, text
    renamed = _RENAMED.fullmatch(text)
    if renamed is None:
        return None, text
    if not renamed["name"].strip():
        raise InputError(f"{_short(text)}: the name before '=' is blank; write NAME=SPEC or the SPEC alone")
    return renamed["name"], renamed["spec"]


def _prefix(text: str) -> str | None:
    found = _PREFIXED.fullmatch(text)
    return found["prefix"].lower() if found else None


def known_prefixes() -> dict[str, str]:
    """Every prefix that ships with judgebench and what stands behind it, for `list generators`."""
    shipped = {
        "openai": "OPENAI_API_KEY; Chat Completions (OPENAI_BASE_URL honoured)", "anthropic": "ANTHROPIC_API_KEY; Messages (ANTHROPIC_BASE_URL honoured)",
        "azure": "Azure OpenAI deployment, through the openai SDK and its environment", "bedrock": "Claude on Amazon Bedrock, through the anthropic SDK",
        "vertex": "Claude on Google Vertex AI, through the anthropic SDK", "recorded": "answers from a file: recorded:FILE or recorded:FILE#MODEL",
        "simulated": "simulated:skill=0.7,seed=1; no network", "http": "any OpenAI-compatible server: http://HOST:PORT/v1#NAME", "https": "likewise",
    }  # fmt: skip
    return {**shipped, **{name: f"preset for {url}" + (f"; {key}" if key else "; no key") for name, (url, key, _) in PRESETS.items()}}


def resolve(text: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    """A SPEC as a generator.

    Raises:
        InputError: unknown prefix (with the nearest), no model name, missing file, senseless option.
    """
    name, spec = split_name(text)
    found = _PREFIXED.fullmatch(spec)
    if found is None:
        raise InputError(_no_prefix(spec))
    prefix, rest = found["prefix"].lower(), found["rest"]
    if prefix not in known_prefixes():
        return _third_party(name, spec, prefix, rest, arguments)
    if not rest.strip():
        raise InputError(f"{_short(spec)}: names no model; write {prefix}:NAME" if prefix not in ("recorded",) else f"{spec}: names no file; write recorded:FILE")
    if prefix in ("http", "https"):
        return _url(name, spec, arguments, environ)
    if prefix in PRESETS:
        base, key_env, provider = PRESETS[prefix]
        return _openai_at(name or rest, spec, base, rest, key_env, environ, arguments, priced=(provider, rest) if provider else None)
    return _BUILDERS[prefix](name, spec, rest, arguments, environ)


def _openai(name: str | None, spec: str, rest: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    if environ.get("OPENAI_API_TYPE", "").lower() in ("azure", "azure_ad") or (environ.get("AZURE_OPENAI_ENDPOINT") and not environ.get("OPENAI_API_KEY")):
        return _azure(name, spec, rest, arguments, environ)
    base = environ.get("OPENAI_BASE_URL") or OPENAI_URL
    limit_name = "max_completion_tokens" if base.rstrip("/") == OPENAI_URL else "max_tokens"
    return _openai_at(name or rest, spec, base, rest, "OPENAI_API_KEY", environ, arguments, priced=("openai", rest), max_tokens_name=limit_name)


def _openai_at(
    name: str, spec: str, base: str, model: str, key_env: str | None, environ: Mapping[str, str], arguments: Arguments,
    *, priced: tuple[str, str] | None = None, max_tokens_name: str = "max_tokens",
) -> Resolved:  # fmt: skip
    key = environ.get(key_env, "").strip() if key_env else ""
    missing = _missing(key_env, spec) if key_env and not key else None
    _check_key(key, key_env)
    generator = OpenAIChat(base, model, key or None, max_tokens_name=max_tokens_name)
    return Resolved(name, spec, generator, base.rstrip("/"), _probe(base, spec), missing, priced, arguments)


def _anthropic(name: str | None, spec: str, rest: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    base = environ.get("ANTHROPIC_BASE_URL") or ANTHROPIC_URL
    key = environ.get("ANTHROPIC_API_KEY", "").strip()
    _check_key(key, "ANTHROPIC_API_KEY")
    missing = None if key else _missing("ANTHROPIC_API_KEY", spec)
    return Resolved(name or rest, spec, AnthropicMessages(base, rest, key), base.rstrip("/"), _probe(base, spec), missing, ("anthropic", rest), arguments)


def _check_key(key: str, variable: str | None) -> None:
    """A key that cannot stand in a header would show up in the error of whoever tries; say so without it."""
    if key and (not key.isascii() or not key.isprintable() or " " in key):
        raise InputError(f"{variable}: holds characters that no key has (a blank, line break or quote from copying?); set it again")


def _missing(variable: str, spec: str) -> str:
    return f"{_short(spec)}: no key; export {variable}=..."


def _url(name: str | None, spec: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    base, _, model = spec.partition("#")
    try:
        parts = urllib.parse.urlsplit(base)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{_short(spec)}: not a URL ({error}); write http://HOST:PORT/v1#MODEL") from error
    if parts.username or parts.password:
        raise InputError(f"{parts.scheme}://...@{host}: a URL spec holds no password; name the variable of its key: {parts.scheme}://{host}/v1?key_env=VARIABLE#MODEL")
    query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
    if unknown := sorted(set(query) - {"key_env"}):
        raise InputError(f"{parts.scheme}://{parts.netloc}{parts.path}: a URL spec takes ?key_env=VARIABLE and nothing else, not {unknown[0]!r}")
    if not host:
        raise InputError(f"{_short(spec)}: no host in it; write http://HOST:PORT/v1#MODEL")
    if not model:
        raise InputError(f"{_short(spec)}: names no model; write {base}#MODEL")
    del port
    plain = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    key_env = query.get("key_env", [""])[0] or None
    return _openai_at(name or model, spec, plain, model, key_env, environ, arguments)


def _probe(base: str, spec: str) -> tuple[str, int]:
    try:
        parts = urllib.parse.urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("no http or https URL")
        return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise InputError(f"{_short(spec)}: its base URL {base[:80]!r} cannot be used ({error})") from error


def _recorded(name: str | None, spec: str, rest: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    path, model = Path(rest), None
    if not path.is_file() and "#" in rest:
        file, _, model = rest.rpartition("#")
        path = Path(file)
    if not path.is_file():
        raise InputError(f"{_short(spec)}: {'is a folder' if path.is_dir() else 'no such file'}; give a file of answers")
    generator = Recorded(path, model)
    return Resolved(name or generator.model or path.stem, spec, generator, arguments=arguments)


def _simulated(name: str | None, spec: str, rest: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    given = simulated_options(rest, spec, {"skill": 0.5, "seed": 0.0, "verbosity": 1.0})
    if not 0 <= given["skill"] <= 1:
        raise InputError(f"{_short(spec)}: skill must lie in [0, 1]")
    if not 0 < given["verbosity"] <= 100:
        raise InputError(f"{_short(spec)}: verbosity must lie in (0, 100]")
    return Resolved(name or spec, spec, Simulated(given["skill"], int(given["seed"]), given["verbosity"]), arguments=arguments)


def simulated_options(rest: str, spec: str, defaults: Mapping[str, float]) -> dict[str, float]:
    """key=value,key=value of a simulated model or judge. Raises InputError with the nearest key."""
    given = dict(defaults)
    for pair in filter(None, (p.strip() for p in rest.split(","))):
        key, equals, value = pair.partition("=")
        if key not in defaults:
            near = difflib.get_close_matches(key, list(defaults), n=1)
            raise InputError(f"{_short(spec)}: unknown option {key!r}; " + (f"did you mean {near[0]!r}?" if near else f"known are {', '.join(defaults)}"))
        try:
            given[key] = float(value) if equals else float("nan")
        except ValueError:
            given[key] = float("nan")
        if not -1e9 < given[key] < 1e9:
            raise InputError(f"{_short(spec)}: {key} takes a number, as in {key}=0.5")
    return given


def _azure(name: str | None, spec: str, rest: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    from judgebench.generators.sdk import azure_chat

    needed = [v for v in ("AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION") if not environ.get(v)]
    if not environ.get("AZURE_OPENAI_API_KEY") and not environ.get("AZURE_OPENAI_AD_TOKEN"):
        needed.append("AZURE_OPENAI_API_KEY")
    missing = f"{_short(spec)}: no Azure settings; " + "; ".join(f"export {v}=..." for v in needed) if needed else None
    endpoint = environ.get("AZURE_OPENAI_ENDPOINT", "https://azure.invalid").rstrip("/")
    return Resolved(name or rest, spec, azure_chat(rest, endpoint), endpoint, _probe(endpoint, spec), missing, ("azure", rest), arguments)


def _bedrock(name: str | None, spec: str, rest: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    from judgebench.generators.sdk import bedrock_messages

    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    missing = None if region else f"{_short(spec)}: no region; export AWS_REGION=..."
    return Resolved(name or rest, spec, bedrock_messages(rest, region or ""), f"bedrock {region}", None, missing, None, arguments)


def _vertex(name: str | None, spec: str, rest: str, arguments: Arguments, environ: Mapping[str, str]) -> Resolved:
    from judgebench.generators.sdk import vertex_messages

    region, project = environ.get("CLOUD_ML_REGION"), environ.get("ANTHROPIC_VERTEX_PROJECT_ID")
    needed = [v for v, given in (("CLOUD_ML_REGION", region), ("ANTHROPIC_VERTEX_PROJECT_ID", project)) if not given]
    missing = f"{_short(spec)}: no Vertex settings; " + "; ".join(f"export {v}=..." for v in needed) if needed else None
    return Resolved(name or rest, spec, vertex_messages(rest, region or "", project or ""), f"vertex {region}", None, missing, None, arguments)


_Builder = Callable[[str | None, str, str, Arguments, Mapping[str, str]], Resolved]
_BUILDERS: dict[str, _Builder] = {
    "openai": _openai, "anthropic": _anthropic, "recorded": _recorded, "simulated": _simulated, "azure": _azure, "bedrock": _bedrock, "vertex": _vertex,
}  # fmt: skip


def third_party() -> dict[str, Any]:
    """Generators that other packages register, by prefix."""
    import importlib.metadata  # imported here: looking through all packages takes tens of milliseconds

    return {entry.name: entry for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)}


def _third_party(name: str | None, spec: str, prefix: str, rest: str, arguments: Arguments) -> Resolved:
    entries = third_party()
    if prefix not in entries:
        known = [*known_prefixes(), *entries]
        near = difflib.get_close_matches(prefix, known, n=1)
        raise InputError(f"{_short(spec)}: unknown provider {prefix!r}; " + (f"did you mean {near[0]}:{rest[:40]}? " if near else "") + f"known are {', '.join(known)}")
    try:
        generator = entries[prefix].load()(rest, {k: str(v) for k, v in {**arguments.sampling, **arguments.extra}.items()})
    except ImportError as error:
        raise InputError(f"{_short(spec)}: the package that brings {prefix!r} cannot be imported ({error})") from error
    return Resolved(name or rest or prefix, spec, generator, f"{prefix}" if generator.remote else "", arguments=arguments)


def _no_prefix(spec: str) -> str:
    head, slash, tail = spec.partition("/")
    if slash and head.lower() in known_prefixes():
        return f"{_short(spec)}: write {head}:{tail} for {head}'s own API, or openrouter:{spec} (or http://HOST:PORT/v1#{spec}) for a server that calls its model {spec!r}"
    if os.path.exists(spec):
        return f"{_short(spec)}: looks like a file; write recorded:{spec} for recorded answers"
    return f"{_short(spec)}: names no provider; write openai:{_short(spec)}, anthropic:..., http://HOST:PORT/v1#NAME or recorded:FILE"


def _short(text: str) -> str:
    """A spec as it may be printed: one line, no password in a URL, not endless."""
    plain = " ".join(re.sub(r"//[^/@\s]*@", "//...@", text).split())
    return plain if len(plain) <= 80 else plain[:77] + "..."
