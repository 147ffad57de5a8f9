"""Inputs that once failed, or that are near those that did: each is answered or refused, in seconds.

tests/data/fuzz_corpus/FORMAT/FILE/WHAT holds the content that takes the place of the set's FILE ("/" written as ","),
and fuzz_corpus/pictures holds pictures. `make fuzz` looks for more.
"""

from contextlib import suppress
from pathlib import Path

import pytest
from fuzz_sets import FORMATS, answered, make_set
from soon import soon  # noqa: F401

from metricloop.data.pictures import PictureError, inspect, picture_facts

pytestmark = pytest.mark.usefixtures("soon")
CORPUS = Path(__file__).parent / "fuzz_corpus"
KEPT = sorted(path for name in FORMATS for path in (CORPUS / name).rglob("*") if path.is_file())
PICTURES = sorted((CORPUS / "pictures").iterdir())


def told(path):
    return path.relative_to(CORPUS).as_posix()


@pytest.mark.parametrize("path", KEPT, ids=told)
def test_a_kept_label_file_is_answered(path, tmp_path):
    name, file, _ = path.relative_to(CORPUS).parts
    root = tmp_path / "set"
    files = make_set(name, root)
    changed = root / file.replace(",", "/")
    assert changed in files, f"a set of {name} has the label files {[str(own.relative_to(root)) for own in files]}"
    changed.write_bytes(path.read_bytes())
    answered(root)


@pytest.mark.parametrize("path", PICTURES, ids=told)
def test_a_kept_picture_is_answered(path):
    for look in (lambda: inspect(path.read_bytes()), lambda: picture_facts(path)):
        with suppress(PictureError):
            look()


def test_every_format_has_a_corpus():
    assert {path.relative_to(CORPUS).parts[0] for path in KEPT} == set(FORMATS)
    assert PICTURES
