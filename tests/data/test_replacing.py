"""A file is replaced whole, with the rights that the user's umask leaves."""

import os

import pytest

from metricloop.data.tables import replacing


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664), (0o027, 0o640)])
def test_the_umask_is_respected(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "table") as temporary:
            temporary.write_text("new")
    finally:
        os.umask(before)
    assert (tmp_path / "table").stat().st_mode & 0o777 == mode
    assert [path.name for path in tmp_path.iterdir()] == ["table"]


def test_after_a_failure_the_old_file_is_there_and_nothing_else(tmp_path):
    (tmp_path / "table").write_text("old")

    def fail():
        with replacing(tmp_path / "table") as temporary:
            temporary.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (tmp_path / "table").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table"]
