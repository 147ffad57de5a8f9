"""Trials on a GPU: speed, memory, several of them on one card, and the same mAP as on a CPU.

PYTHONPATH=. python benchmarks/gpu.py > benchmarks/results/gpu.md

For a bare machine: it needs Python, NumPy, torch and torchvision, and this repository's source on PYTHONPATH. Under ten
minutes: what does not fit into --minutes is left out and named. `--device cpu` runs the same code in a tiny form, to
see that it works; its numbers mean nothing. The pictures are drawn: ellipses and rectangles on noise.

Exit status: 0 when every check passed, 1 when one failed, 2 when something is missing.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HOME = Path(__file__).resolve().parents[1]
NEEDED = {
    "numpy": "pip install numpy",
    "torch": "pip install torch torchvision",
    "torchvision": "pip install torch torchvision",
    "metricloop": f"set PYTHONPATH={HOME}",
}
CLASSES = 2
WARM = 5  # iterations before the clock starts
GIB = 2**30


@dataclass(frozen=True)
class Scale:
    """How much is measured; TINY is the form for a machine without a GPU."""

    detectors: tuple[str, ...] | None  # None: all
    size: int
    batch: int
    iterations: int
    predicted: int  # images
    together: tuple[int, ...]  # trials at the same time
    shared: tuple[str, ...]  # the detectors that share the card
    seeds: int
    drawn: int  # pictures to train on in the comparison with a CPU, and as many to evaluate
    learning: int  # its iterations
    limit_gib: float  # of memory, for the check of what is said when it is full


FULL = Scale(None, 320, 16, 100, 256, (1, 2, 4, 8), ("fcos_shufflenet", "fcos_resnet50_fpn"), 3, 160, 200, 1.0)
TINY = Scale(("fcos_shufflenet",), 64, 2, 2, 4, (2,), ("fcos_shufflenet",), 1, 4, 2, 1.0)


def missing() -> list[str]:
    """One line for each package that is not there, with what to do."""
    return [f"{name} is missing: {remedy}" for name, remedy in NEEDED.items() if find_spec(name) is None]


def settle(threads: int) -> None:
    """The settings of every trial. They include one of OpenCV, which a bare machine may lack: it is left out there."""
    from metricloop.detector import engine

    if find_spec("cv2"):
        engine.settle(threads)
        return
    sys.modules["cv2"] = SimpleNamespace(setNumThreads=lambda threads: None)  # type: ignore[assignment]
    try:
        engine.settle(threads)
    finally:
        del sys.modules["cv2"]


def draw(n: int, size: int, seed: int) -> tuple[Any, list[Any]]:
    """Pictures (n, size, size, 3) with red ellipses (class 0) and blue rectangles (class 1), and their samples."""
    import numpy as np

    from metricloop.detector.engine import Sample

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    pictures = rng.integers(60, 140, (n, size, size, 3), dtype=np.uint8)
    samples = []
    for row in range(n):
        count = int(rng.integers(1, 4))
        sides = rng.integers(size // 6, size // 2, (count, 2))
        corner = (rng.random((count, 2)) * (size - sides)).astype(int)
        labels = rng.integers(0, CLASSES, count)
        for (left, top), (width, height), label in zip(corner, sides, labels, strict=True):
            across, down = (x - left + 0.5) / width * 2 - 1, (y - top + 0.5) / height * 2 - 1
            inside = (np.abs(across) < 1) & (np.abs(down) < 1) if label else across**2 + down**2 < 1
            pictures[row][inside] = (40, 60, 220) if label else (220, 50, 40)
        samples.append(Sample(row, np.hstack([corner, corner + sides]).astype(np.float32), labels.astype(np.int64)))
    return pictures, samples


def mean_ap(samples: list[Any], found: list[Any]) -> float:
    """COCO's mAP@[.50:.95], with NumPy alone."""
    import numpy as np

    from metricloop.data.boxes import iou
    from metricloop.evaluation.greedy_match import greedy_match

    values = []
    for label in range(CLASSES):
        pairs = []
        for sample, one in zip(samples, found, strict=True):
            own = one.labels == label
            pairs.append((iou(sample.boxes[sample.labels == label], one.boxes[own]), one.scores[own]))
        objects = sum(len(shared) for shared, _ in pairs)
        order = np.argsort(-np.concatenate([scores for _, scores in pairs]), kind="stable")
        for threshold in np.linspace(0.5, 0.95, 10) if objects else ():
            hits = []
            for shared, scores in pairs:
                matched = greedy_match(shared, np.argsort(-scores, kind="stable"), threshold)
                hits.append(np.isin(np.arange(len(scores)), matched))
            right = np.cumsum(np.concatenate(hits)[order])
            precision = right / np.arange(1, len(right) + 1)
            envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
            values.append(envelope[np.searchsorted(right / objects, np.linspace(0, 1, 101))].mean())
    return float(np.mean(values))


