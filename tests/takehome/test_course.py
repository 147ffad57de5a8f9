"""The course: pieces are asked for in order, what fails comes back, limits stop it, and a kill loses nothing."""

from __future__ import annotations

import json
import shutil

import pytest
from tiny_takehome import PIECES, TRAINING, WHOLE, Candidate, asked_for, handed

from metricloop.llm.cassette import CassetteError, Replay, load_cassette
from metricloop.llm.client import ClientError
from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal, read_journal
from metricloop.llm.message import Reply
from metricloop.takehome.assignment import read_assignment
from metricloop.takehome.course import Course, run_course
from metricloop.takehome.history import files_after
from metricloop.takehome.memory import MEMORY, messages
from metricloop.takehome.pieces import ALL
from metricloop.takehome.result import Result
from metricloop.takehome.scorecard import scorecard
from metricloop.takehome.settings import load_settings

PIECE_NAMES = ["training", "predictions", "endpoint", "tests", "docs", "structure"]
CUT = Reply('{"files": [{"path": "train.py", "con', "stub-1", "length", "schema", 100, 50, False, 2.0)
REFUSAL = Reply("", "stub-1", "refusal", "schema", 100, 50, False, 2.0, refusal="I would rather not.")
BROKEN = TRAINING | {"train.py": "import bayess\n"}


def by_content(files, names):
    """Checks without a sandbox: train.py must not import what does not exist, and `wrong` in a file fails its check."""
    said = dict.fromkeys(names, "")
    if "import bayess" in files.get("train.py", ""):
        said["training"] = "ModuleNotFoundError: No module named 'bayess'"
    for name in names:
        if f"wrong {name}" in "".join(files.values()):
            said[name] = f"{name} is wrong"
    facts = {"score": {"accuracy": 0.9, "accuracy_low": 0.8, "majority": 0.6, "items": 46, "macro_f1": 0.9}}
    own = {"training": {"own": {"accuracy": 0.8, "macro_f1": 0.7}}}
    return {name: Result(not text, text, (facts | own).get(name, {})) for name, text in said.items()}


@pytest.fixture
def course(talk):
    """Runs the course of a folder with a candidate, without a sandbox; returns the journal and the limit."""

    def run(folder, candidate, check=by_content, **changes):
        conversation = talk(folder, candidate, **changes)
        limit = run_course(
            Course(read_assignment(folder), load_settings(folder), conversation, check, lambda line: None)
        )
        return conversation.journal.events, limit

    return run


def card_of(folder, events, limit=""):
    return scorecard(read_assignment(folder), events, load_settings(folder).llm, None, limit)


def asked(candidate):
    return [asked_for(messages[-1].text) for messages in candidate.asked]


def test_a_good_candidate_is_asked_for_each_piece_once(tiny, course):
    candidate = Candidate()
    events, limit = course(tiny, candidate)
    assert asked(candidate) == [("plan", 0), *((name, 0) for name in PIECE_NAMES)]
    card = card_of(tiny, events)
    assert (card.at_once, card.unaided, card.repairs, limit) == (9, 9, 0, "")
    assert {path.relative_to(tiny / "project").as_posix() for path in (tiny / "project").rglob("*.*")} >= {
        "train.py", "tests/test_bayes.py", "README.md",
    }  # fmt: skip
    assert len(list((tiny / "attempts").iterdir())) == 6


def test_what_fails_comes_back_with_the_memory_and_is_repaired(tiny, course):
    candidate = Candidate({("training", 0): BROKEN})
    events, _ = course(tiny, candidate)
    repair = candidate.asked[2]
    assert asked_for(repair[-1].text) == ("training", 1)
    assert "No module named 'bayess'" in repair[-1].text
    assert [message.role for message in repair] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert "Count words" in repair[2].text
    assert "import bayess" in repair[4].text
    row = next(row for row in card_of(tiny, events).rows if row.check == "training")
    assert (row.status, row.repairs, row.words) == ("after repairs", 1, "after 1 repair")


