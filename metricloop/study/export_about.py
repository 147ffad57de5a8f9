"""The numbers behind an exported folder: about.json for programs, README.md for people. No number of the test split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.comparison.comparison_file import OtherVersionError, read_comparison
from metricloop.comparison.phrases import change_text, interval_text
from metricloop.data.tables import read_json, replacing, write_json
from metricloop.params import Params
from metricloop.study.plan import Plan
from metricloop.text.numbers import count, fixed, p_value, percent
from metricloop.text.numbers import policy as policy_text

ABOUT, README = "about.json", "README.md"


def about(
    folder: Path, params: Params, plan: Plan, what: str, seed: int, splits: Mapping[str, Mapping[str, int]], test: str
) -> dict[str, Any]:
    """What is known of an export. splits: train, val, test -> images and boxes; test: why that is there, or not."""
    arm = plan["arms"].get(what)
    damage = params.data.corrupt
    found: dict[str, Any] = {
        "study": params.study.name,
        "what": what,
        "splits": {name: dict(sizes) for name, sizes in splits.items()},
        "test": test,
        "labels": {
            "source": params.data.source,
            "version": params.data.labels or None,
            "damaged_on_purpose": None if damage.preset == "none" else {damage.preset: damage.strength},
        },
        "detector": {"name": params.train.detector, "image_size": params.train.image_size}
        | {"iterations": params.train.iterations, "batch_size": params.train.batch_size},
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
        "metricloop": version("metricloop"),
    }
    if arm is None:
        return found
    found["arm"] = {
        "role": arm["role"],
        "metric": arm.get("metric"),
        "second_metric": Path(arm["b"]).stem if arm["policy"].get("combine") else None,
        "policy": dict(arm["policy"]),
        "seed": seed,
        "budget": params.study.budget,
    }
    if row := _row(folder, what):
        gain = (row["gain"] or {}).get("mAP")
        found["search_split"] = {"mAP": row["mAP"]["mean"], "seeds": len(row["seeds"]), "gain": gain} | {
            "expected_gain": row["shrunken_gain"], "verdict": row["verdict"], "baseline_seeds": row["baseline_seeds"]
        }  # fmt: skip
    return found


def write_about(target: Path, found: Mapping[str, Any]) -> None:
    """Write both files into an exported folder."""
    write_json(target / ABOUT, dict(found))
    with replacing(target / README) as temporary:
        temporary.write_text(readme(found), encoding="utf-8")


def readme(found: Mapping[str, Any]) -> str:
    """What is known of an export, as Markdown."""
    lines = [f"# {found['what']}, from the study {found['study']}", ""]
    lines += ["| split | images | boxes |", "|---|---:|---:|"]
    lines += [f"| {name} | {count(own['images'])} | {count(own['boxes'])} |" for name, own in found["splits"].items()]
    lines += ["", found["test"]]
    if arm := found.get("arm"):
        metric = f"by the metric {arm['metric']}, " if arm["metric"] else ""
        if arm["second_metric"]:
            metric = f"by the metrics {arm['metric']} and {arm['second_metric']}, "
        lines += [
            "",
            f"How train was chosen: {metric}policy {policy_text(arm['policy'])}; draw {arm['seed']}, "
            f"{percent(arm['budget'])} of the pool is the study's budget.",
        ]
    if search := found.get("search_split"):
        lines += ["", _result(search)]
    labels = found["labels"]
    told = f"the labels of {labels['source']}"
    if labels["version"]:
        told += f", repaired: {labels['version']}"
    if labels["damaged_on_purpose"]:
        ((preset, strength),) = labels["damaged_on_purpose"].items()
        told += f", with mistakes made on purpose in train ({preset}, strength {strength:g})"
    detector = found["detector"]
    lines += [
        "",
        f"Labels: {told}.",
        "",
        f"The study's detector: {detector['name']}, {detector['image_size']} px, {detector['iterations']} iterations "
        f"of {detector['batch_size']}. Another detector may gain more or less.",
        "",
        f"Exported {found['exported']} by metricloop {found['metricloop']}; the same as data: {ABOUT}.",
    ]
    return "\n".join(lines) + "\n"


def _result(search: Mapping[str, Any]) -> str:
    gain = search["gain"]
    text = f"On the search split (val): mAP {fixed(search['mAP'])} over {count(search['seeds'], 'seed')}"
    if not gain:
        return f"{text}; it is what the others are compared with."
    text += (
        f", {change_text(gain)} against random images, {interval_text(gain)}, {p_value(gain['p_holm'])}: "
        f"{search['verdict']}."
    )
    return text


def _row(folder: Path, arm: str) -> dict[str, Any] | None:
    """The arm's row of the comparison; None where there is none yet."""
    try:
        rows = read_comparison(folder)["arms"]
    except (FileNotFoundError, OtherVersionError):
        return None
    return next((row for row in rows if row["name"] == arm), None)


def opened_on(folder: Path) -> str | None:
    """The day on which the test split was first opened, as 2026-11-26; None while it is closed."""
    confirmation = folder / layout.CONFIRMATION
    content = read_json(confirmation) if confirmation.is_file() else {}
    openings = folder / layout.OPENINGS
    if not content.get("arms") or not openings.is_file():
        return None
    first = openings.read_text().splitlines()[:1]
    return str(json.loads(first[0])["opened"])[:10] if first else None
