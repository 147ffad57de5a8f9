"""metricloop: the command line. Every command is a few lines here and a function elsewhere; imports wait until used."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

FUNCTIONS = {"try": "try_metric"}  # in cli.commands, where the command's own name is a word of Python


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="metricloop", description="Which images and labels should I train on? Metrics put to the test, with proof."
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    init = _command(commands, "init", "make a workspace for a data set")
    init.add_argument("folder", type=Path, help="a new folder, anywhere on disk")
    init.add_argument("--data", help="folder or annotation file: COCO, Pascal VOC, YOLO or YouTube-VOS")
    init.add_argument("--name", help="name of the study (default: the folder's)")
    init.add_argument("--budget", type=float, default=0.25, help="share of the images a subset holds (0.25)")
    init.add_argument("--format", default="auto", choices=["auto", "coco", "voc", "yolo", "ytvos"])
    init.add_argument("--categories", nargs="+", default=[], help="keep these classes only, e.g. giant_panda")
    init.add_argument("--detector", default="fcos_shufflenet")
    init.add_argument("--weights", help="drawn (fcos_shufflenet's default), default (the others'), none or a path")
    init.add_argument("--image-size", type=int, default=224, help="long side in training, pixels (224)")
    init.add_argument("--iterations", type=int, default=250, help="batches of 8 per trial (250)")
    init.add_argument("--seeds", type=int, default=3, help="trials every arm starts with (3)")
    init.add_argument("--max-seeds", type=int, default=0, help="trials a promising arm may get (as many as --seeds)")
    init.add_argument(
        "--corrupt",
        default="none",
        choices=["none", "article", "sloppy", "custom"],
        help="make mistakes in the pool's labels on purpose, to measure what metrics find",
    )
    init.add_argument("--strength", type=float, default=0.5, help="of the deliberate mistakes, 0 to 1 (0.5)")
    init.add_argument(
        "--import",
        dest="copy",
        action="store_true",
        help="copy the pictures into the workspace and its DVC cache, to retrain on another machine",
    )
    init.add_argument("--demo", action="store_true", help="drawn panda scenes instead of --data")
    init.add_argument("--full", action="store_true", help="all controls and policies, not the lean list")

    run = _command(commands, "run", "run the study, or go on with it")
    _workspace(run)
    run.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="change params.yaml first")
    run.add_argument("--dry-run", action="store_true", help="show what would run and how long it would take")
    run.add_argument("--arm", help="one arm only")
    run.add_argument(
        "--trust",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="you have read these files of metrics: as they are now, they run without the sandbox",
    )
    run.add_argument(
        "--unsafe-in-process",
        dest="unsafe",
        action="store_true",
        help="run metrics that nobody has read without the sandbox; every result is marked",
    )

    scoring = _command(commands, "score", "score the pool with the metrics of arms.yaml, or list those there are")
    scoring.add_argument("batches", nargs="*", metavar="BATCH", help="batches of arms.yaml (default: all)")
    scoring.add_argument("--list", action="store_true", help="list every metric of the catalogue")
    _workspace(scoring)
    audit = _command(commands, "audit", "list the labels that look wrong, and measure the metrics on known mistakes")
    audit.add_argument("--no-training", action="store_true", help="train nothing: labels and pixels alone may speak")
    audit.add_argument("--most", type=int, default=50, help="lines of the list per kind of mistake (50)")
    _workspace(audit)
    attempt = _command(commands, "try", "hold your own metric to the acceptance gate, and see what it says of the pool")
    attempt.add_argument("file", type=Path, help="a Python file of metrics; it runs in the sandbox")
    attempt.add_argument("--metric", metavar="NAME", help="one of the file's metrics (default: all)")
    attempt.add_argument(
        "--policy",
        nargs="+",
        default=["best"],
        metavar=("NAME", "OPTION=VALUE"),
        help="how its scores become a subset, e.g. among share=0.4 (best)",
    )
    attempt.add_argument("--add", action="store_true", help="add it to arms.yaml, after asking")
    attempt.add_argument("--yes", action="store_true", help="do not ask")
    _workspace(attempt)
    adopt = _command(commands, "adopt", "read a metric that a language model wrote, and let it out of the sandbox")
    adopt.add_argument("name", help="the metric's name")
    adopt.add_argument("--yes", action="store_true", help="do not ask: you have read it")
    _workspace(adopt)
    suggest = _command(commands, "suggest", "have the language model suggest the metrics of the next round")
    suggest.add_argument("--dry-run", action="store_true", help="show what it would be sent, and send nothing")
    _workspace(suggest)
    scorecard = _command(commands, "scorecard", "how good the language model is as an engineer")
    scorecard.add_argument("folders", nargs="*", type=Path, default=[Path()], metavar="DIR", help="workspaces (here)")

    _workspace(_command(commands, "status", "what is up to date and what is not"))
    compare = _command(commands, "compare", "print the comparison table")
    _workspace(compare)
    compare.add_argument("--markdown", action="store_true", help="as Markdown")
    compare.add_argument("--confirmed", action="store_true", help="the test split's numbers, from confirmation.json")
    reproduce = _command(commands, "reproduce", "compute a block again in a fresh clone and compare every number")
    reproduce.add_argument("block", help="for example random.0")
    _workspace(reproduce)
    _workspace(_command(commands, "report", "write report.html"))
    _command(commands, "doctor", "what this machine offers to contain code that nobody has read")
    _workspace(_command(commands, "track", "rebuild the MLflow view of the study"))
    export = _command(commands, "export", "write a subset, or a split, as COCO or YOLO")
    export.add_argument("what", help="an arm's name (its subset), or pool, search, test")
    export.add_argument("target", type=Path, help="a .json file for COCO, a folder for YOLO")
    export.add_argument("--seed", type=int, default=0, help="which draw of the arm (0)")
    _workspace(export)
    return top


def _command(commands, name: str, help: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")


def _workspace(command: argparse.ArgumentParser) -> None:
    command.add_argument("-C", dest="folder", type=Path, default=Path(), metavar="DIR", help="the workspace (here)")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; expected failures end in one message and status 1."""
    given = parser().parse_args(arguments)
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # a failure is told once, by us
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    from metricloop.cli import commands

    try:
        return getattr(commands, FUNCTIONS.get(given.command, given.command))(given) or 0
    except KeyboardInterrupt:
        print("\nstopped; nothing is lost: the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read what we print, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, RuntimeError, OSError, KeyError, subprocess.SubprocessError) as error:
        if os.environ.get("METRICLOOP_DEBUG"):
            raise
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"metricloop {given.command}: {message}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
