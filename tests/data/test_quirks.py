"""Data sets as people really have them: read right, or refused with the reason; made in tests/support/quirks."""

import csv

import pytest
from odd_sets import ingested, rows
from quirks import all_quirks

from metricloop.data.formats.problem import RefusedError
from metricloop.data.ingest import write
from metricloop.data.problem_list import write_problems
from metricloop.data.splits import SplitError


@pytest.mark.parametrize("quirk", all_quirks(), ids=str)
def test_quirk(quirk, tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    expected = quirk.make(root)
    source = root / expected.source
    if quirk.outcome == "refused":
        with pytest.raises((RefusedError, SplitError)) as refused:
            ingested(source, root, **expected.options)
        assert expected.error
        assert expected.error in str(refused.value)
        write_problems(tmp_path / "problems.csv", refused.value.problems)
        return
    tables = ingested(source, root, **expected.options)
    if expected.boxes is not None:
        assert rows(tables) == {file: sorted(own) for file, own in expected.boxes.items()}
    if expected.classes is not None:
        assert list(tables.class_names) == list(expected.classes)
    split = dict(zip(tables.images["file"], tables.images["split"], strict=True))
    assert {file: split[file] for file in expected.split} == dict(expected.split)
    if expected.together:
        sides = {(expected.together(file), part) for file, part in split.items()}
        assert len(sides) == len({group for group, _ in sides}), "a group lies on both sides of a split"
    write(tables, tmp_path / "data")
    told = (tmp_path / "data/problems.csv").read_text()
    for words in expected.listed:
        assert words in told
    if quirk.outcome in ("listed", "left out"):
        assert expected.listed
    if not expected.listed:
        assert len(list(csv.reader(told.splitlines()))) == 1, told
