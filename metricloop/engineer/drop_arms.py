"""Remove the arms of suggested metrics that failed on the pool; the study goes on without them."""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.data.tables import read_json, read_yaml
from metricloop.llm.journal import Journal
from metricloop.mending.failed_edits import failed_edits
from metricloop.selection.options import strengths_in
from metricloop.study.plan import FILES, replace_rounds


def without_failed_arms(rounds: dict, failures: dict[str, str]) -> tuple[dict, dict[str, str]]:
    """rounds.yaml without the arms that read a failed file of scores, and the removed arms with the reason.

    failures: file of scores -> what went wrong.
    """
    arms = rounds.get("arms") or {}
    lost = {name: failures[file] for name, arm in arms.items() if (file := failed_file(arm, failures))}
    subsets = {layout.subset_file(name): said for name, said in lost.items()}  # a control with as many boxes reads one
    lost |= {name: subsets[arm["b"]] for name, arm in arms.items() if arm["b"] in subsets}
    kept = {"arms": {name: arm for name, arm in arms.items() if name not in lost}}
    for section in ("screens", "blocks"):
        entries = rounds.get(section) or {}
        kept[section] = {name: entry for name, entry in entries.items() if entry["arm"] not in lost}
    return rounds | kept, lost


def failed_file(arm: dict, failures: dict[str, str]) -> str | None:
    """The failed file of scores that an arm reads, or None; its own metric's before its partner's.

    An arm with `objectives` reads those of their files that lie in the folders a and b.
    """
    metrics = strengths_in(arm.get("policy", {}).get("objectives"))
    several = (file for file in failures if Path(file).stem in metrics and {arm["a"], arm["b"]} & _folders(file))
    return next((file for file in (arm["a"], arm["b"], *several) if file in failures), None)


def _folders(file: str) -> set[str]:
    return {folder.as_posix() for folder in Path(file).parents}


def read_failures(folder: Path) -> dict[str, str]:
    """File of scores or edits -> what went wrong, for every metric or repair that failed on the pool."""
    scores = {
        file.relative_to(folder).with_name(f"{metric}.parquet").as_posix(): said
        for file in sorted(folder.glob(layout.failures_file("*")))
        for metric, said in read_json(file).items()
    }
    return scores | failed_edits(folder)


def drop_failed_arms(folder: Path) -> None:
    """Remove arms with failed scores from rounds.yaml, and journal the metric and the reason."""
    failures, path = read_failures(folder), folder / FILES[1]
    if not failures or not path.is_file():
        return
    before = read_yaml(path)
    rounds, lost = without_failed_arms(before, failures)
    if not lost:
        return
    journal = Journal(folder)
    for name, said in lost.items():
        metric = Path(failed_file(before["arms"][name], failures) or before["arms"][name]["b"]).stem
        accepted = journal.last("accepted", suggestion=name)
        if accepted:
            journal.once("dropped", {"round": accepted["round"], "suggestion": name}, metric=metric, reason=said)
        print(f"{name}: dropped, because {metric} failed while the pool was scored: {said}")
    replace_rounds(rounds, folder)
