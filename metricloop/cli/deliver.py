"""The commands that make a study's winner into a detector in use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metricloop.cli.command import HERE, Commands, Workspace, flag
from metricloop.cli.named_model import MODEL_HELP

if TYPE_CHECKING:
    from metricloop.delivery.promote import Wish

HOST_HELP = "0.0.0.0 for every network of this machine. Behind a proxy, --limits hosts=NAME, as people open it."
commands = Commands("Detector")


@commands.add(
    "metricloop promote -C ~/lions",
    "metricloop promote --share 0.5 --seeds 5 -C ~/lions",
    "metricloop promote random --anyway -C ~/lions",
)
def promote(
    arm: Annotated[str | None, typer.Argument(metavar="ARM", help="By default the winner.")] = None,
    anyway: Annotated[bool, flag("--anyway", "Even if its verdict is not better; the detector says so.")] = False,
    share: Annotated[
        float | None,
        typer.Option(metavar="S", help="Train on this share of the pool, selected by the arm's policy.", min=0, max=1),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", help="How many detectors to train; the best is kept.")] = 3,
    folder: Workspace = HERE,
) -> None:
    """Train the winner's detector for use, and register it in MLflow."""
    from metricloop.comparison.comparison_file import read_comparison
    from metricloop.delivery.choose import choose, refuse_old_labels
    from metricloop.delivery.promote import Wish
    from metricloop.delivery.promoted import champion
    from metricloop.study.environment import hide_keys, network
    from metricloop.study.processes import call
    from metricloop.study.run_record import claimed
    from metricloop.text.shell import command_line
    from metricloop.tracking.registry import server_variables
    from metricloop.tracking.track import where_to_look

    hide_keys()
    wish, folder = Wish(arm, anyway, share, seeds), folder.resolve()
    chosen = choose(read_comparison(folder), folder, arm, anyway)["name"]  # a refusal is told before anything starts
    if warning := refuse_old_labels(folder, chosen, anyway):
        print(warning, file=sys.stderr)
    with claimed(folder, "promote"):
        print(_beginning(folder, chosen, wish), flush=True)
        python = [sys.executable, "-P", "-m"]
        call(folder, [*python, "metricloop.tasks.steps.promote", *wish.arguments()], "promote")
        call(folder, [*python, "metricloop.tasks.steps.register"], "register", variables=server_variables() | network())
    print(f"\n{where_to_look(folder)}")
    print(f"use it:     {command_line('metricloop', 'predict', champion(folder), 'PHOTOS', '-o', 'found')}")


def _beginning(folder: Path, arm: str, wish: Wish) -> str:
    """The line before a promotion begins: what it does, and how long it takes, if that is known."""
    from metricloop import layout
    from metricloop.params import load_params
    from metricloop.study.pace import read_pace
    from metricloop.study.plan import load_plan
    from metricloop.text.duration import duration_range
    from metricloop.text.numbers import count, percent

    what = f"{percent(wish.share)} of the pool" if wish.share else "its subset"
    kept = ", the best is kept" if wish.seeds > 1 else ""
    what = f"train {count(wish.seeds, 'detector')} on {what}{kept}"
    pace = read_pace(folder, load_params(folder / layout.PARAMS), load_plan(folder))
    time = f": {duration_range(*pace.of_trials(wish.seeds))}" if pace else ""
    return f"promote {arm}: {what}{time}, or seconds if that was done before"


