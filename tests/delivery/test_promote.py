"""Promotion of the tiny study: what is trained and kept, and that nothing is trained twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from tiny_study import metricloop

from metricloop import layout
from metricloop.data.frame import Detections
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.data.seeds import CONFIRM_SEEDS, PROMOTE_SEEDS, STUDY_SEEDS
from metricloop.data.tables import column, read_json, write_json
from metricloop.delivery import promote as module
from metricloop.delivery import torch_detector
from metricloop.delivery.promote import Wish, promote
from metricloop.delivery.promotion_trials import Trial, best_of
from metricloop.delivery.study_facts import ChangedStudyError, check_judged, numbers_on_test, second_metric
from metricloop.delivery.training_subset import larger_subset, own_subset
from metricloop.evaluation.coco import coco_evaluate
from metricloop.params import load_params
from metricloop.study.edit_params import change_params
from metricloop.training.trial import Trained


@pytest.fixture
def here(tiny, monkeypatch) -> Path:
    """The finished tiny study as the current folder, in which nothing is trained on more than one core."""
    monkeypatch.chdir(tiny)
    return tiny


def set_verdict(folder: Path, arm: str, verdict: str) -> None:
    comparison = read_json(folder / layout.COMPARISON)
    next(row for row in comparison["arms"] if row["name"] == arm)["verdict"] = verdict
    write_json(folder / layout.COMPARISON, comparison)


def test_the_seeds_are_those_of_no_trial():
    assert not set(PROMOTE_SEEDS) & {*STUDY_SEEDS, *CONFIRM_SEEDS}


@pytest.mark.parametrize(("wish", "message"), [({"seeds": 0}, "--seeds is 0"), ({"share": 1.5}, "--share is 1.5")])
def test_a_wish_that_cannot_be_met_is_refused(wish, message):
    with pytest.raises(ValueError, match=message):
        Wish(**wish)


def test_the_best_trial_is_kept():
    trials = [Trial(seed, {"mAP": mAP}, 0.5, Trained({}, {}, {}, "")) for seed, mAP in [(1, None), (2, 0.3), (3, 0.3)]]
    assert best_of(trials).seed == 2


def test_promote_on_the_command_line(tiny, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tiny.parent}/other.db")
    set_verdict(tiny, "object_count", "undecided")
    refused = metricloop("promote", "-C", str(tiny))
    assert (refused.returncode, (tiny / "promoted").exists()) == (1, False)
    assert "object_count is not promoted, because its verdict is undecided" in refused.stderr
    done = metricloop("promote", "--anyway", "--seeds", "2", "-C", str(tiny))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("promote object_count: train 2 detectors on its subset, the best is kept: ")
    facts = read_json(tiny / "promoted/1/detector.json")
    assert (facts["arm"], facts["verdict"], facts["anyway"]) == ("object_count", "undecided", True)
    assert list(facts["trials"]) == ["2000", "2001"]
    assert facts["search"] == facts["trials"][str(facts["seed"])]
    assert facts["search"]["mAP"] == max(trial["mAP"] for trial in facts["trials"].values())
    assert facts["test"]["trials"] == 1  # confirm.seeds
    confirmed = read_json(tiny / layout.CONFIRMATION)["arms"]["winner"]
    assert facts["test"]["mAP"] == pytest.approx(confirmed["mAP"][0])
    assert "promoted AGAINST ITS VERDICT" in done.stdout
    assert f"metricloop predict {tiny}/promoted/1 PHOTOS" in done.stdout
    assert "registered at sqlite:///" in done.stdout
    assert (tiny.parent / "other.db").is_file()
    written = (tiny / "promoted/1/weights.pt").stat().st_mtime_ns
    again = metricloop("promote", "--anyway", "--seeds", "2", "-C", str(tiny))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "known already" in again.stdout
    assert "iteration" not in again.stdout
    assert not (tiny / "promoted/2").exists()
    assert (tiny / "promoted/1/weights.pt").stat().st_mtime_ns == written
    tracked = metricloop("track", "-C", str(tiny))
    assert "0 runs made, 0 deleted" in tracked.stdout, tracked.stdout + tracked.stderr
    assert "promoted/1 (object_count, promoted AGAINST ITS VERDICT" in tracked.stdout


def test_the_kept_detector_gives_the_recorded_numbers(here):
    """Read from its folder, run on the picture files of the search split, evaluated: the numbers of detector.json."""
    set_verdict(here, "object_count", "better")
    facts = promote(Wish(seeds=1)).facts
    detector = torch_detector.load(here / "promoted/1", "cpu", threads=1)
    search = load(layout.DATA, load_params().data.folder, "search")
    pictures = [detector.read((search.root / file).read_bytes()) for file in search.file]
    found = [Detections(one.boxes, one.scores, one.labels) for one in detector.detect(pictures)]
    numbers = coco_evaluate(search, found, facts["max_detections"]).numbers
    assert facts["search"] == {"images": len(search), **{name: numbers[name] for name in ("mAP", "mAP50", "mAR")}}
    draw = read_draw(here / layout.subset_file("object_count"), 0)
    assert facts["subset"]["images"] == len(set(draw["image_id"].to_pylist()))
    assert facts["subset"]["boxes"] == draw["use"].to_pylist().count("keep")
    assert (facts["anyway"], facts["classes"], facts["category_ids"]) == (False, ["panda"], [1])


def test_nothing_is_trained_twice(here, monkeypatch):
    set_verdict(here, "object_count", "better")
    first = promote(Wish(seeds=1))
    monkeypatch.setattr(module, "train_all", lambda *_: pytest.fail("trained again"))
    again = promote(Wish(seeds=1))
    assert (first.version, first.made, first.trained) == (1, True, True)
    assert (again.version, again.made, again.trained) == (1, False, False)
    set_verdict(here, "object_count", "undecided")
    other = promote(Wish(seeds=1, anyway=True))  # the study says something else of the same weights: a new version
    assert (other.version, other.made, other.trained) == (2, True, False)
    assert json.loads((here / "promoted/2/detector.json").read_text())["anyway"] is True
    assert (here / "promoted/1/weights.pt").read_bytes() == (here / "promoted/2/weights.pt").read_bytes()
    assert read_json(here / layout.ALIASES) == {"champion": 2, "previous": 1}
    set_verdict(here, "object_count", "better")
    assert promote(Wish(seeds=1)).version == 1
    assert read_json(here / layout.ALIASES) == {"champion": 1, "previous": 2}


def test_numbers_of_the_test_split_belong_to_the_present_subset(here):
    found = numbers_on_test("object_count")
    assert (found["trials"], found["share"]) == (1, 0.25)
    assert found["gain"]["mAP"]["abs"] == read_json(here / layout.CONFIRMATION)["gain"]["winner"]["mAP"]["abs"]
    assert numbers_on_test("random")["gain"] is None  # the baseline itself
    assert numbers_on_test("oracle") is None
    file = here / layout.subset_file("object_count")
    file.write_bytes((here / layout.subset_file("random")).read_bytes())
    assert numbers_on_test("object_count") is None
    (here / layout.CONFIRMATION).unlink()
    assert numbers_on_test("random") is None


@pytest.mark.parametrize("record", [layout.LOCK, layout.FINALISTS])
def test_a_subset_that_the_study_did_not_judge_is_refused(here, record):
    """dvc.lock knows the subset of every arm, finalists.json that of the arms for the test split: each is enough."""
    set_verdict(here, "object_count", "better")
    for name in {layout.LOCK, layout.FINALISTS} - {record}:
        (here / name).unlink()
    check_judged("object_count", own_subset(load_params(), "object_count").md5)
    file = here / layout.subset_file("object_count")
    file.write_bytes((here / layout.subset_file("random")).read_bytes())
    with pytest.raises(ChangedStudyError, match=r"subsets/object_count\.parquet is not the .*metricloop run"):
        promote(Wish(seeds=1))
    assert not (here / "promoted").exists()
    (here / record).unlink()
    check_judged("object_count", own_subset(load_params(), "object_count").md5)  # nothing says what it was


def test_a_subset_that_was_selected_again_and_not_judged_is_refused(here):
    """As after `dvc repro select@ARM` alone: the lock has the new file, the arm's blocks were trained on the former."""
    (here / layout.FINALISTS).unlink()
    lock, file = here / layout.LOCK, layout.subset_file("object_count")
    text = lock.read_text()
    former = own_subset(load_params(), "object_count").md5
    (here / file).write_bytes((here / layout.subset_file("random")).read_bytes())
    new = own_subset(load_params(), "object_count").md5
    content = yaml.safe_load(text)
    content["stages"]["select@object_count"]["outs"][0]["md5"] = new
    lock.write_text(yaml.safe_dump(content))
    assert former in lock.read_text()
    with pytest.raises(ChangedStudyError, match="the verdict of object_count does not hold"):
        check_judged("object_count", new)


