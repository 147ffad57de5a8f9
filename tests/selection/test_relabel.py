"""The policy relabel: the images of random, with the labels of the worst N images of the pool replaced."""

import numpy as np
import pyarrow as pa
import pytest
from select_fixture import box_scores, draws, image_scores, images, make_pool, truth_of

from metricloop.data.manifest import draw_of
from metricloop.data.tables import SCORES, SUBSET, TRUTH, write_table
from metricloop.engineer.policy_menu import OFFERED
from metricloop.engineer.study_view import truth_arms
from metricloop.selection.arm_files import read_arm_inputs
from metricloop.selection.keep_values import damaged_share
from metricloop.selection.policies import PolicyError, check_policy

POOL = make_pool([2, 2, 1, 0])
# Box 1 was moved, box 5 is invented, and image 4 has an object without a label.
MOVED = dict(zip(TRUTH.names, [1, 1, 3.0, 4.0, 50.0, 60.0, 2, "moved"], strict=True))
TRUE = truth_of(POOL, {1: "moved"}, missing=[(4, 10, 10, 30, 30)], invented=[5]).to_pylist()
TRUE = pa.Table.from_pylist([MOVED if row["box_id"] == 1 else row for row in TRUE], TRUTH)
BAD = image_scores([0.1, 0.9, 0.2, 0.3])  # the first image is the worst, then 3 and 4


def rows(policy, scores=BAD, truth=TRUE, **chance):
    """(image, box, x1) of every label."""
    drawn = draws(POOL, {"name": "relabel"} | policy, truth, scores, budget=1.0, **chance)
    return [(row["image_id"], row["box_id"], row["x1"]) for row in draw_of(drawn, 0, "here").to_pylist()]


AS_IS = [(1, 1, 0), (1, 2, 0), (2, 3, 0), (2, 4, 0), (3, 5, 0), (4, None, None)]


@pytest.mark.parametrize(
    ("worst", "expected"),
    [
        (1, [(1, 1, 3), *AS_IS[1:]]),
        (2, [(1, 1, 3), *AS_IS[1:4], (3, None, None), (4, None, None)]),  # the invented label is gone
        (3, [(1, 1, 3), *AS_IS[1:4], (3, None, None), (4, None, 10)]),  # and the object that had none has one
    ],
)
def test_the_worst_images_get_their_true_labels(worst, expected):
    assert rows({"worst": worst}) == expected


def test_all_images_corrected_are_those_of_relabelled():
    drawn = draws(POOL, {"name": "relabel", "worst": 4}, TRUE, BAD, arm="a", seeds=range(6))
    assert drawn.equals(draws(POOL, {"name": "relabelled"}, TRUE, arm="b", seeds=range(6)))
    assert drawn.schema == SUBSET


def test_the_images_are_those_of_random():
    random = draws(POOL, {"name": "random"}, arm="random", seeds=range(12))
    drawn = draws(POOL, {"name": "relabel", "worst": 2}, TRUE, BAD, arm="relabel_2", seeds=range(12))
    assert [images(drawn, seed) for seed in range(12)] == [images(random, seed) for seed in range(12)]


def test_the_direction_and_the_worst_box_decide():
    assert rows({"worst": 1, "direction": "lower"}) == AS_IS  # image 2 is right already
    by_box = box_scores(POOL, [0.9, 0.8, 0.9, 0.1, 0.7])
    assert rows({"worst": 1}, by_box) == AS_IS  # image 2 has the worst box
    assert rows({"worst": 1, "reduce": "mean"}, by_box) == AS_IS  # and the worst mean, 0.5
    by_box = box_scores(POOL, [0.9, 0.0, 0.9, 0.3, 0.4])
    assert rows({"worst": 1}, by_box)[0] == (1, 1, 3)
    assert rows({"worst": 1, "reduce": "mean"}, by_box)[4] == (3, None, None)  # 0.45, 0.6 and 0.4


def test_equally_bad_images_are_corrected_in_an_order_of_the_seed():
    same = image_scores([0.5] * 4)
    drawn = draws(POOL, {"name": "relabel", "worst": 1}, TRUE, same, budget=1.0, seeds=range(40))
    assert len(set(drawn["draw"].to_pylist())) == 40
    corrected = sum(draw_of(drawn, seed, "here")["x1"][0].as_py() == 3 for seed in range(40))
    assert 3 <= corrected <= 20  # one in four, on average


