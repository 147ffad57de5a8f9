"""Data sets at gs:// and az://, read with the real gcsfs and adlfs from servers that play Google's and Azure's."""

import hashlib
import os
import time
from contextlib import suppress

import pytest
from at_url import fresh_node
from coco_set import coco, make_set, noise, write
from google_and_azure import Azure, Google
from test_data_at_url import tables_of

from metricloop.data import door, remote
from metricloop.data.damage_presets import Corrupt
from metricloop.data.formats import SourceError, read
from metricloop.data.ingest import ingest
from metricloop.data.urls import path_of
from metricloop.study.environment import STORAGE

KINDS = {"gs": (Google, ("gcsfs", "gcp_storage_emulator")), "az": (Azure, ("adlfs",))}


@pytest.fixture(params=list(KINDS))
def kind(request):
    return request.param


@pytest.fixture
def storage(kind, tmp_path, monkeypatch):
    """A storage with nothing in it, found by the variables that stages are given."""
    made, packages = KINDS[kind]
    for package in packages:
        pytest.importorskip(package)
    for name in [name for name in os.environ if name.startswith(("GOOGLE_", "AZURE_", "STORAGE_"))]:
        monkeypatch.delenv(name)
    fresh_node(monkeypatch, tmp_path / "cache")
    server = made()
    for name, value in server.variables.items():
        assert name.startswith(STORAGE)
        monkeypatch.setenv(name, value)
    forget_clients()
    yield server
    with suppress(OSError):
        server.stop()
    forget_clients()


def forget_clients():
    """fsspec keeps a client as long as the process lives; each of these tests has a server of its own."""
    import fsspec

    for scheme in KINDS:
        with suppress(ImportError):
            fsspec.get_filesystem_class(scheme).clear_instance_cache()


def test_the_tables_are_those_of_the_same_files_in_a_folder(storage, tmp_path):
    local = make_set(tmp_path / "set", 12)
    make_set(tmp_path / "set2", 3)  # whose name begins with that of the other
    (local / "images/broken.jpg").write_bytes(b"no picture")
    (local / "images/empty.jpg").write_bytes(b"")
    (local / "images/11.jpg").rename(local / "images/leo & ä 100%.jpg")
    odd = ["broken.jpg", "empty.jpg", "gone.jpg", "leo & ä 100%.jpg"]
    write(local / "labels.json", coco([*(f"{k}.jpg" for k in range(11)), *odd]))
    storage.fill(tmp_path / "set2", "pictures", "set2")
    url = storage.fill(local, "pictures", "set")
    at_home, far = tables_of(local, tmp_path / "a"), tables_of(url, tmp_path / "b")
    assert at_home["problems.csv"].count(b"cannot be read") == 2
    assert far == at_home


def test_a_bucket_as_the_data_set_without_a_folder(storage, tmp_path):
    url = storage.fill(make_set(tmp_path / "set", 3), "pictures", "").rstrip("/")
    assert len(read(url).records) == 3


def test_a_picture_that_is_gone_is_a_problem_and_a_bucket_that_is_gone_is_none(storage, tmp_path):
    url = storage.fill(make_set(tmp_path / "set", 8), "pictures", "set")
    source = read(url)
    storage.delete("pictures", "set/images/3.jpg")
    tables = ingest(source, path_of(url), corrupt=Corrupt(), search_share=0.3, test_share=0.3)
    assert [problem[2] for problem in tables.problems] == ["left out with 1 boxes (it does not exist)"]
    elsewhere = url.replace("pictures", "nowhere")
    with pytest.raises(door.AwayError, match=f"^{elsewhere}/1.jpg: there is no bucket of this name$"):
        door.read_bytes(path_of(f"{elsewhere}/1.jpg"), sha256="0" * 64)
    remote.forget()
    with pytest.raises((door.AwayError, SourceError), match=f"^{elsewhere}(: there is no bucket| does not exist)"):
        read(elsewhere)


