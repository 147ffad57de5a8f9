"""metricloop/comparison/looks.py: by hand, and the error rate over both looks by simulation."""

import numpy as np
import pytest

from metricloop.comparison.looks import LEAST_T, Look, go_on, standings, total_alpha
from metricloop.comparison.statistics import Gain, p_value

LOOKS = (Look(3, 12, 0.02), Look(6, 18, 0.03))


def gain(t: float) -> Gain:
    """A gain of t standard errors; its error is known exactly."""
    return Gain(t * 0.01, ((1e-4, np.inf),), (0.0, np.inf))


def p(t: float) -> float:
    return p_value(gain(t))


def told(family, *found, looks=LOOKS):
    return standings(family, [{arm: gain(t) for arm, t in look.items()} for look in found], looks)


def test_one_look_is_holm_scaled_to_the_error_rate_of_the_study():
    found = told(["a", "b", "c"], {"a": 2.9, "b": 1.0, "c": -0.3})
    # p of a times three arms is .011: below the look's .02; shown times .05 / .02.
    assert found["a"].p == pytest.approx(3 * p(2.9) * 2.5)
    assert (found["a"].decided_at, found["b"].decided_at) == (1, None)
    assert found["a"].p < total_alpha(LOOKS) == 0.05
    assert [found[arm].stopped for arm in "abc"] == [False, False, True]


def test_a_p_below_the_study_but_not_below_the_look_decides_nothing():
    found = told(["a"], {"a": 2.2})  # p .028: below .05, above .02
    assert found["a"].decided_at is None
    assert found["a"].p > 0.05


def test_decided_arms_leave_the_family():
    found = told(["a", "b", "c"], {"a": 4.0, "b": 1.5, "c": 1.0}, {"b": 2.6, "c": 1.0})
    # Two arms are left at the second look: p of b counts twice, not three times.
    assert found["b"].p == pytest.approx(2 * p(2.6) * 0.05 / 0.03)
    assert (found["a"].decided_at, found["b"].decided_at) == (1, 2)
    assert found["a"].p == pytest.approx(min(1, 3 * p(4.0) * 2.5))  # a later look takes nothing back


def test_a_stopped_arm_counts_with_p_one():
    found = told(["a", "b", "c"], {"a": 1.5, "b": 0.4, "c": -3.0}, {"a": 2.7})
    assert found["b"].stopped
    # c was decided worse at the first look (p .0027 x 3 < .02) and has left; b counts: p of a twice.
    assert found["c"].decided_at == 1
    assert found["a"].p == pytest.approx(2 * p(2.7) * 0.05 / 0.03)


def test_an_arm_without_results_counts():
    assert told(["a", "missing"], {"a": 2.5})["a"].p == pytest.approx(2 * p(2.5) * 2.5)
    assert told(["a", "missing"], {"a": 2.5})["missing"].p is None
    assert told(["a", "missing"], {"a": 2.5})["missing"].stopped is False


def test_an_arm_of_one_seed_is_not_stopped():
    one_seed = Gain(0.1, (), (0.0, 9), known=False)
    found = standings(["a"], [{"a": one_seed}], LOOKS)["a"]
    assert (found.p, found.decided_at, found.stopped) == (None, None, False)


def test_an_unplanned_look_adds_nothing_to_the_error_rate_but_decides():
    looks = (*LOOKS, Look(12, 36, 0.01, planned=False))
    assert total_alpha(looks) == 0.05
    found = told(["a"], {"a": 1.0}, {"a": 1.5}, {"a": 2.7}, looks=looks)
    assert found["a"].decided_at == 3
    assert found["a"].p == pytest.approx(p(2.7) * 0.05 / 0.01)


def test_no_more_than_half_of_a_family_goes_on_and_three_may_always():
    ahead = {str(t): gain(t) for t in np.arange(1, 11) / 4}  # .25, .5 ... 2.5
    assert go_on(ahead, family=10) == {"2.5", "2.25", "2.0", "1.75", "1.5"}
    assert go_on(ahead, family=11) == {"2.5", "2.25", "2.0", "1.75", "1.5", "1.25"}
    assert go_on({"a": gain(LEAST_T), "b": gain(LEAST_T - 0.01)}, family=2) == {"a"}
    assert go_on({arm: gain(1.0) for arm in "abc"}, family=3) == {"a", "b", "c"}


def test_an_arm_that_got_more_seeds_all_the_same_is_judged_by_them():
    found = told(["a", "b"], {"a": 0.2, "b": 1.0}, {"a": 1.0, "b": 1.0})
    assert not found["a"].stopped


def test_two_looks_make_false_verdicts_in_few_studies():
    """Ten arms; the second t of an arm holds its first seeds too, and all arms share a baseline."""
    rng = np.random.default_rng(1)
    studies, wrong, one_good_wrong = 2000, 0, 0
    family = [str(a) for a in range(10)]
    for _ in range(studies):
        halves = rng.normal(0, np.sqrt(0.5), (2, 11))  # of each arm, and of the baseline
        first = halves[0, :10] * 2**0.5 * 0.8 + 0.6 * halves[0, 10] * 2**0.5
        second = 0.8 * halves[:, :10].sum(axis=0) + 0.6 * halves[:, 10].sum()
        for good in (False, True):
            shift = np.array([4.0 * good] + [0.0] * 9)
            one = dict(zip(family, first + shift, strict=True))
            stand = told(family, one)
            on = {arm for arm in family if stand[arm].decided_at is None and not stand[arm].stopped}
            assert len(on) <= 5
            two = {arm: t for arm, t in zip(family, second + shift * 2**0.5, strict=True) if arm in on}
            decided = [arm for arm, found in told(family, one, two).items() if found.decided_at]
            if good:
                one_good_wrong += bool(set(decided) - {"0"})
            else:
                wrong += bool(decided)
    limit = 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)
    assert wrong / studies < limit
    assert one_good_wrong / studies < limit
