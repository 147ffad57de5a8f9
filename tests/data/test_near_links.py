"""Look-alikes: the groups and answers of comparing all pairs, with few links and in little time."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_sets import coco, dump, ingested, pictures, save, scene

from metricloop.data.dataset import pool_of
from metricloop.data.embeddings import embeddings_of
from metricloop.data.formats.source import make_record
from metricloop.data.frame import Frame
from metricloop.data.likeness import belonging_together
from metricloop.data.near_links import near_any, near_links
from metricloop.data.pictures import PictureFacts, near_duplicates
from metricloop.data.splits import join_groups
from metricloop.metrics.catalogue.duplicates import near_duplicate, nearest_hash_distance, split_leakage
from metricloop.metrics.catalogue.embedding import k_center_rank, uniqueness
from metricloop.metrics.contract import call_metric
from metricloop.selection.always_and_distinct import near_duplicate_groups
from metricloop.selection.greedy import farthest_first_with_room


def groups_of(n, pairs):
    return join_groups([f"{row:05d}" for row in range(n)], [None] * n, pairs).tolist()


@st.composite
def sets_of_looks(draw):
    """Pictures around a few, by a few bits and grey levels: many pairs are just near, and just not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, kinds = draw(st.integers(0, 60)), draw(st.integers(1, 5))
    centres = rng.integers(0, 2**64, kinds, dtype=np.uint64), rng.integers(60, 180, (kinds, 256))
    kind = rng.integers(0, kinds, n)
    bits = np.zeros(n, np.uint64)
    for _ in range(draw(st.integers(0, 4))):
        bits ^= (np.uint64(1) << rng.integers(0, 64, n, dtype=np.uint64)) * rng.integers(0, 2, n, dtype=np.uint64)
    spread = draw(st.sampled_from([0, 1, 4, 6, 8, 20]))
    level = rng.integers(-spread, spread + 1, (n, 1)) + rng.integers(-1, 2, (n, 256))
    return centres[0][kind] ^ bits, (centres[1][kind] + level).astype(np.uint8)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(sets_of_looks(), st.sampled_from([0.0, 1.0, 4.0, 7.5]))
def test_the_links_connect_what_all_pairs_connect(looks, difference):
    hashes, thumbnails = looks
    every = near_duplicates(hashes, thumbnails, difference=difference)
    links = near_links(hashes, thumbnails, difference)
    n = len(hashes)
    assert set(map(tuple, links.tolist())) <= set(map(tuple, every.tolist()))
    assert groups_of(n, links) == groups_of(n, every)
    assert len(links) == n - len(set(groups_of(n, every)))  # no more than it takes


@settings(max_examples=200, deadline=None, derandomize=True)
@given(sets_of_looks(), st.integers(0, 60))
def test_who_has_a_look_alike_among_others_as_by_all_pairs(looks, cut):
    hashes, thumbnails = looks
    cut = min(cut, len(hashes))
    every = near_duplicates(hashes, thumbnails)
    across = every[(every[:, 0] < cut) & (every[:, 1] >= cut), 0]
    found = near_any(hashes[:cut], thumbnails[:cut], (hashes[cut:], thumbnails[cut:]))
    assert np.flatnonzero(found).tolist() == sorted(set(across.tolist()))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(sets_of_looks())
