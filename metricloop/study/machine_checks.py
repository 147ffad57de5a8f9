"""Whether this machine has what a study needs: Python, packages, git, memory, disk, a GPU."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from metricloop.runtime.code_digest import HOME

State = Literal["ok", "warn", "fail"]
GB = 1e9
DISK = (1 * GB, 5 * GB)  # free: below the first a study fails, below the second it may
MEMORY = (0.5 * GB, 2 * GB)
SHOWN = ("dvc", "mlflow", "prefect", "torch", "torchvision")
CONSTRAINTS = HOME / "constraints.txt"  # in a clone only


@dataclass(frozen=True)
class Check:
    """One line of `metricloop doctor`. found: what is there. advice: what to do, where the state is not "ok"."""

    name: str
    state: State
    found: str
    advice: str = ""


def check_machine(folder: Path) -> Iterator[Check]:
    """The checks of this machine. folder: whose disk counts."""
    python = platform.python_version()
    enough = sys.version_info >= (3, 11)
    yield Check(
        "Python", "ok" if enough else "fail", f"{python}, {sys.prefix}", "" if enough else "install Python 3.11"
    )
    yield from packages()
    yield git()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    yield room("disk", shutil.disk_usage(there).free, DISK, f"free at {there}", "make room")
    if (memory := free_memory()) is not None:
        yield room("memory", memory, MEMORY, f"free, {os.cpu_count()} cores", "end other programs")
    yield gpu()


def packages() -> Iterator[Check]:
    """The versions of the tools, and whether every package is of a version that metricloop takes."""
    from packaging.requirements import Requirement

    wrong, versions = [], {}
    for line in requires("metricloop") or ():
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            versions[wanted.name] = version(wanted.name)
        except PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(versions[wanted.name], prereleases=True):
            wrong.append(f"{wanted.name} is {versions[wanted.name]}, and metricloop takes {wanted.specifier}")
    told = ", ".join(f"{name} {versions[name]}" for name in SHOWN if name in versions)
    if wrong:
        yield Check("packages", "fail", "; ".join(wrong), f"{sys.executable} -m pip install --upgrade metricloop")
    else:
        yield Check("packages", "ok", told)
    if others := untested(versions):
        yield Check(
            "versions", "warn", f"not those of the tests: {', '.join(others)}", "make setup brings the tested ones"
        )


def untested(versions: dict[str, str]) -> list[str]:
    """Packages in another version than constraints.txt names, as text; [] outside a clone."""
    pinned = {}
    for line in CONSTRAINTS.read_text().splitlines() if CONSTRAINTS.is_file() else ():
        name, equals, number = line.partition("==")
        if equals:
            pinned[name.strip().lower().replace("_", "-")] = number.split(";")[0].split("#")[0].strip()
    names = {name: name.lower().replace("_", "-") for name in versions}
    return [
        f"{name} {versions[name]} (tested: {pinned[plain]})"
        for name, plain in names.items()
        if plain in pinned and versions[name].partition("+")[0] != pinned[plain].partition("+")[0]
    ]


def git() -> Check:
    if shutil.which("git") is None:
        return Check("git", "fail", "not found", "install git: a workspace is a git repository")
    told = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False).stdout.split()
    return Check("git", "ok", told[2] if len(told) > 2 else "there")


def room(name: str, free: float, limits: tuple[float, float], what: str, advice: str) -> Check:
    """limits: below the first it is a failure, below the second a warning; bytes."""
    state: State = "fail" if free < limits[0] else "warn" if free < limits[1] else "ok"
    wanted = f"{advice}: a study wants {limits[1] / GB:g} GB"
    return Check(name, state, f"{free / GB:.1f} GB {what}", "" if state == "ok" else wanted)


def free_memory() -> int | None:
    """Bytes that programs may still take; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    return None


def gpu() -> Check:
    """Whether there is a GPU. torch, which takes seconds to load, is asked only where a driver is installed."""
    if shutil.which("nvidia-smi") is None:
        return Check("GPU", "ok", "none; models train on the processor")
    import torch

    if torch.cuda.is_available():
        return Check("GPU", "ok", torch.cuda.get_device_name(0))
    built = torch.version.cuda or "none"
    return Check(
        "GPU", "warn", f"torch cannot use it (CUDA of torch: {built})", "see docs/gpu.md; training takes the processor"
    )
