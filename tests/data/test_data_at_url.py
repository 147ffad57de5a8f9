"""A data set at a URL is read as one in a folder: same tables, each file fetched once, faults told in one line."""

import hashlib
from base64 import b64encode

import fsspec
import pytest
from at_url import fresh_node, in_memory, served
from coco_set import coco, label_files, make_set, noise, write
from ingested import tables_of

from metricloop.data import door, picture_cache, remote
from metricloop.data.damage_presets import Corrupt
from metricloop.data.formats import SourceError, read
from metricloop.data.ingest import ingest
from metricloop.data.loading import load
from metricloop.data.pictures import PictureError, read_picture
from metricloop.data.urls import path_of
from metricloop.detector.pixel_cache import Pixels


@pytest.fixture(autouse=True)
def _node(monkeypatch, tmp_path):
    fresh_node(monkeypatch, tmp_path / "cache")


def test_the_tables_are_those_of_the_same_files_in_a_folder(tmp_path):
    local = make_set(tmp_path / "set", 12)
    (local / "images/broken.jpg").write_bytes(b"no picture")
    write(local / "labels.json", coco([*(f"{k}.jpg" for k in range(12)), "broken.jpg", "gone.jpg"]))
    at_home, far = tables_of(local, tmp_path / "a"), tables_of(in_memory(local, "lions"), tmp_path / "b")
    assert len(far) == 8
    assert b"broken.jpg,picture cannot be read" in far["problems.csv"]
    assert far == at_home


@pytest.mark.parametrize("make", ["voc", "yolo"])
def test_label_files_of_single_pictures_are_fetched_together(make, tmp_path, monkeypatch):
    folder = label_files(tmp_path / "set", make, 20)
    together = []
    whole = remote._read_together
    monkeypatch.setattr(
        remote, "_read_together", lambda paths, limit: together.append(len(paths)) or whole(paths, limit)
    )
    url = in_memory(folder, f"{make}set")
    far, at_home = read(url), read(folder)
    assert [len(record.boxes) for record in far.records] == [1] * 20 == [len(one.boxes) for one in at_home.records]
    assert together == [20]


def test_each_picture_is_fetched_once_by_a_machine(tmp_path):
    make_set(tmp_path / "set", 8)
    with served(tmp_path / "set") as server:
        root = path_of(server.url)
        first = ingest(read(server.url, root=root), root, corrupt=Corrupt(), search_share=0.3, test_share=0.3)
        pictures = [f"/images/{k}.jpg" for k in range(8)]
        assert [server.asked[path] for path in pictures] == [1] * 8
        remote.forget()  # another process of the machine
        again = ingest(read(server.url, root=root), root, corrupt=Corrupt(), search_share=0.3, test_share=0.3)
        for file, sha256 in zip(again.images["file"], again.images["sha256"], strict=True):
            read_picture(root / file, sha256)
        assert [server.asked[path] for path in pictures] == [1] * 8
        assert again.images["sha256"] == first.images["sha256"]


def test_no_picture_costs_a_question_besides_its_own_bytes(tmp_path, monkeypatch):
    asked, ask = [], remote.ask
    monkeypatch.setattr(remote, "ask", lambda url, *rest, **more: asked.append(url) or ask(url, *rest, **more))
    questions = []
    for count in (10, 20):
        local = make_set(tmp_path / f"set{count}", count)
        write(local / "labels.json", coco([f"elsewhere/{k}.jpg" for k in range(count)]))  # found by the ends of paths
        url = in_memory(local, f"lions{count}")
        asked.clear()
        read(url, root=path_of(url))
        assert not any(one.endswith(".jpg") for one in asked)
        questions.append(len(asked))
    assert questions[0] == questions[1] < 16


