"""The gate runs an idea's code in the sandbox, and says which rule it broke."""

import pytest
from round_fixture import CODE, drawn

from metricloop.engineer.code_gate import CodeGate, load_without_sandbox
from metricloop.engineer.known_ideas import KnownIdeas
from metricloop.sandbox.limits import Limits
from metricloop.scoring.metric_file import MetricFile

FRAMES = drawn(12)


def code_gate(folder, **changes) -> CodeGate:
    usual = {"folder": folder, "number": 1, "known": KnownIdeas({}, {}), "frames": FRAMES, "limits": Limits(),
             "scores_by_metric": {}, "patience": 60.0}  # fmt: skip
    return CodeGate(**(usual | changes))


@pytest.mark.parametrize(
    ("code", "rule", "said"),
    [
        ("1 / 0", "loads", "metrics/generated/1/wide.py: ZeroDivisionError: division by zero (line 1: 1 / 0)"),
        ("x = 1", "loads", "declares no metric 'wide', but none"),
        ("import socket\nsocket.socket()", "loads", "the sandbox forbids it"),
        (
            CODE.replace("frame.boxes[:, 2] - frame.boxes[:, 0]", "frame.boxes[:, 0] * 0"),
            "varies",
            "says 0 for everything",
        ),
    ],
)
def test_code_is_judged_within_the_walls_and_says_what_broke(tmp_path, walls, code, rule, said):
    gate_result = code_gate(tmp_path).check(MetricFile(code, "metrics/generated/1/wide.py"), "wide")
    assert [broken_rule.rule for broken_rule in gate_result.broken] == [rule]
    assert said in gate_result.broken[0].said


def test_a_metric_too_slow_for_the_pool_is_told_so(tmp_path, walls):
    slow = CODE.replace("    return", "    import time\n    time.sleep(0.02)\n    return")
    gate_result = code_gate(tmp_path, patience=0.005).check(MetricFile(slow, "metrics/generated/1/wide.py"), "wide")
    assert [broken_rule.rule for broken_rule in gate_result.broken] == ["fast"]
    assert gate_result.broken[0].said.endswith("the pool's size leaves 0.005 s")


def test_unsafe_executes_here_what_it_is_given(tmp_path):
    assert load_without_sandbox(MetricFile(CODE, "wide.py"), "wide").spec.level == "object"
    assert "ZeroDivisionError" in load_without_sandbox(MetricFile("1 / 0", "wide.py"), "wide").broken[0].said
    assert load_without_sandbox(MetricFile(CODE, "wide.py"), "other").broken[0].rule == "loads"
