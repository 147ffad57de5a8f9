"""Oddities of CVAT's XML alone: shapes, tracks, subsets."""

from __future__ import annotations

from pathlib import Path

from odd_sets import HEIGHT, WIDTH, Expected, names, pictures, truth, write
from tool_sets import cvat, cvat_box, cvat_image, cvat_xml

from quirks import quirk

BOXES, SPLITS, TRACKS = "Boxes", "Splits", "Tracks of videos"
FRAMES = [f"frame_{k:06d}.png" for k in range(12)]


@quirk(BOXES, "a polygon or mask instead of a bbox", "cvat", "read")
def shapes(root: Path) -> Expected:
    boxes = pictures(root / "images", names())

    def shape(box, label: str) -> str:
        x1, y1, x2, y2 = box
        polygon = f'<polygon label="{label}" points="{x1},{y1};{x2},{(y1 + y2) / 2};{(x1 + x2) / 2},{y2}"/>'
        mask = f'<mask label="{label}" rle="1,2" left="{x1}" top="{y1}" width="{x2 - x1}" height="{y2 - y1}"/>'
        return polygon if label == "cat" else mask

    write(root / "annotations.xml", cvat(boxes, shape=shape))
    return Expected(truth(boxes, prefix="images/"))


@quirk(BOXES, "turned boxes", "cvat", "listed")
def turned(root: Path) -> Expected:
    boxes = pictures(root / "images", names(), boxes=1)
    write(root / "annotations.xml", cvat(boxes, shape=lambda box, label: cvat_box(box, label, 'rotation="90.0"')))
    want = {}
    for name, ((x1, y1, x2, y2),) in boxes.items():
        x, y, w, h = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        corners = (max(x - h / 2, 0), max(y - w / 2, 0), min(x + h / 2, WIDTH), min(y + w / 2, HEIGHT))
        want["images/" + name] = [(*corners, "cat", False)]
    return Expected(want, listed=["turned box"])


@quirk(BOXES, "lines, points and skeletons, which surround nothing", "cvat", "left out")
def lines(root: Path) -> Expected:
    boxes = pictures(root / "images", names())
    extra = '<polyline label="cat" points="1,2;3,4"/><points label="cat" points="1,2"/><skeleton label="cat"/>'
    write(root / "annotations.xml", cvat(boxes).replace("</image>", extra + "</image>"))
    return Expected(truth(boxes, prefix="images/"), listed=["polyline instead of a box", "skeleton instead of a box"])


@quirk(SPLITS, "a key of every picture names its split", "cvat", "read")
def subsets(root: Path) -> Expected:
    boxes = pictures(root / "images", names(count=12))
    parts = {name: ("Train", "Validation", "test")[max(0, int(name[:2]) - 7) // 2] for name in boxes}
    images = (
        cvat_image(name, [cvat_box(b, ("cat", "dog")[k]) for k, b in enumerate(own)], f'subset="{parts[name]}"')
        for name, own in boxes.items()
    )
    write(root / "annotations.xml", cvat_xml(*images))
    split = {"Train": "pool", "Validation": "search", "test": "test"}
    return Expected(
        truth(boxes, prefix="images/"), split={f"images/{name}": split[part] for name, part in parts.items()}
    )


def _track(label: str, boxes: dict[int, tuple], task: int) -> str:
    """boxes: frame -> (x1, y1, x2, y2, outside)."""
    shapes = "".join(
        f'<box frame="{frame}" outside="{out}" keyframe="1" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}"/>'
        for frame, (x1, y1, x2, y2, out) in boxes.items()
    )
    return f'<track id="0" label="{label}" task_id="{task}">{shapes}</track>'


def _videos(root: Path, every: int) -> dict:
    """Three tasks, each with tracks of two objects; the second is out of sight at the end. every=1: the first has a
    box in every frame, else in its first and last one.
    """
    want: dict = {}
    for task in range(3):
        own = [k for k in range(12) if k % 3 == task]
        pictures(root / "images", [FRAMES[k] for k in own], first=40 * task)
        stated = own if every == 1 else [own[0], own[-1]]
        cat = {k: (2 * k, 10, 2 * k + 12, 24, 0) for k in stated}
        dog = {k: (40, 30 + k, 60, 40 + k, int(k == own[-1])) for k in own}
        for k in own:
            rows = [(2.0 * k, 10.0, 2.0 * k + 12, 24.0, "cat", False)]
            rows += [] if k == own[-1] else [(40.0, 30.0 + k, 60.0, 40.0 + k, "dog", False)]
            want[f"images/{FRAMES[k]}"] = rows
        tracks = _track("cat", cat, task) + _track("dog", dog, task)
        write(root / f"task_{task}/annotations.xml", cvat_xml(tracks))
    return want


@quirk(TRACKS, "boxes frame by frame, an object out of sight", "cvat", "listed")
def frames(root: Path) -> Expected:
    return Expected(_videos(root, 1), listed=["picture found in another folder"])


@quirk(TRACKS, "key frames only: the box moves evenly between them", "cvat", "listed")
def key_frames(root: Path) -> Expected:
    return Expected(_videos(root, 2), listed=["box between key frames"])


@quirk(TRACKS, "a video whose frames are not there as pictures", "cvat", "refused")
def no_frames(root: Path) -> Expected:
    write(root / "video.mp4", b"\0\0\0\x18ftypmp42")
    write(root / "annotations.xml", cvat_xml(_track("cat", {0: (1, 1, 9, 9, 0)}, 0)))
    return Expected(error="frame_000000.png")
