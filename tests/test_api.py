"""The API of `import metricloop as ml`: the examples in its docstrings, its errors, and agreement with a study."""

from __future__ import annotations

import ast
import doctest
import inspect
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small_dataset
import study_fixture
import yaml

import metricloop as ml
from metricloop import layout
from metricloop.api.data import InputError
from metricloop.api.predictions import BOX
from metricloop.comparison.spreads import Sample, spreads
from metricloop.comparison.statistics import contrast, holm, interval, p_value
from metricloop.data.damage import Corrupt
from metricloop.data.formats import SourceError, read
from metricloop.data.ingest import ingest
from metricloop.drawing.scenes import draw_scenes
from metricloop.runtime.code_digest import closure, file_of
from metricloop.scoring.score_pool import ScoreError
from metricloop.selection.options import PolicyError

FUNCTIONS = [name for name in ml.__all__ if inspect.isfunction(getattr(ml, name))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 drawn scenes, 12 of them to train on."""
    made = tmp_path_factory.mktemp("scenes")
    draw_scenes(made, 24, seed=0, size=96)
    return made


@pytest.fixture(scope="module")
def data(folder) -> ml.Data:
    return ml.read_dataset(folder)


@pytest.fixture
def small() -> ml.Data:
    """Three images with 2, 0 and 1 boxes of two classes; image ids 10, 20, 30 and box ids 0, 1, 2."""
    arrays = small_dataset.make(
        [
            (100, 100, "a", [(10, 10, 30, 30, 0), (50, 50, 90, 90, 1)]),
            (100, 100, "b", []),
            (100, 100, "c", [(0, 0, 50, 50, 0)]),
        ]
    )
    return ml.Data(arrays, pd.DataFrame())


@pytest.fixture
def linked(tmp_path):
    """A data set of 24 scenes whose pictures are a link to a folder elsewhere."""
    draw_scenes(tmp_path / "set", 24, seed=0, size=96)
    (tmp_path / "set/images").rename(tmp_path / "far")
    (tmp_path / "set/images").symlink_to(tmp_path / "far")
    return tmp_path


def test_nothing_outside_the_source_is_read_unless_it_is_allowed(linked):
    with pytest.raises(SourceError, match="set outside if that is meant") as caught:
        ml.read_dataset(linked / "set")
    assert "data.outside" not in str(caught.value)
    whole = ml.read_dataset(linked / "set", outside=True)
    assert len(whole) == 12
    for allowed in (linked / "far", str(linked / "far"), [linked / "far"]):
        assert ml.read_dataset(linked / "set", outside=allowed).images.equals(whole.images)
    with pytest.raises(SourceError):
        ml.read_dataset(linked / "set", outside=[linked / "set"])
    with pytest.raises(InputError, match="gone is not a folder; give folders, True or False"):
        ml.read_dataset(linked / "set", outside=linked / "gone")


def test_one_picture_that_leads_out_is_listed(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "set")
    first = ml.read_dataset(folder).images.file.iloc[0]
    (tmp_path / "set" / first).rename(tmp_path / "private.jpg")
    (tmp_path / "set" / first).symlink_to(tmp_path / "private.jpg")
    data = ml.read_dataset(tmp_path / "set")
    assert len(data) == 11
    assert first not in set(data.images.file)
    assert data.problems.action.str.contains("set outside if that is meant").any()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_examples_in_docstrings_run(name, folder, data):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    names = {"ml": ml, "folder": folder, "data": data}
    with pd.option_context("display.width", 120, "display.max_columns", 20):
        for example in doctest.DocTestFinder().find(getattr(ml, name), name, globs=names):
            output: list[str] = []
            assert runner.run(example, out=output.append).failed == 0, "".join(output)


# --- the package itself


def test_importing_the_package_is_fast_and_loads_no_numpy():
    program = "\n".join(
        [
            "import sys, time",
            "start = time.perf_counter(); import metricloop; took = time.perf_counter() - start",
            "assert not {'numpy', 'pandas', 'torch'} & set(sys.modules), 'numpy'",
            "print(took)",
            "from metricloop import metric",
            "assert not {'pandas', 'pyarrow', 'torch', 'metricloop.api'} & set(sys.modules), sorted(sys.modules)",
        ]
    )
    command = [sys.executable, "-P", "-c", program]
    runs = [subprocess.run(command, check=False, capture_output=True, text=True) for _ in range(3)]
    assert all(done.returncode == 0 for done in runs), runs[0].stderr
    assert min(float(done.stdout) for done in runs) < 0.1


def test_every_public_name_is_listed_once_for_python_and_for_editors():
    tree = ast.parse(Path(ml.__file__).read_text())
    shown = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("metricloop")
        for alias in node.names
    }
    assert shown == ml.HOMES
    assert sorted(ml.HOMES) == ml.__all__
    for name, home in ml.HOMES.items():
        assert getattr(ml, name) is getattr(import_module(home), name)
        assert inspect.getdoc(getattr(ml, name))


def test_no_module_has_the_name_of_a_public_name():
    """Importing such a module would put it in the place of the function."""
    assert [name for name in ml.__all__ if file_of(f"metricloop.{name}")] == []


def test_a_metric_file_that_imports_metric_depends_on_the_contract_and_not_on_the_api():
    names = {path.name for path in closure(["metricloop", "metricloop.metric"])}
    assert "contract.py" in names
    assert not any("/api/" in str(path) for path in closure(["metricloop", "metricloop.metric"]))


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(AttributeError, match="read_dataset"):
        _ = ml.read_datasets


# --- reading, damaging, writing


def test_splits_of_a_source_are_kept_apart(folder):
    sizes = {split: len(ml.read_dataset(folder, split=split)) for split in ("train", "val", "test", "all")}
    assert sizes == {"train": 12, "val": 7, "test": 5, "all": 24}
    assert set(ml.read_dataset(folder, split="all").images["split"]) == {"pool", "search", "test"}


def test_without_splits_every_image_is_read_and_what_is_odd_is_listed(folder, tmp_path):
    whole = ml.read_dataset(folder, split="all")
    whole.to_yolo(tmp_path / "yolo")
    flat = tmp_path / "flat"
    (flat / "images").mkdir(parents=True)
    (flat / "labels").mkdir()
    for link in sorted((tmp_path / "yolo" / "images").glob("*/*.jpg")):
        (flat / "images" / link.name).write_bytes(link.read_bytes())
        label = tmp_path / "yolo" / "labels" / link.parent.name / link.with_suffix(".txt").name
        (flat / "labels" / label.name).write_text(label.read_text())
    (flat / "data.yaml").write_text("train: images\nnames: [panda]\n")
    (flat / "images" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    read_again = ml.read_dataset(flat)
    assert len(read_again) == 24
    assert set(read_again.images["split"]) == {"pool"}
    broken = read_again.problems[read_again.problems["file"] == "images/broken.jpg"]
    assert "picture cannot be read" in broken["problem"].tolist()


def test_a_split_without_images_is_refused(folder, tmp_path):
    only = ml.read_dataset(folder, split="test")
    only.to_coco(tmp_path / "test.json")
    with pytest.raises(InputError, match=r"holds no images of the split 'train'.*it holds: test"):
        ml.read_dataset(tmp_path / "test.json", outside=folder)
    assert len(ml.read_dataset(tmp_path / "test.json", split="test", outside=folder)) == 5


def test_coco_that_was_written_reads_back_the_same(data, folder, tmp_path):
    data.to_coco(tmp_path / "again.json")
    again = ml.read_dataset(tmp_path / "again.json", outside=folder)
    assert [path.name for path in again.paths] == [path.name for path in data.paths]
    np.testing.assert_array_equal(again.arrays.boxes, data.arrays.boxes)
    assert all(path.is_file() for path in again.paths)


def test_tables_show_what_the_arrays_hold(small):
    assert small.images["boxes"].to_dict() == {10: 2, 20: 0, 30: 1}
    assert small.boxes.loc[1].to_dict() == {
        "image_id": 10, "label": "football", "x1": 50, "y1": 50, "x2": 90, "y2": 90, "crowd": False,
    }  # fmt: skip
    assert repr(small) == "Data(3 images, 3 boxes of panda, football)"


def test_damage_is_that_of_a_study(folder):
    """The same boxes, numbers and truth as when a study's data are damaged while they are read."""
    spoilt = ml.damage(ml.read_dataset(folder), "custom", 0.8, seed=3)
    corrupt = Corrupt(preset="custom", strength=0.8, seed=3)
    tables = ingest(read(folder), folder, corrupt=corrupt, assign_splits=False)
    assert len(spoilt.lookalikes) > 0
    rows = [box for box, image in enumerate(tables.boxes["image_id"]) if tables.images["split"][image - 1] == "pool"]
    found = np.stack([tables.boxes[name][rows] for name in ("x1", "y1", "x2", "y2")], axis=1)
    np.testing.assert_array_equal(spoilt.arrays.boxes, found)
    np.testing.assert_array_equal(spoilt.boxes["image_id"], tables.boxes["image_id"][rows])
    assert spoilt.truth["mistake"].value_counts().to_dict() == Counter(tables.truth["mistake"])
    known = dict(zip(tables.truth["box_id"], tables.truth["mistake"], strict=True))
    kept = spoilt.truth.dropna(subset="box_id")
    assert [known[box] for box in kept["box_id"]] == kept["mistake"].tolist()


# --- scores and subsets


def test_scores_by_image_and_by_box(small):
    @ml.metric(level="object", higher_is="worse")
    def width(frame: ml.Frame) -> np.ndarray:
        return frame.boxes[:, 2] - frame.boxes[:, 0]

    scores = ml.score(small, ["object_count", width])
    assert list(scores) == ["object_count", "width"]
    assert scores.images["object_count"].to_dict() == {10: 2, 20: 0, 30: 1}
    assert scores.boxes["width"].to_dict() == {0: 20, 1: 40, 2: 50}
    assert scores["width"].table["file"].tolist() == ["secret/0.jpg", "secret/0.jpg", "secret/2.jpg"]
    assert repr(scores["width"]) == "Score(width: 3 boxes, higher is worse)"


def test_a_metric_that_fails_is_told_or_ends_the_scoring(small):
    @ml.metric(level="image")
    def fails_on_one(frame: ml.Frame) -> float:
        if len(frame.boxes) == 1:
            raise RuntimeError("one box")
        return 1.0

    table = ml.score(small, fails_on_one, max_failures=0.5)["fails_on_one"].table
    assert table["score"].isna().tolist() == [False, False, True]
    assert table["error"][2] == "RuntimeError: one box"
    with pytest.raises(ScoreError, match="fails_on_one"):
        ml.score(small, fails_on_one, max_failures=0.1)


def test_the_direction_is_that_of_the_metric_unless_it_is_given(small):
    @ml.metric(level="image", higher_is="worse")
    def many(frame: ml.Frame) -> float:
        return float(len(frame.boxes))

    many_scores = ml.score(small, many)["many"]
    assert ml.select(many_scores, keep=0.34).images.index.tolist() == [20]
    assert ml.select(many_scores, keep=0.34, direction="higher").images.index.tolist() == [10]
    assert ml.select(many_scores, "inverse", keep=0.34).images.index.tolist() == [10]


def test_a_subset_is_a_data_set_with_its_boxes(small):
    subset = ml.select(ml.score(small, "object_count")["object_count"], keep=0.67)
    assert len(subset) == 2
    assert subset.boxes.index.tolist() == [0, 1, 2]
    assert ml.score(subset, "object_count").images["object_count"].to_dict() == {10: 2, 30: 1}


def test_masked_boxes_come_back_as_crowd_regions(small):
    sizes = ml.score(small, "object_area")["object_area"]
    subset = ml.select(sizes, "drop_worst", keep=1.0, share=0.34, on_drop="mask", direction="higher")
    assert subset.boxes["crowd"].to_dict() == {0: True, 1: False, 2: False}


def test_policies_that_read_no_scores_or_two_or_a_subset_or_the_truth(data):
    scores = ml.score(data, ["object_count", "covered_area"])
    drawn = ml.select(data, "random", keep=0.5, seed=1)
    assert len(drawn) == 6
    assert ml.select(data, "random", keep=0.5, seed=1).paths == drawn.paths
    assert ml.select(data, "random", keep=0.5, seed=2).paths != drawn.paths
    assert len(ml.select(data, "full")) == 12
    both = ml.select(scores["object_count"], keep=0.5, combine="product", second=scores["covered_area"])
    same = ml.select(scores, keep=0.5, objectives={"object_count": 1, "covered_area": 1})
    assert both.paths == same.paths
    matched = ml.select(data, "match", like=both)
    assert sorted(matched.images["boxes"]) == sorted(both.images["boxes"])
    spoilt = ml.damage(data)
    assert len(ml.select(spoilt, "oracle", keep=0.25)) == 3
    assert ml.select(spoilt, "relabelled", keep=0.5, seed=1).paths == drawn.paths
    points = np.eye(12)[:, :8] + 1
    assert len(ml.select(scores["object_count"], "diverse", keep=0.25, embeddings=points)) == 3


def test_relabel_replaces_the_labels_of_the_worst_images(data):
    spoilt = ml.damage(data, "article", 1.0)
    counts = ml.score(spoilt, "object_count")["object_count"]
    whole = ml.select(counts, "relabel", keep=1.0, worst=len(data), direction="higher")
    assert whole.boxes[["x1", "y1"]].values.tolist() == (
        ml.select(spoilt, "relabelled", keep=1.0).boxes[["x1", "y1"]].values.tolist()
    )
    assert ml.select(counts, "relabel", keep=1.0, worst=1, direction="higher").truth is None
    with pytest.raises(PolicyError, match=f"worst is {len(data) + 1}"):
        ml.select(counts, "relabel", worst=len(data) + 1, direction="higher")


def test_relabelled_data_has_no_mistakes_left(data):
    spoilt = ml.damage(data, "article", 1.0)
    assert spoilt.truth["mistake"].ne("none").any()
    repaired = ml.select(spoilt, "relabelled", keep=1.0)
    assert sorted(map(tuple, repaired.boxes.to_numpy())) == sorted(map(tuple, data.boxes.to_numpy()))
    assert repaired.truth is None
    with pytest.raises(InputError, match="oracle reads the truth"):
        ml.select(repaired, "oracle")


def test_a_class_may_be_given_as_a_string(folder):
    assert ml.read_dataset(folder, classes="panda").class_names == ("panda",)


# --- audit, evaluate, compare


def test_the_audit_uses_predictions_and_tells_the_truth(data):
    spoilt = ml.damage(data, "article", 1.0)
    found = data.boxes.assign(score=0.9)
    table = ml.audit(spoilt, predictions=found, least=0)
    assert {"spurious", "placed", "missing"} <= set(table["kind"])
    missing = table[table["kind"] == "missing"]
    assert missing["box_id"].isna().all()
    assert (table["place"].diff().dropna() >= 0).all()
    first = table[table["kind"] == "missing"].iloc[0]
    assert first["truth"] == "missing"
    assert first["model_label"] == "panda"


@pytest.mark.parametrize("form", ["table by file", "table by id", "names", "detections"])
def test_predictions_in_every_form(small, form):
    boxes = small.boxes.assign(score=[0.9, 0.8, 0.7], label=[0, 1, 0])
    forms = {
        "table by id": boxes,
        "table by file": boxes.assign(file=[small.images["file"][image] for image in boxes["image_id"]]),
        "names": boxes.assign(label=["panda", "football", "panda"]),
        "detections": {
            int(image): ml.Detections(own[BOX].to_numpy(), own["score"].to_numpy(), own["label"].to_numpy())
            for image, own in boxes.groupby("image_id")
        },
    }
    made = ml.evaluate(forms[form], small)
    assert made.table.to_numpy().tolist() == [[1.0] * 3] * 3


def test_evaluation_by_class(small):
    """The only football is found at IoU 32/40 = 0.8: a hit at 7 of 10 thresholds. One panda of two is found."""
    rows = [(10, 50, 50, 82, 90, 0.9, "football"), (10, 10, 10, 30, 30, 0.8, "panda")]
    table = ml.evaluate(pd.DataFrame(rows, columns=["image_id", "x1", "y1", "x2", "y2", "score", "label"]), small).table
    assert table.loc["football"].round(6).to_dict() == {"mAP": 0.7, "mAP50": 1.0, "mAR": 0.7}
    # half of the pandas is found without an error: precision 1 at 51 of 101 recall levels
    assert table.loc["panda"].round(3).to_dict() == {"mAP": 0.505, "mAP50": 0.505, "mAR": 0.5}
    assert table.loc["all", "mAR"] == pytest.approx(0.6)


def test_comparing_plain_numbers():
    """As metricloop/comparison/statistics.py tests them, without a part of the error for the choice of images."""
    arms = {"sharp": [0.32, 0.36, 0.35], "random": [0.30, 0.32, 0.32, 0.31], "same": [0.31, 0.30, 0.33]}
    table = ml.compare(arms)
    assert table.index.tolist() == ["random", "sharp", "same"]
    samples = {arm: Sample(np.array(own), np.array([own, own])) for arm, own in arms.items()}
    spread = spreads(samples, ["sharp", "same"], ["random"])
    gains = {arm: contrast({arm: 1, "random": -1}, samples, spread, 2) for arm in ("sharp", "same")}
    for arm, gain in gains.items():
        assert gain.image_part[0] == 0
        low, high = interval(gain)
        told = table.loc[arm, ["gain", "low", "high", "p"]].astype(float)
        assert told.tolist() == pytest.approx([gain.mean, low, high, p_value(gain)])
    sharp = table.loc["sharp"]
    assert sharp["gain"] == pytest.approx(1.03 / 3 - 0.3125)
    assert sharp["gain_relative"] == pytest.approx(1.03 / 3 / 0.3125 - 1)
    assert sharp["p_holm"] == pytest.approx(2 * sharp["p"])
    assert sharp["verdict"] == "undecided"
    assert table["verdict"].isna()["random"]
    alone = ml.compare({"random": [0.3, 0.31], "sharp": [0.4]}).loc["sharp"]
    assert (alone["verdict"], alone[["low", "high", "p"]].isna().all()) == ("undecided", True)


def test_comparing_evaluations_covers_the_choice_of_test_images(folder):
    val = ml.read_dataset(folder, split="val")

    def found(seed: int, noise: float) -> ml.Evaluation:
        boxes = val.boxes.assign(score=0.9)
        shift = np.random.default_rng(seed).normal(0, noise, len(boxes))
        return ml.evaluate(boxes.assign(x1=boxes["x1"] + shift, x2=boxes["x2"] + shift), val)

    arms = {"random": [found(0, 3)] * 3, "sharp": [found(1, 1)] * 3}  # seeds do not differ at all
    over_images = ml.compare(arms).loc["sharp"]
    over_seeds = ml.compare({arm: [made.mAP for made in own] for arm, own in arms.items()}).loc["sharp"]
    assert over_images["gain"] == pytest.approx(over_seeds["gain"])
    assert over_seeds["high"] == pytest.approx(over_seeds["low"])
    assert over_images["high"] - over_images["low"] > 0.01
    assert over_images["p"] > 1e-6 > over_seeds["p"]


def test_evaluations_of_uneven_seeds_are_tested_with_all_of_them(folder):
    """Two seeds of one arm, three of another, four of the baseline: the means are of all."""
    val = ml.read_dataset(folder, split="val")
    noise = np.random.default_rng(0)

    def found(width: float) -> ml.Evaluation:
        shift = noise.normal(0, width, len(val.boxes))
        return ml.evaluate(val.boxes.assign(score=0.9, x1=val.boxes["x1"] + shift, x2=val.boxes["x2"] + shift), val)

    arms = {
        "random": [found(3) for _ in range(4)],
        "a": [found(1) for _ in range(2)],
        "b": [found(3) for _ in range(3)],
    }
    table = ml.compare(arms)
    assert table["seeds"].tolist() == [4, 2, 3]
    means = {arm: np.mean([made.mAP for made in own]) for arm, own in arms.items()}
    assert table["gain"].tolist()[1:] == pytest.approx([means["a"] - means["random"], means["b"] - means["random"]])
    assert table["p"].notna().tolist() == [False, True, True]
    assert table["p_holm"].tolist()[1:] == pytest.approx(holm(table["p"].tolist()[1:]))


def test_a_collapsed_trial_says_nothing_about_other_arms():
    """`odd` has a trial near 0: the interval of `calm` is as if `odd` were not there. Of negative numbers none is "next
    to nothing", so that the scatter of `odd` counts."""
    calm, odd = [0.32, 0.33, 0.34], [0.30, 0.31, 0.01]
    base = [0.30, 0.31, 0.32, 0.30]
    without = ml.compare({"random": base, "calm": calm}).loc["calm", "high"]
    with_odd = ml.compare({"random": base, "calm": calm, "odd": odd}).loc["calm", "high"]
    assert with_odd == pytest.approx(without)
    lower = {"random": base, "calm": calm, "odd": odd}
    lower = {arm: [number - 1 for number in own] for arm, own in lower.items()}
    assert ml.compare(lower).loc["calm", "high"] > with_odd


def test_a_table_with_uneven_seeds_compares_as_the_numbers_do():
    arms = {"random": {0: 0.30, 1: 0.32, 2: 0.32}, "sharp": {1: 0.36, 2: 0.35, 3: 0.38}, "same": {0: 0.31, 1: 0.30}}
    made = ml.compare(arms)
    assert made["seeds"].to_dict() == {"random": 3, "sharp": 3, "same": 2}
    assert made.loc["sharp", "gain"] == pytest.approx(1.09 / 3 - 0.94 / 3)  # all seeds of both
    assert made.loc["sharp", "p"] < 0.05
    table = pd.DataFrame(arms)
    assert table.isna().any().all()
    pd.testing.assert_frame_equal(ml.compare(table), made)
    pd.testing.assert_frame_equal(ml.compare({arm: table[arm] for arm in table}), made)
    pd.testing.assert_frame_equal(ml.compare(table.to_dict()), made)
    pd.testing.assert_frame_equal(ml.compare(table.convert_dtypes()), made)


@pytest.mark.parametrize("change", ["damaged labels", "other ids", "other classes", "other images"])
def test_evaluations_on_different_data_are_not_compared(data, change):
    own = data.arrays
    other = {
        "damaged labels": ml.damage(data, "article", 1.0),
        "other ids": replace(data, arrays=replace(own, image_id=own.image_id + 100)),
        "other classes": replace(data, arrays=replace(own, class_names=("lion",))),
        "other images": replace(data, arrays=replace(own, sha256=own.sha256[::-1])),
    }[change]
    found = {name: ml.Detections.empty() for name in data.images["file"]}
    here, there = ml.evaluate(found, data), ml.evaluate(found, other)
    what = "images" if change in ("other ids", "other images") else "labels"
    with pytest.raises(InputError, match=f"sharp, seed 1, was evaluated on other {what} than random"):
        ml.compare({"random": [here, here], "sharp": [here, there]})


# --- a study


def test_the_direction_of_a_metric_outside_the_catalogue_is_that_of_its_arms(tmp_path):
    folder = study_fixture.make_study(tmp_path / "study")
    scores = folder / "scores" / "labels"
    for name in ("unused", "low", "by_default", "both"):
        (scores / f"{name}.parquet").write_bytes((scores / "object_count.parquet").read_bytes())
    plan = yaml.safe_load((folder / "arms.yaml").read_text())
    uses = [
        ("low", {"name": "best", "direction": "lower"}),
        ("by_default", {"name": "best"}),
        ("both", {"name": "best", "direction": "higher"}),
        ("both", {"name": "best", "direction": "lower"}),
    ]
    for n, (metric, policy) in enumerate(uses):
        plan["arms"][f"arm_{n}"] = {**plan["arms"]["object_count"], "metric": metric, "policy": policy}
    (folder / "arms.yaml").write_text(yaml.safe_dump(plan))
    study = ml.open_study(folder)
    directions = {name: study.scores(name).higher_is for name in ("unused", "low", "by_default", "both")}
    assert directions == {"unused": None, "low": "worse", "by_default": "better", "both": None}
    unused = study.scores("unused")
    assert repr(unused) == "Score(unused: 32 images, direction unknown)"
    with pytest.raises(InputError, match="the direction of unused is unknown; pass direction='higher'"):
        ml.select(unused)
    assert len(ml.select(unused, direction="lower")) == 8


def test_the_command_that_a_message_names_can_be_copied(tmp_path):
    folder = study_fixture.make_study(tmp_path / "my study")
    (folder / layout.COMPARISON).unlink()
    with pytest.raises(InputError, match=r"metricloop run -C '.*my study'$"):
        _ = ml.open_study(folder).comparison


def test_a_comparison_of_another_version_is_refused_with_what_to_do(tmp_path):
    folder = study_fixture.make_study(tmp_path / "study")
    (folder / layout.COMPARISON).write_text('{"study": "drawn", "arms": []}')
    with pytest.raises(InputError, match=r"written by another version.*compute it again with: metricloop run -C "):
        _ = ml.open_study(folder).comparison


def test_a_study_opens_as_tables(tmp_path):
    study = ml.open_study(study_fixture.make_study(tmp_path / "study"))
    assert study.comparison.loc["object_count", "gain"] == 0.07
    row = study.comparison.loc["tightness"]
    assert (row["seeds_needed"], row["seeds_needed_high"], row["shrunken_gain"]) == (14, 20, 0.0088)
    assert study.comparison["seeds_needed"].isna().sum() == 4
    assert (row["seeds"], row["baseline_seeds"], study.comparison.isna().loc["random", "baseline_seeds"]) == (
        3,
        3,
        True,
    )
    assert study.comparison.loc["inverse", ["group", "boxes_ratio"]].tolist() == [None, 1.0]
    assert sorted(study.comparison.index) == sorted(study.arms.index)
    assert study.arms.loc["inverse", "role"] == "control"
    assert len(study.pool) == 32
    assert set(study.pool.truth["mistake"]) == {"none", "moved"}
    subset = study.subset("object_count", seed=2)
    assert len(subset) == 8
    assert set(subset.boxes.index) < set(study.pool.boxes.index)
    counts = study.scores("object_count")
    assert counts.level == "image"
    assert counts.values.dropna().to_dict() == study.pool.images["boxes"].iloc[:-1].to_dict()
    assert study.scores("tightness").level == "object"
    assert len(ml.select(counts, keep=0.25)) == 8


# --- nothing is written, and wrong names are answered with the nearest one


def test_nothing_is_written(folder, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(path for path in folder.rglob("*"))
    ml.audit(ml.damage(ml.read_dataset(folder)))
    ml.select(ml.score(data, "sharpness")["sharpness"])
    assert sorted(path for path in folder.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda folder, data: ml.read_dataset(folder / "lyons"), InputError, "lyons does not exist"),
        (lambda folder, data: ml.read_dataset(folder, format="coc"), InputError, "format 'coc'.*'coco'"),
        (lambda folder, data: ml.read_dataset(folder, classes=["pandas"]), InputError, "class 'pandas'.*'panda'"),
        (lambda folder, data: ml.read_dataset(folder, split="vall"), InputError, "split 'vall'.*'val'"),
        (lambda folder, data: ml.score(data, "sharpnes"), InputError, "metric 'sharpnes'.*'sharpness'"),
        (lambda folder, data: ml.score(data, "object_count")["objct_count"], KeyError, "object_count"),
        (lambda folder, data: ml.select(data, "randm"), PolicyError, "'randm'.*'random'"),
        (lambda folder, data: ml.select(data, "random", per_grup=1), PolicyError, "'per_grup'.*'per_group'"),
        (lambda folder, data: ml.select(data, "random", keep=25), InputError, "keep=25"),
        (lambda folder, data: ml.select(data, "oracle"), InputError, "truth"),
        (lambda folder, data: ml.select(ml.read_dataset(folder, split="all")), InputError, "pool, search, test"),
        (lambda folder, data: ml.select(data, "best"), PolicyError, "needs scores"),
        (lambda folder, data: ml.damage(data, "artcle"), InputError, "'artcle'.*'article'"),
        (lambda folder, data: ml.damage(data, strength=2), InputError, "strength=2"),
        (lambda folder, data: ml.score(data, "possible_missing"), InputError, "pass predictions="),
        (lambda folder, data: ml.evaluate(data.boxes, data), InputError, "no column score"),
        (lambda folder, data: ml.evaluate(data.boxes.assign(score=1.0, label="pand"), data), InputError, "'panda'"),
        (lambda folder, data: ml.compare({"rand": [1.0], "a": [1.0]}, "random"), InputError, "'rand'"),
        (lambda folder, data: ml.compare({"random": {1: 1.0}, "a": []}), InputError, "a has no number; give one per"),
        (lambda folder, data: ml.compare({"random": [1.0], "a": [np.nan]}), InputError, "a has no number"),
        (lambda folder, data: ml.compare({"random": [], "a": [1.0]}), InputError, "random has no number"),
        (lambda folder, data: ml.compare({"random": [1.0], "a": [2.0]}, alpha=2), InputError, "alpha=2; it must lie"),
        (lambda folder, data: ml.compare({"random": [1.0], "a": [2.0]}, alpha=0), InputError, "alpha=0"),
        (lambda folder, data: ml.compare(None), InputError, "NoneType; give {arm: numbers}, or a table"),
        (lambda folder, data: ml.compare([0.3]), InputError, "list; give {arm: numbers}, or a table"),
        (lambda folder, data: ml.compare({"random": None}), InputError, "random is a NoneType; .*{seed: number}"),
        (lambda folder, data: ml.compare({"random": 0.3}), InputError, "random is a float; .*{seed: number}"),
        (lambda folder, data: ml.compare({"random": {3: None}}), InputError, "random, seed 3, is a NoneType; .*number"),
        (lambda folder, data: ml.compare({"random": ["x"]}), InputError, "random, seed 0, is a str; give a number"),
        (lambda folder, data: ml.select(data, "random", seed=10**12), InputError, "seed=1000000000000; .* 2147483647"),
        (lambda folder, data: ml.select(data, "random", seed=-(2**31)), InputError, "seed=-2147483648"),
        (lambda folder, data: ml.select(data, "random", seed=0.5), InputError, "seed=0.5; it must be an integer"),
        (lambda folder, data: ml.audit(data, most=-1), InputError, "most=-1; it must be at least 1"),
        (lambda folder, data: ml.audit(data, least=float("nan")), InputError, "least=nan; it is a probability, 0 to 1"),
        (lambda folder, data: ml.audit(data, least=-1), InputError, "least=-1; it is a probability, 0 to 1"),
        (lambda folder, data: ml.audit(data, least=2), InputError, "least=2; it is a probability, 0 to 1"),
        (lambda folder, data: ml.audit(data, most=0), InputError, "most=0"),
        (lambda folder, data: ml.read_dataset(folder, classes=["panda"] * 2), InputError, "'panda' more than once"),
        (lambda folder, data: ml.read_dataset(folder, classes="pandas"), InputError, "class 'pandas'.*'panda'"),
        (lambda folder, data: ml.evaluate(
            data.boxes.assign(score=1.0, image_id=data.boxes.image_id.astype(float)), data
        ), InputError, r"image_id 1\.0 \(float64\); it must be an integer"),
        (lambda folder, data: ml.evaluate(
            data.boxes.assign(score=1.0, image_id=data.boxes.image_id.where(data.boxes.image_id > 1)), data
        ), InputError, "predictions have 2 rows without image_id"),
        (lambda folder, data: ml.evaluate(None, data), InputError, "predictions are a NoneType; give a table"),
        (lambda folder, data: ml.select(data, "random", distinct="looks", embeddings=np.ones((3, 2))), InputError,
         r"shape \(3, 2\); it must be \(12, d\), in the order of data.images"),
        (lambda folder, data: ml.score(data, "typicality", embeddings=np.ones(16)), InputError, r"shape \(16,\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_the_nearest_name(call, error, said, folder, data):
    with pytest.raises(error, match=said):
        call(folder, data)


def test_the_page_about_the_api_is_up_to_date():
    """After a change of a docstring: python -P scripts/make_api_docs.py"""
    root = Path(__file__).parents[1]
    spec = spec_from_file_location("make_api_docs", root / "scripts" / "make_api_docs.py")
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (root / "docs" / "api.md").read_text() == script.page()
