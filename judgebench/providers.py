"""What stands behind each prefix of a SPEC: one builder per provider, with keys from the environment.

**Another package adds a provider** by an entry point in the group `judgebench.generators`:

    [project.entry-points."judgebench.generators"]
    mine = "my_package:make"          # then --model mine:ANYTHING

`make(rest, options)` is called once per spec, with what follows the prefix (any text, perhaps empty) and the --generator-arg
or --judge-arg options as texts (an empty mapping without any). It returns an object with

- `identity`: a text that says what answers (provider, endpoint, model), different for whatever may answer differently and
  without any secret: responses are looked up by it and it is written into run.json;
- `remote`: True where a call costs time or money. Then calls are logged, limited, retried and counted; otherwise `generate`
  is called directly, and again on every run;
- `async generate(request) -> Response` (both in `judgebench.types`). It raises `judgebench.errors.ProviderError` for a call
  that failed, with `retryable=True` where the same call may succeed later, and never retries by itself. Any other exception
  counts as a bug and ends the run. Sampling parameters are those of `request.sampling`;
- `async close()`: releases connections; called once, when the run is over.

Bad input should raise `judgebench.errors.InputError` in `make`, one line that says what to do; whatever else `make` raises
becomes one line too. A prefix that ships with judgebench cannot be replaced.
"""

from __future__ import annotations

import difflib
import os
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from judgebench.arguments import Arguments
from judgebench.errors import InputError
from judgebench.formats.jsonl import cleaned
from judgebench.generators.anthropic_messages import AnthropicMessages
from judgebench.generators.http import Secrets
from judgebench.generators.openai_chat import OpenAIChat
from judgebench.generators.recorded import Recorded
from judgebench.generators.simulated import Simulated
from judgebench.types import Generator

ENTRY_POINTS = "judgebench.generators"
OPENAI_URL, ANTHROPIC_URL = "https://api.openai.com/v1", "https://api.anthropic.com"
_LONGEST_SHOWN = 80

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
        priced: (provider, model) for the price table. arguments: what --generator-arg or --judge-arg set.
    """

    name: str
    spec: str
    generator: Generator
    endpoint: str = ""
    probe: tuple[str, int] | None = None
    missing_key: str | None = None
    priced: tuple[str, str] | None = None
    arguments: Arguments = field(default_factory=Arguments)


@dataclass(frozen=True)
class Asked:
    """A SPEC taken apart: NAME=PREFIX:REST. `spec` is all but NAME, `name` None where it is not renamed."""

    name: str | None
    spec: str
    rest: str
    arguments: Arguments
    environ: Mapping[str, str]


def known_prefixes() -> dict[str, str]:
    """Every prefix that ships with judgebench and what stands behind it, for `list generators`."""
    shipped = {
        "openai": "OPENAI_API_KEY; Chat Completions (OPENAI_BASE_URL honoured)", "anthropic": "ANTHROPIC_API_KEY; Messages (ANTHROPIC_BASE_URL honoured)",
        "azure": "Azure OpenAI deployment, through the openai SDK and its environment", "bedrock": "Claude on Amazon Bedrock, through the anthropic SDK",
        "vertex": "Claude on Google Vertex AI, through the anthropic SDK", "recorded": "answers from a file: recorded:FILE or recorded:FILE#MODEL",
        "simulated": "simulated:skill=0.7,seed=1; no network", "http": "any OpenAI-compatible server: http://HOST:PORT/v1#NAME", "https": "likewise",
    }  # fmt: skip
    return {**shipped, **{name: f"preset for {url}" + (f"; {key}" if key else "; no key") for name, (url, key, _) in PRESETS.items()}}


def shown(text: str) -> str:
    """A spec as it may be printed: one line, not endless, and without what may be a password in a URL."""
    prefix = text.partition(":")[0].lower()
    if prefix in ("http", "https") or prefix not in known_prefixes():
        text = re.sub(r"(?s):.*@", "://...@", text)
    plain = " ".join(cleaned(text).split())
    return plain if len(plain) <= _LONGEST_SHOWN else plain[: _LONGEST_SHOWN - 3] + "..."


def nearest(word: str, known: Mapping[str, Any]) -> str | None:
    """The known word that was probably meant, None where none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def _openai(asked: Asked) -> Resolved:
    environ = asked.environ
    if environ.get("OPENAI_API_TYPE", "").lower() in ("azure", "azure_ad") or (environ.get("AZURE_OPENAI_ENDPOINT") and not environ.get("OPENAI_API_KEY")):
        return _azure(asked)
    base = _base(environ, "OPENAI_BASE_URL", OPENAI_URL)
    limit_name = "max_completion_tokens" if base == OPENAI_URL else "max_tokens"
    return _chat(asked, base, asked.rest, "OPENAI_API_KEY", priced=("openai", asked.rest), max_tokens_name=limit_name)


def _preset(asked: Asked) -> Resolved:
    base, key_env, provider = PRESETS[asked.spec.partition(":")[0].lower()]
    return _chat(asked, base, asked.rest, key_env, priced=(provider, asked.rest) if provider else None)


