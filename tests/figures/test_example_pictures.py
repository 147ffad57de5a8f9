"""Contact sheets, judged by their pixels and by what is chosen for them."""

import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from small_dataset import make

from metricloop.data.frame import Detections
from metricloop.evaluation.error_types import find_errors
from metricloop.figures import example_pictures
from metricloop.figures.contact_sheet import LAYOUTS, contact_sheet, draw_tile, fit, plain, wrap
from metricloop.figures.example_pictures import (
    LABEL,
    MISSED,
    OBJECT,
    OTHER,
    WRONG,
    error_picture,
    extremes_picture,
    pool_pictures,
    window_around,
)
from metricloop.scoring.scores import Scores

SMALL = LAYOUTS["thumbnails"]


@pytest.fixture
def draw(tmp_path):
    """Make a data set whose pictures are on the disk: image k is of one grey, 60 + 8 k, or of noise."""

    def drawn(images, noise=False, **options):
        data = make(images, **options)
        names, hashes = [], []
        for k, (width, height, *_) in enumerate(images):
            grey = np.full((height, width, 3), 60 + 8 * k)
            picture = np.random.default_rng(k).integers(0, 256, grey.shape) if noise else grey
            names.append(f"private_{k}.png")
            cv2.imwrite(str(tmp_path / names[-1]), picture.astype(np.uint8))
            hashes.append(hashlib.sha256((tmp_path / names[-1]).read_bytes()).hexdigest())
        return replace(data, root=tmp_path, file=np.array(names, object), sha256=np.array(hashes, object))

    return drawn


@pytest.fixture
def captions(monkeypatch):
    """The captions of every sheet that is made, {title: [caption of each tile]}."""
    seen = {}

    def sheet(title, strips, legend, layout):
        seen[title] = [tile.caption for _, tiles in strips for tile in tiles]
        return contact_sheet(title, strips, legend, layout)

    monkeypatch.setattr(example_pictures, "contact_sheet", sheet)
    return seen


def pixels(picture):
    return cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR_RGB).astype(int)


def tiles_of(picture, side=160):
    """The tiles in reading order, each (side, side, 3): what is large and not white."""
    sheet = pixels(picture)
    filled = cv2.morphologyEx((sheet.min(axis=2) < 246).astype(np.uint8), cv2.MORPH_OPEN, np.ones((25, 25), np.uint8))
    number, _, stats, _ = cv2.connectedComponentsWithStats(filled)
    corners = sorted((int(y), int(x)) for x, y, *_ in stats[1:number])
    return [sheet[y : y + side, x : x + side] for y, x in corners]


def is_colour(pixel, colour):
    return np.abs(np.asarray(pixel) - colour).max() < 60


ONE_BOX = [(40, 40, 80, 80, 0)]


def test_a_sheet_of_thumbnails_holds_twelve_tiles_and_a_full_one_six(draw):
    pool = draw([(160, 160, str(k), ONE_BOX) for k in range(15)])
    for detail, tiles, side in (("thumbnails", 12, 160), ("full", 6, 512)):
        sheets = pool_pictures(pool, detail)
        assert [sheet.title for sheet in sheets] == [
            "Typical objects of the pool, as labelled, the classes in turn",
            "The smallest labelled objects of the pool",
            "The largest labelled objects of the pool",
        ]
        for sheet in sheets:
            found = tiles_of(sheet, side)
            assert len(found) == tiles
            assert all(tile.shape == (side, side, 3) for tile in found)
    assert pixels(pool_pictures(pool)[0]).shape[1] <= 1024


@pytest.mark.parametrize("detail", ["thumbnails", "full"])
def test_pictures_of_noise_stay_below_the_bound(draw, detail):
    # Noise is the worst that JPEG can meet: at quality 80 a sheet of it is several times too large.
    images = [(200, 200, str(k), ONE_BOX if k < 14 else []) for k in range(28)]
    pool = draw(images, noise=True)
    sheets = pool_pictures(pool, detail)
    assert len(sheets) == 4
    assert max(len(sheet.jpeg) for sheet in sheets) <= {"thumbnails": 120_000, "full": 1_200_000}[detail]


def test_the_same_data_make_the_same_bytes(draw):
    pool = draw([(120, 90, str(k), ONE_BOX * (k % 3)) for k in range(9)])
    assert [sheet.sha256 for sheet in pool_pictures(pool)] == [sheet.sha256 for sheet in pool_pictures(pool)]


