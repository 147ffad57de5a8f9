"""The fingerprint of a data set's files: what changes it, what does not, and that it always ends."""

import os
import time

import pytest

from metricloop.data.fingerprint import fingerprint


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    for name, content in (("a.json", b"{}"), ("images/1.jpg", b"123"), ("images/2.jpg", b"4567")):
        (root / name).write_bytes(content)
        os.utime(root / name, ns=(10**18, 10**18))
    return root


def test_files_and_bytes_are_counted(folder):
    found = fingerprint([folder])
    assert found[:2] == (3, 2 + 3 + 4)
    assert fingerprint([folder]) == found


CHANGES = {
    "added": lambda root: (root / "images/3.jpg").write_bytes(b""),
    "removed": lambda root: (root / "images/2.jpg").unlink(),
    "renamed": lambda root: (root / "images/2.jpg").rename(root / "images/3.jpg"),
    "longer": lambda root: (root / "images/2.jpg").write_bytes(b"45678"),
    "of the same size": lambda root: (root / "a.json").write_bytes(b"[]"),
    "moved to another folder": lambda root: (root / "images/2.jpg").rename(root / "2.jpg"),
    "a name that is no text": lambda root: open(os.fsencode(root) + b"/\xff.jpg", "w").close(),
    "a link that leads nowhere": lambda root: (root / "gone.jpg").symlink_to("/nowhere/gone.jpg"),
}


def swap(first, second):
    first.rename(first.with_name("between"))
    second.rename(first)
    first.with_name("between").rename(second)


def test_files_of_one_size_and_time_that_change_places_are_noticed(folder):
    (folder / "images/2.jpg").write_bytes(b"456")
    os.utime(folder / "images/2.jpg", ns=(10**18, 10**18))
    before = fingerprint([folder])
    swap(folder / "images/1.jpg", folder / "images/2.jpg")
    assert fingerprint([folder]).digest != before.digest


def test_a_change_that_keeps_size_and_time_is_noticed(folder):
    before = fingerprint([folder])
    (folder / "images/1.jpg").write_bytes(b"321")
    os.utime(folder / "images/1.jpg", ns=(10**18, 10**18))
    assert fingerprint([folder]).digest != before.digest


def test_a_link_to_another_folder_of_the_set_is_noticed(folder):
    (folder / "new").symlink_to("images")
    before = fingerprint([folder])
    (folder / "other").mkdir()
    with_other = fingerprint([folder])
    assert with_other == before  # an empty folder holds no file
    (folder / "new").unlink()
    (folder / "new").symlink_to("other")
    assert fingerprint([folder]).digest != before.digest


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_is_noticed(folder, change):
    before = fingerprint([folder])
    change(folder)
    assert fingerprint([folder]).digest != before.digest


def test_hidden_files_and_the_place_of_the_folder_do_not_count(folder, tmp_path):
    before = fingerprint([folder])
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git/index").write_bytes(b"x")
    assert fingerprint([folder]) == before
    assert fingerprint([folder.rename(tmp_path / "elsewhere")]) == before


def test_a_workspace_among_the_files_does_not_count(folder):
    before = fingerprint([folder])
    (folder / "study/scores").mkdir(parents=True)
    for name in ("params.yaml", "arms.yaml", "dvc.yaml", "scores/1.parquet"):
        (folder / "study" / name).write_text("x")
    assert fingerprint([folder]) == before
    (folder / "study/arms.yaml").unlink()
    assert fingerprint([folder]).files == before.files + 3
    (folder / "study/arms.yaml").write_text("x")
    assert fingerprint([folder / "study"]).files == 4  # where it is itself the data set


def test_a_folder_below_another_counts_once(folder):
    assert fingerprint([folder, folder / "images", folder]) == fingerprint([folder])
    assert fingerprint([folder / "images", folder]) == fingerprint([folder])


def test_what_a_link_leads_to_counts(folder, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far/9.jpg").write_bytes(b"999")
    (folder / "linked").symlink_to(tmp_path / "far")
    (folder / "one.jpg").symlink_to(tmp_path / "far/9.jpg")
    before = fingerprint([folder])
    assert before.files == 5
    (tmp_path / "far/9.jpg").write_bytes(b"99999")
    assert fingerprint([folder]).bytes == before.bytes + 4


def test_links_in_circles_and_pipes_do_not_stop_it(folder):
    (folder / "images/up").symlink_to("..")
    (folder / "self").symlink_to(".")
    (folder / "above").symlink_to("../..")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    assert fingerprint([folder]).files == 3 + 2  # the pipe and the loop, by their names


@pytest.mark.slow
def test_a_hundred_thousand_files_take_less_than_two_seconds(tmp_path):
    for number in range(100):
        (tmp_path / f"{number}").mkdir()
        for name in range(1000):
            (tmp_path / f"{number}/{name}.jpg").touch()
    began = time.process_time()
    assert fingerprint([tmp_path]).files == 100_000
    assert time.process_time() - began < 2
