"""The table of oddities in docs/formats.md is that of the tests."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def test_the_page_about_formats_is_up_to_date():
    """After a change of tests/support/quirks: python -P scripts/make_formats_docs.py"""
    root = Path(__file__).parents[2]
    spec = spec_from_file_location("make_formats_docs", root / "scripts" / "make_formats_docs.py")
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PAGE.read_text() == script.page()