@commands.add(
    "metricloop predict ~/lions photos -o found.json",
    "metricloop predict ~/lions/promoted/1 photos a.jpg -o found --score 0.5",
    "metricloop predict models:/lions@champion photos -o found.json",
    "metricloop predict photos -o found -C ~/lions",
)
def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=f"{MODEL_HELP} With -C, leave it out.")],
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="IMAGES", help="Pictures, and folders with pictures.")
    ] = None,
    *,
    target: Annotated[
        Path, typer.Option("-o", metavar="OUT", help="A .json file for COCO JSON, or a folder for drawn pictures, too.")
    ],
    score: Annotated[
        float | None,
        typer.Option(metavar="S", help="Least score; by default the one that fits the labels best.", min=0, max=1),
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", help="Pictures in memory at the same time.", min=1)] = 16,
    folder: Annotated[
        Path | None, typer.Option("-C", metavar="DIR", help="Use the champion of this workspace.", show_default="none")
    ] = None,
) -> int:
    """Find objects in pictures: COCO JSON, and pictures with boxes."""
    from metricloop.cli.named_model import REGISTRY, named_model
    from metricloop.delivery.find_pictures import find_pictures
    from metricloop.delivery.predict import is_json, refuse_occupied, refuse_replaced
    from metricloop.delivery.predict import predict as run
    from metricloop.runtime.progress import shown
    from metricloop.serving.detector import usual_score
    from metricloop.text.numbers import count

    given = list(images or [])
    if folder is not None and not model.startswith(REGISTRY):  # all that is named is pictures
        model, given = str(folder), [Path(model), *given]
    if not given:
        raise typer.BadParameter(f"name the pictures as well: metricloop predict {model} PHOTOS -o {target}")
    refuse_occupied(target)
    files = find_pictures(given, without=None if is_json(target) else target)
    refuse_replaced(target, files)
    replaced = target.is_file() or (target.is_dir() and any(target.iterdir()))
    with named_model(model, folder if folder is not None and model.startswith(REGISTRY) else Path()) as detector_folder:
        from metricloop.delivery.torch_detector import load

        detector = load(detector_folder)
    least = usual_score(detector.facts) if score is None else score
    with shown("predict", "pictures") as progress:
        found = run(detector, files, target, score=least, batch=batch, progress=progress)
    for file, reason in found.broken:
        print(f"not read: {file}: {reason}", file=sys.stderr)
    pictures, detections = len(found.coco["images"]), len(found.coco["annotations"])
    if not pictures:
        print(f"metricloop predict: none of {count(len(files), 'picture')} could be read", file=sys.stderr)
        return 1
    with_some = len({entry["image_id"] for entry in found.coco["annotations"]})
    unread = f", {len(found.broken)} not read" if found.broken else ""
    where = f"in {count(with_some)} of {count(len(files), 'picture')}{unread}"
    print(f"{target}: {count(detections, 'detection')} with a score from {least:.2f} {where}")
    if replaced:
        print("the results of an earlier prediction there are replaced")
    return 0


@commands.add(
    "metricloop bundle panda-detector -C ~/demo",
    "metricloop bundle panda-detector ~/demo/promoted/2",
    "metricloop bundle panda-detector models:/demo@champion",
)
def bundle(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an empty one.")],
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="As for predict.", show_default="the workspace's champion"),
    ] = None,
    folder: Workspace = HERE,
) -> None:
    """Write a detector and its server into a folder that needs no metricloop."""
    from metricloop.cli.named_model import named_model
    from metricloop.delivery.bundle import make_bundle, refuse_occupied
    from metricloop.delivery.bundle_pictures import pictures_for_check

    refuse_occupied(target)
    with named_model(model or ".", folder) as detector_folder:
        print("writing the ONNX graph and comparing it with torch: half a minute or so", flush=True)
        written = make_bundle(detector_folder, target, pictures_for_check(folder))
    facts = written.facts
    print(f"{target}: {facts['name']}, version {facts['version']}, {written.megabytes:.1f} MB")
    print(f"onnxruntime finds what torch finds: {written.agreement}")
    if facts.get("anyway"):
        print("the README says that it was promoted against its verdict")
    print(f"how to run it: {target / 'README.md'}")


@commands.add(
    "metricloop serve",
    "metricloop serve ~/demo/promoted/2 --port 8080",
    "metricloop serve models:/demo@champion --limits pixels=20000000 seconds=10",
)
def serve(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help=MODEL_HELP),
    ] = ".",
    folder: Workspace = HERE,
    host: Annotated[str, typer.Option(metavar="HOST", help=HOST_HELP)] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="0 for a free one.")] = 8000,
    batch: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Pictures detected together.", show_default="8")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of the detector.", show_default="all cores")
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE...", help="Limits, as /metadata shows them; or METRICLOOP_SERVE_KEY."),
    ] = None,
) -> None:
    """Serve a promoted detector over HTTP, with a page to try it: POST /predict."""
    from metricloop.serving.limits import read_limits

    pairs = dict(pair.partition("=")[::2] for pair in limits or [])
    chosen = read_limits({**pairs, "batch": batch if batch is not None else pairs.get("batch")})

    from metricloop.cli.named_model import named_model
    from metricloop.delivery.torch_detector import load
    from metricloop.serving.server import serve as run

    with named_model(model, folder) as detector_folder:
        detector = load(detector_folder, threads=threads)
    run(detector, host, port, chosen)
