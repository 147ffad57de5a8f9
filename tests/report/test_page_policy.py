"""Pages hold names that strangers chose: a policy keeps a browser from running or loading anything."""

from pathlib import Path

import pytest

from metricloop.report.html import POLICY, TEMPLATES

PAGES = sorted(path.name for path in Path(TEMPLATES).glob("*.j2") if "<head>" in path.read_text())


def test_a_page_may_show_its_own_pictures_and_styles_alone():
    allowed = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert allowed["default-src"] == "'none'"  # scripts, fonts, frames, connections
    assert "script-src" not in allowed
    assert allowed["img-src"] == "data:"
    assert allowed["form-action"] == allowed["base-uri"] == "'none'"


@pytest.mark.parametrize("page", PAGES)
def test_the_policy_comes_before_anything_that_could_load(page):
    text = (TEMPLATES / page).read_text()
    head = text[text.index("<head>") :]
    policy = head.index('<meta http-equiv="Content-Security-Policy" content="{{ policy }}">')
    assert all(policy < head.index(tag) for tag in ("<style", "<title", "<body") if tag in head)
