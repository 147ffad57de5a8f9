"""drop: a suggested metric that failed while the pool was scored loses its arm, and the study goes on without it."""

from __future__ import annotations

from pathlib import Path

from metricloop.data.tables import read_json, read_yaml
from metricloop.llm.journal import Journal
from metricloop.study.plan import FILES, replace_rounds


def dropped(rounds: dict, failures: dict[str, str]) -> tuple[dict, dict[str, str]]:
    """rounds.yaml without the arms that read a failed file of scores, and the reason by arm.

    failures: file of scores -> what went wrong.
    """
    arms, blocks = rounds.get("arms") or {}, rounds.get("blocks") or {}
    lost = {name: failures[file] for name, arm in arms.items() if (file := failed_file(arm, failures))}
    kept = {
        "arms": {name: arm for name, arm in arms.items() if name not in lost},
        "blocks": {name: block for name, block in blocks.items() if block["arm"] not in lost},
    }
    return rounds | kept, lost


def failed_file(arm: dict, failures: dict[str, str]) -> str | None:
    """The file of scores that an arm reads and that failed, its own metric's before its partner's."""
    return next((file for file in (arm["a"], arm["b"]) if file in failures), None)


def read_failures(folder: Path) -> dict[str, str]:
    """Every file of scores of a metric that was given up, and why."""
    return {
        file.relative_to(folder).with_name(f"{metric}.parquet").as_posix(): said
        for file in sorted((folder / "scores").glob("*/failed.json"))
        for metric, said in read_json(file).items()
    }


def drop(folder: Path) -> None:
    """Take the arms that lost their scores out of rounds.yaml; the journal says why, and which metric it was."""
    failures, path = read_failures(folder), folder / FILES[1]
    if not failures or not path.is_file():
        return
    before = read_yaml(path)
    rounds, lost = dropped(before, failures)
    if not lost:
        return
    journal = Journal(folder)
    for name, said in lost.items():
        metric = Path(failed_file(before["arms"][name], failures) or "").stem
        accepted = journal.last("accepted", suggestion=name)
        if accepted:
            journal.once("dropped", {"round": accepted["round"], "suggestion": name}, metric=metric, reason=said)
        print(f"{name}: dropped, because {metric} failed while the pool was scored: {said}")
    replace_rounds(rounds, folder)
