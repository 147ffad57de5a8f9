"""Lint: ruff finds nothing, with our rules. The code is parsed and never executed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from metricloop.takehome.bench import Bench, write_files
from metricloop.takehome.contract import LINE_LENGTH, RULES
from metricloop.takehome.result import Result, failed, judged

COMMAND = (
    "-m", "ruff", "check", "--isolated", "--no-cache", "--ignore-noqa", "--output-format", "json",
    "--select", ",".join(RULES), "--line-length", str(LINE_LENGTH), "--target-version", "py311", ".",
)  # fmt: skip


def check(bench: Bench) -> Result:
    if not any(name.endswith(".py") for name in bench.files):
        return failed("there is no Python file")
    with tempfile.TemporaryDirectory(prefix="metricloop-lint-") as folder:
        write_files(bench.files, Path(folder))
        try:
            done = subprocess.run(
                [sys.executable, "-P", *COMMAND], cwd=folder, capture_output=True, timeout=120, check=False, env={}
            )
        except subprocess.TimeoutExpired:
            return failed("ruff does not come to an end with these files")
        if done.returncode not in (0, 1):
            return failed("ruff cannot read these files")
        found = json.loads(done.stdout)
        home = f"{Path(folder).resolve()}/"
        faults = [
            f"{item['filename'].removeprefix(home)}:{item['location']['row']}: {item['code'] or 'syntax'} "
            f"{item['message'].splitlines()[0]}"
            for item in found
        ]
    return judged(sorted(faults), findings=len(faults))
