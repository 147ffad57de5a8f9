"""select@ARM: select an arm's subsets from the pool; one manifest holds all of its draws."""

from __future__ import annotations

if __name__ == "select":  # a script's own folder comes first on sys.path, before the standard library's `select`
    raise ImportError("tasks/ holds no scripts; run a step like this: python -P -m metricloop.tasks.train BLOCK")

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.data.manifest import read_first, stored_draws, write_draws
from metricloop.data.pool import read_pool
from metricloop.data.seeds import CONFIRM_SEEDS, STUDY_SEEDS
from metricloop.data.tables import FAILED, SUBSET, UNSAFE, stamp_of, write_table
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.selection.arm_files import read_arm_inputs
from metricloop.selection.policies import PolicyError, check_policy
from metricloop.selection.select import box_counts, select
from metricloop.study.plan import entry_of, load_plan, rounds_of


def arguments(argv: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The arm and the policy, from `ARM --name best --keep 0.25` as DVC writes a dict. Errors: PolicyError."""
    arm, *rest = argv or ("",)
    if not arm or arm.startswith("--") or len(rest) % 2 or not all(key.startswith("--") for key in rest[::2]):
        raise PolicyError(
            f"usage: python -P -m metricloop.tasks.select ARM --name POLICY [--OPTION VALUE ...]; got {' '.join(argv)}"
        )
    policy: dict[str, Any] = {}
    for key, value in zip(rest[::2], rest[1::2], strict=True):
        section, _, option = key.removeprefix("--").partition(".")  # DVC writes {mend: {repair: x}} as --mend.repair x
        if option:
            policy.setdefault(section, {})[option] = value
        else:
            policy[section] = value
    return arm, policy


def main(argv: Sequence[str]) -> None:
    begin_stage(f"select@{argv[0]}")
    arm, policy = arguments(argv)
    params = load_params()
    if "a" not in policy or "b" not in policy:
        entry = entry_of(load_plan(), "arms", arm)
        policy = {"a": entry["a"], "b": entry["b"]} | (policy or entry["policy"])
    files = policy.pop("a"), policy.pop("b")
    name, options = check_policy(policy)
    pool = read_pool(layout.DATA, params.data.folder)
    inputs = read_arm_inputs(name, options, files, pool)
    stamps = [stamp_of(file) for file in inputs.files]
    stamp = {UNSAFE: "yes"} if any(UNSAFE in found for found in stamps) else {}
    file = layout.subset_file(arm)
    try:
        if said := next(filter(None, (found.get(FAILED) for found in stamps)), ""):
            raise PolicyError(f"{files[1]} is empty: {said}")
        draws = select(
            pool,
            policy,
            inputs.a,
            inputs.b,
            inputs.embeddings,
            inputs.edits,
            study=(params.study.name, params.study.seed),
            arm=arm,
            budget=params.study.budget,
            seeds=[*STUDY_SEEDS, *CONFIRM_SEEDS],
        )
        write_draws(file, draws, stamp)
    except PolicyError as error:
        if arm not in rounds_of()["arms"]:  # a person's; an arm of the model is dropped, and the study goes on
            raise
        stamp[FAILED] = str(error)
        write_table(file, SUBSET, dict.fromkeys(SUBSET.names, ()), stamp)
        print(f"select {arm}: no subset: {error}")
        return
    first, number = read_first(file), len(stored_draws(file))
    print(
        f"select {arm}: {len(np.unique(first['image_id']))} images, {int(box_counts(first).sum())} boxes, "
        f"{number} draw{'s' if number > 1 else ''}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
