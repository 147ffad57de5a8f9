"""Pages hold names that strangers chose: a policy lets a browser run our script, and load and run nothing else."""

import base64
import hashlib
import re
from pathlib import Path

import pytest

from metricloop.report.html import POLICY, TEMPLATES, commands, policy

PAGES = sorted(path.name for path in Path(TEMPLATES).glob("*.j2") if "<head>" in path.read_text())


def test_what_stands_between_backticks_is_code_and_the_rest_is_escaped():
    assert commands("<b> & `run <x>` then") == "&lt;b&gt; &amp; <code>run &lt;x&gt;</code> then"


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


def test_a_page_runs_the_one_script_whose_hash_it_names():
    script = "document.title = 'µ';\n"
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()
    assert policy(script) == f"{POLICY}; script-src 'sha256-{digest}'"
    assert policy("") == POLICY


@pytest.mark.parametrize("page", PAGES)
def test_a_template_has_no_script_of_its_own(page):
    """A handler in the markup, or a second script, would be refused by the policy."""
    text = (TEMPLATES / page).read_text()
    assert re.findall(r"<script.*", text) in ([], ["<script>{{ script }}</script>"])
    assert not re.search(r"\son[a-z]+=|javascript:", text)


def test_scripts_can_stand_in_a_page():
    """The end of the element must not be in its text, and only Unix line ends keep the hash."""
    for path in TEMPLATES.glob("*.js"):
        text = path.read_bytes()
        assert b"</script" not in text.lower()
        assert b"<!--" not in text
        assert b"\r" not in text
