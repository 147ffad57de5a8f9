"""What MkDocs does besides: pages from other folders of the repository, and links that fit both there and on the site.

A page keeps the links that work when it is read in the repository. Those to a file that is a page of the site are led
there; those to other files of the repository, such as code, become plain text.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "measurements/index.md",
}
DECISIONS = "# Decisions\n\nWhy things are as they are: one page per choice that would puzzle the next person.\n\n"
WORKER, OUR_WORKER = "https://unpkg.com/iframe-worker/shim", "site/iframe-worker.js"  # search, in pages that are files
FENCE = re.compile(r"(^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[ ]*$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?P<mark>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]+)\)")


def site_paths() -> dict[str, str]:
    """Path in the repository -> path on the site, of each file that has one."""
    pages = [path for path in _below("docs") if not path.startswith("docs/notebooks/")]
    paths = {path: path.removeprefix("docs/") for path in pages} | ELSEWHERE
    paths |= {path: path.replace("benchmarks/results", "measurements") for path in _below("benchmarks/results")}
    return paths


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie outside docs/, and the list of decisions."""
    for path, place in site_paths().items():
        if not path.startswith("docs/"):
            files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, "decisions/index.md", content=DECISIONS + _list_of_decisions()))
    return files


def on_page_markdown(text: str, page: Any, **_: Any) -> str:
    """The page with links that fit the site."""
    paths = site_paths()
    own = {place: path for path, place in paths.items()}.get(page.file.src_uri)
    return linked(text, own, paths) if own else text


def on_post_page(html: str, page: Any, **_: Any) -> str:
    """The page without the one script that the theme would fetch from another site: it is ours."""
    return html.replace(WORKER, posixpath.relpath(OUR_WORKER, posixpath.dirname(page.file.dest_uri) or "."))


def on_post_template(html: str, **_: Any) -> str:
    """The same for the page that a server shows where there is none; a template has no page."""
    return html.replace(WORKER, OUR_WORKER)


def linked(text: str, own: str, paths: dict[str, str]) -> str:
    """The text of the file `own` of the repository with its links as they are on the site; code is left as it is."""

    def lead(link: re.Match[str]) -> str:
        target, _, anchor = link["target"].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return link[0]
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(own), target))
        place = "decisions/index.md" if wanted == "docs/decisions" else paths.get(wanted)
        if place:
            there = posixpath.relpath(place, posixpath.dirname(paths[own]) or ".")
            return f"{link['mark']}[{link['text']}]({there}{'#' + anchor if anchor else ''})"
        return link["text"] if (ROOT / wanted).exists() and not link["mark"] else link[0]

    return "".join(part if part.startswith(("```", "~~~")) else LINK.sub(lead, part) for part in _parts(text))


def _parts(text: str) -> list[str]:
    """The text cut into blocks of code and what is between them."""
    parts, last = [], 0
    for fence in FENCE.finditer(text):
        parts += [text[last : fence.start()], fence[0]]
        last = fence.end()
    return [*parts, text[last:]]


def _below(folder: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]


def _list_of_decisions() -> str:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    titles = [file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for file in files]
    return "".join(f"- [{title}]({file.name})\n" for title, file in zip(titles, files, strict=True))
