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

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path

from judgebench.arguments import Arguments
from judgebench.complaints import nearest
from judgebench.endpoint_urls import base_of, checked_base, key_of, key_variable_of, place_of, without_password
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


@dataclass(frozen=True)
class Provider:
    """What stands behind a prefix.

    Attributes:
        build: makes the generator. about: one line for `list generators`. key_variables: where keys are looked for, for
            `doctor`. form: what to write behind "PREFIX:". optional: nothing need stand there.
    """

    build: Callable[[Asked], Resolved]
    about: str
    key_variables: tuple[str, ...] = ()
    form: str = "NAME"
    optional: bool = False


def shown(text: str) -> str:
    """A spec as it may be printed: one line, not endless, and without what may be a password in a URL."""
    prefix = text.partition(":")[0].lower()
    if prefix in ("http", "https") or prefix not in PROVIDERS:
        text = without_password(text)
    plain = " ".join(cleaned(text).split())
    return plain if len(plain) <= _LONGEST_SHOWN else plain[: _LONGEST_SHOWN - 3] + "..."


def _openai(asked: Asked) -> Resolved:
    environ = asked.environ
    if environ.get("OPENAI_API_TYPE", "").lower() in ("azure", "azure_ad") or (environ.get("AZURE_OPENAI_ENDPOINT") and not environ.get("OPENAI_API_KEY")):
        return _azure(asked)
    base = base_of(environ, "OPENAI_BASE_URL", OPENAI_URL)
    limit_name = "max_completion_tokens" if base == OPENAI_URL else "max_tokens"
    return _chat(asked, base, asked.rest, "OPENAI_API_KEY", priced=("openai", asked.rest), max_tokens_name=limit_name)


def _chat(asked: Asked, base: str, model: str, key_env: str | None, *, priced: tuple[str, str] | None = None, max_tokens_name: str = "max_tokens") -> Resolved:
    """A model behind a Chat Completions URL, with the key of a variable or none at all."""
    key = key_of(asked.environ, key_env) if key_env else ""
    missing = f"{shown(asked.spec)}: no key; export {key_env}=..." if key_env and not key else None
    generator = OpenAIChat(base, model, key or None, max_tokens_name=max_tokens_name)
    return Resolved(asked.name or model, asked.spec, generator, base, place_of(base), missing, priced, asked.arguments)


def _anthropic(asked: Asked) -> Resolved:
    base, key = base_of(asked.environ, "ANTHROPIC_BASE_URL", ANTHROPIC_URL), key_of(asked.environ, "ANTHROPIC_API_KEY")
    missing = None if key else f"{shown(asked.spec)}: no key; export ANTHROPIC_API_KEY=..."
    return Resolved(asked.name or asked.rest, asked.spec, AnthropicMessages(base, asked.rest, key), base, place_of(base), missing, ("anthropic", asked.rest), asked.arguments)


def _url(asked: Asked) -> Resolved:
    whole_url, _, model = asked.spec.partition("#")
    base, question, query = whole_url.partition("?")
    base = checked_base(base, shown(asked.spec))
    key_env = key_variable_of(query, base, asked.environ) if question else None
    if not model.strip():
        raise InputError(f"{shown(asked.spec)}: names no model; write {shown(whole_url)}#MODEL")
    return _chat(asked, base, model, key_env)


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
            raise InputError(f"{shown(spec)}: unknown option {shown(key)!r}{nearest(key, defaults)}")
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
    if not key_of(environ, "AZURE_OPENAI_API_KEY") and not key_of(environ, "AZURE_OPENAI_AD_TOKEN"):
        needed.append("AZURE_OPENAI_API_KEY")
    endpoint = base_of(environ, "AZURE_OPENAI_ENDPOINT", "https://azure.invalid")
    return Resolved(
        asked.name or asked.rest, asked.spec, azure_chat(asked.rest, endpoint), endpoint, place_of(endpoint), _unset(asked, needed), ("azure", asked.rest), asked.arguments
    )  # fmt: skip


def _bedrock(asked: Asked) -> Resolved:
    from judgebench.generators.sdk import bedrock_messages

    environ = asked.environ
    region, base = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "", base_of(environ, "ANTHROPIC_BEDROCK_BASE_URL", "") or None
    key_of(environ, "AWS_BEARER_TOKEN_BEDROCK")
    missing = _unset(asked, [] if region else ["AWS_REGION"])
    generator = bedrock_messages(asked.rest, region, base)
    return Resolved(asked.name or asked.rest, asked.spec, generator, base or f"bedrock {region}", place_of(base) if base else None, missing, None, asked.arguments)


def _vertex(asked: Asked) -> Resolved:
    from judgebench.generators.sdk import vertex_messages

    environ = asked.environ
    needed = ("CLOUD_ML_REGION", "ANTHROPIC_VERTEX_PROJECT_ID")
    region, project = (environ.get(v, "") for v in needed)
    base = base_of(environ, "ANTHROPIC_VERTEX_BASE_URL", "") or None
    missing = _unset(asked, [v for v in needed if not environ.get(v)])
    generator = vertex_messages(asked.rest, region, project, base)
    return Resolved(asked.name or asked.rest, asked.spec, generator, base or f"vertex {region}", place_of(base) if base else None, missing, None, asked.arguments)


def _unset(asked: Asked, variables: list[str]) -> str | None:
    """The line about variables that are not set, None when there is none."""
    return f"{shown(asked.spec)}: settings are missing; " + "; ".join(f"export {v}=..." for v in variables) if variables else None


def _preset(base: str, key_variable: str | None = None) -> Provider:
    """Another server of Chat Completions; one that wants a key is in the price table under its prefix."""

    def build(asked: Asked) -> Resolved:
        prefix = asked.spec.partition(":")[0].lower()
        return _chat(asked, base, asked.rest, key_variable, priced=(prefix, asked.rest) if key_variable else None)

    return Provider(build, f"preset for {base}; {key_variable or 'no key'}", (key_variable,) if key_variable else ())


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(_openai, "OPENAI_API_KEY; Chat Completions (OPENAI_BASE_URL honoured)", ("OPENAI_API_KEY",)),
    "anthropic": Provider(_anthropic, "ANTHROPIC_API_KEY; Messages (ANTHROPIC_BASE_URL honoured)", ("ANTHROPIC_API_KEY",)),
    "azure": Provider(_azure, "Azure OpenAI deployment, through the openai SDK and its environment", ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN")),
    "bedrock": Provider(_bedrock, "Claude on Amazon Bedrock, through the anthropic SDK", ("AWS_BEARER_TOKEN_BEDROCK",)),
    "vertex": Provider(_vertex, "Claude on Google Vertex AI, through the anthropic SDK"),
    "recorded": Provider(_recorded, "answers from a file: recorded:FILE or recorded:FILE#MODEL", form="FILE"),
    "simulated": Provider(_simulated, "simulated:skill=0.7,seed=1; no network", form="skill=0.7,seed=1", optional=True),
    "http": Provider(_url, "any OpenAI-compatible server: http://HOST:PORT/v1#NAME", form="//HOST:PORT/v1#NAME"),
    "https": Provider(_url, "likewise", form="//HOST:PORT/v1#NAME"),
    "ollama": _preset("http://127.0.0.1:11434/v1"),
    "lmstudio": _preset("http://127.0.0.1:1234/v1"),
    "openrouter": _preset("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "groq": _preset("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "together": _preset("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "deepseek": _preset("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "mistral": _preset("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
}
"""Every prefix that ships with judgebench."""


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
