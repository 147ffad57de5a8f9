"""The commands about the language model: ask it for metrics, and see how good it is as an engineer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metricloop import layout
from metricloop.cli.command import HERE, Commands, Workspace, existing_result, flag, print_json
from metricloop.text.shell import run_line

commands = Commands("Language model")


@commands.add("metricloop suggest -C ~/lions --dry-run", "metricloop suggest -C ~/lions")
def suggest(
    folder: Workspace = HERE,
    dry_run: Annotated[bool, flag("--dry-run", "Show the prompt and what it costs, and send nothing.")] = False,
) -> None:
    """Have the language model suggest the metrics of the next round."""
    folder = folder.resolve()
    if not dry_run:
        _suggest_next(folder)
        return
    from metricloop.engineer.briefing import preview

    print(preview(folder))


def _suggest_next(folder: Path) -> None:
    """The suggestions of the round that is under way, or else of the next one; nothing is tried yet.

    Errors: ValueError where params.yaml allows no further round, or metrics of the last one have not been tried.
    """
    from metricloop.cli.price_question import ask_price
    from metricloop.engineer.progress import next_round, untried
    from metricloop.llm.journal import Journal
    from metricloop.params import load_params
    from metricloop.study.edit_params import change_params
    from metricloop.study.environment import hide_keys
    from metricloop.study.processes import call_model_step
    from metricloop.study.run_record import claimed

    hide_keys()
    existing_result(folder, layout.COMPARISON)
    events, settings = Journal(folder).events, load_params(folder / layout.PARAMS).llm
    rounds = settings.rounds
    if (number := next_round(events)) > rounds:
        raise ValueError(f"this would be round {number}, but llm.rounds is {rounds}; raise llm.rounds first")
    if waiting := untried(events, folder):
        raise ValueError(f"{', '.join(waiting)} of the last round must be run first: {run_line(folder)}")
    asked = ask_price(folder, settings)
    with claimed(folder, "suggest"):
        for line in change_params(folder / layout.PARAMS, asked):
            print(line)
        call_model_step(folder, "metricloop.tasks.steps.suggest", number)


@commands.add("metricloop scorecard ~/lions", "metricloop scorecard ~/lions ~/lions-other")
def scorecard(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR", help="Workspaces.", show_default="here")
    ] = None,
    as_json: Annotated[
        bool,
        flag("--json", 'Print a list of {"study", "folder", "card"}; a share k of n is {"k", "n"}.'),
    ] = False,
) -> None:
    """Show how good the language model is as an engineer."""
    resolved = [folder.resolve() for folder in folders or [HERE]]
    if not as_json:
        from metricloop.engineer.scorecard_table import print_scorecards

        print_scorecards(resolved)
        return
    from dataclasses import asdict

    from metricloop.engineer.scorecard_table import read_cards

    cards = [(folder, *card) for folder in resolved for card in read_cards(folder)]
    print_json([{"study": study, "folder": str(folder), "card": asdict(card)} for folder, study, card in cards])


@commands.add(
    "metricloop learn ~/lions ~/bears",
    "metricloop learn ~/lions ~/bears --out lessons.md",
)
def learn(
    folders: Annotated[list[Path], typer.Argument(metavar="STUDY...", help="Workspaces whose results are there.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page to this file.")] = None,
    words: Annotated[
        bool, flag("--words", "Add the names of studies and ideas, and what the model wrote: it may name your classes.")
    ] = False,
    force: Annotated[bool, flag("--force", "Write over a file that is there.")] = False,
) -> None:
    """Distil studies into a page of lessons for llm.lessons."""
    from metricloop.engineer.lessons import LessonsError, lessons_page, read_study_lessons

    if out and out.exists() and not force:
        raise LessonsError(f"{out} is there already; give another --out, or add --force to write over it")
    page = lessons_page([read_study_lessons(folder.resolve()) for folder in folders], words)
    if out is None:
        print(page, end="")
        return
    out.write_text(page, encoding="utf-8")
    print(f"wrote {out} ({len(page):,} characters); give it to a study with --set llm.lessons={out.resolve()}")
