"""`metricloop init --data FILE` reads that file, and --import copies the pictures that it names."""

import pytest
import yaml
from coco_set import coco, noise, write
from packed_set import pack

from metricloop.cli.main import main
from metricloop.data.formats import read


def data_section(folder) -> dict:
    return yaml.safe_load((folder / "params.yaml").read_text())["data"]


@pytest.fixture
def yolo(tmp_path):
    root = tmp_path / "set"
    for number, name in enumerate("abcd"):
        noise(root / f"images/{name}.jpg", number)
        (root / f"labels/{name}.txt").parent.mkdir(exist_ok=True)
        (root / f"labels/{name}.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    (root / "data.yaml").write_text("train: images\nval: images\nnames: [cat, dog]\n")
    (root / "other.yaml").write_text("train: images\nval: images\nnames: [lynx, lion]\n")
    return root


def test_another_yaml_file_is_read_and_not_the_usual_one(yolo, tmp_path):
    assert main(["init", str(tmp_path / "ws"), "--data", str(yolo / "other.yaml")]) == 0
    data = data_section(tmp_path / "ws")
    assert (data["source"], data["root"], data["format"]) == (str(yolo / "other.yaml"), str(yolo), "yolo")
    assert read(data["source"], data["format"]).class_names == ("lynx", "lion")
    watched = yaml.safe_load((tmp_path / "ws/fingerprint.yaml").read_text())
    assert watched["files"] == 10  # labels and pictures too


def test_import_copies_the_pictures_beside_the_folder_of_an_annotation_file(tmp_path):
    for number, name in enumerate("abc"):
        noise(tmp_path / f"set/train2017/{name}.jpg", number)
    file = write(tmp_path / "set/annotations/instances_train2017.json", coco(["a.jpg", "b.jpg", "c.jpg"]))
    assert main(["init", str(tmp_path / "ws"), "--import", "--data", str(file)]) == 0
    data = data_section(tmp_path / "ws")
    assert (data["source"], data["root"]) == (f"source/annotations/{file.name}", "source")
    (tmp_path / "set").rename(tmp_path / "moved")
    records = read(tmp_path / "ws" / data["source"], root=tmp_path / "ws" / data["root"]).records
    assert [record.file for record in records] == [tmp_path / f"ws/source/train2017/{name}.jpg" for name in "abc"]
    assert (tmp_path / "ws/source.dvc").is_file()


def test_a_workspace_may_lie_beside_a_label_file_but_not_among_pictures(tmp_path, capsys):
    for number, name in enumerate("abcd"):
        noise(tmp_path / f"set/data/photos/{name}.jpg", number)
    file = write(tmp_path / "set/labels.json", coco([f"data/photos/{name}.jpg" for name in "abcd"]))
    assert main(["init", str(tmp_path / "set/data/photos/ws"), "--data", str(file)]) == 1
    assert f"lies inside the data set ({tmp_path}/set/data/photos)" in capsys.readouterr().err
    assert main(["init", str(tmp_path / "set/ws"), "--data", str(file)]) == 0
    assert yaml.safe_load((tmp_path / "set/ws/fingerprint.yaml").read_text())["files"] == 5  # and not its own files
    assert main(["init", str(tmp_path / "set/second"), "--data", str(tmp_path / "set")]) == 1
    assert f"lies inside the data set ({tmp_path}/set)" in capsys.readouterr().err
    assert main(["init", str(tmp_path / "set/third"), "--import", "--data", str(file)]) == 1
    assert f"lies inside the data set ({tmp_path}/set)" in capsys.readouterr().err


def test_import_copies_a_tar_that_is_the_data_set(tmp_path):
    for number, name in enumerate("abc"):
        noise(tmp_path / f"set/images/{name}.jpg", number)
    write(tmp_path / "set/labels.json", coco(["a.jpg", "b.jpg", "c.jpg"]))
    tar = pack(tmp_path / "set", tmp_path / "lions.tar")
    assert main(["init", str(tmp_path / "ws"), "--import", "--data", str(tar)]) == 0
    data = data_section(tmp_path / "ws")
    assert (data["source"], data["root"]) == ("source/lions.tar", "source/lions.tar")
    records = read(tmp_path / "ws" / data["source"], root=tmp_path / "ws" / data["root"]).records
    assert [record.file for record in records] == [
        tmp_path / f"ws/source/lions.tar/images/{name}.jpg" for name in "abc"
    ]
    assert (tmp_path / "ws/source.dvc").is_file()
