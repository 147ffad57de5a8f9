"""What is said of a data set that is typed wrongly, is of two formats, or whose pictures are not found."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from coco_set import coco, write
from packed_set import pack

from metricloop.cli.data_place import place_of
from metricloop.cli.data_questions import OpenQuestionError, look
from metricloop.cli.main import main
from metricloop.data.formats import SourceError
from metricloop.study.commits import WorkspaceError
from metricloop.study.new_study import NewStudy

XML = (
    "<annotation><filename>{name}.jpg</filename><object><name>apple</name><bndbox><xmin>3</xmin><ymin>3</ymin>"
    "<xmax>20</xmax><ymax>20</ymax></bndbox></object></annotation>"
)
STRAY = "names: [apple]\ntrain: ./train.txt\nval: valid.txt\npath: 'C:\\Users\\me\\train'\n"


def label(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.xml").write_text(XML.format(name=name))


def picture(folder, name, seed, suffix="jpg"):
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{name}.{suffix}"), np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8))


def voc(folder, numbers=range(4)):
    for number in numbers:
        label(folder, f"a{number}")
        picture(folder, f"a{number}", number)


def study_of(data, images=None, form="auto"):
    return NewStudy(name="s", **place_of(str(data), None, images and str(images), form)._asdict())


def test_a_folder_that_is_typed_wrongly_is_guessed(tmp_path):
    voc(tmp_path / "fruit/train")
    with pytest.raises(
        WorkspaceError, match=rf"--data: {tmp_path}/frut does not exist; did you mean {tmp_path}/fruit\?"
    ):
        place_of(str(tmp_path / "frut"), None, None)
    with pytest.raises(WorkspaceError, match=rf"did you mean {tmp_path}/fruit\?"):
        place_of(str(tmp_path / "Fruits/train"), None, None)
    with pytest.raises(WorkspaceError, match="does not exist; give the folder or annotation file"):
        place_of(str(tmp_path / "other"), None, None)


@pytest.mark.parametrize("name", ["a1.jpg", "a1.xml"])
def test_one_file_of_a_data_set_leads_to_its_folder(name, tmp_path):
    voc(tmp_path / "fruit")
    with pytest.raises(
        WorkspaceError, match=rf"a1\.\w+ is one file of voc data; give its folder: --data {tmp_path}/fruit$"
    ):
        place_of(str(tmp_path / "fruit" / name), None, None)


@pytest.mark.parametrize("packed", [True, False])
def test_a_data_set_one_folder_further_down_is_named(packed, tmp_path):
    folder = tmp_path / "download/lions"
    picture(folder / "images", "a", 0)
    (folder / "labels").mkdir()
    (folder / "labels/a.txt").write_text("0 0.5 0.5 0.3 0.4\n")
    (folder / "data.yaml").write_text("names: [lion]\ntrain: images\n")
    place = pack(folder.parent, tmp_path / "lions.zip") if packed else folder.parent
    with pytest.raises(WorkspaceError, match=rf"folder lions, which is yolo data; give that: --data {place}/lions$"):
        place_of(str(place), None, None)
    assert place_of(f"{place}/lions", None, None) == (f"{place}/lions", f"{place}/lions", "yolo")


def test_a_picture_without_labels_is_told_in_a_line(tmp_path):
    picture(tmp_path / "lone", "a", 0)
    with pytest.raises(WorkspaceError, match="is a picture; give the folder or file of the labels"):
        place_of(str(tmp_path / "lone/a.jpg"), None, None)


def test_a_yaml_that_finds_nothing_gives_way_to_another_format_unless_it_was_asked_for(tmp_path, capsys):
    voc(tmp_path)
    (tmp_path / "custom.yaml").write_text(STRAY)
    study = study_of(tmp_path)
    assert study.format == "yolo"
    looked = look(study, yes=False, auto=True)
    assert (looked.study.format, len(looked.source.records)) == ("voc", 4)
    told = capsys.readouterr().out
    assert "custom.yaml: no picture found in any of its splits; it is voc, too, so it is read as that" in told
    with pytest.raises(SourceError, match=r"custom\.yaml: no picture found .*It is voc, too: --format voc"):
        look(study, yes=False)
    for file in tmp_path.glob("*.xml"):
        file.unlink()
    with pytest.raises(SourceError, match="no picture found in any of its splits"):
        look(study, yes=False, auto=True)


def test_pictures_that_are_missing_are_named_with_the_reason(tmp_path):
    voc(tmp_path / "set", range(2))
    for name in ("b0", "b1"):
        label(tmp_path / "set/label", name)
    with pytest.raises(OpenQuestionError) as error:
        look(study_of(tmp_path / "set"), yes=False)
    assert str(error.value).startswith(
        f"2 of 4 labelled pictures are not found below {tmp_path}/set,\n"
        "the first is b0.jpg, which label/b0.xml names (no picture of this name is there):\nAdd one of these:\n"
    )


def test_links_that_lead_out_are_told_with_the_option_that_follows_them(tmp_path):
    voc(tmp_path / "pictures of mine", range(3))
    for number in range(3):
        label(tmp_path / "set/Annotations", f"a{number}")
        (tmp_path / "set/JPEGImages").mkdir(exist_ok=True)
        link = tmp_path / f"set/JPEGImages/a{number}.jpg"
        link.symlink_to(tmp_path / f"pictures of mine/a{number}.jpg")
    with pytest.raises(OpenQuestionError) as error:
        look(study_of(tmp_path / "set"), yes=False)
    home = tmp_path / "pictures of mine"
    assert str(error.value).splitlines()[1:] == [
        "the first is a0.jpg, which Annotations/a0.xml names (JPEGImages/a0.jpg is a link that leads out of the data "
        f"set, to {home}; it is not followed):",
        "Add one of these:",
        f"  --set 'data.outside=[\"{home}\"]'  follow links there, if you trust this data set",
    ]
    study = replace(study_of(tmp_path / "set"), changes=(f'data.outside=["{home}"]',))
    assert len(look(study, yes=False).source.records) == 3


def test_names_that_lead_out_are_told_with_the_folder_where_they_end(tmp_path):
    for number in range(3):
        picture(tmp_path / "photos", f"a{number}", number)
    file = write(tmp_path / "labels/all.json", coco([f"../photos/a{number}.jpg" for number in range(3)]))
    (tmp_path / "out").mkdir()
    file = file.rename(tmp_path / "out/all.json")
    with pytest.raises(OpenQuestionError) as error:
        look(study_of(file), yes=False)
    assert f"a0.jpg (its name leads out of the data set, to {tmp_path}/photos):" in str(error.value)
    assert f"  --images {tmp_path}/photos" in str(error.value)
    assert len(look(study_of(file, images=tmp_path / "photos"), yes=False).source.records) == 3


def test_images_decides_between_pictures_of_one_name(tmp_path):
    for number in range(2):
        label(tmp_path / "set/labels/all", f"b{number}")
        for folder in ("one", "two"):
            picture(tmp_path / "set" / folder, f"b{number}", number)
    with pytest.raises(OpenQuestionError) as error:
        look(study_of(tmp_path / "set"), yes=False)
    assert "b0.jpg, which labels/all/b0.xml names (it may be one/b0.jpg or two/b0.jpg)" in str(error.value)
    assert "--images DIR  the folder that holds them, and no others of the same names" in str(error.value)
    found = look(study_of(tmp_path / "set", images=tmp_path / "set/two"), yes=False).source
    assert [record.file.parent.name for record in found.records] == ["two", "two"]


def test_copies_in_another_folder_do_not_take_pictures_from_their_labels(tmp_path):
    """set/train/label with set/train/image, beside set/zip with the same names: the nearer pictures are meant."""
    voc(tmp_path / "set/zip")
    for number in range(4):
        label(tmp_path / "set/train/label", f"a{number}")
        picture(tmp_path / "set/train/image", f"a{number}", number, "jpeg")
    found = look(study_of(tmp_path / "set"), yes=False).source
    assert sorted(f"{r.file.parent.name}/{r.file.name}" for r in found.records) == [
        *(f"image/a{number}.jpeg" for number in range(4)), *(f"zip/a{number}.jpg" for number in range(4)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--budget", "25"], "study.budget: it is a share, 0 to 1, found 25; did you mean 0.25, for 25%?"),
        (
            ["--weights", "default"],
            "train.weights: default does not exist for fcos_shufflenet; give drawn, none or a path",
        ),
        (["--weights", "{set}/a1.jpg"], "init: train.weights: {set}/a1.jpg is no file of weights, as torch.save"),
        (["--set", "train.weights={set}/a1.jpg"], "init: train.weights: {set}/a1.jpg is no file of weights"),
        (["--set", "train.weights=gone.pth"], "/ws/gone.pth does not exist; give a word or the path of a file"),
    ],
)
def test_a_value_that_cannot_be_is_told_in_a_line(more, told, tmp_path, capsys):
    voc(tmp_path / "set")
    words = [word.format(set=tmp_path / "set") for word in more]
    assert main(["init", str(tmp_path / "ws"), "--data", str(tmp_path / "set"), *words]) == 1
    err = capsys.readouterr().err
    assert told.format(set=tmp_path / "set") in err
    assert len(err.splitlines()) <= 2
    assert "Value error" not in err
    assert "'detector'" not in err
    assert not (tmp_path / "ws").exists()
