"""Deliberate mistakes: how often, how far, and whether the truth is told in full."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from scipy.stats import binomtest

from metricloop.data.damage import Damaged, damage
from metricloop.data.damage_presets import Corrupt, Mistake
from metricloop.data.tables import TRUTH, read_table, write_table

SIZE = 400


def clean(n: int = 4000, seed: int = 0, classes: int = 2) -> dict:
    """Boxes in the middle of large images, so that no damage is cut off at an edge. Three images a group."""
    rng = np.random.default_rng(seed)
    low, size = rng.uniform(150, 200, (n, 2)), rng.uniform(10, 60, (n, 2))
    image_id = rng.integers(0, n // 2, n)
    return {
        "image_id": image_id,
        "boxes": np.hstack([low, low + size]).astype(np.float32),
        "labels": rng.integers(0, classes, n),
        "groups": [f"video {image // 3}" for image in image_id],
        "width": np.full(n, SIZE),
        "height": np.full(n, SIZE),
        "class_names": ("panda", "lion", "cow")[:classes],
    }


def only(kind: str, **numbers: object) -> Corrupt:
    return Corrupt(preset="custom", strength=1.0, custom=({"kind": kind, "rate": 1.0} | numbers,))


def subset(arrays: dict, rows: np.ndarray) -> dict:
    return {
        name: values if name == "class_names" else [values[row] for row in rows] if name == "groups" else values[rows]
        for name, values in arrays.items()
    }


def labels_of(damaged: Damaged, image: int) -> list[tuple]:
    rows = damaged.image_id == image
    return [(*box, label) for box, label in zip(damaged.boxes[rows].tolist(), damaged.labels[rows], strict=True)]


def within(count: int, n: int, rate: float) -> bool:
    return binomtest(count, n, rate).pvalue > 1e-4


def sides(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres and sizes, (n, 2) each."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]


@pytest.mark.parametrize("corrupt", [Corrupt(), Corrupt(preset="article", strength=0.0)])
def test_nothing_changes_without_a_preset_or_strength(corrupt: Corrupt) -> None:
    data = clean(50)
    damaged = damage(corrupt, **data)
    assert sorted(damaged.origin) == list(range(50))
    np.testing.assert_array_equal(damaged.boxes, data["boxes"][damaged.origin])
    np.testing.assert_array_equal(damaged.labels, data["labels"][damaged.origin])
    assert set(damaged.truth["mistake"]) == {"none"}
    assert damaged.report["hit"] == 0


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_article_hits_its_shares(strength: float) -> None:
    n = 4000
    damaged = damage(Corrupt(preset="article", strength=strength), **clean(n))
    rates = damaged.report["rates"]
    for kind, share in {"missing": 0.25, "moved": 0.40, "replaced": 0.35}.items():
        assert within(round(rates[kind] * n), n, share * strength)
    assert damaged.report["hit"] == pytest.approx(sum(rates.values()))
    told = Counter(damaged.truth["mistake"])
    assert told["missing"] == round((rates["missing"] + rates["replaced"]) * n)
    assert told["spurious"] == round(rates["replaced"] * n)
    assert told["moved"] == round(rates["moved"] * n)


def test_article_moves_and_scales_within_its_ranges() -> None:
    data = clean()
    damaged = damage(Corrupt(preset="article", strength=1.0), **data)
    moved = damaged.origin >= 0
    centre, size = sides(damaged.boxes[moved].astype(float))
    old_centre, old_size = sides(data["boxes"][damaged.origin[moved]].astype(float))
    shift = np.abs(centre - old_centre) / old_size
    assert shift.max() == pytest.approx(0.35, abs=0.01)
    assert shift.min() < 0.01
    factor = (size / old_size).ravel()
    np.testing.assert_allclose((size / old_size)[:, 0], (size / old_size)[:, 1], rtol=1e-4)
    tight, loose = factor[factor < 1], factor[factor > 1]
    assert (tight.min(), tight.max()) == pytest.approx((0.45, 0.65), abs=0.005)
    assert (loose.min(), loose.max()) == pytest.approx((1.4, 1.9), abs=0.01)
    assert within(len(tight) // 2, len(factor) // 2, 0.5)


def test_the_truth_names_every_clean_box_once_and_every_invented_one() -> None:
    data = clean(1000, classes=3)
    custom = damage(Corrupt(preset="custom", strength=1.0), **data, first_id=17)
    truth = custom.truth
    coordinates = np.array([truth[name][:1000] for name in ("x1", "y1", "x2", "y2")]).T
    np.testing.assert_array_equal(coordinates, data["boxes"])
    np.testing.assert_array_equal(truth["image_id"][:1000], data["image_id"])
    np.testing.assert_array_equal(truth["label"][:1000], data["labels"])
    assert all(x is None for x in truth["x1"][1000:])
    assert set(truth["mistake"][1000:]) == {"spurious", "doubled"}
    by_id = dict(zip(custom.box_id.tolist(), range(len(custom.box_id)), strict=True))
    assert sorted(box_id for box_id in truth["box_id"] if box_id is not None) == sorted(by_id)
    assert min(by_id) == 17
    for row, (box_id, mistake) in enumerate(zip(truth["box_id"][:1000], truth["mistake"][:1000], strict=True)):
        assert (box_id is None) == (mistake == "missing")
        if box_id is None:
            continue
        damaged_row = by_id[box_id]
        assert custom.origin[damaged_row] == row
        same_box = np.array_equal(custom.boxes[damaged_row], data["boxes"][row])
        same_label = custom.labels[damaged_row] == data["labels"][row]
        assert same_box == (mistake in ("none", "class"))
        assert same_label == (mistake != "class")


def test_the_truth_fits_its_table(tmp_path) -> None:
    damaged = damage(Corrupt(preset="article", strength=1.0), **clean(60))
    write_table(tmp_path / "truth.parquet", TRUTH, damaged.truth)
    table = read_table(tmp_path / "truth.parquet", TRUTH)
    assert table.num_rows == 60 + damaged.truth["mistake"].count("spurious")
    invented = table.filter(pa.compute.equal(table["mistake"], "spurious"))
    assert invented["x1"].null_count == invented.num_rows > 0


def test_same_seed_same_damage_and_another_seed_another() -> None:
    data = clean(300)
    first, again, other = (
        damage(Corrupt(preset="custom", strength=1.0, seed=seed), **data).boxes.tobytes() for seed in (3, 3, 4)
    )
    assert first == again != other


def test_an_image_is_damaged_alike_in_any_company_and_order() -> None:
    data = clean(400)
    corrupt = Corrupt(preset="custom", strength=1.0)
    whole = damage(corrupt, **data)
    shuffled = damage(corrupt, **subset(data, np.random.default_rng(1).permutation(400)))
    np.testing.assert_array_equal(whole.boxes, shuffled.boxes)
    for image in np.unique(data["image_id"])[:20]:
        alone = damage(corrupt, **subset(data, np.flatnonzero(data["image_id"] == image)))
        assert labels_of(alone, image) == labels_of(whole, image)


def test_more_strength_hits_the_same_boxes_and_more() -> None:
    data = clean(1000)
    weak, strong = (
        np.array(damage(Corrupt(preset="article", strength=s), **data).truth["mistake"][:1000]) for s in (0.25, 0.5)
    )
    hit = weak != "none"
    np.testing.assert_array_equal(weak[hit], strong[hit])
    assert (strong != "none").sum() > hit.sum()


def test_numbers_and_order_do_not_tell_an_invented_box() -> None:
    damaged = damage(Corrupt(preset="custom", strength=1.0), **clean(1000))
    np.testing.assert_array_equal(damaged.box_id, np.arange(1, len(damaged.box_id) + 1))
    keys = [(image, *box) for image, box in zip(damaged.image_id, damaged.boxes.tolist(), strict=True)]
    assert keys == sorted(keys)


@pytest.mark.parametrize("kind", ["moved", "scaled", "doubled", "spurious", "replaced"])
@pytest.mark.parametrize("decimals", [0, 2])
def test_decimals_do_not_tell_a_spoilt_box(kind: str, decimals: int) -> None:
    """Half the boxes have few decimals and half have any: of each, the spoilt ones are as the others."""
    data = clean(600)
    few = np.arange(600) % 2 == 0
    data["boxes"] = np.where(few[:, None], data["boxes"].round(decimals), data["boxes"]).astype(np.float32)
    data["image_id"] = np.arange(600)  # one box an image, so that each label is known to come from one box
    numbers = {"shift": 0.3} if kind == "moved" else {"scale": [[0.5, 0.8], [1.2, 1.5]]}
    spoilt = damage(only(kind, **numbers), **data, lookalikes={4: np.array([[1.23456, 2.3, 40.1, 50.7]])})
    made = spoilt.origin < 0 if kind in ("doubled", "spurious", "replaced") else np.ones(len(spoilt.boxes), bool)
    assert made.sum() > 500
    is_few = (spoilt.boxes == spoilt.boxes.round(decimals).astype(np.float32)).all(axis=1)
    np.testing.assert_array_equal(is_few[made], few[spoilt.image_id[made]])


def test_sloppiness_grows_as_objects_shrink() -> None:
    """small 0.1 of a 400 px image is 40 px: a 160 px box is four times as large, so a quarter of each."""
    n = 4000
    data = clean(n)
    small = np.arange(n) % 2 == 0
    data["boxes"] = np.where(small[:, None], (190, 190, 210, 210), (120, 120, 280, 280)).astype(np.float32)
    data["image_id"], data["groups"] = np.arange(n), ["one"] * n
    missing = damage(only("missing", rate=0.8, small=0.1, rate_growth=1.0), **data)
    gone = np.array(missing.truth["mistake"]) == "missing"
    assert within(int(gone[small].sum()), n // 2, 0.8)
    assert within(int(gone[~small].sum()), n // 2, 0.2)
    loose = damage(only("scaled", scale=((1.4, 1.4),), small=0.1, magnitude_growth=1.0), **data)
    _, size = sides(loose.boxes)
    np.testing.assert_allclose(size[small[loose.origin]], 20 * 1.4, rtol=1e-4)
    np.testing.assert_allclose(size[~small[loose.origin]], 160 * 1.1, rtol=1e-4)


def test_sloppy_is_one_annotator_for_a_third_of_the_groups() -> None:
    data = clean(6000)
    damaged = damage(Corrupt(preset="sloppy", strength=1.0), **data)
    hit, boxes = Counter(), Counter(data["groups"])
    for group, mistake in zip(data["groups"], damaged.truth["mistake"], strict=True):
        hit[group] += mistake != "none"
    many = [group for group in boxes if boxes[group] >= 4]
    careless = [group for group in many if hit[group]]
    assert within(len(careless), len(many), 0.333)
    assert all(hit[group] == boxes[group] for group in careless)  # all boxes here are small: missed or loose


def test_a_mistake_may_be_kept_to_one_class() -> None:
    data = clean(200, classes=3)
    damaged = damage(only("class", classes=("lion",)), **data)
    lions = data["labels"] == 1
    np.testing.assert_array_equal(np.array(damaged.truth["mistake"]) == "class", lions)
    now = damaged.labels[np.argsort(damaged.origin)]
    assert set(now[lions]) == {0, 2}
    with pytest.raises(ValueError, match="tiger; the classes are panda, lion, cow"):
        damage(only("class", classes=("tiger",)), **data)


def test_one_class_cannot_be_wrong_and_the_report_says_so() -> None:
    damaged = damage(only("class"), **clean(50, classes=1))
    assert damaged.report["rates"] == {"class": 0.0}
    assert "one class only" in damaged.report["notes"][0]
    assert set(damaged.truth["mistake"]) == {"none"}


def test_replaced_boxes_go_to_look_alikes_each_once_then_off_the_objects() -> None:
    boxes = np.array([[10, 10, 60, 60], [70, 10, 120, 60], [10, 100, 50, 140]], np.float32)
    football = np.array([[300.0, 300.0, 330.0, 330.0]])
    damaged = damage(
        only("replaced"),
        image_id=np.array([5, 5, 5]),
        boxes=boxes,
        labels=np.zeros(3, int),
        groups=["a"] * 3,
        width=np.full(3, SIZE),
        height=np.full(3, SIZE),
        class_names=("panda",),
        lookalikes={5: football},
    )
    assert damaged.boxes.tolist().count(football[0].tolist()) == 1
    assert (damaged.origin == -1).all()
    low = np.maximum(damaged.boxes[:, None, :2], boxes[:, :2])
    high = np.minimum(damaged.boxes[:, None, 2:], boxes[:, 2:])
    assert ((high - low).clip(0).prod(axis=2) == 0).all()


def test_boxes_stay_inside_and_at_least_two_pixels() -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 38, (2000, 2))
    high = np.minimum(low + rng.uniform(0.1, 40, (2000, 2)), 40)
    data = clean(2000) | {"boxes": np.hstack([low, high]), "width": np.full(2000, 40), "height": np.full(2000, 40)}
    damaged = damage(Corrupt(preset="article", strength=1.0), **data)
    assert damaged.boxes.min() >= 0
    assert damaged.boxes.max() <= 40
    _, size = sides(damaged.boxes)
    assert size.min() >= 2 - 1e-4


def test_a_box_that_fills_the_image_cannot_be_loosened() -> None:
    data = subset(clean(2), np.array([0])) | {"boxes": np.array([[0, 0, SIZE, SIZE]], float)}
    assert damage(only("scaled", scale=((1.5, 1.6),)), **data).truth["mistake"] == ["none"]


def test_crowd_regions_are_left_alone() -> None:
    data = clean(100)
    crowd = np.arange(100) < 50
    damaged = damage(only("missing"), **data, crowd=crowd)
    assert sorted(damaged.origin) == list(range(50))
    assert damaged.crowd.all()
    assert damaged.report["boxes"] == 50
    assert damaged.report["hit"] == 1.0


def test_no_boxes_at_all() -> None:
    damaged = damage(Corrupt(preset="article"), **subset(clean(10), np.arange(0)))
    assert damaged.boxes.shape == (0, 4)
    assert damaged.report["hit"] == 0.0


@pytest.mark.parametrize(
    ("mistakes", "message"),
    [
        ([{"kind": "missing", "rate": 0.7}, {"kind": "moved", "rate": 0.4}], "sum to 1.1"),
        ([{"kind": "missing", "rate": 0.7}, {"kind": "moved", "rate": 0.4, "classes": ["cow"]}], "for class cow"),
        ([{"kind": "scaled", "rate": 0.1, "scale": [[1.5, 0.5]]}], "0 < low <= high"),
        ([{"kind": "moved", "rate": 0.1, "shfit": 0.2}], "Extra inputs"),
    ],
)
def test_impossible_numbers_are_refused(mistakes: list[dict], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Corrupt(custom=mistakes)


def test_rates_of_different_classes_do_not_add_up() -> None:
    halves = [Mistake(kind="missing", rate=0.9, classes=(name,)) for name in ("cow", "lion")]
    assert len(Corrupt(preset="custom", custom=tuple(halves)).mistakes) == 2
