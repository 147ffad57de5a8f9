"""A policy in a sentence for people, such as "The best quarter of the pool's images by sharpness."

Every option that differs from its default is said; tests hold the sentence of every policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from metricloop.selection.policies import check_policy
from metricloop.text.numbers import count, listing, percent

NAMED = {0.1: "tenth", 0.2: "fifth", 0.25: "quarter", 1 / 3: "third", 0.5: "half", 0.75: "three quarters"}


@dataclass(frozen=True)
class Told:
    """What the sentences are made from. options: of the policy, defaults included. budget: share of the pool's images.
    metric, partner: names of the inputs a and b; per_object, partner_per_object: whether they score objects."""

    options: Any
    budget: float
    metric: str
    partner: str
    per_object: bool
    partner_per_object: bool

    @property
    def amount(self) -> str:
        """One in ten of the pool's images; a quarter of the pool's images; 18 % of the pool's images."""
        word = _fraction(self.budget)
        if word == "tenth":
            return "one in ten of the pool's images"
        article = "a " if word in NAMED.values() and word not in ("half", "three quarters") else ""
        return f"{article}{word} of the pool's images"

    @property
    def by(self) -> str:
        """What images are ordered by: "by sharpness", "by the mean area of their objects, lower is better"."""
        if strengths := self.options.strengths:
            names = [f"{name}{_power(strength, lower=strength < 0)}" for name, strength in strengths.items()]
            return f"by the product of their ranks in {listing(names)}"
        a = _reduced(self.metric or "the metric", self.per_object, self.options)
        if self.options.combine is None:
            return f"by {a}{_lower(self.options.direction)}"
        b = _reduced(self.partner or "a second metric", self.partner_per_object, self.options)
        if self.options.combine == "veto":
            lower = ", where lower is better," if self.options.direction_b == "lower" else ""
            first = f"{a}{_lower(self.options.direction)}"
            return f"by {first}, with the worst {_fraction(self.options.veto)} by {b}{lower} last of all"
        how = "the product of their ranks" if self.options.combine == "product" else "the worse of their ranks"
        a += _power(self.options.strength, lower=self.options.direction == "lower")
        b += _power(self.options.strength_b, lower=self.options.direction_b == "lower")
        return f"by {how} in {a} and {b}"


def policy_words(
    policy: Mapping[str, Any],
    budget: float,
    *,
    metric: str = "",
    partner: str = "",
    per_object: bool = False,
    partner_per_object: bool = False,
) -> str:
    """The policy as one sentence.

    policy: {"name": ..., option: value, ...}. budget: the share of the pool's images that a subset holds, in 0..1.
    metric, partner: the names of the inputs a and b; for `match`, partner is the other arm. per_object: whether the
    metric scores objects, not images. Errors: PolicyError for an unknown policy or option.

    >>> policy_words({"name": "best"}, 0.25, metric="box_tightness", per_object=True)
    "The best quarter of the pool's images by the mean box_tightness of their objects."
    """
    name, options = check_policy(policy)
    told = Told(options, budget, metric, partner, per_object, partner_per_object)
    sentence = "; ".join([SENTENCES[name](told), *_extras(options)])
    return f"{sentence[0].upper()}{sentence[1:]}."


def _fraction(share: float) -> str:
    """0.25 -> quarter; 0.18 -> 18 %."""
    near = next((word for value, word in NAMED.items() if abs(value - share) < 0.001), None)
    return near or percent(share, 0 if abs(100 * share - round(100 * share)) < 0.001 else 1)


def _reduced(metric: str, per_object: bool, options: Any) -> str:
    if not per_object:
        return metric
    return {
        "mean": f"the mean {metric} of their objects",
        "min": f"the {metric} of their worst object",
        "softmin": f"the {metric} of their objects (the worst count most)",
    }[options.reduce]


def _lower(direction: str) -> str:
    return ", lower is better" if direction == "lower" else ""


def _power(strength: float, lower: bool) -> str:
    """What stands behind a metric's name in a product: " (lower is better, to the power of 0.5)"."""
    size = abs(strength)
    notes = ["lower is better"] if lower else []
    notes += [] if size == 1 else ["left out"] if size == 0 else [f"to the power of {size:g}"]
    return f" ({', '.join(notes)})" if notes else ""


