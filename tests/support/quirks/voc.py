"""Oddities of Pascal VOC data sets."""

from __future__ import annotations

from pathlib import Path

from odd_sets import HEIGHT, WIDTH, Expected, names, pictures, save, scene, truth, voc, voc_xml, write

from quirks import quirk

IDS, PICTURES, LAYOUT = "Ids and names", "Finding the picture", "Layouts"
BOXES, CROWDS, SPLITS = "Boxes", "Crowd and difficult regions", "Splits"


def _set(root: Path, edit=lambda name, text: text, boxes: int = 2):
    drawn = pictures(root / "JPEGImages", names(), boxes)
    voc(root, drawn, edit)
    return drawn


@quirk(LAYOUT, "another encoding, as declared", "voc", "read")
def declared_encoding(root: Path) -> Expected:
    drawn = pictures(root / "JPEGImages", names())
    for k, (name, own) in enumerate(drawn.items()):
        encoding = ("GBK", "UTF-16", "Shift_JIS")[k % 3]
        text = voc_xml(name, own, ("猫", "犬"))
        write(root / f"Annotations/{name[:-4]}.xml", f'<?xml version="1.0" encoding="{encoding}"?>{text}', encoding)
    return Expected(truth(drawn, ("猫", "犬"), prefix="JPEGImages/"))


@quirk(LAYOUT, "UTF-16, or a byte order mark", "voc", "read")
def utf16(root: Path) -> Expected:
    drawn = _set(root)
    for k, path in enumerate((root / "Annotations").iterdir()):
        write(path, path.read_text(), "utf-16" if k % 2 else "utf-8-sig")
    return Expected(truth(drawn, prefix="JPEGImages/"))


@quirk(LAYOUT, "a namespace on the root element", "voc", "read")
def namespace(root: Path) -> Expected:
    drawn = _set(root, lambda name, text: text.replace("<annotation>", '<annotation xmlns="http://example.org/v">'))
    return Expected(truth(drawn, prefix="JPEGImages/"))


@quirk(LAYOUT, "annotations/xmls/ beside images/", "voc", "read")
def xmls(root: Path) -> Expected:
    drawn = pictures(root / "images", names())
    for name, own in drawn.items():
        write(root / f"annotations/xmls/{name[:-4]}.xml", voc_xml(name, own))
    return Expected(truth(drawn, prefix="images/"))


@quirk(LAYOUT, "the system's files (._00.xml), empty and broken XML", "voc", "left out")
def sidecars(root: Path) -> Expected:
    drawn = _set(root)
    write(root / "Annotations/._00.xml", b"\0\5\26\7Mac OS X")
    write(root / "JPEGImages/._00.jpg", b"\0\5\26\7Mac OS X")
    write(root / "Annotations/00.xml", "")
    write(root / "Annotations/01.xml", (root / "Annotations/01.xml").read_text() * 2)
    del drawn["00.jpg"], drawn["01.jpg"]
    return Expected(truth(drawn, prefix="JPEGImages/"), listed=["00.xml", "01.xml", "cut off or damaged"])


@quirk(IDS, "blanks around class names, the same class twice", "voc", "read")
def blanks(root: Path) -> Expected:
    drawn = _set(root, lambda name, text: text.replace("<name>dog</name>", "<name>\n  cat </name>"))
    return Expected(truth(drawn, ["cat"], prefix="JPEGImages/"), classes=["cat"])


@quirk(PICTURES, "a wrong name within the label file", "voc", "read")
def wrong_filename(root: Path) -> Expected:
    drawn = _set(root, lambda name, text: text.replace(f"<filename>{name}", "<filename>D:\\pics\\00.jpg"))
    return Expected(truth(drawn, prefix="JPEGImages/"))


@quirk(PICTURES, "a name in another case", "voc", "listed")
def other_case(root: Path) -> Expected:
    drawn = pictures(root / "images", [f"IMG_{k:02d}.JPG" for k in range(10)])
    for name, own in drawn.items():
        write(root / f"labels/{name[:-4].lower()}.xml", voc_xml(name.lower(), own))
    return Expected(truth(drawn, prefix="images/"), listed=["picture found in another case"])


@quirk(PICTURES, "two pictures of one stem", "voc", "listed")
def same_stem(root: Path) -> Expected:
    drawn = _set(root)
    save(root / "JPEGImages/00.png", scene(80)[0])
    return Expected(truth(drawn, prefix="JPEGImages/"), listed=["00.png", "picture without labels"])


@quirk(PICTURES, "two pictures of one stem, and neither is named", "voc", "left out")
def same_stem_unnamed(root: Path) -> Expected:
    drawn = _set(root, lambda name, text: text.replace(f"<filename>{name}</filename>", ""))
    save(root / "JPEGImages/00.png", scene(80)[0])
    del drawn["00.jpg"]
    return Expected(truth(drawn, prefix="JPEGImages/"), listed=["00.jpg", "picture cannot be told for certain"])


