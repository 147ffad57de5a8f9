"""The command that tests what a study needs of this machine and, where there is one, of a workspace."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from metricloop import layout
from metricloop.cli.command import HERE, Commands, Workspace, flag, print_json

if TYPE_CHECKING:
    from metricloop.study.machine_checks import Check

commands = Commands("Reports and checks")
PATIENCE = 2.0  # seconds for a server
COLOURS = {"ok": "32", "warn": "33", "fail": "31"}


@commands.add("metricloop doctor", "metricloop doctor -C ~/lions", "metricloop doctor -C ~/lions --llm")
def doctor(
    folder: Workspace = HERE,
    llm: Annotated[bool, flag("--llm", "Ask the language model's server for its models, too.")] = False,
    as_json: Annotated[
        bool,
        flag(
            "--json",
            'Print {"checks": a list of {"name", "state", "found", "advice"}, "tier": "full" or "none", "missing": '
            'what the sandbox lacks, "facts": of the sandbox, text by name}.',
        ),
    ] = False,
) -> int:
    """Check this machine, its tools and sandbox, and a workspace."""
    from metricloop.sandbox.doctor import examine, lines

    checks = []
    for check in _checks(folder.resolve(), llm):
        checks.append(check)
        if not as_json:
            print(_line(check), flush=True)
    found = examine()
    if as_json:
        listed = [vars(check) for check in checks]
        print_json({"checks": listed, "tier": found.tier, "missing": found.missing, "facts": found.facts})
    else:
        print("\nThe sandbox, for code that nobody has read:")
        print("\n".join(lines(found)))
    return 1 if found.missing or any(check.state == "fail" for check in checks) else 0


def _checks(folder: Path, llm: bool) -> Iterator[Check]:
    from metricloop.study.machine_checks import check_machine
    from metricloop.study.workspace_checks import check_workspace

    yield from check_machine(folder)
    for variable in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL"):
        if (address := os.environ.get(variable, "")).startswith("http"):
            yield _server(variable, address)
    if (folder / layout.PARAMS).is_file():
        yield from check_workspace(folder)
    if llm:
        yield _model(folder)


def _model(folder: Path) -> Check:
    """Whether the language model's server answers, takes the key and has the model, and whether the model ends soon."""
    from metricloop.llm.check_endpoint import check_endpoint
    from metricloop.llm.providers import provider_names, provider_of
    from metricloop.llm.settings import LanguageModel
    from metricloop.params import load_params
    from metricloop.study.machine_checks import Check

    there = (folder / layout.PARAMS).is_file()
    settings = load_params(folder / layout.PARAMS).llm if there else LanguageModel()
    header = provider_of(settings.provider).key_header if settings.provider in provider_names() else ""
    found = check_endpoint(settings.base_url, settings.model, key_header=header)
    return Check(
        "model", found.state, found.said, found.warning or ("" if found.sound else "see docs/language-model.md")
    )


def _server(variable: str, address: str) -> Check:
    """Whether a server that a variable names answers; a study does without MLflow's, and not without Prefect's."""
    import requests

    from metricloop.study.machine_checks import Check
    from metricloop.tracking.registry import without_password

    place = f"{variable}: {without_password(address)}"
    try:
        requests.get(f"{address.rstrip('/')}/health", timeout=PATIENCE)
    except requests.RequestException:
        return Check("server", "warn", f"{place} does not answer", f"start it, or unset {variable}")
    return Check("server", "ok", place)


def _line(check: Check) -> str:
    """A check in a line or two, with its state in colour on a terminal."""
    state = f"{check.state:<4}"
    if sys.stdout.isatty():
        state = f"\033[{COLOURS[check.state]}m{state}\033[0m"
    return f"{state}  {check.name:<12}{check.found}" + (f"\n      {'':<12}{check.advice}" if check.advice else "")
