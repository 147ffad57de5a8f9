"""Commands in a folder that may not be written, and after the clock was set: no traceback, and the same answers."""

import os

import pytest
from damaging import digests, ordinary_rights

from metricloop.cli.main import main


def give(line, folder, capfd):
    with ordinary_rights():
        status = main(line.replace("{}", str(folder)).split())
    return status, *capfd.readouterr()


@pytest.fixture
def read_only(tiny):
    places = [tiny, *(path for path in tiny.rglob("*") if path.is_dir())]
    for place in places:
        place.chmod(0o555)
    yield tiny
    for place in places:
        place.chmod(0o755)


def test_a_folder_that_may_not_be_written_is_shown_and_named_where_something_is_to_be_written(read_only, capfd):
    before = digests(read_only, "models", "results", "comparison.json", "arms.yaml", "params.yaml")
    for line in ("status -C {}", "compare -C {}", "export random {}/../subset -C {}"):
        assert give(line, read_only, capfd)[0] == 0
    for line in ("export random {}/subset -C {}", "add box_tightness -C {}", "run -C {} --set train.iterations=4"):
        status, out, err = give(line, read_only, capfd)
        assert status == 1
        assert "Traceback" not in out + err
        assert f"allow it: chmod u+rwX {read_only}" in err
    assert digests(read_only, *before) == before


@pytest.mark.parametrize("years", [-20, 20])
def test_a_clock_that_was_set_changes_no_state(tiny, capfd, years):
    before = give("status -C {} --json", tiny, capfd)
    moment = tiny.stat().st_mtime + years * 31_557_600
    for path in tiny.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (moment, moment))
    assert give("status -C {} --json", tiny, capfd) == before
    assert '"to_do": []' in before[1]
