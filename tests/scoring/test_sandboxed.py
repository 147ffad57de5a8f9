"""Metrics nobody has read, scored within the walls: the same numbers as outside, and short reasons when they fail."""

import os
from pathlib import Path

import numpy as np
import pytest

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections, Frame
from metricloop.metrics.contract import MetricError, Spec, call_metric
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring import inside_sandbox, sandboxed
from metricloop.scoring.sandboxed import MOST_DEATHS, MetricFile, declared, run_file

pytestmark = pytest.mark.usefixtures("walls")

LIMITS = Limits(frame_seconds=2, start_seconds=5, memory_mb=256)
HONEST = """
from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from metricloop.metrics.contract import metric


@dataclasses.dataclass
class Scale:
    factor: float = 2.0


@metric(level="image")
def width_by_height(frame) -> float:
    return Scale().factor * frame.width / frame.height


@metric(level="object")
def area(frame):
    return (frame.boxes[:, 2] - frame.boxes[:, 0]) * (frame.boxes[:, 3] - frame.boxes[:, 1]) + frame.labels


@metric(level="image", needs=("image",), higher_is="worse")
def blur(frame):
    return cv2.Laplacian(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()


@metric(level="image", needs=["predictions"])
def confidence(frame):
    said = frame.predictions
    return said.scores.mean() + said.labels.sum() + said.boxes.sum() if len(said.scores) else float("nan")


@metric(level="image", needs=("image", "predictions", "embedding"))
def everything(frame):
    return frame.image.mean() + frame.embedding.sum() + len(frame.predictions.boxes) + len(frame.class_names)


@metric(level="object", scope="dataset")
def rarity(dataset):
    return np.bincount(dataset.labels)[dataset.labels] / dataset.box_id


@metric(level="image", scope="dataset")
def crowdedness(dataset):
    return dataset.counts + dataset.width + (dataset.split == "pool") + np.unique(dataset.group).size
"""
FRAME_METRICS = ["width_by_height", "area", "blur", "confidence", "everything"]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(sandboxed.ENTRIES, LIMITS) as started:
        yield started


def drawn(row: int, boxes: int, height: int = 48, width: int = 64) -> Frame:
    chance = np.random.default_rng(row)
    corners = chance.uniform(0, 20, (boxes, 2))
    said = row % 4
    return Frame(
        image_id=row,
        width=width,
        height=height,
        boxes=np.hstack([corners, corners + chance.uniform(1, 20, (boxes, 2))]).astype(np.float32),
        labels=chance.integers(0, 2, boxes),
        class_names=("lion", "bear"),
        image=chance.integers(0, 256, (height, width, 3), dtype=np.uint8),
        predictions=Detections(
            chance.uniform(0, 40, (said, 4)).astype(np.float32),
            chance.uniform(0, 1, said).astype(np.float32),
            chance.integers(0, 2, said),
        ),
        embedding=chance.normal(size=16).astype(np.float32),
    )


FRAMES = [
    drawn(0, 3),
    drawn(1, 0),  # nothing labelled, so no score of an object either
    drawn(2, 1, 31, 17),
    drawn(3, 2, 1, 1),
    drawn(4, 9000),  # three packets
]


