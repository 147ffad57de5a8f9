"""The catalogue as a person reads it: every word from the docstrings, and docs/metrics.md no older than they are."""

from pathlib import Path

from metricloop.metrics.contract import metric
from metricloop.report.metric_handbook import chapters, listing, page
from metricloop.scoring.open_metrics import catalogue

DOCS = Path(__file__).resolve().parents[2] / "docs"


@metric(level="image", needs=("image",), higher_is="worse", side=64)
def haze(frame):
    """How grey a picture is, 0 to 1. Weak at night.

    Direction: lower is better. Source: our own.

    >>> haze(None)
    0.0
    """
    return 0.0


def test_the_list_has_a_line_a_metric():
    lines = listing(chapters([haze])).splitlines()
    assert lines[0].startswith("1 metrics;")
    assert lines[-1] == "  haze  image, worse     pixels       How grey a picture is, 0 to 1"


def test_the_list_fits_a_narrow_terminal():
    text = listing(chapters(), 80)
    assert max(map(len, text.splitlines())) <= 80
    lines = listing(chapters([haze]), 80).splitlines()
    assert lines[-2:] == ["  haze  image, worse     pixels", "      How grey a picture is, 0 to 1"]
    assert listing(chapters(), 200) == listing(chapters())


def test_the_page_holds_what_the_docstring_says():
    text = page(chapters([haze]), {"haze": "metrics/haze.jpg"})
    assert "*One score per image; high is worse; needs: pixels, at a long side of 64 px.*" in text
    assert "Direction: lower is better. Source: our own." in text
    assert "```python\n>>> haze(None)\n0.0\n```" in text
    assert "![extremes of haze](metrics/haze.jpg)" in text


def test_every_metric_of_the_catalogue_is_listed_once():
    names = [entry.spec.name for chapter in chapters() for entry in chapter.entries]
    assert sorted(names) == sorted(catalogue())
    assert all(entry.summary and entry.example for chapter in chapters() for entry in chapter.entries)


def test_the_page_in_docs_says_what_the_docstrings_say():
    pictures = {path.stem: f"metrics/{path.name}" for path in (DOCS / "metrics").glob("*.jpg")}
    assert (DOCS / "metrics.md").read_text() == page(chapters(), pictures), (
        "make it anew: see metricloop.report.metric_handbook"
    )
