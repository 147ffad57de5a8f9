"""Commands that reach a storage elsewhere: git and DVC with the variables for it, and what went wrong in one line."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from metricloop.study.environment import STORAGE, environment, network

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
LIMITS = {"AWS_MAX_ATTEMPTS": "2"}  # boto's own five take long where nobody answers
PATIENCE = 3.0  # seconds for a server of one's own to answer
LAST_COMMIT = re.compile(r"not ancestor|non-fast-forward|fetch first|stale remote")


class RemoteError(RuntimeError):
    """A copy elsewhere cannot be read or written; the message says why and what to do."""


def git(folder: Path, *arguments: str, more: dict[str, str] | None = None) -> str:
    """What a git command prints. more: further environment variables. Errors: RemoteError with what went wrong."""
    return run_elsewhere(folder, ["git", *arguments], more)


def storage_variables() -> dict[str, str]:
    """The environment variables with which a storage is reached; some are secrets."""
    found = {name: value for name, value in os.environ.items() if name.startswith(STORAGE)}
    return {"GIT_TERMINAL_PROMPT": "0"} | LIMITS | found | network()


def run_elsewhere(folder: Path, command: Sequence[str], more: dict[str, str] | None = None) -> str:
    """What a command prints that may reach the storage. more: further environment variables. Errors: RemoteError."""
    own = environment() | storage_variables() | (more or {})
    done = subprocess.run(
        command, cwd=folder, env=own, capture_output=True, text=True, errors="replace", check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        raise RemoteError(_reason(done.stderr))
    return done.stdout.strip()


def _reason(text: str) -> str:
    """The line of an error that says what is wrong, without passwords."""
    if LAST_COMMIT.search(text):
        return "the record there has commits that are not here; fetch them first: git pull"
    if "unknown error. Run with --verbose" in text:
        return "the storage does not answer, or refuses"  # as git-remote-s3 says it
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("WARNING:")] or lines or ["no reason was given"]
    told = [line for line in lines if re.match(r"(ERROR|fatal|error|!)", line)] or lines
    told = [re.sub(r"^(ERROR|fatal|error): (unexpected error - )?", "", line) for line in told]
    return re.sub(r"://[^/\s@]*@", "://", told[0])


def check_answers(address: str) -> None:
    """Fail within seconds where the S3 server that the environment names does not answer. Errors: RemoteError."""
    endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
    if not address.startswith("s3://") or not endpoint:
        return
    parts = urlsplit(endpoint)
    try:
        socket.create_connection(
            (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)), PATIENCE
        ).close()
    except (OSError, ValueError):
        raise RemoteError(f"nobody answers at {parts.scheme}://{parts.netloc.rpartition('@')[2]}") from None
