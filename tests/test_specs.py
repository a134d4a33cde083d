"""SPEC strings: every form, every mistake with its mend, and no secret in any of the complaints."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from asking import KEY, ask, request
from loopback import LoopbackServer

from judgebench.arguments import Arguments
from judgebench.errors import InputError
from judgebench.generators.anthropic_messages import AnthropicMessages
from judgebench.generators.openai_chat import OpenAIChat
from judgebench.generators.recorded import Recorded
from judgebench.generators.simulated import Simulated
from judgebench.judge_specs import LocalJudge, judge_spec
from judgebench.judges.simulated import SimulatedJudge
from judgebench.providers import PROVIDERS, Resolved
from judgebench.specs import resolve, split_name


def made(text: str, **environ: str) -> Resolved:
    return resolve(text, Arguments(), environ)


def complaint(text: str, **environ: str) -> str:
    with pytest.raises(InputError) as caught:
        made(text, **environ)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"question_id": 1, "model": m, "turns": ["x"]}) + "\n" for m in ("m1", "m2")))
    return path


# Every form


def test_openai() -> None:
    one = made("openai:gpt-x", OPENAI_API_KEY=KEY)
    assert isinstance(one.generator, OpenAIChat)
    assert (one.name, one.endpoint, one.probe, one.missing_key, one.priced) == ("gpt-x", "https://api.openai.com/v1", ("api.openai.com", 443), None, ("openai", "gpt-x"))
    assert one.generator.adaptations.max_tokens_name == "max_completion_tokens"
    assert made("openai:gpt-x").missing_key == "openai:gpt-x: no key; export OPENAI_API_KEY=..."


def test_openai_at_another_base_url() -> None:
    with LoopbackServer() as server:
        one = made("openai:m", OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.url + "/")
        ask(one.generator, request(max_tokens=5))
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.requests[0].body["max_tokens"] == 5
    assert one.endpoint == server.url


def test_anthropic() -> None:
    one = made("anthropic:claude-x", ANTHROPIC_API_KEY=KEY)
    assert isinstance(one.generator, AnthropicMessages)
    assert (one.name, one.endpoint, one.missing_key, one.priced) == ("claude-x", "https://api.anthropic.com", None, ("anthropic", "claude-x"))
    assert made("anthropic:claude-x", OPENAI_API_KEY=KEY).missing_key == "anthropic:claude-x: no key; export ANTHROPIC_API_KEY=..."
    with LoopbackServer() as server:
        ask(made("anthropic:c", ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=server.root).generator)
    assert server.requests[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize(
    ("prefix", "base", "variable"),
    [
        ("ollama", "http://127.0.0.1:11434/v1", None),
        ("lmstudio", "http://127.0.0.1:1234/v1", None),
        ("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        ("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
        ("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
        ("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    ],
)
def test_presets(prefix: str, base: str, variable: str | None) -> None:
    one = made(f"{prefix}:org/m:tag")
    assert (one.name, one.endpoint) == ("org/m:tag", base)
    assert one.missing_key == (f"{prefix}:org/m:tag: no key; export {variable}=..." if variable else None)
    assert not variable or made(f"{prefix}:m", **{variable: KEY}).missing_key is None


@pytest.mark.parametrize(
    ("spec", "endpoint", "probe", "model"),
    [
        ("http://host:8000/v1#org/m:tag", "http://host:8000/v1", ("host", 8000), "org/m:tag"),
        ("https://host/v1/#m#n", "https://host/v1", ("host", 443), "m#n"),
        ("HTTP://HOST/v1#m", "HTTP://HOST/v1", ("host", 80), "m"),
        ("http://[::1]:8000/v1#m", "http://[::1]:8000/v1", ("::1", 8000), "m"),
        ("http://[fe80::1]/v1#m@home", "http://[fe80::1]/v1", ("fe80::1", 80), "m@home"),
        ("http://127.0.0.1:65535#m", "http://127.0.0.1:65535", ("127.0.0.1", 65535), "m"),
    ],
)
def test_urls(spec: str, endpoint: str, probe: tuple[str, int], model: str) -> None:
    one = made(spec)
    assert (one.endpoint, one.probe, one.name, one.missing_key, one.priced) == (endpoint, probe, model, None, None)


def test_a_url_gets_no_key_unless_one_is_named_for_it() -> None:
    environ = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, "MY_KEY": "sk-mine-0123456789"}
    with LoopbackServer() as server:
        ask(made(server.spec, **environ).generator)
        ask(made(f"{server.url}?key_env=MY_KEY#fake", **environ).generator)
    assert not {"authorization", "x-api-key", "api-key"} & set(server.requests[0].headers)
    assert server.requests[1].headers["authorization"] == "Bearer sk-mine-0123456789"
    assert server.requests[1].path == "/v1/chat/completions"
    assert KEY not in str(server.requests)


def test_an_ipv6_url_is_called() -> None:
    import socket

    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    from judgebench.errors import ProviderError

    with pytest.raises(ProviderError) as caught:  # port 9 is closed: what counts is that the address was understood
        ask(made("http://[::1]:9/v1#m").generator)
    assert caught.value.kind == "connection"


def test_recorded(answers: Path) -> None:
    one = made(f"recorded:{answers}#m2")
    assert isinstance(one.generator, Recorded)
    assert (one.name, one.endpoint, one.probe, one.missing_key) == ("m2", "", None, None)


def test_a_file_whose_name_has_a_hash_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a#b.jsonl"
    path.write_text('{"question_id": 1, "turns": ["x"]}\n')
    assert made(f"recorded:{path}").name == "a#b"


def test_simulated() -> None:
    one = made("simulated:skill=0.7, seed=3,verbosity=2")
    assert isinstance(one.generator, Simulated)
    assert (one.generator.skill, one.generator.seed, one.generator.verbosity) == (0.7, 3, 2.0)
    assert one.name == "simulated:skill=0.7, seed=3,verbosity=2"
    assert isinstance(made("simulated:").generator, Simulated)


def test_azure_bedrock_and_vertex_name_what_is_missing() -> None:
    assert made("azure:dep").missing_key == "azure:dep: settings are missing; export AZURE_OPENAI_ENDPOINT=...; export OPENAI_API_VERSION=...; export AZURE_OPENAI_API_KEY=..."
    assert made("bedrock:m").missing_key == "bedrock:m: settings are missing; export AWS_REGION=..."
    assert made("vertex:claude-x@20990101").missing_key == "vertex:claude-x@20990101: settings are missing; export CLOUD_ML_REGION=...; export ANTHROPIC_VERTEX_PROJECT_ID=..."
    whole = {"AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com/", "OPENAI_API_VERSION": "v", "AZURE_OPENAI_AD_TOKEN": KEY}
    one = made("azure:dep", **whole)
    assert (one.missing_key, one.endpoint, one.generator.identity) == (None, "https://me.openai.azure.com", "azure-openai https://me.openai.azure.com dep")
    assert made("bedrock:m", AWS_DEFAULT_REGION="eu-west-1").endpoint == "bedrock eu-west-1"
    assert made("vertex:m", CLOUD_ML_REGION="us-east5", ANTHROPIC_VERTEX_PROJECT_ID="p").missing_key is None


@pytest.mark.parametrize("environ", [{"OPENAI_API_TYPE": "azure"}, {"AZURE_OPENAI_ENDPOINT": "https://me"}], ids=str)
def test_openai_in_azures_environment_is_azure(environ: dict[str, str]) -> None:
    assert made("openai:dep", **environ).generator.identity.startswith("azure-openai ")


def test_an_azure_endpoint_beside_an_openai_key_stays_openai() -> None:
    assert made("openai:m", AZURE_OPENAI_ENDPOINT="https://me", OPENAI_API_KEY=KEY).endpoint == "https://api.openai.com/v1"


# Names


@pytest.mark.parametrize(
    ("text", "name", "spec"),
    [
        ("openai:gpt", None, "openai:gpt"), ("mine=openai:gpt", "mine", "openai:gpt"), ("a=b=openai:gpt", "a=b", "openai:gpt"), ("a\nb=openai:gpt", "a\nb", "openai:gpt"),
        ("=cmd()=openai:gpt", "=cmd()", "openai:gpt"), ("org/m:tag=openai:gpt", "org/m:tag", "openai:gpt"), ("v2:x=openai:gpt", "v2:x", "openai:gpt"),
        ("🦊 fox=http://h/v1#a=b:c", "🦊 fox", "http://h/v1#a=b:c"), ("x=simulated:skill=0.7,seed=1", "x", "simulated:skill=0.7,seed=1"),
        ("simulated:skill=0.7", None, "simulated:skill=0.7"), ("../../x=recorded:a=b.jsonl", "../../x", "recorded:a=b.jsonl"), ("openai:a=openai:b", None, "openai:a=openai:b"),
        ("x" * 300 + "=openai:gpt", "x" * 300, "openai:gpt"), ("nothing", None, "nothing"), ("a=b", None, "a=b"),
    ],
    ids=lambda v: str(v)[:30],
)  # fmt: skip
def test_names(text: str, name: str | None, spec: str) -> None:
    assert split_name(text) == (name, spec)


@pytest.mark.parametrize("text", ["=openai:gpt", " =openai:gpt", "\n=simulated:"])
def test_a_blank_name_is_refused(text: str) -> None:
    assert "the name before '=' is blank" in complaint(text)


# Mistakes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("openai/gpt-4o", ["openai:gpt-4o", "openrouter:openai/gpt-4o", "http://HOST:PORT/v1#openai/gpt-4o"]),
        ("opnai:gpt", ["unknown provider 'opnai'", "did you mean 'openai'?"]),
        ("htp://host/v1#m", ["unknown provider 'htp'", "did you mean 'http'?"]),
        ("zzzzzz:gpt", ["unknown provider 'zzzzzz'", "known are openai, anthropic"]),
        ("gpt-4o", ["names no provider", "openai:gpt-4o"]), ("", ["names no provider"]), ("\x00", ["names no provider"]),
        ("openai", ["names no model; write openai:NAME"]), ("openai:", ["names no model; write openai:NAME"]), ("ollama: ", ["names no model; write ollama:NAME"]),
        ("recorded:", ["names no file; write recorded:FILE"]), ("recorded:/no/such", ["no such file"]), ("recorded:/", ["is a folder"]),
        ("recorded:" + "x" * 5000, ["no such file"]), ("recorded:a\x00b", ["no such file"]),
        ("simulated:skil=1", ["unknown option 'skil'; did you mean 'skill'?"]), ("simulated:zzz=1", ["known are skill, seed, verbosity"]),
        ("simulated:skill=2", ["skill must lie in [0, 1]"]), ("simulated:skill=-0.1", ["skill must lie in [0, 1]"]), ("simulated:skill", ["skill takes a number, as in skill=0.5"]),
        ("simulated:skill=nan", ["takes a number"]), ("simulated:skill=x", ["takes a number"]), ("simulated:verbosity=0", ["verbosity must lie in (0, 100]"]),
        ("simulated:seed=1.5", ["seed takes a whole number"]), ("simulated:seed=1e12", ["seed takes a whole number"]),
        ("http:", ["names no model; write http://HOST:PORT/v1#NAME"]), ("http:h#m", ["not a URL that can be called"]), ("http://#m", ["not a URL that can be called"]),
        ("http://h/v1", ["names no model; write http://h/v1#MODEL"]), ("http://h/v1#", ["names no model"]), ("http://h:0/v1#m", ["not a URL"]), ("http://h:65536/v1#m", ["the port, which ends at 65535"]),
        ("http://h:x/v1#m", ["check the host and the port"]), ("http://h:-1/v1#m", ["check the host and the port"]), ("http://[::1/v1#m", ["check the host and the port"]), ("http://[zz]/v1#m", ["check the host and the port"]),
        ("http://" + "a" * 64 + "/v1#m", ["not a URL that can be called"]), ("http://a..b/v1#m", ["not a URL that can be called"]), ("http://h h/v1#m", ["not a URL that can be called"]),
        ("http://h\n/v1#m", ["not a URL that can be called"]),
        ("http://h/v1?temperature=0#m", ["http://h/v1: a URL spec takes one ?key_env=VARIABLE and nothing else, not 'temperature'"]),
        ("http://h/v1?#m", ["takes one ?key_env=VARIABLE and nothing else"]), ("http://h/v1?key_env=A&key_env=B#m", ["takes one ?key_env=VARIABLE"]),
        ("http://h/v1?key_env=#m", ["takes the name of the variable"]), ("http://h/v1?key_env=A B#m", ["takes the name of the variable"]),
    ],
    ids=lambda v: str(v)[:40],
)  # fmt: skip
def test_mistakes_and_their_mends(text: str, words: list[str]) -> None:
    line = complaint(text)
    assert all(word in line for word in words), line
    assert len(line) < 700


def test_an_existing_file_is_probably_recorded_answers(answers: Path) -> None:
    assert "looks like a file; write recorded:" in complaint(str(answers))


def test_several_models_in_a_file_must_be_chosen_from(answers: Path) -> None:
    assert "answers of 2 models (m1, m2)" in complaint(f"recorded:{answers}")


def test_bytes_that_are_no_text() -> None:
    assert "is not UTF-8" in complaint(os.fsdecode(b"openai:\xff"))


PASSWORDS = [
    "http://user:hunter2@h/v1#m", "http://hunter2@h/v1#m", "http://user:hunt/er2@h/v1#m", "http://user:hunter2#@h/v1#m", "http://user:hunter2@h:99999/v1#m", "http:/user:hunter2@h/v1#m",
    "http:user:hunter2@h/v1#m", "user:hunter2@h/v1#m", "//user:hunter2@h/v1#m", "htp://user:hunter2@h/v1#m", "x=http://user:hunter2@h/v1#m", "http://user:hunter2 x@h/v1#m", "http://user:hunter2@[::1/v1#m",
    "HTTPS://user:hunter2@h/v1#m", "http://user:hunter2@\u2100/v1#m",
]  # fmt: skip


@pytest.mark.parametrize("text", PASSWORDS)
def test_a_password_in_a_url_is_refused_and_not_repeated(text: str) -> None:
    line = complaint(text)
    assert "hunter2" not in line
    assert "er2" not in line


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "AZURE_OPENAI_ENDPOINT", "ANTHROPIC_BEDROCK_BASE_URL", "ANTHROPIC_VERTEX_BASE_URL"])
@pytest.mark.parametrize("value", ["http://user:hunter2@h/v1", "h/v1", "ftp://h", "http://h:99999", "http://h/v1?key=hunter2", "http://", "hunter2"])
def test_base_urls_are_checked_as_urls_are(variable: str, value: str) -> None:
    prefix = {"OPENAI_BASE_URL": "openai", "ANTHROPIC_BASE_URL": "anthropic", "AZURE_OPENAI_ENDPOINT": "azure"}.get(variable, variable.split("_")[1].lower())
    line = complaint(f"{prefix}:m", OPENAI_API_KEY=KEY, **{variable: value})
    assert line.startswith(f"{variable}: ")
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "key", ["sk-planted\n-secret", "sk planted secret", '"sk-planted-secret"', "'sk-planted-secret'", "sk-planted-secret\u201d", "sk-planted-\x07secret", "sk\\planted-secret"]
)
@pytest.mark.parametrize(
    ("spec", "variable"),
    [("openai:m", "OPENAI_API_KEY"), ("anthropic:m", "ANTHROPIC_API_KEY"), ("groq:m", "GROQ_API_KEY"), ("http://h/v1?key_env=K#m", "K"), ("azure:m", "AZURE_OPENAI_API_KEY")],
)
def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(key: str, spec: str, variable: str) -> None:
    line = complaint(spec, **{variable: key})
    assert line.startswith(f"{variable}: holds characters that no key has")
    assert "planted" not in line
    assert "secret" not in line


def test_a_line_break_behind_a_key_is_no_part_of_it() -> None:
    with LoopbackServer() as server:
        ask(made("openai:m", OPENAI_API_KEY=f" {KEY}\n", OPENAI_BASE_URL=server.url).generator)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("key", ["sk-proj-0123456789abcdef", "gsk_0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdef", "a1b2c3d4e5f6a7b8c9d0e1f2"])
def test_a_key_in_place_of_its_variable_is_not_repeated(key: str) -> None:
    line = complaint(f"http://h/v1?key_env={key}#m")
    assert "takes the name of the variable" in line
    assert key not in line
    assert key not in complaint(f"http://h/v1?{key}#m")


def test_no_key_is_in_what_describes_a_generator(answers: Path) -> None:
    for spec, variable in (("openai:m", "OPENAI_API_KEY"), ("anthropic:m", "ANTHROPIC_API_KEY"), ("http://h/v1?key_env=MY_KEY#m", "MY_KEY")):
        one = made(spec, **{variable: KEY})
        assert KEY not in repr(one) + one.generator.identity


# Judges


def judged(text: str, environ: Mapping[str, str] | None = None) -> Resolved | LocalJudge:
    return judge_spec(text, Arguments(), environ or {})


@pytest.mark.parametrize(
    ("text", "name", "spec"),
    [
        ("checks", "checks", "checks"),
        ("c=checks", "c", "checks"),
        ("a=b\n=checks", "a=b\n", "checks"),
        ("x=simulated:noise=0", "x", "simulated:noise=0"),
        ("simulated", "simulated", "simulated"),
    ],
)
def test_judges_that_ask_nobody(text: str, name: str, spec: str) -> None:
    one = judged(text)
    assert isinstance(one, LocalJudge)
    assert (one.name, one.spec, one.judge.name, one.judge.remote) == (name, spec, name, False)


def test_the_options_of_a_simulated_judge() -> None:
    one = judged("simulated:position=0.3,length=-0.5,noise=0.1,self=1,seed=4")
    assert isinstance(one, LocalJudge)
    judge = one.judge
    assert isinstance(judge, SimulatedJudge)
    assert (judge.position, judge.length, judge.noise, judge.self_, judge.seed) == (0.3, -0.5, 0.1, 1.0, 4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("simulated:noise=-1", "noise must be 0 or more"),
        ("simulated:skill=0.5", "unknown option 'skill'"),
        ("recorded:x", "recorded answers cannot judge"),
        ("x=recorded:x", "recorded answers cannot judge"),
        ("=checks", "names no provider"),
    ],
)
def test_mistakes_of_judges(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        judged(text)


def test_a_generator_can_judge() -> None:
    one = judged("j=http://h/v1#m")
    assert isinstance(one, Resolved)
    assert (one.name, one.endpoint) == ("j", "http://h/v1")


def test_every_prefix_that_is_listed_says_what_to_write() -> None:
    for prefix, provider in PROVIDERS.items():
        assert provider.optional or f"write {prefix}:{provider.form}" in complaint(f"{prefix}:")
