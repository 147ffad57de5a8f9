"""Frames of a film in several splits: seen by numbers and looks, and kept together by the pattern that is named."""

import re

import numpy as np
import pytest

from metricloop.data.films import film_in_two_splits, pattern_of_runs
from metricloop.data.grouping import group_by_name


def film(n, step=2.0):
    """Thumbnails that drift: neighbours differ by `step` grey levels, frames k apart by k steps."""
    return np.minimum(np.arange(n)[:, None] * step, 255).astype(np.uint8).repeat(256, axis=1)


def names(n, form="videoplayback{:04d}.jpg", every=6):
    return [f"images/{form.format(51 + every * place)}" for place in range(n)]


def split_of(n, held):
    split = np.array(["pool"] * n, object)
    split[list(held)] = "search"
    return split


def test_neighbouring_frames_on_both_sides_are_counted():
    found = film_in_two_splits(names(100), film(100), split_of(100, [0, 10, 11, 12, 99]))
    assert (found.frames, found.name) == (100, "videoplaybackNNNN.jpg")
    assert (found.near, found.far) == (2, 100)
    assert (found.beside, found.held) == (4, 5)  # all but 11, which lies between two held-out frames
    assert found.pattern == "videoplayback([0-9][0-9])"  # 51 to 645: 7 runs of 100; one of 10 has 2 pictures


def test_numbered_photos_that_do_not_look_alike_are_no_film():
    photos = np.random.default_rng(0).integers(0, 256, (200, 256), dtype=np.uint8)
    files = [f"images/raccoon-{place}.jpg" for place in range(1, 201)]
    assert film_in_two_splits(files, photos, split_of(200, range(0, 200, 5))) is None
    assert film_in_two_splits(files, film(200, 1), split_of(200, range(0, 200, 5))) is not None


def test_a_film_within_one_split_and_a_few_pictures_say_nothing():
    assert film_in_two_splits(names(100), film(100), split_of(100, [])) is None
    assert film_in_two_splits(names(19), film(19), split_of(19, [5])) is None
    assert film_in_two_splits(["a.jpg", "b.jpg"], film(2), split_of(2, [1])) is None


@pytest.mark.parametrize(
    ("files", "pattern", "groups"),
    [
        (names(400), "videoplayback([0-9][0-9])", 25),  # 51 to 2445
        (names(400, "f.a-{}.jpg"), "([^/]*?)[0-9]?[0-9][.]", 25),  # numbers of two to four digits
        (names(400, "{:05d}.png"), "([0-9][0-9][0-9])", 25),
        (names(60, "one_{:04d}.jpg") + names(60, "two_{:04d}.jpg"), "([^/]*?)[0-9]?[0-9][.]", 10),
        ([f"{film}/{place:03d}.jpg" for film in "ab" for place in range(60)], "(.*?)[0-9][.]", 12),
        (names(5), None, 0),
    ],
)
def test_the_pattern_makes_runs_of_neighbouring_numbers(files, pattern, groups):
    prefixes = [re.sub(r"\d+[.].*$", "", file) for file in files]
    series = [np.array([row for row, one in enumerate(prefixes) if one == own]) for own in sorted(set(prefixes))]
    assert pattern_of_runs(files, series) == pattern
    if pattern:
        made = group_by_name(files, np.zeros((len(files), 256), np.uint8), pattern).groups
        assert None not in made
        assert len(set(made)) == groups