def train(
    name: str, pictures: Any, samples: list[Any], *, device: str, size: int, batch: int, iterations: int,
    amp: bool = False, seed: int = 0, rate: float | None = None, progress: Callable[..., None] = lambda *_: None,
) -> Any:  # fmt: skip
    """A detector trained from scratch as a trial trains it, without augmentation."""
    import torch

    from metricloop.detector.architectures import learning_rate
    from metricloop.detector.augment import build_augment
    from metricloop.detector.detectors import build_detector
    from metricloop.detector.engine import Schedule, fit

    model = build_detector(name, CLASSES, size, "none", seed)
    schedule = Schedule(iterations, batch, rate or learning_rate(name), amp)
    fit(model, samples, pictures, build_augment("none"), schedule, seed, device=torch.device(device), progress=progress)
    return model


def detect(model: Any, pictures: Any, device: str) -> list[Any]:
    """The detections of every picture."""
    import numpy as np
    import torch

    from metricloop.detector.engine import predict

    rows = range(len(pictures))
    return predict(
        model, rows, pictures, np.ones(len(pictures)), device=torch.device(device), score_threshold=0.01,
        max_detections=100,
    )  # fmt: skip


@contextmanager
def utilisation(device: str) -> Iterator[list[float]]:
    """Percent of the time in which the GPU worked, read five times a second from nvidia-smi; empty without it."""
    import torch

    seen: list[float] = []
    watcher = None
    if device != "cpu":
        card = getattr(torch.cuda.get_device_properties(torch.device(device)), "uuid", None)
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=200"]
        if card is not None:
            command.append(f"--id=GPU-{str(card).removeprefix('GPU-')}")
        try:
            watcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            watcher = None

    def read() -> None:
        for line in watcher.stdout:
            if line.strip().isdigit():  # a slice of a card (MIG) says [N/A]
                seen.append(float(line))

    reader = threading.Thread(target=read, daemon=True)
    if watcher:
        reader.start()
    try:
        yield seen
    finally:
        if watcher:
            watcher.kill()
            watcher.wait()
            reader.join()


def forget_memory(device: str) -> None:
    """Give back the memory of earlier runs, and count the peak from now on."""
    import torch

    if device != "cpu":
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def timed_training(name: str, scale: Scale, device: str, amp: bool, wait: Callable[[], None] = lambda: None) -> dict:
    """Rate, busy share of the GPU and peak memory of a training; `wait` is called before the clock starts."""
    import torch

    on_card = device != "cpu"
    pictures, samples = draw(4 * scale.batch, scale.size, seed=0)
    began = ended = 0.0

    def progress(iteration: int, loss: float, rate: float) -> None:
        nonlocal began, ended
        ended = time.time()
        if iteration == WARM:
            wait()
            if on_card:
                torch.cuda.synchronize()
            seen.clear()
            began = time.time()

    with utilisation(device) as seen:
        forget_memory(device)
        train(
            name, pictures, samples, device=device, size=scale.size, batch=scale.batch, amp=amp,
            iterations=WARM + scale.iterations, progress=progress,
        )  # fmt: skip
        if on_card:
            torch.cuda.synchronize()
            ended = time.time()
    return {
        "images": scale.batch * scale.iterations, "began": began, "ended": ended,
        "rate": scale.batch * scale.iterations / (ended - began),
        "busy": sum(seen) / len(seen) if seen else None,
        "peak": torch.cuda.max_memory_reserved() / GIB if on_card else None,
    }  # fmt: skip


