"""What each command of the command line does."""

from __future__ import annotations

import re
import sys
import time
from argparse import Namespace
from pathlib import Path

from metricloop.cli.own_metrics import adopt as adopt
from metricloop.cli.own_metrics import try_metric as try_metric
from metricloop.data.tables import read_json
from metricloop.flows.audit import audit as audit


def init(given: Namespace) -> None:
    from metricloop.study.workspace import NewStudy, WorkspaceError, create, demo_plan

    folder: Path = given.folder
    name = given.name or re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name)
    if given.demo:
        plan = demo_plan(name, given.full)
    elif given.data is None:
        raise WorkspaceError("say where the data set is: --data SOURCE (or --demo for drawn pandas)")
    else:
        from metricloop.data.formats import recognise

        source = Path(given.data).resolve()
        kind = recognise(source) if given.format == "auto" or not source.exists() else given.format
        if kind == "yolo" and source.is_file():
            source = source.parent  # the labels lie beside the YAML file, and must count as inputs too
        plan = NewStudy(
            name=name,
            source=str(source),
            root=str(source if source.is_dir() else source.parent),
            budget=given.budget,
            format=kind,
            categories=tuple(given.categories),
            detector=given.detector,
            weights=_weights(given.weights, given.detector),
            image_size=given.image_size,
            iterations=given.iterations,
            learning_rate=0.0001 if "resnet50" in given.detector else 0.001,
            block_seeds=given.seeds,
            max_seeds=max(given.seeds, given.max_seeds),
            corrupt=given.corrupt,
            strength=given.strength,
            copy=given.copy,
            full=given.full,
        )
    create(folder, plan)
    print(
        f"workspace {folder} is ready: params.yaml and arms.yaml say what will be done\n"
        f"  look first:  metricloop run -C {folder} --dry-run\n  run:         metricloop run -C {folder}"
    )


def _weights(weights: str | None, detector: str) -> str:
    """The word, or the full path of an existing file; by default what fits the detector."""
    if weights is None:
        return "drawn" if detector == "fcos_shufflenet" else "default"
    if weights in ("drawn", "none", "default"):
        return weights
    if not Path(weights).is_file():
        raise FileNotFoundError(f"--weights: {weights} does not exist; give drawn, none, default or the path of a file")
    return str(Path(weights).resolve())


def run(given: Namespace) -> None:
    from metricloop.params import load_params
    from metricloop.scoring.trust import UNSAFE, trust
    from metricloop.study.edit_params import change_params
    from metricloop.study.plan import load_plan
    from metricloop.study.processes import hide_keys, typed

    hide_keys()  # before a server of Prefect's is started, which would inherit them
    folder = given.folder.resolve()
    for line in change_params(folder / "params.yaml", given.set):
        print(line)
    load_params(folder / "params.yaml")  # before a server is started for nothing
    load_plan(folder)
    if given.dry_run:
        from metricloop.cli.dry_run import outlook

        print(outlook(folder))
        return
    for file in given.trust:
        print(f"trusted as it is now: {trust(file, folder)}")
    if given.unsafe:
        print("WARNING: metrics that nobody has read will run without the sandbox; results are marked", file=sys.stderr)
        typed[UNSAFE] = "1"
    began = time.monotonic()
    if given.arm:
        from metricloop.flows.experiment import experiment

        experiment(str(folder), given.arm)
    else:
        from metricloop.flows.improve import improve

        improve(str(folder))
    _show(folder)
    print(f"took {time.monotonic() - began:.0f} s")


def _show(folder: Path) -> None:
    from metricloop.comparison.comparison_table import print_table
    from metricloop.tracking.track import where_to_look

    print()
    print_table(read_json(folder / "comparison.json"))
    report = folder / "report.html"
    if report.is_file():
        print(f"\nreport:     {report}")
    if (folder / "confirmation.json").is_file():
        print(f"test split: metricloop compare --confirmed -C {folder}")
    print(where_to_look(folder))


