"""The course of a take-home: plan -> pieces -> restructure -> rounds of improvement, each checked and repaired.

Every step is written to the journal. A course that was killed goes on from the journal: no question is asked and no
check is run a second time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metricloop.llm.budget import SpentError
from metricloop.llm.cassette import NotRecordedError
from metricloop.llm.conversation import Conversation
from metricloop.llm.incomplete import REFUSED
from metricloop.llm.journal import Event, Journal, Key
from metricloop.llm.message import Message
from metricloop.takehome import briefing
from metricloop.takehome.answer import FILES_SCHEMA, PLAN_SCHEMA, AnswerError, Files, read_plan
from metricloop.takehome.assignment import Assignment
from metricloop.takehome.bench import Bench, write_files
from metricloop.takehome.checks import BY_NAME
from metricloop.takehome.history import IMPROVE, PIECE, PLAN, REPAIR, RESTRUCTURE, Turn, digest, files_after, turns
from metricloop.takehome.pieces import ALL, PIECES
from metricloop.takehome.recorded import recorded_results
from metricloop.takehome.result import Result, failed
from metricloop.takehome.settings import ATTEMPTS, PROJECT, Settings
from metricloop.text import numbers

ANSWER = "answer"  # in place of a check: the answer could not be used
FIRST = 1  # the round with the plan and the pieces


@dataclass
class Course:
    """One take-home in its folder. check: runs checks, by name, on an application; say: shows the person a line."""

    assignment: Assignment
    settings: Settings
    conversation: Conversation
    check: Callable[[Files, Sequence[str]], dict[str, Result]]
    say: Callable[[str], None] = print

    @property
    def journal(self) -> Journal:
        return self.conversation.journal

    @property
    def folder(self) -> Path:
        return self.assignment.folder

    @property
    def repairs(self) -> int:
        return self.settings.llm.repairs


def run_checks(assignment: Assignment, settings: Settings) -> Callable[[Files, Sequence[str]], dict[str, Result]]:
    """A function that runs checks on an application in the sandbox."""

    def run(files: Files, names: Sequence[str]) -> dict[str, Result]:
        with Bench(files, assignment, settings.takehome) as bench:
            return {name: _run_check(name, bench) for name in names}

    return run


def _run_check(name: str, bench: Bench) -> Result:
    try:
        return BY_NAME[name].run(bench)
    except (RecursionError, MemoryError):  # while its source is read
        return failed("the code is nested too deeply to be read")


def run_course(this: Course) -> str:
    """Run the course to its end, or until a limit is reached; returns that limit, or "".

    Errors: ClientError when the model cannot be reached; SandboxError without a sandbox.
    """
    limit = ""
    try:
        _plan(this)
        for number, piece in enumerate(PIECES, start=1):
            question = briefing.piece(this.assignment, piece, number)
            _step(this, Key(FIRST, PIECE, piece.name), question, piece.checks)
        _step(this, Key(FIRST, RESTRUCTURE, RESTRUCTURE), _restructure(this), ALL)
        for number in range(1, this.settings.takehome.rounds + 1):
            _step(this, Key(FIRST + number, IMPROVE, IMPROVE), _improve(this, number), ALL)
    except (SpentError, NotRecordedError) as error:
        limit = str(error)
        this.say(f"stopped asking: {limit}")
    judge(this)
    return limit


def judge(this: Course) -> Event:
    """Run every check on the application as it is now, unless that was done; returns the event with the results."""
    files = files_after(this.journal.events)
    _write_project(this.folder / PROJECT, files)
    done = this.journal.last("final", digest=digest(files))
    if done and done is this.journal.last("final"):
        return done
    known = _known(this, files)
    left = [name for name in ALL if name not in known]
    if left:
        this.say(f"check the whole application: {', '.join(left)}")
    known |= {name: _form(result) for name, result in this.check(files, left).items()} if left else {}
    return this.journal.add("final", digest=digest(files), results={name: known[name] for name in ALL})


def _known(this: Course, files: Files) -> dict[str, Any]:
    """The latest results of checks of exactly this application that were run here."""
    found: dict[str, Any] = {}
    for event in this.journal.about("checked", digest=digest(files), recorded=False):
        found |= {name: result for name, result in event["results"].items() if name != ANSWER}
    return found


def _plan(this: Course) -> None:
    """Ask for the plan; without one that can be used, the course goes on."""
    question = briefing.opening(this.assignment, this.settings)
    if this.journal.last("finished", round=FIRST, suggestion=PLAN):
        return
    for attempt in range(this.repairs + 1):
        key = Key(FIRST, PLAN, PLAN, attempt)
        answer = this.conversation.ask(key, question, PLAN_SCHEMA)
        fault = _turn(this, key).fault
        if not fault:
            try:
                read_plan(answer)
            except AnswerError as error:
                fault = str(error)
        if not fault or fault.startswith(REFUSED):
            break
        question = briefing.again(fault)
    this.say(f"plan: {fault or 'made'}")
    this.journal.once("finished", {"round": FIRST, "suggestion": PLAN})


def _step(this: Course, first: Key, question: Callable[[], str], checks: Sequence[str]) -> None:
    """Ask for one piece and check it; what is wrong goes back, until all is right or no repair is left.

    In a replay the recording says whether a piece is repaired, and what its checks came to.
    Errors: SpentError, when the piece waits until the limit is raised; NotRecordedError; ClientError.
    """
    about: dict[str, Any] = {"round": first.round, "suggestion": first.suggestion}
    if this.journal.last("finished", **about):
        return
    attempt, failing = 0, list[tuple[str, str]]()
    while True:
        key = Key(first.round, REPAIR if attempt else first.step, first.suggestion, attempt)
        if this.journal.last("answered", key) is None:
            text = _repair_text(this, key, failing) if attempt else question()
            this.say(f"{first.suggestion}: ask{f' for repair {attempt}' if attempt else ''}")
            this.conversation.ask(key, [Message("user", text)], FILES_SCHEMA)
        turn = _turn(this, key)
        event = this.journal.last("checked", **about, attempt=attempt) or _check(this, turn, checks, about)
        now = [(name, result["said"]) for name, result in event["results"].items() if not result["passed"]]
        failing = now + [fault for fault in failing if fault[0] != ANSWER] if turn.fault else now
        following = Key(first.round, REPAIR, first.suggestion, attempt + 1)
        if this.conversation.replay is not None:  # a slower or faster machine must not lead elsewhere
            if this.conversation.replay.prompt(following) is None:
                break
        else:
            paid = this.journal.last("answered", following)
            if not failing or turn.fault.startswith(REFUSED) or (attempt >= this.repairs and paid is None):
                break
        attempt += 1
    this.journal.once("finished", about, attempt=attempt)


def _repair_text(this: Course, key: Key, failing: Sequence[tuple[str, str]]) -> str:
    """The question for a repair; in a replay where nothing fails here, the recorded one."""
    recorded = this.conversation.replay.prompt(key) if this.conversation.replay is not None else None
    if recorded and not failing:
        return recorded.removeprefix("[user]\n")
    return briefing.repair(key.suggestion, failing, key.attempt, this.repairs)


def _check(this: Course, turn: Turn, checks: Sequence[str], about: dict[str, Any]) -> Event:
    """Run the checks of a step on the application after an answer, or read what came of them when this was recorded,
    and journal the results.
    """
    attempt, files, recorded = turn.key.attempt, turn.files, None
    if turn.fault:
        found = {ANSWER: Result(False, turn.fault)}
    else:
        _keep(this, turn)
        replay = this.conversation.replay
        recorded = recorded_results(replay, turn.key, checks) if replay is not None else None
        found = recorded if recorded is not None else this.check(files, checks)
    failing = [name for name, result in found.items() if not result.passed]
    said = f"not yet: {', '.join(failing)}" if failing else f"passed {numbers.listing(list(found))}"
    this.say(f"{about['suggestion']}: {said}{'' if recorded is None else ' (as recorded)'}")
    results = {name: _form(result) for name, result in found.items()}
    return this.journal.add(
        "checked", **about, attempt=attempt, digest=digest(files), results=results, recorded=recorded is not None
    )


def _form(result: Result) -> dict[str, Any]:
    """A result in the form of the journal."""
    return {"passed": result.passed, "said": result.said, "facts": result.facts}


def _turn(this: Course, key: Key) -> Turn:
    return next(turn for turn in reversed(turns(this.journal.events)) if turn.key == key)


def _keep(this: Course, turn: Turn) -> None:
    """Write the application after an answer to project/, and to a folder of its own below attempts/."""
    number = sum(1 for event in this.journal.events if event["event"] == "answered")
    kept = this.folder / ATTEMPTS / f"{number:02d}-{turn.key.suggestion}-{turn.key.attempt}"
    for folder in (kept, this.folder / PROJECT):
        _write_project(folder, turn.files)


def _write_project(folder: Path, files: Files) -> None:
    """Write an application to a folder of its own, in place of the one that is there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_files(files, folder)


def _restructure(this: Course) -> Callable[[], str]:
    return lambda: briefing.restructure(files_after(this.journal.events), _open(this))


def _improve(this: Course, number: int) -> Callable[[], str]:
    def question() -> str:
        results = judge(this)["results"]
        failing = [(name, result["said"]) for name, result in results.items() if not result["passed"]]
        own = results["training"]["facts"].get("own") or {}
        rounds = this.settings.takehome.rounds
        return briefing.improve(files_after(this.journal.events), failing, own, number, rounds)

    return question


def _open(this: Course) -> list[str]:
    """The checks that failed when they were last run."""
    last: dict[str, bool] = {}
    for event in this.journal.about("checked"):
        last |= {name: result["passed"] for name, result in event["results"].items() if name != ANSWER}
    return [name for name, fine in last.items() if not fine]
