"""`metricloop try`: the gate's rules, the scores of a sample, and the page."""

import re

import numpy as np
import pytest
from study_fixture import make_study

from metricloop.data.tables import PREDICTIONS, write_table
from metricloop.metrics.contract import MetricError, Spec
from metricloop.report.metric_page import build, write_page
from metricloop.sandbox.errors import SandboxError
from metricloop.scoring.gate import GateResult
from metricloop.scoring.gate_checks import BrokenRule
from metricloop.scoring.metric_file import MetricFile
from metricloop.selection.policies import PolicyError
from metricloop.study import try_metric
from metricloop.study.try_metric import (
    TryError,
    check_rules,
    metrics_to_try,
    open_sandbox,
    policy_of,
    read_try_inputs,
    rule_lines,
    sample_evenly,
    score_and_select,
)

HEAD = "import numpy as np\nfrom metricloop.metrics.contract import metric\n\n"
WIDTH = HEAD + '@metric(level="object")\ndef width(frame):\n    return frame.boxes[:, 2] - frame.boxes[:, 0]\n'
GREY = (
    HEAD
    + '@metric(level="image", needs=("image",), higher_is="worse")\ndef grey(frame):\n    return frame.image.mean()\n'
)
POOL = (
    HEAD
    + '@metric(level="image", scope="dataset")\ndef rank(pool):\n    return pool.width * 1.0 + np.diff(pool.offsets)\n'
)
SURE = (
    HEAD
    + '@metric(level="image", needs=("predictions",))\ndef sure(frame):\n    return frame.predictions.scores.sum()\n'
)
WORSE = Spec("x", "image", higher_is="worse")


@pytest.fixture
def study(tmp_path):
    """A small finished study, written to disk, with 32 images in its pool."""
    return make_study(tmp_path / "study")


def test_every_rule_has_a_line_with_its_result():
    lines = rule_lines(GateResult(Spec("it", "image"), (BrokenRule("order", "depends on \x1b[2J order"),)), ["a", "b"])
    assert lines[4:7] == [
        ("held", "deterministic", "gives the same numbers when asked again"),
        ("broke", "order", "depends on ?[2J order"),
        ("held", "no boxes", "works on images without boxes"),
    ]
    assert lines[-1] == ("held", "new", "ranks unlike every metric with scores (2)")


@pytest.mark.parametrize(("rule", "held"), [("loads", 0), ("needs", 1), ("runs", 2)])
def test_rules_after_a_stopping_rule_are_not_asked(rule, held):
    states = [state for state, *_ in rule_lines(GateResult(None, (BrokenRule(rule, "no"),)), ["a"])]
    assert states == ["held"] * held + ["broke"] + ["not asked"] * (10 - held)


def test_without_earlier_scores_the_rule_new_is_not_asked():
    assert rule_lines(GateResult(Spec("it", "image"), ()), [])[-1][0] == "not asked"


def test_a_broken_rule_that_is_no_code_rule_has_a_line_too():
    assert rule_lines(GateResult(None, (BrokenRule("policy", "no"),)), [])[-1] == ("broke", "policy", "no")


@pytest.mark.parametrize(
    ("name", "options", "spec", "expected"),
    [
        ("best", {}, None, {"name": "best", "direction": "higher"}),
        ("best", {}, WORSE, {"name": "best", "direction": "lower"}),
        ("band", {"direction": "higher"}, WORSE, {"name": "band", "direction": "higher"}),
        ("among", {"share": 0.4}, None, {"name": "among", "direction": "higher", "share": 0.4}),
    ],
)
def test_a_policy_takes_the_direction_of_the_metric_by_default(name, options, spec, expected):
    assert policy_of(name, options, spec) == expected


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("amung", {}, "unknown policy 'amung'; did you mean 'among'"),
        ("random", {}, "policy random does not select by scores; policies that do: best, "),
        ("match", {}, "policy match does not select by scores"),
        ("among", {"shar": 0.4}, "unknown option 'shar'; did you mean 'share'"),
        ("among", {"share": 4}, "share=4: Input should be less than 1"),
        ("best", {"combine": "product"}, "combine needs a second metric"),
    ],
)
def test_a_policy_that_one_metric_cannot_serve_is_refused(name, options, said):
    with pytest.raises(PolicyError, match=said):
        policy_of(name, options)


