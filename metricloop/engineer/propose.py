"""The proposal of a round: the model proposes ideas, and those that the study can use are taken."""

from __future__ import annotations

from collections.abc import Sequence

from metricloop.engineer.ask import ask_until_usable
from metricloop.engineer.briefing import proposal
from metricloop.engineer.explore import explore
from metricloop.engineer.known_ideas import must_open
from metricloop.engineer.open_round import Round, refuse
from metricloop.engineer.policy_menu import policy_schema
from metricloop.engineer.study_view import before_round
from metricloop.engineer.suggestion import Suggestion, proposal_schema, read_proposal
from metricloop.llm.journal import Key
from metricloop.text import numbers


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
        proposal_schema(policy_schema(this.known.offered)),
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
            refuse(this, name, "unusable", fault)
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
    """The ideas. One whose name an earlier engineer of this round has used gets another name."""
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
