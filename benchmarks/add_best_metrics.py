"""Add five more metrics of the catalogue to the arms of a new workspace, each with the policy that keeps object sizes.

    python -P benchmarks/add_best_metrics.py WORKSPACE

They are the five whose audit found most mistakes among the drawn pandas (audit.md), so they were chosen without a look
at the truth of the data set that they are tried on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.metrics.contract import spec_of
from metricloop.params import load_params
from metricloop.scoring.open_metrics import catalogue
from metricloop.study.add_arm import append_entries
from metricloop.study.plan import Plan

STRATA = {"name": "strata", "by": "size"}
AMONG = {"name": "among", "share": 0.45}
CHOSEN: dict[str, tuple[str, dict[str, Any]]] = {  # arm: metric and policy
    "fit_strata": ("box_fit", STRATA),
    "located_strata": ("badly_located", STRATA),
    "doubt_strata": ("location_doubt", STRATA),
    "uncovered_among": ("uncovered_prediction", AMONG),
    "quality_among": ("label_quality", AMONG),
}


def entries(seeds: int) -> Plan:
    """The batches, arms and blocks to add; seeds: of every arm at the first look."""
    addition: Plan = {"batches": {}, "arms": {}, "blocks": {}, "looks": {}}
    for arm, (metric, policy) in CHOSEN.items():
        spec = spec_of(catalogue()[metric])
        predicted = "predictions" in spec.needs
        batch = "best-model" if predicted else "best-pixels"
        needs = layout.PREDICTIONS if predicted else layout.IMAGES
        empty: dict[str, Any] = {"code": "metrics/catalogue.yaml", "needs": needs, "metrics": []}
        addition["batches"].setdefault(batch, empty)["metrics"].append(metric)
        file = layout.scores_file(batch, metric)
        direction = "lower" if spec.higher_is == "worse" else "higher"
        addition["arms"][arm] = {
            "role": "treatment", "group": "catalogue", "metric": metric, "a": file, "b": file,
            "policy": policy | {"direction": direction},
        }  # fmt: skip
        addition["blocks"][f"{arm}.0"] = {"arm": arm, "seeds": f"0-{seeds - 1}"}
    return addition


def main() -> None:
    workspace = Path(sys.argv[1])
    append_entries(workspace / layout.ARMS, entries(load_params(workspace / layout.PARAMS).looks.arms[0]))


if __name__ == "__main__":
    main()
