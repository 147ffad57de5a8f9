"""The plan of a study: the batches, repairs, arms, screens, blocks and looks of arms.yaml and rounds.yaml together."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from metricloop import layout
from metricloop.comparison.groups import ALL, MODEL
from metricloop.data.seeds import STUDY_SEEDS, parse_seeds
from metricloop.data.tables import read_yaml, replacing
from metricloop.selection.policies import check_policy
from metricloop.text.nearest import did_you_mean

FILES = (layout.ARMS, layout.ROUNDS)  # written by a person, written by the flow
REQUIRED = {
    "batches": ("code", "needs", "metrics"),
    "repairs": ("code", "needs"),
    "arms": ("role", "a", "b", "policy"),
    "screens": ("arm", "seeds"),
    "blocks": ("arm", "seeds"),
    "looks": ("arms", "baseline", "alpha"),
}
ROLES = ("baseline", "control", "treatment")
RESERVED = (MODEL, ALL)  # groups that are made of other groups
# Names and files become words of a stage's command line, which a shell reads.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
FILE = re.compile(r"[\w./][\w./@+,:=-]*")
Plan = dict[str, dict[str, dict[str, Any]]]


class PlanError(ValueError):
    """arms.yaml or rounds.yaml cannot be used; the message names the file and the entry."""


def load_plan(folder: Path | str = ".") -> Plan:
    """Read both files of a workspace: section -> name -> entry, with every section of REQUIRED.

    One of the two files may be missing as long as no stage has run. Errors: PlanError.
    """
    paths = [Path(folder) / name for name in FILES]
    if not any(path.is_file() for path in paths):
        raise PlanError(f"no {' or '.join(FILES)} in {Path(folder).resolve()}, so this is not a workspace")
    gone = [path for path in paths if not path.exists()]
    if gone and all((Path(folder) / name).is_file() for name in (layout.STAGES, layout.LOCK)):
        raise PlanError(f"{gone[0]} is missing, which {layout.STAGES} reads; put it back")
    plan: Plan = {section: {} for section in REQUIRED}
    for path in paths:
        content = read_yaml(path) if path.is_file() else {}
        if not isinstance(content, dict):
            raise PlanError(f"{path} must have sections ({', '.join(REQUIRED)}), but it is a {type(content).__name__}")
        for section, entries in content.items():
            if section not in REQUIRED:
                raise PlanError(f"{path}: unknown section {section!r}; known: {', '.join(REQUIRED)}")
            if not isinstance(entries or {}, dict):
                raise PlanError(f"{path}: {section} must map names to entries, but it is a {type(entries).__name__}")
            for name, entry in (entries or {}).items():
                if name in plan[section]:
                    raise PlanError(f"{path}: {section}.{name} is already in {layout.ARMS}; rename one of them")
                missing = [key for key in REQUIRED[section] if key not in (entry or {})]
                if missing:
                    raise PlanError(f"{path}: {section}.{name} lacks {', '.join(missing)}")
                if fault := _unfit(section, str(name), entry):
                    raise PlanError(f"{path}: {fault}")
                plan[section][name] = entry
    _check(plan)
    return plan


def _unfit(section: str, name: str, entry: dict[str, Any]) -> str:
    """What is wrong with an entry as part of a command line; "" when nothing is."""
    if not NAME.fullmatch(name):
        return f"{section}.{name!r}: a name consists of A-Z, a-z, 0-9, _, . and -, and does not begin with . or -"
    for key in ("a", "b") if section == "arms" else ():
        if not FILE.fullmatch(str(entry[key])):
            return f"{section}.{name}: {key} must be a file without spaces or quotes in its name, found {entry[key]!r}"
    if section == "arms" and not isinstance(entry["policy"], dict):
        return f"{section}.{name}: policy has a name and options, such as {{name: {entry['policy']}}}"
    if section in ("batches", "repairs") and (strange := [key for key in entry if key not in REQUIRED[section]]):
        known = ", ".join(REQUIRED[section])
        return f"{section}.{name} has unknown keys {', '.join(map(repr, strange))}; known: {known}"
    if section == "repairs" and not name.isidentifier():
        return f"{section}.{name}: a repair has the name of its function, of letters, digits and _"
    if section == "batches":
        if not isinstance(entry["metrics"], list):
            return f"{section}.{name}: metrics is a list, such as [{entry['metrics']}]"
        for metric in entry["metrics"]:
            if not str(metric).isidentifier():
                return f"{section}.{name}: the metric {metric!r} is not the name of a function"
    return ""


def _check(plan: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Check what would otherwise fail only after hours of training. Errors: PlanError."""
    for name, arm in plan["arms"].items():
        if arm["role"] not in ROLES:
            raise PlanError(f"arms.{name}: role {arm['role']!r} is not one of {', '.join(ROLES)}")
        if str(arm.get("group")) in RESERVED:
            raise PlanError(f"arms.{name}: a group cannot be called {arm['group']!r}; metricloop uses that name itself")
        try:
            policy, _ = check_policy(arm["policy"])
        except ValueError as error:
            raise PlanError(f"arms.{name}: {error}") from None
        if policy == "relabel" and (fault := _unfit_relabel(arm)):
            raise PlanError(f"arms.{name}: {fault}")
    baselines = [name for name, arm in plan["arms"].items() if arm["role"] == "baseline"]
    if plan["arms"] and len(baselines) != 1:
        raise PlanError(f"a study has exactly one arm of role baseline; these files have {len(baselines)}: {baselines}")
    if plan["screens"] and not any(screen["arm"] in baselines for screen in plan["screens"].values()):
        name = baselines[0]
        raise PlanError(f"screens: the baseline has no short trials; add {name}: {{arm: {name}, seeds: 34-39}}")
    for section in ("screens", "blocks"):
        for name, entry in plan[section].items():
            entry_of(plan, "arms", entry["arm"], f"named by {section.removesuffix('s')} {name}")
            try:
                seeds = parse_seeds(entry["seeds"])
            except ValueError as error:
                raise PlanError(f"{section}.{name}: {error}") from None
            if max(seeds) not in STUDY_SEEDS:
                raise PlanError(f"{section}.{name}: seeds go from 0 to {STUDY_SEEDS[-1]}, found {entry['seeds']}")


