"""`metricloop doctor`: test whether this machine can sandbox untrusted code."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass, field
from typing import Literal

from metricloop.sandbox import landlock
from metricloop.sandbox.errors import SandboxError
from metricloop.sandbox.supervisor import Sandbox
from metricloop.sandbox.tiers import missing


@dataclass
class Examination:
    """What was found. facts: text by name, in printing order. missing: what the sandbox lacks, [] if nothing."""

    facts: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def tier(self) -> Literal["full", "none"]:
        return "none" if self.missing else "full"


def examine() -> Examination:
    """Start a sandbox and let the self-test attack its walls; no untrusted code runs."""
    found = Examination({"system": f"{platform.system()} {platform.release()}, {platform.machine()}"}, missing())
    if found.missing:
        return found
    found.facts["Landlock"] = f"version {landlock.abi()}"
    found.facts["seccomp"] = "filter made by libseccomp"
    began = time.monotonic()
    try:
        with Sandbox() as sandbox:
            user = "you" if sandbox.user is None else f"user {sandbox.user}, an unused id (you are root)"
        found.facts["runs as"] = user
        found.facts["self-test"] = f"every wall held; ready in {time.monotonic() - began:.2f} s"
        found.facts["projects"] = sandbox.blind or "their processes, memory and files can be counted"
    except SandboxError as error:
        found.missing.append(str(error))
    return found


def lines(found: Examination) -> list[str]:
    """An examination as text, one line per fact."""
    shown = [*found.facts.items(), *(("missing", lack) for lack in found.missing), ("tier", found.tier)]
    rows = [f"{name:<12}{text}" for name, text in shown]
    if found.missing:
        rows.append(
            "Without a sandbox, metrics of the catalogue and files that you trust (--trust FILE) still run; "
            "all other metrics are refused."
        )
    return rows
