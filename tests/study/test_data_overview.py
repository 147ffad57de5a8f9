"""What is told of a data set: which pictures belong together."""

from dataclasses import replace

import pytest
from study_fixture import make_study

from metricloop.data.loading import load
from metricloop.study.data_overview import _groups


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
    assert _groups(made, "", compared=compared) == several
    assert _groups(replace(made, group=made.image_id.astype(str)), "", compared=compared) == none
