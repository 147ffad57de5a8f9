"""Oddities of COCO files."""

from __future__ import annotations

import math
from pathlib import Path
from urllib.parse import quote

import numpy as np
from odd_sets import HEIGHT, WIDTH, Expected, coco, dump, names, pictures, truth, write

from quirks import quirk

IDS, PICTURES, LAYOUT = "Ids and names", "Finding the picture", "Layouts"
BOXES, CROWDS, SPLITS = "Boxes", "Crowd and difficult regions", "Splits"


@quirk(IDS, "ids as 3.0", "coco", "read")
def float_ids(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    for entry in content["annotations"]:
        entry |= {key: float(entry[key]) for key in ("image_id", "category_id")}
    dump(root / "a.json", content)
    return Expected(truth(boxes))


@quirk(IDS, "ids, numbers and iscrowd as text", "coco", "read")
def text_ids(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    for entry in content["images"]:
        entry |= {key: f" {entry[key]}" for key in ("id", "width", "height")}
    for entry in content["annotations"]:
        entry |= {"bbox": [str(v) for v in entry["bbox"]], "iscrowd": "0", "category_id": str(entry["category_id"])}
    dump(root / "a.json", content)
    return Expected(truth(boxes))


@quirk(IDS, "ids of any size", "coco", "read")
def large_ids(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    new = {1: 0, 2: 7 * 10**18}
    for entry in content["annotations"]:
        entry["category_id"] = new[entry["category_id"]]
    for entry in content["categories"]:
        entry["id"] = new[entry["id"]]
    dump(root / "a.json", content)
    return Expected(truth(boxes), classes=["cat", "dog"])


@quirk(IDS, "blanks around class names, the same class twice", "coco", "listed")
def class_twice(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    content["categories"] = [{"id": 1, "name": "cat"}, {"id": 2, "name": " cat "}]
    dump(root / "a.json", content)
    return Expected(truth(boxes, ["cat"]), classes=["cat"], listed=["class named twice"])


@quirk(IDS, "one id for two classes", "coco", "left out")
def torn_class(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names(), boxes=2))
    content["categories"].append({"id": 2, "name": "cow"})
    dump(root / "a.json", content)
    return Expected({file: own[:1] for file, own in truth(boxes).items()}, listed=["class id used twice"])


@quirk(IDS, "an annotated parent class", "coco", "read")
def annotated_parent(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()), classes=("person", "head"))
    content["categories"][0]["supercategory"], content["categories"][1]["supercategory"] = "none", "person"
    dump(root / "_annotations.coco.json", content)
    return Expected(truth(boxes, ("person", "head")))


@quirk(IDS, "a placeholder as first class", "coco", "read")
def placeholder(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    for entry in content["categories"]:
        entry["supercategory"] = "pets"
    content["categories"].insert(0, {"id": 0, "name": "pets", "supercategory": "none"})
    dump(root / "_annotations.coco.json", content)
    return Expected(truth(boxes), classes=["cat", "dog"])


@quirk(IDS, "a class that is not declared", "coco", "left out")
def unknown_class(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    content["annotations"][0]["category_id"], content["annotations"][1]["category_id"] = 9, None
    dump(root / "a.json", content)
    return Expected(truth(boxes | {"00.jpg": []}), listed=["unknown class"])


@quirk(IDS, "no ids of annotations, no area, no iscrowd", "coco", "read")
def bare_annotations(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    for entry in content["annotations"]:
        del entry["id"], entry["iscrowd"]
    dump(root / "a.json", content)
    return Expected(truth(boxes))


@quirk(IDS, "ids of annotations that start again in every picture", "coco", "listed")
def restarting_annotation_ids(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    for entry in content["annotations"]:
        entry["id"] %= 2
    dump(root / "a.json", content)
    return Expected(truth(boxes), listed=["doubled annotation id"])


@quirk(PICTURES, "percent-encoded names", "coco", "listed")
def percent(root: Path) -> Expected:
    boxes = pictures(root / "images", [f"a{k} é b.jpg" for k in range(10)])
    dump(root / "result.json", coco(boxes, lambda name: "images/" + quote(name)))
    return Expected(truth(boxes, prefix="images/"), listed=["picture found percent-encoded"])


@quirk(PICTURES, "paths of a server's storage, Windows separators", "coco", "listed")
def storage(root: Path) -> Expected:
    boxes = pictures(root / "images", names())
    dump(root / "result.json", coco(boxes, lambda name: "\\".join(["..", "..", "media", "upload", "4", name])))
    return Expected(truth(boxes, prefix="images/"), listed=["picture found in another folder"])


@quirk(PICTURES, "absolute paths of another computer", "coco", "listed")
def absolute(root: Path) -> Expected:
    boxes = pictures(root / "images", names())
    dump(root / "a.json", coco(boxes, lambda name: f"C:\\pics\\{name}" if name < "05" else f"/home/someone/{name}"))
    return Expected(truth(boxes, prefix="images/"), listed=["picture found in another folder"])


@quirk(PICTURES, "the same names in two folders, with the folder", "coco", "listed")
def equal_names_apart(root: Path) -> Expected:
    boxes = pictures(root / "pics", [*names("a/"), *names("b/")])
    dump(root / "a.json", coco(boxes, lambda name: f"/mnt/x/{name}"))
    return Expected(truth(boxes, prefix="pics/"), listed=["picture found in another folder"])


@quirk(PICTURES, "the same names in two folders, without the folder", "coco", "left out")
def equal_names(root: Path) -> Expected:
    boxes = pictures(root / "pics", [*names("a/", 1), *names("b/", 10)])
    content = coco(
        {name: own for name, own in boxes.items() if name != "a/00.jpg"}, lambda name: f"/x/{Path(name).name}"
    )
    dump(root / "a.json", content)
    want = {name: own for name, own in boxes.items() if name not in ("a/00.jpg", "b/00.jpg")}
    return Expected(truth(want, prefix="pics/"), listed=["picture cannot be told for certain"])


@quirk(PICTURES, "a name in another case", "coco", "listed")
def other_case(root: Path) -> Expected:
    boxes = pictures(root / "images", [f"IMG_{k:02d}.JPG" for k in range(10)])
    dump(root / "annotations/instances.json", coco(boxes, str.lower))
    return Expected(truth(boxes, prefix="images/"), listed=["picture found in another case"])


@quirk(PICTURES, "a name in another Unicode form", "coco", "listed")
def other_unicode(root: Path) -> Expected:
    boxes = pictures(root / "images", [f"caf\u0065\u0301 {k}.jpg" for k in range(10)])
    dump(root / "a.json", coco(boxes, lambda name: name.replace("e\u0301", "\u00e9")))
    return Expected(truth(boxes, prefix="images/"), listed=["picture found in another Unicode form"])


@quirk(PICTURES, "a name without, or with another extension", "coco", "listed")
def no_extension(root: Path) -> Expected:
    boxes = pictures(root / "images", names(suffix=".png"))
    dump(root / "a.json", coco(boxes, lambda name: name[:-4] if name < "05" else name.replace("png", "jpg")))
    return Expected(truth(boxes, prefix="images/"), listed=["picture found without its extension"])


@quirk(PICTURES, "only the address a picture was fetched from", "coco", "read")
def addresses(root: Path) -> Expected:
    content = coco(boxes := pictures(root / "train2017", names()))
    for entry in content["images"]:
        entry["coco_url"] = f"http://images.example.org/train2017/{entry.pop('file_name')}"
    dump(root / "annotations/lvis_v1.json", content)
    return Expected(truth(boxes, prefix="train2017/"))


@quirk(PICTURES, "a name that leads out of the data set", "coco", "left out")
def names_outside(root: Path) -> Expected:
    boxes = pictures(root, names())
    secret = pictures(root.parent, ["private.jpg", "deep/private2.jpg"], first=70)
    content = coco(boxes | {"../private.jpg": [], str(root.parent / "deep/private2.jpg"): []})
    assert len(secret) == 2
    dump(root / "a.json", content)
    return Expected(truth(boxes), listed=["labels without picture", "data.outside"])


@quirk(LAYOUT, "data/ beside labels.json (FiftyOne), one per split", "coco", "read")
def fiftyone(root: Path) -> Expected:
    train = pictures(root / "train/data", names(count=8))
    val = pictures(root / "val/data", names(count=4), first=40)
    dump(root / "train/labels.json", coco(train))
    dump(root / "val/labels.json", coco(val))
    split = {f"train/data/{name}": "pool" for name in train}
    return Expected(truth(train, prefix="train/data/") | truth(val, prefix="val/data/"), split=split)


@quirk(LAYOUT, "train.json beside train/, names without folder", "coco", "read")
def beside_folder(root: Path) -> Expected:
    train, val = pictures(root / "train", names(count=8)), pictures(root / "val", names(count=4), first=40)
    dump(root / "train.json", coco(train))
    dump(root / "val.json", coco(val))
    split = {f"train/{name}": "pool" for name in train}
    return Expected(truth(train, prefix="train/") | truth(val, prefix="val/"), split=split)


@quirk(LAYOUT, "only person_keypoints_*.json", "coco", "read")
def keypoints_only(root: Path) -> Expected:
    boxes = pictures(root / "images", names())
    dump(root / "annotations/person_keypoints_train.json", coco(boxes))
    return Expected(truth(boxes, prefix="images/"))


@quirk(LAYOUT, "instances_val.json beside train.json", "coco", "read")
def mixed_names(root: Path) -> Expected:
    train = pictures(root / "images", names(count=8))
    val = pictures(root / "images", names(count=4, start=8), first=40)
    dump(root / "annotations/train.json", coco(train))
    dump(root / "annotations/instances_val.json", coco(val))
    return Expected(truth(train | val, prefix="images/"), split={f"images/{name}": "pool" for name in train})


@quirk(LAYOUT, "UTF-16, or a byte order mark", "coco", "read")
def utf16(root: Path) -> Expected:
    import json

    content = coco(boxes := pictures(root, names()))
    write(root / "a.json", json.dumps(content), "utf-16")
    return Expected(truth(boxes))


@quirk(BOXES, "a polygon or mask instead of a bbox", "coco", "read")
def masks(root: Path) -> Expected:
    from pycocotools import mask as coder

    content = coco(boxes := pictures(root, names()))
    for k, entry in enumerate(content["annotations"]):
        x, y, w, h = entry.pop("bbox")
        plain = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
        plain[y : y + h, x : x + w] = 1
        runs = [x * HEIGHT + y] + [h, HEIGHT - h] * (w - 1) + [h]
        shape = [
            {"size": [HEIGHT, WIDTH], "counts": coder.encode(plain)["counts"].decode()},
            {"size": [HEIGHT, WIDTH], "counts": [*runs, HEIGHT * WIDTH - sum(runs)]},
            [[x, y, x + w, y, x + w, y + h]],
        ]
        entry["segmentation"] = shape[k % 3]
        entry |= [{}, {"bbox": []}, {"bbox": [0, 0, 0, 0]}, {"bbox": None}][k % 4]
    dump(root / "a.json", content)
    return Expected(truth(boxes))


@quirk(BOXES, "turned boxes", "coco", "listed")
def turned(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names(), boxes=1), classes=["cat"])
    for entry in content["annotations"]:
        entry["attributes"] = {"rotation": 90.0}
    dump(root / "a.json", content)
    want = {}
    for name, ((x1, y1, x2, y2),) in boxes.items():
        x, y, w, h = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        corners = (max(x - h / 2, 0), max(y - w / 2, 0), min(x + h / 2, WIDTH), min(y + w / 2, HEIGHT))
        want[name] = [(*corners, "cat", False)]
    return Expected(want, listed=["turned box"])


@quirk(BOXES, "a box that is no box", "coco", "left out")
def no_boxes(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    bad = ["1234", [1, 2, 3], [1, 2, None, 4], {"x": 1}, [math.nan] * 4, [1e308] * 4, [10**400, 1, 2, 3], [True] * 4]
    content["annotations"] += [
        {"id": 900 + k, "image_id": 1, "category_id": 1, "bbox": box} for k, box in enumerate(bad)
    ]
    dump(root / "a.json", content)
    return Expected(truth(boxes), listed=["box is not four numbers", "box is not finite"])


@quirk(CROWDS, "every label marked as crowd", "coco", "listed")
def all_crowd(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    for entry in content["annotations"]:
        entry["iscrowd"] = 1
    dump(root / "a.json", content)
    return Expected(truth(boxes), listed=["all labels are crowd regions"])


@quirk(CROWDS, "a held-out part with crowd regions only", "coco", "refused")
def crowd_held_out(root: Path) -> Expected:
    train, val = pictures(root, names(count=8)), pictures(root, names(count=4, start=8), first=40)
    content = coco(val)
    for entry in content["annotations"]:
        entry["iscrowd"] = 1
    dump(root / "train.json", coco(train))
    dump(root / "val.json", content)
    return Expected(error="8 labels are crowd regions")


@quirk(CROWDS, "a pool with crowd regions only", "coco", "refused")
def crowd_pool(root: Path) -> Expected:
    train, val = pictures(root, names(count=8)), pictures(root, names(count=4, start=8), first=40)
    content = coco(train)
    for entry in content["annotations"]:
        entry["iscrowd"] = 1
    dump(root / "train.json", content)
    dump(root / "val.json", coco(val))
    return Expected(error="its 16 labels are crowd regions")


@quirk(CROWDS, "some crowd regions", "coco", "read")
def some_crowds(root: Path) -> Expected:
    content = coco(boxes := pictures(root, names()))
    for entry in content["annotations"][1::2]:
        entry["iscrowd"] = "1"
    dump(root / "a.json", content)
    return Expected({file: [own[0], (*own[1][:5], True)] for file, own in truth(boxes).items()})


@quirk(SPLITS, "an unlabelled test part", "coco", "listed")
def unlabelled_test(root: Path) -> Expected:
    parts = {"train": 8, "valid": 4, "test": 3}
    want = {}
    for k, (part, count) in enumerate(parts.items()):
        boxes = pictures(root / part, names(count=count), first=30 * k)
        dump(root / part / "_annotations.coco.json", coco(boxes if part != "test" else {key: [] for key in boxes}))
        want |= {} if part == "test" else truth(boxes, prefix=f"{part}/")
    return Expected(want, listed=["split without a labelled object", "test split left out"])


@quirk(SPLITS, "no labels in any held-out part", "coco", "refused")
def unlabelled_val(root: Path) -> Expected:
    train, val = pictures(root / "train", names(count=8)), pictures(root / "val", names(count=4), first=40)
    dump(root / "annotations/instances_train.json", coco(train))
    dump(root / "annotations/instances_val.json", coco({key: [] for key in val}))
    return Expected(error="annotations/instances_val.json")


@quirk(SPLITS, "eval as the name of the held-out part", "coco", "read")
def eval_part(root: Path) -> Expected:
    train = pictures(root / "images", names(count=8))
    val = pictures(root / "images", names(count=4, start=8), first=40)
    dump(root / "annotations/train.json", coco(train))
    dump(root / "annotations/eval.json", coco(val))
    return Expected(truth(train | val, prefix="images/"), split={f"images/{name}": "pool" for name in train})


@quirk(SPLITS, "a project whose name holds the word test", "coco", "read")
def crash_test(root: Path) -> Expected:
    train = pictures(root / "images", names(count=8))
    val = pictures(root / "images", names(count=4, start=8), first=40)
    dump(root / "annotations/train_crash_test.json", coco(train))
    dump(root / "annotations/val_crash_test.json", coco(val))
    return Expected(truth(train | val, prefix="images/"), split={f"images/{name}": "pool" for name in train})


@quirk(SPLITS, "ids of videos that start again in every file", "coco", "listed")
def video_ids(root: Path) -> Expected:
    train, val = pictures(root / "train", names(count=8)), pictures(root / "val", names(count=4), first=40)
    for part, boxes in (("train", train), ("val", val)):
        content = coco(boxes)
        for k, entry in enumerate(content["images"]):
            entry["video_id"] = 1 + k // 2
        dump(root / f"{part}.json", content)
    split = {f"train/{name}": "pool" for name in train}
    want = truth(train, prefix="train/") | truth(val, prefix="val/")
    return Expected(want, split=split, listed=["ids of videos start again"])


@quirk(SPLITS, "names of videos that are the same in two files", "coco", "left out")
def shared_videos(root: Path) -> Expected:
    train, val = pictures(root / "train", names(count=8)), pictures(root / "val", names(count=6), first=40)
    for part, boxes in (("train", train), ("val", val)):
        content = coco(boxes)
        content["videos"] = [{"id": 1 + k, "name": f"{part}{k}" if k else "street"} for k in range(4)]
        for k, entry in enumerate(content["images"]):
            entry["video_id"] = 1 + k // 2
        dump(root / f"{part}.json", content)
    want = {name: own for name, own in val.items() if name > "01.jpg"}
    return Expected(
        truth(train, prefix="train/") | truth(want, prefix="val/"), listed=["of the same group as a pool picture"]
    )
