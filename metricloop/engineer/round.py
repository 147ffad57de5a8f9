"""A round of the language model: propose -> gate -> repair -> accept.

The model proposes ideas. Each idea goes through the gate. What the gate finds goes back to the model, which repairs
the idea, at most `llm.repairs` times. An idea that passes becomes a file of code, an arm and its first trials.

Every step is written to the journal. A round that was killed goes on from the journal: no question is asked and no
code is run a second time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from metricloop import layout
from metricloop.comparison.groups import ROUND
from metricloop.data.frame import Frame
from metricloop.engineer.ask import ask_until_usable
from metricloop.engineer.briefing import proposal
from metricloop.engineer.code_gate import load_without_sandbox, open_gate
from metricloop.engineer.explore import explore
from metricloop.engineer.generated_file import metric_text, write_metric
from metricloop.engineer.policy_menu import policy_schema
from metricloop.engineer.prompt_text import shapes
from metricloop.engineer.rules import KnownIdeas, KnownMetric, check_idea, must_open
from metricloop.engineer.study_view import StudyView, before_round, known_ideas
from metricloop.engineer.suggestion import Suggestion, proposal_schema, read_proposal, read_repair, suggestion_schema
from metricloop.llm.budget import SpentError
from metricloop.llm.cassette import NotRecordedError
from metricloop.llm.conversation import Conversation
from metricloop.llm.incomplete import incomplete
from metricloop.llm.journal import Event, Journal, Key
from metricloop.llm.message import Message
from metricloop.llm.prompt import render
from metricloop.metrics.contract import Spec
from metricloop.scoring.gate import BrokenRule, GateResult
from metricloop.scoring.gate_rules import Rule
from metricloop.scoring.metric_file import MetricFile
from metricloop.study.plan import Plan
from metricloop.study.screens import first_trials
from metricloop.text import numbers
from metricloop.text.clean import clean

MOST_SAID = 600  # characters of what a rule found


@dataclass
class Round:
    """One round of one study.

    known: what ideas are compared with; grows with every accepted idea. check_code: runs the code of a metric, whose
    name is its second argument, against the gate. frames: the images that code is tried on. say: shows the person a
    line.
    """

    number: int
    study: StudyView
    conversation: Conversation
    known: KnownIdeas
    check_code: Callable[[MetricFile, str], GateResult]
    frames: Sequence[Frame] = ()
    say: Callable[[str], None] = print

    @property
    def journal(self) -> Journal:
        return self.conversation.journal

    @property
    def repairs(self) -> int:
        """How often an idea may be repaired."""
        return self.study.params.llm.repairs

    def report(self, text: str) -> None:
        who = f", engineer {self.journal.engineer}" if self.journal.engineer else ""
        self.say(f"round {self.number}{who}: {text}")

    def metric_text(self, idea: Suggestion, attempt: int) -> str:
        """The file of an idea's metric after so many repairs; "" when the idea has no code of its own."""
        return metric_text(idea, attempt, self.study.params.study.name, self.number, self.journal)

    def about(self, suggestion: str, attempt: int | None = None) -> dict[str, Any]:
        """The fields of an event that say which idea, and which attempt at it, the event is about."""
        return {"round": self.number, "suggestion": suggestion} | ({} if attempt is None else {"attempt": attempt})


def open_round(number: int, study: StudyView, conversation: Conversation, unsafe: bool = False) -> Round:
    """A round that is ready to run. unsafe: code is executed in this process, and the gate does not check it."""
    known = known_ideas(study, number)
    gate = open_gate(number, study, known)
    check_code = load_without_sandbox if unsafe else gate.check
    return Round(number, study, conversation, known, check_code, gate.frames)


