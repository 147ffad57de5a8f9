"""The families of the catalogue: one entry per module of `metrics/catalogue`, in the order of docs and lists.

A family's description is the docstring of its module.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One module of the catalogue.

    title: its name for people. reads: what its metrics are computed from. about_labels: whether they may show wrong
    labels, so that an audit uses them.
    """

    title: str
    reads: str
    about_labels: bool = False


FAMILIES = {
    "header": Family("Size and compression of the file", "image header, file size"),
    "picture": Family("Light and colour", "pixels"),
    "detail": Family("Fine detail", "pixels"),
    "crop": Family("Objects in their boxes", "labels, pixels"),
    "fit": Family("Fit of the boxes", "labels, pixels", about_labels=True),
    "labels": Family("Contents of the image", "labels", about_labels=True),
    "geometry": Family("Geometry of the boxes", "labels", about_labels=True),
    "integrity": Family("Contradictory labels", "labels", about_labels=True),
    "agreement": Family("Agreement with a model", "labels, predictions", about_labels=True),
    "objectlab": Family("ObjectLab", "labels, predictions", about_labels=True),
    "mistakenness": Family("FiftyOne's mistakenness and variants", "labels, predictions", about_labels=True),
    "matching": Family("One-to-one matching with a model", "labels, predictions", about_labels=True),
    "uncertainty": Family("Uncertainty of a model", "predictions"),
    "consistency": Family("Consistency of a model", "predictions, views"),
    "embedding": Family("Similarity of embeddings", "embeddings"),
    "duplicates": Family("Duplicates", "files, embeddings"),
    "control": Family("Control", "nothing"),
}


def place_of(family: str) -> tuple[int, str]:
    """Sort key of a family by its module's name: the order of the table, then unknown ones by name."""
    return (list(FAMILIES).index(family) if family in FAMILIES else len(FAMILIES), family)
