"""DVC's cache of a workspace: whether it holds the content with a given sum."""

from __future__ import annotations

import configparser
import json
import os
from pathlib import Path

CONFIGS = ("config", "config.local")


class DvcCache:
    """The cache that `.dvc/config` names, by default `.dvc/cache`."""

    def __init__(self, folder: Path) -> None:
        self.top = _place(folder / ".dvc") / "files" / "md5"
        self._holds: dict[str, bool] = {}

    def has(self, md5: str) -> bool:
        """Whether the content with this sum is there; of a folder, the list of its files and each of them."""
        if md5 not in self._holds:
            path = self._path(md5)
            held = os.path.isfile(path)
            if held and md5.endswith(".dir"):
                held = all(self.has(entry["md5"]) for entry in json.loads(Path(path).read_text()))
            self._holds[md5] = held
        return self._holds[md5]

    def _path(self, md5: str) -> str:
        return f"{self.top}/{md5[:2]}/{md5[2:]}"

    def file(self, md5: str) -> Path:
        """Where the content with this sum lies, or would lie."""
        return Path(self._path(md5))


def _place(dvc: Path) -> Path:
    """The folder of the cache, by the last of the configurations that names one."""
    from dvc.dirs import global_config_dir, system_config_dir

    place = dvc / "cache"
    outside = [Path(folder) / CONFIGS[0] for folder in (system_config_dir(), global_config_dir())]
    for config in (*outside, *(dvc / name for name in CONFIGS)):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(config)
        if told := parser.get("cache", "dir", fallback=""):
            place = Path(os.path.normpath(config.parent / told.strip("'\"")))
    return place