def test_no_file_name_leaves_the_house(draw, captions):
    pool = draw([(120, 90, str(k), ONE_BOX * (k % 3)) for k in range(9)])
    sheets = pool_pictures(pool)
    assert len(sheets) == 5
    assert not any(b"private" in sheet.jpeg or b".png" in sheet.jpeg or b"Exif" in sheet.jpeg for sheet in sheets)
    assert "private" not in str(captions)


def test_pictures_that_cannot_be_read_are_passed_over(draw, captions):
    pool = draw([(100, 100, str(k), ONE_BOX) for k in range(4)])
    (pool.root / "private_1.png").unlink()
    (pool.root / "private_2.png").write_bytes(b"another one")
    pool_pictures(pool)
    smallest = captions["The smallest labelled objects of the pool"]
    assert {caption[1] for caption in smallest} == {"image 10, panda", "image 40, panda"}
    for name in ("private_0.png", "private_3.png"):
        (pool.root / name).unlink()
    assert pool_pictures(pool) == []


def test_objects_are_chosen_by_size_and_class(draw, captions):
    # One panda of each side 20 + 4 k, and footballs of 12 px in the first three images.
    images = [
        (160, 160, str(k), [(10, 10, 30 + 4 * k, 30 + 4 * k, 0)] + [(100, 100, 112, 112, 1)] * (k < 3))
        for k in range(15)
    ]
    pool_pictures(draw(images))
    typical, smallest, largest = (list(captions.values())[k] for k in range(3))
    assert largest[:2] == [("76 x 76 px", "image 150, panda"), ("72 x 72 px", "image 140, panda")]
    assert [said for said, _ in smallest[:4]] == ["12 x 12 px"] * 3 + ["32 x 32 px"]  # another image each
    assert [name.split(", ")[1] for _, name in typical[:4]] in (
        ["panda", "football", "panda", "football"],
        ["football", "panda", "football", "panda"],
    )
    sides = [int(said.split(" ")[0]) for said, name in typical if "panda" in name]
    assert min(sides) >= 20 + 4 * 3
    assert max(sides) <= 20 + 4 * 11
    assert len(set(typical)) == len(typical)


def test_images_of_one_group_take_turns_with_others(draw, captions):
    crowds = [6, 5, 4, 3, 2]  # boxes; the first three are frames of one video
    images = [(100, 100, "video" if k < 3 else str(k), ONE_BOX * number) for k, number in enumerate(crowds)]
    pool_pictures(draw(images))
    shown = captions["The most crowded images of the pool"]
    assert [name for name, _ in shown] == ["image 10", "image 40", "image 50", "image 20", "image 30"]
    assert shown[0][1] == "6 panda"


def test_predictions_are_drawn_from_the_score_that_fits_the_labels_best(draw, captions):
    pool = draw([(160, 160, "a", ONE_BOX), (160, 160, "b", [])])
    found = {
        10: Detections(np.float32([[40, 40, 80, 80]]), np.float32([0.75]), np.array([0])),
        20: Detections(np.float32([[20, 20, 60, 60], [90, 90, 140, 140]]), np.float32([0.9, 0.1]), np.array([0, 0])),
    }
    sheet = pool_pictures(pool, "thumbnails", found)[-1]
    assert captions["Images of the pool without a label"] == [("image 20", "no label; 1 predicted")]
    (tile,) = tiles_of(sheet)
    left = tile[20:60, 20]
    assert 10 < sum(is_colour(pixel, WRONG.colour) for pixel in left) < 35  # dashes
    assert not any(is_colour(pixel, WRONG.colour) for pixel in tile[90:140, 90])


