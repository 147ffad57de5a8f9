"""The acceptance gate: a sound metric passes, and each rule is broken by a metric made for it."""

from dataclasses import replace

import numpy as np
import pytest

from metricloop.data.frame import Detections, Frame
from metricloop.metrics.contract import MetricResult, Spec
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.gate import pass_gate
from metricloop.scoring.gate_rules import WIDE
from metricloop.scoring.likeness import copy_of
from metricloop.scoring.sandboxed import ENTRIES, MetricFile

HEAD = "import cv2\nimport numpy as np\nfrom metricloop.metrics.contract import metric\n\n"
AREA = '@metric(level="object")\ndef it(frame):\n    return (frame.boxes[:, 2:] - frame.boxes[:, :2]).prod(axis=1)\n'
COUNT = '@metric(level="image")\ndef it(frame):\n    return {}\n'
POOL = '@metric(level="{}", scope="dataset")\ndef it(pool):\n    return {}\n'


@pytest.fixture(scope="module")
def sandbox(walls):
    with Sandbox(ENTRIES, Limits(frame_seconds=1, start_seconds=5)) as made:
        yield made


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    rng = np.random.default_rng(3)
    made = []
    for k in range(12):
        n = 1 + k % 4
        corner = rng.uniform(0, 30, (n, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(4, 30, (n, 2))], axis=1).astype(np.float32)
        image = rng.integers(0, 255, (64, 80, 3), np.uint8)
        found = Detections(boxes, rng.uniform(0, 1, n).astype(np.float32), np.zeros(n, np.int64))
        made.append(Frame(k, 80, 64, boxes, np.zeros(n, np.int64), image=image, predictions=found))
    return made


def broken(sandbox, frames, code, earlier=None) -> dict[str, str]:
    gate_result = pass_gate(sandbox, MetricFile(HEAD + code, "it.py"), "it", frames, earlier)
    return {broken_rule.rule: broken_rule.said for broken_rule in gate_result.broken}


@pytest.mark.parametrize(
    "code",
    [
        AREA,
        COUNT.format("float(frame.boxes.sum())"),
        '@metric(level="image", needs=("image",))\ndef it(frame):\n    return frame.image.mean()\n',
        '@metric(level="object", needs=("predictions",))\ndef it(frame):\n'
        "    return np.resize(np.append(frame.predictions.scores, 0.5), len(frame.boxes)) * 0 + frame.boxes[:, 0]\n",
        POOL.format("object", "pool.boxes[:, 0] - pool.boxes[:, 0].mean()"),
        POOL.format("image", "np.diff(pool.offsets)"),
    ],
)
def test_a_sound_metric_passes(sandbox, frames, code):
    assert broken(sandbox, frames, code) == {}


@pytest.mark.parametrize(
    ("code", "rule", "said"),
    [
        ("1 / 0\n", "loads", "ZeroDivisionError: division by zero (line 5: 1 / 0)"),
        (AREA.replace("def it", "def other"), "loads", "declares no metric 'it', but other"),
        (AREA.replace('"object"', '"object", needs=("embedding",)'), "needs", "needs embedding, which this study"),
        (COUNT.format("1 / (frame.image_id - 7)"), "runs", "fails on 1 of 12 frames; image 7 (80 x 64, 4 boxes): Zero"),
        (AREA.replace(".prod(axis=1)", ""), "runs", "must return one float per object"),
        (COUNT.format("float('inf')"), "runs", "returned infinity"),
        ("import time\n" + COUNT.format("time.sleep(9)"), "runs", "one frame took more than 1 s"),
        ("import os\n" + COUNT.format("os.getpid() + frame.width"), "deterministic", "gives other scores"),
        ("SEEN = []\n" + COUNT.format("SEEN.append(1) or len(SEEN)"), "deterministic", "when asked again; image 0"),
        (COUNT.format("frame.boxes[0, 0]"), "order", "depends on the order of the boxes; image"),
        (AREA.replace("return ", "return np.arange(len(frame.boxes)) + "), "order", "depends on the order"),
        (COUNT.format("frame.boxes[:, 0].max()"), "no boxes", "fails: ValueError: zero-size array"),
        (
            '@metric(level="object", needs=("image",))\ndef it(frame):\n    return [float(cv2.resize(frame.image['
            "int(y1) : int(y2) - 1, int(x1) : int(x2) - 1], (8, 8)).std()) for x1, y1, x2, y2 in frame.boxes]\n",
            "one-pixel boxes",
            "fails: error: OpenCV",
        ),
        (COUNT.format("float('nan') if frame.image_id else 1.0"), "known", "says nan for 92% of 12 scores"),
        (COUNT.format("0.5"), "varies", "says 0.5 for everything"),
        (POOL.format("image", "np.arange(len(pool))"), "deterministic", "gives other scores"),
    ],
)
def test_each_rule_is_broken_by_a_metric_made_for_it(sandbox, frames, code, rule, said):
    assert said in broken(sandbox, frames, code)[rule]