def test_the_memory_holds_the_latest_version_of_a_file_alone(tiny, course):
    candidate = Candidate({("training", 0): BROKEN})
    course(tiny, candidate)
    text = "\n".join(message.text for message in candidate.asked[-1])
    assert "import bayess" not in text
    assert text.count("A naive Bayes classifier of words") == 1
    assert "(replaced later)" in text


def test_the_prompt_grows_with_the_application_and_not_with_the_tries(tiny, course):
    """Every piece is handed in three times; the last prompt is not three times as long."""
    stubborn = {
        (name, attempt): PIECES[name] | {"NOTES.md": f"wrong {name} {attempt}" if attempt < 2 else "fine"}
        for name in ("training", "endpoint", "tests")
        for attempt in range(3)
    }
    plain, tried = Candidate(), Candidate(stubborn)
    shutil.copytree(tiny, tiny.parent / "other")
    course(tiny, plain)
    course(tiny.parent / "other", tried)
    assert len(tried.asked) == len(plain.asked) + 6
    length = [sum(len(message.text) for message in candidate.asked[-1]) for candidate in (plain, tried)]
    assert length[1] < 1.5 * length[0]


def test_a_candidate_who_never_succeeds_is_asked_as_often_as_allowed(tiny, course):
    candidate = Candidate({(name, k): "I cannot." for name in PIECE_NAMES for k in range(9)})
    events, _ = course(tiny, candidate)
    assert len(candidate.asked) == 1 + 6 * 3
    card = card_of(tiny, events)
    assert card.unusable == 18
    assert files_after(events) == {}


def test_an_answer_that_cannot_be_used_keeps_the_faults_before_it(tiny, course):
    candidate = Candidate({("training", 0): BROKEN, ("training", 1): "Sorry!"})
    course(tiny, candidate)
    question = candidate.asked[3][-1].text
    assert "no whole JSON object" in question
    assert "No module named 'bayess'" in question


def test_a_refusal_ends_the_piece_and_the_course_goes_on(tiny, course):
    candidate = Candidate({("tests", 0): REFUSAL})
    events, _ = course(tiny, candidate)
    assert asked(candidate).count(("tests", 1)) == 0
    assert asked(candidate)[-1] == ("structure", 0)
    assert any("the model refused" in e["results"].get("answer", {}).get("said", "") for e in events
               if e["event"] == "checked")  # fmt: skip


def test_a_refused_plan_does_not_end_the_course(tiny, course):
    candidate = Candidate({("plan", 0): REFUSAL})
    events, _ = course(tiny, candidate)
    assert asked(candidate)[:2] == [("plan", 0), ("training", 0)]
    assert card_of(tiny, events).unaided == 9


def test_an_answer_that_was_cut_off_is_asked_for_again(tiny, course):
    candidate = Candidate({("training", 0): CUT})
    course(tiny, candidate)
    assert "cut off after 50 tokens" in candidate.asked[2][-1].text


def test_a_limit_stops_the_course_and_a_higher_one_goes_on(tiny, course):
    candidate = Candidate()
    events, limit = course(tiny, candidate, max_tokens=6_000)
    assert "llm.max_tokens" in limit
    assert 1 < len(candidate.asked) < 7
    before, card = len(candidate.asked), card_of(tiny, events, limit)
    assert card.limit == limit
    events, limit = course(tiny, candidate, max_tokens=500_000)
    assert limit == ""
    assert len(candidate.asked) == 7 > before
    assert card_of(tiny, events).unaided == 9


def test_a_server_that_cannot_be_reached_is_asked_again_later(tiny, course):
    gone = ClientError("connection", "unreachable")
    with pytest.raises(ClientError):
        course(tiny, Candidate({("endpoint", 0): gone}))
    candidate = Candidate()
    events, _ = course(tiny, candidate)
    assert asked(candidate)[0] == ("endpoint", 0)
    assert card_of(tiny, events).unaided == 9


class Killed(BaseException):
    pass