def speed(scale: Scale, device: str, seconds_left: Callable[[], float]) -> list[str]:
    """A table with a row for each detector, with and without mixed precision. Returns what failed."""
    from metricloop.detector.architectures import NAMES

    show(
        "## Speed",
        f"{scale.size} px, batches of {scale.batch}, weights none, no augmentation. Prediction uses single precision.",
        "Busy: share of the time in which the GPU worked during training, from nvidia-smi.",
        "",
        "| detector | mixed precision | train, images/s | busy, % | memory, GiB | predict, images/s | memory, GiB |",
        "|---|---|---:|---:|---:|---:|---:|",
    )
    failed = []
    for name in scale.detectors or NAMES:
        for amp in (False, True) if device != "cpu" else (False,):
            if seconds_left() < 30:
                show(f"| {name} | {'yes' if amp else 'no'} | not measured: no time left | | | | |")
                continue
            try:
                run = timed_training(name, scale, device, amp)
                rate, peak = ("", "") if amp else timed_prediction(name, scale, device)
            except RuntimeError as error:  # the other detectors are still measured
                failed.append(f"{name}, mixed precision {amp}: {str(error).partition(chr(10))[0]}")
                show(f"| {name} | {'yes' if amp else 'no'} | failed, see below | | | | |")
                continue
            row = [name, "yes" if amp else "no", number(run["rate"]), number(run["busy"]), number(run["peak"], 1)]
            show(f"| {' | '.join([*row, rate, peak])} |")
    evaluate(scale, device)
    return failed


def timed_prediction(name: str, scale: Scale, device: str) -> tuple[str, str]:
    """Images per second and peak memory of a prediction with an untrained detector."""
    import torch

    from metricloop.detector.detectors import build_detector

    pictures, _ = draw(scale.predicted, scale.size, seed=1)
    model = build_detector(name, CLASSES, scale.size, "none", 0)
    detect(model, pictures[:16], device)
    forget_memory(device)
    began = time.perf_counter()
    detect(model, pictures, device)  # ends with the detections in NumPy, so nothing is still running
    rate = len(pictures) / (time.perf_counter() - began)
    return number(rate), number(torch.cuda.max_memory_reserved() / GIB, 1) if device != "cpu" else ""


def evaluate(scale: Scale, device: str) -> None:
    """How long mAP takes, which no GPU shortens."""
    from metricloop.detector.detectors import build_detector

    pictures, samples = draw(scale.predicted, scale.size, seed=1)
    found = detect(build_detector("fcos_shufflenet", CLASSES, scale.size, "none", 0), pictures, device)
    began = time.perf_counter()
    mean_ap(samples, found)
    rate = len(samples) / (time.perf_counter() - began)
    show("", f"Evaluation (on the CPU, this script's own mAP): {rate:.0f} images/s with up to 100 detections each.")


def sharing(scale: Scale, device: str, seconds_left: Callable[[], float]) -> list[str]:
    """A table of several trials on one card, each in its own process. Returns what failed."""
    show(
        "## Several trials on one card",
        "Each in its own process, single precision; the clock runs from the first start to the last end. Memory is",
        "what torch holds; each process needs some hundred MB for the driver beside it.",
        "",
        "| detector | trials | images/s of all | of the slowest | memory of all, GiB |",
        "|---|---:|---:|---:|---:|",
    )
    failed = []
    for name in scale.shared:
        for trials in scale.together:
            if seconds_left() < 60:
                show(f"| {name} | {trials} | not measured: no time left | | |")
                continue
            runs, error = run_together(name, scale, device, trials)
            if error:
                failed.append(f"{trials} trials of {name}: {error}")
                show(f"| {name} | {trials} | failed: {error} | | |")
                continue
            wall = max(run["ended"] for run in runs) - min(run["began"] for run in runs)
            total, slowest = sum(run["images"] for run in runs) / wall, min(run["rate"] for run in runs)
            memory = number(sum(run["peak"] for run in runs), 1) if device != "cpu" else ""
            show(f"| {name} | {trials} | {number(total)} | {number(slowest)} | {memory} |")
    return failed


