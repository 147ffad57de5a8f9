"""What happens where no format, or another one than named, is found."""

import pytest

from metricloop.data.formats import SourceError, read, recognise


def test_missing_source(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere does not exist; set data\.source"):
        recognise(tmp_path / "nowhere")


def test_error_says_what_was_looked_for_and_what_was_found(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "photos").mkdir()
    with pytest.raises(SourceError) as error:
        recognise(tmp_path)
    for word in ("meta.json", "names", "COCO JSON", "VOC XML", "Found notes.txt, photos/"):
        assert word in str(error.value)


def test_empty_folder_and_unknown_file(tmp_path):
    with pytest.raises(SourceError, match="an empty folder"):
        recognise(tmp_path)
    (tmp_path / "a.bin").write_bytes(bytes(10))
    with pytest.raises(SourceError, match="a file of 10 bytes"):
        recognise(tmp_path / "a.bin")


def test_named_format_must_fit(tmp_path):
    (tmp_path / "a.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(SourceError, match=r"is not voc .* looks like coco"):
        read(tmp_path / "a.json", format="voc")
