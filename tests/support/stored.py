"""A small workspace with one output of DVC, for tests of copies elsewhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tiny_study import dvc

STAGES = """stages:
  make:
    cmd: mkdir -p models; cp params.yaml models/m
    deps: [params.yaml]
    outs: [models/m]
"""


def sh(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def make_stored(folder: Path, name: str = "stored") -> Path:
    """A git and DVC repository with params.yaml, a journal, and a stage that has run."""
    folder.mkdir(parents=True)
    sh(folder, "git", "init", "-q", "--initial-branch=main")
    dvc(folder, "init", "-q")
    for file, text in {
        "params.yaml": f"study: {{name: {name}}}\ndata: {{source: ., root: .}}\n",
        "code.yaml": "{}\n", "dvc.yaml": STAGES, "journal.jsonl": "first\n",
    }.items():  # fmt: skip
        (folder / file).write_text(text)
    (folder / ".gitignore").write_text(".metricloop/\n")
    dvc(folder, "repro", "-q")
    sh(folder, "git", "add", "--all")
    sh(folder, "git", "commit", "-qm", "first")
    return folder
