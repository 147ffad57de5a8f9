"""The data set has moved: every command that needs it says so in one message, and the others work."""

import pytest
from study_fixture import make_study

from metricloop.cli.main import main
from metricloop.study.staleness import Staleness


@pytest.fixture
def moved(tmp_path, monkeypatch):
    """A study with results, whose pictures are gone; its stages count as up to date."""
    folder = make_study(tmp_path / "study")
    (folder / "pictures").rename(tmp_path / "elsewhere")
    found = Staleness(["ingest", "compare"], [], [])
    monkeypatch.setattr("metricloop.study.staleness.staleness", lambda folder: found)
    monkeypatch.setattr("metricloop.study.check_study.check_ties", lambda *given: None)  # its scores are made up
    return folder


SAID = "is gone; put it back, or say where it is now: metricloop relocate PATH -C {}"


@pytest.mark.parametrize(
    "typed",
    [
        ["audit", "--no-training"],
        ["reproduce", "random.0"],
        ["run", "--arm", "random"],
        ["export", "pool", "TARGET"],
        ["export", "pool", "TARGET", "--format", "voc", "--copy"],
        ["export", "random", "TARGET", "--format", "fiftyone"],
    ],
    ids=" ".join,
)
def test_what_needs_the_pictures_names_what_is_gone_and_what_to_do(moved, tmp_path, capsys, typed):
    typed = [str(tmp_path / "out") if word == "TARGET" else word for word in typed]
    assert main([*typed, "-C", str(moved)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"metricloop {typed[0]}: the data set {moved / 'pictures'}")
    assert line.endswith(SAID.format(moved))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "typed",
    [["compare"], ["export", "pool", "TARGET.json"], ["export", "random", "TARGET.xml"], ["compare", "--json"]],
    ids=" ".join,
)
def test_what_does_not_need_them_works(moved, tmp_path, typed):
    typed = [word.replace("TARGET", str(tmp_path / "out")) for word in typed]
    assert main([*typed, "-C", str(moved)]) == 0


def test_status_tells_it_after_the_stages(moved, capsys):
    assert main(["status", "-C", str(moved)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["up to date  ingest, compare", "all 2 stages are up to date: nothing to do"]
    assert lines[-1].endswith(SAID.format(moved))