def run_together(name: str, scale: Scale, device: str, trials: int) -> tuple[list[dict], str]:
    """What each trial measured, and the error of the first that failed; the clocks start when all are warm."""
    threads = max(1, (os.cpu_count() or 1) // trials)
    plan = json.dumps({"name": name, "scale": vars(scale), "device": device, "threads": threads})
    paths = os.pathsep.join(filter(None, (str(HOME), os.environ.get("PYTHONPATH"))))
    workers = [
        subprocess.Popen(
            [sys.executable, "-P", __file__, "--worker", plan], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths},
        )
        for _ in range(trials)
    ]  # fmt: skip
    limit = threading.Timer(180, lambda: [worker.kill() for worker in workers])
    limit.start()
    try:
        for worker in workers:
            worker.stdout.readline()  # "warm", or nothing when it ended
        if all(worker.poll() is None for worker in workers):
            for worker in workers:
                worker.stdin.write("go\n")
                worker.stdin.flush()
        said = [worker.communicate() for worker in workers]
    finally:
        limit.cancel()
        for worker in workers:
            worker.kill()
            worker.wait()
    for worker, (_, errors) in zip(workers, said, strict=True):
        if worker.returncode:
            return [], (errors.strip().splitlines() or [f"exit status {worker.returncode}"])[-1]
    return [json.loads(out) for out, _ in said], ""


def work(plan: dict) -> None:
    """One of several trials: say "warm", wait for a line, train, print what was measured."""
    import torch

    settle(plan["threads"])
    if plan["device"] != "cpu":
        torch.cuda.set_device(plan["device"])

    def wait() -> None:
        print("warm", flush=True)
        if not sys.stdin.readline():
            raise SystemExit("another trial ended before the start")

    print(json.dumps(timed_training(plan["name"], Scale(**plan["scale"]), plan["device"], amp=False, wait=wait)))


def agreement(scale: Scale, device: str, seconds_left: Callable[[], float]) -> list[str]:
    """mAP of trials on the CPU and on the GPU with the same seeds. Returns what failed."""
    import numpy as np

    from metricloop.detector.architectures import NAMES

    size, batch = min(scale.size, 96), min(scale.batch, 8)
    pictures, samples = draw(scale.drawn, size, seed=2)
    held_out, truth = draw(scale.drawn, size, seed=3)
    show(
        "## The same mAP as on a CPU",
        f"fcos_shufflenet from scratch: {scale.drawn} drawn pictures of {size} px, {scale.learning} iterations of",
        f"{batch}, {len(held_out)} others to evaluate.",
        "",
        f"| seed | trained on the CPU | trained on {device} | trained on the CPU, predicts on {device} |",
        "|---:|---:|---:|---:|",
    )
    rows = []
    for seed in range(scale.seeds):
        if seconds_left() < 45:
            show(f"| {seed} | not measured: no time left | | |")
            continue
        row = []
        for place in ("cpu", device):
            model = train(
                "fcos_shufflenet", pictures, samples, device=place, size=size, batch=batch, iterations=scale.learning,
                seed=seed, rate=2e-3,
            )  # fmt: skip
            row.append(mean_ap(truth, detect(model, held_out, place)))
            if place == "cpu":
                moved = mean_ap(truth, detect(model, held_out, device))
        rows.append([*row, moved])
        show(f"| {seed} | {' | '.join(f'{value:.3f}' for value in rows[-1])} |")
    show("", *(repeated(name, scale, device) for name in scale.detectors or NAMES if seconds_left() > 30))
    on_cpu, on_card, moved = np.array(rows).reshape(-1, 3).T
    return judge_agreement(on_cpu, on_card, moved)


def repeated(name: str, scale: Scale, device: str) -> str:
    """Two trainings with one seed: the largest difference between their weights."""
    pictures, samples = draw(2 * scale.batch, scale.size, seed=5)
    first, again = (
        train(name, pictures, samples, device=device, size=scale.size, batch=scale.batch, iterations=10).state_dict()
        for _ in range(2)
    )
    apart = max(float((first[key].double() - again[key].double()).abs().max()) for key in first)
    return f"- {name}, trained twice with one seed, ten iterations: weights differ by at most {apart:.1g}"


