"""Pictures packed into tars and Parquet files are read where they lie, as the same files in a folder."""

import csv
import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from at_url import fresh_node, in_memory, served
from coco_set import coco, label_files, make_set, noise, write
from ingested import tables_of
from packed_set import one_box, pack, parquet, samples
from small_dataset import make

from metricloop.data import door, packed, remote
from metricloop.data.fingerprint import fingerprint
from metricloop.data.formats import SourceError, read, recognise
from metricloop.data.formats.picture_folder import place_picture
from metricloop.data.formats.writer import Placing
from metricloop.data.pictures import read_picture
from metricloop.data.urls import path_of
from metricloop.detector.pixel_cache import Pixels


@pytest.fixture(autouse=True)
def _node(monkeypatch, tmp_path):
    fresh_node(monkeypatch, tmp_path / "cache")


def _only_json(data):
    """As of a cache that has lost its pictures."""
    return data if data is not None and data.startswith(b"{") else None


def labelled(folder, form):
    """A data set of twelve pictures in one of three formats."""
    return make_set(folder, 12) if form == "coco" else label_files(folder, form, 12)


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("form", ["coco", "yolo", "voc"])
def test_an_archive_gives_the_tables_of_its_folder_here_and_at_a_url(form, kind, tmp_path):
    folder = labelled(tmp_path / "set", form)
    archive = pack(folder, tmp_path / "packed" / f"set.{kind}")
    assert recognise(archive) == form
    in_folder = tables_of(folder, tmp_path / "a")
    assert tables_of(archive, tmp_path / "b") == in_folder
    assert tables_of(f"{in_memory(archive.parent, form)}/set.{kind}", tmp_path / "c") == in_folder


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_folder_in_an_archive_can_be_named(kind, tmp_path):
    folder = labelled(tmp_path / "all/export", "yolo")
    archive = pack(folder.parent, tmp_path / f"set.{kind}")
    assert tables_of(archive / "export", tmp_path / "b") == tables_of(folder, tmp_path / "a")


def test_labels_beside_tars_of_pictures(tmp_path):
    folder = make_set(tmp_path / "set", 12)
    shards = tmp_path / "shards"
    for shard in range(3):
        pack(folder / "images", shards / f"lions-{shard:05}.tar", {f"{k}.jpg" for k in range(shard, 12, 3)})
    (shards / "labels.json").write_bytes((folder / "labels.json").read_bytes())
    tables_of(shards, tmp_path / "out")
    files = read(shards).records
    assert {record.file.relative_to(shards).as_posix() for record in files} == {
        f"lions-{k % 3:05}.tar/{k}.jpg" for k in range(12)
    }
    assert all(read_picture(record.file).shape == (30, 40, 3) for record in files)


def test_a_tar_beside_a_folder_is_left_alone_and_said(tmp_path):
    folder = make_set(tmp_path / "set", 6)
    pack(folder, folder / "download.tar")
    source = read(folder)
    assert {record.file.parent.name for record in source.records} == {"images"}
    [said] = [problem for problem in source.problems if problem.problem == "file is not opened"]
    assert said.file == str(folder / "download.tar")
    assert (
        said.action
        == "left out (images lies beside it; give the archive itself, or a folder of archives and labels only)"
    )


def test_a_parquet_file_at_a_url_gives_the_tables_of_the_one_in_a_folder(tmp_path):
    parquet(tmp_path / "set/part.parquet", samples(12), one_box(12), ["lion"])
    at_home = tables_of(tmp_path / "set", tmp_path / "a")
    url = in_memory(tmp_path / "set", "rows")
    assert tables_of(url, tmp_path / "b") == at_home
    assert tables_of(tmp_path / "set/part.parquet", tmp_path / "c", root=tmp_path / "set") == at_home
    remote.forget()
    assert tables_of(f"{url}/part.parquet", tmp_path / "d", root=path_of(url)) == at_home


