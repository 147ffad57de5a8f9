"""The comparison as the small files that `dvc metrics`, `dvc plots` and `dvc exp` show."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.comparison.arm_rows import Arm, of_role, tried
from metricloop.data.tables import replacing, write_json

DIGITS = 6  # significant ones
NO_WINNER = "none"
GAINS = ("arm", "role", "gain_mAP", "low", "high", "p_holm", "verdict")
TRIALS = ("arm", "role", "seed", "mAP", "mAR", "mAP50")


def write_numbers(comparison: dict[str, Any]) -> None:
    """Write metrics.json, a file per arm below numbers/, and the two tables below plots/, into the current folder."""
    write_json(layout.HEADLINE, headline(comparison))
    shutil.rmtree(layout.NUMBERS, ignore_errors=True)  # an arm may have been dropped
    for arm in comparison["arms"]:
        write_json(layout.arm_numbers_file(arm["name"]), arm_numbers(arm))
    write_csv(Path(layout.GAINS), GAINS, gain_rows(comparison))
    write_csv(Path(layout.TRIALS), TRIALS, trial_rows(comparison))


def headline(comparison: dict[str, Any]) -> dict[str, Any]:
    """metrics.json: the winner and its numbers, and how many metrics are better than the baseline.

    The winner is the better treatment with the highest gain; "none", with null numbers, where no treatment is better.
    """
    better = [arm for arm in of_role(comparison, "treatment") if arm["verdict"] == "better"]
    numbers = arm_numbers(better[0]) if better else {}
    return {
        "winner": better[0]["name"] if better else NO_WINNER,
        **{name: numbers.get(name) for name in ("mAP", "mAR", "gain_mAP", "p_holm")},
        "verdict": f"{len(better)} of {tried(comparison)} better",
    }


def arm_numbers(arm: Arm) -> dict[str, Any]:
    """The numbers of one arm: means over its seeds, gain over the baseline, p corrected for all arms of its role."""
    gain = arm["gain"]["mAP"] if arm["gain"] else None
    return {
        **{name: _short(arm[name]["mean"]) for name in ("mAP", "mAR")},
        "gain_mAP": _short(gain["abs"]) if gain else None,
        "p_holm": _short(gain["p_holm"]) if gain else None,
        "verdict": arm["verdict"] or arm["role"],
    }


def gain_rows(comparison: dict[str, Any]) -> list[dict[str, Any]]:
    """The gain in mAP of every arm but the baseline, with its 95 % interval."""
    return [
        {
            **arm_numbers(arm),
            **dict(zip(("low", "high"), map(_short, arm["gain"]["mAP"]["ci95"] or (None, None)), strict=True)),
            "arm": arm["name"],
            "role": arm["role"],
        }
        for arm in comparison["arms"]
        if arm["gain"]
    ]


def trial_rows(comparison: dict[str, Any]) -> list[dict[str, Any]]:
    """mAP, mAR and mAP50 of every trial that counts."""
    return [
        {"arm": arm["name"], "role": arm["role"], "seed": seed}
        | {name: _short(arm[name]["per_seed"][place]) for name in TRIALS[3:]}
        for arm in comparison["arms"]
        for place, seed in enumerate(arm["seeds"])
    ]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write some columns of rows; None becomes an empty cell."""
    with replacing(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
