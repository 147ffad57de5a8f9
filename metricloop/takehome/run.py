"""Run the take-home of a folder, or go on with it, and write its results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from metricloop.data.tables import read_json, replacing, write_json
from metricloop.llm.conversation import Conversation, open_conversation
from metricloop.llm.journal import Journal
from metricloop.sandbox.errors import SandboxError
from metricloop.sandbox.tiers import missing
from metricloop.takehome.assignment import Assignment, read_assignment
from metricloop.takehome.checks.score import numbers
from metricloop.takehome.contract import missing_packages
from metricloop.takehome.course import Course, run_checks, run_course
from metricloop.takehome.memory import MEMORY
from metricloop.takehome.references import reference_labels
from metricloop.takehome.scorecard import Scorecard, scorecard
from metricloop.takehome.scorecard_text import markdown
from metricloop.takehome.settings import SCORECARD, SCORECARD_PAGE, TRANSCRIPT, load_settings
from metricloop.takehome.transcript import transcript


def run(folder: Path, conversation: Conversation | None = None, say: Callable[[str], None] = print) -> Scorecard:
    """Run the course in `folder` and write scorecard.json, scorecard.md and transcript.md. conversation: for tests.

    Errors: SandboxError where its code cannot be run; those of the course, of the conversation and of the assignment.
    """
    if lacks := missing():
        raise SandboxError(f"the code of the model runs only in the sandbox, which this machine lacks: {lacks[0]}")
    if lacks := missing_packages():
        raise SandboxError(f"not installed: {', '.join(lacks)}; run: pip install 'metricloop[takehome]'")
    settings, assignment = load_settings(folder), read_assignment(folder)
    conversation = conversation or open_conversation(Journal(folder), settings.llm, MEMORY)
    course = Course(assignment, settings, conversation, run_checks(assignment, settings), say)
    try:
        limit = run_course(course)
    finally:
        _write(folder / TRANSCRIPT, transcript(course.journal.events, assignment.front.name))
    card = scorecard(assignment, course.journal.events, settings.llm, reference_numbers(course), limit)
    write_json(folder / SCORECARD, card.form)
    _write(folder / SCORECARD_PAGE, markdown(read_json(folder / SCORECARD)))
    return card


def reference_numbers(course: Course) -> dict[str, Any] | None:
    """The numbers of a plain model of ours on the same data; found out once, and kept in the journal."""
    known = course.journal.last("reference")
    if known is None:
        known = course.journal.add("reference", numbers=_reference(course.assignment))
    return known["numbers"]


def _reference(assignment: Assignment) -> dict[str, Any] | None:
    truth, labels = reference_labels(assignment)
    return numbers(truth, labels, assignment.front.labels) if truth else None


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
