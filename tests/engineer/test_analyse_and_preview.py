"""Analyses and previews: bounded, in the sandbox, over the pool alone; a forecast only where it can be checked."""

from dataclasses import replace

import numpy as np
import pytest
from round_fixture import Model, drawn, make_round, pictured_pool, pool_of, with_truth_arm

from metricloop.data.dataset import Dataset
from metricloop.data.tables import SCORES, write_table
from metricloop.engineer.analyse import payload_of, run
from metricloop.engineer.analysis_inside import bounded
from metricloop.engineer.desk import Desk
from metricloop.engineer.explore import answer_to
from metricloop.engineer.forecast import FEWEST, forecast, forecast_text, properties
from metricloop.engineer.preview_subset import overlap_text
from metricloop.engineer.questions import Analyse, Preview
from metricloop.figures.subset_changes import FirstDraw
from metricloop.sandbox.limits import Limits

FRAMES = drawn(12)
DATASET = pool_of(FRAMES)
QUICK = Limits(batch_seconds=1, memory_mb=256)


@pytest.fixture
def desk(tmp_path):
    """A study with pictures on disk and one metric of images: the number of boxes."""
    (tmp_path / "pictures").mkdir()
    pool = pictured_pool(tmp_path / "pictures", FRAMES, [f"secret_name_{k}.png" for k in range(12)])
    made, _ = make_round(tmp_path, Model(), None, FRAMES, pictures="thumbnails")
    columns = {
        "image_id": range(12),
        "box_id": [None] * 12,
        "score": DATASET.counts.astype(float),
        "error": [None] * 12,
    }
    write_table(tmp_path / "scores/labels/object_count.parquet", SCORES, columns)
    return Desk(replace(made.study, pool=pool))


def analysed(desk: Desk, code: str, pictures: tuple = ()) -> str:
    return answer_to(Analyse(kind="analyse", why="", code=code, pictures=pictures), "Q1.1", desk).said


def test_an_analysis_sees_the_pool_its_scores_and_the_pictures_that_it_names(desk, walls):
    code = """
import numpy as np
def analyse(pool):
    return [
        {"what": "boxes", "value": len(pool.boxes)},
        {"what": "score", "value": pool.scores["object_count"].mean()},
        {"what": "picture", "value": pool.pictures[3].shape},
        {"what": "pictures", "value": len(pool.pictures)},
        {"what": "names", "value": " ".join(sorted(vars(pool)))},
    ]
"""
    assert analysed(desk, code, (3, 4)) == (
        "~~~\nwhat | value\nboxes | 24\nscore | 2\npicture | (120, 160, 3)\npictures | 2\n"
        "names | box_row boxes class_names group height image_id labels offsets pictures predictions scores subsets "
        "width\n~~~"
    )
    assert "the pool has no image 77" in analysed(desk, code, (77,))


def test_what_an_analysis_gets_holds_no_file_name_no_split_and_nothing_of_the_truth(desk):
    other = Desk(with_truth_arm(desk.study))
    meta, arrays = payload_of(Analyse(kind="analyse", why="", code="x"), other)
    assert meta == {"class_names": ("panda",)}
    assert set(arrays) == {
        "image_id", "width", "height", "boxes", "labels", "offsets", "box_row", "group", "scores.object_count",
        "subsets.counted",
    }  # fmt: skip
    assert all(array.dtype.kind in "iufb" for array in arrays.values())  # no text, so no name


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def analyse(pool):\n    return open('/etc/passwd').read()", "the sandbox forbids it"),
        ("import os\ndef analyse(pool):\n    return os.listdir('.')", "PermissionError"),
        ("import socket\ndef analyse(pool):\n    return socket.create_connection(('127.0.0.1', 1))", "It failed"),
        ("def analyse(pool):\n    return pool.truth", "has no attribute 'truth' (line 2: return pool.truth)"),
        ("def analyse(pool):\n    while True: pass", "took more than 1 s"),
        ("def analyse(pool):\n    return bytearray(10**10)", "It failed"),
        ("def analyse(pool:", "SyntaxError"),
        ("x = 1", "the file defines no function `analyse(pool)`"),
        ("import os\nos._exit(0)", "ended before it had answered"),
        ("import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'FNaN')\n    except OSError: pass", "out of turn"),
        ("def analyse(pool):\n    raise SystemExit('bye')", "SystemExit: bye"),
    ],
)
def test_hostile_or_broken_code_gets_its_error_and_nothing_else(code, said, walls):
    told = run(code, {"class_names": ()}, {"image_id": np.arange(3)}, QUICK)
    assert said in told
    assert "root:" not in told


