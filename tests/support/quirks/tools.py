"""Oddities that the formats of three labelling tools share: CVAT, Label Studio and FiftyOne."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from odd_sets import Boxes, Expected, dump, names, pictures, truth, write
from tool_sets import (
    cvat,
    cvat_box,
    cvat_image,
    cvat_xml,
    fiftyone,
    fiftyone_detection,
    studio,
    studio_region,
    studio_task,
)

from quirks import quirk

PICTURES, BOXES, CROWDS = "Finding the picture", "Boxes", "Crowd and difficult regions"
IDS, LAYOUT, SPLITS = "Ids and names", "Layouts", "Splits"
TOOLS = ("cvat", "label-studio", "fiftyone")
FILES = {"cvat": "annotations.xml", "label-studio": "tasks.json", "fiftyone": "labels.json"}


def each(kind: str, name: str, outcome: str, tools: tuple[str, ...] = TOOLS) -> Callable:
    """Register an oddity for several tools; the function gets the tool's name, too."""

    def register(make: Callable[[Path, str], Expected]) -> Callable[[Path, str], Expected]:
        for tool in tools:
            one = partial(make, tool=tool)
            one.__name__, one.__module__ = make.__name__, make.__module__
            quirk(kind, name, tool, outcome)(one)
        return make

    return register


def put(root: Path, tool: str, boxes: Boxes, name: Callable[[str], str] = str, encoding: str = "utf-8") -> None:
    """The tool's file, which names each picture by `name`."""
    if tool == "cvat":
        text = cvat(boxes, name)
    elif tool == "label-studio":
        text = json.dumps(studio(boxes, name))
    else:
        text = json.dumps(fiftyone(boxes, lambda file: name(file).rpartition(".")[0]))
    write(root / FILES[tool], text, encoding)


def folder(tool: str) -> str:
    """Where pictures lie beside the tool's file, so that its names lead to them as they stand."""
    return {"cvat": "images/", "label-studio": "", "fiftyone": "data/"}[tool]


def found(tool: str, how: str) -> list[str]:
    """What is listed of pictures that were looked for; FiftyOne's names have no extension in any case."""
    return [f"picture found {'without its extension' if tool == 'fiftyone' else how}"]


@each(PICTURES, "percent-encoded names", "listed")
def percent(root: Path, tool: str) -> Expected:
    boxes = pictures(root / folder(tool), [f"a{k} é b.jpg" for k in range(10)])
    put(root, tool, boxes, quote)
    return Expected(truth(boxes, prefix=folder(tool)), listed=found(tool, "percent-encoded"))


@each(PICTURES, "paths of a server's storage, Windows separators", "listed")
def storage(root: Path, tool: str) -> Expected:
    boxes = pictures(root / "pics", names())
    put(root, tool, boxes, lambda name: "\\".join(["..", "..", "media", "upload", "4", name]))
    return Expected(truth(boxes, prefix="pics/"), listed=found(tool, "in another folder"))


@each(PICTURES, "absolute paths of another computer", "listed")
def absolute(root: Path, tool: str) -> Expected:
    boxes = pictures(root / "pics", names())
    put(root, tool, boxes, lambda name: f"C:\\pics\\{name}" if name < "05" else f"/home/someone/{name}")
    return Expected(truth(boxes, prefix="pics/"), listed=found(tool, "in another folder"))


@each(PICTURES, "the same names in two folders, with the folder", "listed")
def equal_names_apart(root: Path, tool: str) -> Expected:
    boxes = pictures(root / "pics", [*names("a/"), *names("b/", 10, start=0)])
    put(root, tool, boxes, lambda name: f"/mnt/x/{name}")
    return Expected(truth(boxes, prefix="pics/"), listed=found(tool, "in another folder"))


@each(PICTURES, "the same names in two folders, without the folder", "left out")
def equal_names(root: Path, tool: str) -> Expected:
    boxes = pictures(root / "pics", [*names("a/", 1), *names("b/", 10)])
    stated = {name: own for name, own in boxes.items() if name != "a/00.jpg"}
    put(root, tool, stated, lambda name: f"/x/{Path(name).name}")
    want = {name: own for name, own in boxes.items() if name not in ("a/00.jpg", "b/00.jpg")}
    return Expected(truth(want, prefix="pics/"), listed=["picture cannot be told for certain"])


@each(PICTURES, "a name in another case", "listed")
def other_case(root: Path, tool: str) -> Expected:
    boxes = pictures(root / folder(tool), [f"IMG_{k:02d}.JPG" for k in range(10)])
    put(root, tool, boxes, str.lower)
    return Expected(truth(boxes, prefix=folder(tool)), listed=found(tool, "in another case"))


