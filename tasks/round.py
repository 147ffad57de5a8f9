"""A round under way: ideas are proposed, held to the rules of the gate, and sent back with what they broke.

All that happens is in the journal, and a round that was cut short goes on from there: nothing is asked, or run, twice.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detection.frame import Frame
from detection.tables import replacing
from llm.budget import SpentError
from llm.cassette import NotRecordedError
from llm.conversation import Conversation, template_of
from llm.extract import json_in
from llm.journal import Event, Journal, Key
from llm.message import Message
from llm.prompt import render, template_hash
from llm.suggestion import Suggestion, proposal_schema, read_suggestion, read_suggestions, suggestion_schema
from metrics.contract import Spec
from metrics.gate import Finding, Passage
from metrics.source import Source
from sandbox.words import clean
from tasks.examine import REPEAT, Bench, Known, examine
from tasks.look import Scene, opening
from tasks.offer import policy_schema
from tasks.plan import Plan
from tasks.provenance import file_text
from tasks.score import PREDICTED
from tasks.told import shapes

GENERATED = "metrics/generated"  # folder of the workspace; one folder a round, one file a metric
REFUSED = "the model refused"
ANSWER = "answer"  # the rule that a repair breaks which cannot be read; the idea stays as it was

# Runs the text of a metric, named second, against the gate.
Judge = Callable[[Source, str], Passage]


@dataclass
class Round:
    """A round under way: whom to ask, what ideas are held against, and how their code is judged."""

    number: int
    scene: Scene
    talk: Conversation
    bench: Bench
    judge: Judge
    frames: Sequence[Frame] = ()
    say: Callable[[str], None] = print

    @property
    def journal(self) -> Journal:
        return self.talk.journal

    @property
    def repairs(self) -> int:
        return self.scene.params.llm.repairs

    def tell(self, text: str) -> None:
        self.say(f"round {self.number}: {text}")


def play(turn: Round) -> Plan:
    """Have a round's ideas proposed, judged and repaired; returns the addition to rounds.yaml.

    Errors: SpentError where not even a proposal can be paid for; ClientError when the model cannot be reached.
    """
    addition: Plan = {"batches": {}, "arms": {}, "blocks": {}}
    for idea in propose(turn):
        accepted = mend(turn, idea)
        if accepted is None:
            continue
        idea, spec = accepted
        known = turn.bench.metrics.get(idea.metric) if idea.code is None else None
        if known is None:
            predicted = "predictions" in spec.needs
            batch = f"round{turn.number}-{'model' if predicted else 'pool'}"
            needs = PREDICTED if predicted else "data/images.parquet"
            empty: dict[str, Any] = {"code": f"{GENERATED}/{turn.number}", "needs": needs, "metrics": []}
            addition["batches"].setdefault(batch, empty)["metrics"].append(idea.metric)
            known = Known(spec.level, f"scores/{batch}/{idea.metric}.parquet")
        arm = idea.arm(known.scores, turn.bench.metrics[idea.partner].scores if idea.partner else None)
        addition["arms"][idea.name] = arm
        block = turn.scene.params.seeds.block
        addition["blocks"][f"{idea.name}.0"] = {"arm": idea.name, "seeds": f"0-{block - 1}"}
        turn.bench.take(idea, known, arm)
        _accept(turn, idea, arm)
    return addition


def propose(turn: Round) -> list[Suggestion]:
    """The ideas of a round; none where the model had none that could be read, in as many tries as a repair has."""
    settings, schema = turn.scene.params.llm, proposal_schema(policy_schema())
    tried = set(turn.bench.families.values())
    new = opening(turn.scene, turn.number)
    for attempt in range(turn.repairs + 1):
        key = Key(turn.number, "propose", "", attempt)
        try:
            text = turn.talk.ask(key, new, schema)
        except NotRecordedError as error:
            turn.tell(f"{error}; nothing is proposed")
            return []
        found, faults = _read_proposal(text, settings.suggestions)
        unfinished = _unfinished(turn.journal, key)
        faults += [(idea.name, "an arm has this name already") for idea in found if idea.name in turn.bench.arms]
        found = [idea for idea in found if idea.name not in turn.bench.arms]
        opened = [idea for idea in found if idea.family not in tried]
        if found and not opened:
            faults.append(("", f"every idea is of a family tried before ({', '.join(sorted(tried))}): open a new one"))
        if found and opened and (not faults or attempt == turn.repairs):
            for idea in found:
                turn.journal.once("proposed", _of(turn, idea.name), idea=idea.model_dump())
            for name, fault in faults:
                _refuse(turn, name, "unusable", fault)
            return found
        said = unfinished or "; ".join(f"{name}: {fault}" if name else fault for name, fault in faults)
        turn.journal.once("unusable", asdict(key), said=said)
        turn.tell(f"the proposal cannot be used ({said[:200]})")
        if said.startswith(REFUSED):
            return []
        new = [Message("user", render("again", {"said": said}))]
    return []


def mend(turn: Round, idea: Suggestion) -> tuple[Suggestion, Spec] | None:
    """Bring an idea through the gate, with repairs where needed; None where that fails. All of it in the journal."""
    fault = ""
    for attempt in range(turn.repairs + 1):
        passed = _gate(turn, idea, attempt)
        idea, broken = Suggestion.model_validate(passed["idea"]), [Finding(**finding) for finding in passed["broken"]]
        if not broken:
            _tell_accepted(turn, idea, attempt)
            return idea, Spec(**(passed["spec"] | {"needs": tuple(passed["spec"]["needs"])}))
        said = "; ".join(f"{finding.rule}: {finding.said}" for finding in broken)
        if broken[0].rule != ANSWER:
            fault = said
        elif fault:
            said = f"{said}; it stands as it was: {fault}"
        repeats = any(finding.rule == REPEAT for finding in broken)
        if repeats or attempt == turn.repairs:
            kind = "repeat" if repeats else "gate"
            _refuse(turn, idea.name, kind, said)
            return None
        turn.tell(f"{idea.name} broke {said}")
        try:
            answer = _ask_repair(turn, idea, broken, attempt + 1)
        except (SpentError, NotRecordedError) as error:
            _refuse(turn, idea.name, "gate", f"{said}; not repaired: {error}")
            return None
        idea, wrong = _read_repair(answer, idea)
        if wrong:
            key = Key(turn.number, "repair", idea.name, attempt + 1)
            wrong = _unfinished(turn.journal, key) or wrong
            turn.journal.once("unusable", asdict(key), said=wrong)
            turn.journal.once(
                "gate", _of(turn, idea.name, attempt + 1), idea=idea.model_dump(), spec=None, seconds=0.0,
                broken=[asdict(Finding(ANSWER, wrong))],
            )  # fmt: skip
    return None


def _gate(turn: Round, idea: Suggestion, attempt: int) -> Event:
    """The gate's event of this attempt: from the journal, or by running the idea's code now."""
    where = _of(turn, idea.name, attempt)
    if known := turn.journal.last("gate", **where):
        return known
    began = time.monotonic()
    source = Source(_text(turn, idea, attempt), f"{GENERATED}/{turn.number}/{idea.metric}.py")
    passage = examine(idea, turn.bench, lambda: turn.judge(source, idea.metric))
    broken = [asdict(finding) | {"said": clean(finding.said, 600)} for finding in passage.broken]
    return turn.journal.add(
        "gate", **where, idea=idea.model_dump(), broken=broken,
        spec=asdict(passage.spec) if passage.spec else None, seconds=round(time.monotonic() - began, 3),
    )  # fmt: skip


def _ask_repair(turn: Round, idea: Suggestion, broken: Sequence[Finding], attempt: int) -> str:
    context = {
        "name": idea.name,
        "broken": [{"rule": finding.rule, "said": finding.said} for finding in broken],
        "attempt": str(attempt),
        "attempts": str(turn.repairs),
        "code": _text(turn, idea, attempt - 1) if idea.code else "",
        "frames": shapes(turn.frames),
    }
    key = Key(turn.number, "repair", idea.name, attempt)
    return turn.talk.ask(key, [Message("user", render("repair", context))], suggestion_schema(policy_schema()))


def _text(turn: Round, idea: Suggestion, repairs: int) -> str:
    """The file of an idea's metric as it stands after so many repairs."""
    if idea.code is None:
        return ""
    if repairs:
        answered = turn.journal.last("answered", Key(turn.number, "repair", idea.name, repairs))
    else:
        answered = turn.journal.last("answered", round=turn.number, step="propose")
    assert answered is not None
    key = Key(turn.number, answered["step"], idea.name, answered["attempt"])
    return file_text(
        idea.code, study=turn.scene.params.study.name, model=answered["model"], number=turn.number,
        suggestion=idea.name, repairs=repairs, prompt=template_hash(template_of(key)),
    )  # fmt: skip


