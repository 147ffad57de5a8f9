"""One pass over the pool: every picture decoded at most once, every failure kept with its image."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest

from metricloop.data.frame import Detections
from metricloop.data.loading import assemble
from metricloop.data.pool import read_pool
from metricloop.data.tables import (
    BOXES,
    IMAGES,
    PREDICTIONS,
    SCORES,
    UNSAFE,
    read_json,
    read_table,
    stamp_of,
    write_json,
    write_table,
)
from metricloop.metrics.catalogue.agreement import label_agreement, object_confidence
from metricloop.metrics.catalogue.fit import box_tightness, edge_support
from metricloop.metrics.catalogue.geometry import aspect_ratio
from metricloop.metrics.catalogue.labels import object_count
from metricloop.metrics.contract import metric
from metricloop.params import check_params
from metricloop.runtime.code_digest import HOME
from metricloop.scoring import metric_inputs
from metricloop.scoring.batch import InProcessBatch
from metricloop.scoring.metric_inputs import MetricInputs, read_predictions
from metricloop.scoring.open_metrics import open_batch
from metricloop.scoring.score_in_parts import CHUNK_PIXELS, _parts
from metricloop.scoring.score_pool import ScoreError, patience, score_pool
from metricloop.tasks.score import arguments

# three images: two boxes, none, one
IMAGES_ROWS = {
    "image_id": [1, 2, 3],
    "file": ["a.png", "b.png", "c.png"],
    "sha256": [None] * 3,
    "width": [40] * 3,
    "height": [30] * 3,
    "group": ["a", "b", "c"],
    "split": ["pool"] * 3,
}
BOX_ROWS = {
    "box_id": [10, 11, 12],
    "image_id": [1, 1, 3],
    "x1": [0, 10, 5],
    "y1": [0, 5, 5],
    "x2": [20, 20, 25],
    "y2": [10, 25, 25],
    "label": [0, 0, 0],
    "crowd": [False] * 3,
}


@pytest.fixture
def decoded(monkeypatch):
    """Pictures from memory in place of files; the names asked for are collected."""
    names = []

    def read(path, sha256=None, reduction=1):
        names.append(path.name)
        return np.full((30, 40, 3), 100, np.uint8)

    monkeypatch.setattr(metric_inputs, "read_picture", read)
    return names


@pytest.fixture
def pool():
    return assemble(pa.table(IMAGES_ROWS, IMAGES), pa.table(BOX_ROWS, BOXES), ("cat",), Path("pictures"))


def test_image_scores_have_a_row_per_image_and_object_scores_one_per_box(pool, decoded):
    tables = score_pool(
        pool,
        InProcessBatch(
            (
                object_count,
                aspect_ratio,
            )
        ),
    )
    assert {name: list(values) for name, values in tables["object_count"].items()} == {
        "image_id": [1, 2, 3],
        "box_id": [None, None, None],
        "score": [2.0, 0.0, 1.0],
        "error": [None, None, None],
    }
    assert {name: list(values) for name, values in tables["aspect_ratio"].items()} == {
        "image_id": [1, 1, 3],
        "box_id": [10, 11, 12],
        "score": [2.0, 0.5, 1.0],
        "error": [None, None, None],
    }
    assert decoded == []  # labels are all that was needed


def test_a_picture_is_decoded_once_for_all_metrics_and_only_where_there_is_something_to_score(pool, decoded):
    score_pool(
        pool,
        InProcessBatch(
            (
                object_count,
                box_tightness,
                edge_support,
            )
        ),
    )
    assert decoded == ["a.png", "c.png"]


def test_an_image_that_nothing_was_predicted_on_counts_as_predicted_empty(pool):
    found = {1: Detections(np.float32([[0, 0, 20, 10]]), np.float32([0.5]), np.array([0]))}
    tables = score_pool(
        pool,
        InProcessBatch(
            (
                object_confidence,
                label_agreement,
            )
        ),
        found,
    )
    # the second box shares 50 of 350 pixels with the prediction
    np.testing.assert_allclose(tables["object_confidence"]["score"], [0.5, 0.5 / 7, 0.0])
    np.testing.assert_allclose(tables["label_agreement"]["score"], [(0.5 + 0.5 / 7) / 2, np.nan, 0.0])


def test_predictions_that_are_needed_and_not_given_are_asked_for():
    with pytest.raises(ScoreError, match=r"needs: data/predictions\.parquet"):
        score_pool(None, InProcessBatch((object_confidence,)))


@metric(level="image", needs=("image",))
def picky(frame):
    if frame.image_id == 2:
        raise RuntimeError("no boxes here")
    return 1.0


def test_one_failure_is_kept_with_its_image_and_hurts_no_other_metric(pool, decoded):
    tables = score_pool(
        pool,
        InProcessBatch(
            (
                picky,
                object_count,
            )
        ),
        max_failures=0.4,
    )
    np.testing.assert_array_equal(tables["picky"]["score"], [1, np.nan, 1])
    assert list(tables["picky"]["error"]) == [None, "RuntimeError: no boxes here", None]
    assert list(tables["object_count"]["error"]) == [None] * 3


def test_too_many_failures_end_the_batch_and_name_the_first(pool, decoded):
    with pytest.raises(ScoreError, match=r"picky failed on 1 of .*3 images(?s:.*)b\.png: RuntimeError: no boxes here"):
        score_pool(pool, InProcessBatch((picky,)), max_failures=0.3)


def test_an_unreadable_picture_fails_the_metrics_that_need_it_and_no_other(pool, monkeypatch):
    def read(path, sha256=None, reduction=1):
        if path.name == "c.png":
            raise ValueError(f"{path} is truncated")
        return np.zeros((29 if path.name == "b.png" else 30, 40, 3), np.uint8)

    monkeypatch.setattr(metric_inputs, "read_picture", read)
    tables = score_pool(
        pool,
        InProcessBatch(
            (
                box_tightness,
                picky,
                object_count,
            )
        ),
        max_failures=0.7,
    )
    assert list(tables["box_tightness"]["error"]) == [None, None, "ValueError: pictures/c.png is truncated"]
    assert "listed as 40 x 30" in tables["picky"]["error"][1]
    assert list(tables["object_count"]["score"]) == [2, 0, 1]


def test_a_metric_cannot_change_what_the_next_one_sees(pool, decoded):
    @metric(level="object")
    def vandal(frame):
        frame.boxes[:] = 0
        return np.zeros(len(frame.boxes))

    tables = score_pool(
        pool,
        InProcessBatch(
            (
                vandal,
                aspect_ratio,
            )
        ),
        max_failures=1,
    )
    assert tables["vandal"]["error"][0].startswith("ValueError")
    assert list(tables["aspect_ratio"]["score"]) == [2.0, 0.5, 1.0]
    assert pool.boxes.max() == 25


def test_a_dataset_metric_is_called_once(pool):
    calls = []

    @metric(level="object", scope="dataset")
    def rank(pool):
        calls.append(pool)
        return np.arange(len(pool.boxes))

    tables = score_pool(
        pool,
        InProcessBatch(
            (
                rank,
                object_count,
            )
        ),
    )
    assert calls == [pool]
    assert list(tables["rank"]["score"]) == [0, 1, 2]
    assert list(tables["rank"]["box_id"]) == [10, 11, 12]


def test_progress_ends_at_the_number_of_images(pool):
    @metric(level="image")
    def nothing(frame):
        return 0.0

    seen = []
    score_pool(pool, InProcessBatch((nothing,)), progress=lambda done, images: seen.append((done, images)))
    assert seen[-1] == (3, 3)


def test_predictions_are_read_by_image(tmp_path):
    columns = {"image_id": [3, 1, 3], "score": [0.1, 0.2, 0.3], "label": [0, 1, 0]}
    coordinates = {"x1": [1, 2, 3], "y1": [0] * 3, "x2": [9] * 3, "y2": [9] * 3}
    write_table(tmp_path / "p.parquet", PREDICTIONS, columns | coordinates)
    found = read_predictions(tmp_path / "p.parquet")
    assert sorted(found) == [1, 3]
    np.testing.assert_array_equal(found[3].boxes[:, 0], [1, 3])
    np.testing.assert_allclose(found[3].scores, [0.1, 0.3])


@pytest.fixture
def workspace(tmp_path):
    """A workspace with 40 noise pictures, two held-out ones, a crowd, and a hostile package beside our names."""
    rng = np.random.default_rng(0)
    n = 42
    (tmp_path / "pictures").mkdir()
    files = [tmp_path / f"pictures/{k}.png" for k in range(n)]
    for file in files:
        cv2.imwrite(str(file), rng.integers(0, 255, (30, 40, 3), np.uint8))
    images = {
        "image_id": range(n),
        "file": [file.name for file in files],
        "sha256": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
        "width": [40] * n,
        "height": [30] * n,
        "group": [str(k) for k in range(n)],
        "split": ["pool"] * 40 + ["search", "test"],
    }
    boxes = {
        "box_id": range(n + 1),
        "image_id": [*range(n), 0],
        "x1": [5] * (n + 1),
        "y1": [5] * (n + 1),
        "x2": [25] * (n + 1),
        "y2": [25] * (n + 1),
        "label": [0] * (n + 1),
        "crowd": [False] * n + [True],
    }
    write_table(tmp_path / "data/images.parquet", IMAGES, {k: list(v) for k, v in images.items()})
    write_table(tmp_path / "data/boxes.parquet", BOXES, {k: list(v) for k, v in boxes.items()})
    write_json(tmp_path / "data/categories.json", ["cat"])
    (tmp_path / "params.yaml").write_text(
        "study: {name: s}\ndata: {source: pictures, root: pictures}\nscore: {jobs: 2, max_failures: 0.2}\n"
    )
    (tmp_path / "arms.yaml").write_text(
        "batches:\n"
        "  pixels: {code: metrics/catalogue, needs: data/images.parquet, metrics: [box_tightness, object_count]}\n"
        "  new: {code: metrics/generated/1, needs: data/images.parquet, metrics: [bad]}\n"
    )
    for path in ("metrics/__init__.py", "metrics/generated/1/bad.py", "select.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("raise SystemExit('hostile code was executed')\n")
    return tmp_path


def run(workspace, line):
    command = [sys.executable, "-P", "-m", "metricloop.tasks.score", *line.split()]
    env = os.environ | {"PYTHONPATH": str(HOME)}
    return subprocess.run(command, cwd=workspace, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_the_stage_scores_the_pool_alone_in_parallel_as_it_does_alone(workspace):
    done = run(workspace, "pixels")
    assert done.returncode == 0, done.stderr
    assert "40/40 images" in done.stderr
    tightness = read_table(workspace / "scores/pixels/box_tightness.parquet", SCORES)
    assert tightness["image_id"].to_pylist() == list(range(40))  # no held-out image, no crowd
    pool = read_pool(workspace / "data", workspace / "pictures")
    assert tightness["score"].to_pylist() == list(
        score_pool(pool, InProcessBatch((box_tightness,)))["box_tightness"]["score"]
    )
    counts = read_table(workspace / "scores/pixels/object_count.parquet", SCORES)
    assert counts["score"].to_pylist() == [1.0] * 40
    assert counts["box_id"].null_count == 40


def test_deleting_the_store_changes_no_output(workspace):
    def tables():
        done = run(workspace, "pixels")
        assert done.returncode == 0, done.stderr
        return {path.name: path.read_bytes() for path in (workspace / "scores/pixels").iterdir()}

    first = tables()
    stored = list((workspace / ".metricloop/cache/scores").glob("*.npz"))
    assert stored
    assert tables() == first  # from the store
    shutil.rmtree(workspace / ".metricloop/cache")
    assert tables() == first


def test_the_batch_is_read_as_dvc_writes_it():
    line = "pixels --code metrics/catalogue.yaml --needs data/images.parquet --metrics box_tightness object_count"
    item = arguments(line.split())
    assert (item.batch, item.code) == ("pixels", "metrics/catalogue.yaml")
    assert open_batch(item.code, item.metrics) == InProcessBatch((box_tightness, object_count))


GENERATED = """
import numpy as np
from metricloop.metrics.contract import metric

