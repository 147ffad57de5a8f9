"""When a run pushes, and which workspaces need no server to be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from metricloop.flows import elsewhere
from metricloop.study.storage_commands import RemoteError


@pytest.mark.parametrize(
    ("since", "took", "address", "pushes"),
    [
        (59.0, 6.0, "s3://bucket/lions", 0),
        (60.0, 6.0, "s3://bucket/lions", 1),  # ten times as long ago as it took: a tenth of the time at most
        (1e6, 6.0, "", 0),
    ],
)
def test_a_run_pushes_for_a_tenth_of_its_time_at_most(since, took, address, pushes, monkeypatch, tmp_path):
    done = []
    monkeypatch.setattr(elsewhere, "_last", {tmp_path: (1000.0, took)})
    monkeypatch.setattr(elsewhere, "push", done.append)
    monkeypatch.setattr(elsewhere, "address_of", lambda folder: address)
    monkeypatch.setattr(elsewhere.time, "monotonic", lambda: 1000.0 + since)
    elsewhere.push_meanwhile(tmp_path)
    assert len(done) == pushes


def test_a_folder_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with elsewhere.workspace_of("lions") as folder:
        assert folder == Path(tmp_path, "lions")


def test_a_deployment_without_a_workspace_says_which_parameter_is_missing():
    with (
        pytest.raises(RemoteError, match="which workspace\\? Give its address: --param workspace=s3://BUCKET/NAME"),
        elsewhere.workspace_of(""),
    ):
        pass
