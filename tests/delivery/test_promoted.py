"""The versions under promoted/: written whole, counted up, and the champion among them."""

import json
import shutil

import pytest
from detector_fixture import add_promoted, make_detector

from metricloop.delivery import promoted
from metricloop.delivery.detector_folder import DetectorFolderError, read_facts
from metricloop.delivery.promoted import aliases, champion, detector_folder, make_champion, versions


def test_versions_count_up_and_the_newest_is_the_champion(tmp_path):
    assert [add_promoted(tmp_path, seed=k) for k in range(3)] == [1, 2, 3]
    assert versions(tmp_path) == [1, 2, 3]
    assert aliases(tmp_path) == {"champion": 3, "previous": 2}
    assert champion(tmp_path) == tmp_path / "promoted/3"
    assert [read_facts(tmp_path / f"promoted/{k}")["version"] for k in (1, 2, 3)] == ["1", "2", "3"]


def test_a_deleted_version_is_not_given_again(tmp_path):
    add_promoted(tmp_path)
    add_promoted(tmp_path)
    shutil.rmtree(tmp_path / "promoted/1")
    assert add_promoted(tmp_path) == 3


def test_an_older_version_can_be_the_champion_again(tmp_path):
    for seed in range(2):
        add_promoted(tmp_path, seed)
    make_champion(tmp_path, 1)
    assert aliases(tmp_path) == {"champion": 1, "previous": 2}
    make_champion(tmp_path, 1)
    assert aliases(tmp_path) == {"champion": 1, "previous": 2}


@pytest.mark.parametrize("spoil", ["aliases.json", "2"])
def test_without_the_record_or_the_folder_the_newest_is_the_champion(tmp_path, spoil):
    for seed in range(2):
        add_promoted(tmp_path, seed)
    path = tmp_path / "promoted" / spoil
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert aliases(tmp_path) == {"champion": 2 if spoil.endswith("json") else 1}


def test_a_version_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(promoted, "write_detector", full)
    with pytest.raises(OSError, match="No space"):
        add_promoted(tmp_path)
    assert [path.name for path in (tmp_path / "promoted").iterdir()] == [".gitignore"]


def test_what_people_name_as_a_detector(tmp_path):
    own = make_detector(tmp_path / "own")
    bundle = make_detector(tmp_path / "bundle/model")
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "params.yaml").write_text("")
    assert detector_folder(own) == own
    assert detector_folder(tmp_path / "bundle") == bundle
    with pytest.raises(DetectorFolderError, match=r"nothing was promoted in .*; do that first: metricloop promote -C"):
        detector_folder(workspace)
    add_promoted(workspace)
    assert detector_folder(workspace) == workspace / "promoted/1"
    with pytest.raises(DetectorFolderError, match="does not exist"):
        detector_folder(tmp_path / "nothing")
    with pytest.raises(DetectorFolderError, match="is no detector folder, no bundle and no workspace"):
        detector_folder(tmp_path)


def test_git_ignores_promoted_detectors(tmp_path):
    add_promoted(tmp_path)
    assert (tmp_path / "promoted/.gitignore").read_text() == "*\n"
    assert json.loads((tmp_path / "promoted/aliases.json").read_text()) == {"champion": 1}
