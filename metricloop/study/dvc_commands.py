"""DVC: its command line, which stages it would run now, and running some."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from metricloop.study.environment import environment
from metricloop.study.kept_outputs import keep, settle
from metricloop.study.processes import StageError, call


def dvc(*arguments: str) -> list[str]:
    """A dvc command line that this Python runs. Do not pass --quiet: with it DVC does not say why it failed."""
    return [sys.executable, "-P", "-m", "dvc", *arguments]


def run_stages(workspace: Path, names: Sequence[str], label: str, each: bool = False) -> None:
    """Run stages in the order given, if out of date. Where one fails, what it wrote before is there again.

    label, each: as in `call`. Errors: StageError.
    """
    keep(workspace, names)
    try:
        call(workspace, dvc("--wait-for-lock", "repro", "--single-item", *names), label, each=each)
    finally:
        settle(workspace, names)


def outdated(workspace: Path, names: Sequence[str]) -> list[str]:
    """The stages among `names` that DVC would run now, in the order given. Errors: StageError."""
    if not names:
        return []
    result = subprocess.run(
        dvc("status", "--json", *names),
        cwd=workspace,
        env=environment(workspace),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise StageError(f"dvc status failed in {workspace}:\n{result.stderr.strip()}")
    changed = json.loads(result.stdout.strip().splitlines()[-1] if result.stdout.strip() else "{}")
    return [name for name in names if name in changed]
