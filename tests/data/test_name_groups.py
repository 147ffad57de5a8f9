"""Names that say which recording a picture is of make groups; names that say what is in it do not."""

import numpy as np
import pytest

from metricloop.data.grouping import group_by_name

NAMES = ("apple", "banana", "orange", "mixed")
RECORDINGS = ("rec0", "rec1", "rec2", "rec3")


def pictures(stems, within, n=12):
    """Files of n pictures a stem, and thumbnails: grey of the stem (0, 30, 60, 90) and noise of `within` levels."""
    random = np.random.default_rng(0)
    files = [f"{stem}_{place}.jpg" for stem in stems for place in range(n)]
    base = np.repeat(30 * np.arange(len(stems)), n)[:, None]
    return files, (base + random.integers(0, within, (len(files), 256))).astype(np.uint8)


def held(stems, classes, n=12):
    return [frozenset(classes[stem]) for stem in stems for _ in range(n)]


FRUIT = {"apple": ["apple"], "banana": ["banana"], "orange": ["orange"], "mixed": ["apple", "banana", "orange"]}
LATIN = {"malum": ["apple"], "musa": ["banana"], "citrus": ["orange"], "mixta": ["apple", "banana", "orange"]}
LIONS = {name: ["lion"] for name in RECORDINGS}
SHARED = {"rec0": ["lion"], "rec1": ["bear"], "rec2": ["lion"], "rec3": ["bear"]}


@pytest.mark.parametrize(
    ("classes", "within", "groups"),
    [
        (FRUIT, 150, 0),  # the names are those of the classes
        ({"Apples": ["apple"], "apple-red": ["apple"], "BANANA": ["banana"], "Oranges": ["orange"]}, 150, 0),
        (LATIN, 150, 0),  # the groups are the classes, whatever they are called
        (LIONS, 150, 4),  # one class, in every recording
        (SHARED, 150, 4),  # a class in two recordings
        (FRUIT, 6, 4),  # a film of each class: neighbours are nearly equal
    ],
)
def test_names_of_classes_make_no_groups_but_frames_of_recordings_do(classes, within, groups):
    stems = list(classes)
    files, thumbnails = pictures(stems, within)
    found = group_by_name(files, thumbnails, classes=held(stems, classes))
    assert len(set(found.groups) - {None}) == groups
    assert bool(found.said) == bool(groups)


def test_without_labels_the_names_decide():
    files, thumbnails = pictures(NAMES, 150)
    assert len(set(group_by_name(files, thumbnails).groups)) == 4


def test_a_few_names_of_classes_among_recordings_change_nothing():
    stems = ["lion", *RECORDINGS]
    files, thumbnails = pictures(stems, 100)
    labels = held(stems, LIONS | {"lion": ["lion"]})
    assert set(group_by_name(files, thumbnails, classes=labels).groups) == {"lion", *RECORDINGS}
