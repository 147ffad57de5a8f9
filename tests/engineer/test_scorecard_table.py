"""The scorecard of a language model, against counts and figures worked out by hand from the fixture's journal."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_fixture import event, journal, round_one, write_journal
from study_fixture import arms, comparison

from metricloop.engineer.scorecard import Proportion, scorecard, wilson
from metricloop.engineer.scorecard_table import (
    NoRoundsError,
    escaped,
    markdown,
    named,
    print_scorecards,
    read_card,
    read_cards,
    table,
)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        # z² = 3.8415: centre (0.66667 + 0.64024) / 2.28049 = 0.57308, half width 1.95996 √0.180781 / 2.28049 = 0.36543
        (2, 3, 0.20766, 0.93851),
        (5, 10, 0.23659, 0.76341),
        (0, 10, 0.0, 0.27753),  # z² / (n + z²) = 3.8415 / 13.8415
        (10, 10, 0.72247, 1.0),
        (1, 1, 0.20654, 1.0),  # 1 / (1 + z²)
    ],
)
def test_wilson_by_hand(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=1e-5)


def test_nothing_counted_has_no_interval() -> None:
    assert wilson(0, 0) is None
    assert str(Proportion(0, 0)) == "\u2013"
    assert str(Proportion(2, 3)) == "2/3 (21 to 94\u00a0%)"


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_mirrors(counts: tuple[int, int]) -> None:
    k, n = counts
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low))


def test_how_ideas_fared() -> None:
    card = scorecard(journal())
    assert (card.rounds, card.proposed, card.dropped, card.copies) == (2, 6, 1, 1)
    assert card.valid == Proportion(6, 6)
    assert card.first_time == Proportion(3, 6)  # object_count, crowded, late
    assert card.after == {1: 1}  # tightness
    assert card.never == Proportion(2, 6)  # edges, copy_of_count
    assert card.families == Proportion(3, 4)  # counting, geometry, timing; of object_count, tightness, crowded and late


def test_ideas_that_short_trials_stopped_have_a_row_when_there_are_some() -> None:
    stopped = {"event": "screened", "round": 2, "suggestion": "crowded", "mAP": 0.17, "baseline": 0.2}
    name = "stopped after short trials"
    assert name not in dict(table({"s": scorecard(journal())}))
    card = scorecard([*journal(), stopped])
    assert dict(table({"s": card}))[name] == "1"
    assert card.first_time == Proportion(3, 6)  # it ran


def test_gain_and_calibration() -> None:
    """Gains 0.07, 0.011, -0.02 against 0.03, 0.05, 0.04 predicted: misses 0.04, -0.039, -0.06."""
    card = scorecard(journal())
    assert card.better == Proportion(1, 3)
    assert card.mean_gain == pytest.approx(0.061 / 3)
    assert card.best == ("object_count", 0.07)
    assert card.bias == pytest.approx(-0.059 / 3)
    assert card.absolute_error == pytest.approx(0.139 / 3)
    assert card.signs == Proportion(2, 3)
    assert card.rank_correlation == pytest.approx(-0.5)  # ranks 1 3 2 and 3 2 1: 1 - 6 * 6 / 24


def test_too_few_ideas_have_no_rank_correlation() -> None:
    assert scorecard(round_one()).rank_correlation is None


def test_building_on_its_own_ideas() -> None:
    card = scorecard(journal())
    assert card.built_on == Proportion(2, 3)  # of round 2: crowded and the copy; late names a parent that is not there
    assert card.improved == Proportion(0, 1)  # crowded lost; the copy was never measured
    assert scorecard(round_one()).built_on == Proportion(0, 0)  # there was nothing to build on


def test_what_it_cost() -> None:
    card = scorecard(journal())
    assert (card.calls, card.unusable, card.failed, card.estimated) == (7, 1, 1, 1)
    assert (card.prompt_tokens, card.completion_tokens) == (7700, 3300)
    assert card.cost == pytest.approx(0.0103)  # 11,000 tokens less the 700 of the replayed reflection
    assert card.seconds == 210
    assert card.points == pytest.approx(7)
    assert card.per_point(card.seconds) == pytest.approx(30)


def test_one_unknown_price_makes_the_cost_unknown() -> None:
    events = journal()
    events[1]["cost"] = None
    card = scorecard(events)
    assert card.cost is None
    assert card.per_point(card.cost) is None
    assert dict(table({"s": card}))["money"] == "price unknown"


def test_gains_are_those_of_the_comparison() -> None:
    entries = arms()
    entries[1]["verdict"] = "undecided"
    card = scorecard(journal(), comparison(entries))
    assert card.better == Proportion(0, 3)
    assert card.points is None
    assert dict(table({"s": card}))["per significant point of mAP"] == "\u2013"


def test_an_unfit_answer_or_policy_is_not_valid() -> None:
    events = journal()
    events += [event("refused", 2, 6, suggestion="suggestion 4", kind="unusable", reason="policy: field required")]
    first_of_edges = next(e for e in events if e["event"] == "gate" and e["suggestion"] == "edges")
    first_of_edges["broken"] = [{"rule": "policy", "said": "unknown policy 'top'"}]
    assert scorecard(events).valid == Proportion(5, 7)


def test_files_that_a_person_changed(tmp_path: Path) -> None:
    write_journal(tmp_path)
    assert scorecard(journal(), folder=tmp_path).edited == Proportion(0, 4)
    (tmp_path / "metrics/generated/1/tightness.py").write_text("# mine now\n")
    (tmp_path / "metrics/generated/2/late.py").unlink()  # not on this machine: says nothing
    card = scorecard(journal(), folder=tmp_path)
    assert card.edited == Proportion(1, 3)
    adopted = event("adopted", 2, 59, suggestion="tightness", metric="tightness", file="metrics/adopted/tightness.py")
    card = scorecard([*journal(), adopted], folder=tmp_path)
    assert (card.edited, card.adopted) == (Proportion(0, 2), 1)
    assert scorecard(journal()).edited == Proportion(0, 0)


def test_no_idea_at_all_is_all_dashes() -> None:
    rows = dict(table({"empty": scorecard([])}))
    assert rows["ran the first time"] == rows["gain in mAP, mean"] == rows["model"] == "\u2013"
    assert rows["money"] == "$0.00"


def test_two_models_side_by_side() -> None:
    """A row that one of them lacks is a dash for it, and repairs come in order."""
    late = replace(scorecard(round_one()), after={3: 1})
    rows = table({"one": scorecard(journal()), "two": late})
    assert [row[0] for row in rows][5:9] == [
        "ran the first time",
        "ran after 1 repair",
        "ran after 3 repairs",
        "never ran",
    ]
    assert {row[0]: row[1:] for row in rows}["ran after 3 repairs"] == ("\u2013", "1/3 (6 to 79\u00a0%)")
    assert {row[0]: row[2] for row in rows}["tokens in + out"] == "4,100 + 1,700"
    assert "| ran after 3 repairs | \u2013 | 1/3 (6 to 79\u00a0%) |" in markdown(
        {"one": scorecard(journal()), "two": late}
    )


def test_words_cannot_become_markdown() -> None:
    assert escaped("![x](http://a) <b>|") == r"\!\[x\](http://a) \<b\>\|"


def test_read_from_workspaces_and_printed_in_a_hundred_columns(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder, study in zip(folders, ("pandas", "lions"), strict=True):
        folder.mkdir()
        write_journal(folder)
        (folder / "params.yaml").write_text(f"study: {{name: {study}}}\n")
    (folders[0] / "comparison.json").write_text(json.dumps(comparison()))
    assert read_card(folders[0])[0] == "pandas"
    print_scorecards(folders)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert re.split(r"\s{2,}", lines[0].strip()) == ["study", "pandas", "lions"]
    assert any(re.split(r"\s{2,}", line.strip()) == ["model", "gpt-5-mini", "gpt-5-mini"] for line in lines)


def test_words_of_a_server_reach_the_terminal_as_words(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Markup is not obeyed, nor an error; what a terminal would obey is taken out."""
    events = journal()
    for answer in (e for e in events if e["event"] == "answered"):
        answer["model"] = "org/name[/b] [red]x \x1b[31m:fire:"
    (tmp_path / "journal.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    (tmp_path / "params.yaml").write_text('study: {name: "[/i]\\e[2J"}\n')
    print_scorecards([tmp_path])
    said = capsys.readouterr().out
    assert "org/name[/b] [red]x ?[31m:fire:" in said
    assert "[/i]?[2J" in said
    assert "\x1b" not in said
    study, card = read_card(tmp_path)
    assert "\x1b" not in markdown({study: card})


def test_studies_of_one_name_are_told_apart() -> None:
    card = scorecard(journal())
    assert list(named([("demo", card), ("demo", card), ("lion", card)], [Path("a"), Path("b"), Path("c")])) == [
        "demo (a)", "demo (b)", "lion"
    ]  # fmt: skip


def test_a_workspace_without_a_journal_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoRoundsError, match=r"no journal.jsonl.*llm.provider.*metricloop run"):
        read_card(tmp_path)


def test_engineers_are_compared_with_their_own_ideas_calls_and_gains(tmp_path):
    """object_count is of engineer 1; tightness and edges are of engineer 2. Gains are journaled for all at once."""
    of = {"object_count": 1, "tightness": 2, "edges": 2}
    events = [
        one | {"engineer": of[one["suggestion"]]}
        if one.get("suggestion") in of and one["event"] not in ("measured",) else one
        for one in round_one()
    ]  # fmt: skip
    write_journal(tmp_path, events)
    (whole, first, second) = (card for _, card in read_cards(tmp_path))
    assert [name for name, _ in read_cards(tmp_path)][1:] == [f"{tmp_path.name}, engineer {k}" for k in (1, 2)]
    assert (whole.proposed, first.proposed, second.proposed) == (3, 1, 2)
    assert (first.mean_gain, second.mean_gain) == (0.07, 0.011)
    assert (first.never.k, second.never.k) == (0, 1)
    assert first.calls + second.calls + 2 == whole.calls  # the proposal and the reflection are marked with nobody here


def test_a_study_of_one_engineer_has_one_card(tmp_path):
    assert len(read_cards(write_journal(tmp_path))) == 1
