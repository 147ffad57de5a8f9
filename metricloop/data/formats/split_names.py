"""Which split a folder, a file or a word means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# Names of splits in data sets -> pool | search | test.
SPLITS = {
    "train": "pool", "training": "pool", "trainval": "pool", "pool": "pool",
    "val": "search", "valid": "search", "validation": "search", "dev": "search", "search": "search",
    "eval": "search", "evaluation": "search", "validate": "search", "minival": "search",
    "test": "test", "testing": "test", "holdout": "test",
}  # fmt: skip


def words_of(name: str) -> list[str]:
    """The words of a name, in lower case: letters only."""
    return "".join(c.lower() if c.isalpha() else " " for c in name).split()


def split_of(*names: str) -> str | None:
    """The split named by the first of `names` (folders, file stems) that names one; None without.

    The last word that is a split decides: `crash_test_train` is a training split.
    """
    for name in names:
        for word in reversed(words_of(name)):
            if word in SPLITS:
                return SPLITS[word]
    return None


def splits_of_files(files: Sequence[Path], base: Path) -> dict[Path, str | None]:
    """The split of each of several label files, by what tells their names apart; else by the folders below `base`.

    Words that all names have in common say nothing: `test_rig_train.json` and `test_rig_val.json` are of a test rig.
    """
    if len(files) < 2:
        return dict.fromkeys(files)
    words = {path: words_of(path.stem) for path in files}
    common = set.intersection(*(set(own) for own in words.values()))
    found = {path: split_of(" ".join(word for word in own if word not in common)) for path, own in words.items()}
    folders = {path: reversed(path.relative_to(base).parts[:-1]) if path.is_relative_to(base) else () for path in files}
    return {path: found[path] or split_of(*folders[path], path.stem) for path in files}
