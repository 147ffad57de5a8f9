"""What a stage wrote before is still there after it has failed: kept aside while it runs, and put back.

DVC removes the outputs of a stage before it runs it. Files are kept as hard links, which take no room and no time.
Ctrl-C settles all stages while the threads that ran them settle their own: one thread at a time, so the first does it.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.study.yaml_text import read_as_dvc

ENTRY = "entry.json"  # in the folder of a stage: what dvc.lock said of it
FILES = "files"
_running: list[tuple[Path, str]] = []  # folder and stage, of this process
_one_at_a_time = threading.RLock()  # a signal may come to the thread that holds it


def keep(folder: Path, stages: Iterable[str]) -> None:
    """Keep the outputs of stages that DVC is about to run; of those that have run before."""
    recorded = _lock(folder)
    for name in stages:
        if entry := recorded.get(name):
            with _one_at_a_time:
                own = folder / layout.KEPT / name
                shutil.rmtree(own, ignore_errors=True)
                for path in _outputs(entry):
                    if os.path.lexists(folder / path):
                        _link(folder / path, own / FILES / path)
                if own.is_dir():
                    (own / ENTRY).write_text(json.dumps(entry))
                    _running.append((folder, name))


def settle(folder: Path, stages: Sequence[str]) -> list[str]:
    """After DVC has ended, well or not: put back what stages that failed had written. Returns these stages.

    What another thread has put back already is no longer kept, and not among them.
    """
    with _one_at_a_time:
        kept = [name for name in stages if (folder / layout.KEPT / name / ENTRY).is_file()]
        recorded = _lock(folder) if kept else {}
        lost = [name for name in kept if _put_back(folder, name, recorded.get(name))]
        for name in stages:
            shutil.rmtree(folder / layout.KEPT / name, ignore_errors=True)
            with suppress(ValueError):
                _running.remove((folder, name))
        return lost


def settle_all() -> None:
    """Put back what the stages of this process had written, all of which have been killed."""
    for folder, name in list(_running):
        settle(folder, [name])


def settle_killed(folder: Path) -> list[str]:
    """Put back what stages had written that were killed together with their run. Returns these stages."""
    kept = folder / layout.KEPT
    return settle(folder, sorted(path.name for path in kept.iterdir())) if kept.is_dir() else []


def _put_back(folder: Path, name: str, recorded: Any) -> bool:
    """Put back the outputs of a stage that failed; returns whether any were put back. It failed if dvc.lock still has
    its entry of before.

    recorded: the entry of the stage in dvc.lock now.
    """
    own = folder / layout.KEPT / name
    entry = json.loads((own / ENTRY).read_text())
    if recorded != entry:
        return False
    back = False
    for path in _outputs(entry):
        kept, target = own / FILES / path, folder / path
        if not os.path.lexists(kept) or _same(kept, target):
            continue
        back = True
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(kept, target)
    return back


def _same(kept: Path, target: Path) -> bool:
    """Whether a path still leads to the files that were kept, none more and none fewer."""
    if kept.is_dir() and not kept.is_symlink():
        names = [{path.relative_to(top) for path in top.rglob("*")} for top in (kept, target)]
        return names[0] == names[1] and all(_same(kept / n, target / n) for n in names[0] if not (kept / n).is_dir())
    try:
        return os.path.samestat(kept.lstat(), target.lstat())
    except OSError:
        return False


def _link(source: Path, target: Path) -> None:
    """A second name for a file, or for all files of a folder; a copy where the file system has no hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, copy_function=_link_file)
    else:
        _link_file(source, target)


def _link_file(source: Path | str, target: Path | str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _outputs(entry: Mapping[str, Any]) -> list[str]:
    return [out["path"] for out in entry.get("outs") or () if not os.path.isabs(out["path"])]


def _lock(folder: Path) -> Mapping[str, Any]:
    path = folder / layout.LOCK
    return (read_as_dvc(path.read_text()) if path.is_file() else {}).get("stages") or {}
