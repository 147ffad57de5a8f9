"""No finding is listed whose defining fact is false, however little evidence is asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metricloop.auditing.facts import holds, unlabelled
from metricloop.auditing.in_words import BOTH, DOUBTFUL, PROBABLE, claim, in_words, title_of
from metricloop.auditing.label_errors import KINDS
from metricloop.auditing.print_audit import print_audit
from metricloop.auditing.run import Audit
from metricloop.auditing.suspects import Suspect, suspects
from metricloop.data.dataset import pool_of
from metricloop.data.frame import Detections, Frame
from metricloop.report.audit_page import build
from metricloop.text.numbers import DASH

BY_NAME = {kind.name: kind for kind in KINDS}
NAMES = ("cat", "dog")
HERE, HALF, LOOSE, AWAY = [0, 0, 40, 40], [0, 0, 20, 40], [0, 0, 40, 28], [60, 60, 90, 90]  # IoU 1, 0.5, 0.7, 0


def data_of(*boxes, labels=None):
    labels = np.zeros(len(boxes), int) if labels is None else np.array(labels)
    return pool_of([Frame(1, 100, 100, np.array(boxes, np.float32).reshape(-1, 4), labels, NAMES)])


def seen(*found):
    boxes, labels, scores = zip(*found, strict=True)
    return {1: Detections(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(labels))}


@pytest.mark.parametrize(
    ("kind", "predictions", "fact"),
    [
        ("spurious", seen((HERE, 0, 0.9)), False),  # a cat where a cat is labelled
        ("spurious", seen((HALF, 0, 0.5)), False),  # at both limits
        ("spurious", seen((HERE, 0, 0.4)), True),  # the model is not sure of it
        ("spurious", seen((HERE, 1, 0.9)), True),  # it sees a dog: no cat is here
        ("spurious", seen((AWAY, 0, 0.9)), True),
        ("spurious", {}, True),
        ("class", seen((HERE, 1, 0.9)), True),
        ("class", seen((HERE, 1, 0.4), (HERE, 0, 0.5)), False),  # rather a cat
        ("class", seen((AWAY, 1, 0.9)), False),
        ("class", {}, False),
        ("placed", seen((LOOSE, 0, 0.9)), True),
        ("placed", seen((HERE, 0, 0.9)), False),
        ("placed", seen((LOOSE, 0, 0.5), (HERE, 0, 0.4)), False),  # 0.35 is less than 0.4
        ("placed", seen((AWAY, 0, 0.9)), False),  # nothing to place it by
        ("doubled", None, False),
    ],
)
def test_the_fact_of_a_kind(kind, predictions, fact):
    assert holds(BY_NAME[kind], data_of(HERE), predictions).tolist() == [fact]


def test_a_label_is_doubled_only_beside_another_of_its_class():
    assert holds(BY_NAME["doubled"], data_of(HERE, HALF, AWAY), None).tolist() == [True, True, False]
    assert holds(BY_NAME["doubled"], data_of(HERE, HALF, labels=[0, 1]), None).tolist() == [False, False]
    assert holds(BY_NAME["doubled"], data_of(), None).tolist() == []


def test_without_predictions_only_what_labels_tell_is_held_against_them():
    assert all(holds(BY_NAME[kind], data_of(HERE), None).all() for kind in ("spurious", "class", "placed"))


def test_a_box_of_the_model_lacks_a_label_below_half_an_overlap():
    boxes = np.array([HERE], np.float32)
    assert unlabelled(boxes, seen((HALF, 0, 0.9), (AWAY, 1, 0.1), ([0, 0, 19, 40], 1, 0.5))[1]).tolist() == [
        False, True, True
    ]  # fmt: skip


def test_a_box_without_the_fact_of_its_strongest_kind_is_listed_under_the_next():
    """The label is most suspicious of being doubled, and no other is there; but the model's box differs."""
    kinds = [BY_NAME["doubled"], BY_NAME["placed"]]
    by_kind = {"doubled": np.array([0.9]), "placed": np.array([0.8])}
    found = suspects(kinds, by_kind, data_of(HERE), seen((LOOSE, 0, 0.9)), 5)
    assert (found["doubled"], [one.box for one in found["placed"]]) == ([], [0])


@pytest.mark.parametrize(
    ("probability", "score", "listed"),
    [
        (None, 0.1, False),  # unknown, and the model has a weak box of this class here
        (None, 0.09, True),
        (0.49, 0.3, False),
        (0.49, 0.09, True),
        (0.5, 0.3, True),  # probable: only a box from 0.5 on counts against it
        (0.5, 0.5, False),
    ],
)
def test_a_weak_box_of_the_model_counts_against_what_is_only_perhaps_no_object(probability, score, listed):
    known = {} if probability is None else {"spurious": np.array([probability])}
    found = suspects(
        [BY_NAME["spurious"]], {"spurious": np.array([0.9])}, data_of(HERE), seen((HALF, 0, score)), 5, known
    )
    assert [one.box for one in found["spurious"]] == [0] * listed