@quirk(BOXES, "turned boxes", "voc", "listed")
def turned(root: Path) -> Expected:
    drawn = pictures(root, names())
    want = {}
    for name, ((x1, y1, x2, y2), second) in drawn.items():
        x, y, w, h = (
            (second[0] + second[2]) / 2,
            (second[1] + second[3]) / 2,
            second[2] - second[0],
            second[3] - second[1],
        )
        item = f"<cx>{x}</cx><cy>{y}</cy><w>{w}</w><h>{h}</h><angle>{3.14159265358979 / 2}</angle>"
        item = f"<object><name>dog</name><robndbox>{item}</robndbox></object></annotation>"
        write(root / f"{name[:-4]}.xml", voc_xml(name, [(x1, y1, x2, y2)]).replace("</annotation>", item))
        around = (max(x - h / 2, 0.0), max(y - w / 2, 0.0), min(x + h / 2, WIDTH), min(y + w / 2, HEIGHT))
        want[name] = [(float(x1), float(y1), float(x2), float(y2), "cat", False), (*around, "dog", False)]
    return Expected(want, listed=["turned box"])


@quirk(BOXES, "a corner below 0: counted from 0", "voc", "listed")
def negative(root: Path) -> Expected:
    drawn = pictures(root, names())
    for name, own in drawn.items():
        text = voc_xml(name, own, shift=0)
        if name == "00.jpg":
            text = text.replace(f"<xmin>{own[0][0]}</xmin>", "<xmin>-2</xmin>")
        write(root / f"{name[:-4]}.xml", text)
    drawn["00.jpg"][0] = (0, *drawn["00.jpg"][0][1:])
    return Expected(truth(drawn), listed=["box reaches over the edge"])


@quirk(BOXES, "parts of objects with boxes of their own", "voc", "read")
def parts(root: Path) -> Expected:
    part = "<part><name>head</name><bndbox><xmin>3</xmin><ymin>3</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>"
    drawn = _set(root, lambda name, text: text.replace("</object>", f"{part}</object>"))
    return Expected(truth(drawn, prefix="JPEGImages/"))


@quirk(BOXES, "a box that is no box", "voc", "left out")
def no_box(root: Path) -> Expected:
    drawn = _set(root, lambda name, text: text.replace("<ymin>", "<ymin>x", 1) if name == "00.jpg" else text)
    drawn["00.jpg"] = drawn["00.jpg"][1:]
    want = truth(drawn, prefix="JPEGImages/")
    want["JPEGImages/00.jpg"] = [(*want["JPEGImages/00.jpg"][0][:4], "dog", False)]
    return Expected(want, listed=["box is not four numbers"])


@quirk(CROWDS, "difficult: Unspecified, empty or missing", "voc", "read")
def difficult_words(root: Path) -> Expected:
    words = ("<difficult>Unspecified</difficult>", "<difficult/>", "")
    drawn = _set(root, lambda name, text: text.replace("<difficult>0</difficult>", words[int(name[1]) % 3]))
    return Expected(truth(drawn, prefix="JPEGImages/"))


@quirk(CROWDS, "every label marked as crowd", "voc", "listed")
def all_difficult(root: Path) -> Expected:
    drawn = _set(root, lambda name, text: text.replace("<difficult>0", "<difficult>1"))
    return Expected(truth(drawn, prefix="JPEGImages/"), listed=["all labels are crowd regions"])


@quirk(SPLITS, "VOCdevkit, the folder above the year", "voc", "read")
def devkit(root: Path) -> Expected:
    drawn = _set(root / "VOC2012")
    write(root / "VOC2012/ImageSets/Main/train.txt", "".join(f"{name[:-4]}\n" for name in list(drawn)[:6]))
    write(root / "VOC2012/ImageSets/Main/val.txt", "".join(f"{name[:-4]}\n" for name in list(drawn)[6:]))
    split = {f"VOC2012/JPEGImages/{name}": "pool" for name in list(drawn)[:6]}
    return Expected(truth(drawn, prefix="VOC2012/JPEGImages/"), split=split)


@quirk(SPLITS, "lists with blanks, folders and extensions", "voc", "read")
def blank_lists(root: Path) -> Expected:
    drawn = pictures(root / "JPEGImages", [f"img {k:02d}.jpg" for k in range(10)])
    voc(root, drawn)
    own = list(drawn)
    write(root / "ImageSets/Main/train.txt", "".join(f"JPEGImages/{name}  1\r\n" for name in own[:6]))
    write(root / "ImageSets/Main/val.txt", "".join(f"{name[:-4]}\n" for name in own[6:]))
    return Expected(truth(drawn, prefix="JPEGImages/"), split={f"JPEGImages/{name}": "pool" for name in own[:6]})