def test_a_sample_is_spread_evenly_and_keeps_each_images_boxes(study):
    pool = read_try_inputs(study).pool
    some = sample_evenly(pool, 4)
    assert some.image_id.tolist() == pool.image_id[[0, 10, 21, 31]].tolist()
    for row, source in enumerate((0, 10, 21, 31)):
        assert some.boxes[some.slice(row)].tolist() == pool.boxes[pool.slice(source)].tolist()
    assert len(some.box_id) == some.offsets[-1] == len(some.labels) == len(some.crowd)
    assert len(sample_evenly(pool, 500)) == 32


def test_the_error_without_data_says_how_to_read_them(tmp_path):
    (tmp_path / "params.yaml").write_text("study: {name: s}\ndata: {source: pictures}\n")
    with pytest.raises(TryError, match=r"has no data yet.*dvc repro ingest"):
        read_try_inputs(tmp_path)


def test_without_a_readable_picture_no_metric_can_be_tried(study):
    for picture in (study / "pictures").glob("*.png"):
        picture.write_bytes(b"")
    with pytest.raises(TryError, match=r"none of the pictures that .*images.parquet lists can be read"):
        read_try_inputs(study)


def test_the_error_without_a_sandbox_says_why_and_what_to_do(study, monkeypatch):
    def none(limits):
        raise SandboxError("there is no sandbox here; missing Landlock")

    monkeypatch.setattr(try_metric, "sandbox", none)
    said = (
        r"mine.py can be tried in the sandbox only\. there is no sandbox here; missing Landlock\. .*run --trust mine.py"
    )
    with pytest.raises(SandboxError, match=said):
        open_sandbox(read_try_inputs(study), "mine.py")


def test_all_metrics_of_a_file_are_tried_or_the_named_one(study, walls):
    opened = open_sandbox(read_try_inputs(study), "two.py")
    two = MetricFile(WIDTH + GREY, "two.py")
    assert metrics_to_try(opened, two, None) == ["width", "grey"]
    assert metrics_to_try(opened, two, "grey") == ["grey"]
    with pytest.raises(MetricError, match=r"two.py declares no metric 'gray'; it declares: width, grey"):
        metrics_to_try(opened, two, "gray")
    with pytest.raises(MetricError, match=r"none.py declares no metric: decorate"):
        metrics_to_try(opened, MetricFile("x = 1\n", "none.py"), None)


def test_the_gate_uses_frames_predictions_and_scores_of_the_study(study, walls):
    inputs = read_try_inputs(study)
    opened = open_sandbox(inputs, "x.py")
    assert [frame.image.shape for frame in inputs.frames] == [(64, 64, 3)] * 24
    assert (
        check_rules(opened, MetricFile(WIDTH.replace("width(", "w("), "x.py"), "w", inputs).broken[0].rule == "new"
    )  # tightness
    (broken,) = check_rules(opened, MetricFile(SURE, "x.py"), "sure", inputs).broken
    assert broken.rule == "needs"
    ids = inputs.pool.image_id
    found = {"image_id": ids, "x1": ids * 0, "y1": ids * 0, "x2": ids * 0 + 9, "y2": ids * 0 + 9, "label": ids * 0}
    write_table(study / "data/predictions.parquet", PREDICTIONS, found | {"score": ids / 100})
    assert check_rules(opened, MetricFile(SURE, "x.py"), "sure", read_try_inputs(study)).accepted


