"""Look into a study's workspace: its comparison, arms, subsets and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from metricloop import layout
from metricloop.api.data import Data, InputError, known_name, objects_of, truth_table
from metricloop.api.scores import Score, score_table
from metricloop.comparison.comparison_file import OtherVersionError, read_comparison
from metricloop.data.formats.export import of_subset
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.data.tables import SCORES, TRUTH, column, read_table
from metricloop.metrics.contract import Level, spec_of
from metricloop.params import Params, load_params
from metricloop.scoring.open_metrics import catalogue
from metricloop.selection.policies import POLICIES
from metricloop.study.plan import load_plan


@dataclass(frozen=True, eq=False)
class Study:
    """A study's workspace, read only. What a stage has not made yet raises TableError or InputError, and says so.

    folder: the workspace.
    params: its params.yaml.
    plan: its arms.yaml and rounds.yaml.
    """

    folder: Path
    params: Params
    plan: Mapping[str, Mapping[str, dict[str, Any]]]

    def __repr__(self) -> str:
        return f"Study({self.params.study.name}: {len(self.plan['arms'])} arms)"

    @property
    def arms(self) -> pd.DataFrame:
        """One row per arm of the plan: role, metric, policy (its name) and options (of the policy)."""
        rows = {}
        for name, arm in self.plan["arms"].items():
            options = {key: value for key, value in arm["policy"].items() if key != "name"}
            rows[name] = [arm["role"], arm.get("metric"), arm["policy"]["name"], options]
        return pd.DataFrame.from_dict(rows, orient="index", columns=["role", "metric", "policy", "options"])

    @property
    def comparison(self) -> pd.DataFrame:
        """One row per evaluated arm, in the order of the report: role, group, metric, policy, images, boxes,
        boxes_ratio (to the baseline's), seeds (how many count), baseline_seeds (of the baseline in its gain), mAP,
        mAP_sd, mAP50, mAR, gain, gain_relative, low and high (95 % interval of the gain in mAP), p, p_holm (corrected
        for all planned arms of its role and for the looks), verdict, shrunken_gain (the gain to expect elsewhere,
        without the luck of the best of several arms), seeds_needed and seeds_needed_high (for an undecided arm: the
        seeds that decide in four studies of five, if the shrunken gain is the true one, and if the true one is as low
        as in one study of four; missing above 99).
        """
        try:
            comparison = read_comparison(self.folder)
        except (FileNotFoundError, OtherVersionError) as error:
            raise InputError(str(error)) from None
        return pd.DataFrame({arm["name"]: _compared(arm) for arm in comparison["arms"]}).T.infer_objects()

    @property
    def pool(self) -> Data:
        """The images that the arms draw from, with the labels that trials see. `truth` tells what was damaged."""
        arrays = load(self.folder / layout.DATA, self.folder / self.params.data.folder, "pool")
        problems = pd.read_csv(self.folder / layout.PROBLEMS)
        truth = read_table(self.folder / layout.TRUTH, TRUTH)
        return Data(arrays, problems, truth_table(truth, arrays.class_names) if len(truth) else None)

    def subset(self, arm: str, seed: int = 0) -> Data:
        """The images and labels that an arm trains on with this seed. Errors: InputError for an unknown arm."""
        known_name("arm", arm, self.plan["arms"])
        draw = read_draw(self.folder / layout.subset_file(arm), seed)
        pool = self.pool
        return Data(of_subset(objects_of(pool), draw, int(column(draw, "draw")[0])), pool.problems)

    def scores(self, metric: str, batch: str | None = None) -> Score:
        """The scores of one metric on the pool.

        batch: which batch, where several hold a metric of this name.
        `higher_is` is None for a metric outside the catalogue that no arm uses, or that arms use in both directions.
        Errors: InputError for a metric or batch without scores, and for a metric that several batches hold.
        """
        files = sorted((self.folder / layout.SCORES).glob("*/*.parquet"))
        known_name("metric", metric, {file.stem for file in files})
        by_batch = {file.parent.name: file for file in files if file.stem == metric}
        if batch is None and len(by_batch) > 1:
            raise InputError(f"{metric} has scores in several batches; give one as batch: {', '.join(by_batch)}")
        table = read_table(by_batch[known_name("batch", batch or next(iter(by_batch)), by_batch)], SCORES)
        columns = {name: table[name].to_pandas() for name in SCORES.names}
        level: Level = "object" if table["box_id"].null_count < len(table) else "image"
        pool = self.pool
        return Score(metric, level, self._direction(metric), pool, score_table(columns, pool))

    def _direction(self, metric: str) -> Any:
        """What the metric declares, or else the direction in which arms use it; None where they do not agree."""
        if metric in (known := catalogue()):
            return spec_of(known[metric]).higher_is
        policies = [arm["policy"] for arm in self.plan["arms"].values() if arm.get("metric") == metric]
        directions = {
            policy.get("direction", "higher")
            for policy in policies
            if policy["name"] in POLICIES and "direction" in POLICIES[policy["name"]].options.model_fields
        }
        return {("higher",): "better", ("lower",): "worse"}.get(tuple(directions))


def open_study(folder: str | Path) -> Study:
    """Open the workspace of a study, to look into it.

    `ml.open_study("demo").comparison` is the table of the report. `arms`, `pool`, `subset(arm, seed)` and
    `scores(metric)` are what it was made from.

    Errors: ParamsError or PlanError where the folder is no workspace.
    """
    folder = Path(folder)
    return Study(folder, load_params(folder / layout.PARAMS), load_plan(folder))


def _compared(arm: Mapping[str, Any]) -> dict[str, Any]:
    """One arm of comparison.json as a flat row."""
    change = (arm["gain"] or {}).get("mAP") or {}
    low, high = change.get("ci95") or (None, None)
    seeds, most_seeds = arm["seeds_needed"] or (None, None)
    return {
        **{name: arm[name] for name in ("role", "group", "metric", "images", "boxes", "boxes_ratio")},
        "policy": arm["policy"]["name"],
        "seeds": len(arm["seeds"]),
        "baseline_seeds": arm["baseline_seeds"],
        "mAP": arm["mAP"]["mean"],
        "mAP_sd": arm["mAP"]["sd"],
        "mAP50": arm["mAP50"]["mean"],
        "mAR": arm["mAR"]["mean"],
        "gain": change.get("abs"),
        "gain_relative": change.get("rel"),
        "low": low,
        "high": high,
        "p": change.get("p"),
        "p_holm": change.get("p_holm"),
        "verdict": arm["verdict"],
        "shrunken_gain": arm["shrunken_gain"],
        "seeds_needed": seeds,
        "seeds_needed_high": most_seeds,
    }
