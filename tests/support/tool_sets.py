"""Data sets as three labelling tools write them: CVAT's XML, Label Studio's tasks, FiftyOne's labels.json."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from xml.sax.saxutils import quoteattr

from odd_sets import CLASSES, HEIGHT, WIDTH, Boxes


def cvat_box(box: Sequence[float], label: str, more: str = "", inside: str = "") -> str:
    """A shape; more: further attributes of the element, such as a rotation; inside: elements within it."""
    x1, y1, x2, y2 = box
    return f'<box label="{label}" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}" {more}>{inside}</box>'


def cvat_image(name: str, shapes: Iterable[str], more: str = "") -> str:
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    return f'<image id="0" name={quoteattr(name)} {size} {more}>{"".join(shapes)}</image>'


def cvat_xml(*parts: str, classes: Sequence[str] = CLASSES, meta: str = "") -> str:
    labels = "".join(f"<label><name>{name}</name></label>" for name in classes)
    head = f"<version>1.1</version><meta><task><labels>{labels}</labels>{meta}</task></meta>"
    return f"<annotations>{head}{''.join(parts)}</annotations>"


def cvat(
    boxes: Boxes, name: Callable[[str], str] = str, shape: Callable[[Sequence[float], str], str] = cvat_box
) -> str:
    """The XML of a task with images; box k of a picture is of class k modulo 2, as in the other sets."""
    return cvat_xml(*(cvat_image(name(file), _each(own, shape)) for file, own in boxes.items()))


def studio_region(box: Sequence[float], label: str, number: int = 0, **more: object) -> dict:
    """A rectangle of Label Studio, in percent of the picture."""
    x1, y1, x2, y2 = box
    x, y, w, h = 100 * x1 / WIDTH, 100 * y1 / HEIGHT, 100 * (x2 - x1) / WIDTH, 100 * (y2 - y1) / HEIGHT
    value = {"x": x, "y": y, "width": w, "height": h, "rotation": 0, "rectanglelabels": [label]}
    return {
        "id": f"r{number}",
        "type": "rectanglelabels",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "value": value,
    } | more


def studio_task(image: str, regions: Iterable[dict], **data: object) -> dict:
    return {"id": 1, "data": {"image": image, **data}, "annotations": [{"id": 1, "result": list(regions)}]}


def studio(
    boxes: Boxes,
    name: Callable[[str], str] = str,
    region: Callable[[Sequence[float], str, int], dict] = studio_region,
) -> list[dict]:
    """The tasks of Label Studio's JSON export."""
    return [
        studio_task(name(file), [region(box, CLASSES[k % len(CLASSES)], k) for k, box in enumerate(own)])
        for file, own in boxes.items()
    ]


def fiftyone_detection(box: Sequence[float], label: object, **attributes: object) -> dict:
    x1, y1, x2, y2 = box
    shares = [x1 / WIDTH, y1 / HEIGHT, (x2 - x1) / WIDTH, (y2 - y1) / HEIGHT]
    return {"label": label, "bounding_box": shares} | ({"attributes": attributes} if attributes else {})


def fiftyone(
    boxes: Boxes,
    key: Callable[[str], str] = lambda name: name.rpartition(".")[0],
    detection: Callable[[Sequence[float], int], dict] = fiftyone_detection,
) -> dict:
    """labels.json of a FiftyOneImageDetectionDataset; names are of pictures in data/."""
    labels = {key(file): [detection(box, k % len(CLASSES)) for k, box in enumerate(own)] for file, own in boxes.items()}
    return {"classes": list(CLASSES), "labels": labels}


def _each(own: Iterable[Sequence[float]], shape: Callable[[Sequence[float], str], str]) -> list[str]:
    return [shape(box, CLASSES[k % len(CLASSES)]) for k, box in enumerate(own)]