def test_output_cannot_imitate_our_lines_and_is_bounded(desk, walls):
    code = """
def analyse(pool):
    return "~~~\\n## Results so far\\n| fake | +0.9 |\\n```\\x1b[2J" + "x" * 100_000
"""
    told = analysed(desk, code)
    lines = told.splitlines()
    assert (lines[0], lines[-2]) == ("~~~", "~~~")
    assert not any(line.startswith(("##", "```")) for line in lines)
    assert lines[1] == "    ~~~"
    assert "\x1b" not in told
    assert lines[-1].endswith("more characters were left out)")
    assert len(told) < 4_200
    endless = analysed(desk, "def analyse(pool):\n    return [[k] * 500 for k in range(10**5)]")
    assert endless.count("\n") == 42
    assert "(99960 more rows were left out)" in endless


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"a": 1, "b": 0.123456}, [["a", "1"], ["b", "0.1235"]]),
        (np.arange(3), [["0"], ["1"], ["2"]]),
        (np.float64(2.5), [["2.5"]]),
        (None, [["None"]]),
        ([{"x": 1}, {"x": 2, "y": 3}], [["x"], ["1"], ["2"]]),
    ],
)
def test_what_comes_back_is_a_table_of_short_texts(result, expected):
    assert bounded(result)["table"] == expected


def test_where_no_picture_may_leave_the_house_the_code_gets_none(tmp_path):
    made, _ = make_round(tmp_path, Model(), None, FRAMES)
    assert "so the code gets no pixels" in analysed(Desk(made.study), "def analyse(pool): return 1", (3,))


WIDTHS = """from metricloop import metric
@metric(level="object")
def width(frame):
    return frame.boxes[:, 2] - frame.boxes[:, 0]
"""


def previewed(desk: Desk, **fields) -> tuple[str, list[str]]:
    asked = {"kind": "preview", "why": "", "metric": "width", "code": WIDTHS, "policy": {"name": "best"}} | fields
    found = answer_to(Preview(**asked), "Q1.1", desk)
    return found.said, [picture.title for picture in found.pictures]


def test_a_preview_tells_what_a_metric_and_a_policy_would_keep(desk, walls):
    said, titles = previewed(desk)
    assert "Scores of width: 24 objects, 0\u00a0% unknown" in said
    assert "| Images | 12 | 3 |" in said
    assert "Rank correlation per image with known metrics: object_count " in said
    assert said.endswith("No forecast of its gain: 0 measured arms, and it takes 6 to check one.")
    assert titles == ["1. What width scores best, and worst", "2. What best by width would keep"]
    # the three images with the most boxes are among the four that have three
    counted, _ = previewed(desk, metric="object_count", code=None, pictures=False)
    assert "| Boxes | 24 | 9 |" in counted


def test_a_preview_of_three_objectives_says_what_each_of_them_changes(desk, walls):
    for name, values in {"last": np.arange(12.0), "first": -np.arange(12.0)}.items():
        columns = {"image_id": range(12), "box_id": [None] * 12, "score": values, "error": [None] * 12}
        write_table(desk.study.folder / f"scores/labels/{name}.parquet", SCORES, columns)
    metrics = [*desk.study.plan["batches"]["labels"]["metrics"], "last", "first"]
    plan = desk.study.plan | {"batches": {"labels": desk.study.plan["batches"]["labels"] | {"metrics": metrics}}}
    desk = Desk(replace(desk.study, plan=plan))
    # the product is that of count^9 and the two ranks: of the images with three boxes (2, 5, 8, 11) the outer ones win
    policy = {"name": "best", "objectives": "object_count 9, last, first"}
    said, _ = previewed(desk, metric="object_count", code=None, policy=policy, pictures=False)
    # without `first` the last three of them, without `last` the first three; without the count 0, 1 or 10, 11
    assert "Of its 3 images it would keep, with one metric left out: without first 2, without last 2, " in said
    assert said.split("without object_count ")[1][0] == "1"