def run_round(this: Round, *others: Conversation) -> tuple[Plan, SpentError | None]:
    """Run a round to its end. Returns what to add to rounds.yaml, and the limit that stopped repairs, if one did.

    others: of further engineers. All propose before any idea is checked, so they are independent; then their ideas are
    pooled, and the rules refuse copies. Errors: SpentError when even the first proposal costs more than is left;
    ClientError when the model cannot be reached; NotRecordedError when a replay has no first proposal.
    """
    addition: Plan = {"batches": {}, "arms": {}, "blocks": {}}
    limit, pool = None, [(this, idea) for idea in propose(this)]
    for other in others:
        that = replace(this, conversation=other)
        try:
            pool += [(that, idea) for idea in propose(that)]
        except SpentError as error:
            limit = error
            that.report("waits for its proposal")
        except NotRecordedError as error:
            that.report(f"left out: {error}")
    for this, idea in pool:
        try:
            passed = gate_and_repair(this, idea)
        except SpentError as error:
            limit = error
            this.report(f"{idea.name} waits for its repair")
            continue
        if passed:
            idea, spec = passed
            accept(this, idea, spec, addition)
            variants = accept_variants(this, idea, spec, addition)
            plan_trials(this, [idea.name, *variants], addition)
    return addition, limit


def propose(this: Round) -> list[Suggestion]:
    """The ideas of a round; an empty list when no answer could be read, after as many tries as for a repair."""
    taken = this.journal.last("proposed", round=this.number)
    if taken:  # the choice stands, even if llm.repairs has changed since
        return _take_proposal(this, Key(this.number, "propose", "", taken["attempt"]))

    def fault_in(answer: str, last: bool) -> str:
        ideas, faults = _read_proposal(this, answer)
        if ideas and (not faults or last):
            return ""
        return "; ".join(f"{name}: {fault}" if name else fault for name, fault in faults)

    study = before_round(this.study, this.number)
    *before, last = explore(study, this.number, this.conversation, this.report)
    key = ask_until_usable(
        this.conversation, this.number, "propose", [*before, proposal(study, last)],
        proposal_schema(policy_schema()),
        fault_in, this.repairs + 1, lambda fault: this.report(f"the proposal cannot be used ({fault[:200]})"),
    )  # fmt: skip
    return _take_proposal(this, key) if key else []


def _take_proposal(this: Round, key: Key) -> list[Suggestion]:
    """Use this answer: the ideas that can be read are proposed, the others are refused."""
    answered = this.journal.last("answered", key)
    assert answered is not None
    ideas, faults = _read_proposal(this, answered["text"])
    for idea in ideas:
        this.journal.once("proposed", this.about(idea.name), attempt=key.attempt, idea=idea.model_dump())
    for name, fault in faults:
        if name:
            _refuse(this, name, "unusable", fault)
    return ideas


def _read_proposal(this: Round, answer: str) -> tuple[list[Suggestion], list[tuple[str, str]]]:
    """The ideas that this study can use, and the faults: (suggestion or "" for all, what is wrong)."""
    ideas, faults = read_proposal(answer, this.study.params.llm.suggestions)
    ideas = _renamed(this, ideas)
    new = [idea for idea in ideas if idea.name not in this.known.arms]
    faults += [(idea.name, "an arm has this name already") for idea in ideas if idea.name in this.known.arms]
    if familiar := this.known.too_familiar(new):
        untried = this.known.untried
        need = must_open(len(new), len(untried))
        opened = f"{need} of {numbers.count(len(new), 'idea')} must each open a family that no idea is of yet"
        fault = f"its family, {{}}, was tried or is named twice, and {opened}: {', '.join(untried)}"
        faults += [(idea.name, fault.format(idea.family)) for idea in familiar]
    return [idea for idea in new if idea not in familiar], faults


def _renamed(this: Round, ideas: Sequence[Suggestion]) -> list[Suggestion]:
    """The ideas, under other names where an engineer before this one has proposed theirs in this round."""
    own = this.journal.engineer or 1
    before = {
        event["suggestion"]
        for event in this.journal.events
        if event["event"] == "proposed" and event["round"] == this.number and event.get("engineer", own) < own
    }
    taken, found = before | {idea.name for idea in ideas}, []
    for idea in ideas:
        name = idea.name
        if name in before:
            endings = (f"_e{own}", *(f"_e{own}_{number}" for number in range(2, len(taken) + 3)))
            name = next(new for new in (f"{name[:34]}{ending}" for ending in endings) if new not in taken)
            taken.add(name)
        found.append(idea.model_copy(update={"name": name}))
    return found


