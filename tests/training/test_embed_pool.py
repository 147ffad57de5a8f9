"""The stage `embed` on a small drawn study: its table, its bytes, and that it reads no held-out labels."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from graphs import graph_of
from study_fixture import make_study

from metricloop.data.embeddings import read_embeddings
from metricloop.data.loading import load
from metricloop.data.pictures import PictureError, fingerprint, read_picture
from metricloop.data.pool import read_pool
from metricloop.data.tables import BOXES, IMAGES, column, read_table, write_table
from metricloop.metrics.catalogue import duplicates, embedding
from metricloop.metrics.contract import call_metric
from metricloop.params import ParamsError, check_params
from metricloop.study.graph import needed_for
from metricloop.study.rendering import render_stages
from metricloop.training import embed_pool

PARAMS = {
    "study": {"name": "drawn"},
    "data": {"source": "pictures/annotations.json", "root": "pictures"},
    "embed": {"image_size": 64},
    "train": {"weights": "none", "device": "cpu"},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = make_study(tmp_path_factory.mktemp("study"), images=18)
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return folder


def run(study, path, jobs=2, **changes):
    """Embed the study as the stage does, in this process; the table's path and the pool."""
    pool = read_pool(study / "data", study / "pictures")
    held_out = [load(study / "data", study / "pictures", split, labels=False) for split in embed_pool.HELD_OUT]
    embed_pool.embed_all([pool, *held_out], check_params(PARAMS | changes), path, jobs)
    return path, pool


def test_the_table_holds_every_picture_and_every_box_of_the_pool(study, tmp_path):
    path, pool = run(study, tmp_path / "e.parquet")
    table, images = pq.read_table(path), read_table(study / "data/images.parquet", IMAGES)
    of_box = table["box_id"].is_valid().to_numpy()
    assert sorted(table["image_id"].to_numpy()[~of_box]) == column(images, "image_id").tolist()
    assert sorted(table["box_id"].drop_null().to_pylist()) == sorted(pool.box_id.tolist())
    assert set(table["split"].to_numpy()[of_box]) == {"pool"}
    assert set(map(len, table["vector"].to_pylist())) == {4 * 336}
    made = read_embeddings(path, pool)
    np.testing.assert_allclose(np.linalg.norm(made.crops, axis=1), 1, rtol=1e-5)
    mark, thumbnail = fingerprint(read_picture(pool.root / pool.file[3]))
    assert made.pool.hashes[3] == mark
    np.testing.assert_array_equal(made.pool.thumbnails[3], thumbnail)
    assert len(made.held_out.images) == 6
    for function in (embedding.outlier, embedding.object_label_agreement, duplicates.split_leakage):
        assert np.isfinite(call_metric(function, pool, made)).any()


def test_the_bytes_do_not_depend_on_the_number_of_threads(study, tmp_path):
    first, again = run(study, tmp_path / "a.parquet")[0], run(study, tmp_path / "b.parquet", jobs=1)[0]
    assert first.read_bytes() == again.read_bytes()


def test_the_table_does_not_depend_on_the_size_of_parts(study, tmp_path, monkeypatch):
    whole = read_embeddings(*run(study, tmp_path / "a.parquet"))
    monkeypatch.setattr(embed_pool, "PART", 3)
    path, pool = run(study, tmp_path / "b.parquet")
    assert pq.ParquetFile(path).num_row_groups > 4
    np.testing.assert_allclose(read_embeddings(path, pool).crops, whole.crops, atol=1e-5)


def test_held_out_labels_change_nothing(study, tmp_path):
    before = run(study, tmp_path / "a.parquet")[0].read_bytes()
    kept = {path: path.read_bytes() for path in (study / "data/boxes").iterdir() if path.stem != "pool"}
    assert {path.stem for path in kept} == {"search", "test"}
    try:
        for path in kept:
            assert len(read_table(path, BOXES))
            write_table(path, BOXES, {name: [] for name in BOXES.names})
        assert run(study, tmp_path / "b.parquet")[0].read_bytes() == before
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_the_stage_runs_as_dvc_starts_it(study):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "metricloop.tasks.embed"], cwd=study, env=environment, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "vectors of backbone" in done.stderr
    assert (study / "data/embeddings.parquet").is_file()


def test_a_picture_that_is_not_the_one_ingested_stops_the_stage(study, tmp_path):
    file = study / "pictures/004.png"
    before = file.read_bytes()
    try:
        file.write_bytes(before + b"\0")
        with pytest.raises(PictureError, match=r"004\.png: not the file that was ingested"):
            run(study, tmp_path / "e.parquet")
        assert not (tmp_path / "e.parquet").exists()
    finally:
        file.write_bytes(before)
    assert hashlib.sha256(before).hexdigest() in column(read_table(study / "data/images.parquet", IMAGES), "sha256")


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ([20, 10, 40, 30], (slice(8, 32), slice(18, 42))),  # a tenth of 20 pixels on every side
        ([0, 0, 10, 10], (slice(0, 11), slice(0, 11))),  # the picture ends at two of them
        ([90, 40, 120, 70], (slice(39, 50), slice(89, 100))),  # 10 x 10 of it lie inside
        ([10.5, 10.5, 10.6, 10.6], (slice(10, 11), slice(10, 11))),  # less than a pixel is one
        ([-50, -50, -10, -10], None),
        ([100, 0, 110, 50], None),
        ([30, 20, 30, 40], None),
        ([40, 20, 30, 40], None),
    ],
)
def test_a_box_is_cut_out_with_a_margin(box, shown):
    picture = np.arange(50 * 100 * 3).reshape(50, 100, 3)
    found = embed_pool.cut(picture, np.float32(box))
    if shown is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, picture[shown])


def test_threads_keep_the_order_and_do_not_run_far_ahead():
    begun, taken = [], 0
    for value in embed_pool.ahead(lambda item: begun.append(item) or item, range(50), 2):
        assert value == taken
        taken += 1
        assert len(begun) <= taken + 5
    assert taken == 50


def test_only_a_batch_that_needs_embeddings_has_them_made():
    plan = {"batches": {"labels": {"needs": "data/images.parquet"}}, "arms": {}, "blocks": {}}
    assert "embed" not in graph_of(plan, drawn=True)
    plan["batches"]["looks"] = {"needs": "data/embeddings.parquet"}
    graph = graph_of(plan, drawn=True)
    assert graph["score@looks"] == {"ingest", "embed"}
    assert graph["score@labels"] == {"ingest"}
    assert needed_for(graph, ["score@looks"]) == ["draw", "ingest", "embed", "score@looks"]


def test_the_stage_depends_on_its_network_and_not_on_how_long_trials_train():
    stage = yaml.safe_load(render_stages(drawn=False, embeds=True))["stages"]["embed"]
    assert stage["outs"] == ["data/embeddings.parquet"]
    assert {"embed", "train.weights", "train.detector"} <= {one for one in stage["params"] if isinstance(one, str)}
    assert {"code.yaml": ["detector", "weights", "embed_weights"]} in stage["params"]


def test_unknown_keys_of_the_section_are_named():
    with pytest.raises(ParamsError, match=r"embed\.modl: unknown key; did you mean 'embed\.model'"):
        check_params(PARAMS | {"embed": {"modl": "resnet18"}})
