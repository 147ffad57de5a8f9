"""What a new workspace refuses to be made from."""

import os
from dataclasses import replace

import pytest

from metricloop.study.commits import WorkspaceError
from metricloop.study.new_study import NewStudy, create


def pipe_and_circle(source):
    source.mkdir()
    os.mkfifo(source / "a.jpg")
    (source / "again").symlink_to(source)
    return NewStudy(name="lions", source=str(source), root=str(source))


def test_a_data_set_with_a_pipe_or_a_link_to_itself_is_not_copied(tmp_path):
    study = pipe_and_circle(tmp_path / "lions")
    with pytest.raises(WorkspaceError, match=r"again: a link to a folder above itself; .*a\.jpg: a named pipe"):
        create(tmp_path / "study", replace(study, copy=True))
    assert not (tmp_path / "study").exists()


def test_where_it_lies_it_does_no_harm(tmp_path):
    create(tmp_path / "study", pipe_and_circle(tmp_path / "lions"))
    assert "files: 1" in (tmp_path / "study/fingerprint.yaml").read_text()


def test_a_name_that_is_no_text_is_not_given_to_dvc(tmp_path):
    (tmp_path / "lions").mkdir()
    open(os.fsencode(tmp_path) + b"/lions/\xff.jpg", "w").close()
    study = NewStudy(name="lions", source=str(tmp_path / "lions"), root=str(tmp_path / "lions"), copy=True)
    with pytest.raises(WorkspaceError, match="a file name that is not UTF-8"):
        create(tmp_path / "study", study)


def test_a_copy_brings_no_private_file_into_the_workspace(tmp_path):
    source, key = tmp_path / "lions", tmp_path / "key"
    source.mkdir()
    key.write_text("private")
    (source / "a.txt").symlink_to(key)
    with pytest.raises(WorkspaceError, match="leads out of the data set's folder"):
        create(tmp_path / "study", NewStudy(name="lions", source=str(source), root=str(source), copy=True))
