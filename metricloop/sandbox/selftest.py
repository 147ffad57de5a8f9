"""The self-test, before untrusted code runs: try to break out. If anything gets through, the sandbox refuses to run."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np

from metricloop.sandbox import tree, walls
from metricloop.sandbox.child import Child
from metricloop.sandbox.errors import ChildEndedError, SandboxError
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.payload import pack
from metricloop.sandbox.proc import UnreadableError
from metricloop.sandbox.syscalls import Mode
from metricloop.sandbox.walls import Order
from metricloop.text.clean import clean

SECONDS = 5.0  # for all attempts of one mode
ADVICE = "Root needs CAP_SYS_PTRACE for that: start metricloop as an ordinary user"
HELD = 1 << 16  # bytes of each deleted file that the supervisor must find


class Walled(Protocol):
    """What the self-test needs of a sandbox.supervisor.Sandbox."""

    limits: Limits
    user: int | None
    blind: str

    def order(self, mode: Mode, entry: str, arguments: Mapping[str, Any]) -> Order: ...

    def child(
        self,
        mode: Mode,
        entry: str,
        arguments: Mapping[str, Any],
        descriptors: Sequence[int] = (),
        scratch: Path | None = None,
    ) -> Child: ...


def prove(sandbox: Walled) -> None:
    """Start one child per mode that tries to break out, and another one that exceeds its time limit.

    Errors: SandboxError that names the wall and what got through it.
    """
    wanted = sandbox.limits
    least = {"processes": 2, "batch_seconds": 2 * SECONDS, "scratch_mb": 3 * wanted.file_mb}  # what the self-test needs
    sandbox.limits = wanted.model_copy(update={name: max(getattr(wanted, name), few) for name, few in least.items()})
    try:
        _prove(sandbox)
    finally:
        sandbox.limits = wanted


def _prove(sandbox: Walled) -> None:
    with tempfile.TemporaryDirectory(prefix="metricloop-canary-") as folder:
        canary, word = Path(folder) / "canary", secrets.token_hex(8)
        canary.touch(0o600)
        canary.write_text(word)
        through: dict[str, str] = {}
        with _given(sandbox.user, canary, Path(folder)):  # no help from file permissions: the walls alone must hold
            for mode in get_args(Mode):
                through |= _attack(sandbox, mode, Path(folder))
        if not canary.is_file() or canary.read_text() != word:
            through["landlock"] = "it wrote to a file outside"
    if not through and not _clock_ends_a_child(sandbox):
        through["time"] = "it ran longer than its time limit"
    sandbox.blind = _blindness(sandbox)
    if through:
        held = "; ".join(f"{wall}: {what}" for wall, what in sorted(through.items()))
        raise SandboxError(
            f"the sandbox's self-test broke out, so no code was run in it ({held}). "
            "Run `metricloop doctor` to see what this machine lacks"
        )


@contextmanager
def _given(user: int | None, *paths: Path) -> Iterator[None]:
    """Within the `with` block the user of the children owns these paths. paths: a file before its folder.

    Afterwards they are this process's again, because root without CAP_DAC_OVERRIDE, as in some containers, can neither
    read nor remove what belongs to another user.
    """
    if user is None:
        yield
        return
    for path in paths:
        os.chown(path, user, user)
    try:
        yield
    finally:
        for path in reversed(paths):
            os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)


def _attack(sandbox: Walled, mode: Mode, folder: Path) -> dict[str, str]:
    payload = pack(None, {"image": np.ones(4096, np.uint8)}, seal="seals" in walls.WALLS)
    limits, order = sandbox.limits, sandbox.order(mode, "", {})
    arguments = {
        "mode": mode,
        "canary": str(folder / "canary"),
        "supervisor": os.getpid(),
        "memory": order.memory,
        "cpu": order.cpu_seconds,
        "processes": order.processes + limits.processes,  # other processes of the same user start and end
        "file_bytes": order.file_bytes,
        "open_files": order.open_files,
    }
    try:
        with sandbox.child(mode, "metricloop.sandbox.selftest_inside:main", arguments, [payload]) as child:
            report = child.receive(SECONDS, "the self-test")
            end = child.end()
    except ChildEndedError as ended:
        report, end = b"", ended.reason
    finally:
        os.close(payload)
    if not report.startswith(b"{"):
        raise SandboxError(f"the sandbox cannot raise its walls ({report[1:].decode(errors='replace') or end})")
    return json.loads(report)


def _blindness(sandbox: Walled) -> str:
    """Why the processes and deleted files of a project cannot be counted; "" when they can."""
    with tempfile.TemporaryDirectory(prefix="metricloop-sums-") as folder:
        arguments, scratch = {"bytes": HELD, "seconds": SECONDS}, Path(folder)
        hold = "metricloop.sandbox.selftest_inside:hold"
        try:
            with _given(sandbox.user, scratch), sandbox.child("run", hold, arguments, (), scratch) as child:
                report = child.receive(SECONDS, "the self-test")
                pids = tree.members(child.pid)
                size, _ = tree.scratch_use(folder, pids, 100, HELD)
                tree.Written().look(pids)
        except ChildEndedError as ended:
            return f"what a project uses cannot be counted here: {ended.reason}"
        except UnreadableError as error:
            return f"what a project uses cannot be counted here: {error}. {ADVICE}"
    if report != b"held":
        return f"what a project uses cannot be counted here: {clean(report[1:]) or 'the self-test ended early'}"
    if len(pids) == 2 and size >= 2 * HELD:
        return ""
    return (
        f"what a project uses cannot be counted here: of 2 processes and {2 * HELD} bytes in deleted files, "
        f"{len(pids)} and {size} were seen. {ADVICE}"
    )


def _clock_ends_a_child(sandbox: Walled) -> bool:
    try:
        with sandbox.child("score", "metricloop.sandbox.selftest_inside:outstay", {"seconds": 0.5}) as child:
            child.receive(0.02, "the self-test")
    except ChildEndedError:
        return True
    return False
