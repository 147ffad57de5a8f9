"""Whether this machine has everything that the sandbox needs: tier "full", or "none"."""

from __future__ import annotations

import os
import platform
import sys
from typing import Literal

from metricloop.sandbox import landlock
from metricloop.sandbox.places import unused_user
from metricloop.sandbox.syscalls import FilterError, compile_filter

Tier = Literal["full", "none"]
CONTAINER = "run metricloop in a Linux container or virtual machine (kernel 5.13 or newer)"


def missing() -> list[str]:
    """What is missing for the full tier, each with what to do about it; [] for nothing. Starts no process."""
    if sys.platform != "linux":
        return [f"Linux: this is {platform.system()}; {CONTAINER}"]
    lacks = []
    if platform.machine() not in ("x86_64", "aarch64"):
        lacks.append(f"a known processor: this is {platform.machine()}; x86-64 and arm64 are supported")
    if not landlock.abi():
        lacks.append(
            f"Landlock: kernel {platform.release()} does not offer it; use kernel 5.13 or newer with landlock among "
            "`lsm=` (cat /sys/kernel/security/lsm), or a container runtime that lets its calls through"
        )
    try:
        compile_filter("score", signals=False)
    except FilterError as error:
        lacks.append(f"seccomp: {error}")
    if os.geteuid() == 0 and unused_user() is None:
        lacks.append("an unused user id: start metricloop as an ordinary user")
    return lacks


def tier() -> Tier:
    """ "full" when untrusted code can run in the sandbox, "none" when it is refused."""
    return "none" if missing() else "full"
