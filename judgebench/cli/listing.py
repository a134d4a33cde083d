"""`judgebench list`."""

from __future__ import annotations

import click

from judgebench.cli.console import plain, result, some


@click.command("list")
@click.argument("what", type=click.Choice(["benchmarks", "prompts", "generators", "judges", "checks"]))
def command(what: str) -> int:
    """List what ships with judgebench (and, for generators, what other packages add)."""
    rows = {"benchmarks": _benchmarks, "prompts": _prompts, "generators": _generators, "judges": _judges, "checks": _checks}[what]()
    width = max(len(name) for name, _ in rows)
    for name, about in rows:
        result(f"{plain(name):<{width}}  {plain(about)}")
    return 0


def _benchmarks() -> list[tuple[str, str]]:
    from judgebench import resources
    from judgebench.benchmarks import load_benchmark

    loaded = [load_benchmark(name) for name in resources.names("benchmarks")]
    return [(b.name, f"{b.settings.description} ({some(len(b), 'question')}, {some(b.n_turns, 'turn')}, protocol {b.settings.protocol})") for b in loaded]


def _prompts() -> list[tuple[str, str]]:
    from judgebench import resources
    from judgebench.prompts import describe

    return [(name, describe(name)) for name in resources.names("prompts", ".toml")]


def _generators() -> list[tuple[str, str]]:
    from judgebench.providers import PROVIDERS, third_party

    ours = [(f"{name}:", provider.about) for name, provider in PROVIDERS.items()]
    return ours + [(f"{name}:", f"from another package ({entry.value})") for name, entry in third_party().items()]


def _judges() -> list[tuple[str, str]]:
    from judgebench.judge_specs import LOCAL_JUDGES

    return [("SPEC", "any generator, with a prompt (--prompt)"), *((name, about) for name, (_, about) in LOCAL_JUDGES.items())]


def _checks() -> list[tuple[str, str]]:
    from judgebench.checks import described

    return list(described().items())
