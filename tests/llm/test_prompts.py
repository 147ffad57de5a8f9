"""The prompts word for word: fixed contexts render to the texts in golden/.

After a wanted change: PYTHONPATH=. python -P tests/llm/test_prompts.py
"""

import sys
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from metricloop.llm.prompt import FOLDER, render, template_hash
from metricloop.mending.gate_rules import repair_must
from metricloop.scoring.gate_rules import code_must

GOLDEN = Path(__file__).parent / "golden"
SYSTEM = {
    "limits": "5 s for one image, 1,024 MB of memory, 1,800 seconds for the whole pool of 480 images",
    "specimens": "24",
    "gate_rules": code_must(),
    "repair_rules": repair_must(),
    "repairs_known": "`consensus` (Keep what agrees)",
    "repairs": "3 times",
    "policies": "- `best`: keep the best images.",
    "floor": "0.01",
    "most": "100",
    "families": "- `pixels`: what the picture itself says.",
}
PROPOSE = {"before": "# Round 1 of 2", "wanted": "3 suggestions", "ideas": "", "families": "",
           "untried": "agreement, pixels", "must_open": "2", "variants": "3", "best": ""}  # fmt: skip
EXPLORE = {"look": "# Round 1 of 2", "calls": "3 calls", "most": "4", "seen": True, "wanted": "3 suggestions",
           "rows": "40", "characters": "4,000", "forecast": True}  # fmt: skip
FOUND = {"answers": [{"id": "Q1.1", "kind": "show", "why": "what is missing?", "said": "12 images fit."}],
         "pictures": "- 1. images, random"}  # fmt: skip
FIRST = {
    "round": "1", "rounds": "2", "wanted": "3 suggestions", "brief": "Pandas.", "lessons": "", "card": "480 images.",
    "errors": "| missed | 12 |", "known": "- `object_count` (per image): Boxes in an image.",
    "results": "| random | 0.291 |", "ideas": "", "families": "", "notes": "", "pictures": "1. smallest objects",
    "measured": "- Seeds: 3.", "arm_errors": "", "alike": "a and b 0.90", "shifts": "", "children": "",
    "earlier_code": "", "short": "",
}  # fmt: skip
LATER = FIRST | {
    "round": "2", "brief": "", "lessons": "> # Lessons of earlier studies",
    "errors": "", "pictures": "", "families": "agreement", "notes": "- Round 1: dark.",
    "measured": "", "alike": "", "arm_errors": "| arm | correct |", "shifts": "- `a`: more boxes", "children": "- `b`",
    "earlier_code": "`wide`:", "short": "Short trials train for 40 % of the iterations.",
    "ideas": "- `agreement_among` (round 1, family model-agreement, targets mixed): h\n  Policy: among, share 0.45.",
}  # fmt: skip
REPAIR = {
    "name": "agreement_among", "attempt": "1", "attempts": "3", "code": "x = 1\n", "repair_code": "",
    "frames": "image 3: 160 x 160, 2 boxes",
    "broken": [{"rule": "no boxes", "said": "fails: IndexError"}, {"rule": "varies", "said": "says 0 for everything"}],
}  # fmt: skip
REFLECT = {
    "round": "1", "names": "agreement_among", "pictures": "",
    "ideas": [
        {"name": "agreement_among", "variant_of": "", "facts": "Gain in mAP +0.056."},
        {"name": "agreement_among_v2", "variant_of": "agreement_among", "facts": "Stopped."},
    ],
    "short": "Short trials train for 40 % of the iterations.",
}  # fmt: skip
CASES = {
    "system": ("system", SYSTEM),
    "look_first": ("look", FIRST),
    "look_later": ("look", LATER),
    "explore": ("explore", EXPLORE),
    "explore_without_pictures": ("explore", EXPLORE | {"seen": False, "forecast": False}),
    "explore_on": ("explore_on", {"found": "# Found", "calls": "1 call"}),
    "found": ("found", FOUND),
    "propose_first": ("propose", PROPOSE),
    "propose_later": (
        "propose",
        PROPOSE
        | {"ideas": "yes", "families": "agreement", "untried": "", "best": "`agreement_among` (agreement, +0.050)"},
    ),
    "again": ("again", {"said": "no JSON in it"}),
    "repair": ("repair", REPAIR),
    "repair_of_both": ("repair", REPAIR | {"repair_code": "y = 1\n"}),
    "repair_without_code": ("repair", REPAIR | {"code": "", "frames": ""}),
    "reflect": ("reflect", REFLECT),
}


@pytest.mark.parametrize("case", CASES)
def test_a_prompt_is_word_for_word_what_was_agreed(case):
    assert render(*CASES[case]) == (GOLDEN / f"{case}.md").read_text()


@pytest.mark.parametrize(("case", "name"), [("system", "policies"), ("look_first", "card"), ("repair", "frames")])
def test_nothing_is_left_out_silently(case, name):
    template, context = CASES[case]
    with pytest.raises(UndefinedError):
        render(template, {key: value for key, value in context.items() if key != name})


def test_what_is_shown_is_not_taken_for_a_template():
    assert "{{ 7 * 7 }}" in render("look", FIRST | {"brief": "{{ 7 * 7 }}"})


def test_the_hash_follows_the_template_and_not_the_numbers():
    hashes = {name: template_hash(name) for name in ("explore", "explore_on", "propose", "repair", "reflect", "again")}
    assert len(set(hashes.values())) == 6
    assert {path.stem for path in FOLDER.glob("[!t]*.j2")} == {
        *hashes,
        "system",
        "look",
        "found",
    }  # takehome_*: tests/takehome


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for case, (template, context) in CASES.items():
        (GOLDEN / f"{case}.md").write_text(render(template, context))
    sys.exit()
