"""tasks/compare.py on a study small enough to work out by hand, and from its files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metricloop.comparison.compare import CompareError, Result, compare, read_results
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.loading import load
from metricloop.data.tables import BOXES, IMAGES, SUBSET, read_json, write_json, write_table
from metricloop.evaluation.average_precision import count_positives, weighted_ap
from metricloop.evaluation.coco import coco_evaluate, write_matches
from metricloop.tasks.compare import main

IMAGES_IN_SPLIT = 12
SIZES = {"random": (10, 20), "count": (10, 31), "oracle": (10, 19)}
PLAN = {
    "arms": {
        "oracle": {"role": "control", "policy": {"name": "oracle"}},
        "count": {"role": "treatment", "metric": "object_count", "policy": {"name": "best", "direction": "higher"}},
        "random": {"role": "baseline", "policy": {"name": "random"}},
    },
    "blocks": {f"{arm}.0": {"arm": arm, "seeds": "0-2"} for arm in ("random", "count", "oracle")},
}
RECIPE = {"hash": "abc", "fields": {"iterations": 3, "augment": "none"}}


def split_on_disk(folder: Path) -> Dataset:
    """Twelve search images with one 40-pixel box each, and one test image that must not count."""
    n = IMAGES_IN_SPLIT + 1
    image_id = np.arange(1, n + 1)
    text = [str(i) for i in image_id]
    splits = ["search"] * IMAGES_IN_SPLIT + ["test"]
    size = {"width": [64] * n, "height": [64] * n}
    write_table(
        folder / "images.parquet",
        IMAGES,
        {"image_id": image_id, "file": text, "sha256": text, "group": text, "split": splits, **size},
    )
    corners = {"x1": [0.0] * n, "y1": [0.0] * n, "x2": [40.0] * n, "y2": [40.0] * n}
    labels = {"label": [0] * n, "crowd": [False] * n}
    write_table(folder / "boxes.parquet", BOXES, {"box_id": image_id, "image_id": image_id, **corners, **labels})
    write_json(folder / "categories.json", ["lion"])
    return load(folder, ".", "search")


@pytest.fixture
def truth(tmp_path) -> Dataset:
    return split_on_disk(tmp_path / "data")


def result(truth: Dataset, arm: str, found: dict[int, int], **changes) -> Result:
    """A block whose detector finds the first `found[seed]` objects and nothing else: mAP about found / 12."""
    box = np.array([[0, 0, 40, 40]], np.float32)
    evaluations = {}
    for seed, hits in found.items():
        detections = [
            Detections(box[: i < hits], np.full(int(i < hits), 0.9, np.float32), np.zeros(int(i < hits), np.int64))
            for i in range(len(truth))
        ]
        evaluations[seed] = coco_evaluate(truth, detections)
    values = {
        "block": f"{arm}.0",
        "arm": arm,
        "numbers": {seed: evaluation.numbers for seed, evaluation in evaluations.items()},
        "matches": {seed: evaluation.matches for seed, evaluation in evaluations.items()},
        "recipe": RECIPE,
    }
    return Result(**(values | changes))


def three_arms(truth: Dataset) -> list[Result]:
    return [
        result(truth, "oracle", {0: 12, 1: 11, 2: 12}),
        result(truth, "count", {0: 4, 1: 3, 2: 3}),
        result(truth, "random", {0: 3, 1: 2, 2: 4, 3: 3}),
    ]


def run(results, truth, plan=PLAN, **options):
    return compare("tiny", 0.25, plan, results, truth, SIZES, **options)


def ap(hits: int) -> float:
    """AP of a detector without false alarms: the recall levels 0, .01 ... 1 that it reaches."""
    return (100 * hits // IMAGES_IN_SPLIT + 1) / 101


def test_the_table_by_hand(truth):
    comparison = run(three_arms(truth), truth)
    assert {key: comparison[key] for key in ("study", "budget", "recipe", "split")} == {
        "study": "tiny",
        "budget": 0.25,
        "recipe": "abc",
        "split": "search",
    }
    arms = {arm["name"]: arm for arm in comparison["arms"]}
    assert list(arms) == ["random", "count", "oracle"]  # baseline, treatments, controls
    count = arms["count"]
    assert (count["images"], count["boxes"], count["metric"], count["direction"]) == (10, 31, "object_count", "higher")
    assert count["mAR"]["per_seed"] == pytest.approx([4 / 12, 3 / 12, 3 / 12])
    assert count["mAP"]["mean"] == pytest.approx((ap(4) + 2 * ap(3)) / 3)
    # Seed 3 has no partner: differences in mAR are 1/12, 1/12, -1/12.
    change = count["gain"]["mAR"]
    assert change["abs"] == pytest.approx(1 / 36)
    assert change["rel"] == pytest.approx(10 / 9 - 1)
    # t = mean / (sd / sqrt 3) = (1/3) / (2/3) = 1/2 on two degrees of freedom: p = 2/3.
    assert change["p"] == pytest.approx(2 / 3)
    assert change["p_holm"] >= change["p"]
    assert change["p_sign_flip"] is None
    assert change["ci95"][0] < 0 < change["ci95"][1]
    assert (count["verdict"], arms["random"]["verdict"], arms["random"]["gain"]) == ("undecided", None, None)
    assert arms["oracle"]["verdict"] == "better"
    assert arms["oracle"]["oracle_gap_closed"] == 1
    expected = count["gain"]["mAP"]["abs"] / arms["oracle"]["gain"]["mAP"]["abs"]
    assert count["oracle_gap_closed"] == pytest.approx(expected)


def test_same_input_same_bytes_whatever_the_order(truth):
    once = json.dumps(run(three_arms(truth), truth))
    assert once == json.dumps(run(three_arms(truth)[::-1], truth))
    other = compare("another", 0.25, PLAN, three_arms(truth), truth, SIZES)  # the study's name seeds the bootstrap
    assert json.loads(once)["arms"][2]["gain"]["mAP"]["ci95"] != other["arms"][2]["gain"]["mAP"]["ci95"]


def test_the_gap_is_null_while_the_oracle_is_undecided(truth):
    results = [result(truth, "oracle", {0: 4, 1: 1, 2: 4}), *three_arms(truth)[1:]]
    arms = run(results, truth)["arms"]
    assert {arm["oracle_gap_closed"] for arm in arms} == {None}


def test_more_looks_and_a_larger_family_raise_p(truth):
    def of_oracle(**options):
        return next(a for a in run(three_arms(truth), truth, **options)["arms"] if a["name"] == "oracle")["gain"]["mAP"]

    one = of_oracle()
    planned = {
        "arms": PLAN["arms"] | {"later": {"role": "treatment", "policy": {"name": "best"}}},
        "blocks": PLAN["blocks"] | {"later.0": {"arm": "later", "seeds": "0-2"}},
    }
    assert of_oracle(tests_planned=2)["p_holm"] == pytest.approx(2 * one["p_holm"])
    assert of_oracle(plan=planned)["p_holm"] == pytest.approx(1.5 * one["p_holm"])  # smallest of 3 instead of 2
    assert of_oracle(tests_planned=2)["p"] == one["p"]


def test_two_recipes_are_refused_and_the_field_named(truth):
    other = result(truth, "count", {0: 4}, recipe={"hash": "x", "fields": RECIPE["fields"] | {"iterations": 9}})
    with pytest.raises(CompareError, match=r"count\.0 and random\.0 .* iterations: 9 and 3;"):
        run([other, result(truth, "random", {0: 3})], truth)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"count": {0: 4}}, "'random' has no results yet"),
        ({"count": {5: 4}, "random": {0: 3}}, r"count \(seeds \[5\]\) shares no seed with random \(seeds \[0\]\)"),
    ],
)
def test_what_cannot_be_compared_says_why(truth, blocks, message):
    with pytest.raises(CompareError, match=message):
        run([result(truth, arm, found) for arm, found in blocks.items()], truth)


def test_two_baselines_are_refused(truth):
    plan = PLAN | {"arms": PLAN["arms"] | {"count": PLAN["arms"]["random"]}}
    with pytest.raises(CompareError, match="exactly one arm must have the role baseline, found count, random"):
        run(three_arms(truth), truth, plan)


def test_one_seed_gives_a_gain_but_no_verdict(truth):
    arms = run([result(truth, "count", {0: 4}), result(truth, "random", {0: 2})], truth)["arms"]
    change = arms[1]["gain"]["mAR"]
    assert change["abs"] == pytest.approx(2 / 12)
    assert [change[key] for key in ("ci95", "p", "p_holm")] == [None, None, None]
    assert (arms[1]["verdict"], arms[1]["seeds_needed"], arms[1]["mAP"]["sd"]) == ("undecided", None, None)


def test_the_interval_covers_the_choice_of_test_images(truth):
    # Both arms are equal in every seed but for two images found more: no seed noise, so only the images can vary.
    results = [result(truth, "count", dict.fromkeys(range(3), 5)), result(truth, "random", dict.fromkeys(range(3), 3))]
    change = run(results, truth, replicates=4000)["arms"][1]["gain"]["mAR"]
    # mAR is the share of images found, so its difference is a mean of 12 zeros and ones, two of them ones.
    sd = np.std([1, 1] + [0] * 10, ddof=1) / np.sqrt(12)
    half = 2.201 * sd  # t, 11 degrees of freedom
    assert change["ci95"] == pytest.approx([2 / 12 - half, 2 / 12 + half], abs=0.01)
    assert change["p"] == pytest.approx(0, abs=1e-9)
    assert change["p_holm"] > 0.05  # over other search images the same gain could well be none


def test_frames_of_a_video_are_drawn_together(truth):
    results = [result(truth, "count", dict.fromkeys(range(3), 6)), result(truth, "random", dict.fromkeys(range(3), 3))]
    videos = replace(truth, group=np.repeat(["a", "b", "c", "d"], 3))

    def width(split):
        low, high = run(results, split)["arms"][1]["gain"]["mAR"]["ci95"]
        return high - low

    assert width(videos) > 1.5 * width(truth)


def test_main_reads_the_files_of_a_workspace(tmp_path, truth, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("metricloop.tasks.compare.begin_stage", lambda name: None)
    Path("params.yaml").write_text("study: {name: tiny}\ndata: {source: pictures}\n")
    spec = "{role: %s, a: x, b: x, policy: {name: %s}}"
    Path("arms.yaml").write_text(
        f"arms: {{random: {spec % ('baseline', 'random')}, oracle: {spec % ('control', 'oracle')}}}\n"
        "blocks: {random.0: {arm: random, seeds: 0-2}, oracle.0: {arm: oracle, seeds: 0-2},"
        " oracle.1: {arm: oracle, seeds: 3-5}}\n"
    )
    for arm in ("random", "oracle"):
        block = next(found for found in three_arms(truth) if found.arm == arm)
        folder = Path("results") / block.block
        numbers = {str(seed): values for seed, values in block.numbers.items()}
        write_json(folder / "metrics.json", {"arm": arm, "block": block.block, "seeds": numbers})
        write_json(folder / "recipe.json", RECIPE)
        write_matches(folder / "matches.parquet", block.matches)
        subset = {"draw": [0, 0, 0, 1], "image_id": [7, 7, 8, 7], "box_id": [1, 2, None, 1], "label": [0, 0, None, 0]}
        corners = {name: [0.0, 0.0, None, 0.0] for name in ("x1", "y1", "x2", "y2")}
        write_table(f"subsets/{arm}.parquet", SUBSET, {**subset, **corners, "use": ["keep", "mask", "none", "keep"]})
    write_json("results/gone.0/metrics.json", {"arm": "gone"})  # of an arm that is no longer in the plan
    main()
    first = Path("comparison.json").read_bytes()
    main()
    assert Path("comparison.json").read_bytes() == first
    arms = read_json("comparison.json")["arms"]
    assert [(arm["name"], arm["images"], arm["boxes"]) for arm in arms] == [("random", 2, 1), ("oracle", 2, 1)]
    assert arms[1]["gain"]["mAP"]["abs"] == pytest.approx(np.mean([ap(12) - ap(3), ap(11) - ap(2), ap(12) - ap(4)]))


def test_a_seed_without_detections_is_compared_too(tmp_path, truth):
    block = result(truth, "random", {0: 0, 1: 2})
    folder = tmp_path / "results" / "random.0"
    write_matches(folder / "matches.parquet", block.matches)
    write_json(folder / "metrics.json", {"seeds": {str(s): dict(v) for s, v in block.numbers.items()}})
    write_json(folder / "recipe.json", RECIPE)
    again = read_results(PLAN, tmp_path)[0]
    weights = np.ones((1, len(truth)))
    for seed, expected in ((0, 0), (1, 2 / 12)):
        _, mean_ar = weighted_ap(again.matches[seed], truth.image_id, count_positives(truth), weights)
        assert mean_ar == pytest.approx([expected])


def test_an_arm_scored_without_the_sandbox_says_so(truth):
    arms = run(three_arms(truth), truth, unsafe={"count"})["arms"]
    assert [arm["name"] for arm in arms if arm["unsafe_in_process"]] == ["count"]
