"""What contained code may read, and the user it becomes."""

import os
import pwd
import sys
import sysconfig
from pathlib import Path

import pytest

from metricloop.sandbox import places
from metricloop.sandbox.places import library_folders, readable_places, unused_user

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Landlock and user namespaces are Linux's")


def test_the_standard_library_and_the_packages_are_among_the_folders():
    folders = library_folders()
    assert os.path.dirname(os.__file__) in folders
    assert sysconfig.get_path("purelib") in folders
    assert (
        str(Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix})) / "lib-dynload") in folders
        or not (Path(sysconfig.get_path("stdlib")) / "lib-dynload").exists()
    )
    assert len(set(folders)) == len(folders)


def test_nothing_that_holds_a_persons_files_is_among_them():
    """No place opens the home folder, /etc, /tmp, /proc, the repository or the root as a whole."""
    private = [
        Path.home(),
        Path("/etc/passwd"),
        Path("/tmp"),
        Path("/proc"),
        Path("/run"),
        Path("/var/log"),
        Path.cwd(),
    ]
    for place in map(Path, readable_places()):
        assert place.exists()
        assert place.is_absolute()
        for closed in private:
            assert place not in (closed, *closed.parents), (place, closed)


def test_places_that_are_not_there_are_left_out(monkeypatch):
    monkeypatch.setattr(places, "SYSTEM_LIBRARIES", ("/lib", "/no/such/place"))
    assert readable_places() == [*library_folders(), "/lib"]


def test_the_user_is_nobody_elses():
    users = {unused_user() for _ in range(20)}
    assert None not in users
    assert len(users) > 1  # drawn, so that two sandboxes do not share one
    known = {entry.pw_uid for entry in pwd.getpwall()}
    running = {path.stat().st_uid for path in Path("/proc").iterdir() if path.exists()}
    assert not users & (known | running | {0, os.getuid(), 65534})


@pytest.mark.parametrize(
    ("uid_map", "low", "high"),
    [
        ("         0          0 4294967295\n", 2_000_000_000, 2_100_000_000),  # no namespace
        ("0 100000 65536\n", 60_514, 61_183),  # a container
        ("0 1000 1\n1 100000 65536\n", 60_514, 61_183),  # rootless
    ],
)
def test_the_user_is_one_that_its_namespace_knows(monkeypatch, uid_map, low, high):
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda p, *a, **k: uid_map if p.name == "uid_map" else read(p, *a, **k))
    for _ in range(20):
        assert low <= unused_user() <= high


def test_a_namespace_of_one_user_has_none_to_spare(monkeypatch):
    read = Path.read_text
    only = "0 1000 1\n"
    monkeypatch.setattr(Path, "read_text", lambda p, *a, **k: only if p.name == "uid_map" else read(p, *a, **k))
    assert unused_user() is None


def test_where_every_user_is_taken_there_is_none(monkeypatch):
    monkeypatch.setattr(pwd, "getpwuid", lambda user: "someone")
    assert unused_user() is None
