"""What a person does to the metrics of a study by hand: try one of their own, adopt one that a model wrote."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HOME = "metrics/mine"  # where a file from elsewhere is copied to; `metricloop run` commits what lies in metrics/


def try_metric(given: Namespace) -> int:
    """Every metric of a file, one after the other; 0 when all were accepted."""
    from metricloop.scoring.metric_file import read_source
    from metricloop.study.plan import load_plan
    from metricloop.study.try_metric import names_in, open_sandbox, policy_of, set_stage

    folder = given.folder.resolve()
    name, options = _policy(given.policy)
    policy_of(name, options)  # this, and the next two lines, before anything takes time
    if given.add:
        _somebody_there(given.yes)
    load_plan(folder)
    stage = set_stage(folder)
    source = read_source(given.file.resolve(), folder)
    walled = open_sandbox(stage, source.filename)
    accepted = [_try_one(given, stage, source, metric) for metric in names_in(walled, source, given.metric)]
    return 0 if all(accepted) else 1


def _try_one(given: Namespace, stage: Any, source: Any, metric: str) -> bool:
    from metricloop.report.metric_page import build, write_page
    from metricloop.study.add_arm import arm_name, offer, show
    from metricloop.study.plan import load_plan
    from metricloop.study.try_metric import hear, open_sandbox, perform, policy_of, rule_lines

    folder, file = given.folder.resolve(), given.file.resolve()
    gate_result = hear(open_sandbox(stage, source.filename), source, metric, stage)
    rules = rule_lines(gate_result, [name for name in stage.earlier if name != metric])
    print(f"{metric} in {source.filename}, at the gate with {len(stage.frames)} images of the pool")
    print("\n".join(f"  {state:9}  {rule:15}  {said}".rstrip() for state, rule, said in rules))
    if gate_result.spec is None or not gate_result.accepted:
        print(f"{metric}: not accepted; mend what broke, and try again\n")
        return False
    plan, (name, options) = load_plan(folder), _policy(given.policy)
    policy, arm = policy_of(name, options, gate_result.spec), arm_name(plan, metric, name)
    seen = perform(stage, source, gate_result.spec, policy, arm)
    many = "all" if len(seen.sample) == len(stage.pool) else f"{len(seen.sample)} of the"
    print(f"{metric}: accepted, and scored on {many} {len(stage.pool)} images of the pool")
    page = write_page(folder, metric, build(seen, stage, gate_result.spec, policy, rules, source.filename))
    print(f"page: {page} (git ignores it)")
    inside = file.is_relative_to(folder)
    code = file.relative_to(folder).as_posix() if inside else f"{HOME}/{metric}.py"
    addition = offer(plan, gate_result.spec, code, policy, arm, stage.params.seeds.block)
    print(f"as an arm of this study, in arms.yaml:\n{_indented(show(addition))}")
    if not inside:
        print(f"{file} lies outside the workspace: to be added, it is copied to {folder / code}")
    if not given.add:
        print("to add it: the same command with --add\n")
    elif _yes("add it?", given.yes):
        _add(folder, source.code, None if inside else folder / code, addition)
        print(f"added; it runs in the sandbox. Next: metricloop run -C {given.folder} --arm {arm}")
        hint = f"(git does not get to know {code} by itself: git -C {given.folder} add {code})\n"
        print("" if code.startswith("metrics/") else hint)
    else:
        print("not added\n")
    return True


def _add(folder: Path, code: str, target: Path | None, addition: Any) -> None:
    """First the file, where one is to be written, then the plan that names it."""
    from metricloop.data.tables import replacing
    from metricloop.study.add_arm import AppendError, append_to

    if target is not None and target.exists() and target.read_bytes() != code.encode():
        raise AppendError(f"{target} exists, and holds something else; move your file into the workspace yourself")
    if target is not None:
        with replacing(target) as temporary:
            temporary.write_bytes(code.encode())  # what was tried, not what the file may hold by now
    append_to(folder / "arms.yaml", addition)


def adopt(given: Namespace) -> None:
    from metricloop.runtime.process_guard import ROUNDS_LOCK, hold
    from metricloop.study.adopt import adopt as move
    from metricloop.study.adopt import find, shown

    folder = given.folder.resolve()
    found = find(folder, given.name)
    print(shown(found))
    if found.begun:
        print(f"{found.metric} was adopted, and the adoption cut short; finishing it")
    elif not _yes("adopt it? it will run without the sandbox from now on", given.yes):
        print("not adopted")
        return
    hold(folder / ROUNDS_LOCK)  # a round that is being written writes rounds.yaml, too
    move(folder, found)
    print(
        f"{found.metric} is in {found.adopted}, and yours to edit. Its scores are made again under another name, and "
        f"as long as they are the same nothing is trained again: metricloop run -C {given.folder}"
    )


def _yes(question: str, yes: bool) -> bool:
    """A person's answer; no is what anything but a yes means. Errors: RuntimeError where there is nobody to ask."""
    _somebody_there(yes)
    try:
        return yes or input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _somebody_there(yes: bool) -> None:
    if not yes and not sys.stdin.isatty():
        raise RuntimeError(
            "this asks before it does anything, and there is no terminal to ask at; to say yes, type --yes"
        )


def _policy(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """`among share=0.4` as the policy's name and options. Errors: PolicyError."""
    import yaml

    from metricloop.selection.policies import PolicyError

    name, *rest = words
    options = {}
    for word in rest:
        key, equals, text = word.partition("=")
        if not equals:
            raise PolicyError(f"--policy takes NAME OPTION=VALUE ..., found {word!r}")
        try:
            options[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise PolicyError(f"--policy {name}: {word!r} has no value that can be read") from None
    return name, options


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
