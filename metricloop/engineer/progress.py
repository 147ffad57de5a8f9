"""How far the rounds of a study have come, and the plan as it was before a round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metricloop import layout
from metricloop.data.tables import read_json
from metricloop.llm.journal import Event, Journal
from metricloop.study.plan import FILES, Plan, PlanError, load_plan


def next_round(events: Sequence[Event]) -> int:
    """The number of the round that is under way, or else of the next one."""
    return 1 + max((event["round"] for event in events if event["event"] == "suggested"), default=0)


def untried(events: Sequence[Event], folder: Path) -> list[str]:
    """Ideas of finished rounds that have no result yet. A new round should wait for them and learn from them."""
    dropped = {(event["round"], event["suggestion"]) for event in events if event["event"] == "dropped"}
    number = next_round(events)
    accepted = [(e["round"], e["suggestion"]) for e in events if e["event"] == "accepted" and e["round"] < number]
    comparison = read_json(folder / layout.COMPARISON)
    tried = {arm["name"] for arm in (*comparison["arms"], *comparison.get("screened", ()))}
    return [name for number, name in accepted if (number, name) not in dropped and name not in tried]


def plan_before(number: int, journal: Journal, folder: Path) -> Plan:
    """The plan without what round `number` added. It differs from the plan in the files only after a kill, when
    rounds.yaml was written and the end of the round was not yet in the journal.

    Errors: PlanError when rounds.yaml holds metrics of this round that the journal does not know.
    """
    plan = load_plan(folder)
    accepted = list(journal.about("accepted", round=number))
    own, known = {event["suggestion"] for event in accepted}, {event["metric"] for event in accepted}
    own |= {event["arm"] for event in journal.about("control", round=number)}
    known |= {event.get("repair") for event in accepted}
    batches, repairs = of_round(plan, number)
    if unknown := ({metric for name in batches for metric in plan["batches"][name]["metrics"]} | repairs) - known:
        raise PlanError(
            f"{FILES[1]} holds metrics or repairs of round {number} ({', '.join(sorted(unknown))}) that "
            f"{journal.path.name} does not know; restore the journal (git checkout {journal.path.name}), or remove "
            f"them from {FILES[1]}"
        )
    return {
        "batches": {name: item for name, item in plan["batches"].items() if name not in batches},
        "repairs": {name: item for name, item in plan["repairs"].items() if name not in repairs},
        "arms": {name: arm for name, arm in plan["arms"].items() if name not in own},
        "screens": {name: screen for name, screen in plan["screens"].items() if screen["arm"] not in own},
        "blocks": {name: block for name, block in plan["blocks"].items() if block["arm"] not in own},
    }


def of_round(plan: Plan, number: int) -> tuple[set[str], set[str]]:
    """The names of the batches and of the repairs whose code round `number` wrote."""
    folder = f"{layout.GENERATED}/{number}"
    batches = {name for name, item in plan["batches"].items() if item["code"] == folder}
    return batches, {name for name, item in plan["repairs"].items() if str(item["code"]).startswith(f"{folder}/")}
