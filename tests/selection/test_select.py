"""Subsets: exact budgets, seeded draws, and every policy on a few literal rows."""

import os
import shlex
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from select_fixture import box_scores, draws, image_scores, images, make_pool, truth_of

from metricloop.data.embeddings import write_embeddings
from metricloop.data.manifest import read_draw
from metricloop.data.tables import (
    BOXES,
    FAILED,
    IMAGES,
    SCORES,
    SUBSET,
    TRUTH,
    UNSAFE,
    TableError,
    read_table,
    stamp_of,
    write_json,
    write_table,
)
from metricloop.runtime.code_digest import HOME
from metricloop.selection.keep_values import fill, image_keep_values
from metricloop.selection.options import Scored
from metricloop.selection.policies import POLICIES, PolicyError, check_policy
from metricloop.study.plan import write_rounds
from metricloop.tasks.select import arguments

NAN = float("nan")


FOUR = make_pool([1, 1, 1, 1])


class TestBudgetAndChance:
    @pytest.mark.parametrize("name", ["random", "random_by_group", "best", "inverse", "strata", "oracle", "relabelled"])
    @pytest.mark.parametrize(("budget", "expected"), [(0.25, 10), (0.1, 4), (0.51, 20), (1.0, 40), (0.001, 1)])
    def test_exact(self, name, budget, expected):
        pool = make_pool([k % 3 for k in range(40)])
        a = truth_of(pool, {}) if POLICIES[name].reads == "truth" else image_scores([k % 7 for k in range(40)])
        subset = draws(pool, {"name": name}, a, budget=budget)
        for seed in range(4):
            assert len(images(subset, seed)) == expected

    def test_a_draw_depends_on_study_arm_and_seed_alone(self):
        pool = make_pool([1] * 30)
        few, many = (draws(pool, {"name": "random"}, seeds=range(k)) for k in (2, 5))
        assert [images(few, k) for k in range(2)] == [images(many, k) for k in range(2)]
        assert few.equals(draws(pool, {"name": "random"}, seeds=range(2)))
        first = images(many)
        for other in ({"arm": "other"}, {"study": ("t", 0)}, {"study": ("s", 1)}):
            assert images(draws(pool, {"name": "random"}, **other)) != first
        assert images(many, 1) != first

    def test_where_nothing_is_left_to_chance_one_draw_is_stored_and_stands_for_every_seed(self):
        subset = draws(FOUR, {"name": "best"}, image_scores([4, 3, 2, 1]))
        assert subset["draw"].to_pylist() == [0, 0]
        assert images(subset, 1003) == [1, 2]

    def test_ties_are_broken_by_seed(self):
        pool = make_pool([1] * 30)
        scores = image_scores([1.0] + [0.5] * 28 + [0.0])
        subset = draws(pool, {"name": "best"}, scores, seeds=range(20))
        assert all(1 in images(subset, seed) and 30 not in images(subset, seed) for seed in range(20))
        assert len({tuple(images(subset, seed)) for seed in range(20)}) > 1

    def test_every_image_has_the_same_chance(self):
        subset = draws(make_pool([1] * 8), {"name": "random"}, budget=0.25, seeds=range(2000))
        share = np.bincount(subset["image_id"].to_numpy(), minlength=9)[1:] / 2000
        np.testing.assert_allclose(share, 0.25, atol=0.04)  # four standard errors


