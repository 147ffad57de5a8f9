"""What a trial costs, train and evaluate, against torchvision's reference loop as a user writes it.

python -P benchmarks/trials.py lion LION_FOLDER BACKBONE.pth [--seeds 9] [--iterations 250] > trials.md
python -P benchmarks/trials.py demo [--seeds 9] [--iterations 100] >> trials.md

lion: photos at 224 px, as in benchmarks/lion.sh. demo: drawn scenes at 96 px, as in `metricloop init --demo`.
The loops are run in turn, each trial in a fresh process with one thread, on a random quarter of the pool per seed. They
share detector, weights, batches of 8, optimiser, learning rates, kinds of augmentation and number of iterations.

- ours: `train_trial` and `evaluate_models`, as the stages train and evaluate run them. The pixel store is filled
  before, as by the first trial of a study.
- plain: torchvision alone. Its shufflenet_v2_x0_5, feature pyramid, FCOS and resizing as they come, DataLoader without
  workers, PIL decodes each picture in each epoch, and pycocotools (where it is missing the faster faster-coco-eval, as
  ours). All layers learn. Of metricloop it takes only the tables and the initial weights.
- plain, frozen: the same with the layers frozen that ours freezes; on the demo, ours freezes none.

CPU seconds include all threads of the process. `start` is imports, tables and the network; `evaluate` is detecting on
the search split and the COCO numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

BEGAN = time.perf_counter()
PHASES = ("start", "train", "evaluate")
LOOPS = ("ours", "plain", "plain, frozen")
BATCH, THRESHOLD, MOST = 8, 0.01, 100  # images; score and number of detections per image


@dataclass(frozen=True)
class Study:
    """What is trained. root: the folder of the pictures."""

    root: str
    weights: str
    size: int
    learning_rate: float
    iterations: int


@dataclass
class Clock:
    """CPU and wall seconds of each phase."""

    spent: dict[str, tuple[float, float]]
    cpu: float = 0.0
    wall: float = BEGAN

    def end(self, phase: str) -> None:
        """End a phase: store the seconds since the previous phase ended."""
        cpu, wall = time.process_time(), time.perf_counter()
        self.spent[phase] = (cpu - self.cpu, wall - self.wall)
        self.cpu, self.wall = cpu, wall


def random_rows(pool_size: int, seed: int) -> np.ndarray:
    """A random quarter of the pool."""
    return np.sort(np.random.default_rng((5, seed)).choice(pool_size, pool_size // 4, replace=False))


def ours(study: Study, seed: int, clock: Clock) -> float:
    """A trial as the stages run it, in the current folder. Returns its mAP."""
    from metricloop.data.loading import load
    from metricloop.data.manifest import manifest
    from metricloop.detector.augment import build_augment
    from metricloop.detector.detectors import build_detector
    from metricloop.detector.pixel_cache import Pixels
    from metricloop.params import check_params
    from metricloop.training.detect import load_model
    from metricloop.training.evaluate_models import evaluate_models
    from metricloop.training.recipe import train_recipe
    from metricloop.training.trial import CACHE, train_trial

    train = {
        "weights": study.weights, "image_size": study.size, "iterations": study.iterations, "batch_size": BATCH,
        "learning_rate": study.learning_rate, "device": "cpu", "threads": 1,
    }  # fmt: skip
    params = check_params({"study": {"name": "x"}, "data": {"source": study.root}, "train": train})
    pool, search = (load(Path("data"), Path(study.root), split) for split in ("pool", "search"))
    draw = manifest(pool, random_rows(len(pool), seed))
    classes = len(pool.class_names)
    build_augment("albumentations")
    build_detector("fcos_shufflenet", classes, study.size, study.weights, seed)
    for split in (pool, search):
        store = Pixels(split, study.size, CACHE)
        for row in range(len(split)):
            store[row]
    clock.end("start")
    trained = train_trial("ours", pool, draw, params, train_recipe(params, search), seed)
    trained.clear_scratch()
    clock.end("train")
    numbers, _, _ = evaluate_models({seed: load_model(trained.model, classes, params)}, search, params)[seed]
    clock.end("evaluate")
    return numbers["mAP"]


def plain(study: Study, seed: int, clock: Clock, *, frozen: bool) -> float:
    """A trial as a user of torchvision writes it after references/detection. Returns its mAP."""
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision import tv_tensors
    from torchvision.models import shufflenet_v2_x0_5
    from torchvision.models._utils import IntermediateLayerGetter
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.fcos import FCOS, FCOSHead
    from torchvision.ops import FeaturePyramidNetwork
    from torchvision.transforms import v2

    from metricloop.data.dataset import Dataset
    from metricloop.data.loading import load
    from metricloop.detector.detectors import build_detector

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    pool, search = (load(Path("data"), Path(study.root), split) for split in ("pool", "search"))
    augment = v2.Compose(
        [
            v2.RandomHorizontalFlip(0.5),
            v2.RandomApply([v2.RandomAffine(degrees=0, translate=(0.1, 0.1), scale=(0.75, 1.25))], p=0.7),
            v2.RandomApply([v2.ColorJitter(brightness=0.25, contrast=0.25)], p=0.7),
            v2.ClampBoundingBoxes(),
            v2.SanitizeBoundingBoxes(),
        ]
    )
    to_tensor = v2.Compose([v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)])

    class Backbone(torch.nn.Module):
        """As torchvision's BackboneWithFPN, without its fourth level."""

        def __init__(self) -> None:
            super().__init__()
            levels = {"stage2": "0", "stage3": "1", "stage4": "2"}
            self.body = IntermediateLayerGetter(shufflenet_v2_x0_5(), levels)
            self.fpn = FeaturePyramidNetwork([48, 96, 192], 64)
            self.out_channels = 64

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return self.fpn(self.body(x))

    class Pictures(torch.utils.data.Dataset):
        def __init__(self, data: Dataset, rows: np.ndarray, training: bool) -> None:
            self.data, self.rows, self.training = data, rows, training

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, k: int):
            row = int(self.rows[k])
            picture = Image.open(self.data.root / self.data.file[row]).convert("RGB")
            own = self.data.slice(row)
            target: dict[str, Any] = {
                "boxes": tv_tensors.BoundingBoxes(
                    torch.from_numpy(self.data.boxes[own].astype(np.float32)),
                    format="XYXY",
                    canvas_size=picture.size[::-1],
                ),
                "labels": torch.from_numpy(self.data.labels[own].astype(np.int64)) + 1,
            }
            if self.training:
                picture, target = augment(picture, target)
            return to_tensor(picture), target

    classes = len(pool.class_names) + 1
    anchors = AnchorGenerator(sizes=((8,), (16,), (32,)), aspect_ratios=((1.0,),) * 3)
    model = FCOS(
        Backbone(), classes, min_size=study.size, max_size=study.size, anchor_generator=anchors,
        head=FCOSHead(64, 1, classes, num_convs=2), score_thresh=THRESHOLD, detections_per_img=MOST,
    )  # fmt: skip
    initial = build_detector("fcos_shufflenet", classes - 1, study.size, study.weights, seed).state_dict()
    model.load_state_dict({stock_name(name): value for name, value in initial.items()})
    model.train()
    if frozen:
        for part in (model.backbone.body.conv1, model.backbone.body.stage2):
            part.requires_grad_(False).eval()
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=study.learning_rate, weight_decay=0.01)
    warm = study.iterations // 10 or 1
    schedule = torch.optim.lr_scheduler.SequentialLR(
        optimiser,
        [
            torch.optim.lr_scheduler.LinearLR(optimiser, 1 / warm, total_iters=warm),
            torch.optim.lr_scheduler.CosineAnnealingLR(
                optimiser, max(1, study.iterations - warm), eta_min=study.learning_rate / 100
            ),
        ],
        [warm],
    )
    chosen = Pictures(pool, random_rows(len(pool), seed), training=True)

    def collate(batch):
        return tuple(zip(*batch, strict=True))

    loader = DataLoader(chosen, BATCH, shuffle=True, drop_last=True, collate_fn=collate)
    clock.end("start")
    for images, targets in forever(loader, study.iterations):
        loss = sum(model(list(images), list(targets)).values())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 10.0)
        optimiser.step()
        schedule.step()
    clock.end("train")
    model.eval()
    results = []
    with torch.inference_mode():
        for images, _ in DataLoader(Pictures(search, np.arange(len(search)), False), BATCH, collate_fn=collate):
            results += [{name: value.numpy() for name, value in found.items()} for found in model(list(images))]
    score = coco_map(search, results)
    clock.end("evaluate")
    return score


