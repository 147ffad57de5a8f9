"""The commands that put a metric to the test: write one of your own, and add an arm to a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metricloop import layout
from metricloop.cli.command import HERE, Commands, OwnMetric, Policy, Workspace
from metricloop.cli.named_file import own_file
from metricloop.text.shell import command_line, run_line

if TYPE_CHECKING:
    from metricloop.mending.open_repair import SandboxedRepair
    from metricloop.params import Params
    from metricloop.study.plan import Plan

commands = Commands("Metrics")


@commands.add("metricloop new-metric glare -C ~/lions", name="new-metric")
def new_metric(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the metric is called, for example glare.")],
    level: Annotated[
        Literal["object", "image"], typer.Option(help="Whether it scores every labelled object, or every image.")
    ] = "object",
    folder: Workspace = HERE,
) -> None:
    """Write a metric of your own from a template that works and tests itself."""
    from metricloop.study.new_metric import write_template

    file = folder / write_template(folder.resolve(), name, level)
    more = () if folder == HERE else ("-C", folder)
    print(
        f"{file} is a metric that works; change what it measures, then\n"
        f"  test it:          {command_line('python', file)}\n"
        f"  see its scores:   {command_line('metricloop', 'try', file, *more)}\n"
        f"  put it to a test: {command_line('metricloop', 'add', file, *more)}"
    )


@commands.add(
    "metricloop add sharpness -C ~/lions",
    "metricloop add object_confidence --policy among share=0.4 -C ~/lions",
    "metricloop add metrics/mine/glare.py -C ~/lions",
    "metricloop add object_confidence --relabel 50 -C ~/lions",
    "metricloop add consensus -C ~/lions",
    "metricloop add full -C ~/lions",
)
def add(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A metric or a repair of the catalogue, a file with your own, or a control: full (all images), "
            "oracle (the images with right labels), relabelled (the baseline's images with right labels), "
            "random_by_group (whole recordings).",
        ),
    ],
    policy: Policy = None,
    metric: OwnMetric = None,
    relabel: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Not a subset: a control that shows what correcting the worst N images gains."
        ),
    ] = None,
    truth: Annotated[
        Literal["planted", "second"] | None,
        typer.Option(
            help="With --relabel, whose labels: the true ones where mistakes were made on purpose, or those of "
            "data.second_labels.",
            show_default="second, where it is set",
        ),
    ] = None,
    folder: Workspace = HERE,
) -> int:
    """Put a metric, a repair or a control to the test, as an arm of the study."""
    from metricloop.cli.try_report import read_policy
    from metricloop.params import load_params
    from metricloop.study.add_arm import append_entries
    from metricloop.study.new_arm import CONTROLS, control_arm, metric_arm, metric_of, usual_policy
    from metricloop.study.plan import load_plan

    workspace = folder.resolve()
    params, plan = load_params(workspace / layout.PARAMS), load_plan(workspace)
    file = own_file(wanted, workspace) if wanted.endswith(".py") or "/" in wanted else None
    _fit_together(wanted, file, policy, metric, relabel, truth)
    name, options = read_policy(policy or ["best"])
    if file is not None:
        return _add_own(folder, file, metric, name, options)
    if relabel is not None:
        from metricloop.study.relabel_arm import add_relabel_arm

        arm, addition = add_relabel_arm(workspace, wanted, relabel, truth)
    else:
        from metricloop.study.repair_arm import catalogue_repair_arm, known_repairs

        if wanted in CONTROLS:
            arm, addition = control_arm(params, plan, wanted)
        elif wanted in known_repairs():
            arm, addition = catalogue_repair_arm(params, plan, wanted)
        else:
            spec = metric_of(wanted)
            if policy is None:
                name, options = usual_policy(spec.name)
            arm, addition = metric_arm(params, plan, spec, name, options)
        append_entries(workspace / layout.ARMS, addition)
    _tell_added(folder, params, plan, arm, addition)
    return 0


def _tell_added(folder: Path, params: Params, plan: Plan, arm: str, addition: Plan) -> None:
    """Print what was added to the plan, what it costs, and the command that runs it."""
    from metricloop.study.add_arm import as_yaml
    from metricloop.study.new_arm import cost

    print(f"added to {layout.ARMS}:\n{as_yaml(addition)}")
    print(f"it costs: {cost(folder.resolve(), params, plan, addition)}")
    print(f"next: {run_line(folder, '--arm', arm)}")


def _fit_together(
    what: str, file: Path | None, policy: list[str] | None, metric: str | None, relabel: int | None, truth: str | None
) -> None:
    """Refuse options that say nothing together."""
    from metricloop.study.new_arm import CONTROLS
    from metricloop.study.repair_arm import known_repairs

    is_repair = what in known_repairs()
    for given, option, why in (
        (metric is not None and file is None, "--metric", "it goes with a file of metrics only"),
        (truth is not None and relabel is None, "--truth", "it goes with --relabel only"),
        (relabel is not None and policy, "--policy", "with --relabel the images are those of the baseline"),
        (relabel is not None and (file or is_repair), "--relabel", "it takes a metric of the catalogue"),
        (is_repair and policy, "--policy", "a repair is tried on random images"),
        (what in CONTROLS and (policy or relabel), "WHAT", f"{what} is a control, which takes no metric's options"),
    ):
        if given:
            raise typer.BadParameter(why, param_hint=f"'{option}'")


def _add_own(folder: Path, file: Path, metric: str | None, policy: str, options: dict) -> int:
    """Check the metrics of a person's file at the gate; each metric that passes becomes an arm."""
    from metricloop.cli.try_report import TryReport
    from metricloop.mending.open_repair import SandboxedRepair
    from metricloop.params import load_params
    from metricloop.sandbox.limits import Limits
    from metricloop.scoring.metric_file import read_source
    from metricloop.study.try_metric import metrics_to_try, only_repair, open_sandbox, policy_of, read_try_inputs

    policy_of(policy, options)  # mistakes in what was typed are told before anything takes time
    workspace = folder.resolve()
    source, limits = read_source(file, workspace), Limits.of(load_params(workspace / layout.PARAMS).sandbox)
    if spec := only_repair(source, limits):
        return _add_own_repair(folder, SandboxedRepair(source, spec, limits), metric)
    inputs = read_try_inputs(workspace)
    report = TryReport(folder, file, inputs, source, policy, options, add=True)
    names = metrics_to_try(open_sandbox(inputs, source.filename), source, metric)
    accepted = [report.on(name) for name in names]  # each, also after one was refused
    return 0 if all(accepted) else 1


def _add_own_repair(folder: Path, repair: SandboxedRepair, metric: str | None) -> int:
    """Check the repair of a person's file at the gate; where it passes it becomes an arm."""
    from metricloop.auditing.try_repair import check_repair, read_mend_inputs
    from metricloop.study.add_arm import append_entries
    from metricloop.study.plan import load_plan
    from metricloop.study.repair_arm import repair_arm

    source, spec = repair.source, repair.spec
    if metric:
        raise typer.BadParameter(f"{source.filename} declares a repair and no metric", param_hint="'--metric'")
    workspace = folder.resolve()
    params, inputs = read_mend_inputs(workspace)
    result = check_repair(repair, params, inputs)
    for broken in result.broken:
        print(f"{spec.name}: {broken.rule}: {broken.said}")
    if not result.accepted:
        return 1
    plan = load_plan(workspace)
    arm, addition = repair_arm(params, plan, spec, source.filename)
    append_entries(workspace / layout.ARMS, addition)
    _tell_added(folder, params, plan, arm, addition)
    return 0
