"""What is said of the list of a kind: how much of it is wrong, or why it is empty."""

import numpy as np

from metricloop.auditing.calibrate import Calibration
from metricloop.auditing.findings import NOTHING, expected
from metricloop.auditing.label_errors import KINDS
from metricloop.auditing.run import weak
from metricloop.auditing.suspects import Suspect

SPURIOUS, NO_BREAK = KINDS[0], "\N{NO-BREAK SPACE}"
BY_KIND = {SPURIOUS.name: np.zeros(200)}


def told(one, listed=(), predictions=None):
    return expected(SPURIOUS, one, listed, BY_KIND, predictions)


def test_the_precision_is_the_mean_probability_of_what_is_listed():
    listed = [Suspect("spurious", 0, 0, 1.0, 0, None, probability=p) for p in (0.9, 0.6)]
    found = told(Calibration(np.zeros(200), 0.05, 0.95), listed)
    assert (found.wrong, found.precision, found.silent) == (10.0, 0.75, None)


def test_an_empty_list_says_why():
    assert told(Calibration(np.zeros(200), 0.001, 0.95)).silent == NOTHING
    assert told(Calibration(np.zeros(200), 0.05, 0.95)).silent.startswith("some 10 may be wrong")
    assert "too few" in told(None).silent
    assert "200 labels" in told(None).silent
    poor = told(Calibration(np.zeros(200), 0.3, 0.74), predictions={})
    words = poor.silent.replace(NO_BREAK, " ")
    assert "the out-of-fold model tells too little" in poor.silent
    assert "74 % of all pairs, and it takes 80 %; more predict.iterations may help" in words
    assert poor.wrong is None
    assert told(Calibration(np.zeros(200), 0.3, 0.74)).silent.endswith("an audit with training may tell more")


def test_a_model_that_has_hardly_learnt_is_warned_of():
    assert weak(None) == []
    assert weak({"mAP": 0.1}) == []
    (warning,) = weak({"mAP": 0.078})
    assert warning.startswith("The model is weak (mAP 0.078 against these labels)")
