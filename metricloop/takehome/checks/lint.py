"""Lint: ruff finds nothing, with our rules. The code is parsed and never executed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from metricloop.takehome.bench import Bench, write_files
from metricloop.takehome.contract import LINE_LENGTH, RULES
from metricloop.takehome.result import Result, failed, judged

EVERY_FILE = (  # ruff leaves out folders by their names, such as venv/ and dist/
    "-m", "ruff", "check", "--isolated", "--no-cache", "--no-respect-gitignore", "--config", "exclude=[]",
    "--config", "extend-exclude=[]",
)  # fmt: skip
SHOW_FILES = (*EVERY_FILE, "--show-files", ".")
COMMAND = (
    *EVERY_FILE, "--ignore-noqa", "--output-format", "json",
    "--select", ",".join(RULES), "--line-length", str(LINE_LENGTH), "--target-version", "py311", ".",
)  # fmt: skip


def check(bench: Bench) -> Result:
    wanted = sum(name.endswith(".py") for name in bench.files)
    if not wanted:
        return failed("there is no Python file")
    with tempfile.TemporaryDirectory(prefix="metricloop-lint-") as folder:
        write_files(bench.files, Path(folder))
        try:
            shown, done = (_ruff(command, folder) for command in (SHOW_FILES, COMMAND))
        except subprocess.TimeoutExpired:
            return failed("ruff does not come to an end with these files")
        if done.returncode not in (0, 1):
            return failed("ruff cannot read these files")
        seen = sum(line.endswith(b".py") for line in shown.stdout.splitlines())
        if seen != wanted:
            return failed(f"ruff reads {seen} of {wanted} Python files; give the others usual names")
        found = json.loads(done.stdout)
        home = f"{Path(folder).resolve()}/"
        faults = [
            f"{item['filename'].removeprefix(home)}:{item['location']['row']}: {item['code'] or 'syntax'} "
            f"{item['message'].splitlines()[0]}"
            for item in found
        ]
    return judged(sorted(faults), findings=len(faults))


def _ruff(command: Sequence[str], folder: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-P", *command], cwd=folder, capture_output=True, timeout=120, check=False, env={}
    )
