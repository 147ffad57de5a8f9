"""A workspace at an address on two machines: who goes on with what, and that nothing is lost."""

from __future__ import annotations

import pytest
from stored import make_stored, sh

from metricloop.study.fetched import fetch_workspace, is_address, key_of, place_of
from metricloop.study.remote import push, set_remote
from metricloop.study.storage_commands import RemoteError


@pytest.fixture
def address(tmp_path):
    folder = make_stored(tmp_path / "laptop/lions")
    set_remote(folder, str(tmp_path / "store/lions"))
    push(folder)
    return f"file://{tmp_path}/store/lions"


@pytest.mark.parametrize(
    ("workspace", "yes"),
    [("s3://b/lions", True), ("git@host:lions.git", True), ("ssh://git@host/lions", True),
     (".", False), ("/data/lions", False), ("C3_lions", False)],
)  # fmt: skip
def test_which_workspaces_lie_elsewhere(workspace, yes):
    assert is_address(workspace) is yes


def test_two_addresses_with_the_same_last_word_get_two_folders():
    assert key_of("s3://a/lions") != key_of("s3://b/lions")
    assert key_of("git@host:me/lions.git").startswith("lions-")


def test_two_machines_take_turns_and_nothing_is_lost(address, tmp_path, monkeypatch):
    def on(machine: str):
        monkeypatch.setenv("METRICLOOP_WORKSPACES", str(tmp_path / machine))
        return fetch_workspace(address)

    first, said = on("first")
    assert said == f"{address}: fetched to {first}"
    assert (first / "models/m").read_bytes() == (first / "params.yaml").read_bytes()
    (first / "journal.jsonl").write_text("first\nof the first machine\n")
    assert on("first")[1] == f"{address}: goes on in {first}"  # killed here, and started again here
    assert (first / "journal.jsonl").read_text() == "first\nof the first machine\n"
    push(first)  # in the middle of a run; then the machine dies
    second, _ = on("second")
    assert (second / "journal.jsonl").read_text() == "first\nof the first machine\n"
    assert sh(second, "git", "log", "--format=%s", "-1").startswith("the copy elsewhere")  # not committed yet
    (second / "journal.jsonl").write_text("first\nof the first machine\nof the second\n")
    sh(second, "git", "commit", "-qam", "finished")
    push(second)
    (first / "journal.jsonl").write_text("first\nof the first machine\nnever pushed\n")
    back, said = on("first")
    assert back == first == place_of(address)
    assert "another machine has gone on; what was here is kept as the branch left-" in said
    assert (first / "journal.jsonl").read_text().endswith("of the second\n")
    left = said.partition("the branch ")[2].partition(",")[0]
    assert sh(first, "git", "show", f"{left}:journal.jsonl").endswith("never pushed")
    assert on("first")[1] == f"{address}: goes on in {first}"


def test_commits_that_could_not_be_pushed_go_on(address, tmp_path, monkeypatch):
    monkeypatch.setenv("METRICLOOP_WORKSPACES", str(tmp_path / "worker"))
    folder, _ = fetch_workspace(address)
    sh(folder, "git", "commit", "-q", "--allow-empty", "-m", "not pushed")
    assert fetch_workspace(address)[1] == f"{address}: goes on in {folder}"
    assert sh(folder, "git", "log", "--format=%s", "-1") == "not pushed"


def test_what_is_no_workspace_or_not_there_is_said_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setenv("METRICLOOP_WORKSPACES", str(tmp_path / "worker"))
    with pytest.raises(RemoteError, match=r"^the workspace file:///.*nothing cannot be fetched: .*does not appear"):
        fetch_workspace(f"file://{tmp_path}/nothing")
    with pytest.raises(RemoteError, match="no password in the address of a workspace") as told:
        fetch_workspace("https://me:secret@host/lions.git")
    assert "secret" not in str(told.value)


def test_a_repository_without_a_remote_of_dvc_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("METRICLOOP_WORKSPACES", str(tmp_path / "worker"))
    folder = make_stored(tmp_path / "lions")
    with pytest.raises(RemoteError, match="names no place for what stages make"):
        fetch_workspace(f"file://{folder}")
    assert list((tmp_path / "worker").iterdir()) == []


def test_a_fetch_that_was_interrupted_is_made_whole(address, tmp_path, monkeypatch):
    monkeypatch.setenv("METRICLOOP_WORKSPACES", str(tmp_path / "worker"))
    folder, _ = fetch_workspace(address)
    (folder / "models/m").unlink()
    (folder / ".metricloop/unfetched").touch()
    fetch_workspace(address)
    assert (folder / "models/m").is_file()
    assert not (folder / ".metricloop/unfetched").exists()


def test_why_dvc_brings_nothing_is_said(address, tmp_path, monkeypatch):
    """DVC with --quiet says no reason."""
    monkeypatch.setenv("METRICLOOP_WORKSPACES", str(tmp_path / "worker"))
    sh(tmp_path, "git", "clone", "-q", address, "elsewhere")
    (tmp_path / "elsewhere/dvc.yaml").write_text("stages: [no, stages]\n")
    sh(tmp_path / "elsewhere", "git", "add", "dvc.yaml")
    sh(tmp_path / "elsewhere", "git", "commit", "-qm", "damaged")
    sh(tmp_path / "elsewhere", "git", "push", "-q")
    with pytest.raises(RemoteError, match=r"cannot be fetched: .*dvc\.yaml"):
        fetch_workspace(address)
