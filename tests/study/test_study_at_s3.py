"""A study of pictures in a bucket gives the tables of the same study of a folder, whatever happens to the server."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from damaging import digests
from lively_s3 import KEYS, lively_s3
from tiny_study import ARMS, CHANGES, metricloop

from metricloop import layout
from metricloop.drawing.scenes import draw_scenes

pytestmark = pytest.mark.scale

TABLES = ("data", "scores", "subsets", "results", "comparison.json", "confirmation.json", "finalists.json", "numbers")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pytest.importorskip("moto")
    with pytest.MonkeyPatch.context() as patch, lively_s3() as running:
        patch.setenv("METRICLOOP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield running


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    draw_scenes(folder, 36, 0, 64)
    return folder


def made(folder: Path, source: str) -> str:
    """Make the tiny study of a data set; returns what `init` said."""
    changes = [change for change in CHANGES if not change.startswith("scenes.")]
    done = metricloop("init", str(folder), "--data", source, "--name", "tiny", "--yes", "--set", *changes)
    assert done.returncode == 0, done.stderr
    (folder / "arms.yaml").write_text(ARMS)
    subprocess.run(["git", "commit", "-qam", "tiny"], cwd=folder, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def studies(server, pictures, tmp_path_factory):
    """The study of the folder; and that of the bucket, whose server is busy now and then, and away for a while."""
    near, far = tmp_path_factory.mktemp("near") / "tiny", tmp_path_factory.mktemp("far") / "tiny"
    url = server.fill(pictures, "animals", "pandas")
    server.busy_every = 7
    told = {"far": made(far, url), "near": made(near, str(pictures))}

    def pictures_asked() -> int:
        return sum(number for path, number in list(server.asked.items()) if path.endswith(".jpg"))

    before, over = pictures_asked(), threading.Event()

    def restart() -> None:
        """Once the run fetches pictures; a server that is away when a run begins is an error at once."""
        while pictures_asked() == before:
            if over.wait(0.02):
                return
        server.stop()
        time.sleep(3)
        server.start()

    os.environ["METRICLOOP_CACHE"] += "-of-another-node"  # so that the run fetches again
    restarting = threading.Thread(target=restart)
    restarting.start()
    runs = {"far": metricloop("run", "-C", str(far))}
    over.set()
    restarting.join()
    assert pictures_asked() > before
    runs["near"] = metricloop("run", "-C", str(near))
    for run in runs.values():
        assert run.returncode == 0, run.stdout + run.stderr
    return near, far, url, told


def test_the_tables_are_equal_to_the_last_byte(studies):
    near, far, _, _ = studies
    ours, theirs = digests(near, *TABLES), digests(far, *TABLES)
    assert len(ours) > 15
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_init_tells_the_same_of_both(studies):
    near, far, url, told = studies
    ours, theirs = (told[name].partition(" ...\n")[2] for name in ("near", "far"))
    assert told["far"].startswith(f"reading {url} ...\n")
    assert theirs.replace(str(far), str(near)) == ours


def test_no_key_is_written_down(studies):
    _, far, _, _ = studies
    keys = [KEYS[name].encode() for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")]
    files = [path for path in far.rglob("*") if path.is_file()]
    assert [path for path in files if any(key in path.read_bytes() for key in keys)] == []


def test_pictures_are_copied_into_an_export(studies, server, tmp_path):
    _, far, _, _ = studies
    done = metricloop("export", "random", str(tmp_path / "out"), "-C", str(far))
    assert done.returncode == 0, done.stderr
    copies = list((tmp_path / "out").rglob("*.jpg"))
    assert copies
    assert not any(path.is_symlink() for path in copies)


def test_a_deleted_picture_is_noticed_and_told(studies, server):
    _, far, _, _ = studies
    assert "all " in metricloop("status", "-C", str(far)).stdout
    key = next(key for key in server.asked if key.endswith("00003.jpg"))
    body = server.client().get_object(Bucket="animals", Key=key)["Body"].read()
    server.client().delete_object(Bucket="animals", Key=key)
    (far / layout.LISTED).unlink()  # as if it were old
    said = metricloop("status", "-C", str(far)).stdout
    server.client().put_object(Bucket="animals", Key=key, Body=body)
    assert "data changed: 37 files" in said
    assert "36 files" in said


def test_results_stay_while_the_server_is_away(studies, server):
    _, far, url, _ = studies
    server.stop()
    try:
        began = time.monotonic()
        status, table = (metricloop(name, "-C", str(far)) for name in ("status", "compare"))
        assert time.monotonic() - began < 60
    finally:
        server.start()
    assert status.returncode == table.returncode == 0
    (line,) = [line for line in status.stdout.splitlines() if "cannot be read" in line]
    assert line.startswith(f"the data set cannot be read: {url}: the server does not answer")
    assert "object_count" in table.stdout
