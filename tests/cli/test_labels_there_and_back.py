"""A whole way: labels are exported, repaired, imported, and the stages know what they have to do again."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from marked import entry, save
from tiny_study import dvc, make_tiny

from metricloop.cli.main import main
from metricloop.data.loading import load
from metricloop.data.tables import read_json
from metricloop.study.staleness import staleness


def stage(folder, *names):
    dvc(folder, "repro", "--single-item", *names)


@pytest.mark.slow
def test_repaired_labels_change_what_depends_on_them_and_nothing_else(tmp_path, capsys):
    folder = make_tiny(tmp_path / "tiny")
    assert main(["status", "-C", str(folder)]) == 0  # writes the digests of today's code
    stage(folder, "draw", "ingest", "score@labels", "select@random", "select@object_count")
    old = pq.read_table(folder / "data/boxes/pool.parquet").to_pylist()
    subset = (folder / "subsets/object_count.parquet").read_bytes()
    target = tmp_path / "pool.json"
    assert main(["export", "pool", str(target), "--format", "label-studio", "-C", str(folder)]) == 0
    tasks = json.loads(target.read_text())
    chosen = set(pq.read_table(folder / "subsets/object_count.parquet")["image_id"].to_pylist())
    ids = {row["file"]: row["image_id"] for row in pq.read_table(folder / "data/images.parquet").to_pylist()}
    files = [task["data"]["image"].partition("?d=")[2] for task in tasks]
    # a picture that the arm object_count did not choose: one of its boxes becomes smaller
    repaired = next(
        task
        for task, file in zip(tasks, files, strict=True)
        if ids[file] not in chosen and task["annotations"][0]["result"]
    )
    value = repaired["annotations"][0]["result"][0]["value"]
    value["width"] *= 0.8
    target.write_text(json.dumps([repaired]))
    capsys.readouterr()
    assert main(["import-labels", str(target), "-C", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "labels 1: 1 of 1 images differ" in out
    assert "0 added, 0 removed, 1 moved, 0 renamed" in out
    assert "scores as before: labels/object_count" in out
    assert "subsets that differ now: random" in out
    assert "subsets as before: object_count" in out
    # the score, the subset of object_count and its trials do not depend on what changed; the rest is known to
    found = staleness(folder)
    assert {"ingest", "score@labels", "select@random", "select@object_count", "select@before_repair"} <= set(
        found.fresh
    )
    assert "predict" in found.to_do
    new = pq.read_table(folder / "data/boxes/pool.parquet").to_pylist()
    assert [row["box_id"] for row in new] == [row["box_id"] for row in old]
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
    # the subset without the picture is the same, so its detectors are not trained again
    assert (folder / "subsets/object_count.parquet").read_bytes() == subset
    draws = {arm: pq.read_table(folder / f"subsets/{arm}.parquet").to_pandas() for arm in ("random", "before_repair")}
    now, before = (draws[arm].set_index(["draw", "image_id", "box_id"]) for arm in ("random", "before_repair"))
    assert now.index.equals(before.index)
    differs = np.flatnonzero((now["x2"].fillna(0) != before["x2"].fillna(0)).to_numpy())
    assert len(differs)
    assert {now.index[place][1] for place in differs} == {ids[repaired["data"]["image"].partition("?d=")[2]]}


@pytest.mark.slow
def test_marks_of_an_audit_change_the_tables_and_what_was_kept_is_not_listed_again(tmp_path, capsys):
    folder = make_tiny(tmp_path / "tiny")
    assert main(["audit", "--no-training", "--least", "0", "-C", str(folder)]) == 0
    pool = load(folder / "data", folder / "source", "pool")
    listed = read_json(folder / "audit/audit.json")["suspects"]
    kept, gone = [row for row in listed["placed"] if row["split"] == "pool"][:2]
    at = {int(number): box for box, number in enumerate(pool.box_id)}
    rows = {name: row for row, name in enumerate(pool.file)}
    marks = save(
        tmp_path / "marks.json",
        entry(pool, "keep", rows[kept["file"]], at[kept["box_id"]]),
        entry(pool, "delete", rows[gone["file"]], at[gone["box_id"]]),
    )
    capsys.readouterr()
    assert main(["fix", str(marks), "-C", str(folder)]) == 0
    assert "0 added, 1 removed, 0 moved, 0 renamed" in capsys.readouterr().out
    new = load(folder / "data", folder / "source", "pool")
    assert new.box_id.tolist() == [number for number in pool.box_id.tolist() if number != gone["box_id"]]
    assert main(["fix", str(marks), "-C", str(folder)]) == 0
    assert "1 mark left out: applied before\nno label changes" in capsys.readouterr().out
    assert main(["audit", "--no-training", "--least", "0", "-C", str(folder)]) == 0
    assert "1 label not listed: a person judged them right" in " ".join(capsys.readouterr().out.split())
    again = [row["box_id"] for rows in read_json(folder / "audit/audit.json")["suspects"].values() for row in rows]
    assert kept["box_id"] not in again
    assert gone["box_id"] not in again
