"""The families of metrics: those that ideas come from, and the modules of `metrics/catalogue`, each in one of them.

Both lists are in the order of docs and prompts. The description of a module is its docstring.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One module of the catalogue.

    title: its name for people. reads: what its metrics are computed from. idea: its entry of IDEA_FAMILIES, or None.
    about_labels: whether its metrics may show wrong labels, so that an audit uses them.
    """

    title: str
    reads: str
    idea: str | None
    about_labels: bool = False


@dataclass(frozen=True)
class IdeaFamily:
    """A family of ideas in the literature.

    about: what its ideas do or look for. here: how it can be adapted to a study. sources: where to read about it.
    """

    about: str
    here: str
    sources: str


IDEA_FAMILIES = {
    "agreement": IdeaFamily(
        "hold each label against what a model says that was not trained on it",
        "labels that no prediction supports, confident predictions without a label, boxes or classes that differ",
        "confident learning (Northcutt 2021), ObjectLab (Tkachenko 2023)",
    ),
    "loss_margin": IdeaFamily(
        "rank by how hard the model finds an example: small losses are trusted, a small margin is instructive",
        "a loss per box from its best prediction; the gap between the two best predictions of one object",
        "co-teaching (Han 2018), EL2N (Paul 2021), margin sampling (Settles 2009)",
    ),
    "training_dynamics": IdeaFamily(
        "examples that are learnt late, forgotten or ambiguous during training",
        "no checkpoints are given: the spread of the predictions around one object can stand in for them",
        "forgetting events (Toneva 2019), dataset cartography (Swayamdipta 2020), area under the margin (Pleiss 2020)",
    ),
    "consistency": IdeaFamily(
        "what stays the same when the view changes can be trusted; what changes is hard, or wrong",
        "labels and predictions of like images, of neighbours in a group, or of the parts of one image",
        "CALD (Yu 2022)",
    ),
    "geometry": IdeaFamily(
        "sizes, shapes, places and overlaps that boxes of a class usually have",
        "robust z scores of log area and aspect per class, nested or doubled boxes, boxes cut by the border",
        "robust outliers (Iglewicz and Hoaglin 1993), Datumaro's checks of annotations",
    ),
    "pixels": IdeaFamily(
        "what the picture itself says, without a model: light, blur, edges, contrast",
        "edges along the sides of a box, contrast of its inside and its surroundings, blur of the objects",
        "objectness (Alexe 2012), edge boxes (Zitnick 2014)",
    ),
    "embeddings": IdeaFamily(
        "distances in a space of features: outliers, typical examples, neighbours with other labels",
        "features that your code computes from labels or pixels, or the known metrics of this family",
        "deep k-NN (Bahri 2020), typicality (Hacohen 2022)",
    ),
    "diversity": IdeaFamily(
        "take images that differ from one another, and no near copies",
        'with scope "dataset": how much an image adds to those that rank before it',
        "core-sets (Sener 2018), SemDeDup (Abbas 2023)",
    ),
    "coverage": IdeaFamily(
        "every class, size, crowd and place is there as often as the detector needs it",
        "rare classes and sizes first, shares of the pool kept by strata, gaps filled where the errors are",
        "repeat factor sampling (Gupta 2019), ProbCover (Yehuda 2022)",
    ),
    "hard_negatives": IdeaFamily(
        "background that a detector takes for an object teaches what an object is not",
        "images whose confident predictions meet no label, as far as the label is not just missing; empty images",
        "online hard example mining (Shrivastava 2016), focal loss (Lin 2017)",
    ),
    "multi_objective": IdeaFamily(
        "weigh two aims that pull apart, such as clean labels and variety",
        "a product or an intersection with a partner, quality as a floor and variety above it, Pareto ranks",
        "NSGA-II (Deb 2002), PPAL (Yang 2024)",
    ),
}

FAMILIES = {
    "header": Family("Size and compression of the file", "image header, file size", "pixels"),
    "picture": Family("Light and colour", "pixels", "pixels"),
    "detail": Family("Fine detail", "pixels", "pixels"),
    "crop": Family("Objects in their boxes", "labels, pixels", "pixels"),
    "fit": Family("Fit of the boxes", "labels, pixels", "pixels", about_labels=True),
    "labels": Family("Contents of the image", "labels", "coverage", about_labels=True),
    "geometry": Family("Geometry of the boxes", "labels", "geometry", about_labels=True),
    "integrity": Family("Contradictory labels", "labels", "geometry", about_labels=True),
    "agreement": Family("Agreement with a model", "labels, predictions", "agreement", about_labels=True),
    "objectlab": Family("ObjectLab", "labels, predictions", "agreement", about_labels=True),
    "mistakenness": Family(
        "FiftyOne's mistakenness and variants", "labels, predictions", "agreement", about_labels=True
    ),
    "matching": Family("One-to-one matching with a model", "labels, predictions", "agreement", about_labels=True),
    "uncertainty": Family("Uncertainty of a model", "predictions", "loss_margin"),
    "consistency": Family("Consistency of a model", "predictions, views", "consistency"),
    "embedding": Family("Similarity of embeddings", "embeddings", "embeddings"),
    "duplicates": Family("Duplicates", "files, embeddings", "diversity"),
    "control": Family("Control", "nothing", None),
}


def place_of(family: str) -> tuple[int, str]:
    """Sort key of a family by its module's name: the order of the table, then unknown ones by name."""
    return (list(FAMILIES).index(family) if family in FAMILIES else len(FAMILIES), family)


def idea_families_text() -> str:
    """The families of ideas for a prompt, one line each."""
    return "\n".join(
        f"- `{name}`: {family.about}. Here: {family.here}. See: {family.sources}."
        for name, family in IDEA_FAMILIES.items()
    )


def idea_families_table() -> str:
    """A Markdown table with one row for each family of ideas; docs/ contains it."""
    lines = ["| `family` | ideas that | modules of the catalogue | read |", "|---|---|---|---|"]
    for name, family in IDEA_FAMILIES.items():
        modules = ", ".join(f"`{module}`" for module, own in FAMILIES.items() if own.idea == name)
        lines.append(f"| `{name}` | {family.about} | {modules} | {family.sources} |")
    return "\n".join(lines)
