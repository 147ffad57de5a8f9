"""What advice needs of a workspace, read from its files; and which arms were trained on other labels."""

import os

import numpy as np
import pytest
import yaml
from study_fixture import make_study

from metricloop.data.readers import NAMES
from metricloop.data.tables import SCORES, read_table, write_json, write_table
from metricloop.params import load_params
from metricloop.study.background import VAL_PLACES, read_background
from metricloop.study.old_labels import arms_of_old_labels
from metricloop.study.pace import read_pace
from metricloop.study.plan import load_plan
from metricloop.study.time_left import DVC


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study")


def test_the_pace_is_that_of_the_stages_that_ran(study):
    """Two blocks of 3 trials in 35 and 25 s, evaluated in 7 s each; the start is half of 7 s."""
    file = study / ".metricloop/rates/seconds.json"
    params, plan = load_params(study / "params.yaml"), load_plan(study)
    assert read_pace(study, params, plan) is None
    plan["blocks"] = {"random.0": {"arm": "random", "seeds": "0-2"}, "a.0": {"arm": "a", "seeds": "0-2"}}
    seconds = {"ingest": 8.0, "score@x": 3.0, "score@y": 2.0, "compare": 3.0}
    blocks = {"train@random.0": 35.0, "train@a.0": 25.0, "evaluate@random.0": 7.0, "evaluate@a.0": 7.0, "confirm": 90.0}
    write_json(file, seconds | blocks)
    found = read_pace(study, params, plan)
    assert (found.training, found.evaluation) == pytest.approx(((31.5 + 21.5) / 6, (3.5 + 3.5) / 6))
    assert found.block == pytest.approx(2 * (3.5 + DVC))
    assert found.kinds == {"ingest": 8 + DVC, "score": 5 + DVC, "compare": 3 + DVC}  # confirm follows from its trials
    assert read_background(study).pace is not None


def test_what_was_done_in_a_workspace_is_seen(study):
    write_json(study / "data/summary.json", {"splits": {n: {"images": k} for n, k in (("pool", 80), ("search", 20))}})
    found = read_background(study)
    assert (found.audited, found.promoted, found.tested, found.old_labels) == (False, False, None, ())
    assert (found.drawn_split, found.search_share, found.confirms) == (False, 0.15, 24)  # 20 of 100 is not .15
    write_json(study / "audit/audit.json", {})
    write_json(study / "promoted/aliases.json", {})
    change = {"abs": 0.02, "ci95": [-0.01, 0.05], "p": 0.2}
    for reached, told in ((change, "undecided"), (change | {"ci95": [0.01, 0.03], "p": 0.001}, "better")):
        confirmed = {"arms": {"winner": {"arm": "object_count"}}, "gain": {"winner": {"mAP": reached}}}
        write_json(study / "confirmation.json", confirmed)
        assert read_background(study).tested == told
    assert (read_background(study).audited, read_background(study).promoted) == (True, True)
    write_json(study / "confirmation.json", {"arms": {}, "reason": "no metric is better"})  # it stayed closed
    assert read_background(study).tested is None


def test_an_audit_and_out_of_fold_models_of_other_labels_are_seen(study):
    write_json(study / "audit/audit.json", {})
    params = yaml.safe_load((study / "params.yaml").read_text())
    params["data"]["labels"] = "labels/1.json"
    (study / "params.yaml").write_text(yaml.safe_dump(params))
    write_json(study / "labels/1.json", {})
    (study / "data").mkdir(exist_ok=True)
    (study / "data/predictions.parquet").write_bytes(b"")
    for labels, old, folds in ((50, False, 0), (150, True, 0), (250, True, 2)):
        for file, moment in (("audit/audit.json", 100), ("data/predictions.parquet", 200), ("labels/1.json", labels)):
            os.utime(study / file, (moment, moment))
        found = read_background(study)
        assert (found.audited, found.audit_old, found.folds) == (True, old, folds)


@pytest.mark.parametrize(
    ("kind", "finding", "listed"),
    [("class", {"probability": 0.9}, True), ("class", {"probability": 0.01}, False), ("conflict", {"other": "b"}, True),
     ("repeated", {"other": "b", "probability": 1.0}, False), ("leak", {"other": "b"}, False)],
)  # fmt: skip
def test_advice_to_repair_labels_needs_labels_that_are_probably_wrong(study, kind, finding, listed):
    write_json(study / "audit/audit.json", {"suspects": {kind: [finding]}})
    assert read_background(study).audit_listed is listed


def test_a_promoted_detector_of_other_settings_or_labels_is_seen(study):
    iterations = load_params(study / "params.yaml").train.iterations
    write_json(study / "promoted/aliases.json", {"champion": 2})
    lock(study, now="s2")
    for trained, subset, told in (
        (iterations, "s2", ""),
        (30, "s2", f"30 iterations (now {iterations})"),
        (iterations, "s1", "a subset of other images or labels than now"),
        (30, "s1", f"30 iterations (now {iterations}) and a subset of other images or labels than now"),
    ):
        facts = {"arm": "object_count", "subset": {"md5": subset}, "recipe": {"fields": {"iterations": trained}}}
        write_json(study / "promoted/2/detector.json", facts)
        assert read_background(study).promoted_before == told


def test_images_without_a_score_are_counted(study):
    plan = load_plan(study)
    file = study / plan["arms"]["object_count"]["a"]
    table = read_table(file, SCORES)
    images = np.unique(table["image_id"].to_numpy())
    hidden = np.isin(table["image_id"].to_numpy(), images[3:])
    columns = {name: table[name].to_pylist() for name in SCORES.names}
    columns["score"] = np.where(hidden, np.nan, columns["score"])
    write_table(file, SCORES, columns)
    assert read_background(study).scored["object_count"] == (3, len(images))


def lock(folder, pool="p2", read="p2", now="s2", trained="s2"):
    subset = "subsets/object_count.parquet"
    stages = {
        "ingest": {"outs": [{"path": "data/boxes/pool.parquet", "md5": pool}]},
        "select@object_count": {
            "deps": [{"path": "data/boxes/pool.parquet", "md5": read}],
            "outs": [{"path": subset, "md5": now}],
        },
        "train@object_count.0": {"deps": [{"path": subset, "md5": trained}]},
    }
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))


@pytest.mark.parametrize(
    ("digests", "old"),
    [
        ({}, False),
        ({"trained": "s1"}, True),  # the subset was made again, its trials were not
        ({"read": "p1"}, True),  # the labels are others since, and not even the subset was made again
        ({"read": "p1", "pool": "p1"}, False),
    ],
)
def test_an_arm_of_old_labels_is_found_in_the_lock(study, digests, old):
    assert arms_of_old_labels(study, load_plan(study)) == ()  # no lock
    lock(study, **digests)
    assert arms_of_old_labels(study, load_plan(study)) == (("object_count",) if old else ())


def test_every_format_says_where_its_split_val_is():
    assert sorted(VAL_PLACES) == sorted(NAMES)


def test_the_place_of_val_is_that_of_the_format(study):
    file = study / "params.yaml"
    values = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(values | {"data": values["data"] | {"format": "voc"}}))
    assert read_background(study).val_place == "XML files and pictures in a folder named val"