def test_two_arms_with_the_same_subset_are_two_detectors(here):
    """A version is never labelled with one arm and the verdict of another."""
    set_verdict(here, "object_count", "better")
    assert promote(Wish(seeds=1)).facts["arm"] == "object_count"
    for name in (layout.LOCK, layout.FINALISTS):
        (here / name).unlink()
    file = here / layout.subset_file("random")
    file.write_bytes((here / layout.subset_file("object_count")).read_bytes())
    other = promote(Wish("random", anyway=True, seeds=1))
    assert (other.version, other.trained) == (2, True)
    assert (other.facts["arm"], other.facts["verdict"], other.facts["anyway"]) == ("random", None, True)


def test_other_settings_than_those_of_the_trials_are_refused(here):
    set_verdict(here, "object_count", "better")
    change_params(here / "params.yaml", ["train.iterations=4"])
    with pytest.raises(ChangedStudyError, match=r"iterations: 3 then, 4 now.*restore params\.yaml"):
        promote(Wish())
    assert not (here / "promoted").exists()


@pytest.mark.parametrize("arm", ["object_count", "random"])
def test_the_same_share_is_the_same_subset(here, arm):
    params = load_params()
    own, made = own_subset(params, arm), larger_subset(params, arm, params.study.budget, range(3))
    for number in range(3):
        first, second = own.draw(number), made.draw(number)
        assert first.drop_columns("draw").equals(second.drop_columns("draw").cast(first.drop_columns("draw").schema))


