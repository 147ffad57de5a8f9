"""The messages that a round begins with."""

from round_fixture import drawn, study_view

from metricloop.engineer.briefing import opening

FRAMES = drawn(8)


def test_an_opening_tells_the_study_and_shows_no_picture_where_none_may_leave_the_house(tmp_path):
    (tmp_path / "brief.md").write_text("Pandas. <!-- not this -->")
    system, user = opening(study_view(tmp_path, FRAMES), 1)
    assert "- at least 2 must each open a family that no idea is of yet: agreement, loss_margin, " in user.text
    assert "- `hard_negatives`: background that a detector takes for an object" in system.text
    assert "Pandas." in user.text
    assert "not this" not in user.text
    assert (
        "| counted | object_count | best, higher is better | 3 | 6 | \u2013 | \u22120.030 to +0.010 | undecided |"
        in user.text
    )
    assert "0.290" not in user.text
    assert "1,800 s for the pool of 8 images" in system.text
    assert user.pictures == ()