def gate_and_repair(this: Round, idea: Suggestion) -> tuple[Suggestion, Spec] | None:
    """Gate and repair an idea until it passes. Returns it with the declaration of its metric, or None if it is refused.

    Errors: SpentError when a repair costs more than is left: the idea waits until the limit is raised. ClientError.
    """
    attempt, last_fault = 0, ""
    while True:
        idea, spec, broken = _gate(this, idea, attempt)
        if spec and not broken:
            _report_passed(this, idea, attempt)
            return idea, spec
        fault = "; ".join(f"{rule.rule}: {rule.said}" for rule in broken)
        if broken[0].rule != Rule.ANSWER:
            last_fault = fault
        elif last_fault:
            fault = f"{fault}; it stands as it was: {last_fault}"
        if any(rule.rule == Rule.REPEAT for rule in broken):
            _refuse(this, idea.name, "repeat", fault)
            return None
        attempt += 1
        paid = this.journal.last("answered", Key(this.number, "repair", idea.name, attempt))
        if attempt > this.repairs and paid is None:  # an answer that was paid for is used
            _refuse(this, idea.name, "gate", fault)
            return None
        this.report(f"{idea.name} broke {fault}")
        try:
            idea = _repair(this, idea, attempt, broken)
        except NotRecordedError as error:
            _refuse(this, idea.name, "gate", f"{fault}; not repaired: {error}")
            return None


def _gate(this: Round, idea: Suggestion, attempt: int) -> tuple[Suggestion, Spec | None, list[BrokenRule]]:
    """The idea at this attempt, the declaration of its metric, and the rules that it breaks.

    They are read from the journal, or the idea's code is run now.
    """
    event = this.journal.last("gate", **this.about(idea.name, attempt)) or _check_and_journal(this, idea, attempt)
    spec = event["spec"] and Spec(**(event["spec"] | {"needs": tuple(event["spec"]["needs"])}))
    return Suggestion.model_validate(event["idea"]), spec, [BrokenRule(**fields) for fields in event["broken"]]


def _check_and_journal(this: Round, idea: Suggestion, attempt: int) -> Event:
    """Check the idea against every rule, and journal the result."""
    began = time.monotonic()
    source = MetricFile(this.metric_text(idea, attempt), f"{layout.GENERATED}/{this.number}/{idea.metric}.py")
    result = check_idea(idea, this.known, lambda: this.check_code(source, idea.metric))
    return this.journal.add(
        "gate", **this.about(idea.name, attempt), idea=idea.model_dump(),
        broken=[asdict(rule) | {"said": clean(rule.said, MOST_SAID)} for rule in result.broken],
        spec=asdict(result.spec) if result.spec else None, seconds=round(time.monotonic() - began, 3),
    )  # fmt: skip


def _repair(this: Round, idea: Suggestion, attempt: int, broken: Sequence[BrokenRule]) -> Suggestion:
    """Ask the model to repair an idea. If the answer cannot be read, the idea stays as it was and breaks ANSWER."""
    key = Key(this.number, "repair", idea.name, attempt)
    context = {
        "name": idea.name,
        "broken": [{"rule": rule.rule, "said": rule.said} for rule in broken],
        "attempt": str(attempt),
        "attempts": str(max(this.repairs, attempt)),
        "code": this.metric_text(idea, attempt - 1),
        "frames": shapes(this.frames),
    }
    question = [Message("user", render("repair", context))]
    answer = this.conversation.ask(key, question, suggestion_schema(policy_schema()))
    try:
        return read_repair(answer, idea)
    except ValueError as error:
        fault = incomplete(this.journal, key) or str(error)
    this.journal.once("unusable", asdict(key), said=fault)
    this.journal.once(
        "gate", this.about(idea.name, attempt), idea=idea.model_dump(), spec=None, seconds=0.0,
        broken=[asdict(BrokenRule(Rule.ANSWER, fault))],
    )  # fmt: skip
    return idea


def _refuse(this: Round, name: str, kind: str, reason: str) -> None:
    """Journal that an idea is refused for good, and say so the first time. kind: gate, repeat or unusable."""
    if this.journal.last("refused", **this.about(name)) is None:
        this.report(f"{name}: refused: {reason}")
    this.journal.once("refused", this.about(name), kind=kind, reason=reason)


