"""The plain models beside which a take-home's score is shown."""

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from metricloop.takehome.assignment import read_assignment
from metricloop.takehome.assignments import defects, headlines
from metricloop.takehome.references import features, reference_labels


def share_of_usual(truth):
    return Counter(truth).most_common(1)[0][1] / len(truth)


@pytest.mark.parametrize(("module", "low", "high"), [(headlines, 0.8, 0.91), (defects, 0.65, 0.85)])
def test_a_plain_model_is_far_better_than_the_usual_label_and_far_from_perfect(tmp_path, module, low, high):
    module.write(tmp_path)
    assignment = read_assignment(tmp_path)
    truth, found = reference_labels(assignment)
    assert truth == [label for _, label in (*assignment.held_out, *assignment.unseen)]
    assert low < accuracy_score(truth, found) < high
    assert f1_score(truth, found, average="macro") > low - 0.05
    assert accuracy_score(truth, found) > share_of_usual(truth) + 0.25
    assert reference_labels(assignment) == (truth, found)  # nothing is drawn by chance


def test_without_known_labels_there_is_no_reference(tmp_path):
    headlines.write(tmp_path)
    for path in (tmp_path / "truth").iterdir():
        path.unlink()
    assert reference_labels(read_assignment(tmp_path)) == ([], [])


def test_without_the_texts_of_unseen_items_the_held_out_ones_count(tmp_path):
    headlines.write(tmp_path)
    unseen = tmp_path / "truth" / "unseen.csv"
    unseen.write_text(
        "item,label\n" + "".join(f"{line.split(',')[0]},neutral\n" for line in unseen.read_text().splitlines()[1:])
    )
    truth, found = reference_labels(read_assignment(tmp_path))
    assert len(truth) == len(found) == 300


def test_features_do_not_depend_on_the_brightness():
    picture = np.random.RandomState(0).uniform(0, 100, (64, 64))
    assert np.allclose(features(picture), features(picture + 50))
    assert not np.allclose(features(picture), features(2 * picture))
