"""Which stage feeds which: the plan's wiring as a graph, for saying what an edit makes out of date."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

PREDICTIONS = "data/predictions.parquet"
VIEWS = "data/views.parquet"
EMBEDDINGS = "data/embeddings.parquet"


def upstream(plan: dict[str, Any], drawn: bool) -> dict[str, set[str]]:
    """Every stage of a study, in the order of the data, with the stages whose outputs it reads."""
    graph: dict[str, set[str]] = {"draw": set()} if drawn else {}
    graph["ingest"] = set(graph)
    graph["predict"] = {"ingest"}
    makers = {PREDICTIONS: "predict", VIEWS: "predict", EMBEDDINGS: "embed"}
    if reads_embeddings(plan):
        graph["embed"] = {"ingest"}
    for name, batch in plan["batches"].items():
        graph[f"score@{name}"] = {"ingest", makers.get(batch["needs"], "ingest")}
    # an arm may be matched to another arm's subset, which must then come first
    for name in sorted(plan["arms"], key=lambda arm: str(plan["arms"][arm]["b"]).startswith("subsets/")):
        graph[f"select@{name}"] = {"ingest"} | {_made_by(str(plan["arms"][name][side])) for side in ("a", "b")}
    for name, block in plan["blocks"].items():
        graph[f"train@{name}"] = {f"select@{block['arm']}"}
        graph[f"evaluate@{name}"] = {f"train@{name}"}
    graph["compare"] = {stage for stage in graph if stage.startswith(("evaluate@", "select@"))}
    graph["confirm"] = {"compare"}
    return graph


def reads_embeddings(plan: dict[str, Any]) -> bool:
    """Whether a batch or an arm is made from embeddings; otherwise there is no stage that makes them."""
    readers = [*plan["batches"].values(), *plan["arms"].values()]
    return any(EMBEDDINGS in (one.get("needs"), one.get("a"), one.get("b")) for one in readers)


def stages_of(folder: Path, plan: dict[str, Any]) -> dict[str, set[str]]:
    """`upstream` for the workspace in `folder`."""
    return upstream(plan, "draw" in yaml.safe_load((folder / "dvc.yaml").read_text())["stages"])


def downstream(graph: dict[str, set[str]], changed: Iterable[str]) -> list[str]:
    """The changed stages and all that depend on them, in the order of the graph."""
    stale = set(changed)
    for stage, inputs in graph.items():
        if inputs & stale:
            stale.add(stage)
    return [stage for stage in graph if stage in stale]


def needed_for(graph: dict[str, set[str]], wanted: Iterable[str]) -> list[str]:
    """The wanted stages and all that they depend on, in the order of the graph."""
    needed = set(wanted)
    for stage in reversed(list(graph)):
        if stage in needed:
            needed |= graph[stage]
    return [stage for stage in graph if stage in needed]


def _made_by(path: str) -> str:
    """The stage that writes the file an arm is made from."""
    if path == EMBEDDINGS:
        return "embed"
    folder, _, rest = path.partition("/")
    if folder == "scores":
        return f"score@{rest.partition('/')[0]}"
    return f"select@{Path(path).stem}" if folder == "subsets" else "ingest"