def test_a_change_is_noticed_and_listing_and_asking_for_one_agree(storage, tmp_path):
    url = storage.fill(make_set(tmp_path / "set", 3), "pictures", "set")
    folder = path_of(f"{url}/images")
    before = remote.listing(folder).states
    assert before == {f"{k}.jpg": remote.state(folder / f"{k}.jpg") for k in range(3)}
    noise(tmp_path / "other.jpg", 99)
    storage.put("pictures", "set/images/1.jpg", (tmp_path / "other.jpg").read_bytes())
    remote.forget()
    after = remote.listing(folder).states
    assert {name for name in before if after[name] != before[name]} == {"1.jpg"}
    assert after == {f"{k}.jpg": remote.state(folder / f"{k}.jpg") for k in range(3)}
    assert remote.state(folder / "gone.jpg") == remote.UNKNOWN


def test_each_picture_is_asked_for_once(storage, tmp_path):
    url = storage.fill(make_set(tmp_path / "set", 8), "pictures", "set")
    for _ in range(2):
        ingest(read(url), path_of(url), corrupt=Corrupt(), search_share=0.3, test_share=0.3)
        remote.forget()
    assert [storage.asked[f"set/images/{k}.jpg"] for k in range(8)] == [1] * 8


def test_a_server_that_is_busy_is_asked_again_and_one_that_stays_away_ends_it_soon(storage, tmp_path, monkeypatch):
    local = make_set(tmp_path / "set", 3)
    path = path_of(storage.fill(local, "pictures", "set") + "/images/1.jpg")
    storage.failing = 3
    assert door.read_bytes(path, sha256="0" * 64) == (local / "images/1.jpg").read_bytes()
    storage.stop()
    monkeypatch.setattr("metricloop.data.storage.WAITS", (0.0,))
    began = time.monotonic()
    with pytest.raises(door.AwayError, match=r"/images/2\.jpg: the server does not answer .*finished") as told:
        door.read_bytes(path.with_name("2.jpg"), sha256="0" * 64)
    assert "\n" not in str(told.value)
    assert time.monotonic() - began < 20  # the libraries alone ask for one minute and two
    storage.start()
    remote.forget()
    noted = hashlib.sha256((local / "images/2.jpg").read_bytes()).hexdigest()
    assert hashlib.sha256(door.read_bytes(path.with_name("2.jpg"), sha256=noted)).hexdigest() == noted


def test_who_may_not_read_is_told_at_once(storage, tmp_path, caplog):
    path = path_of(storage.fill(make_set(tmp_path / "set", 3), "pictures", "set") + "/images/1.jpg")
    storage.failing, storage.status = 9, 403
    with pytest.raises(door.AwayError, match=r"/images/1\.jpg: access is refused") as told:
        door.read_bytes(path, sha256="0" * 64)
    assert storage.failing == 8
    assert "\n" not in str(told.value)
    assert not caplog.records


def test_without_an_account_of_azure_its_variable_is_named(monkeypatch, tmp_path):
    pytest.importorskip("adlfs")
    fresh_node(monkeypatch, tmp_path / "cache")
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    forget_clients()
    with pytest.raises(door.AwayError, match=r"^az://p/s: .* set AZURE_STORAGE_ACCOUNT_NAME \(docs/scale\.md\)$"):
        read("az://p/s")


@pytest.mark.parametrize("kind", ["gs"])
def test_without_credentials_of_google_it_is_said(storage, tmp_path):
    url = storage.fill(make_set(tmp_path / "set", 3), "pictures", "set")
    storage.failing, storage.status = 9, 401
    storage.message = "Anonymous caller does not have storage.objects.list access to the Google Cloud Storage bucket."
    with pytest.raises(door.AwayError, match=r"^gs://pictures/set: no credentials are found; .* \(docs/scale\.md\)$"):
        read(url)
    assert storage.failing >= 7  # whether it is a file, and whether a folder: nothing is asked again
