"""audit.csv holds the words of strangers: a spreadsheet takes none of them for a formula."""

import csv

from metricloop.auditing import audit_files

NAMES = ("=1+1.jpg", "+a.jpg", "-a.jpg", "@a.jpg", "images/a.jpg")


def test_no_cell_is_a_formula(tmp_path, monkeypatch):
    rows = [{"kind": "spurious", "place": place, "file": name, "suspicion": -0.5} for place, name in enumerate(NAMES)]
    monkeypatch.setattr(audit_files, "as_json", lambda audit: {"suspects": {"spurious": rows}})
    folder = audit_files.write(tmp_path, None, "")
    with (folder / "audit.csv").open(newline="") as stream:
        written = list(csv.DictReader(stream))
    assert [row["file"] for row in written] == ["'=1+1.jpg", "'+a.jpg", "'-a.jpg", "'@a.jpg", "images/a.jpg"]
    assert [row["suspicion"] for row in written] == ["-0.5"] * len(NAMES)  # numbers stay numbers
