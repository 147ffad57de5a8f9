"""The pieces of the application, in the order in which the model is asked for them, and what each is checked for."""

from __future__ import annotations

from dataclasses import dataclass

from metricloop.takehome.checks import CHECKS


@dataclass(frozen=True)
class Piece:
    """One piece. wanted: what the model is told, for text and for images. checks: names, run when it is handed in."""

    name: str
    title: str
    text: str
    image: str
    checks: tuple[str, ...]


TEXT_TRAIN = "Write `train.py` and the modules it needs: read the labelled texts, train, evaluate, save."
IMAGE_TRAIN = "Write `train.py` and the modules it needs: read the labelled pictures, train, evaluate, save."
BOTH = "the endpoint with its checks of the input. Load the model once, when it is first needed or when the app starts"
DOCS = "Write `Dockerfile`, `requirements.txt` and `README.md`."
TESTS = (
    "Write tests in `tests/`: of the parts that can break, of predictions, and of the endpoint with good and bad input."
)
PIECES = (
    Piece("training", "training and evaluation", TEXT_TRAIN, IMAGE_TRAIN, ("training", "lint")),
    Piece(
        "predictions", "unseen items and their predictions",
        "Write `extract.py`, which finds the items in the saved pages, and `predict.py`.",
        "Write `predict.py` for a folder of pictures.",
        ("training", "predictions", "score", "lint"),
    ),
    Piece(
        "endpoint", "the prediction endpoint", f"Write `app.py`: {BOTH}.", f"Write `app.py`: {BOTH}.",
        ("training", "endpoint", "lint"),
    ),
    Piece("tests", "tests", TESTS, TESTS, ("training", "tests", "lint")),
    Piece("docs", "Docker image and README", DOCS, DOCS, ("training", "dockerfile", "readme", "lint")),
)  # fmt: skip
BY_NAME = {piece.name: piece for piece in PIECES}
ALL = tuple(check.name for check in CHECKS)
RESTRUCTURE, IMPROVE = "structure", "improve"  # further steps, which are checked for everything
