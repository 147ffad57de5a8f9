"""The findings of an audit as its page shows them: texts, pictures, and the data that the page's scripts work on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from markupsafe import Markup

from metricloop.auditing.audit_files import suspect_rows
from metricloop.auditing.in_words import title_of
from metricloop.auditing.run import Audit
from metricloop.auditing.suspects import Suspect
from metricloop.data.dataset import Dataset
from metricloop.data.label_errors import LABEL_ERRORS
from metricloop.data.packed import parts_of
from metricloop.data.urls import url_of
from metricloop.report.audit_pictures import CONFLICT, OtherPicture, pictures, row_of
from metricloop.study.marks import WORDS

UNORDERED = 10**9  # the place of a suspect that has none
WHAT_TO_DO = {
    "conflict": "At least one of the two has wrong labels. Fix adds a box that the picture on the left lacks; any "
    "other label is changed in your labelling tool.",
    "leak": "The study leaves out the picture on the right. Delete one of the two files from your data set; marks "
    "change labels, not files.",
    "repeated": "Delete one of the two files from your data set; marks change labels, not files.",
}  # kind of a finding about two pictures -> what a person does about it
LABELS_ARE_RIGHT = ("leak", "repeated")  # kinds in which no label is in doubt, so that there is none to repair
LONGEST = 30  # characters of a file's name; the middle of a longer one is left out


def findings(audit: Audit) -> list[Suspect]:
    """The suspects of all kinds, those first whose repair is worth most; the lists in turn where no order is known."""
    listed = [(it.order or UNORDERED, place, it) for own in audit.suspects.values() for place, it in enumerate(own)]
    return [it for _, _, it in sorted(listed, key=lambda one: (one[0], one[1], -one[2].suspicion))]


def entries(audit: Audit, folder: Path) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """Each finding as the template shows it, and image row -> the whole picture as a data URI.

    folder: where the page will be, for links to the pictures.
    """
    data, found = audit.data, findings(audit)
    shown = pictures(data, found)
    made: list[dict[str, Any]] = []
    used: dict[str, int] = {}
    for place, (it, row) in enumerate(zip(found, suspect_rows(audit, found), strict=True)):
        name = f"{it.kind}-{row['box_id']}" if it.box >= 0 else f"{it.kind}-image{row['image_id']}"
        used[name] = used.get(name, 0) + 1
        made.append(
            row
            | {
                "id": name if used[name] == 1 else f"{name}-{used[name]}",
                "number": place + 1,
                "title": title_of(it),
                "more": it.more,
                "short": shortened(str(data.file[it.row])),
                "address": _address(os.path.abspath(data.root / data.file[it.row]), folder),
                "window": shown.windows[place],
                "cut": shown.cuts[place],
                "picture": shown.close_ups[place],
                "boxes": _boxes(data, it),
                "copy": _copy(data, it),
                "offers": offers(it),
                "twin": _twin(data, shown.others[place]),
                "to_do": WHAT_TO_DO.get(it.kind),
                "equal": it.probability == 1.0,
                "other_short": shortened(it.other) if it.other else None,
                "other_address": _address(os.path.abspath(data.root / it.other), folder) if it.other else None,
                "mistakes": LABEL_ERRORS[it.kind].mistakes if it.kind in LABEL_ERRORS else (),
                "row": it.row,
                "box_row": it.box,
            }
        )
    return made, shown.whole


def offers(it: Suspect) -> list[str]:
    """The marks that do something for a finding, in the order of the page's buttons.

    >>> offers(Suspect("leak", 0, -1, 1.0, 0, None, other="b.jpg"))
    ['keep', 'unsure']
    """
    without = {"fix"} if it.kind in LABELS_ARE_RIGHT else set()
    without |= {"delete"} if it.box < 0 else set()
    return [word for word in WORDS if word not in without]


def payload(audit: Audit, study: str, made: Sequence[dict[str, Any]], whole: dict[int, str]) -> Markup:
    """The data of the page's scripts as JSON, safe as the text of an element."""
    data = audit.data
    listed = [_record(data, one) for one in made]
    images = {
        row: {
            "width": int(data.width[row]),
            "height": int(data.height[row]),
            "uri": whole.get(row),
            "boxes": [
                {"id": int(data.box_id[box]), "box": _corners(data.boxes[box]), "label": _name(data, box)}
                for box in range(*data.offsets[row : row + 2])
            ],
        }
        for row in dict.fromkeys(one["row"] for one in made)
    }
    content = {"study": study, "classes": list(data.class_names), "findings": listed, "images": images}
    content["audit"] = hashlib.sha256(json.dumps([study, listed]).encode()).hexdigest()[:16]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;"))