def _accept(turn: Round, idea: Suggestion, arm: Mapping[str, Any]) -> None:
    """Write the file of the metric, and the event that says so."""
    passed = turn.journal.last("gate", round=turn.number, suggestion=idea.name)
    attempt = passed["attempt"] if passed else 0
    text, path = _text(turn, idea, attempt), Path(GENERATED) / str(turn.number) / f"{idea.metric}.py"
    if text:
        with replacing(turn.scene.folder / path) as temporary:
            temporary.write_text(text, newline="")
    turn.journal.once(
        "accepted", _of(turn, idea.name), attempt=attempt, metric=idea.metric, arm=dict(arm),
        file=path.as_posix() if text else None, sha256=hashlib.sha256(text.encode()).hexdigest() if text else None,
    )  # fmt: skip


def _refuse(turn: Round, name: str, kind: str, reason: str) -> None:
    if turn.journal.last("refused", **_of(turn, name)) is None:
        turn.tell(f"{name}: refused: {reason}")
    turn.journal.once("refused", _of(turn, name), kind=kind, reason=reason)


def _tell_accepted(turn: Round, idea: Suggestion, repairs: int) -> None:
    ran = (
        f"passed the gate after {repairs} repair{'s' if repairs > 1 else ''}" if repairs else "passed the gate at once"
    )
    parent = f", builds on {idea.parent}" if idea.parent else ""
    turn.tell(f"{idea.name} ({idea.family}{parent}): {ran}; {idea.metric}, {idea.policy}")


