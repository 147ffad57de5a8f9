"""brief.md: what a person wrote comes through, what we wrote does not."""

import pytest

from metricloop.engineer.brief import BriefError, read_brief
from metricloop.study.rendering import render


def test_what_is_written_outside_comments_is_the_brief(tmp_path):
    (tmp_path / "brief.md").write_text(
        "<!-- What is\nto be detected? -->\n\nCells, from <1,000 slides.\n\n\n"
        "<!-- Labels? -->\nMany cells are missing. <!-- ask Ann -->\n"
    )
    assert read_brief(tmp_path) == "Cells, from <1,000 slides.\n\nMany cells are missing."


def test_no_brief_and_one_that_nobody_wrote_in_are_empty(tmp_path):
    assert read_brief(tmp_path) == ""
    (tmp_path / "brief.md").write_text(render("brief.md", drawn=False))
    assert read_brief(tmp_path) == ""


def test_the_demos_brief_says_what_a_person_would_know_and_no_more(tmp_path):
    (tmp_path / "brief.md").write_text(render("brief.md", drawn=True))
    brief = read_brief(tmp_path)
    assert brief.startswith("Giant pandas, in drawn scenes")
    assert "missing, misplaced or on other animals" in brief
    assert not any(character.isdigit() for character in brief.replace("160 pixels", ""))  # no rate, no strength


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x" * 4001, r"brief.md is 4,001 characters long without its comments; shorten it to 4,000"),
        (b"Cells.\n<!-- and what", r"brief.md: a comment begins with <!-- and does not end"),
        (b"Bl\xe4tter", r"brief.md is not UTF-8 text \(.* at byte 2\)"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, content, said):
    (tmp_path / "brief.md").write_bytes(content)
    with pytest.raises(BriefError, match=said):
        read_brief(tmp_path)


def test_comments_do_not_count_to_the_length(tmp_path):
    (tmp_path / "brief.md").write_text("<!--" + "y" * 5000 + "-->" + "x" * 4000)
    assert read_brief(tmp_path) == "x" * 4000
