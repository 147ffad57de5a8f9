"""The nearest name is offered where one is near, and the given words where none is."""

import pytest

from metricloop.text.nearest import did_you_mean


@pytest.mark.parametrize(
    ("name", "known", "cutoff", "said"),
    [
        ("sharpnes", ["contrast", "sharpness"], 0.6, "did you mean 'sharpness'?"),
        ("xyz", ["contrast", "sharpness"], 0.6, "none"),
        ("x", [], 0.6, "none"),
        ("abcd", ["abxy"], 0.6, "none"),  # half of the letters are the same: 2 * 2 / 8 = .5
        ("abcd", ["abxy"], 0.5, "did you mean 'abxy'?"),
        ("kpt", {"kept": 1, "other": 2}, 0.6, "did you mean 'kept'?"),  # a mapping: its names
    ],
)
def test_the_nearest_name_or_other_words(name, known, cutoff, said):
    assert did_you_mean(name, known, "none", cutoff) == said