def test_only_images_of_a_second_labelling_are_corrected():
    """Nothing is known of images 1 and 4: the worst of the others is 3."""
    second = TRUE.to_pylist()
    for row in second:
        if row["image_id"] in (1, 4):
            row |= {"mistake": "unjudged", "x1": 0.0}
    second = pa.Table.from_pylist(second, TRUTH)
    assert rows({"worst": 1}, truth=second) == [*AS_IS[:4], (3, None, None), AS_IS[5]]
    with pytest.raises(PolicyError, match="worst is 3, but the truth of 2 images is known, of 4 in the pool"):
        rows({"worst": 3}, truth=second)
    with pytest.raises(PolicyError, match=r"oracle needs the truth of all 4 images of the pool, .* judges 2"):
        draws(POOL, {"name": "oracle"}, second)


def test_labels_that_nobody_judged_are_neither_damaged_nor_counted_by_oracle():
    """Image 1 has one of two labels unjudged and the other right, image 2 one unjudged and one wrong, image 3 one of
    three wrong."""
    pool = make_pool([2, 2, 3])
    table = truth_of(pool, {4: "moved", 5: "class"}).to_pylist()
    for row in table:
        if row["box_id"] in (1, 3):
            row["mistake"] = "unjudged"
    table = pa.Table.from_pylist(table, TRUTH)
    assert damaged_share(pool, table).tolist() == [0, 1, pytest.approx(1 / 3)]
    drawn = draws(pool, {"name": "oracle"}, table, budget=0.34)
    assert set(drawn["image_id"].to_pylist()) == {1}
    for row in (rows := table.to_pylist()):
        if row["image_id"] == 1:
            row["mistake"] = "unjudged"
    with pytest.raises(PolicyError, match="judges 2"):
        draws(pool, {"name": "oracle"}, pa.Table.from_pylist(rows, TRUTH))


@pytest.mark.parametrize(
    ("policy", "truth", "scores", "says"),
    [
        ({"worst": 5}, TRUE, BAD, "worst is 5, but the truth of 4 images is known"),
        ({"worst": 1}, TRUE.slice(0, 0), BAD, "none are known.*data.second_labels"),
        ({"worst": 1}, TRUE, None, "needs scores as its input b"),
        ({"worst": 1}, None, BAD, "needs truth as its input a"),
        ({"worst": 0}, TRUE, BAD, "worst=0"),
        ({}, TRUE, BAD, "worst"),
        ({"worst": 1, "distinct": "looks"}, TRUE, BAD, "input b cannot serve distinct=looks and the scores"),
        ({"worst": 1}, TRUE, image_scores([1.0, 2.0]), "not those of the pool"),
    ],
)
def test_refusals(policy, truth, scores, says):
    with pytest.raises(PolicyError, match=says):
        draws(POOL, {"name": "relabel"} | policy, truth, scores)


def test_its_files_are_the_truth_and_scores(tmp_path):
    names = TRUTH.names
    write_table(tmp_path / "truth.parquet", TRUTH, {name: TRUE[name].to_pylist() for name in names})
    write_table(tmp_path / "s.parquet", SCORES, {name: BAD[name].to_pylist() for name in SCORES.names})
    name, options = check_policy({"name": "relabel", "worst": "2"})  # as DVC writes it
    found = read_arm_inputs(name, options, [str(tmp_path / "truth.parquet"), str(tmp_path / "s.parquet")], POOL)
    assert found.a.equals(TRUE)
    assert found.b.equals(BAD)
    assert len(found.files) == 2


def test_the_language_model_is_not_offered_it():
    assert "relabel" not in OFFERED


def test_the_language_model_sees_no_arm_that_reads_true_or_second_labels():
    def arm(a, name, b="s.parquet"):
        return {"role": "control", "a": a, "b": b, "policy": {"name": name}}

    arms = {
        "relabel_5": arm("data/second_labels.parquet", "relabel"),
        "relabelled": arm("data/second_labels.parquet", "relabelled"),
        "matched": arm("data/images.parquet", "match", "subsets/relabel_5.parquet"),
        "random": arm("data/images.parquet", "random"),
    }
    assert truth_arms({"arms": arms}) == {"relabel_5", "relabelled", "matched"}


def test_the_pool_itself_is_not_changed():
    before = POOL.boxes.copy()
    rows({"worst": 4})
    assert np.array_equal(before, POOL.boxes)
