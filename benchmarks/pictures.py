"""Speed of the metrics of whole images, against plain decoding and against cleanvision; and which files each can read.

python -P benchmarks/pictures.py --cleanvision PYTHON PHOTOS... > benchmarks/results/pictures.md

PHOTOS are folders of images; PYTHON is the interpreter of an environment with `pip install cleanvision` (without it
only our own half is measured). One core, one thread; the two sides run in turn, several times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import runpy
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.pictures import (
    SUFFIXES,
    PictureFacts,
    decode_small,
    fingerprint,
    near_duplicates,
    picture_facts,
    reduction_for,
)
from metricloop.metrics.catalogue import detail, header, picture
from metricloop.metrics.catalogue._small import SIDE
from metricloop.metrics.contract import Metric, call_metric, spec_of
from metricloop.scoring.batch import InProcessBatch
from metricloop.scoring.metric_file import metrics_in
from metricloop.scoring.metric_inputs import MetricInputs, unread_frame
from metricloop.scoring.score_pool import score_pool

TURNS, PEER_TURNS = 15, 3
PEER = Path(__file__).parent / "peers" / "cleanvision_issues.py"
ALL: tuple[Metric, ...] = (*metrics_in(picture).values(), *metrics_in(detail).values())
# Our metrics for cleanvision's issues: dark, light, blurry, low information, grayscale, odd aspect ratio, odd size.
SAME = (picture.highlights, picture.shadows, detail.sharpness, picture.entropy, picture.saturation,
        header.image_aspect, header.image_area)  # fmt: skip
# "kept": glibc gives no memory back. By default it may map and clear memory for every full-size image again.
ALLOCATORS = {"default": {}, "kept": {"MALLOC_MMAP_THRESHOLD_": "100000000", "MALLOC_TRIM_THRESHOLD_": "1000000000"}}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def pool_of_pictures(folder: Path, files: Sequence[Path], facts: Sequence[PictureFacts]) -> Dataset:
    """A pool of images without labels."""
    n, none = len(files), np.zeros(0, int)
    name = np.array([str(path.relative_to(folder)) for path in files], object)
    return Dataset(
        root=folder, class_names=("object",), image_id=np.arange(n), file=name,
        sha256=np.array([seen.sha256 for seen in facts], object), width=np.array([seen.width for seen in facts]),
        height=np.array([seen.height for seen in facts]), group=name, split=name, box_id=none,
        boxes=np.zeros((0, 4), np.float32), labels=none, crowd=none > 0, offsets=np.zeros(n + 1, int),
    )  # fmt: skip


def against_decoding(folder: Path) -> dict:
    """Seconds per turn of plain decoding and of all our metrics, which take turns in this process."""
    files = files_in(folder)
    pool = pool_of_pictures(folder, files, [picture_facts(path) for path in files])
    held = [np.frombuffer(path.read_bytes(), np.uint8) for path in files]
    seconds: dict[str, list[float]] = {"decode": [], "ours": []}
    for _ in range(TURNS):
        began = time.perf_counter()
        for data in held:
            cv2.imdecode(data, cv2.IMREAD_COLOR)
        middle = time.perf_counter()
        columns = score_pool(pool, InProcessBatch(ALL))
        seconds["ours"].append(time.perf_counter() - middle)
        seconds["decode"].append(middle - began)
        assert not any(error for column in columns.values() for error in column["error"])
    size = f"{int(np.median(pool.width))} x {int(np.median(pool.height))}"
    return {"folder": folder.name, "images": len(files), "size": size, "kb": statistics.mean(map(len, held)) / 1e3,
            **seconds}  # fmt: skip


def bare(folder: Path) -> dict:
    """Seconds from bare files to the answers for all of cleanvision's issues, in two passes as in our own pipeline."""
    files = files_in(folder)
    began = time.perf_counter()
    facts = [picture_facts(path) for path in files]  # hash, size and fingerprint, of the full picture
    score_pool(pool_of_pictures(folder, files, facts), InProcessBatch(SAME))
    duplicates = copies([seen.sha256 for seen in facts], [(seen.hash, seen.thumbnail) for seen in facts])
    return {"seconds": time.perf_counter() - began, "images": len(files), **duplicates}


def listed(folder: Path) -> dict:
    """The same in one pass, when the sizes are known already."""
    files = files_in(folder)
    pool = pool_of_pictures(folder, files, [picture_facts(path) for path in files])
    measured = [metric for metric in SAME if spec_of(metric).scope == "frame"]
    frames = [unread_frame(MetricInputs(pool), row).frame for row in range(len(pool))]
    began = time.perf_counter()
    for metric in SAME:
        if spec_of(metric).scope == "dataset":
            call_metric(metric, pool)
    digests, prints = [], []
    for path, empty in zip(files, frames, strict=True):
        data = path.read_bytes()
        digests.append(hashlib.sha256(data).hexdigest())
        image = decode_small(data, reduction_for(max(empty.width, empty.height), SIDE))
        frame = replace(empty, image=image)
        for metric in measured:
            call_metric(metric, frame)
        prints.append(fingerprint(image))
    duplicates = copies(digests, prints)
    return {"seconds": time.perf_counter() - began, "images": len(files), **duplicates}


def copies(digests: Sequence[str], prints: Sequence[tuple[np.uint64, np.ndarray]]) -> dict:
    hashes, thumbnails = zip(*prints, strict=True)
    pairs = near_duplicates(np.array(hashes), np.stack(thumbnails))
    return {"exact": len(digests) - len(set(digests)), "near": len(pairs)}


