"""The section on bad files of benchmarks/pictures.py: which files end a tool, and which it scores."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from metricloop.data.dataset import Dataset
from metricloop.data.pictures import PictureFacts, picture_facts
from metricloop.metrics.contract import Metric
from metricloop.scoring.batch import InProcessBatch
from metricloop.scoring.score_pool import score_pool

Listing = Callable[[Path, Sequence[Path], Sequence[PictureFacts]], Dataset]
Peer = Callable[[Path], dict]  # its result for a folder: "error", or "images" and "scores" by issue and file


def bad_files(folder: Path) -> tuple[list[str], list[str]]:
    """Write readable images, some of them unusual, and unreadable files. Returns the names of both."""
    scene = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8), (640, 480))
    jpeg = cv2.imencode(".jpg", scene)[1].tobytes()
    for k in range(6):
        other = cv2.convertScaleAbs(scene, alpha=1 - 0.1 * k, beta=5 * k)
        (folder / f"good_{k}.jpg").write_bytes(cv2.imencode(".jpg", other)[1].tobytes())
    rgb = Image.fromarray(scene[..., ::-1].copy())
    rgb.convert("LA").save(folder / "grey_and_alpha.png")
    rgb.convert("RGBA").save(folder / "rgba.png")
    rgb.convert("P").save(folder / "palette.png")
    rgb.convert("1").save(folder / "one_bit.png")
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    rgb.resize((1, 1)).save(folder / "one_pixel.png")
    cv2.imwrite(str(folder / "sixteen_bit.png"), scene[..., 0].astype(np.uint16) * 257)
    good = sorted(path.name for path in folder.iterdir())
    (folder / "cut_off.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("<html>404 not found</html>")
    return good, sorted({path.name for path in folder.iterdir()} - set(good))


def survive(folder: Path, metrics: tuple[Metric, ...], listing: Listing) -> dict[str, dict]:
    """The result of `score_pool` for every file: the scores by metric, or the error."""
    files = sorted(folder.iterdir())
    facts = []
    for path in files:  # a listing made before the files went bad
        try:
            facts.append(picture_facts(path))
        except ValueError:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            facts.append(PictureFacts(digest, 640, 480, 1, "", np.uint64(0), np.zeros(0, np.uint8)))
    columns = score_pool(listing(folder, files, facts), InProcessBatch(metrics), max_failures=1)
    return {path.name: {"error": next((c["error"][row] for c in columns.values() if c["error"][row]), None),
                        "scores": {name: float(c["score"][row]) for name, c in columns.items()}}
            for row, path in enumerate(files)}  # fmt: skip


def show(metrics: tuple[Metric, ...], listing: Listing, peer: Peer | None) -> None:
    """Print the section. Errors: AssertionError when a readable image has an error, or an unreadable file has none."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        good, bad = bad_files(folder)
        ours = survive(folder, metrics, listing)
        together = peer(folder) if peer else None
        print(f"""## Bad files

{len(good)} readable images, some of them unusual, and {len(bad)} unreadable files, in one folder. Ours: all
{len(metrics)} metrics. cleanvision: the whole folder at once, then each file with one good image.
""")
        if together:
            said = together.get("error") or f"scores for {together['images']} images"
            print(f"cleanvision on the whole folder: {said}\n")
        print("| file | readable | ours | cleanvision, with one good image |\n|---|---|---|---|")
        for file in [*good, *bad]:
            said = ours[file]
            numbers = sum(not np.isnan(value) for value in said["scores"].values())
            mine = said["error"].replace(f"{folder}/", "") if said["error"] else f"{numbers} of {len(metrics)} scores"
            theirs = _alone(peer, folder, file) if peer else ""
            print(f"| {file} | {'yes' if file in good else 'no'} | {mine} | {theirs} |", flush=True)
        assert all(ours[file]["error"] is None for file in good)
        assert all(ours[file]["error"] for file in bad)
    print(
        "\nA missing score without an error is nan: the metric cannot score this image, like the noise of a flat one."
    )


def _alone(peer: Peer, folder: Path, file: str) -> str:
    with tempfile.TemporaryDirectory() as name:
        for one in {"good_0.jpg", file}:
            (Path(name) / one).write_bytes((folder / one).read_bytes())
        said = peer(Path(name))
    if "error" in said:
        return f"ends: {said['error']}"
    values = {issue: by[file] for issue, by in said["scores"].items() if file in by}
    odd = [f"{issue} {value:.3g}" for issue, value in values.items() if not -0.001 <= value <= 1.001]
    return ("out of [0, 1]: " + ", ".join(odd)) if odd else f"{len(values)} scores"
