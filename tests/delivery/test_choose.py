"""Which arm is promoted: the winner, or the named one; others are refused with what to do."""

from pathlib import Path

import pytest
from study_fixture import arm, arms, comparison

from metricloop.delivery.choose import ArmRefusedError, choose, refuse_old_labels

HERE = Path("/data/lions")
BASE = arm("random", "baseline", 0.2, None, None, policy="random")
BETTER = arm("tight", "treatment", 0.26, 0.06, "better", metric="tight")
BEST = arm("count", "treatment", 0.28, 0.08, "better", metric="count")
OPEN = arm("spread", "treatment", 0.29, 0.09, "undecided", metric="spread")
WORSE = arm("blur", "treatment", 0.1, -0.1, "worse", metric="blur")


def test_the_winner_is_the_better_arm_with_the_highest_gain():
    assert choose(comparison([BASE, BETTER, OPEN, BEST, WORSE]), HERE)["name"] == "count"


def test_a_named_arm_that_is_better_is_taken():
    assert choose(comparison([BASE, BETTER, BEST]), HERE, "tight")["name"] == "tight"
    assert choose(comparison(arms()), HERE, "oracle")["verdict"] == "better"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("spread", "undecided: it may be no better"),
        ("blur", "worse than the baseline"),
        ("random", "it is the baseline"),
    ],
)
def test_an_arm_that_is_not_better_is_refused_with_its_verdict_and_what_to_do(name, said):
    with pytest.raises(ArmRefusedError) as caught:
        choose(comparison([BASE, BETTER, BEST, OPEN, WORSE]), HERE, name)
    assert said in str(caught.value)
    assert "promote an arm that is better (count, tight)" in str(caught.value)
    assert f"metricloop promote {name} --anyway -C /data/lions" in str(caught.value)
    assert choose(comparison([BASE, OPEN, WORSE]), HERE, name, anyway=True)["name"] == name


def test_without_a_better_arm_the_highest_gain_is_refused_or_taken_anyway():
    with pytest.raises(ArmRefusedError, match="spread is not promoted"):
        choose(comparison([BASE, OPEN, WORSE]), HERE)
    assert choose(comparison([BASE, OPEN, WORSE]), HERE, anyway=True)["name"] == "spread"


def test_an_arm_whose_labels_changed_is_refused_with_the_command_or_taken_with_a_warning(tmp_path, monkeypatch):
    assert refuse_old_labels(tmp_path, "count") == ""  # nothing is recorded
    (tmp_path / "dvc.lock").write_text("")
    monkeypatch.setattr("metricloop.delivery.choose.load_plan", lambda folder: {})
    monkeypatch.setattr("metricloop.delivery.choose.arms_of_old_labels", lambda folder, plan: ("count",))
    with pytest.raises(ArmRefusedError) as caught:
        refuse_old_labels(tmp_path, "count")
    assert "count is not promoted: the labels, or what count selects, changed since" in str(caught.value)
    assert f"first: metricloop run -C {tmp_path}; or take it as it is, with --anyway" in str(caught.value)
    assert refuse_old_labels(tmp_path, "count", anyway=True).startswith("warning: the labels")
    assert refuse_old_labels(tmp_path, "tight") == ""


SIX = arm("random", "baseline", 0.2, None, None, policy="random", seeds=6)


@pytest.mark.parametrize(
    ("entries", "looks", "way"),
    [
        ([BASE, OPEN | {"goes_on": True}], 1, "go on with the study, which is not finished (6 trials): metricloop"),
        (  # finished: `metricloop run` alone would find nothing to do
            [SIX, arm("spread", "treatment", 0.29, 0.09, "undecided", half=0.08, seeds=6, needed=[8, 12])], 2,
            "8 to 12 seeds would probably decide spread; a look that was not planned is marked: its verdicts "
            "have no guarantee (4 trials): metricloop "
            "run -C /data/lions --set 'looks.arms=[3,6,8]'",
        ),
        ([BASE, WORSE], 2, "find out whether anything should be dropped at all: add the whole pool"),
    ],
)  # fmt: skip
def test_the_way_on_is_that_of_the_table(entries, looks, way):
    with pytest.raises(ArmRefusedError) as caught:
        choose(comparison(entries, looks_taken=looks), HERE)
    assert f"You can {way}" in str(caught.value)


def test_a_study_without_arms_and_an_unknown_arm_are_told():
    with pytest.raises(ArmRefusedError, match="no arm with a metric"):
        choose(comparison([BASE]), HERE)
    with pytest.raises(ArmRefusedError, match="no results of an arm 'tigth'; did you mean 'tight'"):
        choose(comparison([BASE, BETTER]), HERE, "tigth")
