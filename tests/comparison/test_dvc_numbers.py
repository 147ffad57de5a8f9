"""What `dvc metrics`, `dvc plots` and `dvc exp` show of a comparison, against literal numbers of the fixture."""

import csv
import json

import pytest
from study_fixture import arm, arms, comparison

from metricloop.comparison.dvc_numbers import headline, write_numbers


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_numbers(comparison())
    return tmp_path


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_headline_is_the_better_metric_with_the_highest_gain(written):
    assert json.loads((written / "metrics.json").read_text()) == {
        "winner": "object_count", "mAP": 0.301, "mAR": 0.501, "gain_mAP": 0.07, "p_holm": 0.004,
        "verdict": "1 of 2 better",
    }  # fmt: skip


def test_without_a_better_metric_there_is_no_winner_and_no_number_is_made_up():
    undecided = [entry for entry in arms() if entry["name"] != "object_count"]
    stopped = [{"name": "dark", "mAP": 0.1, "baseline": 0.2}]
    said = headline(comparison(undecided, screened=stopped))
    assert said == dict.fromkeys(("mAP", "mAR", "gain_mAP", "p_holm")) | {"winner": "none", "verdict": "0 of 2 better"}


def test_an_oracle_or_a_worse_metric_is_no_winner():
    worse = arm("blur", "treatment", 0.2, -0.03, "worse", metric="blur")
    assert headline(comparison([arms()[0], worse, arms()[3]]))["winner"] == "none"


def test_each_arm_has_a_file_of_its_own(written):
    assert {path.name for path in (written / "numbers").iterdir()} == {
        "random.json", "object_count.json", "tightness.json", "oracle.json", "inverse.json"
    }  # fmt: skip
    assert json.loads((written / "numbers/random.json").read_text()) == {
        "mAP": 0.231, "mAR": 0.431, "gain_mAP": None, "p_holm": None, "verdict": "baseline"
    }  # fmt: skip
    assert json.loads((written / "numbers/inverse.json").read_text()) == {
        "mAP": 0.171, "mAR": 0.371, "gain_mAP": -0.06, "p_holm": 0.02, "verdict": "worse"
    }  # fmt: skip


def test_a_dropped_arm_leaves_no_file(written):
    write_numbers(comparison(arms()[:2]))
    assert {path.name for path in (written / "numbers").iterdir()} == {"random.json", "object_count.json"}


def test_the_plots_hold_every_gain_with_its_interval_and_every_trial(written):
    gains = {row["arm"]: row for row in rows(written / "plots/gains.csv")}
    assert list(gains) == ["object_count", "tightness", "oracle", "inverse"]  # in the order of the table
    best = arms()[1]["gain"]["mAP"]
    assert (gains["object_count"]["gain_mAP"], gains["object_count"]["verdict"]) == ("0.07", "better")
    assert [float(gains["object_count"][end]) for end in ("low", "high")] == pytest.approx(best["ci95"])
    trials = rows(written / "plots/trials.csv")
    assert len(trials) == 5 * 3
    assert [row["mAP"] for row in trials if row["arm"] == "random"] == ["0.221", "0.231", "0.241"]


def test_a_gain_without_an_interval_has_empty_ends(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entries = arms()[:2]
    entries[1]["gain"]["mAP"]["ci95"] = None
    write_numbers(comparison(entries))
    (row,) = rows(tmp_path / "plots/gains.csv")
    assert (row["low"], row["high"]) == ("", "")
