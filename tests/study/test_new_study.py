"""What a new workspace refuses to be made from."""

import os

import pytest

from metricloop.study.commits import WorkspaceError
from metricloop.study.new_study import NewStudy, create


@pytest.mark.parametrize("copy", [False, True])
def test_a_data_set_with_a_pipe_or_a_link_to_itself_makes_no_workspace(tmp_path, copy):
    source = tmp_path / "lions"
    source.mkdir()
    os.mkfifo(source / "a.jpg")
    (source / "again").symlink_to(source)
    with pytest.raises(WorkspaceError, match=r"again: a link to a folder above itself; .*a\.jpg: a named pipe"):
        create(tmp_path / "study", NewStudy(name="lions", source=str(source), root=str(source), copy=copy))
    assert not (tmp_path / "study").exists()


def test_a_copy_brings_no_private_file_into_the_workspace(tmp_path):
    source, key = tmp_path / "lions", tmp_path / "key"
    source.mkdir()
    key.write_text("private")
    (source / "a.txt").symlink_to(key)
    with pytest.raises(WorkspaceError, match="leads out of the data set's folder"):
        create(tmp_path / "study", NewStudy(name="lions", source=str(source), root=str(source), copy=True))
