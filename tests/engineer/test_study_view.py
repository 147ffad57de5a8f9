"""What a round reads of a study: nothing from the truth, and the present results."""

from dataclasses import replace

import pytest
from round_fixture import (
    COUNTED,
    IDEA,
    RANDOM,
    Model,
    accepting,
    drawn,
    make_round,
    proposal,
    row,
    study_view,
)

from metricloop.data.tables import SCORES, write_json, write_table
from metricloop.engineer.ideas import Idea
from metricloop.engineer.known_ideas import KnownMetric
from metricloop.engineer.round import run_round
from metricloop.engineer.study_view import known_ideas, known_metrics, refuted, truth_arms
from metricloop.llm.journal import Journal

FRAMES = drawn(12)
ORACLE = {"role": "control", "a": "data/truth.parquet", "b": "data/truth.parquet", "policy": {"name": "oracle"}}
MATCHED = RANDOM | {"role": "control", "b": "subsets/oracle.parquet", "policy": {"name": "match"}}


def test_names_of_the_catalogue_and_of_metrics_without_scores_are_reserved(tmp_path):
    made = study_view(tmp_path, FRAMES)
    known = known_ideas(made, 1)
    assert known.metrics == {}  # nothing has been scored in this folder
    assert {"object_count", "label_agreement"} <= known.reserved


def test_what_is_shown_to_be_worse_is_refuted_and_its_family_stays_tried(tmp_path):
    """By the comparison as it is, not as it was when the idea was measured."""
    made, _ = make_round(tmp_path, Model(proposal({})), lambda source, name: accepting(name), FRAMES)
    run_round(made)
    journal = Journal(tmp_path)
    journal.add("measured", round=1, suggestion="wide_ones", gain={"abs": 0.01, "rel": None}, verdict="undecided")
    later = replace(made.study, events=journal.events)
    assert known_ideas(later, 2).refuted == {}
    later.comparison["arms"].append(row("wide_ones", "treatment", IDEA["policy"], -0.025, "wide"))  # -0.045 to -0.005
    known = known_ideas(later, 2)
    assert known.families == {"wide_ones": "geometry"}
    assert known.refuted == {"wide_ones": "is refuted: 95 % interval \u22120.045 to \u22120.005"}


@pytest.mark.parametrize(
    ("gain", "bounds", "said"),
    [
        (-0.03, [-0.08, 0.02], None),  # a low mean, and an interval that reaches zero
        (0.001, [-0.01, 0.012], None),  # gains little, and is not worse
        (-0.03, [-0.05, -0.01], "is refuted: 95 % interval \u22120.050 to \u22120.010"),
        (-0.03, None, None),  # one seed: nothing is known about the error
    ],
)
def test_an_idea_is_refuted_by_its_interval_and_not_by_its_mean(gain, bounds, said):
    idea = Idea("wide_ones", 1, gain={"abs": gain, "rel": None, "ci95": bounds, "p_holm": None})
    assert refuted([idea]) == ({"wide_ones": said} if said else {})
    assert refuted([Idea("waiting", 1)]) == {}


def test_every_arm_that_is_made_from_the_truth_at_any_remove_is_known():
    arms = {
        "matched_twice": MATCHED | {"b": "subsets/matched.parquet"}, "random": RANDOM, "oracle": ORACLE,
        "matched": MATCHED, "counted": COUNTED,
    }  # fmt: skip
    assert truth_arms({"arms": arms, "batches": {}, "blocks": {}}) == {"oracle", "matched", "matched_twice"}


def test_a_metric_is_known_by_its_scores_unless_it_failed(tmp_path):
    plan = {"batches": {"x": {"metrics": ["good", "bad", "unscored"]}}}
    for name, boxes in (("good", [1, 2]), ("bad", [None, None])):
        columns = {"image_id": [1, 2], "box_id": boxes, "score": [0.1, 0.2], "error": [None, None]}
        write_table(tmp_path / f"scores/x/{name}.parquet", SCORES, columns)
    write_json(tmp_path / "scores/x/failed.json", {"bad": "MemoryError"})
    assert known_metrics(tmp_path, plan) == {"good": KnownMetric("object", "scores/x/good.parquet")}