def test_a_copy_is_told_of_the_metric_it_copies(sandbox, frames):
    areas = [(frame.boxes[:, 2:] - frame.boxes[:, :2]).prod(axis=1) for frame in frames]
    rng = np.random.default_rng(0)
    earlier = {"chance": [rng.uniform(size=len(frame.boxes)) for frame in frames], "area": areas}
    upside_down = AREA.replace("return ", "return -np.sqrt").replace("(frame.boxes[:, 2:]", "((frame.boxes[:, 2:]")
    assert "new" not in broken(sandbox, frames, COUNT.format("float(frame.boxes[:, 0].sum())"), earlier)
    found = broken(sandbox, frames, upside_down.replace("axis=1)", "axis=1))"), earlier)
    assert found == {"new": "ranks as area does: Spearman's rho -1.00 over 12 images, where less than 0.95 is asked"}


def test_an_image_metric_is_compared_with_the_means_of_an_object_metric(sandbox, frames):
    tops = [frame.boxes[:, 1] for frame in frames]
    found = broken(sandbox, frames, COUNT.format("frame.boxes[:, 1].mean() if len(frame.boxes) else 0"), {"top": tops})
    assert found == {"new": "ranks as top does: Spearman's rho 1.00 over 12 images, where less than 0.95 is asked"}


def test_too_few_frames_say_nothing_about_copies(sandbox, frames):
    few = frames[:5]
    counts = [np.array([float(len(frame.boxes))]) for frame in few]
    assert broken(sandbox, few, COUNT.format("len(frame.boxes)"), {"count": counts}) == {}


def test_a_metric_is_no_copy_of_itself(sandbox, frames):
    counts = [np.array([float(len(frame.boxes))]) for frame in frames]
    assert broken(sandbox, frames, COUNT.format("len(frame.boxes)"), {"it": counts}) == {}
    assert "new" in broken(sandbox, frames, COUNT.format("len(frame.boxes)"), {"other": counts})


def test_a_metric_that_looks_like_a_copy_is_judged_on_further_images(sandbox, frames):
    """On the gate's images it ranks as the known metric does. Over further ones the ranks, by hand, are unrelated."""
    code = COUNT.format("float(frame.image_id) if frame.image_id < 100 else float((7 * frame.image_id) % 41)")
    known = [np.array([float(k)]) for k in range(12)]
    further = [replace(frame, image_id=100 + 12 * part + k) for part in range(3) for k, frame in enumerate(frames)]
    asked = []

    def wider(metrics, most, pixels):
        asked.append((set(metrics), most, pixels))
        for start in (0, 12, 24):  # in parts
            part = further[start : start + 12]
            yield part, {"ids": [np.array([float(frame.image_id)]) for frame in part]}

    source = MetricFile(HEAD + code, "it.py")
    earlier = {"ids": known, "other": [np.array([float(5 * k % 12)]) for k in range(12)]}
    (alone,) = pass_gate(sandbox, source, "it", frames, earlier).broken
    assert alone.said == "ranks as ids does: Spearman's rho 1.00 over 12 images, where less than 0.95 is asked"
    assert pass_gate(sandbox, source, "it", frames, earlier, wider=wider).accepted
    assert asked == [({"ids"}, WIDE, False)]  # the other metric is unlike, and no pixels are needed
    same = MetricFile(HEAD + COUNT.format("float(frame.image_id) ** 3"), "it.py")
    (copied,) = pass_gate(sandbox, same, "it", frames, earlier, wider=wider).broken
    assert copied.said == "ranks as ids does: Spearman's rho 1.00 over 36 images, where less than 0.95 is asked"
    assert copied.like == "ids"


def test_a_slow_metric_is_compared_on_as_few_images_as_it_can_score_in_time():
    spec, results = Spec("it", "image"), [MetricResult(np.array([float(k)])) for k in range(12)]
    asked = []

    def wider(metrics, most, pixels):
        asked.append(most)
        yield from ()

    for took in (0.1, 2.4, 12.0, 20.0, 600.0):  # 12 images took so long, and there are 20 s for more
        copy_of(spec, results, {"same": [one.scores for one in results]}, lambda frames: [], took, wider)
    assert asked == [200, 100, 20]
