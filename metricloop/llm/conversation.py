"""The conversation with the language model: every call is in the journal and within the limits."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.tables import replacing
from metricloop.llm.budget import Allowance, allowance, check_price, spent
from metricloop.llm.cassette import Replay, cassette_of, save_cassette
from metricloop.llm.check_endpoint import ending, instead
from metricloop.llm.client import Client, ClientError
from metricloop.llm.connection import on_azure
from metricloop.llm.journal import Event, Journal, Key
from metricloop.llm.key import HANDED, api_key, read_keys, take_keys
from metricloop.llm.message import Message, Reply
from metricloop.llm.prices import cost
from metricloop.llm.prompt import template_hash
from metricloop.llm.providers import NONE, Model, choices_text, provider_of, replays
from metricloop.llm.settings import LanguageModel
from metricloop.llm.wire import RUNGS, estimate_tokens

STEPS = {"explore": 0, "propose": 1}  # the steps in which a round goes on as one conversation, in their order
CHECKED_FOR = timedelta(days=1)  # how long a look at the server's models holds


class NoProviderError(ValueError):
    """The settings name no provider; the message says what to set."""


@dataclass(frozen=True)
class Memory:
    """What a call is sent besides its new messages.

    messages: takes the journal's events and a call, and returns the messages before it, oldest first. template: takes a
    call, and returns the hash of its prompt template.
    """

    messages: Callable[[Iterable[Event], Key], list[Message]]
    template: Callable[[Key], str]


class Conversation:
    """The calls of one study. An answer in the journal is used again; no call is made twice."""

    def __init__(
        self,
        settings: LanguageModel,
        journal: Journal,
        key: str | None = None,
        *,
        memory: Memory | None = None,
        model: Model | None = None,
        replay: Replay | None = None,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = print,
    ) -> None:
        """memory: that of a study's rounds by default. model, replay: replace those of the provider. clock: seconds, to
        measure failed calls. say: is told what the person should know of the model before its first call.

        Also writes the recording, in case a kill came before it was written.
        Errors: NoProviderError; CassetteError; BudgetError; NoKeyError when the key cannot be a key.
        """
        if settings.provider == NONE:
            raise NoProviderError(
                f"llm.provider is {NONE}, so no language model is asked; set it in params.yaml to {choices_text()}"
            )
        provider = provider_of(settings.provider)
        self.memory = memory or STUDY
        self.settings, self.journal, self.folder = settings, journal, journal.path.parent
        self._records, self._clock, self._say = provider.records, clock, say
        self.replay = replay or (provider.replay(settings) if provider.replay else None)
        if self.replay is None:
            self._open = check_price(settings, spent(journal.events, settings))
            self._looked = self._told_effort = False
            connect = provider.connect
            assert connect is not None  # a provider connects or replays
            self.model: Model = model or connect(settings, key, rung_of(journal, settings.model))
        self._write_recording()

    def ask(self, key: Key, new: Sequence[Message], schema: Mapping[str, Any]) -> str:
        """The answer to the call `key`: its thread, continued by the messages `new`. "" when the model refused.

        Errors: SpentError at a limit; ClientError when there is no answer, which is journaled too; NotRecordedError and
        CassetteError in a replay.
        """
        key = replace(key, engineer=self.journal.engineer)
        if known := self.journal.last("answered", key):
            return answer_text(known)
        template = self.memory.template(key)
        before = self.memory.messages(self.journal.events, key)
        tokens = estimate_tokens([*before, *new])
        recorded = None
        if self.replay is not None:  # before "asked" is journaled: a call without a recorded answer is not made
            reply, recorded = self.replay.answer(key, template, new), self.replay.recorded(key).isoformat()
        else:
            allowed = allowance(spent(self.journal.events, self.settings), tokens, self.settings)
        self.journal.add(
            "asked", **asdict(key), template=template, messages=[self._journal_form(key, message) for message in new],
            provider=self.settings.provider, model=self.settings.model, tokens=tokens,
        )  # fmt: skip
        if self.replay is None:
            self._before_the_first_call(key)
            reply = self._call(key, [*before, *new], schema, allowed)
        reply = replace(reply, text=reply.text.encode(errors="replace").decode())  # no half surrogate pairs
        answered = self.journal.add(
            "answered", **asdict(key), provider=self.settings.provider, recorded=recorded,
            cost=self._cost(reply) if recorded is None else 0.0,
            **asdict(reply),
        )  # fmt: skip
        self._write_recording()
        return answer_text(answered)

    def _before_the_first_call(self, key: Key) -> None:
        """Tell whether the server has the model, when it ends, and an unknown price; once a day of a study."""
        if self._looked:
            return
        self._looked = True
        settings, told = self.settings, [self._open] if self._open else []
        about = {"base_url": settings.base_url, "model": settings.model}
        last = self.journal.last("checked", None, **about)
        if last and datetime.now(UTC) - datetime.fromisoformat(last["at"]) < CHECKED_FOR:
            return
        if isinstance(self.model, Client):
            listed = self.model.listed()
            if listed and listed.names and settings.model not in listed.names and not on_azure(settings.base_url):
                told.append(f"{settings.base_url} does not list {settings.model}; {instead(settings.model, listed)}")
            told += [line] if (line := ending(settings.model, listed)) else []
            self.journal.add("checked", **asdict(key), **about, listed=len(listed.names) if listed else None, said=told)
        for line in told:
            self._say(f"warning: {line}")

    def _tell_other_effort(self, reply: Reply) -> None:
        asked = self.settings.reasoning_effort
        if asked and reply.effort != asked and not self._told_effort:
            self._say(
                f"warning: asked with reasoning effort {reply.effort or 'unset'}, not llm.reasoning_effort {asked}"
            )
            self._told_effort = True

    def _call(self, key: Key, messages: Sequence[Message], schema: Mapping[str, Any], allowed: Allowance) -> Reply:
        began = self._clock()
        try:
            reply = self.model.complete(messages, schema, most_tokens=allowed.tokens, seconds=allowed.seconds)
        except ClientError as error:
            seconds = self._clock() - began
            self.journal.add("call_failed", **asdict(key), kind=error.kind, said=str(error), seconds=seconds)
            raise
        if isinstance(self.model, Client):
            self._tell_other_effort(reply)
        return reply

    def _cost(self, reply: Reply) -> float | None:
        return cost(
            self.settings.model, reply.prompt_tokens, reply.completion_tokens, self.settings.prices,
            cached=reply.cached_tokens, tier=reply.tier,
        )  # fmt: skip

    def _write_recording(self) -> None:
        if self._records and self.journal.last("answered"):
            save_cassette(cassette_of(self.journal.events), self.folder / layout.RECORDING)

    def _journal_form(self, key: Key, message: Message) -> dict[str, Any]:
        """A message in the form of the journal; its pictures are written to files."""
        shown = []
        for picture in message.pictures:
            file = Path(layout.PICTURES) / str(key.round) / f"{picture.sha256[:16]}.jpg"
            if not (self.folder / file).is_file():
                with replacing(self.folder / file) as temporary:
                    temporary.write_bytes(picture.jpeg)
            shown.append({"title": picture.title, "file": file.as_posix(), "sha256": picture.sha256})
        return {"role": message.role, "text": message.text, "pictures": shown}


def open_conversation(journal: Journal, settings: LanguageModel, memory: Memory | None = None) -> Conversation:
    """The conversation of a study, with the key from the environment or from the parent process.

    Errors: those of llm.key, llm.cassette and llm.budget; each says what to do.
    """
    return Conversation(settings, journal, _study_key(settings), memory=memory)


def open_engineers(journal: Journal, settings: LanguageModel) -> list[Conversation]:
    """The conversations of a study's engineers, each with its model and its own memory; the limits are shared.

    Errors: as of `open_conversation`.
    """
    key, models = _study_key(settings), settings.engineer_models
    several = len(models) > 1
    return [
        Conversation(settings.model_copy(update={"model": model}), journal.of_engineer(k if several else None), key)
        for k, model in enumerate(models, start=1)
    ]


def _study_key(settings: LanguageModel) -> str | None:
    """The key from the environment or from the parent process; None where nothing is sent."""
    keys = read_keys(sys.stdin) if os.environ.get(HANDED) == "stdin" else take_keys()
    live = settings.provider != NONE and not replays(settings.provider)
    return api_key(settings.base_url, keys) if live else None


def rung_of(journal: Journal, model: str) -> str:
    """How this model last accepted to be asked for structured output, from the journal. See wire.RUNGS."""
    known = RUNGS[0]
    for answered in journal.about("answered"):
        asked = journal.last("asked", Key.of(answered))
        if not replays(answered["provider"]) and asked and asked["model"] == model and answered["rung"] in RUNGS:
            known = answered["rung"]
    return known


def template_of(key: Key) -> str:
    """The prompt template of a call. The next try after an unusable answer has the template "again"."""
    if key.step == "explore":
        return "explore_on" if key.attempt else "explore"
    return "again" if key.attempt and key.step != "repair" else key.step


def answer_text(answered: Mapping[str, Any]) -> str:
    """The text of an answer; "" when the model refused."""
    return "" if answered["finish"] == "refusal" else str(answered["text"])


def thread(events: Iterable[Event], key: Key) -> list[Message]:
    """The messages before the call `key`, oldest first. Pictures are left out: the model has seen them, and they would
    cost the same again.

    While a round explores and proposes, everything said in it so far. A repair: how the round began, the proposal, and
    the earlier repairs of the same suggestion. A reflection: the system message, the proposal, and its earlier tries.
    """
    events = list(events)
    asked = {Key.of(event): event for event in events if event["event"] == "asked"}
    answered = {Key.of(event): event for event in events if event["event"] == "answered"}
    own = sorted(
        (k for k in asked if k in answered and (k.round, k.engineer) == (key.round, key.engineer)),
        key=lambda k: (STEPS.get(k.step, 2), k.attempt),
    )
    opening = [k for k in own if STEPS.get(k.step, 2) < 2]
    if key.step in STEPS:
        place = (STEPS[key.step], key.attempt)
        return _exchanges([k for k in opening if (STEPS[k.step], k.attempt) < place], asked, answered)
    same = [k for k in own if (k.step, k.suggestion) == (key.step, key.suggestion) and k.attempt < key.attempt]
    if not opening:
        return _exchanges(same, asked, answered)
    began = [Message(m["role"], with_titles(m)) for m in asked[opening[0]]["messages"]]
    if key.step == "reflect":
        began = [*(m for m in began if m.role == "system"), Message("user", f"Round {key.round}: hand in suggestions.")]
    return [*began, _said(answered[opening[-1]]), *_exchanges(same, asked, answered)]


def _exchanges(keys: Iterable[Key], asked: Mapping[Key, Event], answered: Mapping[Key, Event]) -> list[Message]:
    messages = []
    for key in keys:
        messages += [Message(m["role"], with_titles(m)) for m in asked[key]["messages"]]
        messages.append(_said(answered[key]))
    return messages


def _said(answered: Event) -> Message:
    return Message("assistant", str(answered["text"] or answered.get("refusal") or ""))


def with_titles(message: Mapping[str, Any]) -> str:
    """A message of the journal as text, with the titles of its pictures."""
    return "\n\n".join([message["text"], *(f"[picture: {picture['title']}]" for picture in message["pictures"])])


STUDY = Memory(thread, lambda key: template_hash(template_of(key)))  # of a study's rounds
