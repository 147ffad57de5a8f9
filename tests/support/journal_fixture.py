"""An invented journal of a study with two rounds of a language model; no model wrote these answers.

Round 1: object_count ran the first time, tightness after one repair, edges never. Round 2: crowded builds on
object_count, copy_of_count is refused as a repeat, late is accepted and fails on the pool.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

CODE = "from metricloop.metrics.contract import metric\n\n\ndef {metric}(frame):\n    return float(len(frame.boxes))\n"
RECORDED = "2026-11-20"
REPLAYED = {"provider": "replay", "recorded": RECORDED, "cost": 0.0}

Events = list[dict[str, Any]]


def idea(name: str, family: str, predicted: float, *, parent: str | None = None, **rest: Any) -> dict[str, Any]:
    """The fields of a suggestion; its metric has the same name."""
    return {
        "name": name, "hypothesis": f"Images that {name} prefers have whole labels.", "targets": "missing",
        "family": family, "parent": parent, "metric": name, "partner": None, "code": CODE.format(metric=name),
        "policy": {"name": "best", "direction": "higher"}, "predicted_gain": predicted,
    } | rest  # fmt: skip


OBJECT_COUNT = idea("object_count", "counting", 0.03)
TIGHTNESS = idea("tightness", "geometry", 0.05, targets="badly_placed")
EDGES = idea("edges", "pixels", 0.02, targets="badly_placed")
CROWDED = idea("crowded", "counting", 0.04, parent="object_count")
COPY = idea("copy_of_count", "counting", 0.06, parent="object_count")
LATE = idea("late", "timing", 0.01, parent="nobody")


def asked(number: int, step: str, minute: int, *said: tuple[str, str], **key: Any) -> dict[str, Any]:
    messages = [{"role": role, "text": text, "pictures": []} for role, text in said]
    return event("asked", number, minute, step=step, **_about(key), template="4f1d02", messages=messages,
                 provider="record", model="gpt-5-mini", tokens=900)  # fmt: skip


def answered(number: int, step: str, minute: int, text: str, tokens: tuple[int, int], **key: Any) -> dict[str, Any]:
    """An answer that took 30 s and cost a millionth of a dollar per token."""
    rest = {"estimated": False, "cost": sum(tokens) / 1e6, "recorded": None, "provider": "record"}
    return event("answered", number, minute, step=step, text=text, model="gpt-5-mini", finish="stop", rung="schema",
                 prompt_tokens=tokens[0], completion_tokens=tokens[1], seconds=30.0, retries=0, refusal=None,
                 **(_about(key) | rest | {k: v for k, v in key.items() if k in rest}))  # fmt: skip


def event(name: str, number: int, minute: int, /, **fields: Any) -> dict[str, Any]:
    return {"event": name, "at": f"2026-11-22T1{number}:{minute:02d}:30.000+00:00", "round": number, **fields}


def _about(key: dict[str, Any]) -> dict[str, Any]:
    return {"suggestion": key.get("suggestion", ""), "attempt": key.get("attempt", 0)}


def gate(number: int, minute: int, proposed: dict, attempt: int = 0, *broken: tuple[str, str]) -> dict[str, Any]:
    found = [{"rule": rule, "said": said, "like": None} for rule, said in broken]
    spec = None if broken else {"name": proposed["metric"], "level": "image", "needs": []}
    return event("gate", number, minute, suggestion=proposed["name"], attempt=attempt, idea=proposed, broken=found,
                 spec=spec, seconds=0.4)  # fmt: skip


def accepted(number: int, minute: int, proposed: dict, attempt: int = 0) -> dict[str, Any]:
    file = f"metrics/generated/{number}/{proposed['metric']}.py"
    scores = f"scores/round{number}-pool/{proposed['metric']}.parquet"
    arm = {"role": "treatment", "metric": proposed["metric"], "a": scores, "b": scores, "policy": proposed["policy"]}
    return event("accepted", number, minute, suggestion=proposed["name"], attempt=attempt, metric=proposed["metric"],
                 file=file, sha256=hashlib.sha256(proposed["code"].encode()).hexdigest(), arm=arm)  # fmt: skip


def measured(number: int, name: str, gain: float, verdict: str, predicted: float) -> dict[str, Any]:
    change = {"abs": gain, "rel": gain / 0.231, "ci95": [gain - 0.03, gain + 0.03], "p_holm": 0.2}
    return event("measured", number, 40, suggestion=name, gain=change, gain_mAR=gain / 2, verdict=verdict, seeds=3,
                 mAP=0.231 + gain, predicted_gain=predicted, facts=f"{name} gained {gain}.")  # fmt: skip


def proposed(number: int, *found: dict[str, Any]) -> Events:
    return [event("proposed", number, 2, suggestion=one["name"], idea=one) for one in found]


def answer_of(*found: dict[str, Any]) -> str:
    return json.dumps({"suggestions": list(found)})


def repair(number: int, minute: int, name: str, attempt: int, rule: str, text: str) -> Events:
    """The events of one repair: the question with the broken rule, and the answer."""
    key = {"suggestion": name, "attempt": attempt}
    return [
        asked(number, "repair", minute, ("user", f"{name} broke {rule}."), **key),
        answered(number, "repair", minute + 1, text, (400, 200), **key),
    ]


def reflection(number: int, lessons: dict[str, str], recorded: str | None = None) -> Events:
    summary = f"Round {number} showed that whole labels matter."
    return [
        asked(number, "reflect", 50, ("user", "This is what was measured.")),
        answered(number, "reflect", 51, summary, (600, 100), **(REPLAYED if recorded else {})),
        event("reflected", number, 52, summary=summary, recorded=recorded,
              lessons=[{"suggestion": name, "lesson": text} for name, text in lessons.items()]),
    ]  # fmt: skip


def round_one() -> Events:
    system, card = ("system", "You are a data-centric engineer."), ("user", "600 images of pandas.")
    look = asked(1, "propose", 0, system, card)
    look["messages"][1]["pictures"] = [{"title": "24 images at random", "file": "pictures/1/ab.jpg", "sha256": "ab"}]
    return [
        look,
        answered(1, "propose", 1, answer_of(OBJECT_COUNT, TIGHTNESS, EDGES), (2000, 1000)),
        *proposed(1, OBJECT_COUNT, TIGHTNESS, EDGES),
        gate(1, 3, OBJECT_COUNT),
        accepted(1, 3, OBJECT_COUNT),
        gate(1, 4, TIGHTNESS, 0, ("no boxes", "IndexError: index 0 is out of bounds, line 5")),
        *repair(1, 5, "tightness", 1, "no boxes", json.dumps(TIGHTNESS)),
        gate(1, 7, TIGHTNESS, 1),
        accepted(1, 7, TIGHTNESS, 1),
        gate(1, 8, EDGES, 0, ("runs", "fails on 24 of 24 frames; image 3: NameError: cv is not defined")),
        *repair(1, 9, "edges", 1, "runs", "no JSON at all"),
        event("unusable", 1, 10, step="repair", suggestion="edges", attempt=1, said="no JSON in the answer"),
        asked(1, "repair", 11, ("user", "edges broke answer."), suggestion="edges", attempt=2),
        event("call_failed", 1, 12, step="repair", suggestion="edges", attempt=2, kind="timeout",
              said="no answer in 300 s"),
        asked(1, "repair", 13, ("user", "edges broke answer."), suggestion="edges", attempt=2),
        answered(1, "repair", 14, json.dumps(EDGES), (700, 200), suggestion="edges", attempt=2),
        gate(1, 15, EDGES, 2, ("varies", "every score is 0")),
        event("refused", 1, 15, suggestion="edges", kind="gate", reason="varies: every score is 0"),
        event("suggested", 1, 16, accepted=["object_count", "tightness"], refused=["edges"]),
        measured(1, "object_count", 0.07, "better", 0.03),
        measured(1, "tightness", 0.011, "undecided", 0.05),
        *reflection(1, {"object_count": "Counting finds what is missing.", "edges": "Check the import first."}),
    ]  # fmt: skip


def round_two() -> Events:
    return [
        asked(2, "propose", 0, ("system", "You are a data-centric engineer."), ("user", "Round 1 gave +0.070.")),
        answered(2, "propose", 1, answer_of(CROWDED, COPY, LATE), (3000, 1500), estimated=True),
        *proposed(2, CROWDED, COPY, LATE),
        gate(2, 3, CROWDED),
        accepted(2, 3, CROWDED),
        gate(2, 4, COPY, 0, ("repeat", "is object_count again: object_count with the same policy")),
        event("refused", 2, 4, suggestion="copy_of_count", kind="repeat",
              reason="repeat: is object_count again: object_count with the same policy"),
        gate(2, 5, LATE),
        accepted(2, 5, LATE),
        event("suggested", 2, 6, accepted=["crowded", "late"], refused=["copy_of_count"]),
        event("dropped", 2, 30, suggestion="late", reason="late fails on 12 of 400 images: ZeroDivisionError"),
        measured(2, "crowded", -0.02, "undecided", 0.04),
        *reflection(2, {"crowded": "Crowds are hard.", "copy_of_count": "Do not repeat."}, recorded=RECORDED),
    ]  # fmt: skip


def journal() -> Events:
    return [*round_one(), *round_two()]


def write_journal(folder: Path, events: Events | None = None) -> Path:
    """Write journal.jsonl and the generated files of the accepted ideas; returns `folder`."""
    events = journal() if events is None else events
    (folder / "journal.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
    code = {one["suggestion"]: one["idea"]["code"] for one in events if one["event"] == "gate"}
    for one in events:
        if one["event"] == "accepted":
            (folder / one["file"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / one["file"]).write_text(code[one["suggestion"]])
    return folder
