"""The file of a generated metric: a note of its origin, and the model's code formatted by ruff."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from metricloop import layout
from metricloop.data.tables import replacing
from metricloop.engineer.suggestion import Suggestion
from metricloop.llm.conversation import template_of
from metricloop.llm.journal import Journal, Key
from metricloop.llm.prompt import template_hash
from metricloop.metrics.contract import MetricError
from metricloop.text.clean import clean

FORMAT = ("-m", "ruff", "format", "--isolated", "--line-length", "120", "-")


def metric_text(idea: Suggestion, attempt: int, study: str, number: int, journal: Journal) -> str:
    """The file of an idea's metric as it is after so many repairs; "" when the idea has no code of its own.

    study: its name; number: of the round.
    """
    if idea.code is None:
        return ""
    repaired = journal.last("answered", Key(number, "repair", idea.name, attempt)) if attempt else None
    answered = repaired or journal.last("answered", round=number, step="propose")
    assert answered is not None
    return file_text(
        idea.code, study=study, model=answered["model"], number=number, suggestion=idea.name, repairs=attempt,
        prompt=template_hash(template_of(Key.of(answered))),
    )  # fmt: skip


def write_metric(folder: Path, number: int, metric: str, text: str) -> tuple[str, str] | tuple[None, None]:
    """Write the file of a metric. Returns its path inside the workspace and its hash; (None, None) without text.

    Errors: MetricError when the path leads through a link.
    """
    if not text:
        return None, None
    name, folder = f"{layout.GENERATED}/{number}/{metric}.py", folder.resolve()
    if (folder / name).resolve() != folder / name:
        raise MetricError(f"{name} is a link, or lies behind one: unread code is written to a plain folder only")
    with replacing(folder / name) as temporary:
        temporary.write_text(text, newline="")
    return name, hashlib.sha256(text.encode()).hexdigest()


def file_text(code: str, *, study: str, model: str, number: int, suggestion: str, repairs: int, prompt: str) -> str:
    """The text of the file. prompt: hash of the prompt template that the model answered.

    The same code and origin always give the same text, so a study that is resumed finds its files unchanged.
    """
    origin = f"Written by {clean(model, 80)} for the study {study}: round {number}, {suggestion}, "
    repaired = f"{repairs} repairs" if repairs != 1 else "1 repair"
    unread = "# Unread: it runs in the sandbox, until a person reads it and types `metricloop adopt`."
    note = f"# {origin}{repaired}, prompt {prompt}.\n{unread}\n"
    return note + formatted(code)


def formatted(code: str) -> str:
    """The code formatted by ruff, or unchanged when it is not valid Python. The code is parsed and never executed."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", *FORMAT], input=code.encode(), capture_output=True, timeout=20, check=False, env={}
        )
        text = done.stdout.decode() if done.returncode == 0 else code
    except (subprocess.TimeoutExpired, UnicodeDecodeError):
        text = code
    return text if text.endswith("\n") else f"{text}\n"
