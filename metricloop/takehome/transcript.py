"""The conversation of a take-home as Markdown: what was asked, what was handed in, and what the checks said."""

from __future__ import annotations

import re
from collections.abc import Sequence

from metricloop.llm.journal import Event
from metricloop.takehome.answer import AnswerError, read_plan
from metricloop.takehome.checks import BY_NAME
from metricloop.takehome.history import PLAN, Turn, turns
from metricloop.text.clean import printable

LANGUAGES = {"py": "python", "md": "markdown", "html": "html", "yaml": "yaml", "yml": "yaml", "toml": "toml"}


def transcript(events: Sequence[Event], name: str) -> str:
    """The whole conversation. name: of the assignment."""
    checked = {(e["round"], e["suggestion"], e["attempt"]): e for e in events if e["event"] == "checked"}
    parts = [f"# The conversation about {name}"]
    for turn in turns(events):
        key = turn.key
        title = f"{key.suggestion}{f', repair {key.attempt}' if key.attempt else ''}"
        parts.append(f"## {title}" if key.round == 1 else f"## round {key.round}: {title}")
        parts += [f"**{message['role']}**\n\n{_quoted(message['text'])}" for message in turn.asked["messages"]]
        parts.append(f"**{printable(turn.answered['model'])}**\n\n{_answer(turn)}")
        if event := checked.get((key.round, key.suggestion, key.attempt)):
            parts.append(_results(event))
    return "\n\n".join(parts) + "\n"


def _answer(turn: Turn) -> str:
    if turn.handed is None:
        if turn.key.step == PLAN and not turn.fault:
            try:
                return read_plan(turn.answered["text"])
            except AnswerError:
                pass
        return f"{_fenced(str(turn.answered['text']))}\n\nNot usable: {turn.fault}"
    files = [
        f"`{file.path}`\n\n{_fenced(file.content, file.path)}" if file.content is not None else f"`{file.path}` removed"
        for file in turn.handed.files
    ]
    return "\n\n".join([printable(turn.handed.note), *files])


def _results(event: Event) -> str:
    lines = []
    for name, result in event["results"].items():
        title = BY_NAME[name].title if name in BY_NAME else "the answer"
        lines.append(f"- {'passed' if result['passed'] else '**failed**'}: {title}")
        if result["said"]:
            lines.append(_fenced(result["said"]))
    return "Checks:\n\n" + "\n".join(lines)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in printable(text).splitlines())


def _fenced(text: str, path: str = "") -> str:
    """A code block whose fence is longer than any in the text."""
    longest = max(map(len, re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{LANGUAGES.get(path.rpartition('.')[2], '')}\n{printable(text).rstrip()}\n{fence}"
