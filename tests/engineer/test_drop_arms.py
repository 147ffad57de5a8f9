"""An arm whose scores failed leaves the study, and the journal says which metric it was, and why."""

import pytest

from metricloop.data.tables import FAILED, SUBSET, read_yaml, write_json, write_table
from metricloop.engineer.drop_arms import (
    drop_failed_arms,
    failed_arms,
    failed_file,
    read_failures,
    without_failed_arms,
)
from metricloop.llm.journal import Journal
from metricloop.study.plan import replace_rounds

OWN, PARTNER, FINE = (
    "scores/round1-pool/own.parquet",
    "scores/round1-model/partner.parquet",
    "scores/labels/fine.parquet",
)


@pytest.mark.parametrize(
    ("a", "b", "failed"),
    [
        (OWN, OWN, OWN),
        (OWN, FINE, OWN),
        (FINE, OWN, OWN),  # the partner alone
        (PARTNER, OWN, PARTNER),  # both: its own metric is named
        (FINE, FINE, None),
    ],
)
def test_what_failed_of_an_arm_is_its_own_metric_before_its_partner(a, b, failed):
    assert failed_file({"a": a, "b": b}, {OWN: "x", PARTNER: "y"}) == failed


@pytest.mark.parametrize(
    ("objectives", "a", "b", "failed"),
    [
        ("own, fine", "scores/round1-pool", "scores/labels", OWN),
        ("fine, partner -1", "scores/labels", "scores", PARTNER),
        ("fine, partner -1", "scores/labels", "scores/round1-pool", None),  # the partner of another folder
        ("fine, size", "scores/labels", "scores", None),
    ],
)
def test_of_several_objectives_the_one_that_failed_is_found_in_its_folder(objectives, a, b, failed):
    arm = {"a": a, "b": b, "policy": {"name": "best", "objectives": objectives}}
    assert failed_file(arm, {OWN: "x", PARTNER: "y"}) == failed


@pytest.fixture
def study(tmp_path):
    """Two batches with a failed metric each; arms that read one or none of them, and one that nobody suggested."""
    write_json(tmp_path / "scores/round1-pool/failed.json", {"own": "MemoryError"})
    write_json(tmp_path / "scores/round1-model/failed.json", {"partner": "ValueError: no"})
    files = {"alone": (OWN, OWN), "with_known": (FINE, PARTNER), "sound": (FINE, FINE), "by_hand": (OWN, OWN)}
    rounds = {
        "batches": {"round1-pool": {}, "round1-model": {}},
        "arms": {name: {"a": a, "b": b} for name, (a, b) in files.items()},
        "blocks": {f"{name}.0": {"arm": name} for name in files},
    }
    replace_rounds(rounds, tmp_path)
    journal = Journal(tmp_path)
    for name, metric in {"alone": "own", "with_known": "fine", "sound": "fine"}.items():
        journal.add("accepted", round=1, suggestion=name, metric=metric)
    return tmp_path


def test_the_journal_names_the_metric_that_failed_and_not_the_sound_one_beside_it(study):
    assert read_failures(study) == {OWN: "MemoryError", PARTNER: "ValueError: no"}
    drop_failed_arms(study)
    told = [(e["round"], e["suggestion"], e["metric"], e["reason"]) for e in Journal(study).about("dropped")]
    assert told == [(1, "alone", "own", "MemoryError"), (1, "with_known", "partner", "ValueError: no")]
    left = read_yaml(study / "rounds.yaml")
    assert list(left["arms"]) == ["sound"]
    assert list(left["blocks"]) == ["sound.0"]
    assert list(left["batches"]) == ["round1-pool", "round1-model"]


def test_a_control_of_a_dropped_arm_goes_with_it():
    arms = {
        "idea": {"a": OWN, "b": OWN},
        "idea_control": {"a": "data/images.parquet", "b": "subsets/idea.parquet", "policy": {"name": "match"}},
        "sound": {"a": FINE, "b": FINE},
        "sound_control": {"a": "data/images.parquet", "b": "subsets/sound.parquet", "policy": {"name": "match"}},
    }
    rounds = {"arms": arms, "blocks": {f"{name}.0": {"arm": name} for name in arms}}
    left, lost = without_failed_arms(rounds, {OWN: "MemoryError"})
    assert lost == {"idea": "MemoryError", "idea_control": "MemoryError"}
    assert list(left["blocks"]) == ["sound.0", "sound_control.0"]


def test_an_arm_without_a_subset_leaves_with_its_control_and_the_reason_names_no_metric(tmp_path, capsys):
    arms = {
        "narrow": {"a": FINE, "b": FINE},
        "narrow_control": {"a": "data/images.parquet", "b": "subsets/narrow.parquet"},
        "sound": {"a": FINE, "b": FINE},
    }
    replace_rounds({"arms": arms, "blocks": {f"{name}.0": {"arm": name} for name in arms}}, tmp_path)
    Journal(tmp_path).add("accepted", round=2, suggestion="narrow", metric="fine")
    for name, stamp in {"narrow": {FAILED: "leaves 3 of 9"}, "sound": {}}.items():
        write_table(tmp_path / f"subsets/{name}.parquet", SUBSET, dict.fromkeys(SUBSET.names, ()), stamp)
    assert failed_arms(tmp_path) == {"narrow": "leaves 3 of 9", "narrow_control": "leaves 3 of 9"}
    drop_failed_arms(tmp_path)
    assert list(read_yaml(tmp_path / "rounds.yaml")["arms"]) == ["sound"]
    (event,) = Journal(tmp_path).about("dropped")
    assert (event["suggestion"], event["metric"], event["reason"]) == ("narrow", None, "leaves 3 of 9")
    assert "narrow: dropped, because it has no subset: leaves 3 of 9\n" in capsys.readouterr().out
    assert failed_arms(tmp_path) == {}  # the files are still there


def test_dropping_again_changes_nothing(study, capsys):
    drop_failed_arms(study)
    before, events = (study / "rounds.yaml").read_text(), Journal(study).events
    assert capsys.readouterr().out.count("dropped, because") == 3
    drop_failed_arms(study)
    assert (study / "rounds.yaml").read_text() == before
    assert Journal(study).events == events
    assert capsys.readouterr().out == ""


def test_where_nothing_failed_nothing_is_written(tmp_path):
    drop_failed_arms(tmp_path)
    assert list(tmp_path.iterdir()) == []