def test_a_password_for_a_web_server_comes_from_netrc(tmp_path, monkeypatch):
    make_set(tmp_path / "set", 3)
    with served(tmp_path / "set") as server:
        server.password = "Basic " + b64encode(b"me:hunter2").decode()
        with pytest.raises(door.AwayError, match="access is refused") as told:
            read(server.url)
        assert "\n" not in str(told.value)
        remote.forget()
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
        (tmp_path / "netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        assert len(read(server.url).records) == 3


def test_a_server_that_fails_for_a_moment_is_asked_again(tmp_path):
    make_set(tmp_path / "set", 8)
    with served(tmp_path / "set") as server:
        server.failing.update({"/images/0.jpg": 2, "/images/1.jpg": 1, "/labels.json": 1})
        root = path_of(server.url)
        tables = ingest(read(server.url, root=root), root, corrupt=Corrupt(), search_share=0.3, test_share=0.3)
        assert len(tables.images["file"]) == 8
        assert server.asked["/images/0.jpg"] == 3
        assert not tables.problems


@pytest.mark.parametrize(("status", "asked", "why"), [(503, 4, "503"), (429, 4, "429"), (403, 1, "access is refused")])
def test_a_server_that_goes_on_failing_ends_it_in_one_line(status, asked, why, tmp_path):
    """No picture is left out of the data because a server was busy."""
    make_set(tmp_path / "set", 3)
    with served(tmp_path / "set") as server:
        path = path_of(f"{server.url}/images/1.jpg")
        server.failing["/images/1.jpg"], server.status = 99, status
        with pytest.raises(door.AwayError, match=why) as told:
            door.read_bytes(path, sha256="0" * 64)
        assert server.asked["/images/1.jpg"] == asked
        assert str(told.value).startswith(f"{server.url}/images/1.jpg: ")
        assert "\n" not in str(told.value)
        with pytest.raises(door.AwayError):  # for a while it is not asked again
            door.read_bytes(path_of(f"{server.url}/images/2.jpg"), sha256="0" * 64)
        assert server.asked["/images/2.jpg"] == 0


def test_a_server_that_is_not_there(tmp_path):
    with served(tmp_path) as server:
        url = server.url
    with pytest.raises(door.AwayError, match=r"does not answer .*; finished results stay"):
        read(url)


def test_a_picture_that_is_gone_is_a_problem_of_its_own(tmp_path):
    url = in_memory(make_set(tmp_path / "set", 8), "lions")
    source = read(url)
    fsspec.filesystem("memory").rm_file("/lions/images/3.jpg")
    tables = ingest(source, path_of(url), corrupt=Corrupt(), search_share=0.3, test_share=0.3)
    assert len(tables.images["file"]) == 7
    assert [tuple(problem) for problem in tables.problems] == [
        ("images/3.jpg", "picture cannot be read", "left out with 1 boxes (it does not exist)")
    ]


def test_a_picture_that_has_changed_is_not_used(tmp_path):
    local = make_set(tmp_path / "set", 3)
    url = in_memory(local, "lions")
    sha256 = hashlib.sha256((local / "images/0.jpg").read_bytes()).hexdigest()
    noise(local / "images/0.jpg", 99)
    in_memory(local, "lions")
    with pytest.raises(PictureError, match="not the file that was ingested"):
        read_picture(path_of(f"{url}/images/0.jpg"), sha256)


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("name", ["../private/0.jpg", "/memory:/private/0.jpg", "memory://private/0.jpg"])
def test_labels_cannot_lead_to_another_place(name, outside, tmp_path):
    in_memory(make_set(tmp_path / "other", 1), "private")
    fsspec.filesystem("memory").mv("/private/images/0.jpg", "/private/0.jpg")
    local = make_set(tmp_path / "set", 3)
    write(local / "labels.json", coco(["1.jpg", "2.jpg", name]))
    (local / "images/0.jpg").unlink()
    source = read(in_memory(local, "lions"), outside=outside)
    assert sorted(record.file.name for record in source.records) == ["1.jpg", "2.jpg"]


def test_labels_of_a_folder_cannot_lead_to_a_url(tmp_path):
    in_memory(make_set(tmp_path / "other", 1), "private")
    local = make_set(tmp_path / "set", 3)
    write(local / "labels.json", coco(["1.jpg", "2.jpg", "/memory:/private/images/0.jpg"]))
    (local / "images/0.jpg").unlink()
    source = read(local, outside=True)
    assert sorted(record.file.name for record in source.records) == ["1.jpg", "2.jpg"]


def test_labels_here_and_pictures_there(tmp_path):
    local = make_set(tmp_path / "set", 4)
    (local / "labels.json").rename(tmp_path / "labels.json")
    url = in_memory(local, "lions")
    source = read(tmp_path / "labels.json", root=path_of(url))
    assert {record.file for record in source.records} == {path_of(f"{url}/images/{k}.jpg") for k in range(4)}


def test_what_is_not_there_is_said_with_its_url():
    with pytest.raises(SourceError, match=r"^memory://nowhere/x does not exist; set data.source"):
        read("memory://nowhere/x")


def test_a_kind_of_storage_that_is_not_installed_names_its_extra(monkeypatch):
    def lacks(*_, **__):
        raise ImportError("no gcsfs", name="gcsfs")

    monkeypatch.setattr(fsspec, "filesystem", lacks)
    with pytest.raises(door.MissingPackageError, match=r"gs:// needs .*gcsfs.* pip install 'metricloop\[gcs\]'"):
        read("gs://bucket/lions")


def test_a_study_without_pictures_at_hand_is_loaded_all_the_same(tmp_path, monkeypatch):
    """Tables are enough to look at results while a bucket is away."""
    url = in_memory(make_set(tmp_path / "set", 8), "lions")
    tables_of(url, tmp_path / "data")
    monkeypatch.setattr(remote, "ask", lambda *_, **__: pytest.fail("nothing may be asked"))
    assert len(load(tmp_path / "data", path_of(url))) == 8


def test_the_cache_that_is_used_is_that_of_the_machine(tmp_path):
    url = in_memory(make_set(tmp_path / "set", 2), "lions")
    sha256 = hashlib.sha256((tmp_path / "set/images/0.jpg").read_bytes()).hexdigest()
    read_picture(path_of(f"{url}/images/0.jpg"), sha256)
    assert picture_cache.PictureCache(tmp_path / "cache", 1 << 30).get(sha256) is not None


def test_pictures_that_are_needed_soon_are_fetched_together_and_once(tmp_path):
    make_set(tmp_path / "set", 8)
    with served(tmp_path / "set") as server:
        files = [
            (path_of(f"{server.url}/images/{k}.jpg"), hashlib.sha256((tmp_path / f"set/images/{k}.jpg").read_bytes()))
            for k in range(8)
        ]
        files = [(path, sha256.hexdigest()) for path, sha256 in files]
        door.bring([*files, (path_of(f"{server.url}/images/gone.jpg"), "0" * 64)])  # told when it is read
        door.bring(files)
        for path, sha256 in files:
            read_picture(path, sha256)
        assert [server.asked[f"/images/{k}.jpg"] for k in range(8)] == [1] * 8
        with pytest.raises(PictureError, match="it does not exist"):
            read_picture(path_of(f"{server.url}/images/gone.jpg"), "0" * 64)


def test_a_trial_on_another_machine_fetches_the_pictures_of_its_batches_only(tmp_path):
    url = in_memory(make_set(tmp_path / "set", 12), "lions")
    tables_of(url, tmp_path / "data")
    pool = load(tmp_path / "data", path_of(url), "pool")
    pixels = Pixels(pool, 32, tmp_path / "scratch")
    picture_cache.picture_cache.cache_clear()
    cache = picture_cache.PictureCache(tmp_path / "elsewhere", 1 << 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote, "picture_cache", lambda: cache)
        pixels.bring([0, 2])
        assert [cache.get(str(pool.sha256[row])) is not None for row in range(4)] == [True, False, True, False]
        before = pixels[0].copy()
        fsspec.filesystem("memory").rm(f"/lions/{pool.file[2]}")
        assert pixels[2].shape == (32, 32, 3)
        assert (pixels[0] == before).all()
