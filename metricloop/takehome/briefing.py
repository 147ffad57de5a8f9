"""The questions of a take-home: what fills the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from metricloop.llm.message import Message
from metricloop.llm.prompt import render
from metricloop.takehome.answer import Files
from metricloop.takehome.assignment import Assignment
from metricloop.takehome.checks import BY_NAME
from metricloop.takehome.contract import LINE_LENGTH, LONGEST_FILE, PACKAGES, RULES
from metricloop.takehome.look import look
from metricloop.takehome.pieces import ALL, PIECES, Piece
from metricloop.takehome.settings import Settings
from metricloop.text import numbers

ANSWER_TITLE = "the answer could not be used"
TITLES = {piece.name: piece.title for piece in PIECES} | {"restructure": "structure", "improve": "improvement"}
Faults = Sequence[tuple[str, str]]  # name of a check, what it said


def opening(assignment: Assignment, settings: Settings) -> list[Message]:
    """The system message, and the question for a plan."""
    limits = settings.takehome
    told = {
        "repairs": numbers.count(settings.llm.repairs, "time"),
        "seconds": f"{limits.seconds:g} s",
        "memory": numbers.count(limits.memory_mb),
        "rules": ", ".join(RULES),
        "line_length": str(LINE_LENGTH),
        "longest": str(LONGEST_FILE),
        "packages": ", ".join(sorted(PACKAGES.values())),
    }
    asked = {"name": assignment.front.name, "text": assignment.text, "look": look(assignment)}
    return [Message("system", render("takehome_system", told)), Message("user", render("takehome_plan", asked))]


def again(fault: str) -> list[Message]:
    """The question for an answer in place of one that could not be used."""
    return [Message("user", render("again", {"said": fault}))]


def piece(assignment: Assignment, one: Piece, number: int) -> Callable[[], str]:
    """The question for a piece, number `number` of all."""
    context = {
        "number": str(number),
        "pieces": str(len(PIECES)),
        "title": one.title,
        "wanted": one.image if assignment.front.kind == "image" else one.text,
        "checks": checks_text(one.checks),
        "present": "",
    }
    return lambda: render("takehome_piece", context)


def repair(name: str, faults: Faults, attempt: int, attempts: int) -> str:
    """What is wrong, for repair `attempt` of `attempts`."""
    title = TITLES[name]
    context = {"title": title[:1].upper() + title[1:], "attempt": str(attempt), "attempts": str(max(attempts, attempt))}
    return render("takehome_repair", context | {"findings": findings(faults)})


def restructure(files: Files, failing: Sequence[str]) -> str:
    context = {"present": files_text(files), "open": checks_text(failing), "checks": checks_text(ALL)}
    return render("takehome_restructure", context)


def improve(files: Files, faults: Faults, own: Mapping[str, float], number: int, rounds: int) -> str:
    """The question of a further round. own: the numbers that the application states of its own split."""
    said = ", ".join(f"{name} {value:.3f}" for name, value in own.items()) or "nothing"
    context = {"number": str(number), "rounds": str(rounds), "present": files_text(files), "own": said}
    return render("takehome_improve", context | {"open": findings(faults)})


def findings(faults: Faults) -> list[dict[str, str]]:
    return [{"title": BY_NAME[n].title if n in BY_NAME else ANSWER_TITLE, "said": said} for n, said in faults]


def checks_text(names: Sequence[str]) -> str:
    return "; ".join(BY_NAME[name].title for name in names)


def files_text(files: Files) -> str:
    return ", ".join(files) or "none"
