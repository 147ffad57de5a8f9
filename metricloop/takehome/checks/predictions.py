"""Predictions: every unseen item is found in the saved pages and gets one known label."""

from __future__ import annotations

from collections.abc import Mapping

from metricloop.takehome.bench import Bench
from metricloop.takehome.contract import EXTRACT, PREDICT
from metricloop.takehome.predicting import Predicted, extract, predict_pictures, predict_texts, set_faults
from metricloop.takehome.result import Result, failed, judged
from metricloop.text.clean import clean


def check(bench: Bench) -> Result:
    needed = [PREDICT, *([EXTRACT] if bench.assignment.front.kind == "text" else [])]
    if lacks := [name for name in needed if name not in bench.files]:
        return failed(f"there is no {' and no '.join(lacks)}")
    if bench.model is None:
        return failed("there is no trained model, so nothing was predicted")
    predicted, faults = unseen_labels(bench)
    return judged(faults, items=len(predicted.labels))


def unseen_labels(bench: Bench) -> tuple[Predicted, list[str]]:
    """The labels of the unseen items, and everything that is wrong with them; found out once for a bench."""
    if "unseen" not in bench.found:
        bench.found["unseen"] = _unseen_labels(bench)
    return bench.found["unseen"]


def _unseen_labels(bench: Bench) -> tuple[Predicted, list[str]]:
    if bench.assignment.front.kind == "image":
        predicted = predict_pictures(bench, bench.assignment.data / bench.assignment.front.unseen)
        return predicted, list(predicted.faults)
    texts, faults, found = extract(bench)
    wanted = [item for item, _ in bench.assignment.unseen] or list(texts)
    faults += set_faults("items in the pages", found, wanted) if not faults else []
    faults += text_faults(texts, bench.assignment.unseen_texts)
    if not texts:
        return Predicted({}), faults or ["extract.py found no item"]
    predicted = predict_texts(bench, texts)
    return predicted, faults + list(predicted.faults)


def text_faults(texts: Mapping[str, str], truth: Mapping[str, str]) -> list[str]:
    """Items whose text is another than on the page; blanks do not count. The right text is not told."""
    wrong = sorted(item for item in texts if item in truth and texts[item].split() != truth[item].split())
    if not wrong:
        return []
    shown = "; ".join(f"{item}: {clean(repr(texts[item]), 100)}" for item in wrong[:2])
    return [f"{len(wrong)} items have a text that is not theirs alone, such as {shown}"]