def test_the_metrics_and_the_option_distinct_as_by_all_pairs(looks):
    hashes, thumbnails = looks
    n = len(hashes)
    pool = pool_of([Frame(k, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for k in range(n)])
    made = embeddings_of(np.eye(n, max(n, 1)), hashes=hashes, thumbnails=thumbnails)
    groups = groups_of(n, near_duplicates(hashes, thumbnails))
    assert call_metric(near_duplicate, pool, made).tolist() == [groups.count(own) - 1 for own in groups]
    found = near_duplicate_groups(pool, made.pool).tolist()
    assert [found.index(own) for own in found] == [groups.index(own) for own in groups]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(sets_of_looks(), st.integers(2, 4))
def test_what_a_pair_must_fulfil_as_well(looks, kinds):
    hashes, thumbnails = looks
    kind = np.arange(len(hashes)) * 7 % kinds
    every = near_duplicates(hashes, thumbnails)
    wanted = every[kind[every[:, 0]] == kind[every[:, 1]]]
    links = near_links(hashes, thumbnails, allowed=lambda row, others: kind[others] == kind[row])
    assert groups_of(len(hashes), links) == groups_of(len(hashes), wanted)


def looks_of(what: str, n: int):
    rng = np.random.default_rng(0)
    if what == "distinct":
        return rng.integers(0, 2**64, n, dtype=np.uint64), rng.integers(0, 256, (n, 256)).astype(np.uint8)
    hashes, grey = np.zeros(n, np.uint64), np.full((n, 256), 100)
    if what == "a fixed camera":
        return hashes ^ (np.uint64(1) << rng.integers(0, 64, n, dtype=np.uint64)), grey + rng.integers(
            -3, 4, grey.shape
        )
    if what == "plain walls":
        return hashes, np.repeat(rng.integers(0, 256, (n, 1)), 256, axis=1)
    return hashes, grey


@pytest.mark.parametrize(
    ("what", "n", "groups"),
    [("equal", 4000, 1), ("a fixed camera", 4000, 1), ("plain walls", 20_000, 1), ("distinct", 20_000, 20_000)],
)
def test_thousands_of_pictures_take_seconds(what, n, groups):
    hashes, thumbnails = looks_of(what, n)
    thumbnails = thumbnails.astype(np.uint8)
    started = time.process_time()
    links = near_links(hashes, thumbnails)
    near_any(hashes[::2], thumbnails[::2], (hashes[1::2], thumbnails[1::2]))
    assert time.process_time() - started < 10
    assert n - len(links) == groups


@pytest.mark.parametrize(("what", "n"), [("equal", 4000), ("distinct", 20_000)])
@pytest.mark.parametrize("function", [near_duplicate, nearest_hash_distance, split_leakage, k_center_rank, uniqueness])
def test_metrics_of_nearness_take_seconds_on_thousands(what, n, function):
    hashes, thumbnails = looks_of(what, n)
    pool = pool_of([Frame(k, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for k in range(n)])
    rng = np.random.default_rng(1)
    points = rng.normal(size=(n, 64)) if what == "distinct" else np.ones((n, 64))
    made = embeddings_of(points, held_out=points[:500], hashes=hashes, thumbnails=thumbnails.astype(np.uint8))
    started = time.process_time()
    scores = call_metric(function, pool, made)
    assert time.process_time() - started < 20
    assert len(scores) == n


@pytest.mark.parametrize(("what", "n"), [("equal", 4000), ("distinct", 20_000)])
def test_diverse_subsets_of_thousands_take_seconds(what, n):
    points = np.random.default_rng(1).normal(size=(n, 64)) if what == "distinct" else np.ones((n, 64))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    started = time.process_time()
    chosen = farthest_first_with_room(points, n // 4)
    assert time.process_time() - started < 20
    assert len(set(chosen.tolist())) == n // 4


def facts_of(sha, hash, thumbnail):
    return PictureFacts(sha, 96, 72, 1, "", np.uint64(hash), thumbnail)


def test_of_a_fixed_camera_copies_are_found_wherever_they_lie():
    """100 frames of one background, each with a box of its own; the last repeats the first with other noise."""
    rng = np.random.default_rng(0)
    base = np.full(256, 100, np.uint8)
    facts, records = [], []
    for k in range(100):
        box = [k % 10 * 8.0, k // 10 * 6.0, k % 10 * 8.0 + 6, k // 10 * 6.0 + 5]
        facts.append(facts_of(str(k), 0, base + rng.integers(0, 2, 256).astype(np.uint8)))
        records.append(make_record(f"/d/{k:03d}.jpg", [(box, 0, False)]))
    records[99] = make_record("/d/099.jpg", [([0.1, 0.1, 6, 5], 0, False)])
    found = belonging_together(records, facts, [f"{k:03d}.jpg" for k in range(100)], group="off")
    assert "fixed camera" in found.said[0][0]
    assert found.pairs.tolist() == [[0, 99]]


@pytest.mark.parametrize(("others", "camera"), [(True, True), (False, False)])
def test_pictures_that_look_alike_and_show_other_objects_are_a_cameras_and_not_copies(others, camera):
    """Ten places of four pictures each, so that no place holds most; the classes differ, or are those of copies."""
    rng = np.random.default_rng(0)
    facts, records = [], []
    for k in range(40):
        place = np.full(256, 20 * (k // 4), np.uint8)
        facts.append(
            facts_of(
                str(k), (1 << 16 * (k // 4 % 4)) * (1 + 61 * (k // 4)), place + rng.integers(0, 2, 256).astype(np.uint8)
            )
        )
        label = k % 4 if others else 0
        records.append(make_record(f"/d/{k:02d}.jpg", [([5, 5, 20, 20], label, False)]))
    found = belonging_together(records, facts, [f"{k:02d}.jpg" for k in range(40)], group="off")
    assert [kind for kind, _ in found.said] == (["pictures of a fixed camera"] if camera else [])
    assert len(set(found.groups)) == (40 if camera else 10)


def test_thousands_of_frames_of_a_fixed_camera_with_objects_of_their_own():
    rng = np.random.default_rng(0)
    facts, records = [], []
    for k in range(4000):
        x, y = rng.uniform(0, 80, 2)
        facts.append(facts_of(str(k), 0, (100 + rng.integers(0, 2, 256)).astype(np.uint8)))
        records.append(make_record(f"/d/{k:04d}.jpg", [([x, y, x + 9, y + 9], 0, False)]))
    started = time.process_time()
    found = belonging_together(records, facts, [f"{k:04d}.jpg" for k in range(4000)], group="off")
    assert time.process_time() - started < 20
    assert len(set(found.groups)) < 4000  # of so many, some lie on the same place


def test_of_several_look_alikes_in_the_pool_the_nearest_is_named(tmp_path):
    boxes = pictures(tmp_path, [f"train/{k}.png" for k in range(12)])
    image, own = scene(100)
    for k, lighter in enumerate((3, 1)):
        save(tmp_path / f"train/a{k}.png", image // 2 + lighter)
        boxes[f"train/a{k}.png"] = own
    held = pictures(tmp_path, [f"val/{k}.png" for k in range(4)], first=40)
    save(tmp_path / "val/copy.png", image // 2)
    held["val/copy.png"] = own
    dump(tmp_path / "train.json", coco(boxes))
    dump(tmp_path / "val.json", coco(held))
    told = {problem.file: problem for problem in ingested(tmp_path).problems}
    [problem] = [problem for file, problem in told.items() if file.endswith("copy.png")]
    assert problem.problem == "near-duplicate of a pool picture"
    assert problem.action == "left out of search (leak: train/a1.png)"
