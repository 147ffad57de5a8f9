"""The MLflow runs of promoted detectors, read from their folders: what each was trained on, and its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.delivery.promoted import CHAMPION, aliases, all_facts
from metricloop.text import numbers
from metricloop.tracking.records import RunRecord

KIND = "promoted"


def promoted_runs(folder: Path) -> dict[int, RunRecord]:
    """Version -> the run of every promoted detector of a workspace."""
    return {version: promoted_run(version, facts) for version, facts in all_facts(folder).items()}


def promoted_run(version: int, facts: dict[str, Any]) -> RunRecord:
    """The run of one version; above the arms, the newest first."""
    subset, test = facts["subset"], facts["test"] or {}
    params = {
        "arm": facts["arm"],
        "policy": numbers.policy(facts["policy"]),
        "share": subset["share"],
        "detector": facts["architecture"],
        "image_size": facts["image_size"],
        "seed": facts["seed"],
        "trials": len(facts["trials"]),
    }
    metrics = {
        **{name: facts["search"][name] for name in ("mAP", "mAR", "mAP50")},
        **{f"test_{name}": test.get(name) for name in ("mAP", "mAR", "mAP50")},
        "images": subset["images"],
        "boxes": subset["boxes"],
    }
    return RunRecord(
        name=f"promoted {version}: {facts['arm']}",
        params={name: str(value) for name, value in params.items()},
        tags={"kind": KIND} | stamps(facts),
        metrics={name: round(float(value), 6) for name, value in metrics.items() if value is not None},
        dataset=(subset["file"], subset["md5"]),
        rank=-version,
    )


def stamps(facts: dict[str, Any]) -> dict[str, str]:
    """What a registered version says of itself, as tags."""
    test = facts["test"] or {}
    found = {
        "study": facts["study"],
        "arm": facts["arm"],
        "metric": facts["metric"],
        "verdict": facts["verdict"] or "none (the baseline)",
        "anyway": "yes, against its verdict" if facts["anyway"] else "no",
        "subset_md5": facts["subset"]["md5"],
        "subset_images": facts["subset"]["images"],
        "share": facts["subset"]["share"],
        "promoted": facts["version"],
        "recipe": facts["recipe"]["hash"],
        "unsafe_in_process": "yes" if facts["unsafe_in_process"] else None,
        **{f"search_{name}": _three(facts["search"].get(name)) for name in ("mAP", "mAR")},
        **{f"test_{name}": _three(test.get(name)) for name in ("mAP", "mAR")},
        "test_gain_mAP": _three(((test.get("gain") or {}).get("mAP") or {}).get("abs")),
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def short_stamps(facts: dict[str, Any]) -> dict[str, str]:
    """Those of them that the table of versions shows; the run and the logged model have all."""
    shown = ("promoted", "arm", "verdict", "anyway", "search_mAP", "test_mAP", "test_gain_mAP", "unsafe_in_process")
    return {name: text for name, text in stamps(facts).items() if name in shown and (name, text) != ("anyway", "no")}


def in_words(facts: dict[str, Any]) -> str:
    """A promoted detector in a sentence or three, for the description of its version."""
    subset, test = facts["subset"], facts["test"]
    parts = [
        f"The arm {facts['arm']} of the study {facts['study']}, trained anew on {subset['images']} images "
        f"({subset['boxes']} boxes, {100 * subset['share']:.0f} % of the pool); the best of "
        f"{numbers.count(len(facts['trials']), 'trial')} with "
        f"mAP {numbers.fixed(facts['search']['mAP'])} on the search split."
    ]
    if test:
        gain = ((test["gain"] or {}).get("mAP") or {}).get("abs")
        against = f", {numbers.signed(gain)} against the baseline" if gain is not None else ""
        parts.append(
            f"On the sealed test split ({test['images']} images) {numbers.count(test['trials'], 'other trial')} of the "
            f"arm, trained on {100 * test['share']:.0f} % of the pool, had mAP {numbers.fixed(test['mAP'])} on "
            f"average{against}."
        )
    else:
        parts.append("The arm was not measured on the test split.")
    if facts["anyway"]:
        parts.append(f"PROMOTED AGAINST ITS VERDICT, which is: {facts['verdict'] or 'none, it is the baseline'}.")
    return " ".join(parts)


def _three(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def promoted_line(folder: Path) -> str:
    """A line for the terminal on the champion of a workspace; "" where nothing was promoted."""
    found = all_facts(folder)
    if not found:
        return ""
    version = aliases(folder)[CHAMPION]
    facts = found[version]
    more = f", one of {len(found)} versions" if len(found) > 1 else ""
    mark = " AGAINST ITS VERDICT" if facts["anyway"] else ""
    search = f"mAP {numbers.fixed(facts['search']['mAP'])} on the search split"
    return f"detector:   {folder / layout.promoted_folder(version)} ({facts['arm']}, promoted{mark}; {search}{more})"