def test_a_metric_that_would_take_too_long_for_the_pool_is_too_slow(study, walls):
    with (study / "params.yaml").open("a") as stream:
        stream.write("sandbox: {pool_seconds: 0.001}\n")
    inputs = read_try_inputs(study)
    slow = MetricFile(WIDTH.replace("    return", "    import time; time.sleep(0.002)\n    return"), "x.py")
    broken = check_rules(open_sandbox(inputs, "x.py"), slow, "width", inputs).broken
    assert [broken_rule.rule for broken_rule in broken if broken_rule.rule != "new"] == ["fast"]


def test_scores_are_in_the_order_of_the_sample_and_the_policy_selects_by_them(study, walls, monkeypatch):
    monkeypatch.setattr(try_metric, "MOST_IMAGES", 16)
    inputs = read_try_inputs(study)
    spec = Spec("width", "object")
    result = score_and_select(inputs, MetricFile(WIDTH, "x.py"), spec, {"name": "best", "direction": "higher"}, "width")
    sample = result.sample
    assert len(sample) == 16
    assert result.scores.value.tolist() == (sample.boxes[:, 2] - sample.boxes[:, 0]).tolist()
    assert result.scores.row.tolist() == sample.box_row.tolist()
    mean = [result.scores.value[result.scores.row == row].mean() if n else -1 for row, n in enumerate(sample.counts)]
    taken = set(result.subset["image_id"].to_pylist())
    assert taken == set(sample.image_id[np.argsort(mean)[-4:]].tolist())  # a quarter of 16


def test_a_metric_of_scope_dataset_scores_the_whole_pool(study, walls, monkeypatch):
    monkeypatch.setattr(try_metric, "MOST_IMAGES", 4)
    result = score_and_select(
        read_try_inputs(study),
        MetricFile(POOL, "x.py"),
        Spec("rank", "image", scope="dataset"),
        policy_of("best", {}),
        "rank",
    )
    assert result.scores.value.tolist() == (64.0 + result.sample.counts).tolist()
    assert len(result.sample) == 32


def test_a_policy_that_drops_boxes_refuses_scores_of_images(study, walls):
    with pytest.raises(PolicyError, match="drop_worst needs a metric that scores objects"):
        score_and_select(
            read_try_inputs(study),
            MetricFile(GREY, "x.py"),
            Spec("grey", "image", ("image",)),
            policy_of("drop_worst", {}),
            "g",
        )


def test_the_page_needs_no_other_file_and_shows_best_and_worst(study, walls, monkeypatch):
    monkeypatch.setattr(try_metric, "MOST_IMAGES", 20)
    inputs, spec = read_try_inputs(study), Spec("grey", "image", ("image",), higher_is="worse")
    policy = policy_of("best", {}, spec)
    result = score_and_select(inputs, MetricFile(GREY, "x.py"), spec, policy, "grey")
    rules = rule_lines(GateResult(spec, ()), ["object_count"])
    page = build(result, inputs, spec, policy, rules, "<mine>.py")
    assert "Scored on 20 images of the 32 in the pool of drawn, evenly spaced." in page
    assert "&lt;mine&gt;.py" in page
    assert page.count('class="thumb"') == 12
    assert page.count("<image ") == 12  # every picture once
    assert 'class="histogram"' in page
    assert "← better" in page
    assert "prefers-color-scheme: dark" in page
    assert page.count(">held</span>") == 11
    assert page.count("<script") == 1  # its own
    assert set(re.findall(r'(?:href|src)="([^"#]{5})', page)) == {"data:"}
    shown = [float(value) for value in re.findall(r"<figcaption>([\d.]+) <span", page)]
    assert shown == sorted(shown[:6]) + sorted(shown[6:], reverse=True)
    assert max(shown[:6]) <= min(shown[6:])
    assert "mistake" not in page.partition("<main")[2]  # the truth is nobody's to tune a metric on


def test_git_ignores_the_page(tmp_path):
    assert write_page(tmp_path, "grey", "<p>é").read_text(encoding="utf-8") == "<p>é"
    assert (tmp_path / "try/.gitignore").read_text() == "*\n"
