"""Recordings of a study's calls, and their replay in place of a language model.

An answer is found by its key (round, step, suggestion, attempt). It is used only if it was given to the same prompt
template. Numbers and pictures in a prompt differ between machines: then one warning is shown.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from metricloop.config import Section
from metricloop.data.tables import TableError, read_yaml, replacing
from metricloop.llm.journal import Key
from metricloop.llm.message import Message, Reply

BUILT_IN = {path.stem: path for path in sorted((Path(__file__).parent / "cassettes").glob("*.yaml"))}
HARD_SPACE = "\u00a0"  # in our percentages
REPLY = ("finish", "rung", "prompt_tokens", "completion_tokens", "estimated", "seconds")  # fields of "answered"
NOTE = "# What a language model was asked in a study, and what it answered. Replayed with llm.provider: replay.\n"


class CassetteError(ValueError):
    """A recording cannot be used; the message names the file, the call and what to do."""


class NotRecordedError(LookupError):
    """The recording holds no answer to this call."""


class RecordedCall(Section):
    """One recorded call. prompt: its new messages, as text; pictures: the titles of the pictures in them.

    engineer: its number, in a study that asked several. model, recorded: the model that answered and the day, when they
    differ from those of the cassette.
    """

    round: int
    step: str
    suggestion: str = ""
    attempt: int = 0
    engineer: int | None = None
    template: str
    prompt: str
    pictures: tuple[str, ...] = ()
    answer: str
    finish: str
    rung: str
    prompt_tokens: int
    completion_tokens: int
    estimated: bool = False
    seconds: float
    model: str | None = None
    recorded: date | None = None

    @property
    def key(self) -> Key:
        return Key(self.round, self.step, self.suggestion, self.attempt, self.engineer)


class Cassette(Section):
    """The calls of one study in their order, with the model and the day of the latest answer.

    note: how the recording was changed later.
    """

    note: str | None = None
    model: str
    recorded: date
    calls: tuple[RecordedCall, ...]


def load_cassette(name: str) -> Cassette:
    """Read a cassette: `demo`, or the path of a YAML file. Errors: CassetteError."""
    path = BUILT_IN.get(name, Path(name))
    if not path.is_file():
        raise CassetteError(f"llm.cassette: no file {path}; give {', '.join(BUILT_IN)} or the path of a recording")
    try:
        return Cassette.model_validate(read_yaml(path))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:5])
        raise CassetteError(f"{path} is not a recording: {faults}") from None
    except TableError as error:
        raise CassetteError(str(error)) from None


def cassette_of(events: Iterable[Mapping[str, Any]]) -> Cassette:
    """The recording of a journal: the last answer to every call. Errors: CassetteError when there is no answer.

    A replayed answer keeps its model and its date.
    """
    asked, calls, model, day = dict[Key, Mapping[str, Any]](), dict[Key, RecordedCall](), "", date.min
    for event in events:
        if event["event"] not in ("asked", "answered"):
            continue
        key = Key.of(event)
        if event["event"] == "asked":
            asked[key] = event
            continue
        question = asked[key]
        model, day = event["model"], date.fromisoformat(event["recorded"] or event["at"][:10])
        calls[key] = RecordedCall(
            **vars(key),
            template=question["template"],
            prompt=prompt_text(question["messages"]),
            pictures=tuple(p["title"] for message in question["messages"] for p in message["pictures"]),
            answer=event["text"],
            **{name: event[name] for name in REPLY},
            model=model,
            recorded=day,
        )
    if not calls:
        raise CassetteError("the journal holds no answer to record")
    kept = [
        call.model_copy(
            update={
                "model": None if call.model == model else call.model,
                "recorded": None if call.recorded == day else call.recorded,
            }
        )
        for call in calls.values()
    ]
    return Cassette(model=model, recorded=day, calls=tuple(kept))


def prompt_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Messages of the journal as one text."""
    return "\n\n".join(f"[{message['role']}]\n{message['text']}" for message in messages)


def save_cassette(cassette: Cassette, path: Path) -> None:
    """Write a recording for people to read: texts of several lines are YAML blocks."""
    with replacing(path) as temporary:
        temporary.write_text(
            NOTE
            + yaml.dump(
                cassette.model_dump(exclude_none=True), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True
            )
        )


class Replay:
    """Plays a recording in place of a language model. strict: a prompt that differs is an error that shows the diff."""

    def __init__(self, cassette: Cassette, say: Callable[[str], None] = print, strict: bool = False) -> None:
        self.cassette, self.say, self.strict = cassette, say, strict
        self._calls = {call.key: call for call in cassette.calls}
        self._warned = False

    def answer(self, key: Key, template: str, messages: Sequence[Message]) -> Reply:
        """The recorded answer to this call. Errors: NotRecordedError; CassetteError for another prompt template."""
        call = self._calls.get(key)
        if call is None:
            raise NotRecordedError(f"the recording of {self.cassette.recorded} has no answer to {key}")
        if call.template != template:
            raise CassetteError(
                f"the answer to {key} was recorded for another version of the prompt "
                f"({call.template}, now {template}); record the study again with llm.provider: record"
            )
        now = prompt_text([{"role": m.role, "text": m.text} for m in messages])
        if now != call.prompt:
            self._differs(key, call.prompt, now)
        return Reply(
            call.answer, call.model or self.cassette.model, call.finish, call.rung,
            call.prompt_tokens, call.completion_tokens, call.estimated, call.seconds,
        )  # fmt: skip

    def prompt(self, key: Key) -> str | None:
        """The new messages of a recorded call as one text; None when there is no such call."""
        call = self._calls.get(key)
        return None if call is None else call.prompt

    def recorded(self, key: Key) -> date:
        """The day on which this call was answered."""
        call = self._calls.get(key)
        return (call and call.recorded) or self.cassette.recorded

    def _differs(self, key: Key, recorded: str, now: str) -> None:
        lines = list(difflib.unified_diff(recorded.splitlines(), now.splitlines(), "recorded", "now", lineterm="", n=0))
        if self.strict:
            raise CassetteError(f"{key}: the prompt is not the recorded one:\n" + "\n".join(lines))
        if not self._warned:
            self.say(
                f"replay: {sum(line.startswith('+') for line in lines) - 1} lines of the prompt differ from what the "
                f"model was told on {self.recorded(key)}; the answers are from that day"
            )
        self._warned = True


class _Dumper(yaml.SafeDumper):
    pass


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # YAML's block style cannot hold trailing spaces or some control characters: such texts stay in quotes.
    lines = text.replace(HARD_SPACE, "x").split("\n")
    plain = len(lines) > 1 and all(line == line.rstrip() and line.isprintable() for line in lines)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if plain else None)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(tuple, lambda dumper, values: dumper.represent_list(values))
