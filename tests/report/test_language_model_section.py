"""What the report says of an idea that short trials stopped."""

from journal_fixture import journal
from study_fixture import arm, comparison

from metricloop.report.language_model_section import language_model_section

STOPPED = {"event": "screened", "round": 2, "suggestion": "crowded", "mAP": 0.17, "baseline": 0.2}


def crowded(events, table, folder):
    nodes = language_model_section(events, table, folder)["nodes"]
    return next(node for top in nodes for node in (top, *top["children"]) if node["name"] == "crowded")


def test_an_idea_that_short_trials_stopped_has_its_word_and_reason_and_no_verdict(tmp_path):
    node = crowded([*journal(), STOPPED], comparison(), tmp_path)
    assert (node["word"], node["verdict"], node["arm"]) == ("stopped early", None, None)
    assert node["happened"] == "Ran the first time; stopped after short trials: mAP 0.170 against 0.200 of random."


def test_an_idea_that_got_full_trials_after_all_shows_their_result(tmp_path):
    table = comparison([arm("crowded", "treatment", 0.25, 0.02, "better")])
    node = crowded([*journal(), STOPPED], table, tmp_path)
    assert (node["verdict"], node["happened"]) == ("better", "Ran the first time.")
