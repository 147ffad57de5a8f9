"""drop: a suggested metric that failed while the pool was scored loses its arm, and the study goes on without it."""

from __future__ import annotations

from pathlib import Path

from detection.tables import read_json, read_yaml
from llm.journal import Journal
from tasks.guard import tell_errors_briefly, tie_to_ancestors
from tasks.plan import FILES, replace_rounds


def dropped(rounds: dict, failures: dict[str, str]) -> tuple[dict, dict[str, str]]:
    """rounds.yaml without the arms that read a failed file of scores, and the reason by arm.

    failures: file of scores -> what went wrong.
    """
    arms, blocks = rounds.get("arms") or {}, rounds.get("blocks") or {}
    lost = {n: failures[f] for n, arm in arms.items() for f in (arm["b"], arm["a"]) if f in failures}
    kept = {
        "arms": {name: arm for name, arm in arms.items() if name not in lost},
        "blocks": {name: block for name, block in blocks.items() if block["arm"] not in lost},
    }
    return rounds | kept, lost


def main() -> None:
    tell_errors_briefly("drop")
    tie_to_ancestors()
    failures = {
        f"{file.parent.as_posix()}/{metric}.parquet": said
        for file in sorted(Path("scores").glob("*/failed.json"))
        for metric, said in read_json(file).items()
    }
    if not failures or not Path(FILES[1]).is_file():
        return
    rounds, lost = dropped(read_yaml(FILES[1]), failures)
    if not lost:
        return
    journal = Journal()
    for name, said in lost.items():
        accepted = journal.last("accepted", suggestion=name)
        if accepted:
            journal.once("dropped", {"round": accepted["round"], "suggestion": name}, reason=said)
        print(f"{name}: dropped, because its metric failed while the pool was scored: {said}")
    replace_rounds(rounds)


if __name__ == "__main__":
    main()
