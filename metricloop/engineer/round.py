"""A round of the language model: propose -> gate -> repair -> accept.

The model proposes ideas. Each idea goes through the gate. What the gate finds goes back to the model, which repairs
the idea, at most `llm.repairs` times. An idea that passes becomes a file of code, an arm and its first trials.

Every step is written to the journal. A round that was killed goes on from the journal: no question is asked and no
code is run a second time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace

from metricloop.engineer.accept import accept, plan_trials
from metricloop.engineer.controls import add_control
from metricloop.engineer.generated_file import generated_name
from metricloop.engineer.open_round import Round, refuse
from metricloop.engineer.policy_menu import policy_schema
from metricloop.engineer.prompt_text import shapes
from metricloop.engineer.propose import propose
from metricloop.engineer.rules import MOST_SAID, IdeaCheck, check_idea
from metricloop.engineer.suggestion import Suggestion, read_repair, suggestion_schema
from metricloop.llm.budget import SpentError
from metricloop.llm.cassette import NotRecordedError
from metricloop.llm.conversation import Conversation
from metricloop.llm.incomplete import incomplete
from metricloop.llm.journal import Event, Key
from metricloop.llm.message import Message
from metricloop.llm.prompt import render
from metricloop.metrics.contract import Spec
from metricloop.metrics.repair_contract import RepairSpec
from metricloop.scoring.gate_checks import BrokenRule
from metricloop.scoring.gate_rules import Rule
from metricloop.scoring.metric_file import MetricFile
from metricloop.study.plan import Plan
from metricloop.text import numbers
from metricloop.text.clean import clean


def run_round(this: Round, *others: Conversation) -> tuple[Plan, SpentError | None]:
    """Run a round to its end. Returns what to add to rounds.yaml, and the limit that stopped repairs, if one did.

    others: the conversations of further engineers. All propose before any idea is checked, so they are independent;
    then their ideas are pooled, and the rules refuse copies. Errors: SpentError when even the first proposal costs more
    than is left; ClientError when the model cannot be reached; NotRecordedError when a replay has no first proposal.
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
            idea, check = passed
            accept(this, idea, check.spec, check.repair, addition)
            variants = accept_variants(this, idea, addition)
            plan_trials(this, [idea.name, *variants], addition)
            add_control(this, idea, len(variants), addition)
    return addition, limit


def gate_and_repair(this: Round, idea: Suggestion) -> tuple[Suggestion, IdeaCheck] | None:
    """Gate and repair an idea until it passes. Returns it with what its code declares, or None if it is refused.

    Errors: SpentError when a repair costs more than is left: the idea waits until the limit is raised. ClientError.
    """
    attempt, last_fault = 0, ""
    while True:
        idea, check = _gate(this, idea, attempt)
        broken = check.broken
        if not broken:
            _report_passed(this, idea, attempt)
            return idea, check
        fault = "; ".join(f"{rule.rule}: {rule.said}" for rule in broken)
        if broken[0].rule != Rule.ANSWER:
            last_fault = fault
        elif last_fault:
            fault = f"{fault}; it stands as it was: {last_fault}"
        if any(rule.rule == Rule.REPEAT for rule in broken):
            refuse(this, idea.name, "repeat", fault)
            return None
        attempt += 1
        paid = this.journal.last("answered", Key(this.number, "repair", idea.name, attempt))
        if attempt > this.repairs and paid is None:  # an answer that was paid for is used
            refuse(this, idea.name, "gate", fault)
            return None
        this.report(f"{idea.name} broke {fault}")
        try:
            idea = _repair(this, idea, attempt, broken)
        except NotRecordedError as error:
            refuse(this, idea.name, "gate", f"{fault}; not repaired: {error}")
            return None


def _gate(this: Round, idea: Suggestion, attempt: int) -> tuple[Suggestion, IdeaCheck]:
    """The idea at this attempt, what its code declares, and the rules that it breaks.

    They are read from the journal, or the idea's code is run now.
    """
    event = this.journal.last("gate", **this.about(idea.name, attempt)) or _check_and_journal(this, idea, attempt)
    spec, repair = event["spec"], event.get("repair_spec")
    return Suggestion.model_validate(event["idea"]), IdeaCheck(
        Spec(**(spec | {"needs": tuple(spec["needs"])})) if spec else None,
        RepairSpec(repair["name"], tuple(repair["needs"])) if repair else None,
        tuple(BrokenRule(**fields) for fields in event["broken"]),
    )


def _check_and_journal(this: Round, idea: Suggestion, attempt: int) -> Event:
    """Check the idea against every rule, and journal the result."""
    began = time.monotonic()
    metric, repair = idea.metric or "", idea.repair or ""
    code = MetricFile(this.metric_text(idea, attempt), generated_name(this.number, metric))
    repair_code = MetricFile(this.repair_text(idea, attempt), generated_name(this.number, repair))
    result = check_idea(
        idea, this.known, lambda: this.check_code(code, metric), lambda: this.check_repair(repair_code, repair)
    )
    return this.journal.add(
        "gate", **this.about(idea.name, attempt), idea=idea.model_dump(),
        broken=[asdict(rule) | {"said": clean(rule.said, MOST_SAID)} for rule in result.broken],
        spec=asdict(result.spec) if result.spec else None,
        **({"repair_spec": asdict(result.repair)} if result.repair else {}),
        seconds=round(time.monotonic() - began, 3),
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
        "repair_code": this.repair_text(idea, attempt - 1),
        "frames": shapes(this.frames),
    }
    question = [Message("user", render("repair", context))]
    answer = this.conversation.ask(key, question, suggestion_schema(policy_schema(this.known.offered)))
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


def _report_passed(this: Round, idea: Suggestion, repairs: int) -> None:
    ran = f"passed the gate after {numbers.count(repairs, 'repair')}" if repairs else "passed the gate at once"
    origin = f"{idea.family}, builds on {idea.parent}" if idea.parent else idea.family
    what = f"{idea.metric}, " if idea.metric else ""
    this.report(f"{idea.name} ({origin}): {ran}; {what}{numbers.policy(dict(idea.policy))}")


def accept_variants(this: Round, idea: Suggestion, addition: Plan) -> list[str]:
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
            refuse(this, variant.name, "unusable", fault)
            continue
        _, check = _gate(this, variant, 0)
        if check.broken:
            refuse(this, variant.name, "gate", "; ".join(f"{rule.rule}: {rule.said}" for rule in check.broken))
            continue
        accept(this, variant, check.spec, check.repair, addition)
        addition["arms"][variant.name]["variant_of"] = idea.name
        this.report(f"{variant.name}: a variant of {idea.name}; {numbers.policy(dict(variant.policy))}")
        names.append(variant.name)
    return names


def _is_another(this: Round, name: str, idea: Suggestion) -> bool:
    """Whether a name of this round is that of another idea, or of a variant of another one."""
    proposed = (e for e in this.journal.events if e["event"] == "proposed" and e["round"] == this.number)
    return any(e["suggestion"] == name and e["idea"].get("variant_of") != idea.name for e in proposed)