def pool(boxes: int) -> Dataset:
    chance = np.random.default_rng(boxes)
    images = 40
    cuts = np.sort(chance.integers(0, boxes + 1, images - 1))
    return Dataset(
        root=Path("somewhere"),
        class_names=("lion", "bear"),
        image_id=np.arange(images),
        file=np.array([f"images/ä{n}.png" for n in range(images)], dtype=object),
        sha256=np.array(["0" * 64] * images, dtype=object),
        width=chance.integers(10, 90, images),
        height=chance.integers(10, 90, images),
        group=np.array([f"scene {n % 7}" for n in range(images)], dtype=object),
        split=np.array(["pool", "test"] * (images // 2), dtype=object),
        box_id=np.arange(boxes) + 1,
        boxes=chance.uniform(0, 90, (boxes, 4)).astype(np.float32),
        labels=chance.integers(0, 2, boxes),
        crowd=np.zeros(boxes, bool),
        offsets=np.concatenate([[0], cuts, [boxes]]),
    )


def one(code: str, needs: str = "()", level: str = "image") -> MetricFile:
    """A file with a metric `judge`, whose body begins in line 6."""
    return MetricFile(
        "import numpy as np\nfrom metricloop.metrics.contract import metric\n\n"
        f"@metric(level={level!r}, needs={needs})\ndef judge(frame):\n"
        + "".join(f"    {line}\n" for line in code.splitlines()),
        "judge.py",
    )


def judged(sandbox, code, frames=FRAMES[:1], level="image"):
    (verdicts,) = run_file(sandbox, one(code, level=level), [Spec("judge", level)], frames)
    return verdicts


# The same as outside.


def test_declarations_are_read_without_running_anything_here(sandbox):
    specs = declared(sandbox, MetricFile(HONEST, "honest.py"))
    assert specs == {
        "width_by_height": Spec("width_by_height", "image"),
        "area": Spec("area", "object"),
        "blur": Spec("blur", "image", ("image",), "worse"),
        "confidence": Spec("confidence", "image", ("predictions",)),
        "everything": Spec("everything", "image", ("image", "predictions", "embedding")),
        "rarity": Spec("rarity", "object", scope="dataset"),
        "crowdedness": Spec("crowdedness", "image", scope="dataset"),
    }


def test_frames_score_the_same_as_outside(sandbox):
    functions = inside_sandbox.load(HONEST, "honest.py")
    specs = [functions[name].spec for name in FRAME_METRICS]
    results = run_file(sandbox, MetricFile(HONEST, "honest.py"), specs, FRAMES)
    for name, verdicts in zip(FRAME_METRICS, results, strict=True):
        for frame, verdict in zip(FRAMES, verdicts, strict=True):
            assert verdict.error is None, name
            np.testing.assert_array_equal(verdict.scores, call_metric(functions[name], frame), err_msg=name)
    assert [len(verdict.scores) for verdict in results[1]] == [3, 0, 1, 2, 9000]


@pytest.mark.parametrize("boxes", [1, 4095, 4096, 4097, 10_000])  # a packet holds 4096
def test_a_pool_scores_the_same_as_outside(sandbox, boxes):
    functions, dataset = inside_sandbox.load(HONEST, "honest.py"), pool(boxes)
    specs = [functions["rarity"].spec, functions["crowdedness"].spec]
    for spec, (verdict,) in zip(specs, run_file(sandbox, MetricFile(HONEST, "honest.py"), specs, dataset), strict=True):
        assert verdict.error is None
        np.testing.assert_array_equal(verdict.scores, call_metric(functions[spec.name], dataset))


def test_no_frames_no_metrics_and_frames_without_boxes(sandbox):
    functions = inside_sandbox.load(HONEST, "honest.py")
    source = MetricFile(HONEST, "honest.py")
    assert run_file(sandbox, source, [functions["blur"].spec], []) == [[]]
    assert run_file(sandbox, source, [], FRAMES) == []
    (verdicts,) = run_file(sandbox, source, [functions["area"].spec], [drawn(1, 0), drawn(5, 0)])
    assert [(verdict.scores.shape, verdict.error) for verdict in verdicts] == [((0,), None)] * 2


def test_what_a_frame_lacks_is_none_inside_too(sandbox):
    bare = Frame(7, 64, 48, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    (verdict,) = judged(sandbox, "return float(frame.image is None and frame.predictions is None)", [bare])
    assert verdict.scores == [1.0]
    (verdicts,) = run_file(sandbox, one("return 1.0", "('image',)"), [Spec("judge", "image", ("image",))], [bare])
    assert verdicts[0].error == "MetricError: judge needs image, which the frame does not have"


def test_numbers_keep_every_bit(sandbox):
    (verdict,) = judged(sandbox, "return [0.1 + 0.2, float('nan'), -0.0]", level="object")
    assert verdict.scores.tobytes() == np.array([0.1 + 0.2, np.nan, -0.0]).tobytes()


# What goes wrong is said in a line, without our frames.


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("return 1 / 0", "ZeroDivisionError: division by zero (line 6: return 1 / 0)"),
        ("import math\nreturn math.sqrt(-1)", "ValueError: math domain error (line 7: return math.sqrt(-1))"),
        # The last line of theirs, though numpy raised it.
        (
            "return np.zeros(3) @ np.zeros(4)",
            "ValueError: matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature "
            "(n?,k),(k,m?)->(n?,m?) (size 4 is different from 3) (line 6: return np.zeros(3) @ np.zeros(4))",
        ),
        ("raise SystemExit('stop')", "SystemExit: stop (line 6: raise SystemExit('stop'))"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: (line 6: raise KeyboardInterrupt)"),
        (
            "open('/etc/passwd')",
            "PermissionError: [Errno 13] Permission denied: '/etc/passwd'; the sandbox forbids it (no network, no "
            "processes, no files but Python's own packages) (line 6: open('/etc/passwd'))",
        ),
        ("return 'high'", "MetricError: judge must return real numbers; got str of dtype <U4, shape (): 'high'"),
        ("return None", "MetricError: judge must return real numbers; got NoneType of dtype object, shape (): None"),
        (
            "return [1.0, 2.0]",
            "MetricError: judge must return one float; got list of dtype float64, shape (2,): [1. 2.]",
        ),
        (
            "return float('-inf')",
            "MetricError: judge returned infinity (nan is 'cannot say'): float of dtype float64, shape (): -inf",
        ),
        ("class Odd(Exception):\n    def __str__(self): raise self\nraise Odd", "an exception that cannot be printed"),
        # A terminal would obey these.
        ("raise ValueError('\\x1b[2Jgone')", "ValueError: ?[2Jgone (line 6: raise ValueError('\\x1b[2Jgone'))"),
    ],
)
def test_a_failure_is_told_in_the_codes_own_lines(sandbox, code, said):
    (verdict,) = judged(sandbox, code)
    assert verdict.error == said
    assert np.isnan(verdict.scores).all()
    assert "inside.py" not in verdict.error


@pytest.mark.parametrize("boxes", [1, 3, 5000])
def test_a_wrong_number_of_scores_is_refused(sandbox, boxes):
    (verdict,) = judged(sandbox, "return [1.0, 2.0]", [drawn(0, boxes)], "object")
    wanted = f"judge must return one float per object, shape ({boxes},); got list of dtype float64, shape (2,)"
    assert wanted in verdict.error
    assert verdict.scores.shape == (boxes,)
    assert np.isnan(verdict.scores).all()


def test_too_much_memory_is_named_with_its_limit(sandbox):
    (verdict,) = judged(sandbox, "return np.ones(1 << 28).sum()")
    assert "MemoryError" in verdict.error
    assert "the limit is 256 MB (line 6: return np.ones(1 << 28).sum())" in verdict.error


def test_images_cannot_be_changed(sandbox):
    frames = [drawn(0, 1), drawn(0, 1)]
    (verdicts,) = run_file(
        sandbox, one("frame.image[:] = 0\nreturn 1.0", "('image',)"), [Spec("judge", "image", ("image",))], frames
    )
    assert verdicts[0].error.startswith("ValueError: assignment destination is read-only (line 6: frame.image[:] = 0)")


def test_a_failing_frame_spoils_no_other(sandbox):
    frames = [drawn(n, 1) for n in range(6)]
    verdicts = judged(sandbox, "return 1 / (frame.image_id - 2) / (frame.image_id - 4)", frames)
    assert [verdict.error is None for verdict in verdicts] == [True, True, False, True, False, True]
    assert [verdict.scores[0] for verdict in verdicts if not verdict.error] == [1 / 8, 1 / 3, -1.0, 1 / 3]


def test_a_dying_frame_costs_itself_only(sandbox):
    frames = [drawn(n, 1) for n in range(5)]
    code = "import os\nif frame.image_id in (1, 3): os.abort() if frame.image_id == 1 else os._exit(0)\nreturn 7.0"
    verdicts = judged(sandbox, code, frames)
    assert [verdict.scores[0] for verdict in verdicts if not verdict.error] == [7.0] * 3
    assert "SIGABRT" in verdicts[1].error or "SIGSEGV" in verdicts[1].error
    assert verdicts[3].error == "ended before it had answered"


def test_after_a_few_deaths_the_rest_is_given_up(sandbox):
    frames = [drawn(n, 1) for n in range(8)]
    code = "import os\nif frame.image_id >= 2: os._exit(3)\nreturn 7.0"
    verdicts = judged(sandbox, code, frames)
    assert [verdict.error for verdict in verdicts] == [None, None, *["ended with status 3"] * 6]


def test_a_slow_frame_is_given_its_time_and_no_more():
    with Sandbox(sandboxed.ENTRIES, Limits(frame_seconds=0.2)) as sandbox:
        frames = [drawn(n, 1) for n in range(3)]
        verdicts = judged(sandbox, "while frame.image_id == 1: pass\nreturn 7.0", frames)
        assert [verdict.error for verdict in verdicts] == [None, "one frame took more than 0.2 s", None]
        code = "while True: pass"
        verdicts = judged(sandbox, code, [drawn(n, 1) for n in range(MOST_DEATHS + 2)])
        assert [verdict.error for verdict in verdicts] == ["one frame took more than 0.2 s"] * (MOST_DEATHS + 2)


def test_all_frames_together_have_a_limit_too():
    with Sandbox(sandboxed.ENTRIES, Limits(batch_seconds=0.4)) as sandbox:
        code = "import time\nif frame.image_id: time.sleep(60)\nreturn 7.0"
        verdicts = judged(sandbox, code, [drawn(0, 1), drawn(1, 1)])
        assert [verdict.error for verdict in verdicts] == [None, "it took more than 0.4 s in all"]


def test_importing_that_takes_too_long_is_said_so():
    with Sandbox(sandboxed.ENTRIES, Limits(start_seconds=0.2)) as sandbox:
        source = MetricFile("while True: pass", "forever.py")
        with pytest.raises(MetricError, match=r"forever\.py: importing the code took more than 0.2 s"):
            declared(sandbox, source)
        (verdicts,) = run_file(sandbox, source, [Spec("judge", "image")], FRAMES[:2])
        assert [verdict.error for verdict in verdicts] == ["importing the code took more than 0.2 s"] * 2


# Code that tampers with what we run inside gets no further than its own verdicts.


@pytest.mark.parametrize(
    "packet",
    [
        "b''",
        "b'nonsense'",
        "b'V'",
        "b'V' + struct.pack('<IId', 1, 0, 5.0)",  # of another frame
        "b'V' + struct.pack('<IId', 0, 1, 5.0)",  # from the second value on
        "b'V' + struct.pack('<IIdd', 0, 0, 5.0, 6.0)",  # one too many
        "b'V' + struct.pack('<IIf', 0, 0, 5.0)",  # half a number
        "b'R'",
        "b'V' * 60000",
    ],
)
def test_a_forged_answer_is_not_taken(sandbox, packet):
    code = f"import os, struct\nos.write(3, {packet})\nreturn 7.0"
    (verdict,) = judged(sandbox, code)
    assert verdict.error
    assert np.isnan(verdict.scores).all()


def test_a_second_answer_does_not_reach_the_next_frame_or_metric(sandbox):
    forged = "import os, struct\nos.write(3, b'V' + struct.pack('<IId', frame.image_id, 0, 5.0))\nreturn 7.0"
    source = MetricFile(one(forged).code + one("return 8.0").code.replace("judge", "after"), "two.py")
    frames = [drawn(n, 1) for n in range(3)]
    lied, after = run_file(sandbox, source, [Spec("judge", "image"), Spec("after", "image")], frames)
    assert [verdict.scores[0] for verdict in after] == [8.0] * 3
    assert lied[0].scores == [5.0]  # what it says of its own frame is its own affair
    assert lied[1].error == "answered out of turn: it may send one array of numbers per frame, in order"


def test_a_forged_infinity_is_refused(sandbox):
    code = "import os, struct\nos.write(3, b'V' + struct.pack('<IId', 0, 0, float('inf')))\nreturn 7.0"
    (verdict,) = judged(sandbox, code)
    assert verdict.error == "judge returned infinity (nan is 'cannot say')"
    assert np.isnan(verdict.scores).all()


def test_one_metric_cannot_touch_anothers_scores(sandbox):
    code = """
import sys, numpy
from metricloop.metrics.contract import metric
@metric(level="image")
def spoiler(frame):
    contract, inside = sys.modules["metricloop.metrics.contract"], sys.modules["metricloop.scoring.inside_sandbox"]
    contract.call_metric = inside.call_metric = lambda *_: numpy.float64([666])
    numpy.mean = lambda *_: 666
    return 1.0
@metric(level="image")
def honest(frame):
    return numpy.mean([1, 2, 3])
"""
    specs = [Spec("spoiler", "image"), Spec("honest", "image"), Spec("spoiler", "image")]
    first, honest, again = run_file(sandbox, MetricFile(code, "spoil.py"), specs, [drawn(n, 1) for n in range(2)])
    assert [verdict.scores[0] for verdict in first] == [1.0, 666.0]
    assert [verdict.scores[0] for verdict in honest] == [2.0, 2.0]
    assert [verdict.scores[0] for verdict in again] == [1.0, 666.0]


# Files that are no metrics.


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1\ndef broken(:\n", r"bad\.py: SyntaxError: .*\(line 2: def broken\(:\)"),
        ("x = 1\nraise RuntimeError('no')\n", r"bad\.py: RuntimeError: no \(line 2: raise RuntimeError\('no'\)\)"),
        ("import nothing_like_it", r"bad\.py: ModuleNotFoundError: No module named 'nothing_like_it' \(line 1: "),
        (
            "from metricloop.metrics.contract import metric\n@metric(level='box')\ndef odd(frame): pass",
            r"bad\.py: MetricError: odd: level='box'; it must be one of \('image', 'object'\) \(line 2: @metric",
        ),
        ("x = '\\0'\0", r"bad\.py: (SyntaxError|ValueError): source code string cannot contain null bytes"),
        ("import os; os._exit(0)", r"bad\.py: it answered nonsense|bad\.py: ended"),
        ("import os; os.write(3, b'R[1]')", r"bad\.py: its declaration of a metric is not valid: got 1"),
        ("import os; os.write(3, b'R[{\"name\": 1}]')", r"bad\.py: its declaration of a metric is not valid: got"),
        ("import os; os.write(3, b'R' + b'[' * 50000)", r"bad\.py: its declaration of a metric is not valid"),
        ("import os; os.write(3, b'R\\xff\\xfe')", r"bad\.py: its declaration of a metric is not valid"),
        ("import os; os.write(3, b'B\\x1b[31mred')", r"bad\.py: \?\[31mred"),
        (
            "import os, json; os.write(3, b'R' + json.dumps([dict(name='a b', level='image', needs=[],"
            " higher_is='better', scope='frame', side=None)]).encode())",
            r"bad\.py: its declaration of a metric is not valid: .*got 'a b'",
        ),
        (
            "import os, json; os.write(3, b'R' + json.dumps([dict(name='a', level='image', needs=5,"
            " higher_is='better', scope='frame', side=None)]).encode())",
            r"bad\.py: its declaration of a metric is not valid",
        ),
        (
            "import os, json; os.write(3, b'R' + json.dumps([dict(name=5, level='image', needs=[],"
            " higher_is='better', scope='frame', side=None)]).encode())",
            r"bad\.py: its declaration of a metric is not valid",
        ),
        (
            "import os, json; os.write(3, b'R' + json.dumps([dict(name='a', level='box', needs=[],"
            " higher_is='better', scope='frame', side=None)]).encode())",
            r"bad\.py: its declaration of a metric is not valid: a: level='box'",
        ),
        ("import os; os.write(3, b'R5')", r"bad\.py: its declaration of a metric is not valid"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(sandbox, code, said):
    with pytest.raises(MetricError, match=said) as raised:
        declared(sandbox, MetricFile(code, "bad.py"))
    assert "\n" not in str(raised.value)
    assert "inside.py" not in str(raised.value)


def test_a_file_without_metrics_declares_none_and_imported_ones_do_not_count(sandbox):
    assert declared(sandbox, MetricFile("", "empty.py")) == {}
    assert declared(sandbox, MetricFile("from metricloop.metrics.contract import metric\nx = 1", "none.py")) == {}
    assert declared(sandbox, MetricFile("", "with space and ü.py")) == {}


def test_a_metric_that_the_file_does_not_have_is_said_so(sandbox):
    (verdicts,) = run_file(sandbox, MetricFile(HONEST, "honest.py"), [Spec("not_there", "image")], FRAMES[:2])
    assert [verdict.error for verdict in verdicts] == ["KeyError: 'not_there'"] * 2


def test_a_file_that_cannot_be_loaded_gives_every_frame_the_reason(sandbox):
    (verdicts,) = run_file(sandbox, MetricFile("def broken(:", "bad.py"), [Spec("broken", "object")], FRAMES[:3])
    assert [verdict.error is None for verdict in verdicts] == [False, True, False]  # the second has no boxes
    assert "(line 1: def broken(:)" in verdicts[0].error
    assert [verdict.scores.shape for verdict in verdicts] == [(3,), (0,), (1,)]


def test_nothing_stays_open(sandbox):
    judged(sandbox, "return 1.0")
    before = sorted(os.listdir("/proc/self/fd"))
    for code in ("return 1.0", "return 1 / 0", "import os; os._exit(1)"):
        judged(sandbox, code)
    with pytest.raises(MetricError):
        declared(sandbox, MetricFile("1 / 0", "bad.py"))
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_dead_zygote_costs_a_frame_and_no_more(sandbox):
    """Killed half-way by somebody else; the next frame gets a new one."""
    zygote = sandbox._process
    frames = [drawn(n, 1) for n in range(3)]

    def killing(child, *arguments):
        if child_answers.pop(0):
            zygote.kill()
            zygote.wait()
        return answer(child, *arguments)

    answer, child_answers = sandboxed._answer, [False, True, False, False]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sandboxed, "_answer", killing)
        verdicts = judged(sandbox, "import time\nif frame.image_id == 1: time.sleep(1)\nreturn 7.0", frames)
    assert verdicts[0].scores == [7.0]
    assert verdicts[2].scores == [7.0]
    assert verdicts[1].error == "the zygote died; the next call starts a new one"


SPY = """
from metricloop.metrics.contract import metric

@metric(level="image", scope="dataset")
def names(dataset):
    raise ValueError(" ".join([*dataset.file[:9], "|", *dataset.group[:9], "|", *dataset.sha256[:9]]))
"""


def test_a_metric_of_the_pool_learns_which_files_are_alike_and_not_what_they_are_called(sandbox):
    dataset = pool(3)
    source = MetricFile(SPY, "spy.py")
    ((verdict,),) = run_file(sandbox, source, list(declared(sandbox, source).values()), dataset)
    file, group, sha256 = verdict.error.removeprefix("ValueError: ").split(" | ", 2)
    assert len({*map(int, file.split())}) == 9
    assert group.split() == ["0", "1", "2", "3", "4", "5", "6", "0", "1"]
    assert sha256.startswith("0 0 0 0 0 0 0 0 0 (line")
