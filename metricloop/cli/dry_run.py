"""`metricloop run --dry-run`: what would run, and how long it would take, before anything is spent."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import yaml

from metricloop import layout
from metricloop.comparison.next_steps import larger_share
from metricloop.comparison.phrases import groups_text
from metricloop.comparison.power import FEW_IMAGES, TYPICAL, Noise, detectable_gain, least_gain
from metricloop.comparison.statistics import resampling_units
from metricloop.data import tables
from metricloop.data.seeds import parse_seeds
from metricloop.data.tables import read_table
from metricloop.engineer.controls import MOST_CONTROLS
from metricloop.llm.journal import read_journal
from metricloop.params import Params, check_params
from metricloop.sandbox.tiers import missing
from metricloop.study.background import drawn_split
from metricloop.study.environment import environment
from metricloop.study.graph import kind_of
from metricloop.study.look_only import looking_only
from metricloop.study.looks import looks_of
from metricloop.study.plan import Plan, load_plan
from metricloop.study.processes import StageError
from metricloop.study.run_estimate import Estimate, estimate_run
from metricloop.study.screens import short_trials
from metricloop.study.split_sizes import split_sizes
from metricloop.study.stage_costs import IMAGES
from metricloop.study.staleness import staleness
from metricloop.text.duration import duration, duration_range
from metricloop.text.numbers import count, signed
from metricloop.training.parallel import parallel_jobs

LONG = 3600.0  # seconds of a run from which on the ways to shorten it are told


def outlook(folder: Path, params_text: str) -> str:
    """A person's view of what `metricloop run` would do, with an estimate from a few timed iterations.

    params_text: counts as the content of params.yaml. Nothing of the workspace is written.
    """
    params, plan = check_params(yaml.safe_load(params_text)), load_plan(folder)
    with looking_only():
        found = staleness(folder, params_text)
    names, old = found.stages, found.old
    blocks = [name for name in plan["blocks"] if f"train@{name}" in old]
    trials = sum(len(parse_seeds(plan["blocks"][name]["seeds"])) for name in blocks)
    controls = _rounds_left(folder, params) * MOST_CONTROLS
    suggested = _rounds_left(folder, params) * params.llm.suggestions * len(params.llm.engineer_models)
    folds = params.predict.folds if "predict" in old else 0
    confirms = params.confirm.baseline + 2 * params.confirm.seeds if "confirm" in old else 0
    first = params.looks.arms[0]
    short, waiting = _short_trials(plan, params, old, suggested)
    new_arms = waiting + suggested
    pictures_to_embed = _pictures_to_embed(folder) if "embed" in old else 0
    rows = [("stages", f"{len(old)} of {len(names)} to do: {_grouped(old)}")]
    rows.append(
        (
            "trials",
            f"{trials} in {len(blocks)} blocks"
            + (f", {short} short ones" if short else "")
            + (f", {new_arms * first} more for about {_who(waiting, suggested)}" if new_arms else "")
            + (f", {controls * first} if the model asks for controls" if controls else "")
            + (f", {folds} out-of-fold models" if folds else "")
            + (f", {confirms} to confirm an arm that is better" if confirms else ""),
        )
    )
    rows += [("decides", line) for line in _decisions(folder, params, plan, suggested)]
    rows.append(("images", _images(folder, params)))
    if not old:
        return rows_of([*rows, ("time", "nothing to do")])
    side_by_side = parallel_jobs(params, with_torch=False)
    timed = _timed(folder, params_text, side_by_side)
    found_time = estimate_run(
        folder, params, plan, found, timed, side_by_side,
        new_arms=new_arms, short=suggested * short_trials(params), pictures=pictures_to_embed,
        search_images=_search_images(folder, params) or IMAGES,
    )  # fmt: skip
    rows += time_rows(found_time, f"{1000 * timed['iteration']:.0f} ms an iteration", side_by_side)
    rows += shorter(params, found_time)
    if short:
        rows.append(("", "counted as if no arm stopped after its short trials"))
    return rows_of(rows)


def rows_of(rows: Sequence[tuple[str, str]], width: int = 80, name: int = 9) -> str:
    """Named texts, each as a paragraph beside its name.

    >>> print(rows_of([("images", "pool 160, search 20"), ("", "one more")], width=24))
    images   pool 160,
             search 20
             one more
    """
    return "\n".join(
        textwrap.fill(text, width, initial_indent=f"{own:<{name}}", subsequent_indent=" " * name) for own, text in rows
    )


def _short_trials(plan: Plan, params: Params, old: list[str], suggested: int) -> tuple[int, int]:
    """How many short trials are left, those of suggested arms too, and how many arms of the plan wait for theirs."""
    left = [screen for name, screen in plan["screens"].items() if f"screen@{name}" in old]
    trained = {block["arm"] for block in plan["blocks"].values()}
    short = sum(len(parse_seeds(screen["seeds"])) for screen in left) + suggested * short_trials(params)
    if suggested and short_trials(params) and not plan["screens"]:
        short += params.screen.baseline
    return short, len({screen["arm"] for screen in left} - trained)


def _who(waiting: int, suggested: int) -> str:
    """The arms that have no full trials in the plan yet."""
    if not waiting:
        return f"{suggested} suggested arms"
    more = f" and {suggested} suggested ones" if suggested else ""
    return f"{count(waiting, 'arm')} with short trials{more}"


def _decisions(folder: Path, params: Params, plan: Plan, suggested: int) -> list[str]:
    """Which gains the planned seeds and the search images can decide, and what is out of reach."""
    metrics = sum(arm["role"] == "treatment" for arm in plan["arms"].values()) + suggested
    pictures = _search_images(folder, params)
    if not metrics or pictures is None:
        return []
    images = _search_units(folder) or pictures
    told = groups_text({"search_images": images, "search_pictures": pictures})
    noise, basis = _noise(folder)
    looks = looks_of(plan, params)
    least = detectable_gain(looks, metrics, images, noise)
    lines = [
        f"a true gain of {signed(least)} mAP or more is found four times in five, with {looks[-1].arms} seeds of an "
        f"arm, {told} and {count(metrics, 'metric')} ({basis})"
    ]
    if images < FEW_IMAGES:
        least_ever = least_gain(looks, metrics, images, noise)
        lines.append(
            f"{told} are few: no gain below {signed(least_ever)} mAP can be decided with "
            f"them, however many seeds; {_more_images(folder, params)}"
        )
    return lines


def _more_images(folder: Path, params: Params) -> str:
    """How to compare on more images: by a setting where metricloop draws the split."""
    share = larger_share(params.data.search_share)
    if share > params.data.search_share and drawn_split(split_sizes(folder), params.data.search_share):
        return f"with --set data.search_share={share:g} there are {share / params.data.search_share:.1f} times as many"
    return "more labelled val pictures would help"


def _noise(folder: Path) -> tuple[Noise, str]:
    """How much results differ: in this study so far, or in others."""
    file = folder / layout.COMPARISON
    found = json.loads(file.read_text()).get("noise") if file.is_file() else None
    return (Noise(**found), "by the results so far") if found else (TYPICAL, "by other studies")


def _search_images(folder: Path, params: Params) -> int | None:
    """How many images the search split has; None when the data is not ingested and not drawn."""
    if sizes := split_sizes(folder):
        return sizes["search"]
    if params.data.source != layout.SOURCE:
        return None
    from metricloop.drawing.scenes import SPLITS

    return sum(SPLITS[number % len(SPLITS)] == "val" for number in range(params.scenes.images))


def _search_units(folder: Path) -> int:
    """How many groups of search images the verdict will count, as in `comparison.json`; 0 before `ingest` has run."""
    file = folder / layout.IMAGES
    if not file.is_file():
        return 0
    images = read_table(file, tables.IMAGES)
    groups = images.filter(pc.equal(images["split"], "search"))["group"].to_numpy()
    return len(np.unique(resampling_units(groups)))


def time_rows(found: Estimate, speed: str, side_by_side: int) -> list[tuple[str, str]]:
    """The rows about time: how long the run will take, how this was measured, and which trials may be added later."""
    rows = [
        ("time", f"{duration_range(found.low, found.high)}, probably about {duration(found.likely)}"),
        ("", f"{speed}, {count(side_by_side, 'trial')} side by side, timed just now on this machine as it is loaded"),
    ]
    least, likely, most = (round(number) for number in (found.more.least, found.more.likely, found.more.most))
    if most > least:
        more = f"{likely - least} more trials, and at most {most - least}"
        rows.append(("", f"with {more}, for arms that a look leaves open"))
    if found.cached:
        rows.append(("", f"without {count(found.cached, 'trial')} that the run before had finished"))
    return rows


def shorter(params: Params, found: Estimate) -> list[tuple[str, str]]:
    """How to shorten a run that takes long."""
    if found.likely < LONG:
        return []
    values = f"train.iterations={params.train.iterations // 2} predict.iterations={params.predict.iterations // 2}"
    return [("shorter", f"--set {values} halves most of it, and says less; or fewer arms, in arms.yaml")]


def _timed(folder: Path, params_text: str, side_by_side: int) -> dict[str, float]:
    """Time some iterations in as many processes as will train at once; the slowest counts."""
    command = [sys.executable, "-P", "-m", "metricloop.tasks.steps.estimate"]

    def once(_: int) -> dict[str, float]:
        done = subprocess.run(
            command, input=params_text, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StageError(f"timing a few iterations failed:\n{done.stderr.strip()[-2000:]}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    with ThreadPoolExecutor(side_by_side) as pool:
        results = list(pool.map(once, range(side_by_side)))
    return {name: max(result[name] for result in results) for name in results[0]}


def _rounds_left(folder: Path, params: Params) -> int:
    """Rounds that the language model will still be asked for; what one will hold is known only when it comes."""
    if params.llm.provider == "none" or missing():
        return 0
    done = {event["round"] for event in read_journal(folder / layout.JOURNAL) if event["event"] == "suggested"}
    return len(set(range(1, params.llm.rounds + 1)) - done)


def _images(folder: Path, params: Params) -> str:
    sizes = ", ".join(f"{name} {images}" for name, images in split_sizes(folder).items())
    return f"{sizes or 'not ingested yet'}; {params.study.budget:.0%} of the pool a subset"


def _pictures_to_embed(folder: Path) -> int:
    """Pictures and boxes that embed makes vectors of; 0 before they are known."""
    summary = folder / layout.SUMMARY
    if not summary.is_file():
        return 0
    content = json.loads(summary.read_text())
    pool = content["splits"]["pool"]
    return content["images"] + pool["boxes"] - pool.get("crowd", 0)


def _grouped(names: list[str]) -> str:
    kinds = Counter(map(kind_of, names))
    return ", ".join(f"{kind} x{number}" if number > 1 else kind for kind, number in kinds.items()) or "none"
