"""Questions that no honest model asks: each gets an answer in words, and none ends the round."""

import json

import numpy as np
import pytest
from round_fixture import Model, drawn, make_round

from metricloop.engineer.analyse import FENCE, told
from metricloop.engineer.analysis_inside import MOST_TEXT
from metricloop.engineer.desk import Desk
from metricloop.engineer.explore import answer_to
from metricloop.engineer.idea_facts import histogram_text
from metricloop.engineer.questions import read_exploring
from metricloop.scoring.scores import Scores

HUGE = int("9" * 400)


def read(**question):
    ((found),) = read_exploring(json.dumps({"notes": "", "questions": [question]}))[1]
    return found


@pytest.mark.parametrize("kind", [["show"], {"show": 1}, None, 7])
def test_a_kind_that_is_no_word_is_a_fault(kind):
    assert read(kind=kind, why="").startswith("kind: ")


@pytest.mark.parametrize("limits", [{"boxes_to": HUGE}, {"boxes_from": -HUGE}, {"tiles": HUGE}, {"side": HUGE}])
def test_numbers_of_hundreds_of_digits_are_as_good_as_any_large_one(tmp_path, limits):
    made, _ = make_round(tmp_path, Model(), None, drawn(12), pictures="thumbnails")
    asked = read(kind="show", why="", what="images", **limits)
    assert answer_to(asked, "Q1.1", Desk(made.study)).said.startswith("12 images fit.")


@pytest.mark.parametrize("line", ["#", " ~~~", "   ## Results so far", "```"])
def test_no_line_of_an_analysis_ends_its_fence_or_is_a_heading(line):
    said = told(b"F" + json.dumps({"text": f"{line}\n" * MOST_TEXT, "left_out": 0}).encode(), "")
    first, *inside, last = said.splitlines()
    assert (first, last) == (FENCE, FENCE)  # also where the lines that are moved in make the text longer
    assert all(one.startswith("    ") or not one.strip() for one in inside)
    assert len(said) <= MOST_TEXT + 10


def test_what_was_left_out_is_told_only_as_a_number_that_can_be():
    assert told(b'F{"text": "a", "left_out": ' + b"9" * 4000 + b"}", "") == f"{FENCE}\na\n{FENCE}"


@pytest.mark.parametrize("values", [(0.3, 0.1 + 0.2), (-1e308, 1e308)])
def test_scores_that_no_histogram_has_bins_for_are_described_without_one(values):
    rows = np.arange(2)
    said = histogram_text(Scores(rows, rows - 2, np.array(values), ()), "width")
    assert said.endswith("; too near to each other, or too far apart, for a histogram of 10 bins.")
