"""Files that block, never end, lead out, or are no files: listed or refused with one line, within seconds."""

import os
import socket

import pytest
from odd_sets import coco, dump, ingested, names, pictures, rows, truth, voc, write, yolo
from soon import soon  # noqa: F401

from metricloop.data import door
from metricloop.data.formats import read, recognise
from metricloop.data.formats.problem import RefusedError

pytestmark = pytest.mark.usefixtures("soon")
SECRET = "-----BEGIN PRIVATE KEY-----\nMIIEvAIBADANBgkq\n"


def sets(root):
    """A data set of each format, below root."""
    for name in ("coco", "yolo", "voc"):
        boxes = pictures(root / name, names({"coco": "", "yolo": "images/", "voc": "JPEGImages/"}[name]))
        if name == "coco":
            dump(root / name / "a.json", coco(boxes))
        elif name == "yolo":
            yolo(root / name, boxes)
        else:
            voc(root / name, {file.split("/")[1]: own for file, own in boxes.items()})
        yield name, root / name, boxes


def special(path, kind):
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        os.chdir(path.parent)  # a socket's path is short
        socket.socket(socket.AF_UNIX).bind(path.name)
    elif kind == "loop":
        path.symlink_to(path.name)
    else:
        path.mkdir()


KINDS = ["pipe", "zero", "socket", "loop", "folder"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outside", [False, True])
def test_a_picture_that_is_no_file(tmp_path, monkeypatch, kind, outside):
    monkeypatch.chdir(tmp_path)
    for _, root, boxes in sets(tmp_path):
        first = next(iter(boxes))
        special(root / first, kind)
        tables = ingested(root, outside=outside)
        assert rows(tables) == truth({name: own for name, own in boxes.items() if name != first})
        assert tables.problems


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outside", [False, True])
def test_a_label_file_that_is_no_file(tmp_path, monkeypatch, kind, outside):
    monkeypatch.chdir(tmp_path)
    labels = {"yolo": "labels/00.txt", "voc": "Annotations/00.xml"}
    for name, root, boxes in sets(tmp_path):
        if name == "coco":
            special(root / "b.json", kind)
            assert rows(ingested(root, outside=outside)) == truth(boxes)
            special(root / "a.json", kind)
            with pytest.raises(RefusedError):
                ingested(root, outside=outside)
            with pytest.raises(RefusedError):
                recognise(root / "a.json")
        else:
            special(root / labels[name], kind)
            found = rows(ingested(root, outside=outside))
            assert {file: own for file, own in found.items() if "00." not in file} == truth(
                {file: own for file, own in boxes.items() if "00." not in file}
            )
            assert not any(own for file, own in found.items() if "00." in file)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["data.yaml", "classes.txt", "obj.data", "meta.json", "ImageSets/Main/train.txt"])
def test_a_description_that_is_no_file(tmp_path, monkeypatch, kind, name):
    monkeypatch.chdir(tmp_path)
    for _, root, boxes in sets(tmp_path):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        own = root / "data.yaml"
        kept = own.read_text() if own.exists() else None
        special(root / name, kind)
        if kept and name == "data.yaml":
            write(root / "other.yaml", kept)
        assert rows(ingested(root)) == truth(boxes)


def test_folders_that_link_to_themselves_and_above(tmp_path):
    for _, root, boxes in sets(tmp_path):
        for k in range(3):
            (root / f"again{k}").symlink_to(".")
        (root / "above").symlink_to("..")
        (root / "system").symlink_to("/")
        assert rows(ingested(root)) == truth(boxes)
        assert rows(ingested(root, outside=[str(root)])) == truth(boxes)


def test_deep_folders(tmp_path):
    for _, root, boxes in sets(tmp_path):
        deep = root
        for _ in range(150):
            deep = deep / "d"
        deep.mkdir(parents=True)
        assert rows(ingested(root)) == truth(boxes)


def test_nothing_of_a_private_file_is_told(tmp_path, monkeypatch):
    """Labels, lists, names and descriptions that lead to a key, by links, absolute paths and `..`."""
    key = tmp_path / "key"
    key.write_text(SECRET)
    told = []
    for name, root, boxes in sets(tmp_path):
        target = {"coco": "b.json", "yolo": "labels/00.txt", "voc": "Annotations/00.xml"}[name]
        (root / target).unlink(missing_ok=True)
        (root / target).symlink_to(key)
        if name == "yolo":
            write(root / "data.yaml", f"train: [images, ../key, {key}, list.txt]\nnames: [cat, dog]\n")
            (root / "list.txt").symlink_to(key)
        for outside in (False, True):  # also who allows links wants no key in a table
            tables = ingested(root, outside=outside)
            assert len(rows(tables)) >= len(boxes) - 1
            told += [str(problem) for problem in tables.problems]
    write(tmp_path / "names/data.yaml", f"train: images\nnames: {key}\n")
    (tmp_path / "names/images").mkdir()
    with pytest.raises(RefusedError) as refused:
        read(tmp_path / "names")
    told.append(str(refused.value))
    assert not [line for line in told if "PRIVATE" in line or "MIIE" in line]


def test_pictures_outside_reach_no_table(tmp_path):
    private = pictures(tmp_path / "private", ["p.jpg"], first=60)
    for name, root, boxes in sets(tmp_path):
        (root / "linked").symlink_to(tmp_path / "private")
        if name == "coco":
            dump(root / "a.json", coco(boxes | {f"../private/{file}": own for file, own in private.items()}
                                       | {str(tmp_path / "private/p.jpg"): [], "linked/p.jpg": []}))  # fmt: skip
        elif name == "yolo":
            write(
                root / "data.yaml", f"path: /\ntrain: [{root}/images, {tmp_path}/private, linked]\nnames: [cat, dog]\n"
            )
        assert set(rows(ingested(root))) == set(boxes)
        assert any("p.jpg" in file for file in rows(ingested(root, outside=True))) == (name != "voc")


def test_the_door_opens_regular_files_of_bounded_size_only(tmp_path):
    path = tmp_path / "big"
    with path.open("wb") as stream:
        stream.truncate(20 << 30)  # sparse
    for reason, target in (("20480 MB", path), ("device", "/dev/zero"), ("folder", tmp_path), ("exist", "nowhere")):
        with pytest.raises(door.DoorError, match=reason):
            door.read_bytes(target)
    with pytest.raises(door.DoorError, match=r"data\.outside"):
        door.read_bytes("/etc/hostname", [str(tmp_path)])
    with pytest.raises(door.DoorError):
        door.read_bytes("a\0b")


def test_sparse_files_of_a_terabyte_are_not_read(tmp_path):
    for name, root, boxes in sets(tmp_path):
        first = next(iter(boxes))
        extra = {"coco": "b.json", "yolo": "labels/00.txt", "voc": "Annotations/00.xml"}[name]
        os.truncate(root / first, 1 << 40)
        with (root / extra).open("ab") as stream:
            stream.truncate(1 << 40)
        assert set(rows(ingested(root))) == set(boxes) - {first}
