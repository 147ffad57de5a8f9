"""The checks of the machine: limits, versions, and a git that is not there."""

import pytest

from metricloop.study import machine_checks
from metricloop.study.machine_checks import DISK, GB, git, packages, room, untested


@pytest.mark.parametrize(("free", "state"), [(0.9, "fail"), (1.0, "warn"), (4.9, "warn"), (5.0, "ok")])
def test_room_on_the_disk(free, state):
    check = room("disk", free * GB, DISK, "free", "make room")
    assert check.state == state
    assert bool(check.advice) == (state != "ok")


def test_versions_that_were_not_tested_are_named(tmp_path, monkeypatch):
    (tmp_path / "constraints.txt").write_text("# made by pip\nDVC==3.67.1\ntorch==2.15.0  # why\nruamel_yaml==1.0\n")
    monkeypatch.setattr(machine_checks, "CONSTRAINTS", tmp_path / "constraints.txt")
    there = {"dvc": "3.67.1", "torch": "2.14.0+cpu", "ruamel.yaml": "1.0", "rich": "1"}
    assert untested(there) == ["torch 2.14.0+cpu (tested: 2.15.0)"]
    assert untested(there | {"torch": "2.15.0+cpu"}) == []  # another build of the same version


def test_a_package_of_a_version_that_does_not_fit(monkeypatch):
    monkeypatch.setattr(
        machine_checks, "requires", lambda _: ["numpy>=99", "no-such-package", "onnx>=99; extra == 'x'"]
    )
    first = next(packages())
    assert first.state == "fail"
    assert "and metricloop takes >=99" in first.found
    assert "no-such-package is missing" in first.found
    assert "onnx" not in first.found


def test_without_git(monkeypatch):
    monkeypatch.setattr(machine_checks.shutil, "which", lambda _: None)
    assert (git().state, git().found) == ("fail", "not found")
