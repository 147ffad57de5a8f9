"""`metricloop doctor`: what this machine offers to contain code that nobody has read, found out by trying."""

from __future__ import annotations

import platform
import time

from metricloop.sandbox import landlock
from metricloop.sandbox.errors import SandboxError
from metricloop.sandbox.supervisor import Sandbox
from metricloop.sandbox.tiers import missing


def examine() -> tuple[list[str], bool]:
    """Lines for a person, and whether foreign code can be run: walls are raised and attacked, nothing foreign runs."""
    lines = [f"system      {platform.system()} {platform.release()}, {platform.machine()}"]
    lacks = missing()
    if not lacks:
        lines += [
            f"Landlock    version {landlock.abi()}",
            "seccomp     filter made by libseccomp",
        ]
        began = time.monotonic()
        try:
            with Sandbox() as sandbox:
                user = "you" if sandbox.user is None else f"user {sandbox.user}, who is nobody else (you are root)"
            lines += [
                f"runs as     {user}",
                f"self-test   every wall held; ready in {time.monotonic() - began:.2f} s",
                f"projects    {sandbox.blind or 'their processes, memory and files can be counted'}",
            ]
        except SandboxError as error:
            lacks = [str(error)]
    lines += [f"missing     {lack}" for lack in lacks]
    lines.append(f"tier        {'none' if lacks else 'full'}")
    if lacks:
        lines.append(
            "Without a sandbox metrics of the catalogue and files you vouch for (--trust FILE) run as ever; "
            "metrics that nobody has read are refused."
        )
    return lines, not lacks