@each(PICTURES, "a name in another Unicode form", "listed")
def other_unicode(root: Path, tool: str) -> Expected:
    boxes = pictures(root / folder(tool), [f"caf\u0065\u0301 {k}.jpg" for k in range(10)])
    put(root, tool, boxes, lambda name: name.replace("e\u0301", "\u00e9"))
    return Expected(truth(boxes, prefix=folder(tool)), listed=found(tool, "in another Unicode form"))


@each(PICTURES, "a name without, or with another extension", "listed", ("cvat", "label-studio"))
def no_extension(root: Path, tool: str) -> Expected:
    boxes = pictures(root / "images", names(suffix=".png"))
    put(root, tool, boxes, lambda name: name[:-4] if name < "05" else name.replace("png", "jpg"))
    return Expected(truth(boxes, prefix="images/"), listed=["picture found without its extension"])


@each(PICTURES, "two pictures of one stem", "left out", ("fiftyone",))
def one_stem(root: Path, tool: str) -> Expected:
    boxes = pictures(root / "data", names())
    pictures(root / "data", ["00.png"], first=50)
    put(root, tool, boxes)
    del boxes["00.jpg"]
    return Expected(truth(boxes, prefix="data/"), listed=["picture cannot be told for certain"])


@each(PICTURES, "a name that leads out of the data set", "left out")
def names_outside(root: Path, tool: str) -> Expected:
    boxes = pictures(root / folder(tool), names())
    pictures(root.parent, ["private.jpg", "deep/private2.jpg"], first=70)
    private = {"../private.jpg": [(1, 1, 9, 9)], str(root.parent / "deep/private2.jpg"): [(1, 1, 9, 9)]}
    put(root, tool, boxes | private)
    return Expected(truth(boxes, prefix=folder(tool)), listed=["labels without picture"])


@each(LAYOUT, "UTF-16, or a byte order mark", "read")
def utf16(root: Path, tool: str) -> Expected:
    boxes = pictures(root / folder(tool), names())
    put(root, tool, boxes, encoding="utf-8-sig" if tool == "cvat" else "utf-16")
    return Expected(truth(boxes, prefix=folder(tool)))


@each(LAYOUT, "labels per split folder", "read", ("cvat", "fiftyone"))
def split_folders(root: Path, tool: str) -> Expected:
    parts = {"train": (8, 0), "val": (4, 40)}
    want, split = {}, {}
    for part, (count, first) in parts.items():
        boxes = pictures(root / part / folder(tool), names(count=count), first=first)
        if tool == "cvat":
            shapes = (cvat_image(name, _cvat_shapes(own), f'subset="{part}"') for name, own in boxes.items())
            write(root / part / "annotations.xml", cvat_xml(*shapes))
        else:
            put(root / part, tool, boxes)
        want |= truth(boxes, prefix=f"{part}/{folder(tool)}")
        split |= {f"{part}/{folder(tool)}{name}": "pool" for name in boxes if part == "train"}
    return Expected(want, split=split)


def _cvat_shapes(own) -> list[str]:
    return [cvat_box(box, ("cat", "dog")[k % 2]) for k, box in enumerate(own)]


@each(BOXES, "a box that is no box", "left out")
def no_boxes(root: Path, tool: str) -> Expected:
    boxes = pictures(root / folder(tool), names())
    put(root, tool, boxes)
    path = root / FILES[tool]
    if tool == "cvat":
        bad = [(1, 2, "x", 4), (1, 2, "", 4), ("nan", 1, 2, 3), (1, 2, "1e308", "inf")]
        shapes = "".join(cvat_box(box, "cat") for box in bad)
        path.write_text(path.read_text().replace("</image>", shapes + "</image>", 1))
        return Expected(truth(boxes, prefix="images/"), listed=["box is not four numbers", "box is not finite"])
    content = json.loads(path.read_text())
    if tool == "fiftyone":
        for box in ("1234", [1, 2, 3], [1, 2, None, 4], {"x": 1}, None, [True] * 4, [float("nan")] * 4):
            content["labels"]["00"].append({"label": 0, "bounding_box": box})
        listed = ["box is not four numbers", "box is not finite"]
    else:
        good = studio_region((1, 1, 9, 9), "cat", 9)
        bad = [{"x": 1, "y": 2}, {"x": "a", "y": 2, "width": 3, "height": 4}, {"points": [[1]]}, {"width": None}]
        for k, value in enumerate(bad):
            content[0]["annotations"][0]["result"].append(
                good | {"id": f"b{k}", "value": {"rectanglelabels": ["cat"]} | value}
            )
        listed = ["region without a box"]
    dump(path, content)
    return Expected(truth(boxes, prefix=folder(tool)), listed=listed)