@metric(level="object", needs=("image",))
def bad(frame) -> np.ndarray:
    if frame.image_id == 7:
        open("trace", "w")
    return np.full(len(frame.boxes), frame.image.mean())
"""


def test_the_stage_scores_generated_code_in_the_sandbox_as_it_would_here(workspace, walls):
    file = workspace / "metrics/generated/1/bad.py"
    file.write_text(GENERATED)
    done = run(workspace, "new")
    assert done.returncode == 0, done.stderr
    table = read_table(workspace / "scores/new/bad.parquet", SCORES)
    assert not (workspace / "trace").exists()
    (error,) = filter(None, table["error"].to_pylist())
    assert error.startswith("PermissionError")
    assert "the sandbox forbids it" in error
    assert '(line 8: open("trace", "w"))' in error
    assert read_json(workspace / "scores/new/trust.json") == {"trust": "sandbox", "tier": "full"}
    file.write_text(GENERATED.replace("7:", "-1:"))
    pool = read_pool(workspace / "data", workspace / "pictures")
    here = score_pool(pool, open_batch("metrics/generated/1", ["bad"], workspace, unsafe=True))["bad"]["score"].tolist()
    assert [one for row, one in enumerate(table["score"].to_pylist()) if row != 7] == here[:7] + here[8:]
    assert stamp_of(workspace / "scores/new/bad.parquet") == {}


def test_generated_code_that_cannot_be_opened_is_given_up_and_the_others_are_scored(workspace, walls):
    (workspace / "metrics/generated/1/good.py").write_text(GENERATED.replace("bad", "good").replace("7:", "-1:"))
    arms = (workspace / "arms.yaml").read_text()
    (workspace / "arms.yaml").write_text(arms.replace("[bad]", "[bad, good]"))
    done = run(workspace, "new")
    assert done.returncode == 0, done.stderr
    said = (
        "metrics/generated/1/bad.py: SystemExit: hostile code was executed "
        "(line 1: raise SystemExit('hostile code was executed'))"
    )
    assert read_json(workspace / "scores/new/failed.json") == {"bad": said}
    lost = read_table(workspace / "scores/new/bad.parquet", SCORES)
    assert lost["image_id"].to_pylist() == list(range(40))
    assert lost["box_id"].null_count == 40
    assert np.isnan(lost["score"]).all()
    assert lost["error"].to_pylist() == [said] * 40
    good = read_table(workspace / "scores/new/good.parquet", SCORES)
    assert good["error"].null_count == 40
    assert "score new: good: 40 scores, 0 unknown" in done.stdout


def test_a_persons_file_that_cannot_be_opened_ends_the_stage_with_a_short_reason(workspace, walls):
    (workspace / "mine.py").write_text("raise SystemExit('later')\n")
    arms = (workspace / "arms.yaml").read_text()
    (workspace / "arms.yaml").write_text(arms.replace("metrics/generated/1", "mine.py"))
    done = run(workspace, "new")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["score@new: mine.py: SystemExit: later (line 1: raise SystemExit('later'))"]
    assert not (workspace / "scores").exists()


SLOW = """
import time
from metricloop.metrics.contract import metric

