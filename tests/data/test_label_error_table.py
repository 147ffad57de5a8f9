"""One table of the kinds of label error: damage, audit and suggestions take their words from it."""

import numpy as np
import pytest

from metricloop.auditing.label_errors import KINDS
from metricloop.data.damage import damage
from metricloop.data.damage_presets import Corrupt
from metricloop.data.label_errors import LABEL_ERRORS, PLANTED, label_errors_table
from metricloop.engineer.suggestion import Suggestion


def test_the_audit_looks_for_every_kind_and_for_no_other():
    assert {kind.name for kind in KINDS} == set(LABEL_ERRORS)


def test_a_suggestion_may_target_every_kind_in_the_words_of_recorded_answers():
    schema = Suggestion.model_json_schema()["properties"]["targets"]
    assert schema["enum"] == ["missing", "spurious", "badly_placed", "wrong_class", "doubled", "mixed", "none"]


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_in_the_truth_under_the_kinds_that_the_table_names(kind):
    corrupt = Corrupt(preset="custom", strength=1.0, custom=({"kind": kind, "rate": 1.0, "shift": 0.4},))
    n = 20
    done = damage(
        corrupt, image_id=np.arange(n), boxes=np.tile(np.float32([[100, 100, 160, 140]]), (n, 1)),
        labels=np.zeros(n, int),
        groups=["a"] * n, width=np.full(n, 400), height=np.full(n, 400), class_names=("panda", "lion"),
    )  # fmt: skip
    wanted = {mistake for error in LABEL_ERRORS.values() if kind in error.planted_by for mistake in error.mistakes}
    found = set(done.truth["mistake"]) - {"none"}
    assert found
    assert found <= wanted
    assert all(found & set(error.mistakes) for error in LABEL_ERRORS.values() if kind in error.planted_by)


def test_the_table_of_the_docs_has_a_row_for_every_kind():
    assert len(label_errors_table().splitlines()) == 2 + len(LABEL_ERRORS)
