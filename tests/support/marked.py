"""Marks as the page of an audit writes them."""

import json
from pathlib import Path
from typing import Any

from metricloop.data.dataset import Dataset


def drawn(box: Any, label: str) -> dict[str, Any]:
    return {"box": [float(value) for value in box], "label": label}


def entry(data: Dataset, mark: str, row: int, box: int = -1, kind: str = "placed", **changes: Any) -> dict[str, Any]:
    """One mark. box: row of the label in `data`, -1 for the image; changes: to, added, seen, or any other key."""
    labelled = {
        "box_id": int(data.box_id[box]),
        "label": data.class_names[data.labels[box]],
        "box": [float(value) for value in data.boxes[box]],
    }
    about = {"file": str(data.file[row]), "sha256": str(data.sha256[row])}
    name = f"{kind}-{data.box_id[box]}" if box >= 0 else f"{kind}-image{data.image_id[row]}"
    return {"id": name, "kind": kind, **about, **(labelled if box >= 0 else {}), "mark": mark, **changes}


def save(path: Path, *marks: dict[str, Any], findings: int = 9) -> Path:
    """Write marks.json."""
    content = {"format": "metricloop marks", "version": 1, "audit": "a1", "study": "drawn", "findings": findings}
    path.write_text(json.dumps({**content, "marks": list(marks)}))
    return path