@metric(level="image")
def bad(frame) -> float:
    time.sleep(0.2 if frame.image_id >= 2 else 0)
    return frame.image_id
"""


def test_generated_code_that_is_slow_on_the_pool_is_given_up(workspace, walls):
    (workspace / "metrics/generated/1/bad.py").write_text(SLOW)
    (workspace / "params.yaml").write_text(
        "study: {name: s}\ndata: {source: pictures, root: pictures}\nscore: {jobs: 1, max_failures: 0.2}\n"
        "sandbox: {start_seconds: 1, pool_seconds: 0.5}\n"
    )
    done = run(workspace, "new")
    assert done.returncode == 0, done.stderr
    # 1 s and 3 x 0.5 s / 40 for each of the 32 images of the first portion: 2.2 s, and they want 6
    assert "it took more than 2.2 s in all" in read_json(workspace / "scores/new/failed.json")["bad"]
    errors = read_table(workspace / "scores/new/bad.parquet", SCORES)["error"].to_pylist()
    assert errors[:2] == [None, None]
    assert errors[31] == "it took more than 2.2 s in all"


def test_an_image_has_its_share_of_the_pools_time_on_every_worker():
    given = {"study": {"name": "s"}, "data": {"source": "y"}, "sandbox": {"pool_seconds": 100}}
    assert patience(check_params(given | {"score": {"jobs": 4}}), 1000) == 0.4
    assert patience(check_params(given | {"score": {"jobs": 1}}), 0) == 100


def test_unsafe_has_to_be_typed_and_marks_the_table(workspace, monkeypatch):
    (workspace / "metrics/generated/1/bad.py").write_text(GENERATED)
    monkeypatch.setenv(UNSAFE, "1")
    done = run(workspace, "new")
    assert done.returncode == 0, done.stderr
    assert "unsafe: metrics/generated/1, which nobody has read, runs in this process without the sandbox" in done.stderr
    assert (workspace / "trace").exists()
    assert stamp_of(workspace / "scores/new/bad.parquet") == {UNSAFE: "yes"}


def test_big_pictures_come_in_smaller_portions(pool):
    rows = np.arange(3)
    assert list(_parts(MetricInputs(pool), rows)) == [[0, 1, 2]]
    huge = replace(pool, width=np.full(3, CHUNK_PIXELS), height=np.ones(3, int))
    assert list(_parts(MetricInputs(huge), rows)) == [[0], [1], [2]]