def stock_name(name: str) -> str:
    """The name of one of our detector's weights in the plain loop's model.

    >>> stock_name("backbone.stages.0.0.branch1.0.weight")
    'backbone.body.stage2.0.branch1.0.weight'
    """
    for own, stock in [("stem.0", "conv1"), *((f"stages.{k}", f"stage{k + 2}") for k in range(3))]:
        name = name.replace(f"backbone.{own}.", f"backbone.body.{stock}.")
    return name


def forever(loader: Any, count: int) -> Iterator[Any]:
    """The first `count` batches of a loader that starts again at its end."""
    given = 0
    while True:
        for batch in loader:
            if given == count:
                return
            given += 1
            yield batch


def coco_map(truth: Any, results: list[dict[str, np.ndarray]]) -> float:
    """mAP of detections, one entry per image: boxes xyxy, scores, labels from 1."""
    from contextlib import redirect_stdout

    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ModuleNotFoundError:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as COCOeval

    def xywh(box: np.ndarray) -> list[float]:
        return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]

    objects = [
        {"id": k + 1, "image_id": int(row), "category_id": int(label) + 1, "bbox": xywh(box), "iscrowd": int(crowd),
         "area": float((box[2] - box[0]) * (box[3] - box[1]))}
        for k, (row, label, box, crowd) in enumerate(
            zip(truth.box_row, truth.labels, truth.boxes, truth.crowd, strict=True)
        )
    ]  # fmt: skip
    found = [
        {"image_id": row, "category_id": int(label), "bbox": xywh(box), "score": float(score)}
        for row, one in enumerate(results)
        for box, score, label in zip(one["boxes"], one["scores"], one["labels"], strict=True)
        if label > 0
    ]
    with redirect_stdout(sys.stderr):
        gold = COCO()
        gold.dataset = {
            "images": [{"id": row} for row in range(len(truth))],
            "categories": [{"id": k + 1, "name": name} for k, name in enumerate(truth.class_names)],
            "annotations": objects,
        }
        gold.createIndex()
        evaluator = COCOeval(gold, gold.loadRes(found), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return float(evaluator.stats[0])


def trial(loop: str, study: Study, seed: int) -> None:
    """Run one trial in this process, in the current folder, and print its mAP and the seconds of its phases as JSON."""
    clock = Clock({})
    score = ours(study, seed, clock) if loop == "ours" else plain(study, seed, clock, frozen=loop != "plain")
    print(json.dumps({"mAP": score, "spent": clock.spent}))


def measure(study: Study, folder: Path, seeds: int, loops: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """Run the loops in turn, seed by seed. Returns what `trial` prints, by loop."""
    results: dict[str, list[dict[str, Any]]] = {loop: [] for loop in loops}
    for seed in range(seeds):
        for loop in loops[seed % len(loops) :] + loops[: seed % len(loops)]:
            command = [sys.executable, "-P", str(Path(__file__).resolve()), "--trial", loop, str(seed)]
            done = subprocess.run(
                [*command, json.dumps(vars(study))], cwd=folder, check=True, stdout=subprocess.PIPE, text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            )  # fmt: skip
            results[loop].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{loop} seed {seed}: {results[loop][-1]}", file=sys.stderr, flush=True)
    return results


def table(results: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Median CPU seconds of each phase, of all of them, the wall clock's, and the mAP, one row a loop."""
    yield "| loop | " + " | ".join(PHASES) + " | CPU s | without start | wall s | mAP ± sd |"
    yield "| --- |" + " ---: |" * (len(PHASES) + 4)
    for loop, trials in results.items():
        spent = np.array(
            [[one["spent"][phase] for phase in PHASES] for one in trials]
        )  # (trials, phases, CPU and wall)
        whole = np.median(spent.sum(axis=1), axis=0)
        phases = " | ".join(f"{seconds:.1f}" for seconds in np.median(spent[..., 0], axis=0))
        work = np.median(spent[:, 1:, 0].sum(axis=1))
        scores = np.array([one["mAP"] for one in trials])
        spread = f" ± {scores.std(ddof=1):.3f}" if len(scores) > 1 else ""
        yield f"| {loop} | {phases} | {whole[0]:.1f} | {work:.1f} | {whole[1]:.1f} | {scores.mean():.3f}{spread} |"


def main() -> None:
    if sys.argv[1:2] == ["--trial"]:
        trial(sys.argv[2], Study(**json.loads(sys.argv[4])), int(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", choices=["lion", "demo"])
    parser.add_argument("data", nargs="?", type=Path, help="the data set's folder (lion)")
    parser.add_argument("weights", nargs="?", type=Path, help="a state dict of the backbone (lion)")
    parser.add_argument("--seeds", type=int, default=9)
    parser.add_argument("--iterations", type=int, help="250 for lion, 100 for demo")
    given = parser.parse_args()
    if given.study == "lion" and not (given.data and given.weights):
        parser.error("lion needs the folder of the data set and the file of the backbone's weights")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.study == "lion":
            study = Study(str(given.data.resolve()), str(given.weights.resolve()), 224, 0.001, given.iterations or 250)
        else:
            study = Study(str(folder / "scenes"), "drawn", 96, 0.002, given.iterations or 100)
        prepare(study, folder, drawn=given.study == "demo")
        results = measure(study, folder, given.seeds, LOOPS if given.study == "lion" else LOOPS[:2])
    print(f"## {given.study}: {study.size} px, {study.iterations} iterations of {BATCH}, {given.seeds} seeds\n")
    machine = f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}"
    print(f"{date.today()}, one thread, {machine}\n")
    print("\n".join(table(results)), end="\n\n")
    for loop in results:
        if loop != "ours":
            print(f"- {ratio(results['ours'], results[loop])} against {loop}")


def ratio(own: list[dict[str, Any]], other: list[dict[str, Any]]) -> str:
    """How many times less CPU our trials need, with and without the start of the process, and the difference in mAP."""
    spent = [np.array([[one["spent"][p][0] for p in PHASES] for one in trials]) for trials in (own, other)]
    whole, work = (np.median(spent[1][:, k:].sum(axis=1)) / np.median(spent[0][:, k:].sum(axis=1)) for k in (0, 1))
    gain = np.array([a["mAP"] - b["mAP"] for a, b in zip(own, other, strict=True)])
    error = f" ± {gain.std(ddof=1) / np.sqrt(len(gain)):.3f} (standard error)" if len(gain) > 1 else ""
    return f"{work:.2f}x less CPU ({whole:.2f}x with the start), mAP {gain.mean():+.3f}{error}"


def prepare(study: Study, folder: Path, *, drawn: bool) -> None:
    """Write the tables of the study, with half of the objects damaged, to folder/data."""
    from metricloop.data.damage import Corrupt
    from metricloop.data.formats import read
    from metricloop.data.ingest import ingest, write
    from metricloop.drawing.scenes import draw_scenes

    root = Path(study.root)
    if drawn:
        draw_scenes(root, 720, seed=0, size=160)
    damage = Corrupt(preset="article", strength=0.5)
    write(ingest(read(root, "auto", []), root, corrupt=damage, search_share=0.1, test_share=0.1), folder / "data")


if __name__ == "__main__":
    main()