def _chat(asked: Asked, base: str, model: str, key_env: str | None, *, priced: tuple[str, str] | None = None, max_tokens_name: str = "max_tokens") -> Resolved:
    """A model behind a Chat Completions URL, with the key of a variable or none at all."""
    key = _key(asked.environ, key_env) if key_env else ""
    missing = f"{shown(asked.spec)}: no key; export {key_env}=..." if key_env and not key else None
    generator = OpenAIChat(base, model, key or None, max_tokens_name=max_tokens_name)
    return Resolved(asked.name or model, asked.spec, generator, base, _place(base), missing, priced, asked.arguments)


def _anthropic(asked: Asked) -> Resolved:
    base, key = _base(asked.environ, "ANTHROPIC_BASE_URL", ANTHROPIC_URL), _key(asked.environ, "ANTHROPIC_API_KEY")
    missing = None if key else f"{shown(asked.spec)}: no key; export ANTHROPIC_API_KEY=..."
    return Resolved(asked.name or asked.rest, asked.spec, AnthropicMessages(base, asked.rest, key), base, _place(base), missing, ("anthropic", asked.rest), asked.arguments)


def _key(environ: Mapping[str, str], variable: str) -> str:
    """The key in a variable, "" for none. One that cannot stand in a header would show up in the error of whoever tries:
    say so without it."""
    key = environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable() or any(c in " \"'`\\" for c in key):
        raise InputError(f"{variable}: holds characters that no key has (a blank, line break or quote from copying?); export {variable}=... again")
    return key


def _base(environ: Mapping[str, str], variable: str, default: str) -> str:
    """The base URL that a variable names, without a slash at its end."""
    base = environ.get(variable, "").strip()
    return _checked_base(base, variable) if base else default


def _checked_base(base: str, whence: str) -> str:
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


def _place(base: str) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(base)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _url(asked: Asked) -> Resolved:
    whole_url, _, model = asked.spec.partition("#")
    base, question, query = whole_url.partition("?")
    base = _checked_base(base, shown(asked.spec))
    key_env = _key_env(query, base, asked.environ) if question else None
    if not model.strip():
        raise InputError(f"{shown(asked.spec)}: names no model; write {shown(whole_url)}#MODEL")
    return _chat(asked, base, model, key_env)


def _key_env(query: str, base: str, environ: Mapping[str, str]) -> str:
    """The variable that ?key_env= names. A key written there by mistake is not repeated."""
    given = urllib.parse.parse_qs(query, keep_blank_values=True)
    if list(given) != ["key_env"] or len(given["key_env"]) > 1:
        unknown = next((name for name in given if name != "key_env"), None)
        detail = f", not {shown(unknown)!r}" if unknown and len(unknown) <= 20 else ""
        raise InputError(f"{base}: a URL spec takes one ?key_env=VARIABLE and nothing else{detail}")
    variable = given["key_env"][0]
    resembles_key = variable not in environ and len(variable) >= 20 and any(c.islower() for c in variable) and any(c.isdigit() for c in variable)
    if not re.fullmatch(r"[A-Za-z_]\w{0,63}", variable, re.ASCII) or resembles_key:
        raise InputError(f"{base}: ?key_env= takes the name of the variable that holds the key, not the key; export MY_KEY=... and write ?key_env=MY_KEY")
    return variable


def _recorded(asked: Asked) -> Resolved:
    # Both a path and a model's name may hold "#". os.path: a name that no file can have is no file, and no error either.
    places = [asked.rest, *(asked.rest[:i] for i, c in enumerate(asked.rest) if c == "#")]
    file = next((place for place in places if os.path.isfile(place)), asked.rest.partition("#")[0])
    model = asked.rest[len(file) + 1 :] or None
    if not os.path.isfile(file):
        raise InputError(f"{shown(asked.spec)}: {'is a folder' if os.path.isdir(file) else 'no such file'}; give a file of answers")
    generator = Recorded(Path(file), model)
    return Resolved(asked.name or generator.model or Path(file).stem, asked.spec, generator, arguments=asked.arguments)


def _simulated(asked: Asked) -> Resolved:
    given = simulated_options(asked.rest, asked.spec, {"skill": 0.5, "seed": 0.0, "verbosity": 1.0})
    if not 0 <= given["skill"] <= 1:
        raise InputError(f"{shown(asked.spec)}: skill must lie in [0, 1]")
    if not 0 < given["verbosity"] <= 100:
        raise InputError(f"{shown(asked.spec)}: verbosity must lie in (0, 100]")
    return Resolved(asked.name or asked.spec, asked.spec, Simulated(given["skill"], int(given["seed"]), given["verbosity"]), arguments=asked.arguments)


