"""What the fuzzed tests and the kept corpus share: small sets of every format, and what counts as an answer."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from odd_sets import coco, dump, ingested, names, pictures, voc, write, yolo
from packed_set import one_box, pack, parquet, samples
from quirks.ytvos import _set as ytvos
from tool_sets import cvat, fiftyone, studio

from metricloop.data.formats.problem import RefusedError
from metricloop.data.ingest import write as write_tables
from metricloop.data.problem_list import write_problems
from metricloop.data.splits import SplitError
from metricloop.data.summary import describe

FORMATS = (
    *("coco", "yolo", "voc", "ytvos", "cvat", "label-studio", "fiftyone"),
    *("huggingface", "huggingface-parquet", "huggingface-tar", "coco-zip"),
)
SECONDS = 20  # of computing; a tenth of a second is usual


def make_set(name: str, root: Path) -> dict[Path, bytes]:
    """A small data set of this format below `root`; the label files that are changed, with their content."""
    if name == "coco":
        dump(root / "a.json", coco(pictures(root, names(count=5))))
        files = ["a.json"]
    elif name == "yolo":
        yolo(root, pictures(root, names("images/", 5)))
        files = ["data.yaml", "labels/00.txt"]
    elif name == "voc":
        voc(root, pictures(root / "JPEGImages", names(count=5)))
        write(root / "ImageSets/Main/train.txt", "00\n01\n02\n")
        write(root / "ImageSets/Main/val.txt", "03\n04\n")
        files = ["Annotations/00.xml", "ImageSets/Main/train.txt"]
    elif name == "ytvos":
        ytvos(root, videos=4)
        files = ["meta.json", "Annotations/0000/00000.png"]
    elif name == "cvat":
        write(root / "annotations.xml", cvat(pictures(root / "images", names(count=5))))
        files = ["annotations.xml"]
    elif name == "label-studio":
        dump(root / "tasks.json", studio(pictures(root, names(count=5)), "/data/upload/1/0a1b2c3d-{}".format))
        files = ["tasks.json"]
    elif name == "huggingface":
        lines = [{"file_name": own, "objects": one_box(1)[0]} for own in pictures(root, names(count=5))]
        write(root / "metadata.jsonl", "\n".join(json.dumps(line) for line in lines))
        files = ["metadata.jsonl"]
    elif name == "huggingface-parquet":
        parquet(root / "part.parquet", samples(5), one_box(5), ["cat"])
        files = ["part.parquet"]
    elif name == "huggingface-tar":
        for own in pictures(root / "plain", names(count=5)):
            dump(root / f"plain/{Path(own).stem}.json", {"objects": one_box(1)[0]})
        pack(root / "plain", root / "a.tar")
        shutil.rmtree(root / "plain")
        files = ["a.tar"]
    elif name == "coco-zip":
        dump(root / "plain/a.json", coco(pictures(root / "plain", names(count=5))))
        pack(root / "plain", root / "a.zip")
        shutil.rmtree(root / "plain")
        files = ["a.zip"]
    else:
        dump(root / "labels.json", fiftyone(pictures(root / "data", names(count=5))))
        files = ["labels.json"]
    return {root / file: (root / file).read_bytes() for file in files}


def answered(root: Path) -> None:
    """Ingest ends in seconds, with tables that can be written or with a refusal that can be printed."""
    started = time.process_time()
    _answered(root)
    assert time.process_time() - started < SECONDS


def _answered(root: Path) -> None:
    try:
        tables = ingested(root)
    except (RefusedError, SplitError) as error:
        refused = error
    else:
        refused = None
    if refused:
        assert str(refused).strip()
        write_problems(root.parent / "problems.csv", refused.problems)
        return
    write_tables(tables, root.parent / "data")
    describe(tables.summary).encode("utf-8", "backslashreplace")
    assert all(0 <= v <= 200 for side in ("x1", "y1", "x2", "y2") for v in tables.boxes[side])