def test_a_larger_share_holds_more_of_the_pool_by_the_same_policy(here):
    params = load_params()
    own, half, whole = (larger_subset(params, "object_count", share, [0]) for share in (params.study.budget, 0.5, 1.0))
    sets = [set(column(subset.draw(0), "image_id").tolist()) for subset in (own, half, whole)]
    assert sets[0] < sets[1] < sets[2]
    pool = load(layout.DATA, params.data.folder, "pool")
    assert sets[2] == set(pool.image_id.tolist())
    assert len({own.md5, half.md5, whole.md5}) == 3


def test_promotion_on_a_larger_share_keeps_the_subset(here):
    set_verdict(here, "object_count", "better")
    facts = promote(Wish(seeds=1, share=0.5)).facts
    table = pa.parquet.read_table(here / "promoted/1/subset.parquet")
    assert (facts["subset"]["file"], facts["subset"]["share"]) == ("subset.parquet", 0.5)
    assert facts["subset"]["images"] == len(np.unique(column(table, "image_id")))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("scores/labels/spread.parquet", "scores/pixels/noise.parquet", "noise"),
        ("scores/labels/spread.parquet", "scores/labels/spread.parquet", None),
        ("data/boxes.parquet", "data/embeddings.npy", None),
    ],
)
def test_the_second_metric_is_the_one_that_is_combined(tmp_path, a, b, expected):
    entry = {"role": "treatment", "a": a, "b": b, "policy": {"name": "best"}}
    random = {"role": "baseline", "a": "data/boxes.parquet", "b": "data/boxes.parquet", "policy": {"name": "random"}}
    (tmp_path / "arms.yaml").write_text(json.dumps({"arms": {"random": random, "pair": entry}}))
    assert second_metric("pair", tmp_path) == expected
    assert second_metric("dropped", tmp_path) is None
