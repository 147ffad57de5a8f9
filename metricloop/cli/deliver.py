"""The commands that make a study's winner into a detector in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metricloop.cli.command import HERE, Commands, Workspace

commands = Commands("Detector")


@commands.add(
    "metricloop bundle panda-detector -C ~/demo",
    "metricloop bundle panda-detector ~/demo/promoted/2",
)
def bundle(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an empty one.")],
    model: Annotated[
        Path | None,
        typer.Argument(metavar="MODEL", help="Folder of a promoted detector; by default the workspace's champion."),
    ] = None,
    folder: Workspace = HERE,
) -> None:
    """Write a detector and its server into a folder that runs without metricloop and torch."""
    from metricloop.delivery.bundle import make_bundle, refuse_occupied
    from metricloop.delivery.bundle_pictures import pictures_for_check
    from metricloop.delivery.promoted import detector_folder

    refuse_occupied(target)
    source = detector_folder(model or folder)
    print("writing the ONNX graph and comparing it with torch: half a minute or so", flush=True)
    written = make_bundle(source, target, pictures_for_check(folder))
    facts = written.facts
    print(f"{target}: {facts['name']}, version {facts['version']}, {written.megabytes:.1f} MB")
    print(f"onnxruntime finds what torch finds: {written.agreement}")
    if facts.get("anyway"):
        print("the README says that it was promoted against its verdict")
    print(f"how to run it: {target / 'README.md'}")
