"""Endpoint: POST /predict gives the labels of predict.py, in the right types, and refuses bad input with a 4xx.

The requests run in the same process as the application, so its code could write the answers itself. They are worth
something because we alone know which labels are right: texts and pictures are made up anew for every check, and the
labels come from another run, of predict.py.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metricloop.takehome import inside
from metricloop.takehome.bench import Bench, Ran
from metricloop.takehome.contract import APP, PREDICT
from metricloop.takehome.predicting import predict_pictures, predict_texts
from metricloop.takehome.result import Result, failed, judged
from metricloop.takehome.truth import altered_pictures
from metricloop.text.clean import clean

PROGRAM, REQUESTS, REPORT = "metricloop_ask.py", "metricloop_requests.json", "metricloop_report.json"
CODE = Path(inside.__file__).parent / "ask_endpoint.py"
KNOWN, MADE_UP = 8, 6  # items of the assignment, and new ones
JSON = "application/json"
BAD = (  # body, content type, and what it is, for the model
    ("{}", JSON, "an empty object"),
    ('{"%s": null}', JSON, "null"),
    ('{"%s": 5}', JSON, "a number"),
    ('{"%s": ["a"]}', JSON, "a list"),
    ('{"%s": "a"', JSON, "broken JSON"),
    ("[]", JSON, "a list instead of an object"),
    ("", JSON, "an empty body"),
)
BAD_PICTURES = (
    ('{"image": "***"}', JSON, "text that is not base64"),
    ('{"image": "aGVsbG8="}', JSON, "base64 of something that is not a picture"),
)


def check(bench: Bench) -> Result:
    if APP not in bench.files:
        return failed(f"there is no {APP}")
    if bench.model is None or PREDICT not in bench.files:
        return failed("there is no trained model or no predict.py to compare the endpoint with")
    image = bench.assignment.front.kind == "image"
    field = "image" if image else "text"
    bodies, labels, fault = _good_pictures(bench) if image else _good_texts(bench)
    if fault:
        return failed(f"predict.py gave no labels to compare the endpoint with: {fault}")
    bad = [(body.replace("%s", field), kind, said) for body, kind, said in BAD + (BAD_PICTURES if image else ())]
    wanted = [({"body": body, "type": JSON}, label) for body, label in zip(bodies, labels, strict=True)]
    wanted += [({"body": body, "type": kind}, said) for body, kind, said in bad]
    order = random.SystemRandom().sample(range(len(wanted)), len(wanted))
    ran = bench.run(
        [PROGRAM, REQUESTS, REPORT],
        {PROGRAM: CODE.read_text(), REQUESTS: json.dumps([wanted[place][0] for place in order])},
    )
    if ran.fault:
        return failed(f"the test client of {APP}: {ran.fault}")
    answers = _report(ran, len(wanted))
    if answers is None:
        return failed("the program with the test client ended without its report")
    by_place = dict(zip(order, answers, strict=True))
    good = len(bodies)
    faults = [_fault_of_good(by_place[n], wanted[n][1], bench.assignment.front.labels) for n in range(good)]
    faults += [_fault_of_bad(by_place[n], wanted[n][1]) for n in range(good, len(wanted))]
    return judged(list(dict.fromkeys(filter(None, faults))), requests=len(wanted))


def _good_texts(bench: Bench) -> tuple[list[str], list[str], str]:
    """Bodies with texts, and the labels that predict.py gives them."""
    chance = random.SystemRandom()
    rows = [text for text, _ in bench.assignment.train]
    words = sorted({word for text in rows for word in text.split()})
    texts = [chance.choice(rows) for _ in range(KNOWN)]
    for _ in range(MADE_UP):
        new = "".join(chance.choices(string.ascii_lowercase, k=9))
        texts.append(" ".join([*chance.choices(words, k=8), new]))
    items = {f"item-{number}": text for number, text in enumerate(texts)}
    found = predict_texts(bench, items)
    return (
        [json.dumps({"text": text}) for text in texts],
        [found.labels.get(i, "") for i in items],
        "; ".join(found.faults),
    )


def _good_pictures(bench: Bench) -> tuple[list[str], list[str], str]:
    pictures = altered_pictures(bench.assignment, KNOWN + MADE_UP)
    items = {f"item-{number}.png": content for number, content in enumerate(pictures)}
    found = predict_pictures(bench, items)
    bodies = [json.dumps({"image": base64.b64encode(content).decode()}) for content in pictures]
    return bodies, [found.labels.get(item, "") for item in items], "; ".join(found.faults)


def _report(ran: Ran, count: int) -> list[dict[str, Any]] | None:
    """The answers in the report; None when it has not the form that our program gives it."""
    try:
        answers = json.loads(ran.text(REPORT) or "")
    except (ValueError, RecursionError):
        return None
    sound = isinstance(answers, list) and len(answers) == count
    if not sound or not all(isinstance(one, dict) and isinstance(one.get("status"), int) for one in answers):
        return None
    return [one | {"body": str(one.get("body", "")), "error": str(one.get("error", ""))} for one in answers]


def _fault_of_good(answer: dict[str, Any], label: str, labels: Sequence[str]) -> str:
    """What is wrong with the answer to a good request; its body is not told, since it is made up by chance."""
    if answer["status"] != 200:
        return f"a good request got status {answer['status']}{_why(answer)}"
    try:
        said = json.loads(answer["body"])
    except (ValueError, RecursionError):
        return "the answer to a good request is not JSON"
    if not isinstance(said, dict) or not {"label", "score"} <= set(said):
        return "the answer to a good request is no object with label and score"
    score = said["score"]
    if said["label"] not in labels:
        return f"a label that does not exist: {clean(repr(said['label']), 40)}"
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        return "score is not a number from 0 to 1"
    return "" if said["label"] == label else "the endpoint gives another label than predict.py for the same item"


def _fault_of_bad(answer: dict[str, Any], said: str) -> str:
    status = answer["status"]
    return "" if 400 <= status < 500 else f"bad input ({said}) got status {status}, not a 4xx{_why(answer)}"


def _why(answer: dict[str, Any]) -> str:
    return f"\n{answer['error'][-1200:]}" if answer["error"] else ""