def _record(data: Dataset, one: dict[str, Any]) -> dict[str, Any]:
    """A finding for the scripts. box: as stored, not rounded, so that marks tell whether it has changed."""
    model = None
    if one["model_box"] is not None:
        model = {"box": one["model_box"], "label": one["model_label"], "score": one["model_score"]}
    keys = ("id", "kind", "number", "split", "file", "other", "offers")
    return {key: one[key] for key in keys} | {
        "image": one["row"],
        "sha256": str(data.sha256[one["row"]]),
        "box_id": one["box_id"],
        "label": one["label"],
        "box": _corners(data.boxes[one["box_row"]]) if one["box_id"] is not None else None,
        "model": model,
        "copy": one["copy"],
        "window": one["window"],
        "cut": one["cut"],
    }


def _boxes(data: Dataset, it: Suspect) -> list[dict[str, Any]]:
    """What is drawn on a close-up, the label in question last but for the model's box: class of CSS, x, y, w, h."""
    own = [box for box in range(*data.offsets[it.row : it.row + 2]) if box != it.box]
    drawn = [("other", data.boxes[box]) for box in own]
    drawn += [("copy", np.array(one)) for one in _copy(data, it)]
    drawn += [("label", data.boxes[it.box])] if it.box >= 0 else []
    drawn += [("model", it.model[0])] if it.model else []
    return [_drawn(kind, box) for kind, box in drawn]


def _drawn(kind: str, box: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = box
    return {"kind": kind, "x": float(x1), "y": float(y1), "w": float(x2 - x1), "h": float(y2 - y1)}


def _twin(data: Dataset, other: OtherPicture | None) -> dict[str, Any] | None:
    """The other picture of a finding about two, for the template; its own labels are drawn on it, if it has some."""
    if other is None:
        return None
    boxes = [] if other.row is None else [_drawn("copy", box) for box in data.boxes[data.slice(other.row)]]
    return {"picture": other.uri, "window": other.window, "boxes": boxes}


def _copy(data: Dataset, it: Suspect) -> list[list[float]]:
    """The boxes of the copy of a picture whose labels differ, in pixels of this one; none for other findings."""
    row = row_of(data, it.other)
    if it.kind != CONFLICT or row is None:
        return []
    scale = np.tile([data.width[it.row] / data.width[row], data.height[it.row] / data.height[row]], 2)
    return [[round(float(value), 1) for value in box * scale] for box in data.boxes[data.slice(row)]]


def shortened(file: str, most: int = LONGEST) -> str:
    """The name of a file without its folders, the middle of a long one left out.

    >>> shortened("images/a.jpg"), shortened("x/BloodImage_00001_jpg.rf.702a01b7ac8d4bd6d31c4a4d5d8e7f1e.jpg", 24)
    ('a.jpg', 'BloodImage_0…4d5d8e7f1e.jpg')
    """
    name = Path(file).name
    if len(name) <= most:
        return name
    end = most // 2 + 2
    return f"{name[: most - end - 1]}\u2026{name[-end:]}"


def _address(picture: str, folder: Path) -> str:
    """A picture as the page links to it: relative to the folder of the page, or by its URL; a packed one by the file
    that holds it.
    """
    if packed := parts_of(picture):
        picture = packed[0]
    if url := url_of(picture):
        return url
    return quote(Path(os.path.relpath(picture, folder.absolute())).as_posix())


def _corners(box: Any) -> list[float]:
    return [float(str(value)) for value in box]  # the shortest decimals that are the same float32


def _name(data: Dataset, box: int) -> str:
    return data.class_names[data.labels[box]]
