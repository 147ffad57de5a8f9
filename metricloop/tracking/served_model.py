"""The code of a promoted detector in MLflow; a copy of this file is stored with each model, and run where it is loaded.

Input: a column `image` of picture files as base64 text; parameter `score`: the least score of a detection, by default
the one that fits its labels best. Output: per
picture {"boxes": xyxy in its pixels, "scores": best first, "labels": names of the classes}.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

COLUMN = "image"
FOLDER = "detector"  # the artifact: a detector folder


class ServedDetector(PythonModel):
    """A detector for `mlflow models serve` and `mlflow.pyfunc.load_model`."""

    def load_context(self, context: Any) -> None:
        """Load the detector folder of the model."""
        from metricloop.delivery.torch_detector import load

        self.detector = load(context.artifacts[FOLDER])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The detections on every picture. Errors: MlflowException, which a server answers with 400."""
        from metricloop.serving.detector import usual_score

        least = float((params or {}).get("score", usual_score(self.detector.facts)))
        pictures = [self._read(text, row) for row, text in enumerate(model_input[COLUMN])]
        classes = self.detector.facts["classes"]
        answers = []
        for found in self.detector.detect(pictures):
            shown = found.scores >= least
            answers.append(
                {
                    "boxes": found.boxes[shown].tolist(),
                    "scores": found.scores[shown].tolist(),
                    "labels": [classes[label] for label in found.labels[shown]],
                }
            )
        return answers

    def _read(self, text: str, row: int) -> Any:
        try:
            return self.detector.read(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError, TypeError) as error:
            raise MlflowException(
                f"{COLUMN} {row} is not a picture file as base64 text: {error}", error_code=INVALID_PARAMETER_VALUE
            ) from None


set_model(ServedDetector())
