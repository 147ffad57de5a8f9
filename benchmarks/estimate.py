"""On paper: machines, hours and money of one study of up to a thousand million pictures, and what stands in its way.

    python -P benchmarks/estimate.py

Nothing is trained or read. What many machines do is simulated: each takes the next task when it is free, some are lost,
and with one the task that ran there. What the machine of the study does alone is a division. "Today" is the software as
it is; "changed" is with what the page of results lists below its tables, at prices that are assumed.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np

# Money and machines, typical of public clouds on 2026-11-27: assumption, edit.
CORE_HOUR, GPU_HOUR = 0.05, 4.0  # US dollars; a core with 8 GiB, an H100 or H200 with its 16 cores
SPOT = 0.4  # share of these prices for machines that may be lost
LOST_PER_HOUR = 0.05  # of such machines
GIB_MONTH, THOUSAND_READS = 0.023, 0.0004  # US dollars, of a bucket in the same region
CORES, MEMORY, DISK = 16, 128 * 2**30, 4e12  # of every machine, that of the study as well; bytes
MOST = 256  # machines, and cards, that one study gets
BOOT = 120.0  # seconds until a machine runs, also one in place of a lost one
LATENCY, FETCHES = 0.05, 32  # seconds until a bucket has sent a picture; at the same time, as data/remote.py has it
HASHED, PUSHED = 0.5e9, 0.2e9  # bytes/s of DVC's MD5, and on their way to a bucket

# The study: as params.yaml and benchmarks/large_pool.py have it; iterations and detector: assumption, edit.
ARMS, CHANCE = 10, 2  # beside the baseline; arms whose seeds have draws of their own, with the baseline
LOOKS, CONFIRM = ((3, 12), (6, 18)), (6, 12)  # seeds of an arm and of the baseline
SHARE, FOLDS, DRAWS, MOST_LOSSES = 0.25, 2, 60, 5
ITERATIONS, BATCH, SIDE, SEARCH = 10_000, 16, 320, 5_000
SEEN = ITERATIONS * BATCH  # pictures that a trial sees

# Measured; the comments name the page of benchmarks/results and words of the line, and a test looks them up.
LIST, LISTED = 53e-6, 264  # s, bytes a name; scale.md: "a folder of 1,000,000 names is listed in 53 s"
UNREAD = 600  # bytes; scale.md: "Every picture then takes 600 bytes more"
PICTURE = 67e3  # bytes; scale.md: "photos of raccoons (67 KB on average)"
DECODE, SCORE = 1 / 847, 1 / 1485  # s of a core; pictures.md: "| lion, 700 | 460 x 460 | 35 | default | 847 | 1485 |"
CHECK = 1 / 842  # s of a core, with the scores of 15 metrics; pictures.md: "| lion, 700 | bare | 58 | 842 |"
FETCH = 6.8e-3 - CHECK  # s of a core; scale.md: "| fetch, check and hash a picture, moto | 1,000 | 6.8 ms of CPU |"
KNOWN = 25e-6  # s, less the start; scoring.md: "| 50000 | 25.9 | 1934 | 347 | 1.29 | 2.13 |"
SCORED = 1600  # bytes; scoring.md: "1.6 KB an image"
BY_CHANCE = 46e-6  # s; scale.md: "| select `random` | 7.7 s | 46 s |"
BY_SCORE = 7.4e-6  # s; scale.md: "| 1.1 s | 7.4 s, 8.5 s |"
SELECTED = 1770  # bytes; scale.md: "| peak memory of any stage | 0.46 GB | 1.77 GB |"
MANIFEST, ONE_DRAW = 1900, 31  # bytes; scale.md: "| 279 MB, 5 MB | 1.9 GB, 31 MB |"
COMPARE = 1.1  # s a trial; scale.md: "1.1 s a trial with 5,000 of them"
START = 13.0  # s of Python, torch and the card; gpu.md: "the card anew, 11 to 15 s"
TOGETHER, TRAIN = 4, 385  # trials on a card, images/s of all; gpu.md: "| fcos_resnet50_fpn | 4 | 385 | 96 |"
PREDICT = 232  # images/s; gpu.md: "| fcos_resnet50_fpn | no | 235 | 49 | 3.9 | 232 |"
EVALUATE = 2106  # images/s; gpu.md: "2106 images/s with up to 100 detections"
READY = 2.8e-3 / 16_000  # s, by the square of a draw; scale.md: "| make a draw ready for training | 16,000 | 2.82 ms |"
HASH = 22e-6  # s an image of a draw; scale.md: "| hash a draw | 16,000 | 22 µs |"
HASHING = 3486  # bytes an image of a draw; scale.md: "| hash a draw, in memory | 16,000 | 3,486 bytes |"
SHUFFLE = 36e-9  # s an image, twice a batch; scale.md: "| shuffle a draw, in every batch | 2,500,000 | 36 ns |"
NEAR = 76e-6  # s; scale.md: "| look for near-duplicates | 100,000 | 76 µs |"
SHARD, SHARD_SIZE = (
    3.5e-3,
    32,
)  # s of the study's machine; scale.md: "| hand out a shard, 2,000 under way | 32 | 3.52 ms"
FOUND = 1016  # bytes; scale.md: "| out-of-fold detections, 20 a picture, in memory | 100,000 | 1,016 bytes |"
POOL = 525  # bytes; scale.md: "| the pool in memory | 100,000 | 525 bytes |"

# By the columns of SUBSET, not measured: bytes of a draw in memory, for each image of the pool.
DRAW = SHARE * 7 * 52

# The software: as it is; with two functions mended; changed. What the page says of each comes with the tables.
TODAY, MENDED, CHANGED = "today", "mended", "changed"
READY_ONCE, SELECT_CHANGED, NEAR_CHANGED = 20e-6, 0.2e-6, 1e-6  # s an image: assumed
LARGE_SHARD = 1_000  # images: assumed
SHARED = 1.57  # gain of four predictions on a card: assumed to be that of four trainings, 385 over 245 images/s


@dataclass(frozen=True)
class Ran:
    """seconds: from the first start to the last end. done: False where a task was lost MOST_LOSSES times."""

    seconds: float
    losses: int = 0
    done: bool = True


def simulate(
    tasks: int, each: float, slots: int, *, start: float = 0, hand_out: float = 0, lost: float = 0, seed: int = 0
) -> Ran:
    """Run equal tasks of `each` seconds on slots that take more when they are free.

    start: seconds until a slot works, also one in place of a lost one. hand_out: seconds of the study's machine for
    each task. lost: losses of a slot per hour. A slot takes several tasks at once while many are left, and a loss costs
    the one that ran.
    """
    rng, slots = np.random.default_rng(seed), min(slots, tasks)
    left, handed, last, losses = tasks, 0.0, 0.0, 0
    again: list[tuple[int, int]] = []  # tasks of lost slots, and how often the first of them was lost
    idle: list[int] = []
    events: list[tuple[float, int, tuple[int, int] | None]] = [(start, slot, None) for slot in range(slots)]
    while events:
        now, slot, back = heapq.heappop(events)
        if back:
            again.append(back)
            for other in idle:
                heapq.heappush(events, (now, other, None))
            idle.clear()
            heapq.heappush(events, (now + start, slot, None))
            continue
        if not left and not again:
            idle.append(slot)
            continue
        size, before = again.pop() if again else (math.ceil(left / (2 * slots)), 0)
        left -= 0 if before else size
        began, handed = max(now, handed), handed + size * hand_out
        end = max(began + size * each, handed + each)
        lives = rng.exponential(3600 / lost) if lost else math.inf
        if began + lives >= end:
            last = max(last, end)
            heapq.heappush(events, (end, slot, None))
            continue
        finished, losses = int(lives / (end - began) * size), losses + 1
        if not finished and before + 1 == MOST_LOSSES:
            return Ran(began + lives, losses, done=False)
        heapq.heappush(events, (began + lives, slot, (size - finished, 1 if finished else before + 1)))
    return Ran(last, losses)


@dataclass(frozen=True)
class Part:
    """A part of a study. cores, cards: hours of other machines that are paid, as if they cost the full price. steady:
    it ends only on machines that are not lost."""

    name: str
    seconds: float
    cores: float = 0.0
    cards: float = 0.0
    steady: bool = False


def elsewhere(name: str, tasks: int, each: float, slots: int, hand_out: float = 0, card: float = 0) -> Part:
    """A part on machines that may be lost, or on steady ones if it rarely ends there.

    card: a slot's share of one; 0: a slot is a core. Few tasks are simulated ten times.
    """

    def run(lost: float, seed: int = 0) -> Ran:
        return simulate(tasks, each, slots, start=BOOT + START, hand_out=hand_out, lost=lost, seed=seed)

    ran = [run(LOST_PER_HOUR, seed) for seed in range(10 if tasks <= 100 else 1)]
    steady = sum(one.done for one in ran) <= len(ran) / 2
    seconds = run(0).seconds if steady else float(np.mean([one.seconds for one in ran if one.done]))
    paid = seconds / 3600 * min(slots, tasks) * (1 if steady else SPOT)
    return Part(name, seconds, 0 if card else paid, paid * card, steady)


def sizes(n: int, software: str) -> tuple[int, int]:
    """The images of a draw, and those that the model of a fold trains on."""
    draw, fold = round(n * SHARE), n // FOLDS
    return (min(draw, SEEN), min(fold, SEEN)) if software == CHANGED else (draw, fold)


def trial_seconds(images: int, software: str) -> float:
    """A trial, one of TOGETHER on a card, that trains on a draw of so many images."""
    ready, shuffle = (READY * images, SHUFFLE) if software == TODAY else (READY_ONCE, 0)
    batch = BATCH * TOGETHER / TRAIN + 2 * images * shuffle
    return START + images * (ready + HASH) + ITERATIONS * batch + SEARCH / PREDICT + SEARCH / EVALUATE


def fold_seconds(n: int, software: str) -> float:
    """The out-of-fold model of a fold, and its predictions, by one process on a card of its own."""
    return trial_seconds(sizes(n, software)[1], software) + n / FOLDS * (FETCH + DECODE + 1 / PREDICT)


def kept(n: int, software: str) -> float:
    """Bytes of the manifests of all arms."""
    whole = n * (CHANCE * MANIFEST + (ARMS + 1 - CHANCE) * ONE_DRAW)
    return whole * sizes(n, software)[0] / (n * SHARE)


def rounds() -> list[int]:
    """How many trials run before each comparison, if every arm goes on to the end: the looks, then the confirmation."""
    until = [ARMS * arm + baseline for arm, baseline in LOOKS]
    return [now - before for now, before in zip(until, [0, *until], strict=False)] + [sum(CONFIRM)]


def study(n: int, nodes: int, cards: int, software: str = TODAY) -> list[Part]:
    """The parts of a study of n images, one after the other, on so many machines without and cards with a GPU."""
    cores, slots, share = nodes * CORES, cards * TOGETHER, 1 / TOGETHER
    draw, fold = (trial_seconds(images, software) for images in sizes(n, software))
    if software == CHANGED:
        many, beside = math.ceil(n / LARGE_SHARD), FETCH + DECODE + TOGETHER / SHARED / PREDICT
        parts = [
            elsewhere("read and score", many, LARGE_SHARD * (LIST + FETCH + CHECK), cores, SHARD),
            Part("find look-alikes", n * NEAR_CHANGED),
            elsewhere("train models of folds", FOLDS, fold, slots, card=share),
            elsewhere("predict", many, LARGE_SHARD * beside, slots, SHARD, card=share),
            Part("select", n * (ARMS + 1) * SELECT_CHANGED),
        ]
    else:
        many, at_once = math.ceil(n / SHARD_SIZE), max(1, min(CORES, int(MEMORY / SELECTED / n)))
        parts = [
            Part("list", n * LIST),
            Part("read", n * max(LATENCY / FETCHES, FETCH)),
            Part("find look-alikes", n * NEAR),
            elsewhere("train models of folds, predict", FOLDS, fold_seconds(n, software), cards, card=1),
            elsewhere("score", many, SHARD_SIZE * (FETCH + SCORE), cores, SHARD),
            Part("look up known scores", n * KNOWN),
            Part("select", n * (CHANCE * BY_CHANCE + (ARMS + 1 - CHANCE) * BY_SCORE) / at_once),
        ]
    trials = [elsewhere("trials", new, draw, slots, card=share) for new in rounds()]
    spent, paid = sum(part.seconds for part in trials), sum(part.cards for part in trials)
    return [
        *parts,
        Part("hash and push", kept(n, software) * (1 / HASHED + 1 / PUSHED)),
        Part("trials", spent, cards=paid, steady=any(part.steady for part in trials)),
        Part("compare", COMPARE * float(np.dot((2, 1, 1), rounds()))),
    ]


def seconds_of(parts: list[Part]) -> float:
    return sum(part.seconds for part in parts)


def enough(n: int, software: str) -> tuple[int, int]:
    """Machines and cards of which twice as many would save less than a tenth of the time."""
    nodes, cards, took = 1, 1, seconds_of(study(n, 1, 1, software))
    while True:
        more = [pair for pair in ((2 * nodes, cards), (nodes, 2 * cards)) if max(pair) <= MOST]
        least, best = min(((seconds_of(study(n, *pair, software)), pair) for pair in more), default=(took, (0, 0)))
        if least > 0.9 * took:
            return nodes, cards
        took, (nodes, cards) = least, best


def dollars(n: int, parts: list[Part], software: str) -> tuple[float, float, float]:
    """Of machines, of requests, and of storing pictures and manifests for a month."""
    machines = seconds_of(parts) / 3600 * CORES * CORE_HOUR
    machines += sum(part.cores * CORE_HOUR + part.cards * GPU_HOUR for part in parts)
    reads = n * (2 if software == CHANGED else 3) + sum(rounds()) * min(SEEN, sizes(n, software)[0])
    return machines, reads / 1000 * THOUSAND_READS, (n * PICTURE + kept(n, software)) / 2**30 * GIB_MONTH


def limits(software: str) -> dict[str, float]:
    """What does not do any more, and from how many images on. {} for the changed software, which nobody has tried."""
    if software == CHANGED:
        return {}
    step, lasting = BATCH * TOGETHER / TRAIN, -math.log(1 - 0.5 ** (1 / MOST_LOSSES)) / LOST_PER_HOUR
    card = TOGETHER * (POOL + SHARE * HASHING + DRAW)
    found = {
        "a fold is as likely as not lost five times": next(
            n for n in np.geomspace(1e4, 1e12, 4000) if fold_seconds(int(n), software) / 3600 > lasting
        ),
        "the resized pictures of a fold fill a disk": DISK * FOLDS / (3 * SIDE**2),
        "the file of resized pictures is larger than ext4 allows, 16 TiB": 16 * 2**40 / (3 * SIDE**2),
        "card's memory: four trials with pool and draw": MEMORY / card,
        "study's memory: twelve blocks with pool and draws": MEMORY / (12 * (POOL + 3 * DRAW)),
        "study's memory: out-of-fold detections": MEMORY / (FOUND + POOL),
        "study's memory: selecting one arm": MEMORY / SELECTED,
        "study's memory: scoring": MEMORY / SCORED,
        "study's memory: names": MEMORY / (LISTED + UNREAD),
        "study's disk: manifests": DISK / kept(10**9, software) * 10**9,
    }
    if software == TODAY:
        found["a draw is made ready for as long as it is trained on"] = math.sqrt(step * ITERATIONS / READY) / SHARE
        found["a draw is shuffled for as long as it is trained on"] = step / (2 * SHUFFLE) / SHARE
    return found


def checks() -> list[tuple[str, float, float]]:
    """What was measured, and what is simulated for it, in seconds. No price was taken from these rows."""
    ray, pair = (37.2 - START) / 4, 960 / 335
    return [
        ("four trials on Ray with two cores, from their time with one", 25.0, simulate(4, ray, 2, start=START).seconds),
        ("18 trials of the demo on a card, one by one", 315, simulate(18, START + pair, 1).seconds),
        ("the same, eight side by side", 83, simulate(18, START + 960 / 143, 8).seconds),
        ("select `random` of 100,000 images", 7.7, 1e5 * BY_CHANCE),
        ("select `random` of 10,000 images, on a machine with a load of 8", 3.5, 1e4 * BY_CHANCE),
    ]


def span(seconds: float) -> str:
    """A time in its usual unit."""
    for unit, of in (("years", 365 * 86400), ("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * of:
            return f"{seconds / of:,.{0 if seconds >= 10 * of else 1}f} {unit}"
    return f"{seconds:.0f} s"


def main() -> None:
    told: dict[str, dict[int, list[Part]]] = {TODAY: {}, MENDED: {}, CHANGED: {}}
    print(
        "| images | software | machines, cards | time | US$: machines, requests, a month | longest | first in its way |"
    )
    print("|---:|---|---:|---:|---:|---|---|")
    for n in (10**4, 10**6, 10**7, 10**8, 10**9):
        for software, of in told.items():
            crew = enough(n, software)
            parts = of[n] = study(n, *crew, software)
            money = ", ".join(f"{cost:,.{0 if cost >= 10 else 2}f}" for cost in dollars(n, parts, software))
            longest = max(parts, key=lambda part: part.seconds)
            what = f"{longest.name}, {longest.seconds / seconds_of(parts):.0%}"
            total = span(seconds_of(parts)) + "\\*" * any(part.steady for part in parts)
            passed = {at: one for one, at in limits(software).items() if at <= n}
            stops = passed[min(passed)] if passed else ""
            print(f"| {n:,} | {software} | {crew[0]}, {crew[1]} | {total} | {money} | {what} | {stops} |")
    for software, of in told.items():
        print(f"\n| {software} | " + " | ".join(f"{n:,}" for n in of) + " |\n|---|" + "---:|" * len(of))
        for row in zip(*of.values(), strict=True):
            print(f"| {row[0].name} | " + " | ".join(span(part.seconds) for part in row) + " |")
    print("\n| what does not do any more, from so many million images on | today | mended |\n|---|---:|---:|")
    mended = limits(MENDED)
    for what, most in sorted(limits(TODAY).items(), key=lambda one: one[1]):
        print(f"| {what} | {most / 1e6:,.3g} | {f'{mended[what] / 1e6:,.3g}' if what in mended else ''} |")
    print("\n| check | measured, s | simulated, s |\n|---|---:|---:|")
    for what, measured, simulated in checks():
        print(f"| {what} | {measured:.1f} | {simulated:.1f} |")


if __name__ == "__main__":
    main()
