"""The detector that a person names on the command line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REGISTRY = "models:/"
MODEL_HELP = "A detector folder, a workspace (its champion), a bundle, or models:/NAME@ALIAS of MLflow."


@contextmanager
def named_model(model: str, folder: Path = Path()) -> Iterator[Path]:
    """The folder of a named detector. One of MLflow's registry is copied to a temporary folder, deleted at the end.

    folder: where relative paths start, and where MLflow's database is looked for.

    Errors: DetectorFolderError; RegistryError.
    """
    if not model.startswith(REGISTRY):
        from metricloop.delivery.promoted import detector_folder

        yield detector_folder(folder / model)
        return
    from metricloop.tracking.registry import download, uri_for

    with tempfile.TemporaryDirectory(prefix="metricloop-") as scratch:
        yield download(model, uri_for(folder), Path(scratch))