class TestScores:
    @pytest.mark.parametrize(
        ("policy", "expected"),
        [
            ({"name": "best"}, [1, 3]),
            ({"name": "best", "direction": "lower"}, [2, 4]),
            ({"name": "inverse"}, [2, 4]),
            ({"name": "inverse", "direction": "lower"}, [1, 3]),
        ],
    )
    def test_direction(self, policy, expected):
        assert images(draws(FOUR, policy, image_scores([9, 1, 8, 2]))) == expected

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"reduce": "mean"}, [5.0, 3.0, NAN, 2.0]),
            ({"reduce": "min"}, [1.0, 3.0, NAN, 2.0]),
            ({"reduce": "min", "direction": "lower"}, [-9.0, -3.0, NAN, -2.0]),  # the worst is the highest
            # weights e^0 and e^-4
            ({"reduce": "softmin", "temperature": 2}, [(1 + 9 * np.exp(-4)) / (1 + np.exp(-4)), 3.0, NAN, 2.0]),
        ],
    )
    def test_objects_are_reduced_to_images_over_those_with_a_score(self, options, expected):
        pool = make_pool([2, 1, 0, 2])
        values = image_keep_values(pool, Scored(**options), box_scores(pool, [9.0, 1.0, 3.0, NAN, 2.0]))
        np.testing.assert_allclose(values, fill(np.array(expected), "middle"))

    def test_softmin_goes_from_min_to_mean_with_the_temperature(self):
        pool = make_pool([3])
        table = box_scores(pool, [0.1, 0.4, 0.7])
        cold, hot = (image_keep_values(pool, Scored(reduce="softmin", temperature=t), table)[0] for t in (1e-3, 1e3))
        assert cold == pytest.approx(0.1)
        assert hot == pytest.approx(0.4, abs=1e-3)

    @pytest.mark.parametrize(
        ("values", "unknown", "expected"),
        [
            ([3, NAN, 1, 2], "middle", [3, 2, 1, 2]),
            ([3, NAN, 1, 2], "last", [3, -np.inf, 1, 2]),
            ([NAN, NAN], "middle", [0, 0]),
        ],
    )
    def test_cannot_say_is_neither_good_nor_bad_unless_told_so(self, values, unknown, expected):
        np.testing.assert_array_equal(fill(np.array(values, float), unknown), expected)

    @pytest.mark.parametrize(
        ("combine", "direction_b", "expected"),
        [
            # ranks by a: 1 2 3 4, by b: 4 2 1 3. products 4 4 3 12; worse ranks 4 2 3 4
            ("product", "higher", [3]),
            ("intersection", "higher", [2]),
            # by b the other way round: 1 3 4 2. products 1 6 12 8
            ("product", "lower", [1]),
        ],
    )
    def test_two_scores(self, combine, direction_b, expected):
        policy = {"name": "best", "combine": combine, "direction_b": direction_b}
        a, b = image_scores([9, 8, 7, 6]), image_scores([0, 2, 3, 1])
        assert images(draws(FOUR, policy, a, b, budget=0.25)) == expected

    def test_two_scores_of_different_levels_are_combined_as_images(self):
        pool = make_pool([2, 1, 1, 1])
        a, b = box_scores(pool, [8.0, 10.0, 8.0, 7.0, 6.0]), image_scores([1, 2, 3, 0])
        assert images(draws(pool, {"name": "best", "combine": "intersection"}, a, b, budget=0.25)) == [2]

    def test_a_missing_second_score_is_asked_for(self):
        with pytest.raises(PolicyError, match="combine='product' needs the scores of a second metric"):
            draws(FOUR, {"name": "best", "combine": "product"}, image_scores([1, 2, 3, 4]))

    @pytest.mark.parametrize("scores", [image_scores([1, 2, 3]), image_scores([1, 2, 3, 4], ids=[1, 2, 3, 5])])
    def test_scores_of_another_pool_are_refused(self, scores):
        with pytest.raises(PolicyError, match="score the batch again"):
            draws(FOUR, {"name": "best"}, scores)