def test_the_box_that_a_wrong_class_is_shown_with_lies_on_the_label():
    """The surer box covers a third of the label only, 0.9 / 3 > 0.25: the other one is the fact that is meant."""
    part = [0, 0, 40, 40 / 3]
    found = suspects(
        [BY_NAME["class"]], {"class": np.array([0.9])}, data_of(HERE), seen((part, 1, 0.9), (HERE, 1, 0.25)), 5
    )
    assert [one.model[0] for one in found["class"]] == [(0, 0, 40, 40)]


def test_a_weak_box_of_another_class_or_place_speaks_for_no_object():
    for place, label in ((HERE, 1), (AWAY, 0)):
        by_kind = {"spurious": np.array([0.9])}
        found = suspects([BY_NAME["spurious"]], by_kind, data_of(HERE), seen((place, label, 0.3)), 5)
        assert len(found["spurious"]) == 1


box = st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(1, 6)] * 2).map(
    lambda at: (10 * at[0], 10 * at[1], 10 * (at[0] + at[2]), 10 * (at[1] + at[3]))
)
found_box = st.tuples(box, st.integers(0, 1), st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]))


def overlap(one, other):
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    both = max(wide, 0) * max(high, 0)
    return both / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - both)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(box, st.integers(0, 1)), min_size=1, max_size=5), st.lists(found_box, max_size=5), st.data())
def test_laws_of_what_is_listed_at_any_level(labelled, predicted, draw):
    data = data_of(*(own for own, _ in labelled), labels=[label for _, label in labelled])
    predictions = seen(*predicted) if predicted else {}
    values = st.lists(st.floats(0, 1), min_size=len(labelled), max_size=len(labelled)).map(np.array)
    by_kind = {kind.name: np.ones(1) if kind.unit == "image" else draw.draw(values) for kind in KINDS}
    probability = {name: draw.draw(values) for name in ("spurious", "class", "placed", "doubled")}
    least = draw.draw(st.sampled_from([0.0, 0.3, 0.5]))
    for known in ({}, probability):
        listed = suspects(KINDS, by_kind, data, predictions, 9, known, least if known else 0.0)
        for one in (one for own in listed.values() for one in own):
            if one.kind == "missing":
                assert one.model is not None
                assert all(overlap(own, one.model[0]) < 0.5 for own, _ in labelled)
                continue
            own, label = labelled[one.box]
            if one.kind == "spurious":
                least_score = 0.5 if one.probable else 0.1
                sure = [place for place, at, score in predicted if at == label and score >= least_score]
                assert all(overlap(own, place) < 0.5 for place in sure)
            elif one.kind == "class":
                assert one.model[1] != label
                assert overlap(own, one.model[0]) >= 0.5
            elif one.kind == "placed":
                assert overlap(own, one.model[0]) < 0.75 + 1e-6
            else:
                others = (pair for place, pair in enumerate(labelled) if place != one.box)
                assert any(at == label and overlap(own, place) > 0 for place, at in others)


def audit_of(*listed: Suspect, first=()) -> Audit:
    by_kind = {kind.name: [one for one in listed if one.kind == kind.name] for kind in KINDS}
    return Audit(data_of(HERE, HALF), list(KINDS), None, by_kind, None, {}, [], first=first)


PLACED = Suspect("placed", 0, 0, 0.9, 0, ((0, 0, 40, 28), 0, 0.8), probability=0.06)
SURE = Suspect("doubled", 0, 1, 0.9, 0, None, probability=0.7)
OPEN = Suspect("spurious", 0, 0, 0.9, 0, None)


def test_only_what_is_more_likely_wrong_than_right_is_called_probable():
    assert [title_of(one) for one in (PLACED, OPEN)] == ["Perhaps badly placed", "Perhaps no object here"]
    assert title_of(SURE) == "Probably labelled twice"
    assert title_of(Suspect("conflict", 0, -1, 1.0, 0, None, other="b.jpg")) == "Same picture, different labels"
    assert [claim(audit_of(*own)) for own in ((SURE,), (PLACED, OPEN), (SURE, OPEN), ())] == [
        PROBABLE, DOUBTFUL, BOTH, PROBABLE
    ]  # fmt: skip


def test_the_page_and_the_terminal_claim_no_more_than_is_known(capsys):
    page = build(audit_of(PLACED, OPEN), "pets")
    assert DOUBTFUL in page
    assert "Probably" not in page.partition("<script>")[0]
    print_audit(audit_of(PLACED, OPEN))
    told = " ".join(capsys.readouterr().out.split())
    assert DOUBTFUL in told
    assert "Probably badly placed" not in told
    assert f"spurious 1 {DASH} Perhaps no object here" in told
    assert f"{DASH}: how many of these are wrong cannot be told" in told


def test_an_audit_that_lists_nothing_names_the_most_suspicious_labels(capsys):
    made = audit_of(first=[PLACED, OPEN])
    print_audit(made)
    told = capsys.readouterr().out
    assert "the 2 most suspicious labels, not shown to be wrong:" in told.replace("\u00a0", " ")
    assert "  1.jpg: labelled cat, and the model's box differs\n" in told
    assert "  1.jpg: labelled cat, and the model does not see one there\n" in told
    assert "labelled cat, and the model&#39;s box differs" in build(made, "pets")
    other = Suspect("class", 0, 0, 1.0, 0, ((0, 0, 40, 28), 1, 0.8))
    assert in_words(made.data, other) == "labelled cat, the model sees dog (its score 0.80)"
