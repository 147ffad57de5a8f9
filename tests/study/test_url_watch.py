"""A data set at a URL is watched, not listed whenever somebody looks; a bucket that is away stops no look."""

import os

import fsspec
import pytest
from at_url import fresh_node, in_memory, served
from coco_set import coco, make_set, noise, write

from metricloop.data import remote
from metricloop.params import Data, ParamsError, check_params
from metricloop.study import url_watch
from metricloop.study.data_files import check_there, is_inside, look_through, missing
from metricloop.study.environment import environment


@pytest.fixture
def lions(tmp_path, monkeypatch):
    fresh_node(monkeypatch, tmp_path / "cache")
    make_set(tmp_path / "set", 6)
    (tmp_path / "ws").mkdir()
    return in_memory(tmp_path / "set", "lions")


@pytest.fixture
def listed(monkeypatch):
    """The folders whose names were asked for."""
    asked, whole = [], remote._listing
    monkeypatch.setattr(remote, "_listing", lambda url: asked.append(url) or whole(url))
    return asked


def slow(monkeypatch):
    """A listing is remembered as long as one that took an hour."""
    monkeypatch.setattr(url_watch, "SHARE", 1e-9)


def at(url):
    return Data(source=url, root=url)


def test_every_change_changes_the_fingerprint_and_nothing_else_does(lions, tmp_path, monkeypatch):
    monkeypatch.setattr(url_watch, "SHARE", 1e9)  # no listing is remembered
    first = look_through(tmp_path / "ws", at(lions))
    assert "files: 7\n" in first
    assert look_through(tmp_path / "ws", at(lions)) == first
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/lions/.hidden", b"1")
    assert look_through(tmp_path / "ws", at(lions)) == first
    memory.pipe_file("/lions/more/7.jpg", b"1")
    second = look_through(tmp_path / "ws", at(lions))
    noise(tmp_path / "6.jpg", 6)
    memory.pipe_file("/lions/images/3.jpg", (tmp_path / "6.jpg").read_bytes())
    third = look_through(tmp_path / "ws", at(lions))
    assert "files: 8\n" in second
    assert len({first, second, third}) == 3


def test_a_listing_that_takes_long_is_not_repeated_at_every_look(lions, tmp_path, monkeypatch, listed):
    slow(monkeypatch)
    first = look_through(tmp_path / "ws", at(lions))
    assert listed == [lions, f"{lions}/images"]
    for _ in range(3):
        assert look_through(tmp_path / "ws", at(lions)) == first
    assert len(listed) == 2
    assert look_through(tmp_path / "ws", Data(source=lions, root=f"{lions}/images")) == first  # other places
    assert len(listed) == 4


def test_a_changed_label_file_is_noticed_at_once_all_the_same(lions, tmp_path, monkeypatch, listed):
    slow(monkeypatch)
    first = look_through(tmp_path / "ws", at(lions))
    write(tmp_path / "labels.json", coco([f"{k}.jpg" for k in range(6)], width=20))
    fsspec.filesystem("memory").pipe_file("/lions/labels.json", (tmp_path / "labels.json").read_bytes())
    assert look_through(tmp_path / "ws", at(lions)) != first
    assert len(listed) == 4


def test_an_old_listing_is_not_trusted(lions, tmp_path, monkeypatch):
    slow(monkeypatch)
    first = look_through(tmp_path / "ws", at(lions))
    fsspec.filesystem("memory").rm_file("/lions/images/3.jpg")
    assert look_through(tmp_path / "ws", at(lions)) == first
    later = url_watch.time.time() + url_watch.OLDEST + 1
    monkeypatch.setattr(url_watch.time, "time", lambda: later)
    assert "files: 6\n" in look_through(tmp_path / "ws", at(lions))


def test_labels_here_and_pictures_there_are_both_watched(lions, tmp_path, monkeypatch):
    monkeypatch.setattr(url_watch, "SHARE", 1e9)
    labels = tmp_path / "mine/all.json"
    write(labels, coco(["1.jpg"]))
    data = Data(source=str(labels), root=lions)
    first = look_through(tmp_path / "ws", data)
    assert "files: 8\n" in first
    write(labels, coco(["2.jpg"], width=11))
    second = look_through(tmp_path / "ws", data)
    fsspec.filesystem("memory").rm_file("/lions/images/3.jpg")
    assert len({first, second, look_through(tmp_path / "ws", data)}) == 3


def test_a_server_that_is_away_is_told_in_one_line_at_once(lions, tmp_path, monkeypatch):
    monkeypatch.setattr("metricloop.data.storage.WAITS", (60.0,))  # nobody waits for it
    with served(tmp_path) as server:
        url = server.url
    assert look_through(tmp_path / "ws", at(url)) is None
    said = missing(tmp_path / "ws", at(url))
    assert said.startswith(f"the data set cannot be read: {url}: the server does not answer")
    assert "\n" not in said
    with pytest.raises(FileNotFoundError, match="finished results stay"):
        check_there(tmp_path / "ws", at(url))


def test_a_data_set_at_a_url_that_is_gone(lions, tmp_path):
    assert missing(tmp_path / "ws", at(lions)) == ""
    assert not is_inside(tmp_path / "ws", at(lions))
    said = missing(tmp_path / "ws", at("memory://nowhere/x"))
    assert said.startswith("the data set memory://nowhere/x is gone; put it back, or say where it is now: metricloop")


def test_settings_hold_no_password():
    for key in ("source", "root", "second_labels"):
        data = {"source": "s3://b/x", key: "https://me:hunter2@host/lions"}
        with pytest.raises(ParamsError, match="no user or password") as told:
            check_params({"study": {"name": "x"}, "data": data})
        assert "hunter2" not in str(told.value)


def test_a_folder_for_pictures_follows_from_the_url(monkeypatch):
    monkeypatch.setattr(remote, "ask", lambda *_, **__: pytest.fail("nothing may be asked"))
    assert str(Data(source="s3://b/lions/labels.json").folder) == "/s3:/b/lions"
    assert str(Data(source="s3://b/lions").folder) == "/s3:/b/lions"


@pytest.mark.parametrize(
    ("name", "content", "passed"),
    [
        ("params.yaml", "data:\n  source: s3://b/lions # folder\n  root: x\n", True),
        ("params.yaml", "data:\n  source: /data/lions\n  root: 'gs://b'\n", True),
        ("params.yaml", "data:\n  source: lions\n  second_labels: s3://b/second.json\n", True),
        ("params.yaml", "execution:\n  store: s3://b/trials  # reached by all nodes\n", True),
        (".dvc/config", "['remote \"store\"']\n    url = s3://b/dvc\n", False),  # which no stage reads
        ("params.yaml", "llm:\n  base_url: https://api.openai.com/v1\ndata:\n  source: lions\n", False),
    ],
)
def test_credentials_are_given_to_stages_that_read_from_a_storage_only(name, content, passed, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    assert ("AWS_SECRET_ACCESS_KEY" in environment(tmp_path)) == passed
    assert ("AWS_ENDPOINT_URL" in environment(tmp_path)) == passed
    assert "AWS_SECRET_ACCESS_KEY" not in environment()
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "hunter2"