def test_boxes_have_the_colour_of_the_legend(draw, captions):
    labels = [(20, 20, 60, 60, 0), (90, 20, 150, 60, 0)]
    search = draw([(160, 160, "a", labels), (160, 160, "b", [])])
    hit_and_wrong = Detections(
        np.float32([[20, 20, 60, 60], [30, 100, 90, 150]]), np.float32([0.9, 0.8]), np.array([0, 0])
    )
    nothing = Detections.empty()
    sheet = error_picture(search, find_errors(search, [hit_and_wrong, nothing], 0.5))
    assert sheet.title == "Held-out images with the most errors (detections with a score of at least 0.50)"
    assert captions[sheet.title] == [("image 10", "1 background, 1 missed")]
    (tile,) = tiles_of(sheet)
    assert is_colour(tile[40, 20], LABEL.colour)
    assert is_colour(tile[60, 40], LABEL.colour)
    assert is_colour(tile[40, 90], MISSED.colour)
    assert is_colour(tile[20, 120], MISSED.colour)
    dashes = [is_colour(tile[y, 30], WRONG.colour) for y in range(100, 150)]
    assert 20 < sum(dashes) < 48
    assert np.abs(tile[80, 120] - 60).max() < 12  # elsewhere the picture as it is
    assert error_picture(search, find_errors(search, [hit_and_wrong, nothing], 0.95)) is not None
    no_labels = replace(search, boxes=search.boxes[:0], labels=search.labels[:0], offsets=np.zeros(3, int))
    assert error_picture(no_labels, find_errors(no_labels, [nothing, nothing])) is None


def test_extremes_show_the_best_above_the_worst(draw, captions):
    pool = draw([(160, 160, str(k), ONE_BOX) for k in range(16)])
    scores = Scores(np.arange(16), np.full(16, -1), np.append(np.arange(15.0), np.nan), ("ZeroDivisionError",))
    for higher, order in ((True, [*range(14, 8, -1), *range(6)]), (False, [*range(6), *range(14, 8, -1)])):
        sheet = extremes_picture(pool, scores, higher, "shade")
        greys = [tile[10:30, 10:150].mean() for tile in tiles_of(sheet)]
        assert [round((grey - 60) / 8) for grey in greys] == order
        assert captions["shade"] == [(f"score {k}", f"image {10 * k + 10}") for k in order]
    assert extremes_picture(pool, replace(scores, value=np.full(16, np.nan)), True, "shade") is None


def test_extremes_of_objects_show_the_judged_box(draw, captions):
    # The window is 2.5 * 32 = 80 px about (80, 80): twice as large on the tile, its corner at (40, 40).
    boxes = [(64, 64, 96, 96, 0), (50, 100, 70, 110, 1)]
    pool = draw([(160, 160, "a", boxes), (160, 160, "b", [])])
    sheet = extremes_picture(pool, Scores(np.array([0]), np.array([0]), np.array([-0.5]), ()), True, "tightness")
    assert captions["tightness"] == [("score \u22120.5", "image 10, panda")]
    (tile,) = tiles_of(sheet)
    assert is_colour(tile[80, 48], OBJECT.colour)
    assert is_colour(tile[112, 80], OBJECT.colour)
    assert is_colour(tile[130, 20], OTHER.colour)


@pytest.mark.parametrize(
    ("box", "size", "expected"),
    [
        ((40, 40, 60, 50), (200, 100), (25, 20, 75, 70)),  # 2.5 * 20 px about (50, 45)
        ((0, 0, 20, 20), (200, 100), (0, 0, 50, 50)),  # moved into the image
        ((190, 90, 200, 100), (200, 100), (160, 60, 200, 100)),  # at least 40 px
        ((50, 10, 110, 90), (200, 100), (0, 0, 200, 100)),  # no larger than the image
    ],
)
def test_an_object_is_shown_with_its_surroundings(box, size, expected):
    assert window_around(np.array(box), *size, 40) == pytest.approx(expected)


def test_a_tall_picture_stands_in_the_middle_of_its_tile():
    tile = draw_tile(np.zeros((80, 40, 3), np.uint8), (0, 0, 40, 80), [], SMALL)
    assert tile.shape == (160, 160, 3)
    assert (tile[:, 40:120] == 0).all()
    assert tile[:, :40].min() == tile[:, 120:].min() == 233


def test_words_fit_their_place_and_are_ascii():
    assert plain("score \u22120.5\u00a0% \u2013 caf\u00e9\n\x1b[1m") == "score -0.5 % - caf? / ?[1m"
    assert fit("short", 100, 0.42) == "short"
    cut = fit("a very long class name " * 5, 100, 0.42)
    assert cut.endswith("..")
    assert "a very long class name".startswith(cut[:-2])
    width = cv2.getTextSize(cut, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
    assert 80 < width <= 100
    assert wrap("12 missed, 3 background", SMALL) == ["12 missed, 3 background"]
    lines = wrap("12 missed, 3 background, 2 localisation, 2 classification, 1 duplicate", SMALL)
    assert len(lines) == 2
    assert lines[0].startswith("12 missed, 3")
    assert lines[1].endswith("..")
