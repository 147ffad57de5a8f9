"""Files and names that params.yaml states, held against what there is: so that a run does not find out hours later."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from metricloop import layout
from metricloop.data.tables import read_json
from metricloop.llm.cassette import BUILT_IN
from metricloop.params import Params, ParamsError
from metricloop.study.check_plan import nearest
from metricloop.study.split_sizes import split_sizes


def check_stated(folder: Path, params: Params) -> None:
    """Errors: ParamsError that lists every fault."""
    found = list(faults(folder, params))
    if found:
        raise ParamsError("\n".join([f"{folder / layout.PARAMS} cannot be used:", *(f"  {fault}" for fault in found)]))


def faults(folder: Path, params: Params) -> Iterator[str]:
    """What is wrong, one line each. Where the data set has moved is told elsewhere (data_files.missing)."""
    data = params.data
    if isinstance(data.outside, tuple):
        for name in data.outside:
            if not (folder / name).is_dir():
                yield f"data.outside: {os.path.abspath(folder / name)} is no folder"
    for key, name in (("data.labels", data.labels), ("data.second_labels", data.second_labels)):
        if name and not (folder / name).exists():
            yield f"{key}: {os.path.abspath(folder / name)} does not exist"
    yield from weights_faults(folder, params)
    if (
        params.llm.provider == "replay"
        and params.llm.cassette not in BUILT_IN
        and not (folder / params.llm.cassette).is_file()
    ):
        yield f"llm.cassette: {params.llm.cassette!r} is no file; give that of a recording, or demo"
    classes = _classes(folder)
    if classes:
        for mistake in data.corrupt.mistakes:
            for name in mistake.classes:
                if name not in classes:
                    yield f"data.corrupt: {mistake.kind} has the class {name!r}{nearest(name, classes)}"
    size = split_sizes(folder).get("pool")
    if size and round(params.study.budget * size) < 1:
        yield f"study.budget: {params.study.budget:g} of the pool's {size} images is less than one image"


def weights_faults(folder: Path, params: Params) -> Iterator[str]:
    """A message for each file of train.weights and embed.weights that is missing or damaged. No file is loaded."""
    for key, name in (("train.weights", params.train.weights), ("embed.weights", params.embed.weights)):
        if name in ("drawn", "none", "default"):
            continue
        path = folder / name
        if not path.is_file():
            yield f"{key}: {os.path.abspath(path)} does not exist; give a word or the path of a file"
        elif not _saved_by_torch(path):
            yield f"{key}: {os.path.abspath(path)} is no file of weights, as torch.save writes them, or is cut off"


def _saved_by_torch(path: Path) -> bool:
    """Whether a file is a whole ZIP archive, or a pickle as PyTorch wrote it before 1.6."""
    with path.open("rb") as stream:
        return stream.read(1) == b"\x80" or zipfile.is_zipfile(path)


def _classes(folder: Path) -> list[str]:
    file = folder / layout.CATEGORIES
    return list(read_json(file)) if file.is_file() else []