def _read_proposal(text: str, most: int) -> tuple[list[Suggestion], list[tuple[str, str]]]:
    try:
        return read_suggestions(json_in(text), most)
    except ValueError as error:
        return [], [("", str(error))]


def _read_repair(text: str, idea: Suggestion) -> tuple[Suggestion, str]:
    """The repaired idea, or the old one with what is wrong with the answer. Its name stays."""
    try:
        answer = json_in(text)
        if isinstance(answer, dict) and isinstance(answer.get("suggestions"), list) and len(answer["suggestions"]) == 1:
            answer = answer["suggestions"][0]
        if isinstance(answer, dict):
            answer = answer | {"name": idea.name}
        return read_suggestion(answer), ""
    except ValueError as error:  # AnswerError is one
        return idea, str(error)


def _unfinished(journal: Journal, key: Key) -> str:
    """What is wrong with an answer before it is read; "" where it came whole."""
    answered = journal.last("answered", key)
    if answered is None or answered["finish"] not in ("length", "refusal", "empty"):
        return ""
    if answered["finish"] == "refusal":
        return f"{REFUSED}: {clean(answered['refusal'] or 'without a word')}"
    said = f"it was cut off after {answered['completion_tokens']} tokens: hand in less, or shorter code"
    return said if answered["finish"] == "length" else "it was empty"


def _of(turn: Round, suggestion: str, attempt: int | None = None) -> dict[str, Any]:
    return {"round": turn.number, "suggestion": suggestion} | ({} if attempt is None else {"attempt": attempt})