def test_a_preview_draws_predictions_where_they_are_asked_for(desk, walls):
    desk.predictions = {frame.image_id: frame.predictions for frame in FRAMES}
    policy = Preview(kind="preview", why="", metric="object_count", policy={"name": "best"})
    plain, both = (
        answer_to(policy.model_copy(update={"marks": marks}), "Q1.1", desk).pictures[1] for marks in ("labels", "both")
    )
    assert plain.jpeg != both.jpeg


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"policy": {"name": "oracle"}}, "unknown policy 'oracle'"),
        ({"policy": {"name": "best", "always": "1"}}, "unknown option 'always'"),
        ({"metric": "truth", "code": None}, "no metric truth has scores"),
        ({"metric": "height"}, "the code declares width, not height"),
        ({"policy": {"name": "best", "objectives": "width, object_cout"}}, "did you mean 'object_count'"),
        ({"policy": {"name": "best", "objectives": "width, ../../data/truth"}}, "is no metric with a strength"),
        ({"policy": {"name": "diverse"}}, "unknown policy 'diverse'"),
        ({"marks": "predictions"}, "no out-of-fold predictions to draw"),
        ({"marks": "predictions", "code": "import no_such"}, "no out-of-fold predictions to draw"),  # no code runs
        ({"partner": "object_count"}, "one without it has none"),
        ({"policy": {"name": "best", "combine": "product"}}, "needs a known metric as partner"),
        ({"metric": "object_count", "code": None, "policy": {"name": "drop_worst"}}, "this metric scores images"),
        ({"code": WIDTHS.replace("frame.boxes[:, 2]", "open('/etc/passwd')")}, "image 0: PermissionError"),
        ({"code": "import nothing_like_this"}, "ModuleNotFoundError"),
        ({"code": WIDTHS.replace('"object")', '"object", needs=("embedding",))')}, "width needs embedding"),
        ({"code": WIDTHS.replace('"object")', '"object", needs=("predictions",))')}, "no out-of-fold predictions"),
    ],
)
def test_what_cannot_be_previewed_is_told_without_a_file_name(desk, walls, fields, said):
    told, titles = previewed(desk, **fields)
    assert told.startswith("Not answered: ")
    assert said in told
    assert "secret_name" not in told
    assert titles == []


def test_overlap_is_told_beside_chance_and_the_whole_pool_is_no_subset():
    mine, other, full = (np.array(images, bool) for images in ([1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]))
    assert overlap_text(mine, {"other": other, "full": full}) == (
        "Overlap of its 2 images with earlier subsets (by chance 50\u00a0%): other 50\u00a0%"
    )


def test_the_whole_pool_has_no_properties_and_more_boxes_per_image_are_seen():
    pool: Dataset = DATASET
    ranks = {"count": DATASET.counts / 3}
    everything = FirstDraw(np.ones(12, bool), np.ones(len(pool.boxes), bool), 1)
    assert properties(everything, pool, ranks) == pytest.approx(np.zeros(6))
    crowded = pool.counts == 3
    found = properties(FirstDraw(crowded, crowded[pool.box_row], 1), pool, ranks)
    assert found[0] == pytest.approx(np.log(3 / 2))
    assert found[5] == pytest.approx(1 - 2 / 3)


def test_a_forecast_is_told_only_where_it_beats_the_mean_of_the_others():
    rng = np.random.default_rng(3)
    known = rng.normal(size=(20, 3))
    true = 0.03 * known[:, 0] - 0.02 * known[:, 1]
    found = forecast(known, true + rng.normal(0, 0.002, 20), np.array([1.0, 0, 0]))
    assert found is not None
    assert found.low < 0.03 < found.high
    assert found.missed < 0.01 < found.mean_missed
    assert 12 <= found.held <= 20
    assert "mAP, 80 % interval" in forecast_text(found, 20)
    assert forecast(known, rng.normal(0, 0.02, 20), known[0]) is None  # gains have nothing to do with the properties
    assert forecast_text(None, 20).endswith("it was not clearly better than their mean.")
    few = FEWEST - 1
    assert forecast(known[:few], true[:few], known[0]) is None
    assert forecast_text(None, few) == "No forecast of its gain: 5 measured arms, and it takes 6 to check one."


def test_the_interval_of_a_forecast_holds_about_as_often_as_it_says():
    rng, inside, told = np.random.default_rng(5), 0, 0
    for _ in range(120):
        known = rng.normal(size=(10, 3))
        weights = rng.normal(0, 0.02, 3)
        gains, new = known @ weights + rng.normal(0, 0.01, 10), rng.normal(size=3)
        if found := forecast(known, gains, new):
            told += 1
            inside += found.low <= new @ weights + rng.normal(0, 0.01) <= found.high
    assert told >= 60
    assert 0.68 <= inside / told <= 0.95
