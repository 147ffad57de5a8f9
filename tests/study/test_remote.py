"""The study's copy elsewhere: what is pushed where, and what an outage costs."""

from __future__ import annotations

import shutil
import socket
import time

import pytest
from stored import make_stored, sh
from tiny_study import dvc

from metricloop.study.remote import (
    address_of,
    check_address,
    left_to_push,
    push,
    pushed,
    set_remote,
    snapshot,
)
from metricloop.study.storage_commands import RemoteError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_stored(tmp_path_factory.mktemp("stored") / "lions")


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "lions", symlinks=True)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://me:secret@bucket/lions", "s3://bucket/lions: no user or password"),
        ("s3://bucket", "name a folder in the bucket, such as s3://bucket/lions"),
        ("s3://bucket/", "name a folder in the bucket, such as s3://bucket/lions"),
        ("ftp://host/lions", "lies in a folder or at s3://, gs://, azure://, ssh://"),
        ("gs://bucket/lions", "pip install 'dvc[gs]'"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(address, said):
    with pytest.raises(RemoteError, match=r"lions|bucket") as told:
        check_address(address)
    assert said in str(told.value)
    assert "secret" not in str(told.value)


def test_git_and_dvc_bring_the_whole_study_from_one_address(folder, tmp_path):
    store = tmp_path / "store"
    assert set_remote(folder, f"file://{store}") == str(store) == address_of(folder)
    assert sh(folder, "git", "show", "--name-only", "--format=", "HEAD") == ".dvc/config"
    assert push(folder) == f"{store}: 1 files pushed"
    assert push(folder) == f"{store}: has all files"
    sh(tmp_path, "git", "clone", "-q", f"file://{store}", "copy")
    dvc(tmp_path / "copy", "pull")
    assert (tmp_path / "copy/models/m").read_bytes() == (folder / "params.yaml").read_bytes()
    assert sh(tmp_path / "copy", "git", "log", "--format=%H") == sh(folder, "git", "log", "--format=%H")


def test_a_run_in_progress_lies_beside_the_last_commit_and_goes_when_it_is_committed(folder, tmp_path):
    store = tmp_path / "store"
    set_remote(folder, str(store))
    (folder / "journal.jsonl").write_text("first\nsecond\n")
    (folder / "arms.yaml").write_text("arms: {}\n")  # new, and git does not know it yet
    before = sh(folder, "git", "status", "--short")
    push(folder)
    assert sh(folder, "git", "status", "--short") == before
    assert sh(store, "git", "show", "main:journal.jsonl") == "first"
    assert sh(store, "git", "show", "unfinished:journal.jsonl") == "first\nsecond"
    assert sh(store, "git", "show", "unfinished:arms.yaml") == "arms: {}"
    assert sh(store, "git", "rev-parse", "unfinished^") == sh(store, "git", "rev-parse", "main")
    sh(folder, "git", "add", "--all")
    sh(folder, "git", "commit", "-qm", "second")
    assert not snapshot(folder)
    push(folder)
    assert sh(store, "git", "show", "main:journal.jsonl") == "first\nsecond"


def test_a_storage_that_is_away_costs_one_line_and_is_caught_up_later(folder, tmp_path, monkeypatch):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://me:secret@127.0.0.1:{nobody.getsockname()[1]}"
    pytest.importorskip("dvc_s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    sh(folder, "git", "config", "user.name", "x")
    set_remote(folder, "s3://bucket/lions")
    began = time.monotonic()
    said = pushed(folder)
    assert time.monotonic() - began < 3.5
    assert said.startswith("s3://bucket/lions was left out: nobody answers at http://127.0.0.1:")
    assert said.endswith(f"; catch up later: metricloop push -C {folder}")
    assert "secret" not in said
    assert left_to_push(folder)
    set_remote(folder, str(tmp_path / "store"))
    assert pushed(folder).endswith("1 files pushed")
    assert not left_to_push(folder)


def test_commits_of_others_are_never_overwritten(folder, tmp_path):
    store = tmp_path / "store"
    set_remote(folder, str(store))
    push(folder)
    sh(tmp_path, "git", "clone", "-q", str(store), "other")
    sh(tmp_path / "other", "git", "commit", "-q", "--allow-empty", "-m", "theirs")
    sh(tmp_path / "other", "git", "push", "-q")
    sh(folder, "git", "commit", "-q", "--allow-empty", "-m", "ours")
    with pytest.raises(RemoteError, match="has commits that are not here; fetch them first: git pull"):
        push(folder)
    assert sh(store, "git", "log", "-1", "--format=%s", "main") == "theirs"


def test_a_study_without_a_remote_pushes_nothing_and_says_how(folder):
    assert pushed(folder) == ""
    with pytest.raises(RemoteError, match=r"has no copy elsewhere; say where: metricloop push -C .* --remote s3://"):
        push(folder)
