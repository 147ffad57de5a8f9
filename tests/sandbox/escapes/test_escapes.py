"""Every probe, within the walls and outside them. What it brought about decides, not what it raised."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from probe import Probe, text
from probes_disk import DISK
from probes_doors import DOORS
from probes_files import BROUGHT, FILES
from probes_kernel import KERNEL
from probes_memory import MEMORY
from probes_network import NETWORK
from probes_others import OTHERS
from probes_processes import PROCESSES
from probes_secrets import SECRETS
from probes_time import TIME
from world import HIGH, MARK, World

from metricloop.data.frame import Frame
from metricloop.metrics.contract import Spec
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.project import run
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.sandboxed import MetricFile, run_file

FAMILIES = (SECRETS, NETWORK, PROCESSES, MEMORY, TIME, DISK, FILES, BROUGHT, KERNEL, OTHERS, DOORS)
PROBES = [probe for family in FAMILIES for probe in family]
SLACK = 2.0  # seconds that a limit may be overrun
PATIENCE = 20.0
SPEC = Spec("probe", "image", ("image",))
EMPTY = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
FRAMES = [Frame(number, 8, 8, *EMPTY, image=np.full((8, 8, 3), number, np.uint8)) for number in (1, 2)]
MISTAKES = re.compile(r"(Name|Type|Attribute|Syntax|Key|Import|ModuleNotFound|UnboundLocal|Index|Value)Error")


@dataclass(frozen=True)
class Result:
    """What is known after a probe: its number, None where none came; how long it took; its words; its folder."""

    number: float | None
    seconds: float
    words: str
    folder: Path | None = None
    next_frame: float | None = None


def _number(output: str) -> float | None:
    found = re.findall(r"^NUMBER (\S+)", output, re.MULTILINE)
    return float(found[-1]) if found else None


EFFECTS: dict[str, Callable[[World, Probe, Result], bool]] = {
    "stolen": lambda world, probe, result: result.number == world.secret,
    "claimed": lambda world, probe, result: bool(result.number),
    "more than": lambda world, probe, result: (result.number or 0) > probe.held,
    "replaced": lambda world, probe, result: result.number != 0,  # another program answers differently, or not at all
    "arrived": lambda world, probe, result: world.arrived(),
    "changed": lambda world, probe, result: world.changed(),
    "hurt": lambda world, probe, result: world.hurt(),
    "outlived": lambda world, probe, result: bool(world.left()),
    "brought": lambda world, probe, result: _brought(world, result),
    "misled": lambda world, probe, result: False,  # test_campaign.py looks at the scores of others
    "endless": lambda world, probe, result: result.seconds > _seconds(probe) + SLACK,
}


def _seconds(probe: Probe) -> float:
    return max(probe.limits[name] for name in ("frame_seconds", "batch_seconds"))


def _brought(world: World, result: Result) -> bool:
    assert result.folder is not None
    return any(
        path.is_symlink() or (path.is_file() and path.name != "main.py" and MARK in path.read_text(errors="replace"))
        for path in result.folder.rglob("*")
    )


def contained_score(probe: Probe, world: World, sandbox: Sandbox) -> Result:
    sandbox.limits = Limits(**({"frame_seconds": PATIENCE} | probe.limits))
    began = time.monotonic()
    source = MetricFile(text(probe, world.known(walls=True), "score"), "probe.py")
    [[verdict, after]] = run_file(sandbox, source, [SPEC], FRAMES)
    seconds = time.monotonic() - began
    number = None if verdict.error else float(verdict.scores[0])
    return Result(number, seconds, verdict.error or "", next_frame=None if after.error else float(after.scores[0]))


def contained_run(probe: Probe, world: World, folder: Path) -> Result:
    (folder / "main.py").write_text(text(probe, world.known(walls=True), "run"))
    outcome = run(folder, ["main.py"], Limits(**({"batch_seconds": PATIENCE, "processes": 48} | probe.limits)))
    words = f"{outcome.reason}\n{outcome.errors}"
    return Result(_number(outcome.output), outcome.seconds, words, folder)


def outside(probe: Probe, world: World, folder: Path) -> Result:
    """The same text in a plain process of the same user."""
    (folder / "main.py").write_text(text(probe, world.known(walls=False), "run"))
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-P", "main.py"], cwd=folder, pass_fds=HIGH, start_new_session=True, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    patience = _seconds(probe) if probe.effect == "endless" else PATIENCE
    output = errors = ""
    try:
        output, errors = process.communicate(timeout=patience)
        seconds = time.monotonic() - began
    except subprocess.TimeoutExpired:
        seconds = float("inf")
    finally:
        if probe.effect != "outlived":  # the world sweeps those away
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if seconds == float("inf"):
            process.kill()
            with suppress(subprocess.TimeoutExpired):  # a child in a session of its own may hold the pipes open
                process.communicate(timeout=PATIENCE)
    return Result(_number(output), seconds, errors, folder)


def _skip_elsewhere(probe: Probe) -> None:
    if probe.x86 and platform.machine() != "x86_64":
        pytest.skip("machine code of x86-64")


def _cases(mode: str) -> list:
    return [pytest.param(p, id=f"{p.family}-{p.name}-{mode}") for p in PROBES if mode in p.modes]


def held(probe: Probe, world: World, result: Result) -> None:
    """Nothing of what any probe is after has happened."""
    assert not EFFECTS[probe.effect](world, probe, result), f"{probe.what}: it got through ({result})"
    assert result.number != world.secret
    assert str(world.secret) not in result.words
    assert not world.arrived()
    assert not world.changed()
    assert not world.hurt()
    assert not world.left()
    assert not MISTAKES.search(result.words), f"the probe itself is broken: {result.words}"


@pytest.mark.parametrize("probe", _cases("score"))
def test_a_metric_does_not_get_out(probe, world, sandbox):
    _skip_elsewhere(probe)
    result = contained_score(probe, world, sandbox)
    held(probe, world, result)
    assert result.next_frame == 7.0, result.words
    children = Path(f"/proc/{sandbox._process.pid}/task/{sandbox._process.pid}/children")
    assert not children.exists() or children.read_text() == ""


@pytest.mark.parametrize("probe", _cases("run"))
def test_a_project_does_not_get_out(probe, world, folder, sandbox, monkeypatch):
    def running(entries, limits):  # no zygote and no self-test for each: 130 of them would take a minute
        sandbox.limits = limits
        return nullcontext(sandbox)

    _skip_elsewhere(probe)
    monkeypatch.setattr("metricloop.sandbox.project.Sandbox", running)
    held(probe, world, contained_run(probe, world, folder))


@pytest.mark.parametrize("probe", [pytest.param(p, id=f"{p.family}-{p.name}") for p in PROBES])
def test_outside_the_walls_it_succeeds(probe, world, folder):
    """So that it is known to be an attack and not a mistake."""
    _skip_elsewhere(probe)
    if probe.hidden:
        pytest.skip(f"not shown outside: {probe.hidden}")
    shown_outside(probe, world, outside(probe, world, folder))


def shown_outside(probe: Probe, world: World, result: Result) -> None:
    """It succeeded without walls, or this machine does not offer what it needs."""
    assert not MISTAKES.search(result.words), result.words
    succeeded = EFFECTS[probe.effect](world, probe, result)
    if not succeeded and probe.lacks:
        pytest.skip(f"this machine does not offer it: {probe.lacks} ({result.words.strip()})")
    assert succeeded, result


def test_the_suite_covers_the_issue():
    assert len({(p.family, p.name) for p in PROBES}) == len(PROBES) >= 180
    assert {p.family for p in PROBES} >= {
        "secrets", "network", "processes", "memory", "time", "disk", "files", "kernel", "others",
        "doors",
    }  # fmt: skip
    assert all(p.what and p.source.startswith("def attack(known):") for p in PROBES)
    assert sum(not p.hidden for p in PROBES) > 0.9 * len(PROBES)
