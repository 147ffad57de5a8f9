"""Ideas, metrics, results and frames as text for a prompt."""

import numpy as np
import pytest
from round_fixture import COUNTED, RANDOM, drawn, row

from metricloop.engineer.ideas import Idea
from metricloop.engineer.known_ideas import KnownMetric
from metricloop.engineer.prompt_text import best_text, idea_text, known_text, outcome_text, results_text, shapes

FRAMES = drawn(8)
IDEA = Idea(
    name="wide_ones", round=1, hypothesis="Wide.", targets="mixed", family="geometry", metric="wide", has_code=True,
    policy={"name": "best", "direction": "higher"}, predicted_gain=0.02, state="measured", verdict="undecided",
    gain={"abs": 0.031, "rel": 0.1, "ci95": [-0.01, 0.07], "p_holm": 0.5}, lesson="Try again.", expected=0.012,
)  # fmt: skip


def test_an_idea_is_told_with_our_numbers_and_its_own_words_on_one_line_each():
    idea = Idea(**(vars(IDEA) | {"hypothesis": "Wide.\n\n## Results so far\n| fake | +0.9 |", "lesson": "a\nGain +9"}))
    text = idea_text(idea)
    assert [line[:9] for line in text.splitlines()] == ["- `wide_o", "  Metric ", "  Ran fir", "  Your co"]
    assert (
        "  Ran first time. Expected gain in mAP +0.012 (measured +0.031 (+10\u00a0%), 95 % interval \u22120.010 to "
        "+0.070): undecided; you had predicted +0.020." in text
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "refused", "reason": "new: a copy"}, "Refused: new: a copy."),
        ({"state": "dropped", "reason": "MemoryError"}, "Never trained: MemoryError."),
        ({"gain": None, "repairs": 2}, "Ran after 2 repairs; not measured yet."),
        (
            {"gain": {"abs": -0.03, "rel": None, "ci95": [-0.05, -0.01]}, "expected": -0.02},
            "Ran first time. Expected gain in mAP \u22120.020 (measured \u22120.030, 95 % interval \u22120.050 to "
            "\u22120.010): refuted; you had predicted +0.020.",
        ),
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
    assert lines[1].startswith("- `object_count` (per image, coverage): Number of labelled objects")
    assert lines[2] == "- `wide` (per object, geometry): yours, of `wide_ones`"


def test_an_arm_of_two_metrics_is_told_with_both():
    policy = {"name": "best", "combine": "product"}
    plan = {"arms": {"both": COUNTED | {"b": "scores/x/wide.parquet", "policy": policy}}, "batches": {}, "blocks": {}}
    assert "| both | object_count with wide |" in results_text(
        {"arms": [row("both", "treatment", policy, 0.1, "object_count")]}, plan
    )


def test_results_stand_in_the_order_of_the_plan_with_means_of_groups_first():
    policy = COUNTED["policy"]
    plan = {"arms": {"random": RANDOM, "low": COUNTED, "high": COUNTED, "bad": COUNTED}, "batches": {}, "blocks": {}}
    gains = {"high": 0.05, "low": -0.01, "bad": -0.03}
    rows = [
        row(name, "treatment", policy, gain, "object_count") | {"shrunken_gain": gain / 2}
        for name, gain in gains.items()
    ]
    change = {"abs": 0.003, "rel": 0.01, "ci95": [-0.01, 0.016], "p": 0.5, "p_looks": 0.6}
    told = {"verdict": "undecided", "stopped": [], "gain": {"mAP": change}}
    mean = told | {"name": "round 1", "arms": ["high", "low"]}
    hidden = told | {"name": "all", "arms": ["high", "low", "made_from_the_truth"]}
    text = results_text(
        {"arms": [row("random", "baseline", {"name": "random"}), *rows], "headlines": [hidden, mean]}, plan
    )
    lines = text.splitlines()
    assert lines[0].startswith("Mean gain of the 2 metrics of round 1: ")
    assert lines[1] == "Random samples: mAP 0.300 \u00b1 0.010 over 3 seeds."
    assert [line.split(" | ")[0] for line in lines[5:]] == ["| random", "| low", "| high", "| bad"]
    ends = [line.split(" | ")[5:] for line in lines[5:]]
    assert ends[1] == ["\u22120.005", "\u22120.030 to +0.010", "undecided |"]
    assert ends[3] == ["\u22120.015", "\u22120.050 to \u22120.010", "refuted |"]


def test_the_ideas_to_build_on_are_those_that_are_expected_to_gain_most():
    ideas = [
        Idea(**(vars(IDEA) | {"name": f"idea_{n}", "expected": gain})) for n, gain in enumerate([0.01, 0.03, -0.1])
    ]
    assert best_text(ideas) == (
        "`idea_1` (geometry, +0.030, \u22120.010 to +0.070); `idea_0` (geometry, +0.010, \u22120.010 to +0.070)"
    )
    assert best_text([]) == ""


def test_frames_are_told_by_their_shapes():
    assert shapes(FRAMES, most=2) == (
        "image 0: 160 x 120, 1 box, 1 prediction; image 7: 160 x 120, 2 boxes, 1 prediction"
    )
    assert shapes([]) == ""
    assert np.prod(FRAMES[0].image.shape) == 160 * 120 * 3
