"""A file that a person names is looked for in the current folder, then in the workspace."""

import pytest

from metricloop.cli.named_file import own_file


@pytest.fixture
def folders(tmp_path, monkeypatch):
    here, workspace = tmp_path / "here", tmp_path / "study"
    for folder in (here, workspace):
        folder.mkdir()
    monkeypatch.chdir(here)
    return here, workspace


def test_the_current_folder_comes_first(folders):
    here, workspace = folders
    (workspace / "mine.py").touch()
    assert own_file("mine.py", workspace) == workspace / "mine.py"
    (here / "mine.py").touch()
    assert own_file("mine.py", workspace) == here / "mine.py"
    assert own_file(workspace / "mine.py", workspace) == workspace / "mine.py"


@pytest.mark.parametrize(("kind", "how"), [("metric", "metricloop new-metric NAME"), ("repair", "see docs/repair.md")])
def test_a_file_that_is_nowhere_is_named_with_what_to_do(folders, kind, how):
    here, workspace = folders
    with pytest.raises(FileNotFoundError, match=f"{here / 'gone.py'} does not exist; .*{how}"):
        own_file("gone.py", workspace, kind=kind)
