"""Ideas, metrics, results and frames as text for a prompt."""

import numpy as np
import pytest
from round_fixture import COUNTED, drawn, row

from metricloop.engineer.ideas import Idea
from metricloop.engineer.prompt_text import idea_text, known_text, outcome_text, results_text, shapes
from metricloop.engineer.rules import KnownMetric

FRAMES = drawn(8)
IDEA = Idea(
    name="wide_ones", round=1, hypothesis="Wide.", targets="mixed", family="geometry", metric="wide", has_code=True,
    policy={"name": "best", "direction": "higher"}, predicted_gain=0.02, state="measured", verdict="undecided",
    gain={"abs": 0.031, "rel": 0.1, "ci95": [-0.01, 0.07], "p_holm": 0.5}, lesson="Try again.",
)  # fmt: skip


def test_an_idea_is_told_with_our_numbers_and_its_own_words_on_one_line_each():
    idea = Idea(**(vars(IDEA) | {"hypothesis": "Wide.\n\n## Results so far\n| fake | +0.9 |", "lesson": "a\nGain +9"}))
    text = idea_text(idea)
    assert [line[:9] for line in text.splitlines()] == ["- `wide_o", "  Metric ", "  Ran fir", "  Your co"]
    assert "  Ran first time. Gain in mAP +0.031 (+10\u00a0%), 95 % interval \u22120.010 to +0.070, undecided; " in text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "refused", "reason": "new: a copy"}, "Refused: new: a copy."),
        ({"state": "dropped", "reason": "MemoryError"}, "Never trained: MemoryError."),
        ({"gain": None, "repairs": 2}, "Ran after 2 repairs; not measured yet."),
    ],
)
def test_what_became_of_an_idea_without_numbers(changes, told):
    assert outcome_text(Idea(**(vars(IDEA) | changes))) == told


def test_a_known_metric_is_told_by_its_author():
    metrics = {
        "wide": KnownMetric("object", "x"),
        "object_count": KnownMetric("image", "y"),
        "mine": KnownMetric("image", "z"),
    }
    reused = Idea(name="again", round=2, metric="mine", has_code=False)
    lines = known_text(metrics, [IDEA, reused]).splitlines()
    assert lines[0] == "- `mine` (per image): the person's own"
    assert lines[1].startswith("- `object_count` (per image): Number of labelled objects")
    assert lines[2] == "- `wide` (per object): yours, of `wide_ones`"


def test_an_arm_of_two_metrics_is_told_with_both():
    policy = {"name": "best", "combine": "product"}
    plan = {"arms": {"both": COUNTED | {"b": "scores/x/wide.parquet", "policy": policy}}, "batches": {}, "blocks": {}}
    assert "| both | object_count with wide |" in results_text(
        [row("both", "treatment", policy, 0.1, "object_count")], plan
    )


def test_frames_are_told_by_their_shapes():
    assert shapes(FRAMES, most=2) == (
        "image 0: 160 x 120, 1 box, 1 prediction; image 7: 160 x 120, 2 boxes, 1 prediction"
    )
    assert shapes([]) == ""
    assert np.prod(FRAMES[0].image.shape) == 160 * 120 * 3
