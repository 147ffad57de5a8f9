"""What is said of the list of a kind: how much of it is wrong, or why it is empty."""

from dataclasses import replace

import numpy as np
import pytest

from metricloop.auditing.calibrate import Calibration
from metricloop.auditing.findings import NOTHING, expected, too_poor, well_placed
from metricloop.auditing.label_errors import KINDS
from metricloop.auditing.run import Audit, cut_short, weak
from metricloop.auditing.suspects import Suspect
from metricloop.data.dataset import pool_of
from metricloop.data.frame import Detections, Frame
from metricloop.flows.audit import look_anyway

SPURIOUS, PLACED, NO_BREAK = KINDS[0], KINDS[2], "\N{NO-BREAK SPACE}"
BOX = [10, 10, 20, 30]
DATA = pool_of([Frame(n, 100, 80, np.array([BOX], np.float32), np.zeros(1, int), ("panda",)) for n in range(200)])


def told(one, listed=(), predictions=None, kind=SPURIOUS):
    return expected(one, listed, np.zeros(200), too_poor(kind, one, DATA, predictions))


def seen(*boxes, scores=(1.0,)):
    return Detections(np.array(boxes, np.float32), np.array(scores, np.float32), np.zeros(len(boxes), int))


def test_the_precision_is_the_mean_probability_of_what_is_listed():
    listed = [Suspect("spurious", 0, 0, 1.0, 0, None, probability=p) for p in (0.9, 0.6)]
    found = told(Calibration(np.zeros(200), 0.05, 0.95), listed)
    assert (found.wrong, found.precision, found.silent) == (10.0, 0.75, None)


def test_labels_without_evidence_have_no_precision_and_a_probability_of_zero_is_not_told():
    listed = [Suspect("spurious", 0, 0, 1.0, 0, None, probability=p) for p in (0.0, 0.004)]
    assert told(Calibration(np.zeros(200), 0.0, 0.95), listed).precision is None
    assert [one.told for one in listed] == [None, None]
    assert Suspect("spurious", 0, 0, 1.0, 0, None, probability=0.02).told == 0.02


def test_where_labels_were_judged_and_none_is_listed_the_way_to_look_anyway_is_told(tmp_path):
    picture = Suspect("leak", 0, -1, 1.0, 0, None)
    found = Audit(DATA, list(KINDS), None, {"leak": [picture], "spurious": []}, {"mAP": 0.4}, {}, [])
    line = f"metricloop audit -C {tmp_path} --least 0 --most 5"
    assert look_anyway(tmp_path, found, 0.5) == line
    assert look_anyway(tmp_path, replace(found, model=None), 0.5) == f"{line} --no-training"
    assert look_anyway(tmp_path, found, 0) == ""
    assert look_anyway(tmp_path, replace(found, kinds=[]), 0.5) == ""
    some = {"spurious": [Suspect("spurious", 0, 0, 1.0, 0, None, probability=0.7)]}
    assert look_anyway(tmp_path, replace(found, suspects=some), 0.5) == ""


def test_a_list_that_may_be_longer_is_told():
    found = {"placed": [1, 2], "class": [1], "repeated": [1, 2]}
    assert cut_short(found, 2) == ["At most 2 of a kind are listed (--most); there may be more of placed and repeated."]
    assert cut_short(found, 3) == []


def test_an_empty_list_says_why():
    assert told(Calibration(np.zeros(200), 0.001, 0.95)).silent == NOTHING
    assert told(Calibration(np.zeros(200), 0.05, 0.95)).silent.startswith("some 10 may be wrong")
    assert "too few" in told(None).silent
    assert "200 labels" in told(None).silent
    poor = told(Calibration(np.zeros(200), 0.3, 0.74), predictions={})
    words = poor.silent.replace(NO_BREAK, " ")
    assert "the out-of-fold model tells too little" in poor.silent
    assert "74 % of all pairs, and it takes 80 %; a model that trains longer may help" in words
    assert poor.wrong is None
    assert told(Calibration(np.zeros(200), 0.3, 0.74)).silent.endswith("an audit with training may tell more")


def test_a_model_that_places_its_boxes_badly_judges_no_place():
    known, loose, fitting = Calibration(np.zeros(200), 0.05, 0.95), seen([10, 10, 20, 39]), seen([10, 10, 20, 36])
    poor = {n: fitting if n < 39 else loose for n in range(200)}  # IoU 20/26 and 20/29
    assert well_placed(DATA, poor) == pytest.approx(39 / 200)
    silent = told(known, predictions=poor, kind=PLACED).silent.replace(NO_BREAK, " ")
    assert silent.startswith("the out-of-fold model places its boxes too badly: 19 % of the labels have one that fits")
    assert "and it takes 20 %" in silent
    assert told(known, predictions=poor).wrong == 10  # other kinds are judged
    assert told(known, predictions=poor | {39: fitting}, kind=PLACED).wrong == 10
    assert told(known, predictions=None, kind=PLACED).wrong == 10  # from pixels alone


def test_the_box_of_the_model_is_the_one_it_believes_in():
    both = seen(BOX, [10, 10, 20, 40], scores=(0.1, 0.9))  # 1 * 0.1 is less than 2/3 * 0.9
    assert well_placed(DATA, dict.fromkeys(range(200), both)) == 0
    assert well_placed(DATA, dict.fromkeys(range(50), seen(BOX))) == 0.25  # the others have none


def test_a_model_that_has_hardly_learnt_is_warned_of():
    assert weak(None) == []
    assert weak({"mAP": 0.1}) == []
    (warning,) = weak({"mAP": 0.078})
    assert warning.startswith("The model is weak (mAP 0.078 against these labels)")
