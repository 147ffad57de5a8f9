"""The section of the report about the data."""

from metricloop.report.data_section import mistake_rates


def test_rates_of_mistakes() -> None:
    damage = {
        "preset": "article",
        "strength": 0.5,
        "rates": {"missing": 0.125},
        "hit": 0.5,
        "images_hit": 0.6,
        "notes": [],
    }
    assert mistake_rates(damage) == [
        ("preset", "article, strength 0.5"),
        ("boxes missing", "12.5\u00a0%"),
        ("boxes with a mistake", "50.0\u00a0%"),
        ("images with a mistake", "60.0\u00a0%"),
    ]
    assert mistake_rates({}) == mistake_rates(damage | {"preset": "none"}) == []
