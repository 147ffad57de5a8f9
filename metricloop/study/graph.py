"""The graph of a study's stages, read from dvc.yaml, which is the only place that declares stages and their order."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from metricloop import layout
from metricloop.data.tables import read_yaml
from metricloop.study.yaml_text import read_as_dvc

Graph = dict[str, set[str]]  # stage -> the stages whose outputs it reads; each stage comes after those
OUTPUTS = ("outs", "metrics", "plots")
NAMED = 5  # stages of one kind that are named one by one
VARIABLE = re.compile(r"\$\{([\w.]+)\}")


class GraphError(ValueError):
    """dvc.yaml is not the one of a study; the message says what to do."""


def stages_of(folder: Path, plan: Mapping[str, Any]) -> Graph:
    """The graph of all stages of the workspace in `folder`. Errors: GraphError."""
    path = folder / layout.STAGES
    content = declared(path.read_text() if path.is_file() else "", path)
    return wired(content["stages"], plan, read_yaml(folder / layout.PARAMS))


def declared(text: str, path: Path) -> dict[str, Any]:
    """The content of the dvc.yaml at `path`, given its text. Errors: GraphError where it is not that of a workspace."""
    try:
        content = read_as_dvc(text)
    except ValueError as error:
        raise GraphError(f"{path} is not valid YAML: {error}") from None
    stages = content.get("stages") if isinstance(content, Mapping) else None
    if not stages:
        raise GraphError(f"{path} declares no stages: this is not a workspace; make one with `metricloop init`")
    folder = path.parent
    if old := [kind for kind, stage in stages.items() if " -m tasks." in str(stage)]:
        raise GraphError(
            f"{folder} was made by an earlier version of metricloop (its stage {old[0]} runs `-m tasks.{old[0]}`), and "
            "this version cannot continue it. Make a new workspace with `metricloop init` and copy "
            f"{layout.PARAMS}, {layout.ARMS}, {layout.BRIEF} and your own files of metrics into it; a metric now says "
            "`from metricloop import metric`. The files of the old workspace stay readable"
        )
    return content


def wired(declared: Mapping[str, Any], plan: Mapping[str, Any], params: Mapping[str, Any]) -> Graph:
    """The graph of the section `stages` of a dvc.yaml, with one stage per batch, arm or block.

    params: the parsed params.yaml, for paths such as ${data.source}. A stage reads from another when one of
    its dependencies is an output of the other, is in such a folder, or is a folder with such a file.
    """
    reads: dict[str, list[str]] = {}
    makers: dict[str, str] = {}
    for kind, stage in declared.items():
        for name, item in _items(kind, stage, plan):
            body = stage.get("do", stage)
            values = {**params, "key": name.partition("@")[2], "item": item}
            reads[name] = [_filled(path, values) for path in _paths(body.get("deps"))]
            outs = (path for key in OUTPUTS for path in _paths(body.get(key)))
            makers |= {_filled(path, values): name for path in outs}
    holding: dict[str, set[str]] = {}  # a folder, and the stages that write into it
    for made, maker in makers.items():
        for folder in _parents(made):
            holding.setdefault(folder, set()).add(maker)
    graph = {name: set[str]() for name in reads}
    for name, paths in reads.items():
        for path in paths:
            graph[name] |= {makers[place] for place in (path, *_parents(path)) if place in makers}
            graph[name] |= holding.get(path, set())
    return _ordered(graph)


def kinds_before(graph: Graph, kind: str) -> list[str]:
    """The kinds of stages that come before `kind` in the graph, such as ingest, predict and score."""
    kinds = list(dict.fromkeys(kind_of(stage) for stage in graph))
    return kinds[: kinds.index(kind)] if kind in kinds else []


def kind_of(stage: str) -> str:
    """`train` for train@random.0."""
    return stage.partition("@")[0]


def by_kind(names: Sequence[str]) -> str:
    """Stages in short: of many of one kind the number, of a few their names.

    >>> by_kind(["ingest", "score@a", "score@b"])
    'ingest, score (a, b)'
    """
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(kind_of(name), []).append(name.partition("@")[2])
    return ", ".join(
        kind if items == [""] else f"{kind} ({', '.join(items)})" if len(items) <= NAMED else f"{kind} ({len(items)})"
        for kind, items in kinds.items()
    )


def reads_embeddings(plan: Mapping[str, Any]) -> bool:
    """Whether a batch or an arm reads embeddings; only then dvc.yaml has the stage `embed`."""
    readers = [*plan["batches"].values(), *plan["arms"].values()]
    return any(layout.EMBEDDINGS in (one.get("needs"), one.get("a"), one.get("b")) for one in readers)


def downstream(graph: Graph, changed: Iterable[str]) -> list[str]:
    """The changed stages and all stages that depend on them, in the order of the graph."""
    stale = set(changed)
    for stage, inputs in graph.items():
        if inputs & stale:
            stale.add(stage)
    return [stage for stage in graph if stage in stale]


def needed_for(graph: Graph, wanted: Iterable[str]) -> list[str]:
    """The wanted stages and all stages that they depend on, in the order of the graph."""
    needed = set(wanted)
    for stage in reversed(list(graph)):
        if stage in needed:
            needed |= graph[stage]
    return [stage for stage in graph if stage in needed]


def _items(kind: str, stage: Mapping[str, Any], plan: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(name, item) per instance of a stage: one instance, or one per entry of the section that `foreach` names."""
    if "foreach" not in stage:
        return [(kind, {})]
    section = str(stage["foreach"]).strip("${}")
    if section not in plan:
        near = get_close_matches(section, plan, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise GraphError(f"{layout.STAGES}: stage {kind} repeats over {section!r}, which the plan does not have{hint}")
    return [(f"{kind}@{name}", item) for name, item in plan[section].items()]


def _paths(entries: Iterable[Any] | None) -> list[str]:
    """The paths in a list of dependencies or outputs; an entry may also be `{path: {options}}`."""
    return [str(entry if isinstance(entry, str) else next(iter(entry))) for entry in entries or ()]


def _filled(path: str, values: Any) -> str:
    """A path with ${key}, ${item.x} and ${section.x} replaced; a name without a value is left as it is."""

    def value(match: re.Match[str]) -> str:
        found = values
        for part in match[1].split("."):
            if not isinstance(found, Mapping) or part not in found:
                return match[0]
            found = found[part]
        return str(found)

    return posixpath.normpath(VARIABLE.sub(value, path))


def _parents(path: str) -> list[str]:
    """The folders that a path lies in: a/b/c -> a/b, a."""
    return [str(parent) for parent in PurePosixPath(path).parents if str(parent) not in (".", "/")]


def _ordered(graph: Graph) -> Graph:
    """The same graph with every stage after those it reads from, and otherwise in the order of dvc.yaml."""
    done: Graph = {}

    def visit(stage: str, above: tuple[str, ...]) -> None:
        if stage in above:
            raise GraphError(f"{layout.STAGES}: {' -> '.join([*above[above.index(stage) :], stage])} is a circle")
        if stage not in done:
            inputs = graph[stage] - {stage}
            for source in (name for name in graph if name in inputs):
                visit(source, (*above, stage))
            done[stage] = inputs

    for stage in graph:
        visit(stage, ())
    return done