def _unfit_relabel(arm: dict[str, Any]) -> str:
    """What is wrong with an arm of the policy relabel; "" when nothing is."""
    if arm["role"] != "control":
        return f"relabel knows the true labels, so its role is control, not {arm['role']}"
    if arm["a"] not in (layout.TRUTH, layout.SECOND):
        known = f"{layout.TRUTH} (mistakes made on purpose) or {layout.SECOND} (a second labelling)"
        return f"relabel reads the true labels as its input a: {known}; found {arm['a']}"
    return ""


def entry_of(plan: Plan, section: str, name: str, where: str = "") -> dict[str, Any]:
    """One entry of the plan. Errors: PlanError with the nearest known name."""
    if name in plan[section]:
        return plan[section][name]
    hint = did_you_mean(name, plan[section], f"known: {', '.join(plan[section]) or 'none'}")
    raise PlanError(f"no {name!r} among the {section} of {' and '.join(FILES)}{where and f' ({where})'}; {hint}")


def add_block(folder: Path | str, arm: str, seeds: str) -> None:
    """Add a block of seeds to an arm, in rounds.yaml; it is called ARM.N, with the first free number.

    Errors: PlanError when the arm has one of these seeds already.
    """
    plan = load_plan(folder)
    if known := seeds_of(plan, arm) & set(parse_seeds(seeds)):
        raise PlanError(f"{arm} has seed {min(known)} already; a new block needs other seeds than {seeds}")
    number = next(n for n in count() if f"{arm}.{n}" not in plan["blocks"])
    write_rounds({"blocks": {f"{arm}.{number}": {"arm": arm, "seeds": seeds}}}, folder)


def seeds_of(plan: Plan, arm: str) -> set[int]:
    """All seeds of an arm's blocks."""
    return {seed for block in plan["blocks"].values() if block["arm"] == arm for seed in parse_seeds(block["seeds"])}


def write_rounds(addition: Plan, folder: Path | str = ".") -> None:
    """Add entries to rounds.yaml; entries of the same name are replaced."""
    rounds = rounds_of(folder)
    replace_rounds({section: rounds[section] | addition.get(section, {}) for section in REQUIRED}, folder)


def rounds_of(folder: Path | str = ".") -> Plan:
    """What rounds.yaml holds, every section of it."""
    path = Path(folder) / layout.ROUNDS
    found = read_yaml(path) if path.is_file() else {}
    return {section: found.get(section) or {} for section in REQUIRED}


def replace_rounds(rounds: Plan, folder: Path | str = ".") -> None:
    """Write rounds.yaml; what it held is replaced."""
    note = (
        "# Written by metricloop: batches, arms, screens and blocks of its rounds and for more seeds, and the planned\n"
        "# looks; read with arms.yaml.\n"
    )
    with replacing(Path(folder) / layout.ROUNDS) as temporary:
        temporary.write_text(note + yaml.safe_dump(rounds, sort_keys=False, width=120))
