"""A take-home assignment: the text that the model reads, the data that it gets, and the truth that it never sees."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from metricloop.config import Section

FILE = "ASSIGNMENT.md"
DATA = "data"
TRUTH = "truth"
HELD_OUT = "held_out.csv"  # labelled items that were kept from the model
UNSEEN = "unseen.csv"  # the labels of the unseen items
PICTURES = (".png", ".jpg", ".jpeg")
PAGES = (".html", ".htm")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,40}$")]
Label = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^\S(.*\S)?$")]
Place = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9]+)?$")
]  # directly below the data folder


class AssignmentError(ValueError):
    """An assignment cannot be used; the message names the file and what to do."""


class Front(Section):
    """The front matter of ASSIGNMENT.md, between two lines of three dashes.

    train: a file of labelled items; unseen: the folder with the items to predict. minutes: for training.
    """

    name: Name
    kind: Literal["text", "image"]
    labels: Annotated[tuple[Label, ...], Field(min_length=2, max_length=50)]
    train: Place = "train.csv"
    unseen: Place
    minutes: Annotated[float, Field(gt=0, le=120)] = 5

    @field_validator("labels")
    @classmethod
    def _no_label_twice(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) < len(labels):
            raise ValueError("a label is there twice")
        return labels


@dataclass(frozen=True)
class Assignment:
    """An assignment in a folder. text: what the model reads. truth: (item, label) rows, [] where none are known.

    held_out: of a text assignment, (text, label); of an image assignment, (file name, label). unseen_texts: the text of
    each unseen item, where it is known.
    """

    front: Front
    text: str
    folder: Path
    held_out: tuple[tuple[str, str], ...]
    unseen: tuple[tuple[str, str], ...]
    unseen_texts: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.folder / DATA

    @property
    def item(self) -> str:
        """The column that holds an item: text or file."""
        return "text" if self.front.kind == "text" else "file"

    @property
    def train(self) -> list[tuple[str, str]]:
        """The labelled items of the model, as (item, label)."""
        return read_labelled(self.data / self.front.train, self.item, self.front.labels)

    @property
    def unseen_files(self) -> list[Path]:
        """The saved pages, or the pictures, that hold the unseen items."""
        return files_of(self.data / self.front.unseen, self.front.kind)


def read_assignment(folder: Path) -> Assignment:
    """Read and check FOLDER/ASSIGNMENT.md, FOLDER/data and FOLDER/truth. Errors: AssignmentError."""
    front, text = read_front(folder / FILE)
    item = "text" if front.kind == "text" else "file"
    read_labelled(folder / DATA / front.train, item, front.labels)
    files_of(folder / DATA / front.unseen, front.kind)
    held_out, unseen = folder / TRUTH / HELD_OUT, folder / TRUTH / UNSEEN
    return Assignment(
        front, text, folder,
        tuple(read_labelled(held_out, item, front.labels)) if held_out.is_file() else (),
        tuple(read_labelled(unseen, "item", front.labels)) if unseen.is_file() else (),
        read_texts(unseen) if unseen.is_file() else {},
    )  # fmt: skip


def read_front(path: Path) -> tuple[Front, str]:
    """The front matter and the text of an assignment. Errors: AssignmentError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise AssignmentError(f"{path} does not exist; write the assignment there (docs/takehome.md)") from None
    except UnicodeDecodeError:
        raise AssignmentError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    opening, _, rest = text.partition("---\n")
    head, closing, body = rest.partition("\n---\n")
    if opening.strip() or not closing:
        raise AssignmentError(f"{path} has no front matter: begin it with ---, name, kind, labels, train, unseen, ---")
    try:
        return Front.model_validate(yaml.safe_load(head)), body.strip()
    except yaml.YAMLError as error:
        raise AssignmentError(f"{path}: the front matter is not YAML: {error}") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise AssignmentError(f"{path}: {faults}") from None


def read_labelled(path: Path, item: str, labels: tuple[str, ...]) -> list[tuple[str, str]]:
    """The rows of a CSV file with the columns `item` and label. Errors: AssignmentError naming the first bad row."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except FileNotFoundError:
        raise AssignmentError(f"{path} does not exist; give a CSV file with the columns {item},label") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise AssignmentError(f"{path} cannot be read as CSV in UTF-8: {error}") from None
    found = []
    for number, row in enumerate(rows, start=2):
        text, label = row.get(item), row.get("label")
        if text is None or label is None:
            raise AssignmentError(f"{path}, line {number}: no {item} or no label; the columns are {item},label")
        if label not in labels:
            raise AssignmentError(f"{path}, line {number}: label {label!r} is not one of {', '.join(labels)}")
        found.append((text, label))
    if not found:
        raise AssignmentError(f"{path} has no rows")
    return found


def read_texts(path: Path) -> dict[str, str]:
    """Item -> text, from a CSV file that may have a column text."""
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    return {row["item"]: row["text"] for row in rows if row.get("text")}


def files_of(folder: Path, kind: str) -> list[Path]:
    """The pages or pictures in a folder, by name. Errors: AssignmentError when there is none."""
    wanted = PAGES if kind == "text" else PICTURES
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in wanted) if folder.is_dir() else []
    if not found:
        raise AssignmentError(f"{folder} holds no file of the kind {', '.join(wanted)}; put the unseen items there")
    return found