def test_a_compressed_or_damaged_tar_is_refused_in_words(tmp_path):
    folder = make_set(tmp_path / "set", 3)
    with tarfile.open(tmp_path / "a.tar", "w:gz") as archive:
        archive.add(folder, ".")
    with pytest.raises(SourceError, match="no tar, or a compressed one, which would have to be unpacked"):
        read(tmp_path / "a.tar")


def test_a_zip_cannot_lead_out_of_itself_nor_swell(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("../secret.jpg", "/etc/passwd", "__MACOSX/._x.jpg", "good\\x.jpg", "folder/"):
            archive.writestr(name, b"data")
        archive.writestr("zeros.jpg", bytes(1 << 20))
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bzip.jpg", b"data" * 9, zipfile.ZIP_BZIP2)
    found = packed.packed_in(str(tmp_path / "a.zip"))
    assert sorted(found.spans) == ["bzip.jpg", "etc/passwd", "good/x.jpg", "zeros.jpg"]
    assert door.read_bytes(tmp_path / "a.zip/good/x.jpg") == b"data"
    assert len(door.read_bytes(tmp_path / "a.zip/zeros.jpg")) == 1 << 20
    with pytest.raises(door.DoorError, match="at most 0 MB are read"):
        door.read_bytes(tmp_path / "a.zip/zeros.jpg", limit=1 << 18)
    with pytest.raises(door.DoorError, match=r"compressed in a way that is not read \(method 12\)"):
        door.read_bytes(tmp_path / "a.zip/bzip.jpg")


def test_a_zip_that_is_damaged_or_lies_about_a_size(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.jpg", bytes(1 << 20))
        archive.writestr("x.jpg", b"data" * 99, zipfile.ZIP_STORED)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    size = (1 << 20).to_bytes(4, "little")
    for at in (content.find(size), content.rfind(size)):
        content[at : at + 4] = (100).to_bytes(4, "little")  # of what would be a megabyte
    at = content.find(b"datadata")
    content[at] ^= 1
    (tmp_path / "b.zip").write_bytes(content)
    for name in ("zeros.jpg", "x.jpg"):
        with pytest.raises(door.DoorError, match="it is damaged in the zip"):
            door.read_bytes(tmp_path / "b.zip" / name)
    (tmp_path / "c.zip").write_bytes(content[:-30])
    with pytest.raises(SourceError, match="no zip, or a damaged one"):
        read(tmp_path / "c.zip")


def test_a_zip_with_a_password_is_refused_in_words(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.jpg", b"data")
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.find(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(door.DoorError, match="it is encrypted; unpack it, and give the folder"):
        door.read_bytes(tmp_path / "a.zip/x.jpg")


def test_only_the_end_of_a_zip_at_a_url_is_fetched_before_its_pictures(tmp_path, monkeypatch):
    folder = make_set(tmp_path / "set", 6)
    pack(folder, tmp_path / "far/set.zip")
    url = in_memory(tmp_path / "far", "zipped")
    source = read(f"{url}/set.zip")
    ranges = []
    system = type(remote.system_of(url))
    cat = system.cat_file
    monkeypatch.setattr(
        system, "cat_file", lambda self, path, start=None, end=None, **more: ranges.append((start, end)) or cat(
            self, path, start=start, end=end, **more)
    )  # fmt: skip
    assert door.read_bytes(source.records[3].file) == (folder / "images/3.jpg").read_bytes()
    [(start, end)] = ranges
    assert end - start < (folder / "images/3.jpg").stat().st_size + 200


def test_a_tar_cannot_lead_out_of_itself(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"private")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind, target in [
            ("../secret.jpg", tarfile.REGTYPE, ""),
            ("/etc/passwd", tarfile.REGTYPE, ""),
            ("link.jpg", tarfile.SYMTYPE, "../secret.jpg"),
            ("hard.jpg", tarfile.LNKTYPE, "../secret.jpg"),
            ("pipe.jpg", tarfile.FIFOTYPE, ""),
            (".hidden/x.jpg", tarfile.REGTYPE, ""),
            ("good/x.jpg", tarfile.REGTYPE, ""),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, target, 4 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"data"))
    found = packed.packed_in(str(tmp_path / "a.tar"))
    assert found.names == {"": {"etc": True, "good": True}, "etc": {"passwd": False}, "good": {"x.jpg": False}}
    assert door.read_bytes(tmp_path / "a.tar/good/x.jpg") == b"data"
    with pytest.raises(door.DoorError, match="it does not exist"):
        door.read_bytes(tmp_path / "a.tar/link.jpg")
    with pytest.raises(door.DoorError, match="leads out"):
        door.read_bytes(tmp_path / "a.tar/good/x.jpg", roots=[str(tmp_path / "elsewhere")])


def test_what_is_too_large_is_refused(tmp_path, monkeypatch):
    folder = make_set(tmp_path / "set", 2)
    tar = pack(folder, tmp_path / "a.tar")
    parquet(tmp_path / "b.parquet", samples(4), one_box(4))
    for path in (tar / "images/0.jpg", tmp_path / "b.parquet/00000001.jpg"):
        with pytest.raises(door.DoorError, match="at most 0 MB are read"):
            door.read_bytes(path, limit=100)
    monkeypatch.setattr(door, "PICTURE", 100)
    packed._groups.clear()
    with pytest.raises(door.DoorError, match="write the file with smaller row groups"):
        door.read_bytes(tmp_path / "b.parquet/00000001.jpg")


def test_a_folder_named_like_a_tar_is_a_folder(tmp_path):
    folder = make_set(tmp_path / "lions.tar", 4)
    assert len(read(folder).records) == 4
    assert packed.parts_of(folder / "images/0.jpg") is None
    assert packed.parts_of(tmp_path / "a.targets/0.jpg") is None


def test_few_row_groups_stay_in_memory(tmp_path, monkeypatch):
    parquet(tmp_path / "b.parquet", samples(12), one_box(12), group=2)
    packed._groups.clear()
    opened, parquet_of = [], packed.parquet_of
    monkeypatch.setattr(packed, "parquet_of", lambda *file: opened.append(1) or parquet_of(*file))
    names = [f"{row:08}.jpg" for row in range(12)]
    wanted = dict(samples(12))
    for row, name in enumerate(names):
        assert door.read_bytes(tmp_path / "b.parquet" / name) == wanted[f"{row}.jpg"]
    assert len(packed._groups) == packed.GROUPS
    assert len(opened) == 1 + 6  # what it holds, and each of six groups once


def test_pictures_of_a_tar_at_a_url_are_fetched_once_and_alone_after_they_left_the_cache(tmp_path, monkeypatch):
    folder = make_set(tmp_path / "set", 6)
    pack(folder, tmp_path / "far/set.tar")
    url = in_memory(tmp_path / "far", "lions")
    ranges, whole = [], []
    system = type(remote.system_of(url))
    cat, open_ = system.cat_file, system._open
    monkeypatch.setattr(
        system, "cat_file", lambda self, path, start=None, end=None, **more: ranges.append((start, end)) or cat(
            self, path, start=start, end=end, **more)
    )  # fmt: skip
    monkeypatch.setattr(system, "_open", lambda self, *args, **more: whole.append(1) or open_(self, *args, **more))
    source = read(f"{url}/set.tar")
    tables_of(f"{url}/set.tar", tmp_path / "out")
    assert (len(whole), ranges) == (1, [])
    remote.forget()  # another process of the machine knows what is in the tar
    assert door.read_bytes(source.records[3].file) == (folder / "images/3.jpg").read_bytes()
    assert (len(whole), ranges) == (1, [])
    get = remote.picture_cache().get
    monkeypatch.setattr(remote.picture_cache(), "get", lambda sha256: _only_json(get(sha256)))
    assert door.read_bytes(source.records[3].file) == (folder / "images/3.jpg").read_bytes()
    [(start, end)] = ranges
    assert (len(whole), end - start) == (1, (folder / "images/3.jpg").stat().st_size)


def test_a_picture_is_copied_out_of_a_tar_and_resized_from_it(tmp_path):
    folder = make_set(tmp_path / "set", 2)
    pack(folder, tmp_path / "a.tar")
    data = make([(40, 30, "a", [(5, 6, 15, 18, 0)])])
    content = (folder / "images/0.jpg").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    data = replace(
        data, root=tmp_path, file=np.array(["a.tar/images/0.jpg"], object), sha256=np.array([digest], object)
    )
    place_picture(data, 0, tmp_path / "out/0.jpg", Placing.LINK)
    assert not (tmp_path / "out/0.jpg").is_symlink()
    assert (tmp_path / "out/0.jpg").read_bytes() == content
    assert Pixels(data, 64, tmp_path / "pixels")[0].shape == (64, 64, 3)


def test_a_tar_that_changes_is_noticed(tmp_path):
    folder = make_set(tmp_path / "set", 2)
    tar = pack(folder, tmp_path / "a.tar")
    before = fingerprint([tar])
    assert (before.files, before.bytes) == (1, tar.stat().st_size)
    noise(folder / "images/1.jpg", 77)
    pack(folder, tar)
    assert fingerprint([tar]) != before
    assert door.read_bytes(tar / "images/1.jpg") == (folder / "images/1.jpg").read_bytes()


def test_problems_name_the_packed_file(tmp_path):
    folder = make_set(tmp_path / "set", 12)
    (folder / "images/3.jpg").write_bytes(b"no picture")
    write(folder / "labels.json", coco([f"{k}.jpg" for k in range(13)]))
    tables = tables_of(pack(folder, tmp_path / "a.tar"), tmp_path / "out")
    rows = list(csv.DictReader(io.StringIO(tables["problems.csv"].decode())))
    assert {row["file"]: row["problem"] for row in rows} == {
        "images/3.jpg": "picture cannot be read",
        "12.jpg": "labels without picture",
    }


def header(kind, size, name="x"):
    """The header of a member of a tar."""
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def record(text):
    """A header that says more of the member behind it."""
    return header(tarfile.XHDTYPE, len(text)) + text.ljust(512, b"\0")


@pytest.mark.parametrize(
    ("at_byte_1024", "said"),
    [
        (b"\xaa" * 512, "damaged at byte 1024"),
        (header(tarfile.REGTYPE, 4)[:100], "damaged at byte 1024"),
        (header(tarfile.REGTYPE, 9000), "what begins at byte 1024 has no end"),
        (header(tarfile.REGTYPE, 1 << 62), "what begins at byte 1024 has no end"),
        (header(tarfile.REGTYPE, 1 << 80), "what begins at byte 1024 has no end"),
        (header(tarfile.XHDTYPE, 1 << 40), "a name of 1099511627776 bytes"),
        (header(tarfile.GNUTYPE_LONGNAME, 1 << 80), "a name of"),
        (header(tarfile.XHDTYPE, 0) * 1500, "recursion"),
        (record(b"19 GNU.sparse.size=x\n"), "invalid literal"),
    ],
)
def test_a_tar_that_is_damaged_is_refused_in_words(at_byte_1024, said, tmp_path):
    start = header(tarfile.REGTYPE, 4, "a.jpg") + b"data".ljust(512, b"\0")
    (tmp_path / "a.tar").write_bytes(start + b"\0" * 1024)
    assert packed.packed_in(str(tmp_path / "a.tar")).names == {"": {"a.jpg": False}}
    rest = header(tarfile.REGTYPE, 0) + b"\0" * 1024 if len(at_byte_1024) >= 1024 else b""
    (tmp_path / "a.tar").write_bytes(start + at_byte_1024 + rest)
    with pytest.raises(door.DoorError, match=said):
        packed.packed_in(str(tmp_path / "a.tar"))


def test_names_in_a_tar_that_no_folder_would_have(tmp_path):
    names = ["\udcff\udce9.jpg", "a/" * 30 + "b.jpg", "ä\0.jpg", "a.jpg"]
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    with tarfile.open(tmp_path / "b.tar", "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        archive.addfile(tarfile.TarInfo(names[0]))
    for name in ("a", "b"):
        [*found] = packed.packed_in(str(tmp_path / f"{name}.tar")).names[""]
        assert found == ["\ufffd\ufffd.jpg", "a.jpg"][: 2 if name == "a" else 1]


def test_few_bytes_that_become_many_pictures_are_refused(tmp_path, monkeypatch):
    [(name, data)] = samples(1)
    parquet(tmp_path / "a.parquet", [(name, data)] * 1000, one_box(1000), group=1000)
    assert (tmp_path / "a.parquet").stat().st_size < 20 * len(data)
    monkeypatch.setattr(door, "PICTURE", 100 * len(data))
    packed._groups.clear()
    with pytest.raises(door.DoorError, match="row group 0 takes 0 MB; at most 0 MB are read at once"):
        door.read_bytes(tmp_path / "a.parquet/00000001.jpg")
    monkeypatch.setattr(packed, "MOST", 999)
    packed._known.cache_clear()
    with pytest.raises(door.DoorError, match="1000 rows; at most 999 are read"):
        packed.packed_in(str(tmp_path / "a.parquet"))


def test_of_two_columns_of_pictures_the_one_that_is_called_so(tmp_path):
    pictures = pa.array([{"bytes": b"picture", "path": "a"}])
    masks = pa.array([{"bytes": b"mask", "path": "a"}])
    pq.write_table(pa.table({"mask": masks, "image": pictures}), tmp_path / "a.parquet")
    assert door.read_bytes(tmp_path / "a.parquet/00000000.jpg") == b"picture"
    pq.write_table(pa.Table.from_arrays([masks, masks], ["image", "image"]), tmp_path / "b.parquet")
    with pytest.raises(door.DoorError, match="no column of it holds pictures"):
        door.read_bytes(tmp_path / "b.parquet/00000000.jpg")


@pytest.mark.parametrize("name", ["lions.tar", "lions.parquet"])
def test_a_folder_at_a_url_that_is_called_like_a_packed_file(name, tmp_path):
    """As Spark writes lions.parquet/part-0.parquet."""
    if name.endswith("tar"):
        make_set(tmp_path / name, 4)
    else:
        parquet(tmp_path / name / "part-0.parquet", samples(4), one_box(4), ["lion"])
    url = in_memory(tmp_path, "named")
    for place in (url, f"{url}/{name}"):
        remote.forget()
        assert [door.read_bytes(own.file)[:2] for own in read(place).records] == [b"\xff\xd8"] * 4


def test_a_web_server_that_sends_no_parts_of_files(tmp_path, monkeypatch):
    folder = make_set(tmp_path / "set", 3)
    pack(folder, tmp_path / "far/set.tar")
    parquet(tmp_path / "far/a.parquet", samples(400), one_box(400), group=100)
    monkeypatch.setattr(remote, "LARGEST", 10)  # so that no picture is kept when the tar is listed
    with served(tmp_path / "far") as server:
        tar, rows = (path_of(f"{server.url}/{name}") for name in ("set.tar", "a.parquet"))
        with pytest.raises(door.DoorError, match="the server does not send parts of files"):
            door.read_bytes(tar / "images/1.jpg")
        assert door.is_file(rows)
        with pytest.raises(door.AwayError, match="support range requests"):
            door.read_bytes(rows / "00000200.jpg")


def test_a_parquet_file_whose_columns_have_names_that_are_no_text(tmp_path):
    file = parquet(tmp_path / "a.parquet", samples(2), one_box(2))
    file.write_bytes(file.read_bytes().replace(b"objects", b"obj\xffcts"))
    with pytest.raises(door.DoorError, match="no Parquet file, or a damaged one"):
        packed.packed_in(str(file))
