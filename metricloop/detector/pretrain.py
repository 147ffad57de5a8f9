"""Make the small weights that ship with metricloop: a detector trained on drawn animals other than pandas.

    python -P -m metricloop.detector.pretrain

With them the demo and first trials need no download and no long training from scratch. The file holds the backbone, its
pyramid and the head without its class layer, in half precision: 0.9 MB.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from metricloop.data.letterbox import letterbox
from metricloop.data.pictures import read_picture
from metricloop.data.tables import read_json, replacing
from metricloop.detector.augment import build_augment
from metricloop.detector.detectors import BUILT_IN, CLASS_LAYER, build_detector
from metricloop.detector.engine import Sample, Schedule, fit, settle
from metricloop.drawing.scenes import draw_scenes


def drawn_samples(folder: Path, size: int) -> tuple[list[Sample], np.ndarray, int]:
    """Samples, pictures (n, size, size, 3) and the number of classes of a folder of drawn scenes."""
    content = read_json(folder / "annotations.json")
    boxes: dict[int, list[list[float]]] = {image["id"]: [] for image in content["images"]}
    labels: dict[int, list[int]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        x, y, width, height = annotation["bbox"]
        boxes[annotation["image_id"]].append([x, y, x + width, y + height])
        labels[annotation["image_id"]].append(annotation["category_id"] - 1)
    pictures, samples = [], []
    for row, image in enumerate(content["images"]):
        scale = size / max(image["width"], image["height"])
        pictures.append(letterbox(read_picture(folder / image["file_name"]), size))
        of_image = np.array(boxes[image["id"]], np.float32).reshape(-1, 4) * scale
        samples.append(Sample(row, of_image, np.array(labels[image["id"]], np.int64)))
    return samples, np.stack(pictures), len(content["categories"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=4000)
    parser.add_argument("--iterations", type=int, default=8000)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=BUILT_IN / "drawn_animals.pt")
    given = parser.parse_args()
    settle(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        draw_scenes(Path(folder), given.scenes, seed=1, animals="others")
        samples, pictures, classes = drawn_samples(Path(folder), given.size)
    model = build_detector("fcos_shufflenet", classes, given.size, "none", seed=0)

    def show(iteration: int, loss: float, rate: float) -> None:
        if iteration % 200 == 0:
            print(f"{iteration}/{given.iterations}  loss {loss:.3f}  {rate:.0f} images/s", flush=True)

    schedule = Schedule(given.iterations, batch_size=8, learning_rate=2e-3)
    fit(
        model,
        samples,
        pictures,
        build_augment("albumentations"),
        schedule,
        0,
        device=torch.device("cpu"),
        progress=show,
    )
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in model.state_dict().items()
        if not name.startswith(CLASS_LAYER)
    }
    with replacing(given.out) as temporary:
        torch.save(state, temporary)
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
