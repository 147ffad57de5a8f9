"""The cache of a machine: by content, bounded, shared, and harmless when it is damaged or cannot be written."""

import hashlib
import os
import pickle
import sqlite3

import pytest

from metricloop.data.picture_cache import CacheSizeError, PictureCache, cache_bytes, cache_folder

MB = 1 << 20


def test_contents_come_back_by_their_hash_and_by_where_they_lay(tmp_path):
    cache = PictureCache(tmp_path, 100 * MB)
    sha256 = cache.add(b"lion" * 5000, "s3://b/a.jpg", "etag1")
    assert sha256 == hashlib.sha256(b"lion" * 5000).hexdigest()
    other = PictureCache(tmp_path, 100 * MB)  # another process
    assert other.get(sha256) == b"lion" * 5000
    assert other.hash_of("s3://b/a.jpg", "etag1") == sha256
    assert other.hash_of("s3://b/a.jpg", "etag2") is None  # it has changed since
    assert other.hash_of("s3://b/a.jpg", "") is None  # whether it has changed is not known
    assert other.get("0" * 64) is None


def test_it_stays_within_its_size_and_forgets_the_oldest(tmp_path):
    cache = PictureCache(tmp_path, 8 * MB)
    added = [cache.add(os.urandom(60_000)) for _ in range(300)]  # 18 MB
    held = sum(path.stat().st_size for path in tmp_path.rglob("*.val"))
    assert 2 * MB < held <= 8 * MB
    kept = [cache.get(sha256) is not None for sha256 in added]
    assert sum(kept[:100]) < 5 < 10 < sum(kept[-20:])  # shards are not filled evenly


def test_nothing_that_somebody_put_there_is_run(tmp_path):
    cache = PictureCache(tmp_path, 16 * MB)
    sha256 = cache.add(b"x" * 10)
    for base in tmp_path.rglob("cache.db"):
        with sqlite3.connect(base) as held:
            held.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps({"a": 1}),))
    with pytest.warns(UserWarning, match="cannot be used as a cache"):
        assert cache.get(sha256) is None


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path):
    (tmp_path / "file").write_text("")
    cache = PictureCache(tmp_path / "file", MB)
    with pytest.warns(UserWarning, match="METRICLOOP_CACHE=DIR") as told:
        assert cache.add(b"lion") == hashlib.sha256(b"lion").hexdigest()
    assert cache.get(hashlib.sha256(b"lion").hexdigest()) is None
    assert len(told) == 1


def test_its_place_and_size_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("METRICLOOP_CACHE", str(tmp_path))
    monkeypatch.setenv("METRICLOOP_CACHE_GIB", "0.5")
    assert (cache_folder(), cache_bytes()) == (tmp_path, 1 << 29)
    monkeypatch.delenv("METRICLOOP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches/metricloop"
    for wrong in ("-1", "many", "0", "nan"):
        monkeypatch.setenv("METRICLOOP_CACHE_GIB", wrong)
        with pytest.raises(CacheSizeError, match=f"METRICLOOP_CACHE_GIB={wrong}"):
            cache_bytes()
