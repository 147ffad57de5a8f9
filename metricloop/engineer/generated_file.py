"""The file of a generated metric or repair: a note of its origin, and the model's code formatted by ruff."""

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


def code_text(code: str | None, idea: Suggestion, attempt: int, study: str, number: int, journal: Journal) -> str:
    """The file of an idea's metric or repair as it is after so many repairs; "" for a known one, without code.

    code: its `code` or `repair_code`. study: its name; number: of the round.
    """
    if code is None:
        return ""
    repaired = journal.last("answered", Key(number, "repair", idea.name, attempt)) if attempt else None
    answered = repaired or journal.last("answered", round=number, step="propose")
    assert answered is not None
    return file_text(
        code, study=study, model=answered["model"], number=number, suggestion=idea.name, repairs=attempt,
        prompt=template_hash(template_of(Key.of(answered))),
    )  # fmt: skip


def write_code(folder: Path, number: int, function: str, text: str) -> tuple[str, str] | tuple[None, None]:
    """Write the file of a metric or repair, named as its function.

    Returns its path inside the workspace and its hash; (None, None) without text.

    Errors: MetricError when the path leads through a link.
    """
    if not text:
        return None, None
    name, folder = generated_name(number, function), folder.resolve()
    if (folder / name).resolve() != folder / name:
        raise MetricError(f"{name} is a link, or lies behind one: unread code is written to a plain folder only")
    with replacing(folder / name) as temporary:
        temporary.write_text(text, newline="")
    return name, hashlib.sha256(text.encode()).hexdigest()


def generated_name(number: int, function: str) -> str:
    """The file of a metric or repair of a round, relative to the workspace."""
    return f"{layout.GENERATED}/{number}/{function}.py"


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
