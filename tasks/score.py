"""score@BATCH: every metric of a batch on every image, or labelled object, of the pool, in one pass.

An image is decoded at most once, and only if a metric of the batch needs its pixels. What a metric says of a frame
is kept; where it fails, the failure is kept in the score's place.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from detection.dataset import Dataset
from detection.frame import Detections, Frame
from detection.tables import SCORES, write_json, write_table
from metrics.batch import Batch, Foreign
from metrics.contract import Spec, Verdict
from metrics.loading import GENERATED, open_batch
from metrics.trust import UNSAFE
from sandbox.limits import Limits
from sandbox.tiers import tier
from sandbox.words import clean
from tasks.frames import PREDICTED, Task, frame_of, read_frame, read_predictions
from tasks.guard import die_with_parent, guard
from tasks.params import Params, load_params
from tasks.plan import entry_of, load_plan
from tasks.pool import read_pool

CHUNK, CHUNK_PIXELS = 32, 32_000_000  # images, and their pixels, that a worker takes at a time: bounds its memory
SLACK = 3  # a metric that takes so many times what the gate allows is given up: some images are harder than others


class ScoreError(RuntimeError):
    """A batch cannot be scored, or a metric failed on too many images."""


def score(
    pool: Dataset,
    batch: Batch,
    predictions: Mapping[int, Detections] | None = None,
    *,
    jobs: int = 1,
    max_failures: float = 0.2,
    progress: Callable[[int, int], None] = lambda done, images: None,
    give_up: Callable[[str, str], None] | None = None,
) -> dict[str, dict[str, list]]:
    """Score a pool: columns of detection.tables.SCORES by the metric's name, rows in the order of the pool.

    predictions: by image id, out of fold; an image without an entry was predicted to be empty.
    jobs: worker processes that decode and score where pixels are needed (0: one per core); jobs=1 stays in-process.
    An object-level metric is not called for an image without boxes: there is nothing to score.
    give_up: told of a metric that fails on more than the share `max_failures` of the images, and why; it is asked no
    further, and the others go on. Without it such a metric ends the batch.
    Errors: ScoreError when predictions are needed and None, or for such a metric, naming the first few images.
    """
    asks = {need for spec in batch.specs for need in spec.needs}
    if "predictions" in asks and predictions is None:
        raise ScoreError(f"a metric needs predictions; give its batch `needs: {PREDICTED}` in arms.yaml")
    verdicts: dict[str, list[Verdict]] = {spec.name: [] for spec in batch.specs}
    per_frame = [spec for spec in batch.specs if spec.scope == "frame"]
    of_pool = [spec for spec in batch.specs if spec.scope == "dataset"]
    for spec, (found,) in zip(of_pool, batch.score(of_pool, pool) if of_pool else [], strict=True):
        verdicts[spec.name] = _split(found.scores, pool, spec.level)
        if found.error:
            _end(spec.name, f"failed on the pool: {found.error}", give_up)
    done, jobs, over = 0, jobs if "image" in asks else 1, set[str]()
    for specs, chunk in _map(batch, per_frame, over, _chunks(pool, predictions), jobs):
        if not specs:
            break  # every metric was given up
        for spec, said in zip(specs, chunk, strict=True):
            verdicts[spec.name] += said
        done += len(chunk[0])
        progress(done, len(pool))
        for spec in specs:
            if spec.name not in over and (wrong := _failures(verdicts[spec.name], pool, max_failures)):
                _end(spec.name, wrong, give_up)
                over.add(spec.name)
    for spec in per_frame:
        verdicts[spec.name] += [_unasked(spec, pool, row) for row in range(len(verdicts[spec.name]), len(pool))]
    return {spec.name: _columns(pool, verdicts[spec.name], spec.level) for spec in batch.specs}


def score_chunk(tasks: Sequence[Task], batch: Batch, specs: Sequence[Spec]) -> list[list[Verdict]]:
    """Per metric, what it says of each image. An image that cannot be read fails for the metrics that need it."""
    wanted = [spec for spec in specs if "image" in spec.needs]
    read = [read_frame(task, any(_applies(spec, task.frame) for spec in wanted)) for task in tasks]
    verdicts = batch.score(specs, [frame for frame, _ in read])
    for spec, said in zip(specs, verdicts, strict=True):
        for row, (frame, unreadable) in enumerate(read):
            if unreadable and spec in wanted and _applies(spec, frame):
                said[row] = Verdict(np.full_like(said[row].scores, np.nan), unreadable)
    return verdicts


def patience(params: Params, images: int) -> float:
    """Seconds that one of so many images may take on average, for the pool to be scored in its time on all cores."""
    from joblib import effective_n_jobs

    return params.sandbox.pool_seconds * effective_n_jobs(params.score.jobs or -1) / max(images, 1)


def unopened(pool: Dataset, said: str) -> dict[str, list]:
    """The table of a metric that could not be opened, one row an image: nobody knows whether it would score boxes."""
    return _columns(pool, [Verdict(np.full(1, np.nan), said) for _ in range(len(pool))], "image")


def _applies(spec: Spec, frame: Frame) -> bool:
    return spec.level == "image" or len(frame.boxes) > 0


def _chunks(pool: Dataset, predictions: Mapping[int, Detections] | None) -> Iterator[list[Task]]:
    chunk, pixels = list[Task](), 0
    for row in range(len(pool)):
        size = int(pool.width[row]) * int(pool.height[row])
        if chunk and (len(chunk) == CHUNK or pixels + size > CHUNK_PIXELS):
            yield chunk
            chunk, pixels = [], 0
        chunk.append(frame_of(pool, row, predictions))
        pixels += size
    if chunk:
        yield chunk


Scored = tuple[list[Spec], list[list[Verdict]]]  # metrics, and what each says of the images of a chunk


def _map(
    batch: Batch, specs: Sequence[Spec], over: set[str], chunks: Iterable[list[Task]], jobs: int
) -> Iterator[Scored]:
    """Per chunk, and in its order, the verdicts of every metric but those that are `over` when its turn comes."""
    if not specs:
        return

    def turns() -> Iterator[tuple[list[Task], Batch, list[Spec]]]:
        for chunk in chunks:
            yield chunk, batch, [spec for spec in specs if spec.name not in over]

    if jobs == 1:
        yield from ((left, score_chunk(chunk, batch, left)) for chunk, batch, left in turns())
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs or -1, return_as="generator", pre_dispatch="2*n_jobs", batch_size=1)
    yield from parallel(delayed(_in_worker)(*turn) for turn in turns())


def _in_worker(chunk: list[Task], batch: Batch, specs: list[Spec]) -> Scored:
    import cv2

    die_with_parent()
    cv2.setNumThreads(1)  # the processes are the parallelism
    return specs, score_chunk(chunk, batch, specs)


def _unasked(spec: Spec, pool: Dataset, row: int) -> Verdict:
    return Verdict(
        np.full(pool.counts[row] if spec.level == "object" else 1, np.nan), "given up after too many failures"
    )


def _split(scores: np.ndarray, pool: Dataset, level: str) -> list[Verdict]:
    ends = pool.offsets[1:-1] if level == "object" else np.arange(1, len(pool))
    return [Verdict(part) for part in np.split(scores, ends)]


def _failures(verdicts: list[Verdict], pool: Dataset, limit: float) -> str:
    """What went wrong where a metric has failed on more than the share `limit` of the pool; else ""."""
    failed = [(row, verdict.error) for row, verdict in enumerate(verdicts) if verdict.error]
    if len(failed) <= limit * len(pool):
        return ""
    first = "\n".join(f"  {pool.file[row]}: {error}" for row, error in failed[:3])
    return (
        f"failed on {len(failed)} of the first {len(verdicts)} images; score.max_failures allows a share of "
        f"{limit} of {len(pool)}. The first:\n{first}"
    )


def _end(name: str, said: str, give_up: Callable[[str, str], None] | None) -> None:
    if give_up is None:
        raise ScoreError(f"{name} {said}")
    give_up(name, said)


def _columns(pool: Dataset, verdicts: list[Verdict], level: str) -> dict[str, list]:
    sizes = [len(verdict.scores) for verdict in verdicts]
    errors = [verdict.error for verdict in verdicts]
    return {
        "image_id": np.repeat(pool.image_id, sizes).tolist(),
        "box_id": pool.box_id.tolist() if level == "object" else [None] * sum(sizes),
        "score": np.concatenate([verdict.scores for verdict in verdicts] or [np.zeros(0)]).tolist(),
        "error": [error for error, size in zip(errors, sizes, strict=True) for _ in range(size)],
    }


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """`BATCH [--code CODE --needs FILE --metrics NAME ...]`, the way DVC unpacks a batch; the rest from arms.yaml."""
    parser = argparse.ArgumentParser(prog="tasks.score")
    parser.add_argument("batch")
    parser.add_argument("--code")
    parser.add_argument("--needs")
    parser.add_argument("--metrics", nargs="+")
    given = parser.parse_args(argv)
    if None in (given.code, given.needs, given.metrics):
        vars(given).update(entry_of(load_plan(), "batches", given.batch))
    return given


def main(argv: Sequence[str]) -> None:
    guard(f"score@{argv[0]}")
    item = arguments(argv)
    params = load_params()
    failed: dict[str, str] = {}
    generated = item.code.startswith(f"{GENERATED}/")  # nobody can mend it half-way: its arm is dropped instead
    give_up = failed.__setitem__ if generated else None
    limits, unsafe = Limits.of(params.sandbox), os.environ.get(UNSAFE) == "1"
    batch = open_batch(item.code, item.metrics, limits=limits, unsafe=unsafe, give_up=give_up)
    if batch.trust == "unsafe-in-process":
        print(f"unsafe: {item.code} runs in this process, unread and without the sandbox", file=sys.stderr)
    pool = read_pool("data", params.data.folder)
    predictions = read_predictions(Path(PREDICTED)) if item.needs == PREDICTED else None
    if generated and isinstance(batch, Foreign):
        batch = replace(batch, pace=SLACK * patience(params, len(pool)))

    def show(done: int, images: int) -> None:
        if done < images and 10 * done // images == 10 * (done - CHUNK) // images:
            return  # some ten lines in all
        print(f"score {item.batch}: {done}/{images} images", file=sys.stderr, flush=True)

    tables = score(
        pool,
        batch,
        predictions,
        jobs=params.score.jobs,
        max_failures=params.score.max_failures,
        progress=show,
        give_up=give_up,
    )
    failed = {name: clean(said) for name, said in failed.items()}
    tables |= {name: unopened(pool, said) for name, said in failed.items() if name not in tables}
    for name, columns in tables.items():
        stamp = {UNSAFE: "yes"} if batch.trust == "unsafe-in-process" else {}
        write_table(Path("scores") / item.batch / f"{name}.parquet", SCORES, columns, stamp)
        unknown = int(np.isnan(columns["score"]).sum())
        failures = sum(error is not None for error in columns["error"])
        said = f"{len(columns['score'])} scores, {unknown} unknown, {failures} of them failures"
        print(f"score {item.batch}: {name}: {said}")
    contained = tier() if batch.trust == "sandbox" else None
    write_json(Path("scores") / item.batch / "trust.json", {"trust": batch.trust, "tier": contained})
    if failed:
        write_json(Path("scores") / item.batch / "failed.json", failed)


if __name__ == "__main__":
    main(sys.argv[1:])
