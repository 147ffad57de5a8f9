"""What holds for every policy, whatever the pool; and what the options mean that several policies share."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from select_fixture import box_scores, draws, embeddings_from, image_scores, images, make_pool, truth_of

from metricloop.data.manifest import draw_of
from metricloop.engineer.policy_menu import OFFERED, WITHHELD, check_offered, on_offer, policy_schema, policy_text
from metricloop.selection.options import Scored, names_in, strengths_in
from metricloop.selection.policies import POLICIES, PolicyError, check_policy, needs_embeddings
from metricloop.selection.policies.drop_worst import lowest
from metricloop.selection.select import SAME_IMAGES, take

NAN = float("nan")
UNIT = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0], [0.8, 0.6, 0], [0, 0.6, -0.8], [-0.8, 0, 0.6]])
SCORED = sorted(name for name, policy in POLICIES.items() if policy.reads.startswith("scores"))
DRAWING = sorted(set(POLICIES) - {"full", "match"})
# Enough room for the budget, whatever else is asked for.
ROOMY = {
    "among": {"share": 0.9},
    "band": {"low": 0, "high": 1},
    "diverse": {"share": 1.0},
    "drop_worst": {"on_drop": "mask"},
    "relabel": {"worst": 1},
}


class World:
    """A pool with everything that any policy may read, drawn by hypothesis."""

    def __init__(self, counts, scores, kinds, groups):
        n = len(counts)
        self.counts, self.groups = counts, [f"g{k}" for k in groups[:n]]
        self.pool = self.pool_in(None)
        self.scores = image_scores(scores[:n])
        self.other = image_scores([(7 * k) % 5 for k in range(n)])
        boxes = [(5 * k) % 7 for k in range(sum(counts))]
        self.box_scores = box_scores(self.pool, boxes)
        self.truth = truth_of(self.pool, dict.fromkeys(self.pool.box_id[::3], "shifted"))
        self.embeddings = embeddings_from(
            UNIT[[(kind * 3 + k) % len(UNIT) for k, kind in enumerate(kinds[:n])]], kinds[:n]
        )

    def __len__(self):
        return len(self.counts)

    def pool_in(self, order):
        labels = [(3 * k) % 5 % 3 for k in range(sum(self.counts))]
        sizes = [1 + (7 * k) % 23 for k in range(sum(self.counts))]
        return make_pool(self.counts, groups=self.groups, sizes=sizes, labels=labels, order=order)

    def inputs(self, policy):
        """a, b, embeddings."""
        reads = POLICIES[policy["name"]].reads
        if policy.get("objectives"):
            a = {"first": self.scores, "second": self.other}
        else:
            a = {"truth": self.truth, "object scores": self.box_scores}.get(reads, self.scores)
        return a, self.other, self.embeddings

    def draw(self, policy, **chance):
        return draws(self.pool, policy, *self.inputs(policy), **chance)


@st.composite
def worlds(draw, least=4, most=14, kinds=3):
    n = draw(st.integers(least, most))
    return World(
        draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)),
        draw(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, NAN]), min_size=n, max_size=n)),
        draw(st.lists(st.integers(0, kinds), min_size=n, max_size=n)),
        draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)),
    )


@st.composite
def policies(draw, names=DRAWING):
    """A policy with some of its options."""
    name = draw(st.sampled_from(names))
    policy = {"name": name} | ROOMY.get(name, {})
    fields = POLICIES[name].options.model_fields
    several = draw(st.sampled_from([None, "combine", "objectives"])) if "combine" in fields else None
    if several == "objectives":
        policy |= {"objectives": draw(st.sampled_from(["first", "first, second -0.5", "second 2, first 1"]))}
    elif several and name != "diverse":
        policy |= {"combine": draw(st.sampled_from(["product", "intersection", "veto"]))}
        if policy["combine"] == "product":
            policy |= {"strength": draw(st.sampled_from([0, 0.5, 1])), "strength_b": draw(st.sampled_from([1, 2]))}
    if "distinct" in fields and several != "combine":
        looks = [] if name == "relabel" else [{"distinct": "looks"}]  # its input b are scores
        policy |= draw(st.sampled_from([{}, *looks, {"distinct": "group"}]))
    if name == "drop_worst":
        policy.pop("objectives", None)
        policy |= {"on_drop": draw(st.sampled_from(["mask", "background", "image"]))}
        if "combine" in policy:
            policy = {"name": name}
    return policy


def drawn(world, policy, **chance):
    """A draw, or None where the policy leaves too few images, or knows no truth, and says so."""
    try:
        return world.draw(policy, **chance)
    except PolicyError as error:
        if "leaves" not in str(error) and "none are known" not in str(error):
            raise
        return None


class TestEveryPolicy:
    @settings(max_examples=200, deadline=None)
    @given(world=worlds(), policy=policies(), budget=st.sampled_from([0.1, 0.25, 0.5]))
    def test_the_budget_is_exact_and_no_image_is_drawn_twice(self, world, policy, budget):
        subset = drawn(world, policy, budget=budget)
        assume(subset is not None)
        for seed in range(4):
            assert len(images(subset, seed)) == max(1, round(budget * len(world)))
        known = [(r["draw"], r["image_id"], r["box_id"]) for r in subset.to_pylist() if r["box_id"] is not None]
        assert len(known) == len(set(known))

    @settings(max_examples=150, deadline=None)
    @given(world=worlds(), policy=policies(), seed=st.integers(0, 99))
    def test_the_order_of_the_input_rows_does_not_matter(self, world, policy, seed):
        order = np.random.default_rng(seed)
        subset = drawn(world, policy, budget=0.25)
        assume(subset is not None)
        a, b, embeddings = world.inputs(policy)

        def shuffled(table):
            return table.take(order.permutation(len(table)))

        a = {name: shuffled(table) for name, table in a.items()} if isinstance(a, dict) else shuffled(a)
        again = draws(world.pool_in(order), policy, a, shuffled(b), embeddings, budget=0.25)
        assert again.equals(subset)

    @settings(max_examples=100, deadline=None)
    @given(world=worlds(), policy=policies())
    def test_more_seeds_change_no_earlier_draw(self, world, policy):
        seeds = [0, 1, 2, 3, 1000]
        many = drawn(world, policy, budget=0.25, seeds=seeds)
        assume(many is not None)
        assert [images(world.draw(policy, budget=0.25, seeds=[seed]), seed) for seed in seeds] == [
            images(many, seed) for seed in seeds
        ]
        assert many.equals(world.draw(policy, budget=0.25, seeds=seeds))

    @settings(max_examples=150, deadline=None)
    @given(world=worlds(least=6), policy=policies(), cap=st.sampled_from([None, 1, 2]), data=st.data())
    def test_what_is_always_kept_is_in_every_draw_with_all_its_boxes(self, world, policy, cap, data):
        always = data.draw(st.lists(st.integers(1, len(world)), min_size=1, max_size=3, unique=True))
        subset = drawn(world, policy | {"always": ", ".join(map(str, always)), "per_group": cap}, budget=0.5)
        assume(subset is not None)
        for seed in range(4):
            kept = images(subset, seed)
            assert set(always) <= set(kept)
            assert len(kept) == max(1, round(0.5 * len(world)))
            if policy["name"] not in SAME_IMAGES:
                rows = [row for row in subset.to_pylist() if row["draw"] == subset["draw"][0].as_py()]
                held = [row["box_id"] for row in rows if row["image_id"] in always and row["use"] == "keep"]
                assert len(held) == sum(world.counts[image - 1] for image in always)

    @settings(max_examples=150, deadline=None)
    @given(world=worlds(), policy=policies(), cap=st.integers(1, 3))
    def test_no_group_is_over_its_cap(self, world, policy, cap):
        subset = drawn(world, policy | {"per_group": cap}, budget=0.25)
        assume(subset is not None)
        for seed in range(4):
            _, sizes = np.unique([world.groups[image - 1] for image in images(subset, seed)], return_counts=True)
            assert max(sizes) <= cap

    @settings(max_examples=150, deadline=None)
    @given(world=worlds(), policy=policies(), distinct=st.sampled_from(["looks", "group"]))
    def test_of_what_shows_the_same_one_is_drawn_at_most(self, world, policy, distinct):
        assume("combine" not in policy and (policy["name"], distinct) != ("relabel", "looks"))
        subset = drawn(world, policy | {"distinct": distinct}, budget=0.25)
        assume(subset is not None)
        of = world.groups if distinct == "group" else world.embeddings.hashes.tolist()
        for seed in range(4):
            shown = [of[image - 1] for image in images(subset, seed)]
            assert len(shown) == len(set(shown))

    @settings(max_examples=150, deadline=None)
    @given(world=worlds(least=6), policy=policies(), cap=st.sampled_from([None, 2]))
    def test_a_smaller_budget_draws_a_part_of_what_a_larger_one_draws(self, world, policy, cap):
        small, large = (drawn(world, policy | {"per_group": cap}, budget=budget) for budget in (0.2, 0.5))
        assume(small is not None and large is not None)
        for seed in range(4):
            assert set(images(small, seed)) <= set(images(large, seed))

    @settings(max_examples=200, deadline=None)
    @given(
        world=worlds(),
        policy=policies(sorted(set(SCORED) - {"among", "band", "inverse"})),
        unknown=st.sampled_from(["middle", "last"]),
        raised=st.sampled_from([0.5, 1, 10]),
        data=st.data(),
    )
    def test_an_image_that_is_kept_and_becomes_better_stays(self, world, policy, unknown, raised, data):
        """Not a law where chance is told by an image's place among the others (among, band). Where one choice leads to
        the next, or the one that stands at a place of a stratum decides a tie with other strata, it is one as long as
        the others keep their order: under one metric. And images that go with the middle may gain more by its move than
        the better image does, where another metric counts as well.
        """
        several = {"combine", "strength", "strength_b", "objectives"}
        if policy["name"] in ("class_balanced", "diverse", "strata"):
            policy = {key: value for key, value in policy.items() if key not in several}
        free = policy["name"] not in ("class_balanced", "diverse") and not several & set(policy)
        policy |= {"unknown": unknown if free else "last"}
        subset = drawn(world, policy, budget=0.4)
        assume(subset is not None)
        scores = world.scores["score"].to_pylist()
        known = [image for image in images(subset, 2) if not np.isnan(scores[image - 1])]
        assume(known)
        image = data.draw(st.sampled_from(known))
        scores[image - 1] += raised
        world.scores = image_scores(scores)
        assert image in images(world.draw(policy, budget=0.4), 2)

    @settings(max_examples=100, deadline=None)
    @given(world=worlds(), policy=policies(SCORED))
    def test_ranks_alone_count(self, world, policy):
        subset = drawn(world, policy, budget=0.25)
        assume(subset is not None)
        world.scores = image_scores([2 * value**3 + 1 for value in world.scores["score"].to_pylist()])
        assert world.draw(policy, budget=0.25).equals(subset)


class TestWhatStudiesHold:
    """Subsets that finished studies were trained on. Another draw here is another number there."""

    POOL = make_pool(
        [1, 0, 2, 3, 1, 2, 0, 1, 4, 1, 2, 1], groups=list("aabbccddeeff"), sizes=list(range(1, 19)),
        labels=[k % 3 for k in range(18)],
    )  # fmt: skip
    A = image_scores([3, 1, 2, 2, NAN, 5, 0, 1, 4, 4, 2, 3])
    B = image_scores([1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1])

    @pytest.mark.parametrize(
        ("policy", "first", "confirmed"),
        [
            ({"name": "best"}, [6, 9, 10, 12], [1, 6, 9, 10]),
            ({"name": "best", "per_group": 1, "unknown": "last"}, [1, 6, 9, 12], [1, 6, 10, 12]),
            ({"name": "best", "combine": "product", "direction_b": "lower"}, [1, 6, 10, 12], [1, 6, 10, 12]),
            ({"name": "inverse"}, [2, 3, 7, 8], [2, 7, 8, 11]),
            ({"name": "among"}, [3, 6, 9, 10], [1, 9, 10, 12]),
            ({"name": "band"}, [4, 5, 11, 12], [4, 5, 11, 12]),
            ({"name": "strata"}, [5, 6, 9, 12], [1, 2, 5, 10]),
            ({"name": "strata", "by": "class"}, [1, 6, 9, 10], [1, 2, 9, 10]),
            ({"name": "drop_worst"}, [3, 5, 7, 12], [2, 4, 5, 11]),
            ({"name": "random"}, [3, 5, 7, 12], [1, 2, 5, 11]),
            ({"name": "random_by_group"}, [5, 6, 7, 8], [7, 8, 9, 10]),
            ({"name": "match"}, [3, 5, 7, 12], [1, 2, 5, 11]),
            ({"name": "match", "per_group": 1}, [3, 5, 7, 12], [2, 5, 8, 11]),
            ({"name": "oracle"}, [3, 5, 7, 12], [2, 5, 8, 10]),
            ({"name": "relabelled"}, [3, 6, 7, 10], [6, 9, 10, 12]),
            ({"name": "relabel", "worst": 2}, [3, 6, 7, 10], [6, 9, 10, 12]),
        ],
    )
    def test_draws_are_as_ever(self, policy, first, confirmed):
        a = {
            "truth": truth_of(self.POOL, dict.fromkeys(self.POOL.box_id[::4], "shifted")),
            "object scores": box_scores(self.POOL, [float(k * 7 % 11) for k in range(18)]),
        }.get(POLICIES[policy["name"]].reads, self.A)
        other = draws(self.POOL, {"name": "best"}, self.B, budget=1 / 3)
        b = other if policy["name"] == "match" else self.B
        subset = draws(self.POOL, policy, a, b, budget=1 / 3, seeds=[0, 1000])
        assert (images(subset, 0), images(subset, 1000)) == (first, confirmed)


# Images 1 2 3 4, ranks by a: 1 2 3 4, by b: 4 2 1 3
FOUR = make_pool([1, 1, 1, 1])
A, B = image_scores([9, 8, 7, 6]), image_scores([0, 2, 3, 1])


class TestSeveralMetrics:
    @pytest.mark.parametrize(
        ("strengths", "expected"),
        [
            ({}, [3]),  # products 4 4 3 12
            ({"strength_b": 0}, [1]),  # by a alone
            ({"strength": 0}, [3]),  # by b alone
            ({"strength": 2}, [1]),  # 1*4, 4*2, 9*1, 16*3
            ({"strength": 0.5, "strength_b": 0.5}, [3]),  # both halved: the same order
            ({"strength": 3, "strength_b": 1}, [1]),  # 4, 16, 27, 192
        ],
    )
    def test_strengths_are_exponents_of_the_ranks(self, strengths, expected):
        policy = {"name": "best", "combine": "product"} | strengths
        assert images(draws(FOUR, policy, A, B, budget=0.25)) == expected

    @pytest.mark.parametrize(
        ("objectives", "expected"),
        [
            ("x", [1]),
            ("x -1", [4]),
            ("y", [3]),
            ("x, y", [3]),  # as combine=product
            ("y 1, x 2", [1]),
            ("x, y -1", [1]),  # ranks by falling b: 1 3 4 2; products 1 6 12 8
            ("x, y, z 3", [2]),  # z ranks image 2 first, the others 3: products 4*27, 4, 3*27, 12*27
        ],
    )
    def test_objectives_are_ranks_to_the_power_of_their_strengths(self, objectives, expected):
        tables = {"x": A, "y": B, "z": image_scores([0, 1, 0, 0])}
        assert images(draws(FOUR, {"name": "best", "objectives": objectives}, tables, budget=0.25)) == expected

    def test_two_objectives_are_the_product_of_two_metrics(self):
        rng = np.random.default_rng(1)
        pool, a, b = make_pool([1] * 30), *(image_scores(rng.integers(0, 9, 30).tolist()) for _ in range(2))
        product = draws(pool, {"name": "best", "combine": "product", "direction_b": "lower", "strength_b": 2}, a, b)
        assert draws(pool, {"name": "best", "objectives": "y -2, x"}, {"x": a, "y": b}).equals(product)

    def test_equal_products_are_drawn_and_not_decided_by_rounding(self):
        # ranks 1 2 3 6 .. by x and 6 3 2 1 .. by y: products of 6 for four images
        pool = make_pool([1] * 6)
        tables = {"x": image_scores([6, 5, 4, 1, 2, 3]), "y": image_scores([1, 4, 5, 6, 2, 3])}
        subset = draws(pool, {"name": "best", "objectives": "x, y"}, tables, budget=1 / 6, seeds=range(40))
        assert set(subset["image_id"].to_pylist()) == {1, 2, 3, 4}

    def test_objects_and_images_go_together_and_boxes_may_be_dropped_by_several(self):
        pool = make_pool([2, 1, 1])
        x, y = box_scores(pool, [5.0, 1.0, 2.0, 3.0]), box_scores(pool, [1.0, 9.0, 2.0, 3.0])
        tables = {"x": x, "y": image_scores([1, 2, 3])}
        assert images(draws(pool, {"name": "best", "objectives": "x, y 2"}, tables, budget=0.34)) == [3]
        # ranks of the boxes by x: 1 4 3 2, by falling y: 1 4 2 3; products 1 16 6 6: box 2 is the worst
        policy = {"name": "drop_worst", "share": 0.25, "on_drop": "mask", "objectives": "x, y -1"}
        subset = draws(pool, policy, {"x": x, "y": y}, budget=1.0)
        assert [row["box_id"] for row in subset.to_pylist() if row["use"] == "mask"] == [2]

    @settings(max_examples=150, deadline=None)
    @given(a=st.permutations(range(9)), b=st.permutations(range(9)), count=st.integers(1, 9))
    def test_intersection_is_what_is_among_the_best_q_of_both(self, a, b, count):
        """q is as small as the budget allows, and the subset lies between what q and q - 1 would keep."""
        policy = {"name": "best", "combine": "intersection"}
        subset = draws(make_pool([1] * 9), policy, image_scores(list(a)), image_scores(list(b)), budget=count / 9)

        def both(q):
            return {image for image in range(1, 10) if a[image - 1] >= 9 - q and b[image - 1] >= 9 - q}

        q = next(q for q in range(10) if len(both(q)) >= count)
        assert both(q - 1) <= set(images(subset)) <= both(q)

    @pytest.mark.parametrize(
        ("policy", "order"),
        [
            # a: image 1 is the best; b: images 2 and 6 are the worst of ten, then 1
            ({"name": "best", "combine": "veto", "veto": 0.2}, [1, 3, 4, 5, 7, 8, 9, 10, 2, 6]),
            ({"name": "best", "combine": "veto", "veto": 0.3}, [3, 4, 5, 7, 8, 9, 10, 1, 2, 6]),
            ({"name": "best", "combine": "veto"}, [1, 3, 4, 5, 6, 7, 8, 9, 10, 2]),  # a tenth: image 2 alone
            ({"name": "best", "combine": "veto", "direction_b": "lower"}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),  # seven tie
            ({"name": "best", "direction": "lower", "combine": "veto", "veto": 0.2}, [10, 9, 8, 7, 5, 4, 3, 1, 6, 2]),
            ({"name": "inverse", "combine": "veto", "veto": 0.2}, [6, 2, 10, 9, 8, 7, 5, 4, 3, 1]),
        ],
    )
    def test_a_veto_puts_the_worst_by_the_second_metric_last(self, policy, order):
        a, b = image_scores(list(range(10, 0, -1))), image_scores([2, 0, 9, 9, 9, 1, 9, 9, 9, 9])
        pool = make_pool([1] * 10)
        kept = [set(images(draws(pool, policy, a, b, budget=count / 10))) for count in range(1, 11)]
        assert kept == [set(order[:count]) for count in range(1, 11)]

    def test_a_veto_spares_ties_and_what_is_unknown_unless_that_is_last(self):
        pool, a = make_pool([1] * 10), image_scores(list(range(10, 0, -1)))
        b = image_scores([NAN, 1, 1, 1, 1, 5, 5, 5, 5, 5])
        veto = {"name": "best", "combine": "veto", "veto": 0.3}
        assert images(draws(pool, veto, a, b, budget=0.3)) == [1, 2, 3]  # four tie at the quantile: none is vetoed
        assert images(draws(pool, veto | {"unknown": "last"}, a, b, budget=0.3)) == [2, 3, 4]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("blur x", "'blur x' is no metric with a strength"),
            ("blur 0", "other than 0"),
            ("blur 11", "between -10 and 10"),
            ("blur nan", "is no metric with a strength"),
            ("../blur 1", "is no metric"),
            ("blur,, count", "a name is missing"),
            ("blur, blur -1", "named twice: blur"),
            (", ".join(f"m{k} 9" for k in range(5)), "add up to more than 40"),
        ],
    )
    def test_unfit_objectives_are_named(self, line, message):
        with pytest.raises(ValueError, match=message):
            strengths_in(line)
        with pytest.raises(PolicyError, match=message):
            check_policy({"name": "best", "objectives": line})

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"objectives": "x", "combine": "product"}, "objectives replace direction and combine"),
            ({"objectives": "x", "direction": "lower"}, "is better a strength below 0"),
            ({"objectives": {"x": 1}}, "in one line of text"),
            ({"strength": 2}, "weigh the two metrics of combine=product"),
            ({"combine": "intersection", "strength_b": 2}, "weigh the two metrics of combine=product"),
            ({"combine": "product", "veto": 0.2}, "veto is the share of combine=veto"),
            ({"combine": "veto", "strength": 2}, "weigh the two metrics of combine=product"),
            ({"combine": "veto", "veto": 1.0}, "veto=1.0: .*less than 1"),
            ({"combine": "product", "strength": -1}, "strength=-1: .*greater than or equal to 0"),
            ({"combine": "product", "distinct": "looks"}, "input b cannot serve distinct=looks and combine"),
        ],
    )
    def test_options_that_do_not_go_together_are_refused(self, options, message):
        with pytest.raises(PolicyError, match=message):
            check_policy({"name": "best"} | options)

    def test_diverse_has_no_room_for_a_second_metric(self):
        with pytest.raises(PolicyError, match="input b cannot serve diverse and combine"):
            check_policy({"name": "diverse", "combine": "product"})

    @pytest.mark.parametrize(
        ("policy", "a", "message"),
        [
            ({"name": "best", "objectives": "x"}, A, "needs scores by metric"),
            ({"name": "best"}, {"x": A}, "needs one table"),
            ({"name": "diverse"}, A, "needs the embeddings"),
            ({"name": "random", "distinct": "looks"}, None, "needs the embeddings"),
            ({"name": "diverse"}, None, "needs scores as its input a"),
        ],
    )
    def test_an_input_that_is_missing_or_of_another_kind_is_named(self, policy, a, message):
        with pytest.raises(PolicyError, match=message):
            draws(FOUR, policy, a)


class TestAlways:
    POOL = make_pool([1] * 6, groups=list("aaabbc"))  # files 0.png to 5.png, ids 1 to 6
    SCORES = image_scores([1, 2, 3, 4, 5, 6])

    @pytest.mark.parametrize("always", ["1, 2.png", "0.png,3", "2.png, 0.png"])
    def test_by_file_or_by_id(self, always):
        assert images(draws(self.POOL, {"name": "best", "always": always}, self.SCORES)) == [1, 3, 6]

    def test_a_single_id_is_a_number_in_yaml(self):
        assert images(draws(self.POOL, {"name": "best", "always": 1}, self.SCORES)) == [1, 5, 6]

    def test_it_counts_for_its_group_and_may_go_over_the_cap(self):
        policy = {"name": "best", "always": "1, 2", "per_group": 1}
        assert images(draws(self.POOL, policy, self.SCORES, budget=4 / 6)) == [1, 2, 5, 6]
        with pytest.raises(PolicyError, match="leaves 4 of 6 images, but the budget needs 5"):
            draws(self.POOL, policy, self.SCORES, budget=5 / 6)

    @pytest.mark.parametrize(
        ("always", "message"),
        [
            ("1, 2, 3, 4", "always names 4 images, but the budget is 3"),
            ("9.png", r"no image of the pool has the file name or id '9.png'; did you mean '\d.png'"),
            ("77", "no image of the pool has the file name or id '77'"),
            ("1,,2", "a name is missing between two commas"),
            ("", "a name is missing"),
            ("1, 1", "named twice: 1"),
            (["1", "2"], "in one line of text, with commas"),
        ],
    )
    def test_what_cannot_be_kept_is_named(self, always, message):
        with pytest.raises(PolicyError, match=message):
            draws(self.POOL, {"name": "best", "always": always}, self.SCORES)

    def test_other_images_are_drawn_as_without_it(self):
        pool = make_pool([1] * 40)
        without = draws(pool, {"name": "random"}, seeds=range(6))
        for seed in range(6):
            order = images(without, seed)
            kept = images(draws(pool, {"name": "random", "always": str(order[0])}, seeds=range(6)), seed)
            assert kept == order  # what would have been drawn anyway changes nothing

    @pytest.mark.parametrize("on_drop", ["image", "mask", "background"])
    def test_none_of_their_boxes_is_dropped(self, on_drop):
        pool = make_pool([2, 1, 1, 1])  # the worst two boxes of five are image 1's
        policy = {"name": "drop_worst", "share": 0.4, "on_drop": on_drop, "always": "1"}
        subset = draws(pool, policy, box_scores(pool, [0.0, 1.0, 5.0, 6.0, 7.0]), budget=0.5, seeds=range(6))
        for seed in range(6):
            rows = draw_of(subset, seed, "test").to_pylist()
            assert [row["use"] for row in rows if row["image_id"] == 1] == ["keep", "keep"]

    def test_match_keeps_them_and_matches_the_rest(self):
        pool = make_pool([2, 3, 3, 1, 1, 5])
        wanted = pa.table({"draw": [0] * 6, "image_id": [1, 1, 2, 2, 2, 4], "use": ["keep"] * 6})
        # images 1, 2, 4 with 2, 3 and 1 boxes; 1 is kept as it is, the others are matched by 3 and 1 boxes
        subset = draws(pool, {"name": "match", "always": "1"}, None, wanted, seeds=range(9))
        assert all(sorted(pool.counts[np.array(images(subset, seed)) - 1]) == [1, 2, 3] for seed in range(9))
        assert all(1 in images(subset, seed) for seed in range(9))
        # image 6 is no image of the other subset: it takes the place of the match that came last
        subset = draws(pool, {"name": "match", "always": "6"}, None, wanted, seeds=range(9))
        assert all(len(images(subset, seed)) == 3 and 6 in images(subset, seed) for seed in range(9))


class TestDistinct:
    POOL = make_pool([1] * 6, groups=list("aaabcd"))
    EMBEDDINGS = embeddings_from(UNIT[:6], [0, 0, 1, 2, 2, 3])  # images 1 and 2 look alike, and so do 4 and 5
    SCORES = image_scores([5, 6, 4, 2, 3, 1])

    def test_the_best_of_a_look_stands_for_it(self):
        policy = {"name": "best", "distinct": "looks"}
        subset = draws(self.POOL, policy, self.SCORES, None, self.EMBEDDINGS, budget=4 / 6)
        assert images(subset) == [2, 3, 5, 6]

    def test_the_best_of_a_group(self):
        assert images(draws(self.POOL, {"name": "best", "distinct": "group"}, self.SCORES)) == [2, 4, 5]

    def test_they_are_dropped_first_and_shares_are_of_what_is_left(self):
        # 2 3 5 6 are left, of which half are 2 and 3; without distinct, half of all are 1 2 3
        policy = {"name": "among", "share": 0.5, "distinct": "looks"}
        subset = draws(self.POOL, policy, self.SCORES, None, self.EMBEDDINGS, budget=1 / 6, seeds=range(30))
        assert set(subset["image_id"].to_pylist()) == {2, 3}

    def test_without_scores_chance_says_which_one_stays(self):
        policy = {"name": "random", "distinct": "looks"}
        subset = draws(self.POOL, policy, embeddings=self.EMBEDDINGS, budget=4 / 6, seeds=range(40))
        assert {tuple(images(subset, seed)) for seed in range(40)} == {
            (first, 3, second, 6) for first in (1, 2) for second in (4, 5)
        }

    def test_a_fixed_image_stands_for_its_look(self):
        policy = {"name": "best", "distinct": "looks", "always": "1, 4, 5"}
        subset = draws(self.POOL, policy, self.SCORES, None, self.EMBEDDINGS, budget=4 / 6)
        assert images(subset) == [1, 3, 4, 5]

    def test_dropped_boxes_are_those_of_the_images_that_are_left(self):
        pool = make_pool([2] * 6)
        policy = {"name": "drop_worst", "share": 0.5, "on_drop": "mask", "distinct": "looks"}
        # three images are left, and the worse half of their six boxes
        embeddings = embeddings_from(UNIT[:6], [0, 0, 0, 0, 1, 2])
        scores = box_scores(pool, [0.0, 9.0] * 4 + [1.0, 9.0, 9.0, 2.0])
        subset = draws(pool, policy, scores, None, embeddings, budget=0.5, seeds=range(20))
        masked = [row["box_id"] for row in subset.to_pylist() if row["use"] == "mask"]
        assert set(masked) == {1, 3, 5, 7, 9, 12}
        assert len(masked) == 60

    def test_too_few_distinct_images_for_the_budget(self):
        with pytest.raises(PolicyError, match=r"leaves 4 of 6 images, but the budget needs 5.*distinct"):
            draws(self.POOL, {"name": "best", "distinct": "looks"}, self.SCORES, None, self.EMBEDDINGS, budget=5 / 6)


class TestClassBalancedAndDiverse:
    def test_classes_are_evened_out_by_the_best_images_of_each(self):
        # 8 cats, 2 dogs, 2 emus; the score falls from image to image
        pool = make_pool([1] * 12, labels=[0] * 8 + [1] * 2 + [2] * 2)
        subset = draws(pool, {"name": "class_balanced"}, image_scores(list(range(12, 0, -1))), budget=0.5)
        assert images(subset) == [1, 2, 9, 10, 11, 12]

    def test_share_leaves_the_worse_images_out(self):
        pool = make_pool([1] * 12, labels=[0] * 8 + [1] * 2 + [2] * 2)
        policy = {"name": "class_balanced", "share": 0.75}  # images 1 to 9
        subset = draws(pool, policy, image_scores(list(range(12, 0, -1))), budget=0.25)
        assert images(subset) == [1, 2, 9]

    def test_what_is_always_kept_counts_for_its_class(self):
        pool = make_pool([3, 1, 1, 1], labels=[1, 1, 1, 0, 1, 2])
        policy = {"name": "class_balanced", "always": "1"}
        assert images(draws(pool, policy, image_scores([1, 2, 9, 3]), budget=0.75)) == [1, 2, 4]

    def test_diverse_starts_at_the_best_and_goes_where_nothing_is_alike(self):
        # image 1 is the best; 4 is its opposite in the plane, 6 the farthest from both; 5 is below the better share
        vectors = np.array([[1, 0, 0], [0.8, 0.6, 0], [0.6, 0.8, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])
        embeddings = embeddings_from(vectors, range(6))
        scores = image_scores([9, 8, 7, 6, 1, 5])
        assert images(draws(make_pool([1] * 6), {"name": "diverse", "share": 0.8}, scores, None, embeddings)) == [
            1,
            4,
            6,
        ]

    def test_diverse_starts_from_what_is_always_kept_even_where_that_is_bad(self):
        vectors = np.array([[1, 0, 0], [0.8, 0.6, 0], [0.6, 0.8, 0], [0, 1, 0]])
        embeddings = embeddings_from(vectors, range(4))
        policy = {"name": "diverse", "always": "4"}  # among images 1 and 2, the better half; 1 is the farther one
        assert images(draws(FOUR, policy, image_scores([4, 5, 3, 1]), None, embeddings)) == [1, 4]

    def test_diverse_stays_away_from_all_that_is_always_kept(self):
        # from image 1 alone the farthest is 3 (at 1), which is next to image 2 (at 0.2); 4 is at 0.4 from image 1
        vectors = np.array([[1, 0], [0.6, 0.8], [0, 1], [0.6, -0.8]])
        policy = {"name": "diverse", "share": 1.0, "always": "1, 2"}
        embeddings = embeddings_from(vectors, range(4))
        assert images(draws(FOUR, policy, image_scores([1] * 4), None, embeddings, budget=0.75)) == [1, 2, 4]

    def test_diverse_among_distinct_looks_goes_by_the_vectors_of_the_images_left(self):
        # 1 looks like 2 and is the worse; from 2 on, 4 is the farthest, and from 1 it would be 3
        vectors = np.array([[0, 1, 0], [1, 0, 0], [0.6, -0.8, 0], [-1, 0, 0]])
        policy = {"name": "diverse", "share": 1.0, "distinct": "looks"}
        embeddings = embeddings_from(vectors, [0, 0, 1, 2])
        assert images(draws(FOUR, policy, image_scores([8, 9, 3, 3]), None, embeddings)) == [2, 4]

    def test_draws_that_leave_other_images_of_a_look_choose_for_themselves(self):
        # image 3 is opposite to 1, image 4 to 2; 1 and 2 look alike, and chance says which of them is left and begins
        vectors = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]])
        policy = {"name": "diverse", "share": 1.0, "distinct": "looks"}
        embeddings = embeddings_from(vectors, [0, 0, 1, 2])
        subset = draws(FOUR, policy, image_scores([9, 9, 1, 1]), None, embeddings, seeds=range(12))
        assert {tuple(images(subset, seed)) for seed in range(12)} == {(1, 3), (2, 4)}

    def test_diverse_draws_ties_anew(self):
        embeddings = embeddings_from(np.eye(8), range(8))
        subset = draws(make_pool([1] * 8), {"name": "diverse"}, image_scores([1] * 8), None, embeddings, seeds=range(9))
        assert len({tuple(images(subset, seed)) for seed in range(9)}) > 1

    def test_a_cap_does_not_cost_the_budget(self):
        pool = make_pool([1] * 9, groups=list("aaaaabbcc"))
        embeddings = embeddings_from(UNIT[[0, 1, 2, 3, 4, 5, 5, 5, 5]], range(9))
        for name in ("diverse", "class_balanced"):
            policy = {"name": name, "share": 1.0, "per_group": 1}
            kept = images(draws(pool, policy, image_scores([1] * 9), None, embeddings, budget=3 / 9))
            assert [pool.group[image - 1] for image in kept] == ["a", "b", "c"]


def test_take_leaves_fixed_rows_in_whatever_the_cap():
    group = np.array([0, 0, 0, 1, 1])
    assert take(np.arange(5), 3, group, 1, np.array([1, 2])).tolist() == [1, 2, 3]


def test_strata_by_crowding_give_each_fifth_of_the_numbers_of_boxes_its_share():
    pool = make_pool([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])  # none, and five strata of two images each
    subset = draws(pool, {"name": "strata", "by": "crowding"}, image_scores([1, 2] * 6), budget=0.5)
    assert images(subset) == [2, 4, 6, 8, 10, 12]


class TestOffer:
    def test_a_model_is_offered_these_policies_and_options_and_random_for_a_repair_alone(self):
        """Another offer is another prompt than recorded answers were given to."""
        assert OFFERED == ("best", "drop_worst", "among", "strata", "band", "class_balanced", "diverse")
        shared = [
            "name",
            "mend",
            "per_group",
            "direction",
            "reduce",
            "temperature",
            "combine",
            "veto",
            "direction_b",
            "unknown",
            "objectives",
        ]
        own = {"share", "on_drop", "by", "low", "high"}
        assert set(policy_schema()["properties"]) == {*shared} | own

    def test_classes_are_balanced_where_there_are_several_and_looks_spread_where_there_are_embeddings(self):
        few, all_ = on_offer(1, embeddings=False), on_offer(2, embeddings=True)
        assert (few, all_) == (("best", "drop_worst", "among", "strata", "band"), OFFERED)
        assert "`diverse`" not in policy_text(few)
        assert policy_schema(few)["properties"]["name"]["enum"] == [*few, "random"]
        with pytest.raises(PolicyError, match="unknown policy 'diverse'; there are best"):
            check_offered({"name": "diverse"}, few)
        assert check_offered({"name": "diverse"}, all_).share == 0.5

    @pytest.mark.parametrize("option", sorted(WITHHELD))
    def test_what_is_withheld_is_refused(self, option):
        with pytest.raises(PolicyError, match=f"unknown option '{option}'; known: mend, per_group, direction"):
            check_offered({"name": "best", option: "1"})

    def test_every_withheld_option_exists(self):
        assert set(Scored.model_fields) >= WITHHELD


def test_names_are_read_from_a_line():
    assert names_in(" a b.jpg , 17") == ("a b.jpg", "17")
    assert names_in(None) == ()


def test_embeddings_of_another_order_do_not_slip_in():
    """Embeddings are taken by the row of the pool: they must be as many as its images."""
    embeddings = embeddings_from(UNIT[:4], range(4))
    with pytest.raises(PolicyError, match="embeddings of 3 pictures, but the pool holds 4"):
        draws(FOUR, {"name": "diverse"}, A, None, replace(embeddings, images=embeddings.images[:3]))


class TestDocs:
    TEXT = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()

    def test_every_policy_and_option_is_described(self):
        options = {option for policy in POLICIES.values() for option in policy.options.model_fields}
        assert [name for name in sorted({*POLICIES, *options}) if f"`{name}`" not in self.TEXT] == []

    def test_every_policy_has_an_example_and_every_example_is_right(self):
        blocks = re.findall(r"```yaml\n(.*?)```", self.TEXT, re.DOTALL)
        arms = [arm for block in blocks for arm in yaml.safe_load(block)["arms"].values()]
        assert {check_policy(arm["policy"])[0] for arm in arms} == set(POLICIES)
        for arm in arms:
            name, options = check_policy(arm["policy"])
            assert arm["b"].endswith("embeddings.parquet") == needs_embeddings(name, options)
            assert arm["a"].endswith(".parquet") != bool(getattr(options, "strengths", None))

    def test_defaults_are_as_described(self):
        for name, words in {
            "among": "`share` 0.5",
            "band": "`low` 0.25, `high` 0.75",
            "diverse": "`share` 0.5",
        }.items():
            row = next(line for line in self.TEXT.splitlines() if line.startswith(f"| `{name}`"))
            assert words in row
            for option, value in re.findall(r"`(\w+)` ([\d.]+)", words):
                assert POLICIES[name].options.model_fields[option].default == float(value)


@given(st.lists(st.integers(0, 4), max_size=30), st.floats(0, 1), st.integers(0, 9))
def test_the_lowest_are_those_of_a_sorted_list(values, share, seed):
    values, number = np.array(values, float), round(share * len(values))
    tie = np.random.default_rng(seed).permutation(len(values))
    expected = np.zeros(len(values), bool)
    expected[np.lexsort((tie, values))[:number]] = True
    assert lowest(values, number, tie).tolist() == expected.tolist()
