"""Manifests: every draw is stored and read by itself, and files of earlier versions are read as before."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from select_fixture import make_pool

from metricloop.data import manifest as module
from metricloop.data.manifest import each_draw, manifest, read_draw, read_first, stored_draws, write_draws
from metricloop.data.tables import SUBSET, TableError, column, stamp_of, write_table

POOL = make_pool([2, 0, 1, 3])


def draw(number, rows):
    made = manifest(POOL, np.array(rows))
    return made.add_column(0, "draw", pa.array(np.full(len(made), number, np.int32)))


DRAWS = [draw(0, [0, 1]), draw(1, [2, 3]), draw(1000, [1, 3])]


@pytest.fixture(params=["a row group for each draw", "one row group", "as in earlier versions"])
def file(request, tmp_path, monkeypatch):
    path = tmp_path / "arm.parquet"
    if request.param != "as in earlier versions":
        monkeypatch.setattr(module, "GROUP", 1 if request.param.startswith("a row") else 100)
        write_draws(path, DRAWS, {"made": "so"})
    else:
        whole = pa.concat_tables(DRAWS)
        write_table(path, SUBSET, {name: whole[name].combine_chunks() for name in SUBSET.names}, {"made": "so"})
    return path


def test_every_draw_is_read_as_it_was_written(file):
    assert stored_draws(file) == [0, 1, 1000]
    assert stamp_of(file) == {"made": "so"}
    for number, (stored, table) in zip((0, 1, 1000), each_draw(file), strict=True):
        assert stored == number
        assert table.equals(read_draw(file, number))
        assert table.to_pylist() == DRAWS[(0, 1, 1000).index(number)].to_pylist()
    assert read_first(file).equals(read_draw(file, 0))


def test_a_draw_that_is_not_there_is_named(file):
    with pytest.raises(TableError, match=r"arm.parquet holds no draw for seed 2, only 0, 1, 1000; select it again"):
        read_draw(file, 2)


def test_the_only_draw_is_that_of_every_seed(tmp_path):
    write_draws(tmp_path / "one.parquet", DRAWS[:1])
    assert read_draw(tmp_path / "one.parquet", 7).equals(read_first(tmp_path / "one.parquet"))


def test_of_many_draws_one_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "GROUP", 1)
    write_draws(tmp_path / "arm.parquet", DRAWS)
    read, whole = [], pq.ParquetFile.read_row_groups

    def record(self, groups, **options):
        read.append(groups)
        return whole(self, groups, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", record)
    read_draw(tmp_path / "arm.parquet", 1000)
    assert read == [[2]]


def test_an_arm_without_a_subset_has_no_draw(tmp_path):
    write_table(tmp_path / "none.parquet", SUBSET, dict.fromkeys(SUBSET.names, ()))
    assert (stored_draws(tmp_path / "none.parquet"), len(read_first(tmp_path / "none.parquet"))) == ([], 0)
    with pytest.raises(TableError, match="only none; select it again"):
        read_draw(tmp_path / "none.parquet", 0)


def test_an_image_whose_boxes_are_all_dropped_keeps_a_row_without_one():
    made = manifest(POOL, np.array([0, 1, 2]), np.array(["drop", "drop", "mask", "keep", "keep", "keep"]))
    ids = POOL.image_id
    assert column(made, "image_id").tolist() == [ids[0], ids[1], ids[2]]
    assert made["use"].to_pylist() == ["none", "none", "mask"]
    assert made["box_id"].to_pylist() == [None, None, int(POOL.box_id[2])]