class TestPolicies:
    def test_among_draws_only_from_the_best_share(self):
        pool = make_pool([1] * 20)
        policy = {"name": "among", "share": 0.5}
        subset = draws(pool, policy, image_scores(list(range(20))), budget=0.25, seeds=range(40))
        seen = {image for seed in range(40) for image in images(subset, seed)}
        assert seen == set(range(11, 21))

    def test_among_fewer_than_the_budget_is_refused(self):
        with pytest.raises(PolicyError, match="leaves 1 of 4 images, but the budget needs 2"):
            draws(FOUR, {"name": "among", "share": 0.25}, image_scores([1, 2, 3, 4]))

    def test_band_draws_between_two_quantiles(self):
        policy = {"name": "band", "low": 0.2, "high": 0.7}
        pool = make_pool([1] * 10)
        rising, falling = (
            draws(pool, policy | {"direction": d}, image_scores(list(range(10))), budget=0.2, seeds=range(60))
            for d in ("higher", "lower")
        )
        assert set(rising["image_id"].to_pylist()) == {3, 4, 5, 6, 7}
        assert set(falling["image_id"].to_pylist()) == {4, 5, 6, 7, 8}

    def test_strata_take_the_same_share_of_every_size_and_the_best_of_each(self):
        # sizes 1..10 make five quintiles of two images; the score favours large ones
        pool = make_pool([1] * 10, sizes=list(range(1, 11)))
        scores = image_scores([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        assert images(draws(pool, {"name": "strata"}, scores)) == [2, 4, 6, 8, 10]
        assert images(draws(pool, {"name": "best"}, scores)) == [6, 7, 8, 9, 10]

    def test_strata_by_class_keep_the_share_of_a_rare_class(self):
        # images 1-6 cats, 7-8 a cat and a dog: their stratum is the dog's; 9-10 bare
        pool = make_pool([1] * 6 + [2, 2] + [0, 0], labels=[0] * 6 + [0, 1, 0, 1])
        scores = image_scores([10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
        assert images(draws(pool, {"name": "strata", "by": "class"}, scores)) == [1, 2, 3, 7, 9]

    def test_random_by_group_takes_whole_groups(self):
        pool = make_pool([1] * 12, groups=list("aaabbbcccddd"))
        subset = draws(pool, {"name": "random_by_group"}, budget=7 / 12, seeds=range(10))
        for seed in range(10):
            sizes = np.unique([(image - 1) // 3 for image in images(subset, seed)], return_counts=True)[1]
            assert sorted(sizes) == [1, 3, 3]

    @pytest.mark.parametrize("name", ["best", "random", "strata", "random_by_group", "match"])
    def test_per_group_caps_every_group_and_keeps_the_budget(self, name):
        pool = make_pool([1] * 12, groups=list("aaaaaabbbbcc"))
        b = draws(pool, {"name": "random"}) if name == "match" else None
        policy = {"name": name, "per_group": 2}
        subset = draws(pool, policy, image_scores(list(range(12))), b, budget=0.5)
        for seed in range(4):
            kept = images(subset, seed)
            assert len(kept) == 6
            assert max(np.unique([pool.group[image - 1] for image in kept], return_counts=True)[1]) <= 2

    def test_a_cap_that_cannot_hold_the_budget_is_refused(self):
        pool = make_pool([1] * 4, groups=list("aabb"))
        with pytest.raises(PolicyError, match=r"leaves 2 of 4 images, but the budget needs 3.*per_group"):
            draws(pool, {"name": "random", "per_group": 1}, budget=0.75)

    def test_match_has_the_box_counts_of_the_other_arm(self):
        pool = make_pool([1] * 20 + [3] * 10 + [5] * 10)
        other = draws(pool, {"name": "best"}, image_scores(pool.counts.astype(float).tolist()), budget=0.3, arm="best")
        matched = draws(pool, {"name": "match"}, None, other)
        for seed in range(4):
            assert sorted(pool.counts[np.array(images(matched, seed)) - 1]) == [3, 3] + [5] * 10
        assert len({tuple(images(matched, seed)) for seed in range(4)}) > 1  # which of the 3s is chance

    def test_match_takes_the_nearest_count_where_the_same_is_not_left(self):
        pool = make_pool([1, 2, 4, 9])
        wanted = pa.table({"draw": [0] * 6, "image_id": [7] * 6, "use": ["keep"] * 5 + ["mask"]})
        assert images(draws(pool, {"name": "match"}, None, wanted)) == [3]  # 5 boxes: 4 is nearest

    def test_match_lets_no_near_match_take_an_exact_one(self):
        pool = make_pool([2, 5, 0])  # 3 boxes are wanted, for which 2 is nearest; but 2 are wanted, too
        wanted = pa.table({"draw": [0] * 5, "image_id": [7, 7, 7, 8, 8], "use": ["keep"] * 5})
        subset = draws(pool, {"name": "match"}, None, wanted, seeds=range(12))
        assert all(images(subset, seed) == [1, 2] for seed in range(12))

    def test_full_is_the_whole_pool_outside_the_budget(self):
        subset = draws(make_pool([1, 0, 2]), {"name": "full"}, budget=0.1)
        assert images(subset) == [1, 2, 3]
        assert subset["box_id"].to_pylist() == [1, None, 2, 3]


class TestDropWorst:
    POOL = make_pool([2, 1, 1, 2])  # boxes 1 2 | 3 | 4 | 5 6
    SCORES = box_scores(POOL, [0.0, 9.0, 0.1, 9.0, 9.0, 9.0])  # the worst third: boxes 1 and 3

    def drop(self, **options):
        policy = {"name": "drop_worst", "share": 1 / 3} | options
        return draws(self.POOL, policy, self.SCORES, seeds=range(12))

    def test_image_drops_every_image_with_a_bad_box(self):
        subset = self.drop(on_drop="image")
        assert images(subset) == [3, 4]

    def test_background_drops_the_box_alone_and_leaves_emptied_images_out_of_the_budget(self):
        subset = self.drop(on_drop="background")
        assert {image for seed in range(12) for image in images(subset, seed)} == {1, 3, 4}
        assert all(len(images(subset, seed)) == 2 for seed in range(12))
        assert set(subset["box_id"].to_pylist()) == {2, 4, 5, 6}
        assert set(subset["use"].to_pylist()) == {"keep"}

    def test_mask_keeps_the_region_to_be_filled(self):
        subset = self.drop(on_drop="mask")
        uses = set(zip(subset["box_id"].to_pylist(), subset["use"].to_pylist(), strict=True))
        assert uses == {(1, "mask"), (2, "keep"), (4, "keep"), (5, "keep"), (6, "keep")}

    def test_lower_drops_the_highest_scores(self):
        policy = {"name": "drop_worst", "share": 1 / 6, "direction": "lower"}
        pool = make_pool([1, 1, 1, 1, 1, 1])
        subset = draws(pool, policy, box_scores(pool, [1.0, 2, 3, 9, 5, 6]), seeds=range(30))
        assert set(subset["image_id"].to_pylist()) == {1, 2, 3, 5, 6}

    def test_an_image_that_never_had_boxes_is_not_emptied(self):
        pool = make_pool([0, 1, 1])
        policy = {"name": "drop_worst", "share": 0.5, "on_drop": "background"}
        subset = draws(pool, policy, box_scores(pool, [1.0, 2.0]), budget=2 / 3)
        assert images(subset) == [1, 3]

    def test_it_needs_scores_of_objects(self):
        with pytest.raises(PolicyError, match="needs a metric that scores objects"):
            draws(self.POOL, {"name": "drop_worst"}, image_scores([1, 2, 3, 4]))


class TestTruth:
    # boxes 1 2 | 3 4 | 5 | none. Image 1: one of two moved; image 2: clean; image 3: box 5 is invented; 4: one missed
    POOL = make_pool([2, 2, 1, 0])
    TRUTH = truth_of(POOL, {1: "shifted"}, missing=[(4, 10, 10, 30, 30)], invented=[5])

    @pytest.mark.parametrize(("budget", "expected"), [(0.25, [2]), (0.5, [1, 2])])
    def test_oracle_takes_the_least_damaged_images_with_the_labels_as_they_are(self, budget, expected):
        subset = draws(self.POOL, {"name": "oracle"}, self.TRUTH, budget=budget)
        assert images(subset) == expected

    def test_oracle_draws_ties_anew_for_every_seed(self):
        subset = draws(self.POOL, {"name": "oracle"}, self.TRUTH, budget=0.75, seeds=range(12))
        assert {tuple(images(subset, seed)) for seed in range(12)} == {(1, 2, 3), (1, 2, 4)}

    def test_relabelled_has_the_images_of_random_and_the_true_labels(self):
        random = draws(self.POOL, {"name": "random"}, arm="random", seeds=range(12))
        true = draws(self.POOL, {"name": "relabelled"}, self.TRUTH, arm="relabelled", seeds=range(12))
        assert [images(random, seed) for seed in range(12)] == [images(true, seed) for seed in range(12)]

    def test_relabelled_on_literal_rows(self):
        true = draws(self.POOL, {"name": "relabelled"}, self.TRUTH, budget=1.0)
        assert true.schema == SUBSET
        assert true["image_id"].to_pylist() == [1, 1, 2, 2, 3, 4]
        assert true["box_id"].to_pylist() == [1, 2, 3, 4, None, None]
        assert true["use"].to_pylist() == ["keep"] * 4 + ["none", "keep"]
        assert true["x1"].to_pylist() == [0, 0, 0, 0, None, 10]

    def test_relabelled_moves_a_shifted_box_back(self):
        pool = make_pool([1])
        truth = pa.table(dict(zip(TRUTH.names, [[1], [1], [3], [4], [50], [60], [2], ["shifted"]], strict=True)), TRUTH)
        (row,) = draws(pool, {"name": "relabelled"}, truth, budget=1.0).to_pylist()
        assert row == {
            "draw": 0, "image_id": 1, "box_id": 1, "x1": 3, "y1": 4, "x2": 50, "y2": 60, "label": 2, "use": "keep",
        }  # fmt: skip

    def test_an_empty_truth_says_that_the_labels_are_true(self):
        empty = self.TRUTH.slice(0, 0)
        true = draws(self.POOL, {"name": "relabelled"}, empty, arm="relabelled")
        assert true.equals(draws(self.POOL, {"name": "random"}, arm="random"))
        assert len(images(draws(self.POOL, {"name": "oracle"}, empty))) == 2

    def test_a_crowd_in_the_truth_is_no_object(self):
        row = pa.table(dict(zip(TRUTH.names, [[2], [99], [0], [0], [9], [9], [0], ["none"]], strict=True)), TRUTH)
        with_crowd = pa.concat_tables([self.TRUTH, row])
        assert draws(self.POOL, {"name": "relabelled"}, with_crowd).equals(
            draws(self.POOL, {"name": "relabelled"}, self.TRUTH)
        )


class TestOptions:
    @pytest.mark.parametrize(
        ("policy", "message"),
        [
            ({"name": "bset"}, "unknown policy 'bset'; did you mean 'best'"),
            ({}, "unknown policy ''; known: best, inverse"),
            (
                {"name": "best", "directoin": "lower"},
                "policy best: unknown option 'directoin'; did you mean 'direction'",
            ),
            ({"name": "random", "direction": "lower"}, "unknown option 'direction'; did you mean 'distinct'"),
            ({"name": "full", "per_group": 3}, "unknown option 'per_group'"),
            ({"name": "best", "direction": "up"}, "direction='up': .*'higher' or 'lower'"),
            ({"name": "among", "share": 1.5}, "share=1.5: .*less than 1"),
            ({"name": "band", "low": 0.6, "high": 0.4}, r"low \(0.6\) must be below high \(0.4\)"),
        ],
    )
    def test_faults_are_named(self, policy, message):
        with pytest.raises(PolicyError, match=message):
            check_policy(policy)

    def test_the_command_line_is_read_as_dvc_writes_it(self):
        line = "count --name among --share 0.45 --per_group 3 --direction lower"
        arm, policy = arguments(line.split())
        assert arm == "count"
        name, options = check_policy(policy)
        assert (name, options.share, options.per_group, options.direction) == ("among", 0.45, 3, "lower")

    @pytest.mark.parametrize("line", ["", "--name best", "arm --name", "arm name best"])
    def test_a_broken_command_line_is_refused(self, line):
        with pytest.raises(PolicyError, match="usage"):
            arguments(line.split())

    @pytest.mark.parametrize(
        ("name", "missing"), [("best", "scores as its input a"), ("match", "subset as its input b")]
    )
    def test_a_missing_input_is_named(self, name, missing):
        with pytest.raises(PolicyError, match=missing):
            draws(FOUR, {"name": name})


@pytest.fixture
def workspace(tmp_path):
    pool = make_pool([1, 2, 0, 1])
    names = [name for name in IMAGES.names if name != "split"]
    write_table(
        tmp_path / "data/images.parquet", IMAGES, {n: list(getattr(pool, n)) for n in names} | {"split": ["pool"] * 4}
    )
    columns = {name: pool.boxes[:, axis] for axis, name in enumerate(("x1", "y1", "x2", "y2"))}
    columns |= {"box_id": pool.box_id, "image_id": pool.image_id[pool.box_row], "label": pool.labels}
    write_table(tmp_path / "data/boxes.parquet", BOXES, columns | {"crowd": [False, False, True, False]})
    write_json(tmp_path / "data/categories.json", ["cat"])
    scores = image_scores([1, 4, 3, 2])
    write_table(tmp_path / "scores/x/count.parquet", SCORES, {n: scores[n].to_pylist() for n in SCORES.names})
    (tmp_path / "params.yaml").write_text(
        "study: {name: s, budget: 0.5}\ndata: {source: x}\nlooks: {arms: [3], baseline: [3], alpha: [0.05]}\n"
        "confirm: {seeds: 2}\n"
    )
    (tmp_path / "arms.yaml").write_text(
        "arms:\n"
        "  random: {role: baseline, a: data/images.parquet, b: data/images.parquet, policy: {name: random}}\n"
        "  count: {role: treatment, a: scores/x/count.parquet, b: scores/x/count.parquet, policy: {name: best}}\n"
        "  matched: {role: control, a: data/images.parquet, b: subsets/count.parquet, policy: {name: match}}\n"
        "  several: {role: treatment, a: scores/x, b: scores/y, policy: {name: best, objectives: 'count, blur -1'}}\n"
        "  spread: {role: treatment, a: scores/x/count.parquet, b: data/embeddings.parquet, policy: {name: diverse}}\n"
    )
    return tmp_path


def run(workspace, line):
    command = [sys.executable, "-P", "-m", "metricloop.tasks.select", *shlex.split(line)]
    env = os.environ | {"PYTHONPATH": str(HOME)}
    return subprocess.run(command, cwd=workspace, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_the_stage_writes_draws_for_the_study_and_for_confirm(workspace):
    for line in ("random --name random", "count --name best --direction higher", "matched --name match"):
        done = run(workspace, line)
        assert done.returncode == 0, done.stderr
    assert "matched: 2 images, 1 boxes" in done.stdout
    random = read_table(workspace / "subsets/random.parquet", SUBSET)
    assert set(random["draw"].to_pylist()) == {*range(40), *range(1000, 1020)}  # whatever params.yaml asks for
    best = read_draw(workspace / "subsets/count.parquet", 1001)
    assert best["image_id"].to_pylist() == [2, 3]
    assert best["box_id"].to_pylist() == [2, None]  # box 3 is a crowd
    assert best["use"].to_pylist() == ["keep", "none"]
    with pytest.raises(TableError, match="holds no draw for seed 77, only 0, 1, 2, 3"):
        read_draw(workspace / "subsets/random.parquet", 77)


def test_an_arm_of_the_model_that_has_no_subset_says_so_and_its_control_too(workspace):
    line = "--name band --direction higher --low 0.0 --high 0.1"
    assert "the policy leaves 1 of 4 images, but the budget needs 2" in run(workspace, f"count {line}").stderr
    a, b = "scores/x/count.parquet", "subsets/narrow.parquet"
    arms = {
        "narrow": {"role": "treatment", "a": a, "b": a, "policy": {"name": "band"}},
        "narrow_control": {"role": "control", "a": "data/images.parquet", "b": b, "policy": {"name": "match"}},
    }
    write_rounds({"arms": arms}, workspace)
    for wanted in (f"narrow {line}", "narrow_control --name match"):
        done = run(workspace, wanted)
        assert done.returncode == 0, done.stderr
    assert "select narrow_control: no subset: subsets/narrow.parquet is empty: the policy leaves 1 of 4" in done.stdout
    for name in arms:
        assert "the policy leaves 1 of 4" in stamp_of(workspace / f"subsets/{name}.parquet")[FAILED]
        assert len(read_table(workspace / f"subsets/{name}.parquet", SUBSET)) == 0


def test_several_objectives_are_read_from_folders_and_no_other_file_is(workspace):
    (workspace / "scores/x/broken.parquet").write_text("no table")
    blur = image_scores([4, 3, 2, 1])
    write_table(workspace / "scores/y/blur.parquet", SCORES, {n: blur[n].to_pylist() for n in SCORES.names})
    done = run(workspace, "several --name best --objectives 'count, blur -1'")
    assert done.returncode == 0, done.stderr
    # ranks by count 4 1 2 3, by falling blur 4 3 2 1: products 16 3 4 3
    assert set(read_draw(workspace / "subsets/several.parquet", 3)["image_id"].to_pylist()) == {2, 4}
    whole = run(workspace, "several --name best --objectives 'count, blur -1' --a scores --b scores")
    assert whole.returncode == 0, whole.stderr
    assert set(read_draw(workspace / "subsets/several.parquet", 3)["image_id"].to_pylist()) == {2, 4}
    done = run(workspace, "several --name best --objectives 'count, size 2'")
    assert done.returncode == 1
    assert "no scores of size: scores/x holds broken, count; scores/y holds blur" in done.stderr
    assert "Traceback" not in done.stderr


def test_embeddings_are_read_where_a_policy_needs_them(workspace):
    for line in ("spread --name diverse", "spread --name best --distinct looks"):
        done = run(workspace, line)
        assert done.returncode == 1
        assert "data/embeddings.parquet does not exist" in done.stderr
    rows = {"split": ["pool"] * 4, "image_id": [1, 2, 3, 4], "box_id": [None] * 4, "hash": [5, 5 << 40, 7 << 20, 5]}
    vectors = [[1, 0], [0, 1], [0.6, 0.8], [1, 0]]
    rows |= {"vector": [np.array(v, "<f4").tobytes() for v in vectors], "thumbnail": [bytes(256)] * 4}
    write_embeddings(workspace / "data/embeddings.parquet", [rows], {"dimensions": "2"})
    for line, expected in {
        "spread --name diverse --share 1.0": {2, 4},  # 2 is the best, 1 and 4 are the farthest, 4 is the better of them
        "spread --name best --distinct looks --direction lower": {1, 3},  # 1 4 3 2, and 4 looks like 1
    }.items():
        done = run(workspace, line)
        assert done.returncode == 0, done.stderr
        assert set(read_draw(workspace / "subsets/spread.parquet", 0)["image_id"].to_pylist()) == expected


def test_the_stage_names_what_is_wrong(workspace):
    for line, message in {
        "cuont --name best": "no 'cuont' among the arms",
        "count --name best --direktion lower": "did you mean 'direction'",
        "count --name best --a nowhere.parquet --b nowhere.parquet": "nowhere.parquet does not exist",
    }.items():
        done = run(workspace, line)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_what_was_scored_without_the_sandbox_stays_marked(workspace):
    scores = read_table(workspace / "scores/x/count.parquet", SCORES)
    columns = {name: scores[name].to_pylist() for name in SCORES.names}
    write_table(workspace / "scores/x/count.parquet", SCORES, columns, {UNSAFE: "yes"})
    for line in ("random --name random", "count --name best", "matched --name match"):
        assert run(workspace, line).returncode == 0
    marked = [file.stem for file in sorted((workspace / "subsets").iterdir()) if UNSAFE in stamp_of(file)]
    assert marked == ["count", "matched"]