def judge_agreement(on_cpu: Any, on_card: Any, moved: Any) -> list[str]:
    """The checks of `agreement`: one model predicts the same, and trained ones differ by no more than seeds do."""
    import numpy as np

    failed = []
    if not len(on_cpu):
        return ["no seed was trained on both devices"]
    largest = float(np.abs(moved - on_cpu).max())
    if largest > 0.005:
        failed.append(f"the same weights give another mAP: {largest:.4f} apart, more than 0.005")
    if len(on_cpu) > 1:
        apart = float(on_card.mean() - on_cpu.mean())
        spread = float(np.sqrt((on_cpu.var(ddof=1) + on_card.var(ddof=1)) / len(on_cpu)))
        allowed = max(0.02, 3 * spread)
        show("", f"Mean difference {apart:+.4f}; its standard error from the spread over seeds {spread:.4f}.")
        if abs(apart) > allowed:
            failed.append(f"trained on the GPU, mAP differs by {apart:+.4f}, more than {allowed:.4f}")
    return failed


def memory(scale: Scale, device: str, seconds_left: Callable[[], float]) -> list[str]:
    """What is said when the memory is full, and whether the named batch size fits. Returns what failed."""
    import torch

    from metricloop.detector.memory import GpuMemoryError, explain_out_of_memory

    show("## When the memory is full", "")
    if device == "cpu":
        show("Not measured: needs a GPU.")
        return []
    card = torch.device(device)
    limit = scale.limit_gib * GIB / torch.cuda.get_device_properties(card).total_memory
    pictures, samples = draw(16, scale.size, seed=4)

    def step(batch: int) -> None:
        train("fcos_shufflenet", pictures, samples, device=device, size=scale.size, batch=batch, iterations=1)

    forget_memory(device)
    torch.cuda.set_per_process_memory_fraction(limit, card)
    try:
        with explain_out_of_memory("train.batch_size", 1024, scale.size, card, step):
            step(1024)
    except GpuMemoryError as error:
        show(f"With {scale.limit_gib:g} GiB allowed and batches of 1024:", "", f"> {error}")
        return [] if error.fits else ["no batch size that fits was found"]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, card)
    return [f"a batch of 1024 fits into {scale.limit_gib:g} GiB, so nothing was seen to run out of memory"]


def number(value: float | None, digits: int = 0) -> str:
    """A number for a table; empty when it is not known."""
    return "" if value is None else f"{value:,.{digits}f}"


def show(*lines: str) -> None:
    """Print lines at once, so that an ended run has shown what it had."""
    print(*lines, sep="\n", flush=True)


def title(device: str, scale: Scale) -> None:
    """What ran where."""
    import torch
    import torchvision

    card = torch.cuda.get_device_name(torch.device(device)) if device != "cpu" else "no GPU: numbers mean nothing"
    absent = [name for name in ("cv2", "albumentations", "pyarrow", "pydantic") if find_spec(name) is None]
    show(
        "# Training and prediction on a GPU",
        "",
        f"`python benchmarks/gpu.py --device {device}`, {date.today()}, {card}, {os.cpu_count()} CPU cores;",
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, Python {platform.python_version()}.",
        f"Not installed, and not needed here: {', '.join(absent) or 'nothing'}.",
    )


SECTIONS = {"speed": speed, "sharing": sharing, "agreement": agreement, "memory": memory}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu for the tiny form")
    parser.add_argument("--minutes", type=float, default=9, help="begin nothing new when they are nearly over")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if problems := missing():
        print(*problems, sep="\n", file=sys.stderr)
        return 2
    if given.worker:
        work(json.loads(given.worker))
        return 0
    import torch

    if given.device != "cpu" and not torch.cuda.is_available():
        print(f"torch {torch.__version__} finds no CUDA device; --device cpu runs a tiny form", file=sys.stderr)
        return 2
    began = time.monotonic()
    device, scale = given.device, TINY
    if device != "cpu":
        device, scale = "cuda:0" if device == "cuda" else device, FULL
        torch.cuda.set_device(device)
    settle(1 if scale is TINY else os.cpu_count() or 1)

    def seconds_left() -> float:
        return 60 * given.minutes - (time.monotonic() - began)

    title(device, scale)
    failed: list[str] = []
    for section in given.sections:
        show("")
        failed += SECTIONS[section](scale, device, seconds_left)
    show("", *(f"**Failed:** {line}." for line in failed))
    show(f"Ran for {time.monotonic() - began:.0f} s; {len(failed) or 'no'} checks failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
