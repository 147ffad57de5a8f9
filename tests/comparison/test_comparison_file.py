"""metricloop/comparison/comparison_file.py: files of another version end in one message."""

import json

import pytest
from study_fixture import comparison

from metricloop.comparison.comparison_file import OtherVersionError, read_comparison, read_confirmation

CONFIRMATION = {"reason": None, "test_images": 9, "seeds": {"arms": [1000], "baseline": [1000]}, "arms": {}, "gain": {}}


def test_files_of_this_version_are_read(tmp_path):
    (tmp_path / "comparison.json").write_text(json.dumps(comparison()))
    (tmp_path / "confirmation.json").write_text(json.dumps(CONFIRMATION))
    assert read_comparison(tmp_path) == comparison()
    assert read_confirmation(tmp_path) == CONFIRMATION


def test_groups_of_search_images_are_told_beside_their_images(tmp_path):
    (tmp_path / "comparison.json").write_text(json.dumps(comparison() | {"search_images": 39}))
    (tmp_path / "data").mkdir()
    summary = tmp_path / "data/summary.json"
    summary.write_text('{"splits": {"search": {"images": 46}}}')
    assert read_comparison(tmp_path)["search_pictures"] == 46
    summary.write_text('{"splits": {"search": {"images": 39}}}')
    assert "search_pictures" not in read_comparison(tmp_path)


def test_how_long_trials_were_trained_is_read_from_the_recipe_that_they_share(tmp_path):
    (tmp_path / "comparison.json").write_text(json.dumps(comparison()))
    for name, digest, iterations in (("a.0", "of before", 10), ("b.0", comparison()["recipe"], 60)):
        (tmp_path / "results" / name).mkdir(parents=True)
        fields = {"iterations": iterations, "batch_size": 8, "other": 1}
        (tmp_path / "results" / name / "recipe.json").write_text(json.dumps({"hash": digest, "fields": fields}))
    assert read_comparison(tmp_path)["trained"] == {"iterations": 60, "batch_size": 8}


def test_a_study_that_has_not_run_says_what_to_run(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"comparison\.json does not exist yet; run the study first: metricloop"
    ):
        read_comparison(tmp_path)


def without(content, key):
    return {name: value for name, value in content.items() if name != key}


@pytest.mark.parametrize(
    ("content", "lacks"),
    [
        (without(comparison(), "looks"), "looks"),
        (without(without(comparison(), "family"), "screened"), "family, screened"),
        (comparison() | {"arms": [*comparison()["arms"][1:], without(comparison()["arms"][0], "collapsed")]},
         r"arms\.collapsed"),
    ],
)  # fmt: skip
def test_a_comparison_of_another_version_is_refused_with_what_to_do(tmp_path, content, lacks):
    (tmp_path / "comparison.json").write_text(json.dumps(content))
    with pytest.raises(
        OtherVersionError, match=rf"comparison\.json .*\(it has no {lacks}\).* metricloop run -C "
    ) as told:
        read_comparison(tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "lacks"),
    [(without(CONFIRMATION, "gain"), "gain"), (CONFIRMATION | {"seeds": [1000, 1001]}, r"seeds\.baseline")],
)
def test_a_confirmation_of_another_version_is_refused(tmp_path, content, lacks):
    (tmp_path / "confirmation.json").write_text(json.dumps(content))
    with pytest.raises(OtherVersionError, match=rf"confirmation\.json .*\(it has no {lacks}\)"):
        read_confirmation(tmp_path)
