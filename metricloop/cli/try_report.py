"""One metric of a person, tried: the rules it held, its page, and the arm it would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from metricloop.data.tables import replacing
from metricloop.layout import ARMS, METRICS, MINE
from metricloop.report.metric_page import build, write_page
from metricloop.scoring.metric_file import MetricFile
from metricloop.selection.policies import PolicyError
from metricloop.study.add_arm import AppendError, append_entries, arm_name, as_yaml
from metricloop.study.new_arm import cost, metric_arm
from metricloop.study.plan import Plan, load_plan
from metricloop.study.try_metric import TryInputs, check_rules, open_sandbox, policy_of, rule_lines, score_and_select
from metricloop.text.shell import command_line, run_line


@dataclass(frozen=True)
class TryReport:
    """What is asked for. folder: the workspace as typed; file: full path; policy: its name, with `options`.
    alone: whether the file has one metric only, so that it need not be named.
    """

    folder: Path
    file: Path
    inputs: TryInputs
    source: MetricFile
    policy: str
    options: Mapping[str, Any]
    add: bool = False
    alone: bool = False

    @property
    def workspace(self) -> Path:
        return self.folder.resolve()

    def on(self, metric: str) -> bool:
        """Try one metric of the file, and print what comes of it. Returns whether the gate accepts it."""
        inputs, source = self.inputs, self.source
        checked = check_rules(open_sandbox(inputs, source.filename), source, metric, inputs)
        rules = rule_lines(checked, [name for name in inputs.earlier if name != metric])
        print(f"{metric} in {source.filename}, at the gate with {len(inputs.frames)} images of the pool")
        print("\n".join(f"  {state:9}  {rule:15}  {said}".rstrip() for state, rule, said in rules))
        if checked.spec is None or not checked.accepted:
            print(f"{metric}: not accepted; fix what broke, and try again\n")
            return False
        plan = load_plan(self.workspace)
        policy, arm = policy_of(self.policy, self.options, checked.spec), arm_name(plan, metric, self.policy)
        result = score_and_select(inputs, source, checked.spec, policy, arm)
        many = "all" if len(result.sample) == len(inputs.pool) else f"{len(result.sample)} of the"
        print(f"{metric}: accepted, and scored on {many} {len(inputs.pool)} images of the pool")
        text = build(result, inputs, checked.spec, policy, rules, source.filename)
        print(f"page: {write_page(self.workspace, metric, text)} (git ignores it)")
        code = self._code(metric)
        if self.add:
            self._add(*metric_arm(inputs.params, plan, checked.spec, self.policy, self.options, code), code)
        else:
            print(f"to put it to the test: {self._add_line(metric)}\n")
        return True

    def _add_line(self, metric: str) -> str:
        """The command that adds this metric as an arm."""
        words: list[str | Path] = ["metricloop", "add", self.file]
        if not self.alone:
            words += ["--metric", metric]
        if self.policy != "best" or self.options:
            words += ["--policy", self.policy, *(f"{key}={value}" for key, value in self.options.items())]
        return command_line(*words, "-C", self.folder)

    @property
    def _inside(self) -> bool:
        return self.file.is_relative_to(self.workspace)

    def _code(self, metric: str) -> str:
        """Where the file is, or is copied to, relative to the workspace."""
        return self.file.relative_to(self.workspace).as_posix() if self._inside else f"{MINE}/{metric}.py"

    def _add(self, arm: str, addition: Plan, code: str) -> None:
        """Write the arm into the plan, and a copy of the file where it lies outside the workspace."""
        self._write(addition, None if self._inside else self.workspace / code)
        if not self._inside:
            print(f"copied to {self.workspace / code}, which the study scores with: edit it there")
        print(f"added to {ARMS}:\n{_indented(as_yaml(addition))}")
        told = cost(self.workspace, self.inputs.params, load_plan(self.workspace), addition)
        print(f"it runs in the sandbox, and costs: {told}")
        print(f"next: {run_line(self.folder, '--arm', arm)}")
        if not code.startswith(f"{METRICS}/"):  # `metricloop run` commits what lies there
            print(f"(git does not track {code} yet: {command_line('git', '-C', self.folder, 'add', code)})")
        print()

    def _write(self, addition: Plan, target: Path | None) -> None:
        """First the copy of the file, if one is to be made, then the plan that names it."""
        code = self.source.code.encode()  # what was tried, not what the file may hold by now
        if target is not None and target.exists() and target.read_bytes() != code:
            raise AppendError(f"{target} exists with other content; move your file into the workspace yourself")
        if target is not None:
            with replacing(target) as temporary:
                temporary.write_bytes(code)
        append_entries(self.workspace / ARMS, addition)


def read_policy(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """`among share=0.4` as the policy's name and options. Errors: PolicyError."""
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
