"""Oddities of YOLO data sets."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import quote

from odd_sets import HEIGHT, WIDTH, Expected, dump, names, pictures, save, scene, truth, write, yolo, yolo_line
from PIL import Image

from quirks import quirk

IDS, PICTURES, LAYOUT = "Ids and names", "Finding the picture", "Layouts"
LINES, SPLITS = "Label lines", "Splits"
NAMES = names("images/")


def _lines(root: Path, make, yaml: str = "", boxes: int = 2):
    """A data set whose label lines are made by `make(box, class)`."""
    drawn = pictures(root, NAMES, boxes)
    yolo(root, drawn, lambda own: "".join(make(box, k % 2) for k, box in enumerate(own)), yaml)
    return drawn


@quirk(IDS, "`names` is a file", "yolo", "read")
def names_file(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES), yaml=None)
    write(root / "obj.names", "cat\ndog\n\n")
    write(root / "data.yaml", "train: images\nnames: obj.names\n")
    return Expected(truth(boxes), classes=["cat", "dog"])


@quirk(IDS, "class names that YAML takes for something else", "yolo", "read")
def yaml_words(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES), yaml=None)
    write(root / "data.yaml", "train: images\nnames:\n  0: no\n  1: 010\n  2: null\nval: null\ntest:\n")
    return Expected(truth(boxes, ("no", "010")), classes=["no", "010", "null"])


@quirk(IDS, "blanks around class names, the same class twice", "yolo", "listed")
def class_twice(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES), yaml=None)
    write(root / "data.yaml", "train: images\nnames: [cat, ' cat']\n")
    return Expected(truth(boxes, ["cat"]), classes=["cat"], listed=["class named twice"])


@quirk(IDS, "a class that is not declared", "yolo", "left out")
def unknown_class(root: Path) -> Expected:
    drawn = _lines(root, lambda box, label: yolo_line(box, 2 * label) + "\n", "nc: 3\n")
    return Expected({name: own[:1] for name, own in truth(drawn).items()}, listed=["unknown class"])


@quirk(IDS, "YAML with a key twice", "yolo", "refused")
def key_twice(root: Path) -> Expected:
    yolo(root, pictures(root, NAMES), yaml="train: other\n")
    return Expected(error="a key is given twice")


@quirk(PICTURES, "percent-encoded names", "yolo", "listed")
def percent(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, [f"images/écran {k:02d}.jpg" for k in range(10)]))
    for path in list((root / "labels").iterdir()):
        path.rename(path.with_name(quote(path.name)))
    return Expected(truth(boxes), listed=["label file found percent-encoded"])


@quirk(PICTURES, "a name in another case", "yolo", "listed")
def other_case(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, [f"images/IMG_{k:02d}.JPG" for k in range(10)]))
    for path in list((root / "labels").iterdir()):
        path.rename(path.with_name(path.name.lower()))
    return Expected(truth(boxes), listed=["label file found in another case"])


@quirk(PICTURES, "paths of a server's storage, Windows separators", "yolo", "read")
def backslashes(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, names("images/train/")), yaml=None)
    write(root / "train.txt", "".join(".\\" + name.replace("/", "\\") + "\r\n" for name in boxes))
    write(root / "data.yaml", "train: train.txt\nnames: [cat, dog]\n")
    return Expected(truth(boxes))


@quirk(PICTURES, "absolute paths of another computer", "yolo", "listed")
def absolute(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, names("images/train/")), yaml=None)
    write(root / "data.yaml", "train: /content/drive/pets/images/train\nval: C:/pets/images/val\nnames: [cat, dog]\n")
    return Expected(truth(boxes), listed=["part of the data set lies elsewhere", "part of the data set does not exist"])


@quirk(PICTURES, "a name that leads out of the data set", "yolo", "left out")
def names_outside(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES), yaml=None)
    pictures(root.parent / "private", ["p.jpg"], first=70)
    write(root / "data.yaml", f"path: /\ntrain: [images, {root.parent}/private]\nnames: [cat, dog]\n")
    return Expected(truth(boxes), listed=["part of the data set does not exist", "data.outside"])


@quirk(PICTURES, "label files of other names than the pictures", "yolo", "refused")
def prefixed_labels(root: Path) -> Expected:
    yolo(root, pictures(root, NAMES))
    for path in list((root / "labels").iterdir()):
        path.rename(path.with_name(f"1a2b3c4d-{path.name}"))
    return Expected(error="labels/1a2b3c4d-00.txt: labels without picture")


@quirk(PICTURES, "two pictures of one stem", "yolo", "left out")
def same_stem(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES))
    save(root / "images/00.png", scene(80)[0])
    del boxes[NAMES[0]]
    return Expected(truth(boxes), listed=["00.jpg", "00.png", "picture cannot be told for certain"])


@quirk(LAYOUT, "darknet's obj.data", "yolo", "listed")
def darknet(root: Path) -> Expected:
    boxes = pictures(root, names("obj_train_data/"))
    yolo(root, boxes, yaml=None)
    write(root / "obj.names", "cat\ndog\n")
    write(root / "obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    write(root / "train.txt", "".join(f"data/{name}\n" for name in boxes))
    return Expected(truth(boxes), listed=["picture found in another folder"])


@quirk(LAYOUT, "classes.txt beside images/ and labels/, no data.yaml", "yolo", "read")
def classes_txt(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES), yaml=None)
    write(root / "classes.txt", "cat\ndog\n")
    dump(root / "notes.json", {"categories": [{"id": 0, "name": "cat"}], "info": {}})
    return Expected(truth(boxes), classes=["cat", "dog"])


@quirk(LAYOUT, "a list of classes in each split's folder, object.names or _darknet.labels", "yolo", "read")
def class_list_per_split(root: Path) -> Expected:
    train, val = pictures(root, names("train/images/", 8)), pictures(root, names("valid/images/", 4), first=40)
    yolo(root, train | val, yaml=None)
    write(root / "train/_darknet.labels", "cat\ndog\n")
    write(root / "valid/object.names", "cat\ndog\n")
    return Expected(truth(train | val), classes=["cat", "dog"], split=dict.fromkeys(train, "pool"))


@quirk(LAYOUT, "different lists of classes in the folders of splits", "yolo", "refused")
def class_lists_differ(root: Path) -> Expected:
    train, val = pictures(root, names("train/images/", 8)), pictures(root, names("valid/images/", 4), first=40)
    yolo(root, train | val, yaml=None)
    write(root / "train/classes.txt", "cat\ndog\n")
    write(root / "valid/labels/classes.txt", "dog\ncat\n")
    return Expected(error="list different classes")


@quirk(LAYOUT, "labels per split folder", "yolo", "read")
def split_folders(root: Path) -> Expected:
    train, val = pictures(root, names("train/images/", 8)), pictures(root, names("valid/images/", 4), first=40)
    yolo(root, train | val, yaml=None)
    write(root / "data.yaml", "train: ../train/images\nval: ../valid/images\nnames: [cat, dog]\n")
    return Expected(truth(train | val), split=dict.fromkeys(train, "pool"))


@quirk(LAYOUT, "Images/ and Labels/", "yolo", "read")
def capital_folders(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES), yaml=None)
    for name in ("images", "labels"):
        (root / name).rename(root / name.capitalize())
    write(root / "data.yaml", "train: Images\nnames: [cat, dog]\n")
    return Expected(truth({name.capitalize(): own for name, own in boxes.items()}))


@quirk(LAYOUT, "a folder called images above the data set", "yolo", "read")
def below_images(root: Path) -> Expected:
    place = root / "images/pets"
    boxes = pictures(place, names("train/"))
    yolo(place, boxes, yaml=None)
    write(place / "data.yaml", "train: train\nnames: [cat, dog]\n")
    return Expected(truth(boxes, prefix="images/pets/"), source="images/pets")


@quirk(LAYOUT, "another YAML file than data.yaml, named", "yolo", "listed")
def other_yaml(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES))
    write(root / "subset.txt", "".join(f"./{name}\n" for name in NAMES[:8]))
    write(root / "subset.yaml", "train: subset.txt\nnames: [lion, tiger]\n")
    kept = {name: boxes[name] for name in NAMES[:8]}
    return Expected(truth(kept, ("lion", "tiger")), source="subset.yaml", listed=["labels without picture"])


@quirk(LAYOUT, "labels in a folder of another name", "yolo", "refused")
def other_label_folder(root: Path) -> Expected:
    yolo(root, pictures(root, NAMES))
    (root / "labels").rename(root / "marks")
    return Expected(error="looked for labels/00.txt")


@quirk(LAYOUT, "UTF-16, or a byte order mark", "yolo", "read")
def byte_order_mark(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES), yaml=None)
    for k, path in enumerate((root / "labels").iterdir()):
        write(path, path.read_text().replace("\n", "\r\n"), "utf-16" if k % 2 else "utf-8-sig")
    write(root / "train.txt", "".join(f"./{name}\r\n" for name in NAMES), "utf-8-sig")
    write(root / "data.yaml", "train: train.txt\r\nnames: [cat, dog]\r\n", "utf-8-sig")
    return Expected(truth(boxes))


@quirk(LINES, "tabs, empty lines, 0.0 as class, no end of line", "yolo", "read")
def loose_lines(root: Path) -> Expected:
    drawn = _lines(root, lambda box, label: f"\n{yolo_line(box, f'{label}.0')} \t\r\n".replace(" ", "\t"))
    return Expected(truth(drawn))


@quirk(LINES, "keypoints behind the box, with kpt_shape", "yolo", "read")
def pose(root: Path) -> Expected:
    drawn = _lines(root, lambda box, label: f"{yolo_line(box, label)} 0.02 0.03 0.97 0.95\n", "kpt_shape: [2, 2]\n")
    return Expected(truth(drawn))


@quirk(LINES, "keypoints behind the box, without kpt_shape", "yolo", "refused")
def pose_without_shape(root: Path) -> Expected:
    _lines(root, lambda box, label: f"{yolo_line(box, label)} 0.02 0.03 2 0.97 0.95 1\n")
    return Expected(error="say kpt_shape")


@quirk(LINES, "polygons and turned boxes among boxes", "yolo", "read")
def polygons(root: Path) -> Expected:
    def line(box, label):
        x1, y1, x2, y2 = box[0] / WIDTH, box[1] / HEIGHT, box[2] / WIDTH, box[3] / HEIGHT
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        return f"{label} {x} {y1} {x2} {y} {x} {y2} {x1} {y}\n" if label else f"{yolo_line(box, label)}\n"

    return Expected(truth(_lines(root, line)))


@quirk(LINES, "a confidence as sixth column", "yolo", "refused")
def confidence(root: Path) -> Expected:
    _lines(root, lambda box, label: f"{yolo_line(box, label)} 0.87\n")
    return Expected(error="a model's confidence")


@quirk(LINES, "commas between the columns", "yolo", "refused")
def commas(root: Path) -> Expected:
    _lines(root, lambda box, label: yolo_line(box, label).replace(" ", ",") + "\n")
    return Expected(error="parted by commas")


@quirk(LINES, "class names instead of numbers", "yolo", "refused")
def class_words(root: Path) -> Expected:
    _lines(root, lambda box, label: yolo_line(box, ("cat", "dog")[label]) + "\n")
    return Expected(error="the class's name (cat)")


@quirk(LINES, "pixels instead of shares", "yolo", "refused")
def pixels(root: Path) -> Expected:
    _lines(root, lambda box, label: "{} {} {} {} {}\n".format(label, *(40, 30, 20, 10)))
    return Expected(error="look like pixels")


@quirk(LINES, "equal lines twice", "yolo", "listed")
def doubled(root: Path) -> Expected:
    drawn = _lines(root, lambda box, label: f"{yolo_line(box, label)}\n" * 2)
    return Expected(truth(drawn), listed=["doubled label line"])


@quirk(LINES, "comments, short lines, a class of -1", "yolo", "left out")
def comments(root: Path) -> Expected:
    drawn = _lines(root, lambda box, label: f"# by hand\n{yolo_line(box, label)}\n0 0.5\n-1 0.5 0.5 0.1 0.1\n")
    return Expected(truth(drawn), listed=["line is not a label", "unknown class"])


@quirk(SPLITS, "one folder for two parts", "yolo", "listed")
def same_folder(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES), yaml="val: images\ntest:\n")
    return Expected(truth(boxes), listed=["picture in two splits"])


@quirk(SPLITS, "a part that points at labels", "yolo", "listed")
def points_at_labels(root: Path) -> Expected:
    yolo(root, boxes := pictures(root, NAMES), yaml="val: labels\n")
    return Expected(truth(boxes), listed=["part of the data set holds no pictures", "labels"])


@quirk(SPLITS, "a list with folders, quotes and lines that lead nowhere", "yolo", "listed")
def odd_list(root: Path) -> Expected:
    train, more = pictures(root, NAMES), pictures(root, names("images/more/", 4), first=40)
    yolo(root, train | more, yaml=None)
    lines = [*(f'"{name}"' for name in train), "images/more", "# a remark", "images/gone.jpg", "a secret"]
    write(root / "train.txt", "\n".join(lines))
    write(root / "data.yaml", "train: train.txt\nnames: [cat, dog]\n")
    return Expected(truth(train | more), listed=["listed picture does not exist", "images/gone.jpg", "line 14"])


@quirk("Pictures", "extensions .jfif, .mpo, .JPEG, .avif; JPEGs called .png", "yolo", "listed")
def extensions(root: Path) -> Expected:
    suffixes = [".jfif", ".JPG", ".jpeg", ".webp", ".bmp", ".tif", ".png", ".mpo", ".avif", ".jpe"]
    drawn = {}
    for k, suffix in enumerate(suffixes):
        image, drawn[name] = scene(k)[0], scene(k)[1] if (name := f"images/{k:02d}{suffix}") else []
        kinds = {".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF", ".mpo": "MPO", ".avif": "AVIF"}
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, kinds.get(suffix, "JPEG"))
        write(root / name, stream.getvalue())
    yolo(root, drawn)
    return Expected(truth(drawn), listed=["AVIF picture"])