def simulated_options(rest: str, spec: str, defaults: Mapping[str, float]) -> dict[str, float]:
    """key=value,key=value of a simulated model or judge.

    Args:
        rest: the pairs. spec: for messages. defaults: of every key; "seed" takes whole numbers.

    Raises:
        InputError: an unknown key (with the nearest), or a value that is no number.
    """
    given = dict(defaults)
    for pair in filter(None, (p.strip() for p in rest.split(","))):
        key, _, value = (part.strip() for part in pair.partition("="))
        if key not in defaults:
            near = nearest(key, defaults)
            raise InputError(f"{shown(spec)}: unknown option {shown(key)!r}; " + (f"did you mean {near!r}?" if near else f"known are {', '.join(defaults)}"))
        try:
            given[key] = float(value)
        except ValueError:
            given[key] = float("nan")
        if not -1e9 < given[key] < 1e9 or (key == "seed" and given[key] % 1):
            raise InputError(f"{shown(spec)}: {key} takes a {'whole number of at most nine digits, as in seed=1' if key == 'seed' else f'number, as in {key}=0.5'}")
    return given


def _azure(asked: Asked) -> Resolved:
    from judgebench.generators.sdk import azure_chat

    environ = asked.environ
    needed = [v for v in ("AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION") if not environ.get(v)]
    if not _key(environ, "AZURE_OPENAI_API_KEY") and not _key(environ, "AZURE_OPENAI_AD_TOKEN"):
        needed.append("AZURE_OPENAI_API_KEY")
    endpoint = _base(environ, "AZURE_OPENAI_ENDPOINT", "https://azure.invalid")
    return Resolved(
        asked.name or asked.rest, asked.spec, azure_chat(asked.rest, endpoint), endpoint, _place(endpoint), _unset(asked, needed), ("azure", asked.rest), asked.arguments
    )  # fmt: skip


def _bedrock(asked: Asked) -> Resolved:
    from judgebench.generators.sdk import bedrock_messages

    environ = asked.environ
    region, base = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "", _base(environ, "ANTHROPIC_BEDROCK_BASE_URL", "") or None
    _key(environ, "AWS_BEARER_TOKEN_BEDROCK")
    missing = _unset(asked, [] if region else ["AWS_REGION"])
    generator = bedrock_messages(asked.rest, region, base)
    return Resolved(asked.name or asked.rest, asked.spec, generator, base or f"bedrock {region}", _place(base) if base else None, missing, None, asked.arguments)


def _vertex(asked: Asked) -> Resolved:
    from judgebench.generators.sdk import vertex_messages

    environ = asked.environ
    needed = ("CLOUD_ML_REGION", "ANTHROPIC_VERTEX_PROJECT_ID")
    region, project = (environ.get(v, "") for v in needed)
    base = _base(environ, "ANTHROPIC_VERTEX_BASE_URL", "") or None
    missing = _unset(asked, [v for v in needed if not environ.get(v)])
    generator = vertex_messages(asked.rest, region, project, base)
    return Resolved(asked.name or asked.rest, asked.spec, generator, base or f"vertex {region}", _place(base) if base else None, missing, None, asked.arguments)


def _unset(asked: Asked, variables: list[str]) -> str | None:
    """The line about variables that are not set, None when there is none."""
    return f"{shown(asked.spec)}: settings are missing; " + "; ".join(f"export {v}=..." for v in variables) if variables else None


BUILDERS: dict[str, Callable[[Asked], Resolved]] = {
    "openai": _openai, "anthropic": _anthropic, "recorded": _recorded, "simulated": _simulated, "azure": _azure, "bedrock": _bedrock, "vertex": _vertex,
    "http": _url, "https": _url, **dict.fromkeys(PRESETS, _preset),
}  # fmt: skip


def third_party() -> dict[str, EntryPoint]:
    """Generators that other packages register, by prefix in lower case."""
    import importlib.metadata  # imported here: looking through all packages takes tens of milliseconds

    return {entry.name.lower(): entry for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)}


def from_entry_point(prefix: str, entry: EntryPoint, asked: Asked) -> Resolved:
    """A generator of another package.

    Raises:
        InputError: it cannot be made, or what was made is no generator; always one line.
    """
    options = {k: str(v) for k, v in {**asked.arguments.sampling, **asked.arguments.extra}.items()}
    package = entry.dist.name if entry.dist else entry.value
    try:
        generator = entry.load()(asked.rest, options)
    except InputError:
        raise
    except Exception as error:  # foreign code: whatever it raises is said in one line
        said = _environment_secrets(asked.environ).line(str(error))
        raise InputError(f"{shown(asked.spec)}: the package {package}, which brings {prefix!r}, failed ({type(error).__name__}: {said}); mend or remove it") from error
    lacking = [name for name, kind in (("identity", str), ("remote", bool)) if not isinstance(getattr(generator, name, None), kind)]
    lacking += [name for name in ("generate", "close") if not callable(getattr(generator, name, None))]
    if lacking:
        without = ", ".join(lacking)
        raise InputError(f"{shown(asked.spec)}: what the package {package} brings as {prefix!r} is no generator (without {without}); judgebench.providers says what one needs")
    return Resolved(asked.name or asked.rest or prefix, asked.spec, generator, prefix if generator.remote else "", arguments=asked.arguments)


def _environment_secrets(environ: Mapping[str, str]) -> Secrets:
    return Secrets(value for name, value in environ.items() if re.search(r"KEY|TOKEN|SECRET|PASSWORD", name, re.I))
