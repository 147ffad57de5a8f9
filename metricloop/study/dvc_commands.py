"""DVC: its command line, and which stages it would run now."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from metricloop.study.environment import environment
from metricloop.study.processes import StageError


def dvc(*arguments: str) -> list[str]:
    """A dvc command line that this Python runs."""
    return [sys.executable, "-P", "-m", "dvc", *arguments]


def outdated(workspace: Path, names: Sequence[str]) -> list[str]:
    """The stages among `names` that DVC would run now, in the order given. Errors: StageError."""
    if not names:
        return []
    result = subprocess.run(
        dvc("status", "--json", *names), cwd=workspace, env=environment(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise StageError(f"dvc status failed in {workspace}:\n{result.stderr.strip()}")
    changed = json.loads(result.stdout.strip().splitlines()[-1] if result.stdout.strip() else "{}")
    return [name for name in names if name in changed]