def apart(*command: str, environment: dict[str, str]) -> dict:
    """Run a command in a process of its own; returns the JSON of the last line that it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"error": f"exit {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"}
    return json.loads(lines[-1])


def own(step: str, folder: Path, allocator: str = "default") -> dict:
    return apart(sys.executable, "-P", __file__, "--step", step, str(folder),
                 environment=ONE_THREAD | ALLOCATORS[allocator])  # fmt: skip


def cleanvision(python: str, folder: Path) -> dict:
    return apart(python, str(PEER), str(folder), environment=ONE_THREAD)


def show_decoding(folders: Sequence[Path]) -> None:
    print(f"""## Against plain decoding

{len(ALL)} metrics through `scoring.score_pool`: reading the file, SHA-256, the check for completeness, decoding at a
reduced scale, resizing, every metric, the tables. The metrics are {", ".join(function.__name__ for function in ALL)}.
The other side is
`cv2.imdecode` of the same bytes at full size, already in memory. One process and one thread, in turn,
{TURNS} times, medians; ratios are taken within a turn.

| photos | size | KB | allocator | decode, images/s | ours, images/s | ratio | lowest, highest |
|---|---|---:|---|---:|---:|---:|---:|""")
    for folder in folders:
        for allocator in ALLOCATORS:
            found = own("decoding", folder, allocator)
            n, decode, ours = found["images"], found["decode"], found["ours"]
            ratios = [a / b for a, b in zip(decode, ours, strict=True)]
            print(f"| {folder.parent.name if folder.name == 'images' else folder.name}, {n} | {found['size']} | "
                  f"{found['kb']:.0f} | {allocator} | {n / statistics.median(decode):.0f} | "
                  f"{n / statistics.median(ours):.0f} | {statistics.median(ratios):.2f} | "
                  f"{min(ratios):.2f}, {max(ratios):.2f} |", flush=True)  # fmt: skip
    print("""
Allocator: "default" is glibc's default in a new process; with "kept" it never gives memory back, so decoding at full
size has no page faults, which may also happen in a long process. Different: plain decoding reads no file and checks
nothing, and nothing uses its images.
""")


def show_peer(python: str, folders: Sequence[Path]) -> None:
    print(f"""## Against cleanvision

All of cleanvision's default issues, `n_jobs=1`, and our metrics for the same questions: `highlights`,
`shadows`, `sharpness`, `entropy`, `saturation`, `image_aspect`, `image_area`, equal hashes and near-duplicates.
One process each, in turn, {PEER_TURNS} times, without imports, medians. "bare": from unknown files,
each decoded twice at a reduced scale: for size and fingerprint (`data.pictures.picture_facts`), and for the metrics.
"listed": one pass over files whose sizes are in the image table; the fingerprint is also taken of the reduced image.

| photos | ours from | cleanvision, images/s | ours, images/s | ratio | lowest, highest |
|---|---|---:|---:|---:|---:|""")
    for folder in folders:
        turns = [(cleanvision(python, folder), own("bare", folder), own("listed", folder)) for _ in range(PEER_TURNS)]
        title = folder.parent.name if folder.name == "images" else folder.name
        if ended := next((peer["error"] for peer, *_ in turns if "error" in peer), None):
            print(f"| {title} | | ended: {ended} | | | |")
            continue
        peers, *sides = zip(*turns, strict=True)
        for way, side in zip(("bare", "listed"), sides, strict=True):
            ratios = [peer["seconds"] / ours["seconds"] for peer, ours in zip(peers, side, strict=True)]
            rates = [statistics.median(one["images"] / one["seconds"] for one in those) for those in (peers, side)]
            print(f"| {title}, {peers[0]['images']} | {way} | {rates[0]:.0f} | {rates[1]:.0f} | "
                  f"{statistics.median(ratios):.0f} | {min(ratios):.0f}, {max(ratios):.0f} |", flush=True)  # fmt: skip
    print(f"""
Version {turns[0][0].get("version")}; its issues: {", ".join(turns[0][0].get("issues", []))}.
Different: cleanvision uses full-size pixels, calls images with equal perceptual hashes near-duplicates, and flags
images by thresholds. Ours uses 96 pixels, checks every file for completeness, and gives scores without thresholds. The
time of "listed" does not include reading the sizes.
""")


STEPS = {"decoding": against_decoding, "bare": bare, "listed": listed}  # each in a process of its own


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cleanvision", metavar="PYTHON")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("photos", nargs="+", type=Path)
    given = parser.parse_args(argv)
    cv2.setNumThreads(1)
    if given.step:
        print(json.dumps(STEPS[given.step](given.photos[0])))
        return
    cpu = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ""
    )
    print(f"""# Metrics of whole images

`python -P benchmarks/pictures.py`, {date.today()}, {os.cpu_count()} cores ({cpu.strip()}), of which one is used,
Python {platform.python_version()}, OpenCV {cv2.__version__}.
""")
    show_decoding(given.photos)
    if given.cleanvision:
        show_peer(given.cleanvision, given.photos)
    peer = partial(cleanvision, given.cleanvision) if given.cleanvision else None
    # by path, because with -P a script does not see its neighbours
    runpy.run_path(str(Path(__file__).with_name("bad_pictures.py")))["show"](ALL, pool_of_pictures, peer)


if __name__ == "__main__":
    main()
