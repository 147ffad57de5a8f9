"""Remove suggested arms whose metric failed on the pool, or that have no subset; the study goes on without them."""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.data.tables import FAILED, read_json, read_yaml, stamp_of
from metricloop.llm.journal import Journal
from metricloop.mending.failed_edits import failed_edits
from metricloop.selection.options import strengths_in
from metricloop.study.plan import FILES, replace_rounds, rounds_of


def without_failed_arms(rounds: dict, failures: dict[str, str]) -> tuple[dict, dict[str, str]]:
    """rounds.yaml without the arms that read a failed file or have no subset, and the removed arms with the reason.

    failures: file -> what went wrong, as of `read_failures`.
    """
    arms = rounds.get("arms") or {}
    files = {name: failed_file(arm, failures) or layout.subset_file(name) for name, arm in arms.items()}
    lost = {name: failures[file] for name, file in files.items() if file in failures}
    subsets = {layout.subset_file(name): said for name, said in lost.items()}  # a control with as many boxes reads one
    lost |= {name: subsets[arm["b"]] for name, arm in arms.items() if arm["b"] in subsets}
    kept = {"arms": {name: arm for name, arm in arms.items() if name not in lost}}
    for section in ("screens", "blocks"):
        entries = rounds.get(section) or {}
        kept[section] = {name: entry for name, entry in entries.items() if entry["arm"] not in lost}
    return rounds | kept, lost


def failed_file(arm: dict, failures: dict[str, str]) -> str | None:
    """The failed file that an arm reads, None without one. When its inputs a and b both failed, it is a.

    An arm with `objectives` reads the files of these metrics in its folders a and b.
    """
    metrics = strengths_in(arm.get("policy", {}).get("objectives"))
    several = (file for file in failures if Path(file).stem in metrics and {arm["a"], arm["b"]} & _folders(file))
    return next((file for file in (arm["a"], arm["b"], *several) if file in failures), None)


def dropped_because(metric: str | None, reason: str) -> str:
    """Why an arm was dropped, in words. metric: of its event in the journal; None when the arm has no subset."""
    failed = f"{metric} failed while the pool was scored" if metric else "it has no subset"
    return f"dropped, because {failed}: {reason}"


def _what_failed(arm: dict, failures: dict[str, str]) -> str | None:
    """The metric or the repair that failed; None when the arm, or the one that it is the control of, has no subset."""
    file = Path(failed_file(arm, failures) or layout.subset_file(""))
    return None if file.parent.as_posix() == layout.SUBSETS else file.stem


def _folders(file: str) -> set[str]:
    return {folder.as_posix() for folder in Path(file).parents}


def read_failures(folder: Path) -> dict[str, str]:
    """File of scores, edits or a subset -> what went wrong, for all metrics, repairs and suggested arms that failed."""
    scores = {
        file.relative_to(folder).with_name(f"{metric}.parquet").as_posix(): said
        for file in sorted(folder.glob(layout.failures_file("*")))
        for metric, said in read_json(file).items()
    }
    subsets = {name: folder / name for name in map(layout.subset_file, rounds_of(folder)["arms"])}
    stamps = {name: stamp_of(file).get(FAILED) for name, file in subsets.items() if file.is_file()}
    return scores | failed_edits(folder) | {name: said for name, said in stamps.items() if said}


def failed_arms(folder: Path) -> dict[str, str]:
    """The arms of rounds.yaml that are to be dropped, each with the reason."""
    return without_failed_arms(rounds_of(folder), read_failures(folder))[1]


def drop_failed_arms(folder: Path) -> None:
    """Remove the failed arms from rounds.yaml, and write the metric and the reason into the journal."""
    failures, path = read_failures(folder), folder / FILES[1]
    if not failures or not path.is_file():
        return
    before = read_yaml(path)
    rounds, lost = without_failed_arms(before, failures)
    if not lost:
        return
    journal = Journal(folder)
    for name, said in lost.items():
        metric = _what_failed(before["arms"][name], failures)
        accepted = journal.last("accepted", suggestion=name)
        if accepted:
            journal.once("dropped", {"round": accepted["round"], "suggestion": name}, metric=metric, reason=said)
        print(f"{name}: {dropped_because(metric, said)}")
    replace_rounds(rounds, folder)
