"""The option mend: which images a policy takes before and after, and which labels the manifest holds."""

import numpy as np
import pyarrow as pa
import pytest
from select_fixture import box_scores, draws, image_scores, images, make_pool

from metricloop.data.edits import EDITS, edit_columns
from metricloop.data.manifest import draw_of
from metricloop.selection.policies import PolicyError, check_policy
from metricloop.selection.select import select
from metricloop.tasks.select import arguments

NAN = np.nan
POOL = make_pool([2, 1, 1, 1])  # box ids 1, 2 | 3 | 4 | 5
DROP_FIRST = [0, 0, NAN, NAN, NAN, NAN, -1, 0.7]


def edits_of(rows):
    return pa.table(edit_columns(POOL, {k: np.array(own, float) for k, own in rows.items()}, {}), EDITS)


def drawn(policy, rows, a=None, budget=0.5, seeds=(0,)):
    chance = {"study": ("s", 0), "arm": "arm", "budget": budget, "seeds": list(seeds)}
    return pa.concat_tables(select(POOL, policy, a, edits=edits_of(rows), **chance))


def labels(subset, image):
    rows = draw_of(subset, 0, "test").to_pylist()
    return [(row["box_id"], row["x1"], row["label"], row["use"]) for row in rows if row["image_id"] == image]


def test_the_manifest_holds_the_edited_labels():
    rows = {
        0: [DROP_FIRST, [2, 1, NAN, NAN, NAN, NAN, 2, 0.7], [3, -1, 3, 3, 9, 9, 1, 0.7]],
        1: [DROP_FIRST],
        2: [[1, 0, 6, 6, 9, 9, -1, 0.5]],
    }
    subset = drawn({"name": "full", "mend": {"repair": "it"}}, rows)
    assert labels(subset, 1) == [(2, 0, 2, "keep"), (None, 3, 1, "keep")]
    assert labels(subset, 2) == [(None, None, None, "none")]  # an image without labels stays
    assert labels(subset, 3) == [(4, 0, 0, "keep")]  # not sure enough


@pytest.mark.parametrize("when", ["before", "after"])
def test_kinds_of_edits(when):
    rows = {0: [DROP_FIRST, [1, 1, 6, 6, 9, 9, -1, 0.7], [3, -1, 3, 3, 9, 9, 1, 0.7]]}
    for kinds, left in (
        ("drop", [(2, 0, 0, "keep")]),
        ("move", [(1, 0, 0, "keep"), (2, 6, 0, "keep")]),
        ("add, drop", [(2, 0, 0, "keep"), (None, 3, 1, "keep")]),
        ("relabel", [(1, 0, 0, "keep"), (2, 0, 0, "keep")]),
        (None, [(2, 6, 0, "keep"), (None, 3, 1, "keep")]),
    ):
        subset = drawn({"name": "full", "mend": {"repair": "it", "kinds": kinds, "when": when}}, rows)
        assert labels(subset, 1) == left, kinds


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dropped", "there is no kind of edits 'dropped'; there are drop, move, relabel, add"),
        ("drop,,add", "a name is missing"),
        ("drop, drop", "named twice: drop"),
        ("", "a name is missing"),
        (["drop"], "write the names in one line of text"),
    ],
)
def test_kinds_that_there_are_not(line, said):
    with pytest.raises(PolicyError, match=said):
        check_policy({"name": "random", "mend": {"repair": "it", "kinds": line}})


@pytest.mark.parametrize("when", ["before", "after"])
def test_without_an_edit_the_bytes_are_those_of_the_policy_alone(when):
    plain = draws(POOL, {"name": "random"}, seeds=range(3))
    mend = {"repair": "it", "least_confidence": 0.8, "when": when}
    assert drawn({"name": "random", "mend": mend}, {0: [DROP_FIRST]}, seeds=(0, 1, 2)).equals(plain)


def test_before_or_after_the_policy():
    """Mean score: 0.1 and 0.9 of image 1 give 0.5; without the first box it has 0.9 and is the best."""
    scores = box_scores(POOL, [0.1, 0.9, 0.6, 0.55, 0.7])
    for when, taken in (("before", [1, 4]), ("after", [2, 4])):
        policy = {"name": "best", "mend": {"repair": "it", "when": when}}
        subset = drawn(policy, {0: [DROP_FIRST], 3: [[1, 0, 6, 6, 9, 9, -1, 1]]}, scores)
        assert images(subset) == taken
        assert labels(subset, 4) == [(5, 6, 0, "keep")]


def test_scores_of_images_choose_the_same_images_either_way():
    scores = image_scores([4, 3, 2, 1])
    for when in ("before", "after"):
        policy = {"name": "best", "mend": {"repair": "it", "when": when}}
        assert images(drawn(policy, {0: [DROP_FIRST]}, scores)) == [1, 2]


@pytest.mark.parametrize("when", ["before", "after"])
def test_boxes_that_a_policy_masks_stay_masked_and_an_added_one_has_no_score(when):
    scores = box_scores(POOL, [0.9, 0.1, 0.6, 0.55, 0.7])
    policy = {"name": "drop_worst", "share": 0.2, "on_drop": "mask", "mend": {"repair": "it", "when": when}}
    subset = drawn(policy, {0: [DROP_FIRST, [3, -1, 3, 3, 9, 9, 1, 1]]}, scores, budget=1)
    assert labels(subset, 1) == [(2, 0, 0, "mask"), (None, 3, 1, "keep")]


def test_options_as_dvc_writes_them():
    argv = ["ARM", "--name", "random", "--mend.repair", "consensus", "--mend.least_confidence", "0.7"]
    _, policy = arguments(argv)
    assert policy == {"name": "random", "mend": {"repair": "consensus", "least_confidence": "0.7"}}
    _, options = check_policy(policy)
    assert options.mend.model_dump() == {
        "repair": "consensus", "least_confidence": 0.7, "when": "before", "kinds": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"name": "oracle", "mend": {"repair": "it"}}, "nothing to mend"),
        ({"name": "match", "mend": {"repair": "it"}}, "cannot serve the subset to match and mend"),
        ({"name": "best", "combine": "product", "mend": {"repair": "it"}}, "cannot serve combine and mend"),
        ({"name": "diverse", "mend": {"repair": "it"}}, "cannot serve the embeddings and mend"),
        ({"name": "best", "mend": {"repair": "it", "least_confidence": 2}}, "mend.least_confidence=2"),
        ({"name": "best", "mend": {"repair": "it", "least": 0.5}}, "unknown option 'mend.least'"),
        ({"name": "best", "mend": {}}, "mend.repair"),
    ],
)
def test_what_is_refused(policy, said):
    with pytest.raises(PolicyError, match=said):
        check_policy(policy)
