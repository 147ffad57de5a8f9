"""The exploring step of a round: before the model proposes ideas, it asks questions about the data; our code answers.

A call asks up to MOST_QUESTIONS questions; there are at most `llm.explore` calls a round. Every question, and what was
found, is in the journal. Answers are computed again rather than read from there when a round that was killed goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from metricloop.engineer.analyse import analyse
from metricloop.engineer.analysis_inside import MOST_ROWS, MOST_TEXT
from metricloop.engineer.briefing import opening_text
from metricloop.engineer.check import check
from metricloop.engineer.compare_arms import compare_arms
from metricloop.engineer.desk import Answer, Desk, QuestionError
from metricloop.engineer.forecast import FEWEST
from metricloop.engineer.policy_menu import policy_schema
from metricloop.engineer.preview import preview
from metricloop.engineer.questions import MOST_QUESTIONS, Question, exploring_schema, read_exploring
from metricloop.engineer.show import show
from metricloop.engineer.study_view import StudyView, offered
from metricloop.llm.cassette import NotRecordedError
from metricloop.llm.conversation import Conversation
from metricloop.llm.incomplete import REFUSED, incomplete
from metricloop.llm.journal import Journal, Key
from metricloop.llm.message import Message, Picture
from metricloop.llm.prompt import render
from metricloop.sandbox.errors import SandboxError
from metricloop.text import numbers
from metricloop.text.clean import clean

MOST_SAID = 6000  # characters of one answer
MOST_NOTES = 4000  # characters of the model's notes of one call
STEP = "explore"
EACH = 100  # ids of questions of one engineer in a round, so that those of several differ


@dataclass(frozen=True)
class Found:
    """The answer to one question. id: such as Q1.2, the second question of round 1; why: the model's own words."""

    id: str
    kind: str
    why: str
    said: str
    pictures: tuple[Picture, ...]

    def event(self) -> dict[str, Any]:
        """This answer in the form of the journal."""
        return vars(self) | {"pictures": [picture.title for picture in self.pictures]}


def explore(study: StudyView, number: int, conversation: Conversation, say: Callable[[str], None]) -> list[Message]:
    """Answer the model's questions. Returns the messages that the question for ideas is added to.

    They hold the answers to its last questions; the opening of the round where it may ask nothing. say: is told a line
    per question. Errors: SpentError; ClientError.
    """
    calls, journal = study.params.llm.explore, conversation.journal
    if journal.last("answered", Key(number, "propose")):
        return [Message("user", "")]  # the proposal is there; nothing is asked any more
    schema = policy_schema(offered(study))
    desk, asked = Desk(study, number), EACH * ((journal.engineer or 1) - 1)
    system, text, pictures = opening_text(desk)
    messages = [Message("system", system), Message("user", text, pictures)]
    for attempt in range(calls):
        key = Key(number, STEP, "", attempt)
        try:
            answer = conversation.ask(
                key, _question(study, messages, calls - attempt, attempt), exploring_schema(schema)
            )
        except NotRecordedError:
            break  # a recording without this call goes on with its proposal
        began = time.monotonic()
        notes, questions = _read(journal, key, answer)
        found = [answer_to(entry, f"Q{number}.{asked + k}", desk) for k, entry in enumerate(questions, start=1)]
        asked += len(found)
        journal.once(
            "explored", {"round": number, "attempt": attempt}, notes=notes, questions=[one.event() for one in found],
            seconds=round(time.monotonic() - began, 3),
        )  # fmt: skip
        for one in found:
            say(f"{one.id} {one.kind}: {one.why or clean(one.said)}")
        if not found:
            return [Message("user", "You have no more questions.")]
        messages = [found_message(found)]
    return messages


def _read(journal: Journal, key: Key, answer: str) -> tuple[str, list[Question | str]]:
    """The notes and the questions of an answer. A question that cannot be read is replaced by its fault, a string.

    An answer that cannot be read at all counts as one such question.
    """
    fault = incomplete(journal, key)
    if fault.startswith(REFUSED):
        return "", []
    try:
        notes, questions = read_exploring(answer)
        return clean(notes, MOST_NOTES), questions
    except ValueError as error:
        return "", [fault or str(error)]


def found_message(found: Sequence[Found]) -> Message:
    """The answers to the questions of one call as one message."""
    pictures = tuple(picture for one in found for picture in one.pictures)
    context = {
        "answers": [vars(one) for one in found],
        "pictures": "\n".join(f"- {picture.title}" for picture in pictures),
    }
    return Message("user", render("found", context).strip(), pictures)


def answer_to(asked: Question | str, name: str, desk: Desk) -> Found:
    """The answer to one question, or why it cannot be answered. asked: the question, or its fault as a string."""
    if isinstance(asked, str):
        return Found(name, "unreadable", "", f"This question cannot be used: {clean(asked, 600)}", ())
    try:
        answer = ANSWERS[asked.kind](asked, desk)
    except QuestionError as error:
        answer = Answer(f"Not answered: {clean(str(error), 1000)}.")
    except SandboxError as error:
        answer = Answer(f"Not answered: no code of yours can run here, because {clean(str(error), 300)}.")
    return Found(name, asked.kind, asked.why, answer.said[:MOST_SAID], answer.pictures)


ANSWERS: dict[str, Callable[..., Answer]] = {
    "show": show, "analyse": analyse, "preview": preview, "check": check, "compare": compare_arms,
}  # fmt: skip


def _question(study: StudyView, messages: Sequence[Message], left: int, attempt: int) -> list[Message]:
    """The messages of one exploring call: `messages`, whose last one is followed by what the model may ask."""
    *before, last = messages
    settings = study.params.llm
    calls = numbers.count(left, "call")
    if attempt:
        text = render("explore_on", {"found": last.text, "calls": calls})
    else:
        context = {
            "look": last.text, "calls": calls, "most": str(MOST_QUESTIONS), "seen": settings.pictures != "none",
            "wanted": numbers.count(settings.suggestions, "suggestion"),
            "forecast": sum(bool(arm["gain"]) for arm in study.comparison["arms"]) >= FEWEST,
            "rows": numbers.count(MOST_ROWS), "characters": numbers.count(MOST_TEXT),
        }  # fmt: skip
        text = render("explore", context)
    return [*before, Message(last.role, text, last.pictures)]