def _extras(options: Any) -> list[str]:
    """The options that many policies share, where they are not at their default."""
    said = []
    if getattr(options, "unknown", "middle") == "last":
        said.append("images without a score come last")
    if getattr(options, "distinct", None):
        alike = {"group": "of one group", "looks": "that look the same"}[options.distinct]
        said.append(f"of images {alike} only the best is eligible")
    if getattr(options, "per_group", None):
        said.append(f"at most {count(options.per_group, 'image')} of one group")
    if mend := getattr(options, "mend", None):
        seen = {"before": "", "after": ", after the images are chosen"}[mend.when]
        some = "" if mend.kinds is None else f" ({listing(list(mend.chosen_kinds))} only)"
        said.append(
            f"with the labels mended by {mend.repair}{some} where it is {percent(mend.least_confidence, 0)} sure{seen}"
        )
    if getattr(options, "always", None):
        names = [name.strip() for name in options.always.split(",")]
        said.append(f"always with {listing(names)}" if len(names) <= 3 else f"always with {len(names)} named images")
    return said


def _best(told: Told) -> str:
    return f"the best {_fraction(told.budget)} of the pool's images {told.by}"


def _inverse(told: Told) -> str:
    return f"the worst {_fraction(told.budget)} of the pool's images {told.by}"


def _better(told: Told) -> str:
    """Among which images a policy with `share` chooses; "" for all of them."""
    share = told.options.share
    return "" if share == 1 else f"among the better {_fraction(share)}"


def _among(told: Told) -> str:
    return f"{told.amount}, drawn at random {_better(told) or 'among all'} {told.by}"


def _band(told: Told) -> str:
    low, high = told.options.low, told.options.high
    aside = [f"the worst {_fraction(low)}"] if low > 0 else []
    aside += [f"the best {_fraction(1 - high)}"] if high < 1 else []
    without = f" without {listing(aside)}" if aside else ""
    return f"{told.amount}, drawn at random{without} {told.by}"


def _strata(told: Told) -> str:
    within = {
        "size": "each of five groups of images by the size of their objects",
        "class": "each group of images by the rarest class that they show",
        "crowding": "each of five groups of images by the number of their objects",
    }[told.options.by]
    return f"the best {_fraction(told.budget)} of {within}, {told.by}"


def _class_balanced(told: Told) -> str:
    among = f" {_better(told)}" if _better(told) else ""
    return f"{told.amount}{among}, taken in turn: the best {told.by} that shows the class with the fewest boxes so far"


def _diverse(told: Told) -> str:
    among = f"{_better(told)} {told.by}" if _better(told) else f"from the best {told.by}"
    return f"{told.amount}, taken in turn: the image least like those already taken, {among}"


def _drop_worst(told: Told) -> str:
    worst = f"the worst {_fraction(told.options.share)} of the pool's boxes {_boxes_by(told)}"
    if told.options.on_drop == "image":
        return f"{told.amount}, drawn at random without the images that have one of {worst}"
    fate = {"mask": "are covered up", "background": "lose their label"}[told.options.on_drop]
    return f"{told.amount}, drawn at random, in which {worst} {fate}"


def _boxes_by(told: Told) -> str:
    """As `Told.by`, of boxes: nothing is reduced to images."""
    boxes = Told(told.options, told.budget, told.metric, told.partner, False, False)
    return boxes.by


SENTENCES: Mapping[str, Callable[[Told], str]] = {
    "best": _best,
    "inverse": _inverse,
    "among": _among,
    "band": _band,
    "strata": _strata,
    "class_balanced": _class_balanced,
    "diverse": _diverse,
    "drop_worst": _drop_worst,
    "random": lambda told: f"{told.amount}, drawn at random",
    "random_by_group": lambda told: f"{told.amount}, drawn at random in whole groups, such as videos",
    "match": lambda told: (
        f"as many images as {told.partner or 'another arm'} has, drawn at random with the same numbers of boxes"
    ),
    "full": lambda told: "the whole pool",
    "oracle": lambda told: f"{told.amount}, those with the smallest share of damaged objects",
    "relabelled": lambda told: "the images of random, with other labels: the true ones, or those before a repair",
    "relabel": lambda told: (
        f"the images of random; the {count(told.options.worst, 'image')} of the pool that are worst by "
        f"{_reduced(told.metric or told.partner or 'the metric', told.per_object, told.options)}"
        f"{_lower(told.options.direction)} have other labels: the true ones, or those of a second labelling"
    ),
}
