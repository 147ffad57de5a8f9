"""How far a second labelling disagrees: counts by hand, and intervals that hold what they promise."""

import numpy as np
import pytest

from metricloop.auditing.disagreement import disagreement, interval, members
from metricloop.auditing.truth import Truth, known_truth
from metricloop.data.dataset import pool_of
from metricloop.data.frame import Frame
from metricloop.data.tables import TRUTH

BOX = np.float32([[0, 0, 9, 9]])
POOL = pool_of([Frame(k, 50, 50, np.repeat(BOX, n, 0), np.zeros(n, int), ("cat",)) for k, n in enumerate([3, 2, 0, 1])])


def test_rates_are_shares_of_what_is_judged():
    truth = Truth(
        boxes=np.array(["none", "moved", "spurious", "class", "doubled", "unjudged"], object),
        missing=np.array([0, 0, 2, 0]),
        judged=np.array([True, True, True, False]),
    )
    found = {row["kind"]: (row["count"], row["of"]) for row in disagreement(POOL, truth)}
    assert found == {
        "missing": (2, 5),  # objects of the second labelling: none, moved, class, and the two
        "spurious": (1, 5),
        "placed": (1, 5),
        "class": (1, 5),
        "doubled": (1, 5),
        "any": (4, 5),
    }


def test_the_table_of_a_second_labelling_in_pool_order():
    import pyarrow as pa

    rows = [
        (0, 0, "none"), (0, 1, "moved"), (0, 2, "unjudged"), (0, None, "missing"), (0, None, "missing"),
        (1, 3, "unjudged"), (1, 4, "unjudged"), (2, None, "unjudged"), (3, 5, "none"),
    ]  # fmt: skip
    columns = {name: [None] * len(rows) for name in TRUTH.names}
    columns |= {key: [row[k] for row in rows] for k, key in enumerate(("image_id", "box_id", "mistake"))}
    truth = known_truth(POOL, pa.table(columns, TRUTH))
    assert truth.judged.tolist() == [True, False, False, True]
    assert truth.judged_boxes.tolist() == [True, True, False, False, False, True]
    assert truth.wrong.tolist() == [False, True, False, False, False, False]
    assert truth.missing.tolist() == [2, 0, 0, 0]
    assert (truth.mistake(1, -1), truth.mistake(0, -1), truth.mistake(3, -1)) == ("unjudged", "missing", "none")


def test_independent_labels_give_the_exact_interval_of_a_share():
    # 8 of 40, each label a group of its own: Clopper and Pearson, from tables: 9.05 to 35.65 %
    found = interval(np.arange(40) < 8, np.arange(40))
    assert found == pytest.approx([0.0905, 0.3565], abs=0.003)


def test_groups_are_numbered_in_the_order_of_their_names():
    assert members(np.array([100, 20, 3, 20])).tolist() == [0, 1, 2, 1]  # as text, 100 comes first
    assert members(np.array(["b", "a", "b"], object)).tolist() == [1, 0, 1]


def test_labels_that_are_wrong_together_say_less():
    wrong = np.repeat([True, False, False, False], 10)
    narrow, wide = interval(wrong, np.arange(40)), interval(wrong, np.repeat(np.arange(4), 10))
    assert wide[0] < narrow[0] < 0.25 < narrow[1] < wide[1]


@pytest.mark.parametrize(("groups", "high"), [(np.arange(30), 0.1157), (np.repeat(np.arange(3), 10), 0.7076)])
def test_nothing_wrong_is_no_proof(groups, high):
    """The upper bound for 0 of n is 1 - 0.025 ** (1 / n), n being the number of groups."""
    assert interval(np.zeros(30, bool), groups) == pytest.approx([0.0, high], abs=1e-4)
    assert interval(np.ones(30, bool), groups) == pytest.approx([1 - high, 1.0], abs=1e-4)


def test_no_cases_have_no_interval():
    assert interval(np.zeros(0, bool), np.zeros(0)) is None


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_intervals_cover_the_rate_as_often_as_they_say(spread):
    """Images of one to eight labels; a careless annotator spoils whole images (spread), so labels hang together."""
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        sizes = rng.integers(1, 9, 60)
        chance = rng.beta(0.15 / spread, 0.85 / spread, 60)
        groups = np.repeat(np.arange(60), sizes)
        low, high = interval(rng.random(len(groups)) < chance[groups], groups)
        held += low <= 0.15 <= high
    assert held / 400 > 0.925