@each(CROWDS, "some crowd regions", "read")
def some_crowds(root: Path, tool: str) -> Expected:
    boxes = pictures(root / folder(tool), names())
    _crowds(root, tool, boxes, lambda k: k % 2 == 1)
    want = truth(boxes, prefix=folder(tool))
    return Expected({file: [own[0], (*own[1][:5], True)] for file, own in want.items()})


@each(CROWDS, "every label marked as crowd", "listed")
def all_crowd(root: Path, tool: str) -> Expected:
    boxes = pictures(root / folder(tool), names())
    _crowds(root, tool, boxes, lambda k: True)
    return Expected(truth(boxes, prefix=folder(tool)), listed=["all labels are crowd regions"])


def _crowds(root: Path, tool: str, boxes: Boxes, marked: Callable[[int], bool]) -> None:
    """The tool's way to mark a box as crowd; box k of a picture is marked if `marked(k)`."""
    if tool == "cvat":
        said = '<attribute name="difficult">true</attribute>'
        images = (
            cvat_image(
                name,
                [cvat_box(box, ("cat", "dog")[k % 2], "", said if marked(k) else "") for k, box in enumerate(own)],
            )
            for name, own in boxes.items()
        )
        write(root / FILES[tool], cvat_xml(*images))
    elif tool == "label-studio":

        def region(box, label: str, k: int) -> dict:
            return studio_region(box, label, k, **({"meta": {"text": ["crowd"]}} if marked(k) else {}))

        dump(root / FILES[tool], studio(boxes, region=region))
    else:
        dump(
            root / FILES[tool],
            fiftyone(
                boxes, detection=lambda box, k: fiftyone_detection(box, k, **({"iscrowd": 1} if marked(k) else {}))
            ),
        )


@each(IDS, "a class that is not declared", "read", ("cvat", "fiftyone"))
def undeclared(root: Path, tool: str) -> Expected:
    boxes = pictures(root / folder(tool), names())
    if tool == "cvat":
        write(root / FILES[tool], cvat_xml(*(cvat_image(n, _cvat_shapes(own)) for n, own in boxes.items()), classes=()))
    else:
        content = fiftyone(boxes, detection=lambda box, k: fiftyone_detection(box, ("cat", "dog")[k]))
        dump(root / FILES[tool], content | {"classes": []})
    return Expected(truth(boxes, prefix=folder(tool)), classes=["cat", "dog"])


@each(IDS, "blanks around class names, the same class twice", "read", ("cvat", "label-studio"))
def class_twice(root: Path, tool: str) -> Expected:
    boxes = pictures(root / folder(tool), names())
    if tool == "cvat":
        images = (cvat_image(name, [cvat_box(b, " cat ") for b in own]) for name, own in boxes.items())
        write(root / FILES[tool], cvat_xml(*images, classes=("cat", "cat ")))
    else:
        labels = (" cat", "cat")
        tasks = [studio_task(n, [studio_region(b, labels[k], k) for k, b in enumerate(o)]) for n, o in boxes.items()]
        dump(root / FILES[tool], tasks)
    return Expected(truth(boxes, ["cat"], prefix=folder(tool)), classes=["cat"])


@each(IDS, "blanks around class names, the same class twice", "listed", ("fiftyone",))
def declared_twice(root: Path, tool: str) -> Expected:
    boxes = pictures(root / "data", names())
    content = fiftyone(boxes, detection=lambda box, k: fiftyone_detection(box, 2 * k))
    dump(root / FILES[tool], content | {"classes": ["cat", " cat ", "dog"]})
    return Expected(truth(boxes, prefix="data/"), classes=["cat", "dog"], listed=["class named twice"])


@each(SPLITS, "an unlabelled test part", "listed", ("cvat", "label-studio"))
def unlabelled_test(root: Path, tool: str) -> Expected:
    want, images, tasks = {}, [], []
    for k, (part, count) in enumerate({"train": 8, "val": 4, "test": 3}.items()):
        boxes = pictures(root / folder(tool), names(f"{part}/", count), first=30 * k)
        for name, own in boxes.items():
            own = [] if part == "test" else own
            images.append(cvat_image(name, _cvat_shapes(own), f'subset="{part}"'))
            labels = ("cat", "dog")
            tasks.append(studio_task(name, [studio_region(b, labels[j], j) for j, b in enumerate(own)], split=part))
        want |= {} if part == "test" else truth(boxes, prefix=folder(tool))
    if tool == "cvat":
        write(root / FILES[tool], cvat_xml(*images))
    else:
        dump(root / FILES[tool], tasks)
    return Expected(want, listed=["split without a labelled object", "test split left out"])