def score(given: Namespace) -> None:
    if given.list:
        from metricloop.report.metric_handbook import families, listing

        print(listing(families()))
        return
    from metricloop.flows.scoring import scoring
    from metricloop.study.plan import entry_of, load_plan
    from metricloop.study.processes import hide_keys

    hide_keys()
    folder = given.folder.resolve()
    plan = load_plan(folder)
    for name in given.batches:
        entry_of(plan, "batches", name)  # before a server is started for nothing
    names = given.batches or list(plan["batches"])
    scoring(str(folder), names)
    for name in names:
        print(f"{folder / 'scores' / name}: {', '.join(plan['batches'][name]['metrics'])}")


def suggest(given: Namespace) -> None:
    folder = given.folder.resolve()
    if not given.dry_run:
        _suggest_next(folder)
        return
    from metricloop.engineer.suggest import preview

    print(preview(folder))


def _suggest_next(folder: Path) -> None:
    """The suggestions of the round that is under way, or else of the next one; nothing is tried yet.

    Errors: ValueError where params.yaml allows no further round, or the last one has not been put to the test.
    """
    from metricloop.engineer.suggest import next_round, untried
    from metricloop.llm.journal import Journal
    from metricloop.params import load_params
    from metricloop.study.processes import converse, hide_keys

    hide_keys()
    _made(folder, "comparison.json")
    events, rounds = Journal(folder).events, load_params(folder / "params.yaml").llm.rounds
    if (number := next_round(events)) > rounds:
        raise ValueError(f"round {number} would be one more than llm.rounds ({rounds}) allows; raise it first")
    if waiting := untried(events, folder):
        raise ValueError(f"{', '.join(waiting)} of the last round first: metricloop run -C {folder}")
    converse(folder, "metricloop.tasks.suggest", number)


def scorecard(given: Namespace) -> None:
    from metricloop.engineer.scorecard_table import print_scorecards

    print_scorecards([folder.resolve() for folder in given.folders])


def status(given: Namespace) -> None:
    from metricloop.cli.dry_run import stale

    names, old = stale(given.folder.resolve())
    for name in names:
        print(f"{'to do     ' if name in old else 'up to date'}  {name}")
    print(f"{len(names) - len(old)} of {len(names)} stages are up to date" + ("" if old else "; nothing to do"))


def compare(given: Namespace) -> None:
    from metricloop.comparison.comparison_table import markdown_table, print_confirmation, print_table

    folder = given.folder.resolve()
    wanted = _made(folder, "confirmation.json" if given.confirmed else "comparison.json")
    if given.confirmed:
        print_confirmation(read_json(wanted))
    elif given.markdown:
        print(markdown_table(read_json(wanted)))
    else:
        print_table(read_json(wanted))


def reproduce(given: Namespace) -> int:
    from metricloop.cli.reproduce import reproduce_block

    differences = reproduce_block(given.folder.resolve(), given.block)
    if differences:
        print("\n".join(differences))
        print(f"{given.block}: {len(differences)} numbers differ from the recorded ones", file=sys.stderr)
        return 1
    print(f"{given.block}: computed again from the inputs alone; every number equals the recorded one")
    return 0


def report(given: Namespace) -> None:
    _step(given.folder.resolve(), "metricloop.tasks.report")


def doctor(given: Namespace) -> int:
    from metricloop.sandbox.doctor import examine

    lines, sound = examine()
    print("\n".join(lines))
    return 0 if sound else 1


def track(given: Namespace) -> None:
    from metricloop.tracking.track import where_to_look

    _step(given.folder.resolve(), "metricloop.tasks.track")
    print(where_to_look(given.folder))


def _made(folder: Path, name: str) -> Path:
    """A file that the study writes. Errors: FileNotFoundError saying how it is made."""
    if not (folder / name).is_file():
        raise FileNotFoundError(f"{folder / name} does not exist yet; run the study first: metricloop run -C {folder}")
    return folder / name


def _step(folder: Path, module: str, *arguments: str) -> None:
    from metricloop.study.processes import call

    _made(folder, "comparison.json")
    call(folder, [sys.executable, "-P", "-m", module, *arguments], module)


def export(given: Namespace) -> None:
    from metricloop.study.export import export as write

    print(write(given.folder.resolve(), given.what, given.target, given.seed))