WRONG = {("training", 0): BROKEN, ("endpoint", 0): "Sorry!", ("docs", 0): CUT}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The number of events of a course with three errors, and its comparable events."""
    from tiny_takehome import write_tiny

    from metricloop.takehome.settings import save_settings

    folder = tmp_path_factory.mktemp("undisturbed")
    write_tiny(folder)
    settings = save_settings(folder, {"llm": {"provider": "record", "model": "stub", "prices": {"stub": [1, 1]}}})
    conversation = Conversation(settings.llm, Journal(folder), model=Candidate(WRONG), memory=MEMORY)
    run_course(Course(read_assignment(folder), settings, conversation, by_content, lambda line: None))
    return folder, comparable(conversation.journal.events)


def comparable(events):
    """Events without clocks; a question that was asked again after a kill counts once."""
    plain = [{k: v for k, v in event.items() if k not in ("at", "seconds")} for event in events]
    return [event for number, event in enumerate(plain) if event not in plain[:number]]


def test_a_kill_at_any_event_loses_nothing(undisturbed, tmp_path, monkeypatch):
    """The process dies right after each event in turn, and right before it; every course ends the same."""
    home, wanted = undisturbed
    count = len(read_journal(home / "journal.jsonl"))
    for number in range(2 * count):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in ("ASSIGNMENT.md", "params.yaml"):
            shutil.copy(home / name, folder)
        for name in ("data", "truth"):
            shutil.copytree(home / name, folder / name)
        settings = load_settings(folder)

        def run(limit, folder=folder, settings=settings):
            journal = Journal(folder)
            add = journal.add
            left = [limit // 2]

            def dying(event, **fields):
                left[0] -= 1
                if left[0] < 0 and limit % 2:
                    raise Killed  # before the event; without this, after it
                entry = add(event, **fields)
                if left[0] < 0:
                    raise Killed
                return entry

            journal.add = dying
            conversation = Conversation(settings.llm, journal, model=Candidate(WRONG), memory=MEMORY)
            run_course(Course(read_assignment(folder), settings, conversation, by_content, lambda line: None))
            return journal.events

        with pytest.raises(Killed):
            run(number)
        events = run(10**6)
        assert comparable(events) == wanted, f"killed at {number}"


@pytest.fixture
def replayed(undisturbed, tiny):
    """Replays the undisturbed course with checks of its own: the events, and what was checked in the end."""
    from metricloop.takehome.settings import save_settings

    def run(check, cassette=None):
        cassette = cassette or load_cassette(str(undisturbed[0] / "cassette.yaml"))
        ran = []

        def counted(files, names):
            ran.append(list(names))
            return check(files, names)

        settings = save_settings(tiny, {"llm": {"provider": "replay", "cassette": "unused", "repairs": 3}})
        replay = Replay(cassette, strict=True)
        conversation = Conversation(settings.llm, Journal(tiny), replay=replay, memory=MEMORY)
        limit = run_course(Course(read_assignment(tiny), settings, conversation, counted, lambda line: None))
        return conversation.journal.events, ran, limit

    return run


def test_a_replay_gives_the_same_course_and_costs_nothing(undisturbed, replayed):
    events, _, limit = replayed(by_content)
    assert limit == ""
    assert results_of(comparable(events)) == results_of(undisturbed[1])
    assert all(event["cost"] == 0 for event in events if event["event"] == "answered")


def results_of(events):
    """What each step and the judgement came to, without facts, which a recording does not hold."""
    return [
        (e["event"], e.get("suggestion"), {name: (r["passed"], r["said"]) for name, r in e["results"].items()})
        for e in events
        if e["event"] in ("checked", "final")
    ]


def test_a_replay_takes_the_steps_from_the_recording_and_checks_the_final_application_here(undisturbed, replayed):
    """So a faster or slower machine gets the same course; only the last step and the judgement are run."""
    names = []

    def failing(files, wanted):
        names.append(sorted(files))
        return {name: Result(name != "lint", "slow here" if name == "lint" else "") for name in wanted}

    events, ran, _ = replayed(failing)
    assert ran == [list(ALL)]
    assert names == [sorted(WHOLE)]
    steps = [event for event in events if event["event"] == "checked"]
    assert [step["recorded"] for step in steps if "answer" not in step["results"]] == [*[True] * 6, False]
    assert files_after(events) == files_after(read_journal(undisturbed[0] / "journal.jsonl"))
    assert not events[-1]["results"]["lint"]["passed"], "the final application is judged here"


def test_a_recording_that_does_not_tell_is_no_proof(undisturbed, replayed):
    """Cut after the endpoint: its checks may have failed, so they are run; without any repair, so are all steps."""
    cassette = load_cassette(str(undisturbed[0] / "cassette.yaml"))
    last = max(k for k, call in enumerate(cassette.calls) if call.suggestion == "endpoint")
    _, ran, limit = replayed(by_content, cassette.model_copy(update={"calls": cassette.calls[: last + 1]}))
    assert "no answer to round 1, piece tests" in limit
    assert ran[0] == ["training", "endpoint", "lint"]
    assert sorted([*ran[0], *ran[1]]) == sorted(ALL)


def test_another_prompt_is_noticed(undisturbed, tiny):
    home, _ = undisturbed
    (tiny / "ASSIGNMENT.md").write_text((tiny / "ASSIGNMENT.md").read_text() + "\nBe quick.\n")
    replay = Replay(load_cassette(str(home / "cassette.yaml")), strict=True)
    conversation = Conversation(load_settings(tiny).llm, Journal(tiny), replay=replay, memory=MEMORY)
    with pytest.raises(CassetteError, match="Be quick"):
        run_course(Course(read_assignment(tiny), load_settings(tiny), conversation, by_content, lambda line: None))


def test_rounds_of_improvement_are_told_what_fails_and_its_own_numbers(tiny, course):
    from metricloop.takehome.settings import save_settings

    save_settings(tiny, {"takehome": {"rounds": 2}})
    lasting = {("structure", k): {"NOTES.md": "wrong tests"} for k in range(3)}
    candidate = Candidate(lasting)
    events, _ = course(tiny, candidate)
    question = next(messages[-1].text for messages in candidate.asked if asked_for(messages[-1].text)[0] == "improve")
    assert "tests is wrong" in question
    assert "accuracy 0.800, macro_f1 0.700" in question
    assert "0.9" not in question, "our own numbers are not for the model"
    assert asked(candidate).count(("improve", 0)) == 2
    card = card_of(tiny, events)
    assert next(row.words for row in card.rows if row.check == "tests") == "after 3 repairs"


def test_what_restructuring_breaks_shows(tiny, course):
    candidate = Candidate({("structure", k): {"NOTES.md": "wrong endpoint"} for k in range(3)})
    events, _ = course(tiny, candidate)
    row = next(row for row in card_of(tiny, events).rows if row.check == "endpoint")
    assert (row.status, row.broke, row.words) == ("never", True, "never (it passed before)")


def test_the_first_messages_are_the_same_in_every_folder(undisturbed, tiny, course):
    candidate = Candidate()
    course(tiny, candidate)
    events = read_journal(undisturbed[0] / "journal.jsonl")
    first = [m["text"] for e in events if e["event"] == "asked" for m in e["messages"]][:2]
    assert [message.text for message in candidate.asked[0]][1:] == first[1:]
    assert str(tiny) not in "".join(message.text for messages in candidate.asked for message in messages)


def test_every_check_is_judged_in_the_end(tiny, course):
    events, _ = course(tiny, Candidate({("docs", 0): handed({"x.md": "a"})}))
    assert list(events[-1]["results"]) == list(ALL)
    assert json.loads(json.dumps(events[-1])) == events[-1]


def test_the_memory_of_a_call_can_be_rebuilt_from_the_journal(tiny, course):
    from metricloop.llm.journal import Key

    candidate = Candidate({("training", 0): BROKEN})
    events, _ = course(tiny, candidate)
    key = Key(1, "repair", "training", 1)
    assert messages(events, key) == candidate.asked[2][:-1]
    assert WHOLE["app.py"] == files_after(events)["app.py"]
