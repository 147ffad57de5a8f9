"""The file of a generated metric: the model's code in one layout, below a note of where it comes from."""

from __future__ import annotations

import subprocess
import sys

from metricloop.text.clean import clean

FORMAT = ("-m", "ruff", "format", "--isolated", "--line-length", "120", "-")


def file_text(code: str, *, study: str, model: str, number: int, suggestion: str, repairs: int, prompt: str) -> str:
    """The text that is gated, written and run. prompt: hash of the template that the model answered.

    The same code and origin give the same text, so that a study that goes on finds its files unchanged.
    """
    origin = f"Written by {clean(model, 80)} for the study {study}: round {number}, {suggestion}, "
    repaired = f"{repairs} repairs" if repairs != 1 else "1 repair"
    unread = "# Unread: it runs in the sandbox, until a person reads it and types `metricloop adopt`."
    note = f"# {origin}{repaired}, prompt {prompt}.\n{unread}\n"
    return note + formatted(code)


def formatted(code: str) -> str:
    """The code as ruff lays it out; as it is where that is no Python. It is parsed for this, and never executed."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", *FORMAT], input=code.encode(), capture_output=True, timeout=20, check=False, env={}
        )
        text = done.stdout.decode() if done.returncode == 0 else code
    except (subprocess.TimeoutExpired, UnicodeDecodeError):
        text = code
    return text if text.endswith("\n") else f"{text}\n"
