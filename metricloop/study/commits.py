"""Commit the record of a study to the git repository of its workspace."""

from __future__ import annotations

import subprocess
from pathlib import Path

from metricloop import layout
from metricloop.runtime import code_digest
from metricloop.study.environment import environment

COMMITTED = (
    ".gitignore", layout.STAGES, layout.LOCK, layout.PARAMS, layout.ARMS, layout.ROUNDS, layout.CODE, layout.BRIEF,
    layout.FINGERPRINT,
    layout.METRICS, layout.DATA, layout.SCORES, layout.EDITS, layout.SUBSETS, layout.SCREENING, layout.MODELS,
    layout.RESULTS,
    layout.COMPARISON, layout.FINALISTS, layout.CONFIRMATION, layout.OPENINGS, layout.JOURNAL, layout.RECORDING,
    layout.PICTURES, layout.LABELS, layout.HEADLINE, layout.NUMBERS, layout.PLOTS,
    layout.PLOT_TEMPLATES, layout.EXPLAIN,
)  # fmt: skip


class WorkspaceError(RuntimeError):
    """A workspace cannot be made or used; the message says what to do."""


def commit(folder: Path, message: str) -> bool:
    """Commit the files of COMMITTED, if the workspace has a repository of its own; returns whether any had changed."""
    if folder == code_digest.HOME or not (folder / ".git").exists() or not (folder / layout.CODE).is_file():
        return False
    present = [name for name in COMMITTED if (folder / name).exists()]
    run_git(folder, "add", "--", *present)
    return commit_all(folder, message)


def commit_all(folder: Path, message: str) -> bool:
    """Commit what is staged; returns False when nothing is. Without a git identity the author is metricloop."""
    if subprocess.run(["git", "diff", "--cached", "--quiet"], cwd=folder, check=False).returncode == 0:
        return False
    identity = ["-c", "user.name=metricloop", "-c", "user.email=metricloop@localhost"]
    has_name = (
        subprocess.run(["git", "config", "user.email"], cwd=folder, capture_output=True, check=False).returncode == 0
    )
    run_git(folder, *([] if has_name else identity), "commit", "--quiet", "--message", message)
    return True


def run_git(folder: Path, *arguments: str) -> None:
    """Run git in `folder`. Errors: WorkspaceError with what it printed."""
    run_command(folder, ["git", *arguments])


def run_command(folder: Path, command: list[str]) -> None:
    """Run a command in `folder` and wait for it. Errors: WorkspaceError with what it printed."""
    own = environment(None if command[0] == "git" else folder)  # a hook of git needs no credentials of a storage
    result = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
    if result.returncode:
        raise WorkspaceError(
            f"`{' '.join(command)}` failed in {folder}:\n{result.stderr.strip() or result.stdout.strip()}"
        )
