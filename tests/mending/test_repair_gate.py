"""The gate for repairs in the real sandbox: a sound repair passes, and each rule is broken by one made for it."""

import numpy as np
import pytest

from metricloop.data.frame import Detections, Frame
from metricloop.mending.gate import pass_repair_gate
from metricloop.mending.gate_rules import repair_rules_table
from metricloop.mending.sandboxed import ENTRIES, declared_repairs, run_repair
from metricloop.runtime.code_digest import HOME
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.metric_file import MetricFile

HEAD = "import os, random, time\nimport numpy as np\nfrom metricloop import Edit, repair\n\n"
SOUND = "[Edit.drop(k, 0.5) for k in range(len(frame.boxes)) if frame.boxes[k, 0] > 9]"


@pytest.fixture(scope="module")
def sandbox(walls):
    with Sandbox(ENTRIES, Limits(frame_seconds=1, start_seconds=5)) as made:
        yield made


def frame(number: int) -> Frame:
    rng = np.random.default_rng(number)
    n = 1 + number % 4
    corner = rng.uniform(0, 30, (n, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(4, 30, (n, 2))], axis=1).astype(np.float32)
    image = rng.integers(0, 255, (64, 80, 3), np.uint8)
    found = Detections(boxes + np.float32(1), np.float32(rng.uniform(0, 1, n)), np.zeros(n, np.int64))
    return Frame(number, 80, 64, boxes, np.zeros(n, np.int64), image=image, predictions=found)


FRAMES = [frame(number) for number in range(8)]


def broken(sandbox, body, needs="", earlier=None, head=""):
    code = f"{HEAD}{head}\n@repair(needs=({needs}))\ndef it(frame):\n    return {body}\n"
    result = pass_repair_gate(sandbox, MetricFile(code, "it.py"), "it", FRAMES, earlier)
    return {one.rule: one.said for one in result.broken}


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        (SOUND, ""),
        ("[Edit.move(k, b.tolist(), float(s)) for k, (b, s) in "
         "enumerate(zip(frame.predictions.boxes, frame.predictions.scores)) if k < len(frame.boxes) and k == 0 "
         "and len(frame.boxes) == 1]", '"predictions",'),
        ("[Edit.add([0, 0, 5 + frame.image.mean() / 100, 5], 0, 1)]", '"image",'),
    ],
)  # fmt: skip
def test_a_sound_repair_passes(sandbox, body, needs):
    assert broken(sandbox, body, needs) == {}


@pytest.mark.parametrize(
    ("body", "rule", "said"),
    [
        ("[Edit.add([0, 0, 81, 5], 0, 1)]", "runs", "inside the image, 80 x 64"),
        ("[Edit.add([0, 0, float('nan'), 5], 0, 1)]", "runs", "four finite numbers"),
        ("[Edit.drop(0, 1)] * 1_000_000", "runs", "1000000 edits"),
        ("[Edit.add([0, 0, 5 + k / 1e6, 5], 0, 1) for k in range(1_000_000)]", "runs", ""),
        ("frame.boxes.__setitem__(0, 0) or []", "runs", "read-only"),
        ("[Edit.drop(k, 1) for k in range(len(frame.boxes))] if os._exit(3) else []", "runs", "fails on"),
        ("open('/etc/passwd') or []", "runs", "PermissionError"),
        ("time.sleep(9) or []", "runs", "more than 1 s"),
        ("frame.views", "runs", "must return a list of Edits; got NoneType"),
        ("[Edit.drop(0, time.time_ns() % 1000 / 1000)] if len(frame.boxes) else []", "deterministic", "asked again"),
        ("[Edit.drop(0, 1)] if len(frame.boxes) else []", "order", "order of the boxes"),
        ("[Edit.drop(int(frame.boxes[:, 0].argmin()), 1)]", "no boxes", "fails"),
        (
            "[Edit.move(k, frame.boxes[k] + [0, 0, 0.5, 0.5], 1) for k in range(len(frame.boxes))]",
            "one-pixel boxes",
            "",
        ),
        ("[]", "acts", "changes no label"),
        ("[Edit.move(k, frame.boxes[k], 1) for k in range(len(frame.boxes))]", "acts", "changes no label"),
        ("[Edit.relabel(k, 0, 1) for k in range(len(frame.boxes))]", "acts", "changes no label"),
        ("[] if True else None  # a comment\n@repair()\ndef it(frame): return [][0]", "runs", "IndexError"),
    ],
)
def test_every_rule_is_broken_by_a_repair_made_for_it(sandbox, body, rule, said):
    found = broken(sandbox, body)
    assert said in found[rule]


def test_a_copy_of_a_known_repair_is_named(sandbox):
    code = MetricFile(f"{HEAD}@repair()\ndef other(frame):\n    return {SOUND}\n", "other.py")
    known = {"other": [one.rows for one in run_repair(sandbox, code, declared_repairs(sandbox, code)["other"], FRAMES)]}
    assert "makes the edits of other" in broken(sandbox, SOUND, earlier=known)["new"]
    assert broken(sandbox, SOUND.replace("0.5", "0.9"), earlier=known) == {}  # the same edits, but surer


def test_a_file_that_cannot_be_loaded(sandbox):
    assert "ZeroDivisionError" in broken(sandbox, "[]", head="1 / 0")["loads"]
    assert "declares no repair 'it', but" in broken(sandbox, "[]\ndel it")["loads"]


def test_what_the_study_does_not_have(sandbox):
    assert "needs embedding" in broken(sandbox, "[]", '"embedding",')["needs"]


def test_a_frame_that_kills_its_process_costs_only_itself(sandbox):
    body = "[] if frame.image_id != 3 else os._exit(0)"
    code = MetricFile(f"{HEAD}@repair()\ndef it(frame):\n    return {body}\n", "it.py")
    results = run_repair(sandbox, code, declared_repairs(sandbox, code)["it"], FRAMES)
    assert [k for k, one in enumerate(results) if one.error] == [3]


def test_hostile_packets_are_refused(sandbox):
    """A repair that writes to the socket itself: an edit outside of the image is found out by the parent."""
    forged = (
        "import struct, sys\n"
        "def forge():\n"
        "    row = np.array([[3, -1, 0, 0, 999, 5, 0, 1.0]])\n"
        "    for fd in range(3, 64):\n"
        "        try: os.write(fd, b'V' + struct.pack('<III', 0, 0, 1) + row.tobytes())\n"
        "        except OSError: pass\n"
    )
    code = MetricFile(f"{HEAD}{forged}\n@repair()\ndef it(frame):\n    forge()\n    return []\n", "it.py")
    results = run_repair(sandbox, code, declared_repairs(sandbox, code)["it"], FRAMES[:1])
    assert results[0].error
    assert not len(results[0].rows)


def test_the_page_lists_the_rules():
    assert repair_rules_table() in (HOME / "docs" / "repair.md").read_text()
