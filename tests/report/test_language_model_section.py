"""What the report says of an idea: its policy in words, and that short trials stopped it."""

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


def test_the_policy_of_an_idea_is_a_sentence_that_of_its_arm_where_there_is_one(tmp_path):
    words = {"object_count": "The words of its arm."}
    nodes = language_model_section(journal(), comparison(), tmp_path, words)["nodes"]
    said = {node["name"]: node["words"] for top in nodes for node in (top, *top["children"])}
    assert said["object_count"] == "The words of its arm."
    assert said["tightness"].startswith("The best quarter of the pool's images by ")
    assert not any("policy" in node["about"] for node in nodes)


def test_the_questions_of_the_model_are_shown_and_an_idea_leads_to_those_it_rests_on(tmp_path):
    question = {"id": "Q2.1", "kind": "show", "why": "</script>\x1b why", "said": "a\nb", "pictures": ["1. images"]}
    asked = {"event": "explored", "round": 2, "attempt": 0, "notes": "dark", "questions": [question]}
    events = journal()
    for event in events:
        if event["event"] == "proposed" and event["suggestion"] == "crowded":
            event["idea"] = event["idea"] | {"rests_on": ["Q2.1", "Q9.9"]}
    found = language_model_section([*events, asked], comparison(), tmp_path)
    assert found["explored"] == [
        {"round": 2, "notes": "dark", "questions": [question | {"why": "</script>? why"}]}  # the template escapes it
    ]
    assert crowded([*events, asked], comparison(), tmp_path)["rests_on"] == ["Q2.1"]
