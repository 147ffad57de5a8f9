"""metricloop/comparison/compare.py and tasks/compare.py on a study small enough to work out by hand, and from files."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from metricloop.comparison.background import Background
from metricloop.comparison.compare import compare
from metricloop.comparison.looks import Look
from metricloop.comparison.next_steps import next_steps
from metricloop.comparison.results import CompareError, Result, read_results
from metricloop.comparison.screening import Screening
from metricloop.comparison.statistics import holm
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.loading import load
from metricloop.data.tables import BOXES, IMAGES, SUBSET, read_json, write_json, write_table
from metricloop.evaluation.average_precision import count_positives, weighted_ap
from metricloop.evaluation.coco import coco_evaluate, write_matches
from metricloop.flows.decisions import more_seeds
from metricloop.params import Looks
from metricloop.tasks.compare import main

IMAGES_IN_SPLIT = 12
SIZES = {"random": (10, 20), "count": (10, 31), "oracle": (10, 19)}
PLAN = {
    "arms": {
        "oracle": {"role": "control", "policy": {"name": "oracle"}},
        "count": {
            "role": "treatment",
            "metric": "object_count",
            "a": "scores/labels/object_count.parquet",
            "policy": {"name": "best", "direction": "higher"},
        },
        "random": {"role": "baseline", "policy": {"name": "random"}},
    },
    "blocks": {f"{arm}.0": {"arm": arm, "seeds": "0-2"} for arm in ("random", "count", "oracle")},
}
LOOKS = (Look(3, 4, 0.02), Look(6, 8, 0.03))
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


def run(results, truth, plan=PLAN, sizes=SIZES, looks=LOOKS, **options):
    return compare("tiny", 0.25, plan, results, truth, sizes, looks=looks, **options)


def rows(comparison) -> dict[str, dict]:
    return {arm["name"]: arm for arm in comparison["arms"]}


def study(**policies: str) -> dict:
    """A plan of random and these arms: name="policy", name="policy control" or name="policy group"."""
    arms = {"random": {"role": "baseline", "policy": {"name": "random"}}}
    for name, words in policies.items():
        policy, *rest = words.split(" ", 1)
        role = "control" if rest == ["control"] else "treatment"
        arms[name] = {"role": role, "a": f"scores/own/{name}.parquet", "policy": {"name": policy}}
        if rest and role == "treatment":
            arms[name]["group"] = rest[0]
    return {"arms": arms, "blocks": {f"{name}.0": {"arm": name, "seeds": "0-2"} for name in arms}}


def hits(*found: int) -> dict[int, int]:
    return dict(enumerate(found))


def compared(truth, plan, found: dict[str, tuple[int, ...]], **options):
    """Compare arms of which `found` gives the objects found per seed."""
    results = [result(truth, arm, hits(*own)) for arm, own in found.items()]
    return run(results, truth, plan, dict.fromkeys(plan["arms"], (10, 20)), **options)


def ap(hits: int) -> float:
    """AP of a detector without false alarms: the recall levels 0, .01 ... 1 that it reaches."""
    return (100 * hits // IMAGES_IN_SPLIT + 1) / 101


def test_the_table_by_hand(truth):
    comparison = run(three_arms(truth), truth)
    assert {key: comparison[key] for key in ("study", "budget", "recipe", "split", "search_images", "alpha")} == {
        "study": "tiny",
        "budget": 0.25,
        "recipe": "abc",
        "split": "search",
        "search_images": 12,
        "alpha": 0.05,
    }
    arms = rows(comparison)
    assert list(arms) == ["random", "count", "oracle"]  # baseline, treatments, controls
    count = arms["count"]
    assert (count["images"], count["boxes"], count["metric"], count["direction"]) == (10, 31, "object_count", "higher")
    assert count["mAR"]["per_seed"] == pytest.approx([4 / 12, 3 / 12, 3 / 12])
    assert count["mAP"]["mean"] == pytest.approx((ap(4) + 2 * ap(3)) / 3)
    # Unpaired: the mean of 4, 3, 3 against the mean of 3, 2, 4, 3, all of twelve.
    change = count["gain"]["mAR"]
    assert change["abs"] == pytest.approx((10 / 3 - 3) / 12)
    assert change["rel"] == pytest.approx(10 / 9 - 1)
    assert change["ci95"][0] < 0 < change["ci95"][1]
    # One treatment, one control: no p is multiplied by the number of arms, only scaled from .02 to .05.
    assert count["gain"]["mAP"]["p_holm"] == pytest.approx(min(1, 2.5 * count["gain"]["mAP"]["p"]))
    assert (count["verdict"], count["decided_at"]) == ("undecided", None)
    assert [arms["random"][key] for key in ("verdict", "gain", "t", "shrunken_gain")] == [None] * 4
    assert (arms["oracle"]["verdict"], arms["oracle"]["decided_at"]) == ("better", 1)
    assert arms["oracle"]["oracle_gap_closed"] == 1
    expected = count["gain"]["mAP"]["abs"] / arms["oracle"]["gain"]["mAP"]["abs"]
    assert count["oracle_gap_closed"] == pytest.approx(expected)


def test_the_error_by_hand(truth):
    # Every seed finds the first so many of twelve objects: mAR is that share.
    found = {"random": (3, 2, 4, 3), "a": (4, 3, 5), "b": (6, 6, 9)}
    comparison = compared(truth, study(a="best", b="best"), found, replicates=20_000)
    change = rows(comparison)["a"]["gain"]["mAR"]
    # Variances in objects: random 2/3, a 1, b 3; the mean of the arms' is 2. Two arms: d0 is 1, the cap, because 1 and
    # 3 differ less than three seeds scatter. a: max(1, (2 + 2 x 1) / 3) = 4/3 on 3 degrees of freedom; random its own.
    own, base = 4 / 3 / 3, 2 / 3 / 4
    # Images: the mean over seeds finds objects 1 to 3 always, 4 in two of three seeds, 5 in one; random's 1 and 2
    # always, 3 in three of four, 4 in one. The differences are the images' effects, and seeds x images are in them.
    effect = np.array([0, 0, 1 / 4, 5 / 12, 1 / 3] + [0] * 7)
    image = np.sum((effect - effect.mean()) ** 2)
    for arm in ("a", "random"):
        values = np.arange(12) < np.array(found[arm])[:, None]  # seeds x images
        n = len(values)
        around = values - values.mean(axis=0)
        around = around - around.mean(axis=1, keepdims=True)
        image -= np.sum(around**2) / (n * (n - 1))
    image = max(image, 0) * 12 / 11
    variance = own + base + image
    df = variance**2 / (own**2 / 3 + base**2 / 3 + image**2 / 11)
    half = stats.t.ppf(0.975, df) * np.sqrt(variance) / 12
    assert change["abs"] == pytest.approx(1 / 12)
    assert change["ci95"] == pytest.approx([1 / 12 - half, 1 / 12 + half], rel=0.02)
    assert change["p"] == pytest.approx(2 * stats.t.sf(1 / np.sqrt(variance), df), rel=0.05)


def test_same_input_same_bytes_whatever_the_order(truth):
    once = json.dumps(run(three_arms(truth), truth))
    assert once == json.dumps(run(three_arms(truth)[::-1], truth))
    other = compare("another", 0.25, PLAN, three_arms(truth), truth, SIZES, looks=LOOKS)  # its name seeds the bootstrap
    assert json.loads(once)["arms"][2]["gain"]["mAP"]["ci95"] != other["arms"][2]["gain"]["mAP"]["ci95"]


def test_the_gap_is_null_while_the_oracle_is_undecided(truth):
    results = [result(truth, "oracle", {0: 4, 1: 1, 2: 4}), *three_arms(truth)[1:]]
    arms = run(results, truth)["arms"]
    assert {arm["oracle_gap_closed"] for arm in arms} == {None}


def test_treatments_and_controls_are_families_apart(truth):
    found = {"random": (3, 2, 4, 3), "a": (8, 9, 8), "b": (4, 3, 4), "oracle": (11, 12, 12), "inverse": (1, 2, 1)}
    plan = study(a="best", b="best", oracle="oracle control", inverse="inverse control")
    comparison = compared(truth, plan, found)
    arms = rows(comparison)
    for family in (["a", "b"], ["oracle", "inverse"]):
        raw = [arms[name]["gain"]["mAP"]["p"] for name in family]
        shown = [arms[name]["gain"]["mAP"]["p_holm"] for name in family]
        assert shown == pytest.approx([min(1, 2.5 * p) for p in holm(raw)])


def test_arms_that_have_not_run_count_in_the_family(truth):
    found = {"random": (3, 2, 4, 3), "a": (5, 6, 5), "b": (4, 3, 3)}
    here = rows(compared(truth, study(a="best", b="best"), found))["a"]["gain"]["mAP"]
    more = rows(compared(truth, study(a="best", b="best", later="best"), found))["a"]["gain"]["mAP"]
    assert here["p"] == more["p"]
    assert more["p_holm"] == pytest.approx(min(1, 1.5 * here["p_holm"]))  # smallest of 3 instead of 2
    controls = rows(compared(truth, study(a="best", b="best", later="inverse control"), found))["a"]["gain"]["mAP"]
    assert controls["p_holm"] == here["p_holm"]


def test_relabelled_is_paired_with_the_baseline(truth):
    found = {"random": (3, 2, 4, 3), "a": (4, 3, 3), "relabelled": (5, 4, 5)}
    arms = rows(compared(truth, study(a="best", relabelled="relabelled control"), found))
    # Differences at the shared seeds 0, 1, 2: 2, 2, 1. The fourth seed of random has no part in it.
    assert arms["relabelled"]["gain"]["mAR"]["abs"] == pytest.approx(5 / 3 / 12)
    assert arms["a"]["gain"]["mAR"]["abs"] == pytest.approx((10 / 3 - 3) / 12)  # all four seeds of random
    # Were it the same in every seed and image, the pairs would have no error: not so for an arm that is not paired.
    found["relabelled"] = (3, 2, 4)
    same = rows(compared(truth, study(a="best", relabelled="relabelled control"), found))["relabelled"]
    assert same["gain"]["mAR"]["ci95"] == [0, 0]
    assert same["gain"]["mAR"]["p"] == 1


def test_relabel_is_paired_with_the_baseline_as_relabelled_is(truth):
    found = {"random": (3, 2, 4, 3), "a": (4, 3, 3), "relabel_5": (5, 4, 5), "relabelled": (5, 4, 5)}
    plan = study(a="best", relabel_5="relabel control", relabelled="relabelled control")
    arms = rows(compared(truth, plan, found))
    assert arms["relabel_5"]["gain"] == arms["relabelled"]["gain"]


ONE = {"random": (3, 2, 4, 3), "good": (9, 10, 9), "ahead": (4, 4, 5), "behind": (2, 3, 2), "oracle": (12, 12, 11)}
LOOKED = study(good="best", ahead="best", behind="best", oracle="oracle control")


def test_the_first_look_decides_stops_and_goes_on(truth):
    comparison = compared(truth, LOOKED, ONE)
    arms = rows(comparison)
    assert comparison["looks_taken"] == 1
    assert {name: (arm["verdict"], arm["decided_at"], arm["goes_on"]) for name, arm in arms.items()} == {
        "random": (None, None, False),
        "good": ("better", 1, False),
        "ahead": ("undecided", None, True),
        "behind": ("undecided", None, False),
        "oracle": ("better", 1, False),
    }


def test_a_planned_second_look_takes_nothing_back_and_counts_the_stopped(truth):
    two = ONE | {"random": (3, 2, 4, 3, 3, 2, 4, 3), "ahead": (4, 4, 5, 4, 5, 4)}
    comparison = compared(truth, LOOKED, two)
    arms = rows(comparison)
    assert comparison["looks_taken"] == 2
    first = rows(compared(truth, LOOKED, ONE))
    assert arms["good"]["verdict"] == "better"
    assert arms["good"]["decided_at"] == 1
    assert arms["good"]["gain"]["mAP"]["p_holm"] == first["good"]["gain"]["mAP"]["p_holm"]
    # Holm at the second look: two arms left, `behind` with p = 1.
    change = arms["ahead"]["gain"]["mAP"]
    assert len(arms["ahead"]["seeds"]) == 6
    assert change["p_holm"] == pytest.approx(min(first["ahead"]["gain"]["mAP"]["p_holm"], 2 * change["p"] / 0.6))
    assert (arms["behind"]["verdict"], arms["behind"]["goes_on"]) == ("undecided", False)
    assert arms["behind"]["gain"]["mAP"]["abs"] < 0


def test_the_first_look_uses_its_own_seeds_only(truth):
    first = rows(compared(truth, LOOKED, ONE))
    # Later seeds of `good` are bad: the first look's decision stands, and the row is that of the first look.
    two = ONE | {"random": (3, 2, 4, 3, 3, 2, 4, 3), "good": (9, 10, 9, 3, 3, 3)}
    later = rows(compared(truth, LOOKED, two))["good"]
    assert later["gain"] == first["good"]["gain"]
    assert (later["verdict"], later["decided_at"], later["baseline_seeds"]) == ("better", 1, 4)
    assert (later["seeds"], later["seeds_beyond"]) == ([0, 1, 2], [3, 4, 5])


def test_gains_are_shrunken_and_seeds_needed_are_said(truth):
    arms = rows(compared(truth, LOOKED, ONE))
    ahead = arms["ahead"]
    assert 0 < ahead["shrunken_gain"] < ahead["gain"]["mAP"]["abs"]
    assert arms["good"]["seeds_needed"] is None
    low, high = ahead["seeds_needed"] or (None, None)
    assert low is None or (low > 3 and (high is None or high >= low))


def test_headlines_by_hand(truth):
    plan = study(a="best article", b="best article", c="best round 1", d="best round 1", e="best round 2", f="best")
    found = {"random": (3, 2, 4, 3), "a": (4, 5, 4), "b": (6, 6, 5), "c": (5, 5, 5), "d": (7, 8, 7), "e": (9, 9, 8),
             "f": (3, 3, 3)}  # fmt: skip
    comparison = compared(truth, plan, found)
    told = {entry["name"]: entry for entry in comparison["headlines"]}
    means = {name: np.mean(own) / 12 for name, own in found.items()}
    members = {"article": "ab", "round 1": "cd", "the model": "cde", "all": "abcdef"}  # a group of one has no headline
    assert {name: "".join(entry["arms"]) for name, entry in told.items()} == members
    for name, entry in told.items():
        change = entry["gain"]["mAR"]
        mean = np.mean([means[arm] for arm in members[name]])
        assert change["abs"] == pytest.approx(mean - means["random"])
        assert change["rel"] == pytest.approx(mean / means["random"] - 1)
        assert change["ci95"][0] < change["abs"] < change["ci95"][1]
    arms = rows(comparison)
    widths = {name: np.diff(entry["gain"]["mAP"]["ci95"]) for name, entry in told.items()}
    single = np.mean([np.diff(arms[arm]["gain"]["mAP"]["ci95"]) for arm in "ab"])
    assert widths["article"] < single


def test_box_ratio_and_a_match_controls_lead(truth):
    plan = study(count="best", count_matched="match control")
    plan["arms"]["count_matched"]["b"] = "subsets/count.parquet"
    found = {"random": (3, 2, 4, 3), "count": (6, 7, 6), "count_matched": (5, 5, 4)}
    results = [result(truth, arm, hits(*own)) for arm, own in found.items()]
    sizes = {"random": (10, 20), "count": (10, 31), "count_matched": (10, 30)}
    arms = rows(run(results, truth, plan, sizes))
    assert [arms[name]["boxes_ratio"] for name in sizes] == pytest.approx([1, 1.55, 1.5])
    matched = arms["count_matched"]
    assert matched["matches"] == "count"
    assert matched["lead_over_it"]["abs"] == pytest.approx(np.mean([ap(6), ap(7), ap(6)]) - (2 * ap(5) + ap(4)) / 3)
    assert arms["count"]["lead_over_it"] is None


def test_metrics_are_held_against_the_whole_pool_which_gets_no_more_seeds(truth):
    """The same results as a control of another policy go on; a second look would give them three seeds more."""
    plan = study(count="best", all="full control", other="inverse control")
    found = {"random": (3, 2, 4, 3), "count": (6, 7, 6), "all": (4, 3, 4), "other": (4, 3, 4)}
    results = [result(truth, arm, hits(*own)) for arm, own in found.items()]
    arms = rows(run(results, truth, plan, dict.fromkeys(found, (10, 20))))
    lead = arms["count"]["lead_over_full"]
    assert lead["abs"] == pytest.approx((2 * ap(6) + ap(7)) / 3 - (2 * ap(4) + ap(3)) / 3)
    assert lead["ci95"][0] < lead["abs"] < lead["ci95"][1]
    assert (arms["all"]["lead_over_full"], arms["random"]["lead_over_full"]) == (None, None)
    assert [arms[name]["verdict"] for name in ("all", "other")] == ["undecided", "undecided"]
    assert [arms[name]["goes_on"] for name in ("all", "other")] == [False, True]


def test_an_arm_is_held_against_the_arms_that_use_a_part_of_it(truth):
    plan = study(tight="best", both="best", waiting="best")
    plan["arms"]["both"] |= {"a": "scores/own/tight.parquet", "b": "scores/own/waiting.parquet"}
    plan["arms"]["both"]["policy"]["combine"] = "product"  # so that `waiting` is a part as well, without results yet
    found = {"random": (3, 2, 4, 3), "tight": (5, 5, 4), "both": (6, 7, 6)}
    arms = rows(compared(truth, plan, found))
    leads = arms["both"]["lead_over_parts"]
    assert list(leads) == ["tight"]
    assert leads["tight"]["abs"] == pytest.approx(np.mean([ap(6), ap(7), ap(6)]) - np.mean([ap(5), ap(5), ap(4)]))
    assert leads["tight"]["ci95"][0] < leads["tight"]["abs"] < leads["tight"]["ci95"][1]
    assert (arms["tight"]["lead_over_parts"], arms["random"]["lead_over_parts"]) == ({}, {})


def test_a_lead_counts_the_seeds_that_the_rows_count(truth):
    """Each arm has three seeds of the first look, which decides it, and three more that no longer count."""
    plan = study(tight="best", both="best")
    plan["arms"]["both"] |= {"a": "scores/own/tight.parquet", "b": "scores/own/blur.parquet"}
    plan["arms"]["both"]["policy"]["combine"] = "product"
    found = {"random": (1, 2, 1, 2), "tight": (4, 4, 5, 9, 9, 9), "both": (8, 9, 9, 1, 1, 1)}
    arms = rows(compared(truth, plan, found))
    assert [arms[name]["seeds_beyond"] for name in ("tight", "both")] == [[3, 4, 5]] * 2
    lead = arms["both"]["lead_over_parts"]["tight"]
    assert lead["abs"] == pytest.approx(arms["both"]["mAP"]["mean"] - arms["tight"]["mAP"]["mean"])
    assert lead["abs"] == pytest.approx(np.mean([ap(8), ap(9), ap(9)]) - np.mean([ap(4), ap(4), ap(5)]))


def test_what_made_results_differ_is_kept_for_the_next_plan(truth):
    noise = compared(truth, LOOKED, ONE)["noise"]
    assert noise["baseline"] == pytest.approx(np.std([ap(3), ap(2), ap(4), ap(3)], ddof=1))
    assert noise["arm"] > 0
    assert noise["image"] >= 0
    assert compared(truth, LOOKED, {"random": (3, 2)})["noise"] is None


def test_a_study_that_has_only_begun(truth):
    comparison = compared(truth, LOOKED, {"random": (3, 2)})
    assert [arm["name"] for arm in comparison["arms"]] == ["random"]
    assert (comparison["looks_taken"], comparison["headlines"]) == (0, [])


def test_nothing_is_decided_before_the_first_look_is_complete(truth):
    early = rows(compared(truth, LOOKED, ONE | {"random": (3, 2, 4)}))["good"]
    assert (early["gain"]["mAP"]["p_holm"], early["verdict"], early["goes_on"]) == (None, "undecided", False)
    assert early["gain"]["mAP"]["abs"] > 0
    late = compared(truth, LOOKED, ONE | {"good": (9, 10)})
    assert rows(late)["good"]["gain"]["mAP"]["p_holm"] is None
    assert late["looks_taken"] == 1  # of the other arms


def test_two_recipes_are_refused_and_the_field_named(truth):
    other = result(truth, "count", {0: 4}, recipe={"hash": "x", "fields": RECIPE["fields"] | {"iterations": 9}})
    with pytest.raises(CompareError, match=r"count\.0 and random\.0 .* iterations: 9 and 3;"):
        run([other, result(truth, "random", {0: 3})], truth)


def test_without_a_baseline_nothing_can_be_compared(truth):
    with pytest.raises(CompareError, match="'random' has no results yet"):
        run([result(truth, "count", {0: 4})], truth)


def test_arms_need_no_seed_of_the_baseline(truth):
    arms = rows(run([result(truth, "count", {5: 4, 6: 5}), result(truth, "random", {0: 3, 1: 3})], truth))
    assert arms["count"]["gain"]["mAR"]["abs"] == pytest.approx(1.5 / 12)


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
    # Over other search images the same gain could well be none.
    assert change["p"] == pytest.approx(2 * stats.t.sf(2 / 12 / sd, 11), abs=0.02)


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
    assert arms[1]["gain"]["mAP"]["abs"] == pytest.approx((2 * ap(12) + ap(11)) / 3 - (2 * ap(3) + ap(2) + ap(4)) / 4)


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


def test_an_arm_that_short_trials_stopped_counts_in_the_correction_and_not_in_the_means(truth):
    arms = PLAN["arms"] | {
        name: {"role": "treatment", "group": "mine", "a": f"scores/own/{name}.parquet", "policy": {"name": "best"}}
        for name in ("a", "b", "low")
    }
    blocks = PLAN["blocks"] | {f"{name}.0": {"arm": name, "seeds": "0-2"} for name in ("a", "b")}
    full = {"arms": arms, "blocks": blocks}
    plan = full | {"screens": {name: {"arm": name, "seeds": "38-39"} for name in ("random", "a", "b", "low")}}
    results = [
        result(truth, "random", {seed: 5 + seed % 2 for seed in range(LOOKS[0].baseline)}),
        result(truth, "a", {0: 8, 1: 7, 2: 8}),
        result(truth, "b", {0: 6, 1: 6, 2: 7}),
    ]  # fmt: skip
    sizes = dict.fromkeys(("random", "a", "b"), (10, 20))
    decided = Screening(0.2, passed={}, stopped={"low": 0.1, "a": 0.1})  # `a` was given full trials all the same
    without = compare("s", 0.25, full, results, truth, sizes, looks=LOOKS, replicates=60)
    found = compare("s", 0.25, plan, results, truth, sizes, looks=LOOKS, replicates=60, screening=decided)
    assert found["screened"] == [{"name": "low", "mAP": 0.1, "baseline": 0.2}]
    p = {name: row["gain"]["mAP"]["p"] for row in found["arms"] if (name := row["name"]) in ("a", "b")}
    holm_of = {row["name"]: row["gain"]["mAP"]["p_holm"] for row in found["arms"] if row["name"] in p}
    family = [*p.values(), None, None]  # `low`, and `count`, whose block has not run: both with p = 1
    for arm, corrected in zip(p, holm(family), strict=False):
        assert holm_of[arm] == pytest.approx(min(1.0, corrected * 0.05 / 0.02))
    assert without["screened"] == []
    (mean,) = [entry for entry in found["headlines"] if entry["name"] == "mine"]
    assert (mean["arms"], mean["stopped"]) == (["a", "b"], ["low"])


@pytest.mark.parametrize(("ahead", "advised"), [((4, 4, 5, 4, 5, 4), True), ((3, 3, 3, 3, 3, 3), False)])
def test_the_advised_look_gives_seeds_to_the_arms_that_it_names(truth, ahead, advised):
    """The command for more seeds, taken at its word: its looks make the study go on, and it never finds nothing to do.

    The second arm, .02 above random, is less than half a standard error ahead: no look would give it more seeds.
    """
    found = {"random": (3, 2, 4, 3, 3, 2, 4, 3), "ahead": ahead}
    plan = study(ahead="best")
    comparison = compared(truth, plan, found)
    rows(comparison)["ahead"]["seeds_needed"] = [9, 12]  # as if the images said less
    words = [word for step in next_steps(comparison, Background(Path())) for word in shlex.split(step.command)]
    values = dict(word.split("=") for word in words if word.startswith("looks."))
    assert bool(values) == advised
    if not advised:
        return
    looks = Looks(**{key.removeprefix("looks."): yaml.safe_load(value) for key, value in values.items()})
    assert (looks.arms, looks.baseline, looks.alpha) == ((3, 6, 9), (4, 8, 12), (0.02, 0.03, 0.03))
    third = Look(looks.arms[2], looks.baseline[2], looks.alpha[2], planned=False)
    again = compared(truth, plan, found, looks=(*LOOKS, third))
    assert rows(again)["ahead"]["goes_on"]
    blocks = {f"{arm}.0": {"arm": arm, "seeds": f"0-{len(own) - 1}"} for arm, own in found.items()}
    assert sorted(more_seeds(again, plan | {"blocks": blocks})) == [("ahead", "6-8"), ("random", "8-11")]
