"""Finished results as files by content: whole or not at all, in a folder or behind a URL."""

import pytest

from metricloop.execution.store import drop_kept, keep, read_kept


@pytest.mark.parametrize("kind", ["folder", "url"])
def test_what_is_kept_is_read_until_it_is_dropped(tmp_path, kind):
    root = str(tmp_path) if kind == "folder" else f"file://{tmp_path}"
    place = f"{root}/resume/abc/final.pt"
    assert read_kept(place) is None
    keep(place, b"model")
    keep(place, b"model, again")
    assert read_kept(place) == b"model, again"
    assert [path.name for path in (tmp_path / "resume" / "abc").iterdir()] == ["final.pt"]
    drop_kept(place)
    assert read_kept(place) is None
    assert not (tmp_path / "resume" / "abc").exists()
    drop_kept(place)


def test_a_server_that_is_away_costs_no_result(capsys):
    place = "nosuchprotocol://bucket/abc/final.pt"
    keep(place, b"model")
    assert read_kept(place) is None
    drop_kept(place)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert all(line.startswith(f"execution.store: {place} cannot be ") for line in said)
