"""Numbers as text."""

import pytest

from metricloop.text import numbers

MINUS = "\u2212"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (numbers.fixed(0.2313), "0.231"),
        (numbers.fixed(-0.0001), "0.000"),  # no minus zero
        (numbers.signed(0.0421), "+0.042"),
        (numbers.signed(-0.0421), f"{MINUS}0.042"),
        (numbers.signed(-0.0001), "±0.000"),
        (numbers.gain(0.042, 0.181), "+0.042 (+18\u00a0%)"),
        (numbers.gain(0.042, 0.181, "mAP"), "+0.042 mAP (+18\u00a0%)"),
        (numbers.gain(None, None, "mAP"), "\u2013"),
        (numbers.gain(0.042, None), "+0.042"),  # the baseline is too low for a ratio
        (numbers.probability(0.0123), "0.012"),
        (numbers.probability(0.0009), "<0.001"),
        (numbers.interval([-0.01, 0.0901]), f"{MINUS}0.010 to +0.090"),
        (numbers.count(1, "image"), "1 image"),
        (numbers.count(1234, "class", "classes"), "1,234 classes"),
        (numbers.listing(["a", "b", "c"]), "a, b and c"),
        (numbers.policy({"name": "random_best", "share": 0.45, "direction": "higher"}), "random best, share 0.45"),
        (numbers.score(float("nan")), numbers.DASH),
    ],
)
def test_numbers_as_text(text: str, expected: str) -> None:
    assert text == expected
