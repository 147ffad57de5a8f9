"""The digests of the running code, remembered as long as no source file of the package changes.

Working them out means parsing all sources, which takes more than a second.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from metricloop import layout
from metricloop.runtime import code_digest
from metricloop.study.look_only import is_looking

SOURCES = (".py", ".pt", ".j2")  # what a digest, or the list of stages, is made of


class RunningCode(NamedTuple):
    """stages, catalogue, detectors: name -> digest. files: stage -> source file -> digest of its running code."""

    stages: dict[str, str]
    catalogue: dict[str, str]
    detectors: dict[str, str]
    files: dict[str, dict[str, str]]


def running_code(folder: Path) -> RunningCode:
    """The digests of the code as it is now. folder: of the workspace, in whose scratch they are remembered."""
    stamp, store = _stamp(), folder / layout.KNOWN_CODE
    try:
        known = json.loads(store.read_text())
        if known.pop("stamp") == stamp:
            return RunningCode(**known)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = _work_out()
    if is_looking():
        return found
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        part = store.with_name(f"{store.name}.{os.getpid()}")
        part.write_text(json.dumps({"stamp": stamp, **found._asdict()}))
        part.replace(store)
    except OSError:
        pass  # a workspace that cannot be written is looked at all the same
    return found


def remember_sources(folder: Path) -> None:
    """Keep which source files each digest of now stands for, so that `changed_sources` can name what has changed."""
    code = running_code(folder)
    (folder / layout.CODE_FILES).mkdir(parents=True, exist_ok=True)
    for kind, files in code.files.items():
        target = folder / layout.CODE_FILES / f"{code.stages[kind]}.json"
        if not target.is_file():
            part = target.with_name(f".{os.getpid()}")
            part.write_text(json.dumps(files))
            part.replace(target)


def changed_sources(folder: Path, kind: str, old: str) -> list[str]:
    """The source files of a stage that are not those of its digest `old`; [] where these are not known any more."""
    try:
        before = json.loads((folder / layout.CODE_FILES / f"{old}.json").read_text())
    except (OSError, ValueError):
        return []
    now = running_code(folder).files.get(kind, {})
    return [name for name in sorted(now | before) if now.get(name) != before.get(name)]


def _work_out() -> RunningCode:
    from metricloop.detector import architectures
    from metricloop.study.rendering import stage_kinds

    kinds = stage_kinds()
    each = {name: code_digest.digest_of_files([name]) for kind in kinds for name in code_digest.sources(kind)}
    return RunningCode(
        code_digest.digests(kinds),
        code_digest.catalogue_digests(),
        {name: code_digest.detector_digest(name) for name in architectures.NAMES},
        {kind: {name: each[name] for name in code_digest.sources(kind)} for kind in kinds},
    )


def _stamp() -> str:
    """A digest of the names, sizes and times of all files that a digest of code may depend on."""
    total = sha256()
    top = code_digest.HOME / code_digest.PACKAGE
    todo, seen = [str(top)], set()
    while todo:
        folder = todo.pop()
        if (real := os.path.realpath(folder)) in seen:
            continue
        seen.add(real)
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith(("__pycache__", ".")):
                    continue
                if entry.is_dir():
                    todo.append(entry.path)
                elif entry.name.endswith(SOURCES):
                    state = entry.stat()
                    total.update(
                        f"{entry.path}\0{state.st_ino}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_ctime_ns}\0".encode()
                    )
    return total.hexdigest()
