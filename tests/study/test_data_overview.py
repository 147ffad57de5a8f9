"""What is told of a data set: which pictures belong together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from study_fixture import make_study

from metricloop.data.formats.source import Record, Source
from metricloop.data.loading import load
from metricloop.study.data_overview import _groups, _splits


@pytest.mark.parametrize(
    ("compared", "several", "none"),
    [
        (True, "16 of 3 pictures that look alike or belong to one recording; none is split",
         "none: no two pictures look alike or belong to one recording"),
        (False, "16 of 3 pictures that belong to one recording; none is split",
         "none; no pictures that look alike were looked for (data.near_duplicates: off)"),
    ],
)  # fmt: skip
def test_groups_say_only_what_was_looked_for(tmp_path, compared, several, none):
    made = load(make_study(tmp_path) / "data", tmp_path)
    assert _groups(made, "", False, compared=compared) == several
    assert _groups(replace(made, group=made.image_id.astype(str)), "", False, compared=compared) == none


def test_groups_by_name_that_look_alike_are_told_to_be_joined(tmp_path):
    made = load(make_study(tmp_path) / "data", tmp_path)
    told = _groups(made, "", True, compared=True)
    assert told.endswith("belong to one recording, after groups that look alike were joined; none is split")
    assert "joined" not in _groups(made, "", True, compared=False)


@pytest.mark.parametrize(
    ("given", "anew", "told"),
    [
        (["pool", "search"], False, "; search and test are the halves of the data set's val"),
        (["pool", "search", "test"], False, ", as the data set says (train, val, test)"),
        (["search"], True, ": the data set has one split only, val"),
        (["pool", "test"], True, ": the data set splits pictures that belong together"),
        ([None], False, ", drawn by metricloop (data.search_share, data.test_share)"),
    ],
)
def test_where_the_splits_come_from_is_told(tmp_path, given, anew, told):
    made = load(make_study(tmp_path) / "data", tmp_path)
    none = np.zeros(0, int)
    records = tuple(Record(Path(f"{split}.png"), np.zeros((0, 4)), none, none, split) for split in given)
    assert told in _splits(made, Source("yolo", ("panda",), records, ()), anew=anew)
