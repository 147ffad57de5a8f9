"""On paper: machines, hours and money of one study of up to a thousand million pictures, and what stands in its way.

    python -P benchmarks/estimate.py

Nothing is trained or read. What many machines do is simulated: each takes the next task when it is free, some are lost,
and with one the task that ran there. What the machine of the study does alone is a division. "Today" is the software as
it is; "changed" is with what the page of results lists below its tables, at prices that are assumed.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import NamedTuple

import numpy as np

# Money and machines, typical of public clouds on 2026-11-27: assumption, edit.
CORE_HOUR, GPU_HOUR = 0.05, 4.0  # US dollars; a core with 8 GiB, an H100 or H200 with its 16 cores
SPOT, LOST_PER_HOUR = 0.4, 0.05  # share of these prices for machines that may be lost; losses of one
GIB_MONTH, THOUSAND_READS = 0.023, 0.0004  # US dollars, of a bucket in the same region
CORES, MEMORY, DISK = 16, 128 * 2**30, 4e12  # of every machine, that of the study as well; bytes
MOST, BOOT = 256, 120.0  # machines, and cards, that one study gets; seconds until one runs, also in place of a lost one
PUSH = 1 / 0.5e9 + 1 / 0.2e9  # s a byte: DVC's MD5, and on its way to a bucket

# The study: as params.yaml and benchmarks/large_pool.py have it; iterations and detector: assumption, edit.
ARMS, CHANCE = 10, 2  # beside the baseline; arms whose seeds have draws of their own, with the baseline
LOOKS, CONFIRM = ((3, 12), (6, 18)), (6, 12)  # seeds of an arm and of the baseline
SHARE, FOLDS, DRAWS, MOST_LOSSES = 0.25, 2, 60, 5
ITERATIONS, BATCH, SIDE, SEARCH = 10_000, 16, 320, 5_000
SEEN = ITERATIONS * BATCH  # pictures that a trial sees

# Measured; the comments name the page of benchmarks/results and words of the line, and a test looks them up.
LIST, NAME = 53e-6, 264  # s, bytes a name; scale.md: "a folder of 1,000,000 names is listed in 53 s"
UNREAD = 600  # bytes; scale.md: "Every picture then takes 600 bytes more"
PICTURE = 67e3  # bytes; scale.md: "photos of raccoons (67 KB on average)"
DECODE, SCORE = 1 / 847, 1 / 1485  # s of a core; pictures.md: "| lion, 700 | 460 x 460 | 35 | default | 847 | 1485 |"
CHECK = 1 / 842  # s of a core, with the scores of 15 metrics; pictures.md: "| lion, 700 | bare | 58 | 842 |"
FETCH = 5.4e-3 - CHECK  # s by the clock, taken as s of a core, which are fewer; scale.md: "took 5.4 ms each"
SCORED = 1600  # bytes; scoring.md: "1.6 KB an image"
BY_CHANCE = 46e-6  # s; scale.md: "| select `random` | 7.7 s | 46 s |"
BY_SCORE = 7.4e-6  # s; scale.md: "| 1.1 s | 7.4 s, 8.5 s |"
SELECTED = 1770  # bytes; scale.md: "| peak memory of any stage | 0.46 GB | 1.77 GB |"
MANIFEST, ONE_DRAW = 1900, 31  # bytes; scale.md: "| 279 MB, 5 MB | 1.9 GB, 31 MB |"
COMPARE = 1.1  # s a trial; scale.md: "1.1 s a trial with 5,000 of them"
START = 13.0  # s of Python, torch and the card; gpu.md: "the card anew, 11 to 15 s"
TOGETHER, TRAIN = 4, 385  # trials on a card, images/s of all; gpu.md: "| fcos_resnet50_fpn | 4 | 385 | 96 |"
PREDICT = 232  # images/s; gpu.md: "| fcos_resnet50_fpn | no | 235 | 49 | 3.9 | 232 |"
READY = 11.1e-6  # s an image of a draw; scale.md: "| make a draw ready for training | 64,000 | 11.1 µs |"
HASH = 21e-6  # s an image of a draw; scale.md: "| hash a draw | 64,000 | 21 µs |"
HASHING = 3959  # bytes an image of a draw; scale.md: "| hash a draw, in memory | 64,000 | 3,959 bytes |"
SHUFFLE = 54e-9  # s an image and epoch; scale.md: "| shuffle a draw, once an epoch | 25,000,000 | 54 ns |"
NEAR = 51e-6  # s; scale.md: "| look for near-duplicates | 100,000 | 51 µs |"
SHARD = 3.1e-3  # s of the study's machine; scale.md: "| hand out a shard, 2,000 under way | 32 | 3.10 ms a shard |"
FOUND = 1016  # bytes; scale.md: "| out-of-fold detections, 20 a picture, in memory | 100,000 | 1,016 bytes |"
POOL = 525  # bytes; scale.md: "| the pool in memory | 100,000 | 525 bytes |"

SMALL, LARGE = 32, 1_000  # images of a shard today, and assumed
DRAW = SHARE * 7 * 52  # bytes of a draw in memory for each image of the pool: by the columns of SUBSET, not measured
SELECT_CHANGED, NEAR_CHANGED = 0.2e-6, 1e-6  # s an image: assumed
SHARED = 1.57  # gain of four predictions on a card: assumed to be that of four trainings, 385 over 245 images/s

FIRST, SECOND = (ARMS * arm + baseline for arm, baseline in LOOKS)
ROUNDS = (FIRST, SECOND - FIRST, sum(CONFIRM))  # trials before each comparison, if every arm goes on to the end
LASTS = 3600 / LOST_PER_HOUR * -math.log(1 - 0.5 ** (1 / MOST_LOSSES))  # s; half of such tasks are lost so often
KEPT = (CHANCE * MANIFEST + (ARMS + 1 - CHANCE) * ONE_DRAW) / SHARE  # bytes of all manifests, an image of a draw

# What runs out today: how much there is, and what an image of the pool takes of it, in bytes or seconds.
ROOM = (
    ("a fold is as likely as not lost five times", LASTS, (READY + HASH + FETCH + DECODE + 1 / PREDICT) / FOLDS),
    ("card's memory: four trials with pool and draw", MEMORY, TOGETHER * (POOL + SHARE * HASHING + DRAW)),
    ("card's disk: the resized pictures of a fold", DISK, 3 * SIDE**2 / FOLDS),
    ("study's memory: twelve blocks with pool and draws", MEMORY, 12 * (POOL + 3 * DRAW)),
    ("study's memory: out-of-fold detections", MEMORY, FOUND + POOL),
    ("study's memory: selecting one arm", MEMORY, SELECTED),
    ("study's memory: scoring", MEMORY, SCORED),
    ("study's memory: names", MEMORY, NAME + UNREAD),
    ("study's disk: manifests", DISK, KEPT * SHARE),
)


class Ran(NamedTuple):
    """seconds: from the start of the first task to the end of the last. done: False if a task was lost MOST_LOSSES
    times.
    """

    seconds: float
    losses: int = 0
    done: bool = True


def simulate(
    tasks: int, each: float, slots: int, *, start: float = 0, hand_out: float = 0, lost: float = 0, seed: int = 0
) -> Ran:
    """Run `tasks` tasks of `each` seconds on `slots` workers; a worker that is free takes the next ones.

    start: seconds until a slot works, also one in place of a lost one. hand_out: seconds of the study's machine for
    each task. lost: losses of a slot per hour. A slot takes several tasks at once while many are left; a loss costs the
    one that ran, and the slot in place of the lost one goes on with the others.
    """
    rng, slots = np.random.default_rng(seed), min(slots, tasks)
    left, handed, last, losses = tasks, 0.0, 0.0, 0
    free = [(start, 0, 0)] * slots  # when a slot is free, tasks left to it, and how often the first of them was lost
    while free:
        now, size, before = heapq.heappop(free)
        if not size:
            size = math.ceil(left / (2 * slots))
            left -= size
            if not size:
                continue
        began, handed = max(now, handed), handed + size * hand_out
        end = max(began + size * each, handed + each)
        lives = rng.exponential(3600 / lost) if lost else math.inf
        if began + lives >= end:
            last = max(last, end)
            heapq.heappush(free, (end, 0, 0))
            continue
        finished, losses = int(lives / (end - began) * size), losses + 1
        if not finished and before + 1 == MOST_LOSSES:
            return Ran(began + lives, losses, done=False)
        heapq.heappush(free, (began + lives + start, size - finished, 1 if finished else before + 1))
    return Ran(last, losses)


class Part(NamedTuple):
    """A part of a study. paid: US dollars for other machines than that of the study."""

    name: str
    seconds: float
    paid: float = 0.0


def elsewhere(name: str, tasks: int, each: float, slots: int, hand_out: float = 0, card: float = 0) -> Part:
    """A part on machines that may be lost, or on steady ones if it rarely ends there.

    card: a slot's share of one; 0: a slot is a core. Few tasks are simulated ten times.
    """

    def run(lost: float, seed: int = 0) -> Ran:
        return simulate(tasks, each, slots, start=BOOT + START, hand_out=hand_out, lost=lost, seed=seed)

    ran = [run(LOST_PER_HOUR, seed) for seed in range(10 if tasks <= 100 else 1)]
    steady = sum(one.done for one in ran) <= len(ran) / 2
    seconds = run(0).seconds if steady else float(np.mean([one.seconds for one in ran if one.done]))
    hour = (card * GPU_HOUR or CORE_HOUR) * (1 if steady else SPOT)
    return Part(name, seconds, seconds / 3600 * min(slots, tasks) * hour)


def trial_seconds(images: int) -> float:
    """A trial, one of TOGETHER on a card, that trains on a draw of so many images."""
    train = SEEN * TOGETHER / TRAIN + max(images, SEEN) * SHUFFLE
    return START + images * (READY + HASH) + train + SEARCH / PREDICT


def drawn(n: int, changed: bool, share: float = SHARE) -> int:
    """The number of images in a draw. changed: at most as many as a trial sees."""
    return min(round(n * share), SEEN) if changed else round(n * share)


def study(n: int, nodes: int, cards: int, changed: bool = False) -> list[Part]:
    """The parts of a study of n images, one after the other, on so many machines without and cards with a GPU."""
    cores, slots, share = nodes * CORES, cards * TOGETHER, 1 / TOGETHER
    draw, fold = (trial_seconds(drawn(n, changed, of)) for of in (SHARE, 1 / FOLDS))
    if changed:
        shards, predict = math.ceil(n / LARGE), LARGE * (FETCH + DECODE + TOGETHER / SHARED / PREDICT)
        parts = [
            elsewhere("read and score", shards, LARGE * (LIST + FETCH + CHECK), cores, SHARD),
            Part("find look-alikes", n * NEAR_CHANGED),
            elsewhere("train models of folds", FOLDS, fold, slots, card=share),
            elsewhere("predict", shards, predict, slots, SHARD, card=share),
            Part("select", n * (ARMS + 1) * SELECT_CHANGED),
        ]
    else:
        predict = n / FOLDS * (FETCH + DECODE + 1 / PREDICT)
        at_once = max(1, min(CORES, int(MEMORY / SELECTED / n)))
        parts = [
            Part("list and read", n * (LIST + FETCH)),
            Part("find look-alikes", n * NEAR),
            elsewhere("train models of folds, predict", FOLDS, fold + predict, cards, card=1),
            elsewhere("score", math.ceil(n / SMALL), SMALL * (FETCH + SCORE), cores, SHARD),
            Part("select", n * (CHANCE * BY_CHANCE + (ARMS + 1 - CHANCE) * BY_SCORE) / at_once),
        ]
    trials = [elsewhere("trials", new, draw, slots, card=share) for new in ROUNDS]
    return [
        *parts,
        Part("hash and push", KEPT * drawn(n, changed) * PUSH),
        Part("trials", seconds_of(trials), sum(part.paid for part in trials)),
        Part("compare", COMPARE * (FIRST + SECOND + sum(CONFIRM))),
    ]


def seconds_of(parts: list[Part]) -> float:
    return sum(part.seconds for part in parts)


def enough(n: int, changed: bool) -> tuple[int, int]:
    """Machines and cards of which twice as many would save less than a tenth of the time."""
    nodes, cards, took = 1, 1, seconds_of(study(n, 1, 1, changed))
    while True:
        more = [pair for pair in ((2 * nodes, cards), (nodes, 2 * cards)) if max(pair) <= MOST]
        least, best = min(((seconds_of(study(n, *pair, changed)), pair) for pair in more), default=(took, (0, 0)))
        if least > 0.9 * took:
            return nodes, cards
        took, (nodes, cards) = least, best


def dollars(n: int, parts: list[Part], changed: bool) -> tuple[float, float, float]:
    """Of machines, of requests, and of storing pictures and manifests for a month."""
    machines = seconds_of(parts) / 3600 * CORES * CORE_HOUR + sum(part.paid for part in parts)
    reads = n * (2 if changed else 3) + sum(ROUNDS) * min(SEEN, drawn(n, changed))
    return machines, reads / 1000 * THOUSAND_READS, (n * PICTURE + KEPT * drawn(n, changed)) / 2**30 * GIB_MONTH


def checks() -> list[tuple[str, float, float]]:
    """What was measured, and what is simulated for it, in seconds. No price was taken from these rows."""
    ray = simulate(4, (46.9 - START) / 4, 2, start=START)
    return [
        ("four trials on Ray with two cores, from their time with one", 26.6, ray.seconds),
        ("18 trials of the demo on a card, one by one", 315, simulate(18, START + 960 / 335, 1).seconds),
        ("the same, eight side by side", 83, simulate(18, START + 960 / 143, 8).seconds),
        ("select `random` of 100,000 images", 7.7, 1e5 * BY_CHANCE),
        ("select `random` of 10,000 images, on a machine with a load of 4", 4.4, 1e4 * BY_CHANCE),
    ]


def span(seconds: float) -> str:
    """A time in hours or days."""
    return f"{seconds / 86400:,.1f} days" if seconds > 2 * 86400 else f"{seconds / 3600:.1f} h"


def main() -> None:
    limits = sorted((room / each, what) for what, room, each in ROOM)
    print("| images | software | machines, cards | time | US$: machines, requests, a month | parts from 5% of it on |")
    print("|---:|---|---:|---:|---:|---|")
    for n, changed in itertools.product((10**power for power in range(4, 10)), (False, True)):
        crew = enough(n, changed)
        parts = sorted(study(n, *crew, changed), key=lambda part: -part.seconds)
        total = seconds_of(parts)
        software = "changed" if changed else "today" + "\\*" * (n > limits[0][0])
        money = ", ".join(f"{cost:,.{0 if cost >= 10 else 2}f}" for cost in dollars(n, parts, changed))
        long = "; ".join(f"{part.name}: {span(part.seconds)}" for part in parts if part.seconds >= total / 20)
        print(f"| {n:,} | {software} | {crew[0]}, {crew[1]} | {span(total)} | {money} | {long} |")
    print("\n| what does not do any more today | from so many million images on |\n|---|---:|")
    for most_images, what in limits:
        print(f"| {what} | {most_images / 1e6:,.3g} |")
    print("\n| check | measured, s | simulated, s |\n|---|---:|---:|")
    for what, measured, simulated in checks():
        print(f"| {what} | {measured:.1f} | {simulated:.1f} |")


if __name__ == "__main__":
    main()
