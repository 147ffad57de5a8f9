"""The documentation: as a site that needs no other site, and as files whose links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from browser import CHROMIUM, browser_page

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += sorted((ROOT / "benchmarks").rglob("*.md"))
FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; a link to nothing, or to a heading that is not there, stops it."""
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", target],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return target


class Parts(HTMLParser):
    """What a page fetches, the links in it, and the ids in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched, self.links, self.ids = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        found = dict(attrs)
        if tag == "a":
            self.links.add(found.get("href") or "")
        else:
            self.fetched |= {found[name] for name in ("src", "href", "data") if found.get(name)}
        self.ids.add(found.get("id"))


def test_no_page_fetches_anything_from_another_site(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        parts = Parts(page.read_text())
        assert [link for link in parts.fetched if re.match(r"(https?:)?//", link)] == [], page
    styles = [file.read_text() for file in site.rglob("*.css")]
    assert not any(re.search(r"url\(['\"]?(https?:)?//|@import", style) for style in styles)


def test_every_link_within_the_site_leads_to_a_page_and_a_heading(site):
    parts = {page: Parts(page.read_text()) for page in site.rglob("*.html") if page.name != "404.html"}
    for page, found in parts.items():
        for link in found.links:
            if re.match(r"[a-z]+:", link) or link in ("", "."):
                continue
            path, _, anchor = link.partition("#")
            there = (page.parent / path).resolve() if path else page
            assert there.is_file(), f"{page}: {link}"
            assert not anchor or there.suffix != ".html" or anchor in parts[there].ids, f"{page}: {link}"


def test_every_page_of_docs_is_in_the_menu():
    menu = yaml.safe_dump(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert [page.name for page in (ROOT / "docs").glob("*.md") if page.name not in menu] == []


def test_every_measurement_is_in_the_list_of_measurements():
    listed = (ROOT / "benchmarks" / "README.md").read_text()
    results = (ROOT / "benchmarks" / "results").glob("*.md")
    assert [page.name for page in results if f"(results/{page.name})" not in listed] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_file_lead_to_files_and_headings(page):
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), link
        assert not anchor or anchor in headings(there), link


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_links_to_other_folders_become_links_within_the_site_and_those_to_code_become_text():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from site_hooks import linked
    finally:
        sys.path.pop(0)
    paths = {"docs/a.md": "a.md", "README.md": "index.md", "benchmarks/results/x.md": "measurements/x.md"}
    text = "[a](../README.md#top) [b](../benchmarks/results/x.md) [c](../metricloop/params.py) [d](https://e.org)\n"
    expected = "[a](index.md#top) [b](measurements/x.md) c [d](https://e.org)\n"
    assert linked(text, "docs/a.md", paths) == expected
    assert linked("[a](../../docs/a.md)", "benchmarks/results/x.md", paths) == "[a](../a.md)"
    code = "```sh\n[a](../README.md)\n```\n"
    assert linked(code + text, "docs/a.md", paths) == code + expected


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="needs headless Chromium")
@pytest.mark.parametrize("dark", [False, True])
def test_pages_opened_as_files_fit_a_phone_and_search_works(site, tmp_path, dark):
    with browser_page(tmp_path) as page:
        for width in (390, 1440):
            page.look(width, 844, dark)
            for file in sorted(set(site.glob("*.html")) - {site / "404.html"}):
                page.open(file.as_uri())
                assert page.ask("document.documentElement.scrollWidth") <= width, file
        scheme = page.ask("document.body.getAttribute('data-md-color-scheme')")
        assert scheme == ("slate" if dark else "default")
        page.ask("document.querySelector('[data-md-component=search-query]').focus()")
        page.call("Input.insertText", text="box_tightness")
        page.wait_for("document.querySelectorAll('.md-search-result__item').length > 0")
        assert page.log == []
