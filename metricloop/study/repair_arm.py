"""The entries of arms.yaml that put a repair to the test: random images, with the labels that it mends."""

from __future__ import annotations

from metricloop import layout
from metricloop.mending.open_repair import repair_catalogue
from metricloop.metrics.repair_contract import RepairSpec, repair_spec_of
from metricloop.params import Params
from metricloop.scoring.open_metrics import CATALOGUE
from metricloop.selection.options import Mend
from metricloop.study.add_arm import AppendError, arm_name, file_for
from metricloop.study.new_arm import trials_for
from metricloop.study.plan import Plan


def known_repairs() -> list[str]:
    """The names of the repairs of the catalogue."""
    return sorted(repair_catalogue())


def catalogue_repair_arm(params: Params, plan: Plan, name: str) -> tuple[str, Plan]:
    """The name of an arm that mends by a repair of the catalogue, and its entries."""
    return repair_arm(params, plan, repair_spec_of(repair_catalogue()[name]), CATALOGUE[1])


def repair_arm(params: Params, plan: Plan, spec: RepairSpec, code: str) -> tuple[str, Plan]:
    """The name of an arm of random images whose labels a repair mends, and its entries, with its first trials.

    code: the repair's file, relative to the workspace, or the catalogue. The baseline has as many images.
    Errors: AppendError when another file has a repair of this name, or there is such an arm already.
    """
    there = plan["repairs"].get(spec.name)
    if there and there["code"] != code:
        raise AppendError(f"another repair is called {spec.name} already ({there['code']}); give yours another name")
    mend = Mend(repair=spec.name).model_dump(include={"repair", "least_confidence"})
    entry = {
        "role": "treatment",
        "a": layout.IMAGES,
        "b": layout.edits_file(spec.name),
        "policy": {"name": "random", "mend": mend},
    }
    if alike := [
        name for name, arm in plan["arms"].items() if (arm["b"], arm["policy"]) == (entry["b"], entry["policy"])
    ]:
        raise AppendError(f"the arm {alike[0]} is this already; change its least_confidence, or add another repair")
    arm = arm_name(plan, spec.name, "mend")
    addition: Plan = {"arms": {arm: entry}}
    if not there:
        addition["repairs"] = {spec.name: {"code": code, "needs": file_for(spec.needs)}}
    return arm, addition | trials_for(arm, addition, params, plan)
