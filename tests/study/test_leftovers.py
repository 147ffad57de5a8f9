"""Temporary files of killed processes are removed, and nothing that a person or another command writes."""

import os
import time

from metricloop.data.tables import replacing
from metricloop.study.leftovers import clear_leftovers


def leave(path, age=0.0):
    """The temporary file of `replacing`, as a kill leaves it."""
    with replacing(path) as temporary:
        name = temporary
    name.write_text("half")
    os.utime(name, (name.stat().st_atime, name.stat().st_mtime - age))
    path.unlink(missing_ok=True)
    return name


def test_what_a_killed_stage_leaves_is_removed_and_nothing_else(tmp_path):
    written = (
        "data/images.parquet", "data/boxes/pool.parquet", "comparison.json", "scores/labels/x.parquet",
        ".metricloop/rates/random.0.parquet", ".metricloop/cache/scores/a/b.parquet", ".metricloop/run.json",
        ".metricloop/shown",
    )  # fmt: skip
    gone = [leave(tmp_path / name) for name in (*written, "results/random.0/metrics.json")]
    gone += [leave(tmp_path / name, age=3600) for name in ("add.yaml", ".metricloop/cache/sums.json")]
    gone += [leave(tmp_path / name, age=10) for name in ("report.html", "pictures/1/a.jpg", "metrics/generated/1/a.py")]
    young = ("report.html", ".metricloop/cache/sums.json", "pictures/1/b.jpg")
    kept = [leave(tmp_path / name) for name in young]
    kept += [tmp_path / "data/.gitignore", tmp_path / "data/.notes.json.before"]
    for path in kept[3:]:
        path.write_text("mine")
    (tmp_path / "data/images.parquet").write_text("whole")
    for name, age in (("C5Q0FbAUfCXgtJh14G29ug", 3600), ("a4F26Z74ytlA0iJdmFbrng", 0)):
        path = tmp_path / f".dvc/cache/files/md5/11/.{name}.tmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
        os.utime(path, (time.time(), time.time() - age))
        (gone if age else kept).append(path)
    assert sorted(clear_leftovers(tmp_path)) == sorted(gone)
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in (*kept, tmp_path / "data/images.parquet"))
    assert clear_leftovers(tmp_path) == []
