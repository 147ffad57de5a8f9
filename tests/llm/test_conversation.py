"""Every call goes through the journal: none is made twice, none passes a limit, each can be rebuilt and replayed."""

from dataclasses import replace
from datetime import date

import pytest

from metricloop.llm.budget import BudgetError, SpentError
from metricloop.llm.cassette import (
    BUILT_IN,
    Cassette,
    CassetteError,
    NotRecordedError,
    Replay,
    cassette_of,
    load_cassette,
    save_cassette,
)
from metricloop.llm.client import ClientError
from metricloop.llm.conversation import Conversation, NoProviderError, rung_of, thread
from metricloop.llm.incomplete import incomplete_answer
from metricloop.llm.journal import Journal, Key
from metricloop.llm.message import Message, Picture, Reply
from metricloop.llm.settings import LanguageModel

PROPOSE = Key(1, "propose")
PICTURE = Picture("smallest objects", b"\xff\xd8jpeg")
OPENING = [Message("system", "be brief"), Message("user", "round 1", (PICTURE,))]
SCHEMA = {"name": "proposal", "schema": {}}


class Stub:
    """Answers with what it is given, one after the other, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def complete(self, messages, schema, *, most_tokens, seconds):
        self.asked.append(list(messages))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Reply) else Reply(answer, "stub-1", "stop", "schema", 100, 20, False, 2.0)


def settings(**changes) -> LanguageModel:
    usual = {"provider": "openai", "model": "stub", "prices": {"stub": [10.0, 100.0]}, "max_cost": 1}
    return LanguageModel.model_validate(usual | changes)


def conversation(folder, model, **changes) -> Conversation:
    return Conversation(settings(**changes), Journal(folder), model=model)


def test_an_answer_in_the_journal_is_not_asked_for_again(tmp_path):
    assert conversation(tmp_path, Stub("one")).ask(PROPOSE, OPENING, SCHEMA) == "one"
    nobody = Stub()
    assert conversation(tmp_path, nobody).ask(PROPOSE, OPENING, SCHEMA) == "one"
    assert nobody.asked == []


def test_the_question_is_in_the_journal_before_it_is_sent(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        conversation(tmp_path, Stub(KeyboardInterrupt())).ask(PROPOSE, OPENING, SCHEMA)
    (event,) = Journal(tmp_path).events
    assert (event["event"], event["messages"][1]["text"], event["messages"][1]["pictures"][0]["title"]) == (
        "asked", "round 1", "smallest objects",
    )  # fmt: skip
    assert (tmp_path / event["messages"][1]["pictures"][0]["file"]).read_bytes() == PICTURE.jpeg


def test_tokens_money_and_the_servers_words_are_in_the_journal(tmp_path):
    conversation(tmp_path, Stub("one")).ask(PROPOSE, OPENING, SCHEMA)
    answered = Journal(tmp_path).last("answered", PROPOSE)
    assert (answered["prompt_tokens"], answered["completion_tokens"], answered["model"]) == (100, 20, "stub-1")
    assert answered["cost"] == pytest.approx((100 * 10 + 20 * 100) / 1e6)


def test_the_next_step_asks_as_this_model_was_last_asked_with_success(tmp_path):
    talk = conversation(tmp_path, Stub(Reply("one", "stub-1", "stop", "fenced", 1, 1, False, 1.0)))
    assert rung_of(talk.journal, "stub") == "schema"
    talk.ask(PROPOSE, OPENING, SCHEMA)
    assert rung_of(Journal(tmp_path), "stub") == "fenced"
    assert rung_of(Journal(tmp_path), "another") == "schema"


def test_a_call_that_fails_is_told_and_made_anew_by_the_next_run(tmp_path):
    failing = Stub(ClientError("unreachable", "llm.base_url: nobody answers"))
    with pytest.raises(ClientError):
        conversation(tmp_path, failing).ask(PROPOSE, OPENING, SCHEMA)
    assert [event["event"] for event in Journal(tmp_path).events] == ["asked", "call_failed"]
    assert conversation(tmp_path, Stub("now")).ask(PROPOSE, OPENING, SCHEMA) == "now"


def test_the_time_of_a_failed_call_is_in_the_journal_and_counts(tmp_path):
    class Slow(Stub):
        def complete(self, *_, **__):
            now.append(now[-1] + 90.0)
            raise ClientError("timeout", "no answer")

    now = [5.0]
    talk = Conversation(settings(max_minutes=1), Journal(tmp_path), model=Slow(), clock=lambda: now[-1])
    with pytest.raises(ClientError):
        talk.ask(PROPOSE, OPENING, SCHEMA)
    assert talk.journal.last("call_failed", PROPOSE)["seconds"] == 90.0
    with pytest.raises(SpentError, match=r"llm\.max_minutes"):
        talk.ask(PROPOSE, OPENING, SCHEMA)


def test_without_a_provider_nobody_is_asked(tmp_path):
    stub = Stub("one")
    with pytest.raises(NoProviderError, match=r"llm\.provider is none.*set it in params\.yaml to azure .* replay"):
        conversation(tmp_path, stub, provider="none")
    assert isinstance(NoProviderError(), ValueError)
    assert stub.asked == []


def test_earlier_answers_whose_price_nobody_knows_hold_a_limit_of_money_up(tmp_path):
    free = settings(model="local", prices={}, max_cost=None)
    Conversation(free, Journal(tmp_path), model=Stub("one")).ask(PROPOSE, OPENING, SCHEMA)
    with pytest.raises(BudgetError, match="the price of local is not known"):
        conversation(tmp_path, Stub())
    talk = conversation(tmp_path, Stub(), prices={"stub": [1, 1], "local": [1000, 50_000]})  # 100 and 20 tokens: $1.1
    with pytest.raises(SpentError, match=r"llm\.max_cost.*\$1\.1000 are spent"):
        talk.ask(Key(1, "reflect"), [Message("user", "look")], SCHEMA)


def test_a_limit_stops_before_anything_is_sent(tmp_path):
    stub = Stub("one", "two")
    talk = conversation(tmp_path, stub, max_tokens=1500)
    talk.ask(PROPOSE, OPENING, SCHEMA)
    with pytest.raises(SpentError, match=r"llm\.max_tokens"):
        talk.ask(Key(1, "repair", "a", 1), [Message("user", "x" * 8000)], SCHEMA)
    assert len(stub.asked) == 1
    assert Journal(tmp_path).last("asked", Key(1, "repair", "a", 1)) is None


def test_a_repair_remembers_the_proposal_and_the_repairs_of_its_own_suggestion_without_the_pictures(tmp_path):
    stub = Stub("ideas", "a1", "b1", "a2", "lessons")
    talk = conversation(tmp_path, stub)
    talk.ask(PROPOSE, OPENING, SCHEMA)
    for name, attempt in (("a", 1), ("b", 1), ("a", 2)):
        talk.ask(Key(1, "repair", name, attempt), [Message("user", f"mend {name} {attempt}")], SCHEMA)
    talk.ask(Key(1, "reflect"), [Message("user", "look")], SCHEMA)
    assert [message.text for message in stub.asked[3]] == [
        "be brief", "round 1\n\n[picture: smallest objects]", "ideas", "mend a 1", "a1", "mend a 2",
    ]  # fmt: skip
    assert [message.text for message in stub.asked[4]] == [
        "be brief", "Round 1: hand in suggestions.", "ideas", "look",
    ]  # fmt: skip
    assert [message.role for message in stub.asked[3]] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert not any(message.pictures for message in stub.asked[3])
    events = Journal(tmp_path).events
    assert [*thread(events, Key(1, "repair", "a", 2)), Message("user", "mend a 2")] == stub.asked[3]


def test_a_round_goes_on_from_question_to_proposal_and_a_repair_leaves_the_questions_out(tmp_path):
    stub = Stub("q1", "q2", "ideas", "a1")
    talk = conversation(tmp_path, stub)
    talk.ask(Key(1, "explore"), OPENING, SCHEMA)
    talk.ask(Key(1, "explore", "", 1), [Message("user", "found 1")], SCHEMA)
    talk.ask(PROPOSE, [Message("user", "found 2, hand in")], SCHEMA)
    talk.ask(Key(1, "repair", "a", 1), [Message("user", "mend")], SCHEMA)
    texts = [[message.text for message in asked] for asked in stub.asked]
    opening = ["be brief", "round 1\n\n[picture: smallest objects]"]
    assert texts[2] == [*opening, "q1", "found 1", "q2", "found 2, hand in"]
    assert texts[3] == [*opening, "ideas", "mend"]


def test_a_proposal_asked_for_again_comes_after_the_first_one(tmp_path):
    stub = Stub("no json", "ideas")
    talk = conversation(tmp_path, stub)
    talk.ask(PROPOSE, OPENING, SCHEMA)
    talk.ask(Key(1, "propose", "", 1), [Message("user", "again")], SCHEMA)
    assert [message.text for message in stub.asked[1]][-2:] == ["no json", "again"]


def test_half_a_surrogate_in_an_answer_fits_every_file(tmp_path):
    talk = conversation(tmp_path, Stub("a \ud800 b"))
    assert talk.ask(PROPOSE, OPENING, SCHEMA) == "a ? b"


@pytest.fixture
def recorded(tmp_path) -> Cassette:
    talk = conversation(tmp_path, Stub("first\nanswer", "mended\n  def f():\n\treturn 1 \n"), provider="record")
    talk.ask(PROPOSE, OPENING, SCHEMA)
    talk.ask(Key(1, "repair", "a", 1), [Message("user", "mend")], SCHEMA)
    return load_cassette(str(tmp_path / "cassette.yaml"))


def test_record_writes_a_cassette_that_plays_back_word_for_word(recorded, tmp_path):
    (tmp_path / "other").mkdir()
    talk = Conversation(settings(provider="replay", cassette="x"), Journal(tmp_path / "other"),
                        replay=Replay(recorded, strict=True))  # fmt: skip
    assert talk.ask(PROPOSE, OPENING, SCHEMA) == "first\nanswer"
    assert talk.ask(Key(1, "repair", "a", 1), [Message("user", "mend")], SCHEMA) == "mended\n  def f():\n\treturn 1 \n"
    answered = talk.journal.last("answered", PROPOSE)
    assert (answered["recorded"], answered["cost"]) == (recorded.recorded.isoformat(), 0.0)
    assert recorded.calls[0].pictures == ("smallest objects",)
    assert cassette_of(talk.journal.events).calls == recorded.calls


def test_a_recording_that_a_kill_kept_from_the_disk_is_made_up_for(recorded, tmp_path):
    (tmp_path / "cassette.yaml").unlink()
    conversation(tmp_path, Stub(), provider="openai")
    assert not (tmp_path / "cassette.yaml").exists()
    conversation(tmp_path, Stub(), provider="record")
    assert load_cassette(str(tmp_path / "cassette.yaml")) == recorded
    (tmp_path / "new").mkdir()
    conversation(tmp_path / "new", Stub(), provider="record")
    assert not (tmp_path / "new/cassette.yaml").exists()  # there is nothing to record yet


def test_an_answer_keeps_its_model_and_its_date_through_recordings_of_recordings(recorded, tmp_path):
    """Replayed first, then gone on with by another model: who said what, and when, stays true."""
    old = recorded.model_copy(update={"model": "old", "recorded": date(2025, 3, 1), "calls": recorded.calls[:1]})
    folder = tmp_path / "other"
    folder.mkdir()
    replayed = settings(provider="replay", cassette="x")
    Conversation(replayed, Journal(folder), replay=Replay(old)).ask(PROPOSE, OPENING, SCHEMA)
    talk = conversation(folder, Stub("mended"), provider="record")
    talk.ask(Key(1, "repair", "a", 1), [Message("user", "mend")], SCHEMA)
    today = date.fromisoformat(talk.journal.events[-1]["at"][:10])
    mixed = load_cassette(str(folder / "cassette.yaml"))
    assert (mixed.model, mixed.recorded) == ("stub-1", today)
    assert [(call.model, call.recorded) for call in mixed.calls] == [("old", date(2025, 3, 1)), (None, None)]

    (tmp_path / "third").mkdir()
    again = Conversation(replayed, Journal(tmp_path / "third"), replay=Replay(mixed))
    again.ask(PROPOSE, OPENING, SCHEMA)
    again.ask(Key(1, "repair", "a", 1), [Message("user", "mend")], SCHEMA)
    answers = [(event["model"], event["recorded"]) for event in again.journal.about("answered")]
    assert answers == [("old", "2025-03-01"), ("stub-1", today.isoformat())]
    assert cassette_of(again.journal.events) == mixed
    said = []
    Replay(mixed, said.append).answer(PROPOSE, mixed.calls[0].template, [Message("user", "x")])
    assert "on 2025-03-01;" in said[0]


def test_the_recording_that_ships_with_the_demo_survives_reading_and_writing(tmp_path):
    save_cassette(load_cassette("demo"), tmp_path / "demo.yaml")
    assert (tmp_path / "demo.yaml").read_bytes() == BUILT_IN["demo"].read_bytes()


def test_other_numbers_in_a_prompt_cost_one_line_of_warning(recorded):
    said = []
    player = Replay(recorded, said.append)
    player.answer(PROPOSE, recorded.calls[0].template, [Message("user", "mAP is 0.2\nnow")])
    player.answer(PROPOSE, recorded.calls[0].template, [Message("user", "mAP is 0.3")])
    assert len(said) == 1
    assert said[0].startswith("replay: 2 lines of the prompt differ from what the model was told on ")


def test_strict_replay_shows_what_differs(recorded):
    with pytest.raises(CassetteError, match=r"-round 1\n(.*\n)*\+round one"):
        Replay(recorded, strict=True).answer(
            PROPOSE, recorded.calls[0].template, [Message("system", "be brief"), Message("user", "round one")]
        )


def test_an_answer_to_another_template_is_refused(recorded):
    changed = recorded.model_copy(update={"calls": (recorded.calls[0].model_copy(update={"template": "old"}),)})
    with pytest.raises(CassetteError, match=r"another version of the prompt \(old, now .*record the study again"):
        Replay(changed).answer(PROPOSE, recorded.calls[0].template, OPENING)


def test_a_call_that_was_not_recorded_is_named(recorded):
    with pytest.raises(NotRecordedError, match="no answer to round 2, propose, attempt 0"):
        Replay(recorded).answer(Key(2, "propose"), "x", [])


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "two\nlines",
        "tab\there\n",
        " lead",
        "trail \nx",
        "\x00\x85\u2028",
        "",
        "# no\n- x",
        "5\u00a0%\nx",
        "\u00a0\n\u00a0x",
    ],
)
def test_any_answer_survives_the_file(recorded, tmp_path, text):
    cassette = replace_answer(recorded, text)
    save_cassette(cassette, tmp_path / "c.yaml")
    assert load_cassette(str(tmp_path / "c.yaml")) == cassette


def replace_answer(cassette: Cassette, text: str) -> Cassette:
    return cassette.model_copy(update={"calls": (cassette.calls[0].model_copy(update={"answer": text}),)})


@pytest.mark.parametrize(("text", "said"), [("calls: 3", "calls"), ("a: [", "not valid YAML"), ("", "model")])
def test_a_file_that_is_no_recording_is_named_with_what_is_wrong(tmp_path, text, said):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(CassetteError, match=said):
        load_cassette(str(tmp_path / "c.yaml"))
    with pytest.raises(CassetteError, match="no file"):
        load_cassette(str(tmp_path / "none.yaml"))


def test_a_question_that_no_recording_answers_was_never_put(recorded, tmp_path):
    (tmp_path / "other").mkdir()
    talk = Conversation(settings(provider="replay", cassette="x"), Journal(tmp_path / "other"), replay=Replay(recorded))
    for _ in range(2):
        with pytest.raises(NotRecordedError):
            talk.ask(Key(2, "propose"), OPENING, SCHEMA)
    assert talk.journal.events == []


def test_a_refusal_is_an_answer_without_text(tmp_path):
    refusal = replace(Reply("", "stub", "refusal", "schema", 1, 1, False, 0.1), refusal="I will not")
    talk = conversation(tmp_path, Stub(refusal))
    assert talk.ask(PROPOSE, OPENING, SCHEMA) == ""
    assert talk.journal.last("answered", PROPOSE)["refusal"] == "I will not"


def test_an_answer_that_was_all_reasoning_is_not_asked_for_in_shorter_code():
    told = incomplete_answer({"finish": "length", "text": " ", "completion_tokens": 900, "refusal": None})
    assert told == "its reasoning took all 900 tokens before any text: reason less, answer sooner"
    assert "shorter code" in incomplete_answer({"finish": "length", "text": "{", "completion_tokens": 900})
