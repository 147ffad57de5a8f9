"""A long life: the tiny study run many times in a row, and a study of many arms; what grows, and is it meant to?

python -P benchmarks/soak.py row FOLDER --runs 50        # 50 runs, each with another parameter or one more arm
python -P benchmarks/soak.py arms FOLDER --arms 200      # 200 arms in one workspace, 49 more in each run
python -P benchmarks/soak.py show FOLDER ... > benchmarks/results/soak.md

FOLDER is made where it does not exist; a second call goes on with it. Every run is a process of its own, as a person
starts it. What is measured is kept in FOLDER.soak.jsonl.

Of the many arms, the first TRAINED are trained. Each of the others repeats one of these, and gets its subset, models
and results, which DVC is told of by `dvc commit`: what grows with the number of arms is the same, without hours of
training.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from metricloop import layout
from metricloop.study.edit_params import change_params
from metricloop.study.environment import environment
from metricloop.study.new_study import create, demo_plan
from metricloop.study.refresh import refresh_code

CHANGES = ("scenes.images=36", "scenes.size=64", "train.image_size=64", "train.iterations=3", "predict.iterations=3",
           "train.augment=none", "train.weights=none", "looks.arms=[2]", "looks.baseline=[2]", "looks.alpha=[0.05]",
           "confirm.when=always", "confirm.seeds=1", "confirm.baseline=1", "llm.provider=none",
           "compare.bootstrap=50")  # fmt: skip
EVERY, TRAINED, MORE = 10, 4, 49
SCORES = "scores/labels/object_count.parquet"
SEEN = ("seconds", "memory", "open", "files", "history", layout.MLFLOW, ".dvc/cache", layout.LOCK, layout.CODE,
        layout.ROUNDS, "scratch", "prefect")  # fmt: skip
UNITS = {"seconds": "s", "memory": "MB, the flow's process", "open": "open files of the flow's process",
         "files": "files beside .git and .dvc/cache", "history": "kB, .git", "scratch": "kB, .metricloop",
         "prefect": "kB, Prefect's database"}  # fmt: skip

WHY = {
    "files": "an arm has 15",
    "history": "a commit of each run",
    layout.MLFLOW: "runs that others replace stay, marked deleted, until `mlflow gc`",
    ".dvc/cache": "the models of an arm",
    layout.LOCK: "an arm has three stages",
    "scratch": "trials of the confirmation, to be used again; can be deleted",
    "prefect": "its record of every run, of all studies of a person",
}


def make(folder: Path) -> None:
    """A new tiny study with the baseline `random` and one metric."""
    create(folder, replace(demo_plan("tiny"), weights="none"))
    change_params(folder / layout.PARAMS, CHANGES)
    (folder / layout.ARMS).write_text(plan_text(1))
    subprocess.run(["git", "commit", "-qam", "tiny"], cwd=folder, check=True)


def plan_text(arms: int) -> str:
    """The text of an arms.yaml with a baseline and `arms` treatments, of which only TRAINED differ."""
    code = {"code": layout.CATALOGUE, "needs": layout.IMAGES, "metrics": ["object_count"]}
    random = {"role": "baseline", "a": layout.IMAGES, "b": layout.IMAGES, "policy": {"name": "random"}}
    plan: dict[str, Any] = {"batches": {"labels": code}, "arms": {"random": random}, "blocks": {}}
    plan["blocks"]["random.0"] = {"arm": "random", "seeds": "0-1"}
    for number in range(1, arms + 1):
        policy = {"name": "among", "share": round(0.4 + 0.1 * ((number - 1) % TRAINED), 1)}
        entry = {"role": "treatment", "metric": "object_count", "a": SCORES, "b": SCORES, "policy": policy}
        plan["arms"][f"arm_{number}"] = entry
        plan["blocks"][f"arm_{number}.0"] = {"arm": f"arm_{number}", "seeds": "0-1"}
    return yaml.safe_dump(plan, sort_keys=False)


def run(folder: Path, what: str) -> None:
    """Run the study once, and write down what it took and what it left."""
    began = time.monotonic()
    command = [sys.executable, "-P", "-m", "metricloop.cli", "run", "-C", str(folder)]
    home = folder.parent / f"{folder.name}.prefect"
    flow = subprocess.Popen(
        command, env=os.environ | {"PREFECT_HOME": str(home)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    most = {"memory": 0, "open": 0}
    watch = threading.Thread(target=_watch, args=(flow.pid, most), daemon=True)
    watch.start()
    assert flow.stdout is not None
    said = flow.stdout.read()
    if flow.wait():
        sys.exit(said)
    watch.join()
    record = {"what": what, "seconds": round(time.monotonic() - began, 1)} | most | sizes(folder, home)
    with open(f"{folder}.soak.jsonl", "a") as lines:
        lines.write(json.dumps(record) + "\n")
    print(f"{what}: {record['seconds']} s, {most['memory']} MB, {record['files']} files", flush=True)


def _watch(pid: int, most: dict[str, int]) -> None:
    """Keep the highest memory (MB) and number of open files of a process, as long as it runs."""
    place = Path(f"/proc/{pid}")
    while True:
        try:
            status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
            most["memory"] = int(status["VmHWM"].split()[0]) // 1024
            most["open"] = max(most["open"], len(os.listdir(place / "fd")))
        except (OSError, KeyError):
            return
        time.sleep(0.1)


def sizes(folder: Path, home: Path) -> dict[str, int]:
    """What lies in a workspace: number of files, and sizes in kB."""
    inner = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    aside = (folder / ".git", folder / ".dvc" / "cache")
    found = {"files": sum(not any(path.is_relative_to(place) for place in aside) for path in inner)}
    for name in SEEN[4:]:
        place = {"history": folder / ".git", "scratch": folder / layout.SCRATCH, "prefect": home}.get(
            name, folder / name
        )
        parts = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
        found[name] = sum(path.stat().st_size for path in parts) // 1024
    return found


def in_a_row(folder: Path, runs: int) -> None:
    """So many runs: each with another parameter, and every EVERY-th with one more arm."""
    if not folder.exists():
        make(folder)
        run(folder, "first")
    for number in range(len(records(folder)), runs):
        if number % EVERY == 0:
            (folder / layout.ARMS).write_text(plan_text(1 + number // EVERY))
            run(folder, "arm")
        else:
            change_params(folder / layout.PARAMS, [f"compare.bootstrap={50 + number}"])
            run(folder, "parameter")


def many_arms(folder: Path, arms: int) -> None:
    """One workspace to which MORE arms are added in each run."""
    if not folder.exists():
        make(folder)
        (folder / layout.ARMS).write_text(plan_text(TRAINED))
        run(folder, f"{TRAINED} arms")
    known = max(int(record["what"].split()[0]) for record in records(folder))
    while known < arms:
        known, before = min(arms, known + MORE), known
        (folder / layout.ARMS).write_text(plan_text(known))
        borrow(folder, range(before + 1, known + 1))
        run(folder, f"{known} arms")


def borrow(folder: Path, numbers: range) -> None:
    """Give arms the trials of trained ones, and tell DVC that these are theirs."""
    arms = {f"arm_{number}": f"arm_{1 + (number - 1) % TRAINED}" for number in numbers}
    for arm, source in arms.items():
        for place in (layout.MODELS, layout.RESULTS):
            shutil.copytree(folder / place / f"{source}.0", folder / place / f"{arm}.0", copy_function=os.link)
        os.link(folder / layout.subset_file(source), folder / layout.subset_file(arm))
        path = folder / layout.numbers_file(f"{arm}.0")
        found = json.loads(path.read_text()) | {"arm": arm, "block": f"{arm}.0"}
        path.unlink()  # the source's own: another name of the same file
        path.write_text(json.dumps(found))
    refresh_code(folder)
    stages = [name for arm in arms for name in (f"select@{arm}", f"train@{arm}.0", f"evaluate@{arm}.0")]
    command = [sys.executable, "-P", "-m", "dvc", "commit", "-q", "-f", *stages]
    subprocess.run(command, cwd=folder, env=environment(), check=True)


def records(folder: Path) -> list[dict[str, Any]]:
    path = Path(f"{folder}.soak.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def growth(found: list[dict[str, Any]], name: str) -> str:
    """By how much a figure grows from one run to the next, by least squares, the first run left out; "" for few."""
    values = [record[name] for record in found[1:]]
    return f"{np.polyfit(range(len(values)), values, 1)[0]:+.1f}" if len(values) > 2 else ""


def page(folders: list[Path]) -> Iterator[str]:
    """The lines of a Markdown page with one table per folder, the records of its soak test."""
    yield "# A longer life\n"
    yield f"`python -P benchmarks/soak.py`, {date.today()}, {platform.machine()}, {os.cpu_count()} cores.\n"
    for folder in folders:
        found = records(folder)
        shown = sorted({*range(0, len(found), max(1, len(found) // 10)), len(found) - 1})
        yield f"## {folder.name}: {len(found)} runs, {sum(one['seconds'] for one in found) / 60:.0f} minutes\n"
        yield "| run | " + " | ".join(str(number + 1) for number in shown) + " | grows by | why |"
        yield "|---|" + "---:|" * (len(shown) + 1) + "---|"
        yield "| | " + " | ".join(found[number]["what"] for number in shown) + " | | |"
        for name in SEEN:
            cells = " | ".join(f"{found[number][name]:,}" for number in shown)
            yield f"| {UNITS.get(name, f'kB, {name}')} | {cells} | {growth(found, name)} | {WHY.get(name, '')} |"
        yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["row", "arms", "show"])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--arms", type=int, default=200)
    given = parser.parse_args()
    folders = [folder.resolve() for folder in given.folders]
    if given.what == "show":
        print("\n".join(page(folders)))
    elif given.what == "row":
        in_a_row(folders[0], given.runs)
    else:
        many_arms(folders[0], given.arms)


if __name__ == "__main__":
    main()
