"""Suggestions become arms; what cannot be tried is refused with the reason, and nothing of it is executed here."""

import numpy as np
import pytest
from pydantic import ValidationError

from detection.frame import Detections, Frame
from llm.replay import load_cassette
from llm.suggestion import Suggestion
from metrics.contract import MetricError, Spec
from sandbox.limits import Limits
from tasks.suggest import admit, admit_unread, arms_of_round

PLAN = {
    "batches": {"labels": {"code": "metrics/catalogue", "needs": "data/images.parquet", "metrics": ["object_count"]}},
    "arms": {"random": {}},
    "blocks": {},
}
CODE = """
from metrics.contract import metric

@metric(level="image", needs=("predictions",))
def found(frame):
    return len(frame.predictions.boxes)
"""


def suggestion(**changes) -> Suggestion:
    usual = {
        "name": "many_found",
        "hypothesis": "h",
        "targets": "mixed",
        "family": "count",
        "metric": "found",
        "code": CODE,
        "policy": {"name": "best", "direction": "higher"},
        "predicted_gain": 0.1,
    }
    return Suggestion.model_validate(usual | changes)


def spec(suggestion: Suggestion) -> Spec:
    needs = {"found": ("predictions",), "seen": ("image",)}
    if suggestion.metric not in needs:
        raise MetricError("found.py: ZeroDivisionError: division by zero (line 1: 1 / 0)")
    return Spec(suggestion.metric, "image", needs[suggestion.metric])


def test_each_suggestion_becomes_a_metric_of_a_batch_an_arm_and_a_block():
    seen = suggestion(name="many_seen", metric="seen")
    addition, entries = arms_of_round(2, [suggestion(), seen], PLAN, "0-2", spec)
    assert addition["batches"] == {
        "round2-model": {"code": "metrics/generated/2", "needs": "data/predictions.parquet", "metrics": ["found"]},
        "round2-pool": {"code": "metrics/generated/2", "needs": "data/images.parquet", "metrics": ["seen"]},
    }
    assert addition["arms"]["many_found"]["a"] == "scores/round2-model/found.parquet"
    assert addition["blocks"]["many_seen.0"] == {"arm": "many_seen", "seeds": "0-2"}
    assert [entry["event"] for entry in entries] == ["accepted", "accepted"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"metric": "object_count"}, "a metric is called 'object_count' already"),
        ({"metric": "label_agreement"}, "a metric is called 'label_agreement' already"),  # of the catalogue
        ({"name": "random"}, "an arm is called 'random' already"),
        ({"policy": {"name": "bset"}}, "best"),
        ({"metric": "broken"}, "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_tried_is_refused_and_kept_in_the_journal(changes, reason):
    addition, (entry,) = arms_of_round(1, [suggestion(**changes)], PLAN, "0-2", spec)
    assert addition == {"batches": {}, "arms": {}, "blocks": {}}
    assert entry["event"] == "refused"
    assert reason in entry["reason"]
    assert entry["suggestion"]["code"] == CODE


def test_two_suggestions_of_a_round_may_not_share_a_name():
    _, entries = arms_of_round(1, [suggestion(), suggestion()], PLAN, "0-2", spec)
    assert [entry["event"] for entry in entries] == ["accepted", "refused"]


@pytest.mark.parametrize("name", ["../up", "A", "a b", "a/b", "", "x" * 80])
def test_a_metrics_name_is_a_plain_word_for_it_names_files(name):
    with pytest.raises(ValidationError):
        suggestion(metric=name)


def test_code_is_written_to_its_round_and_declares_its_metric_within_the_walls(tmp_path, monkeypatch, walls):
    monkeypatch.chdir(tmp_path)
    assert admit(suggestion(), 3, Limits()).needs == ("predictions",)
    assert (tmp_path / "metrics/generated/3/found.py").read_text() == CODE


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", r"metrics/generated/3/found\.py: ZeroDivisionError: division by zero \(line 1: 1 / 0\)"),
        ("def found(:", r"SyntaxError.*line 1"),
        ("x = 1", r"loads: declares no metric 'found', but none"),
        ("import socket\nsocket.socket()", "PermissionError.*the sandbox forbids it.*line 2"),
    ],
)
def test_code_that_does_not_load_says_why_and_leaves_no_file(tmp_path, monkeypatch, walls, code, reason):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MetricError, match=reason):
        admit(suggestion(code=code), 3, Limits())
    assert not (tmp_path / "metrics/generated/3/found.py").exists()


def test_code_that_breaks_a_rule_of_the_gate_is_refused_with_the_rule(tmp_path, monkeypatch, walls):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MetricError, match=r"^varies: says 0 for everything$"):
        admit(suggestion(code=CODE.replace("len(frame.predictions.boxes)", "0")), 3, Limits(), drawn(8))
    assert not (tmp_path / "metrics").exists()


def test_unsafe_executes_here_what_it_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert admit_unread(suggestion(), 3).name == "found"


def drawn(count: int) -> list[Frame]:
    """Scenes with their boxes, and half of those as predictions."""
    rng, frames = np.random.default_rng(0), []
    for k in range(count):
        image = np.full((120, 160, 3), 90, np.uint8) + rng.integers(0, 60, (120, 160, 3), np.uint8)
        n = 1 + k % 3
        corner = rng.uniform(5, 60, (n, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(15, 50, (n, 2))], axis=1).astype(np.float32)
        for x1, y1, x2, y2 in boxes.astype(int):
            image[y1:y2, x1:x2] = rng.integers(0, 255, 3)
        found = Detections(
            boxes[::2] + 2, rng.uniform(0.3, 1, len(boxes[::2])).astype(np.float32), np.zeros(len(boxes[::2]), int)
        )
        frames.append(Frame(k, 160, 120, boxes, np.zeros(n, np.int64), image=image, predictions=found))
    return frames


def test_the_demos_recorded_code_passes_the_gate(tmp_path, monkeypatch, walls):
    monkeypatch.chdir(tmp_path)
    frames = drawn(12)
    for number, ideas in enumerate(load_cassette("demo").rounds, start=1):
        for idea in ideas:
            assert admit(idea, number, Limits(), frames).name == idea.metric