def _report_passed(this: Round, idea: Suggestion, repairs: int) -> None:
    ran = f"passed the gate after {numbers.count(repairs, 'repair')}" if repairs else "passed the gate at once"
    origin = f"{idea.family}, builds on {idea.parent}" if idea.parent else idea.family
    this.report(f"{idea.name} ({origin}): {ran}; {idea.metric}, {numbers.policy(dict(idea.policy))}")


def accept(this: Round, idea: Suggestion, spec: Spec, addition: Plan) -> None:
    """Add the idea's batch and arm to `addition`, write its metric to a file, and journal it.

    Errors: MetricError when a link would lead the file elsewhere.
    """
    known = this.known.metrics.get(idea.metric) if idea.code is None else None
    if known is None:
        predicted = "predictions" in spec.needs
        batch = f"round{this.number}-{'model' if predicted else 'pool'}"
        needs = layout.PREDICTIONS if predicted else layout.IMAGES
        empty: dict[str, Any] = {"code": f"{layout.GENERATED}/{this.number}", "needs": needs, "metrics": []}
        addition["batches"].setdefault(batch, empty)["metrics"].append(idea.metric)
        known = KnownMetric(spec.level, layout.scores_file(batch, idea.metric))
    arm = idea.arm(known.scores, this.known.metrics[idea.partner].scores if idea.partner else None)
    addition["arms"][idea.name] = arm | {"group": f"{ROUND}{this.number}"}
    this.known.add(idea, known, arm)
    checked = this.journal.last("gate", **this.about(idea.name))
    attempt = checked["attempt"] if checked else 0
    file, sha256 = write_metric(this.study.folder, this.number, idea.metric, this.metric_text(idea, attempt))
    this.journal.once(
        "accepted", this.about(idea.name), attempt=attempt, metric=idea.metric, arm=dict(arm), file=file, sha256=sha256
    )


def accept_variants(this: Round, idea: Suggestion, spec: Spec, addition: Plan) -> list[str]:
    """Add the arms of the idea's further variants; return their names. A variant that breaks a rule is not repaired.

    In the journal a variant is an idea of its own, with `variant_of`.
    """
    names, proposed = [], this.journal.last("proposed", **this.about(idea.name))
    assert proposed is not None
    for place, variant in enumerate(idea.as_variants(), start=2):
        about = this.about(variant.name)
        if _is_another(this, variant.name, idea):
            this.report(f"{variant.name}: this variant of {idea.name} is left out, since another idea has its name")
            continue
        self_made = variant.model_dump() | {"variant_of": idea.name}
        this.journal.once("proposed", about, attempt=proposed["attempt"], idea=self_made)
        if place > this.study.params.llm.variants:
            fault = f"one variant too many: {this.study.params.llm.variants} of an idea are allowed, itself included"
            _refuse(this, variant.name, "unusable", fault)
            continue
        _, _, broken = _gate(this, variant, 0)
        if broken:
            _refuse(this, variant.name, "gate", "; ".join(f"{rule.rule}: {rule.said}" for rule in broken))
            continue
        accept(this, variant, spec, addition)
        addition["arms"][variant.name]["variant_of"] = idea.name
        this.report(f"{variant.name}: a variant of {idea.name}; {numbers.policy(dict(variant.policy))}")
        names.append(variant.name)
    return names


def _is_another(this: Round, name: str, idea: Suggestion) -> bool:
    """Whether a name of this round is that of another idea, or of a variant of another one."""
    proposed = (e for e in this.journal.events if e["event"] == "proposed" and e["round"] == this.number)
    return any(e["suggestion"] == name and e["idea"].get("variant_of") != idea.name for e in proposed)


def plan_trials(this: Round, names: Sequence[str], addition: Plan) -> None:
    """Add the first trials of an idea's arms: short ones when it has variants, which decide between them."""
    for name in names:
        trials = first_trials(name, this.study.plan, this.study.params, variant=len(names) > 1)
        for section, entries in trials.items():
            addition.setdefault(section, {}).update(entries)
