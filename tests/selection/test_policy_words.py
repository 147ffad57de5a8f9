"""A policy in a sentence: what a person reads is written out here by hand, for every policy and every option."""

import pytest

from metricloop.selection.policies import POLICIES, PolicyError
from metricloop.selection.policy_words import SENTENCES, policy_words

OBJECTS = {"metric": "tightness", "per_object": True}
IMAGES = {"metric": "sharpness"}
PAIR = {**OBJECTS, "partner": "spread"}

TABLE = [
    # the budget
    ({"name": "random"}, 0.25, {}, "A quarter of the pool's images, drawn at random."),
    ({"name": "random"}, 0.1, {}, "One in ten of the pool's images, drawn at random."),
    ({"name": "random"}, 0.5, {}, "Half of the pool's images, drawn at random."),
    ({"name": "random"}, 0.18, {}, "18\u00a0% of the pool's images, drawn at random."),
    ({"name": "random"}, 0.125, {}, "12.5\u00a0% of the pool's images, drawn at random."),
    # images and objects
    ({"name": "best"}, 0.25, IMAGES, "The best quarter of the pool's images by sharpness."),
    ({"name": "best", "direction": "lower"}, 0.1, IMAGES,
     "The best tenth of the pool's images by sharpness, lower is better."),
    ({"name": "best"}, 0.25, OBJECTS, "The best quarter of the pool's images by the mean tightness of their objects."),
    ({"name": "best", "reduce": "min"}, 0.25, OBJECTS,
     "The best quarter of the pool's images by the tightness of their worst object."),
    ({"name": "best", "reduce": "softmin"}, 0.25, OBJECTS,
     "The best quarter of the pool's images by the tightness of their objects (the worst count most)."),
    ({"name": "inverse"}, 0.25, IMAGES, "The worst quarter of the pool's images by sharpness."),
    # two metrics, and many
    ({"name": "best", "combine": "product"}, 0.25, PAIR,
     "The best quarter of the pool's images by the product of their ranks in the mean tightness of their objects and "
     "spread."),
    ({"name": "best", "combine": "product", "strength": 2, "direction_b": "lower", "strength_b": 0.5}, 0.25,
     {"metric": "sharpness", "partner": "spread"},
     "The best quarter of the pool's images by the product of their ranks in sharpness (to the power of 2) and spread "
     "(lower is better, to the power of 0.5)."),
    ({"name": "best", "combine": "intersection"}, 0.25, {"metric": "sharpness", "partner": "spread"},
     "The best quarter of the pool's images by the worse of their ranks in sharpness and spread."),
    ({"name": "best", "combine": "veto", "veto": 0.2}, 0.25, {"metric": "sharpness", "partner": "spread"},
     "The best quarter of the pool's images by sharpness, with the worst fifth by spread last of all."),
    ({"name": "best", "direction": "lower", "combine": "veto", "direction_b": "lower"}, 0.25,
     {"metric": "sharpness", "partner": "spread"},
     "The best quarter of the pool's images by sharpness, lower is better, with the worst tenth by spread, where lower "
     "is better, last of all."),
    ({"name": "best", "objectives": "object_count, blur -0.5"}, 0.25, {},
     "The best quarter of the pool's images by the product of their ranks in blur (lower is better, to the power of "
     "0.5) and object_count."),
    # the other policies
    ({"name": "among", "share": 0.45}, 0.25, IMAGES,
     "A quarter of the pool's images, drawn at random among the better 45\u00a0% by sharpness."),
    ({"name": "band"}, 0.25, IMAGES,
     "A quarter of the pool's images, drawn at random without the worst quarter and the best quarter by sharpness."),
    ({"name": "band", "low": 0, "high": 0.9}, 0.25, IMAGES,
     "A quarter of the pool's images, drawn at random without the best tenth by sharpness."),
    ({"name": "strata"}, 0.25, IMAGES,
     "The best quarter of each of five groups of images by the size of their objects, by sharpness."),
    ({"name": "strata", "by": "class"}, 0.25, IMAGES,
     "The best quarter of each group of images by the rarest class that they show, by sharpness."),
    ({"name": "strata", "by": "crowding"}, 0.25, IMAGES,
     "The best quarter of each of five groups of images by the number of their objects, by sharpness."),
    ({"name": "class_balanced"}, 0.25, IMAGES,
     "A quarter of the pool's images, taken in turn: the best by sharpness that shows the class with the fewest boxes "
     "so far."),
    ({"name": "class_balanced", "share": 0.8}, 0.25, IMAGES,
     "A quarter of the pool's images among the better 80\u00a0%, taken in turn: the best by sharpness that shows the "
     "class with the fewest boxes so far."),
    ({"name": "diverse"}, 0.25, IMAGES,
     "A quarter of the pool's images, taken in turn: the image least like those already taken, among the better half "
     "by sharpness."),
    ({"name": "diverse", "share": 1}, 0.25, IMAGES,
     "A quarter of the pool's images, taken in turn: the image least like those already taken, from the best by "
     "sharpness."),
    ({"name": "drop_worst"}, 0.25, OBJECTS,
     "A quarter of the pool's images, drawn at random without the images that have one of the worst tenth of the "
     "pool's boxes by tightness."),
    ({"name": "drop_worst", "share": 0.2, "on_drop": "mask"}, 0.25, OBJECTS,
     "A quarter of the pool's images, drawn at random, in which the worst fifth of the pool's boxes by tightness are "
     "covered up."),
    ({"name": "drop_worst", "on_drop": "background"}, 0.25, OBJECTS,
     "A quarter of the pool's images, drawn at random, in which the worst tenth of the pool's boxes by tightness lose "
     "their label."),
    ({"name": "random_by_group"}, 0.25, {},
     "A quarter of the pool's images, drawn at random in whole groups, such as videos."),
    ({"name": "match"}, 0.25, {"partner": "tight"},
     "As many images as tight has, drawn at random with the same numbers of boxes."),
    ({"name": "full"}, 0.25, {}, "The whole pool."),
    ({"name": "oracle"}, 0.25, {},
     "A quarter of the pool's images, those with the smallest share of damaged objects."),
    ({"name": "relabelled"}, 0.25, {},
     "The images of random, with other labels: the true ones, or those before a repair."),
    ({"name": "relabel", "worst": 50}, 0.25, OBJECTS,
     "The images of random; the 50 images of the pool that are worst by the tightness of their worst object have other "
     "labels: the true ones, or those of a second labelling."),
    # options that many policies share
    ({"name": "best", "unknown": "last", "per_group": 3, "distinct": "looks"}, 0.25, IMAGES,
     "The best quarter of the pool's images by sharpness; images without a score come last; of images that look the "
     "same only the best is eligible; at most 3 images of one group."),
    ({"name": "random", "always": "a.jpg, 17", "distinct": "group"}, 0.25, {},
     "A quarter of the pool's images, drawn at random; of images of one group only the best is eligible; always with "
     "a.jpg and 17."),
    ({"name": "random", "always": "1, 2, 3, 4"}, 0.25, {},
     "A quarter of the pool's images, drawn at random; always with 4 named images."),
    ({"name": "random", "mend": {"repair": "consensus", "least_confidence": 0.7, "when": "after"}}, 0.25, {},
     "A quarter of the pool's images, drawn at random; with the labels mended by consensus where it is "
     "70\N{NO-BREAK SPACE}% sure, after the images are chosen."),
    ({"name": "full", "mend": {"repair": "consensus", "kinds": "add, drop"}}, 0.25, {},
     "The whole pool; with the labels mended by consensus (drop and add only) where it is 60\N{NO-BREAK SPACE}% sure."),
    ({"name": "full", "mend": {"repair": "tighten"}}, 0.25, {},
     "The whole pool; with the labels mended by tighten where it is 60\N{NO-BREAK SPACE}% sure."),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "budget", "names", "sentence"), TABLE)
def test_a_policy_in_words(policy, budget, names, sentence):
    assert policy_words(policy, budget, **names) == sentence


def test_every_policy_has_its_words_and_a_row_here():
    assert set(SENTENCES) == set(POLICIES) == {policy["name"] for policy, *_ in TABLE}


def test_every_option_is_said_somewhere():
    """An option that changes nothing in the words would be hidden; `temperature` alone is left to arms.yaml."""
    options = {option for policy in POLICIES.values() for option in policy.options.model_fields}
    assert options - {option for policy, *_ in TABLE for option in policy} == {"temperature"}


def test_an_unknown_policy_is_refused():
    with pytest.raises(PolicyError, match="did you mean 'best'"):
        policy_words({"name": "besst"}, 0.25)
