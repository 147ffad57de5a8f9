"""MD5 sums of files and folders, as DVC takes them. Those of files that have not changed are remembered."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.study.look_only import is_looking
from metricloop.study.stage_list import NotUnderstoodError

YOUNG = 2.0  # seconds: a file that was written just now may be written again within one tick of its clock
ALWAYS_IGNORED = (".hg/", ".git/", ".git", ".dvc/")


class FileSums:
    """The sums of the files of one workspace. `save` keeps them for the next time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / layout.SUMS
        try:
            self.known: dict[str, list] = json.loads(self.store.read_text())
        except (OSError, ValueError):
            self.known = {}
        self.seen: dict[str, list] = {}
        self.now = time.time()
        self.new = False
        self._ignored: Any = None

    def of(self, path: str) -> str | None:
        """The sum of a file, or of a folder's files with `.dir` behind it; None where there is nothing.

        Errors: NotUnderstoodError for a folder with links to folders.
        """
        full = os.path.join(self.folder, path)
        try:
            if os.path.isdir(full):
                return self._of_folder(full)
            return self._of_file(full, os.stat(full))
        except FileNotFoundError:
            return None

    def save(self) -> None:
        """Write what is known of files that are still there. A workspace that cannot be written stays as it is."""
        if is_looking() or (not self.new and len(self.seen) >= len(self.known)):
            return
        try:
            self.store.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".sums", dir=self.store.parent)
            with os.fdopen(handle, "w") as stream:
                json.dump(self.seen, stream)
            os.replace(name, self.store)
        except OSError:
            return

    def _of_file(self, full: str, state: os.stat_result) -> str:
        stamp = [state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]
        known = self.seen.get(full) or self.known.get(full)
        if known and known[:4] == stamp:
            self.seen[full] = known
            return known[4]
        with open(full, "rb") as stream:
            found = hashlib.file_digest(stream, "md5").hexdigest()
        if self.now - max(state.st_mtime, state.st_ctime) > YOUNG:
            self.seen[full] = [*stamp, found]
            self.new = True
        return found

    def _of_folder(self, top: str) -> str:
        """DVC's sum of a folder: that of a list of its files, sorted by name, with the sum of each."""
        entries, todo = [], [""]
        while todo:
            inner = todo.pop()
            with os.scandir(os.path.join(top, inner)) as found:
                for entry in found:
                    name = f"{inner}{entry.name}"
                    if self._is_ignored(entry.path, entry.is_dir()):
                        continue
                    if not entry.is_dir():
                        entries.append({"md5": self._of_file(entry.path, entry.stat()), "relpath": name})
                    elif entry.is_symlink():
                        raise NotUnderstoodError(f"{entry.path} is a link to a folder")
                    else:
                        todo.append(f"{name}/")
        entries.sort(key=lambda entry: entry["relpath"])
        return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"

    def _is_ignored(self, path: str, is_folder: bool) -> bool:
        if self._ignored is None:
            from pathspec import GitIgnoreSpec

            own = self.folder / ".dvcignore"
            lines = own.read_text().splitlines() if own.is_file() else []
            self._ignored = GitIgnoreSpec.from_lines([*ALWAYS_IGNORED, *lines])
        return self._ignored.match_file(os.path.relpath(path, self.folder) + ("/" if is_folder else ""))
