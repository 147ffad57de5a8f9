"""The MLflow runs of the language model, rebuilt from the journal: one for its scorecard, one for each round.

Replayed answers are shown like any others. Imports no mlflow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from metricloop import layout
from metricloop.comparison.comparison_file import read_comparison
from metricloop.engineer.idea_tree import tree_text
from metricloop.engineer.ideas import Event, Idea, compared, ideas
from metricloop.engineer.scorecard_table import escaped, markdown, read_card, table
from metricloop.llm.journal import read_journal
from metricloop.text import numbers
from metricloop.text.clean import clean, printable
from metricloop.tracking.assessments import assessed
from metricloop.tracking.language_model_calls import calls
from metricloop.tracking.records import ModelCall, RunRecord
from metricloop.tracking.times import during

AFTER_ARMS = 10_000  # rank of the scorecard's run, below every arm
SECOND = 1_000_000_000  # nanoseconds
MILLISECOND = 1_000_000
CARD = "scorecard.json"
NOTE = 5000  # most characters of the tree of ideas in a run's description; MLflow allows 8000 in all


def language_model_runs(folder: Path) -> list[tuple[RunRecord, list[RunRecord]]]:
    """The run of the scorecard, with the runs of the rounds as children; [] when the model has proposed nothing yet."""
    events = read_journal(folder / layout.JOURNAL)
    found = ideas(events)
    if not found:
        return []
    name, card = read_card(folder)
    there = (folder / layout.COMPARISON).is_file()
    now = compared(found, read_comparison(folder) if there else None)
    note = f"Its ideas, each under the one it builds on:\n\n{_fenced(tree_text(now))}\n\n{markdown({name: card})}"
    rows = table({name: card})
    counts = {"proposed": card.proposed, "prompt_tokens": card.prompt_tokens,
              "completion_tokens": card.completion_tokens, "seconds": card.seconds, "cost": card.cost}  # fmt: skip
    run = RunRecord(
        name="language model (scorecard)",
        params={"model": _line(card.models), "provider": _line(card.providers)},
        tags={"kind": "model", "mlflow.note.content": note,
              "mlflow.loggedArtifacts": json.dumps([{"path": CARD, "type": "table"}])},
        metrics={key: round(float(value), 6) for key, value in counts.items() if value is not None},
        texts={CARD: json.dumps({"columns": ["figure", name], "data": rows}, ensure_ascii=False)},
        rank=AFTER_ARMS,
    )  # fmt: skip
    rounds = round_runs(events, now)
    return [(during(run, rounds), rounds)]


def round_runs(events: Sequence[Event], now: Sequence[Idea] = ()) -> list[RunRecord]:
    """A run for every round in which the model was asked, with its calls. events: of the journal; now: ideas with their
    present gains, for the assessments of the calls.
    """
    numbers = sorted({event["round"] for event in events if event["event"] in ("asked", "proposed")})
    made = assessed(calls(events), now)
    return [_round_run(events, number, [call for call in made if call.key[0] == number]) for number in numbers]


def _round_run(events: Sequence[Event], number: int, made: Sequence[ModelCall]) -> RunRecord:
    own = [event for event in events if event["round"] == number]
    found = ideas(own)
    answered = [call for call in made if call.answer is not None]
    costs = [call.cost for call in answered]
    metrics = {
        "proposed": len(found),
        "accepted": sum(idea.ran for idea in found),
        "repaired": sum(idea.ran and not idea.first_time for idea in found),
        "refused": sum(idea.state == "refused" for idea in found),
        "prompt_tokens": sum(call.prompt_tokens for call in answered),
        "completion_tokens": sum(call.completion_tokens for call in answered),
        "seconds": sum(call.end - call.start for call in answered) / SECOND,
        **{
            name: count
            for name in ("cached_tokens", "reasoning_tokens")
            if (count := sum(getattr(c, name) for c in answered))
        },
        **({} if None in costs else {"cost": sum(cost for cost in costs if cost is not None)}),
    }
    params = {
        "model": _line(call.model for call in made),
        "provider": _line(call.provider for call in made),
        "recorded": _line(call.recorded for call in made),
        "template": _line(event["template"] for event in own if event["event"] == "asked"),
    }
    return RunRecord(
        name=f"round {number}",
        params={name: text for name, text in params.items() if text},
        tags={"kind": "round", "round": str(number), "mlflow.note.content": _fenced(tree_text(found))},
        metrics={name: round(float(value), 6) for name, value in metrics.items()},
        texts=_texts(own, found),
        calls=tuple(made),
        began=min((call.start for call in made), default=0) // MILLISECOND or None,
        ended=max((call.end for call in made), default=0) // MILLISECOND or None,
        rank=number,
    )


def _texts(own: Sequence[Event], found: Sequence[Idea]) -> dict[str, str]:
    """The files of a round's run: ideas and lessons as Markdown, the code of each idea, the results of the gate."""
    gates = [event for event in own if event["event"] == "gate"]
    forms = {event["suggestion"]: event["idea"] for event in own if event["event"] in ("proposed", "gate")}
    code = {
        f"code/{name}{ending}.py": printable(idea[key])
        for name, idea in forms.items()
        for key, ending in (("code", ""), ("repair_code", ".repair"))
        if idea.get(key)
    }
    fields = ("suggestion", "attempt", "broken", "spec", "repair_spec", "seconds")
    results = [{name: event.get(name) for name in fields if name != "repair_spec" or name in event} for event in gates]
    texts = {
        "proposal.md": "\n\n".join(_idea_text(idea) for idea in found),
        "gate.json": json.dumps(results, indent=1, ensure_ascii=False),
        **code,
    }
    for event in own:
        if event["event"] == "reflected" and event["summary"]:
            lessons = [f"- {entry['suggestion']}: {_prose(entry['lesson'])}" for entry in event["lessons"]]
            date = event.get("recorded")
            recorded = f"Recorded on {date}, with the numbers of that time.\n\n" if date else ""
            texts["reflection.md"] = f"{recorded}{_prose(event['summary'])}\n\n" + "\n".join(lessons) + "\n"
    return texts


def _idea_text(idea: Idea) -> str:
    about = [("family", idea.family), ("targets", idea.targets), ("builds on", idea.parent), ("metric", idea.metric),
             ("repair", idea.repair),
             ("policy", numbers.policy(idea.policy) if idea.policy else ""),
             ("predicted gain", numbers.signed(idea.predicted_gain))]  # fmt: skip
    lines = [f"## {_prose(idea.name)}", "", _prose(idea.hypothesis), ""]
    return "\n".join([*lines, *(f"- {name}: {_prose(str(text))}" for name, text in about if text)])


def _prose(words: str) -> str:
    return escaped(clean(words, 2000))


def _line(words: Iterable[str | None]) -> str:
    return clean(", ".join(dict.fromkeys(str(word) for word in words if word)))


def _fenced(text: str) -> str:
    """The model's text as a Markdown code block that it cannot close; only its last NOTE characters."""
    kept = text if len(text) <= NOTE else "...\n" + text[-NOTE:].partition("\n")[2]
    return "```\n" + kept.replace("`", "'") + "\n```"


def origins(events: Sequence[Event]) -> dict[str, int]:
    """Arm -> round in which the language model suggested it, for the arms that come from the model."""
    return {idea.name: idea.round for idea in ideas(events) if idea.ran}
