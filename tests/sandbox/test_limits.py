"""Limits that would be none are refused."""

import pytest
from pydantic import ValidationError

from metricloop.sandbox.limits import Limits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_mb", 63),  # less than an interpreter needs to say anything
        ("memory_mb", -1),
        ("memory_mb", float("inf")),
        ("memory_mb", float("nan")),
        ("memory_mb", "plenty"),
        ("memory_mb", None),
        ("start_seconds", 0),
        ("frame_seconds", 0),
        ("frame_seconds", -5),
        ("frame_seconds", float("nan")),
        ("batch_seconds", 0),
        ("processes", 0),
        ("processes", 257),
        ("open_files", 15),
        ("open_files", 5000),
        ("file_mb", 0),
        ("scratch_mb", 0),
        ("scratch_entries", 9),
        ("written_mb", 0),
        ("output_kb", 0),
    ],
)
def test_a_bad_limit_is_refused_by_name(name, value):
    with pytest.raises(ValidationError, match=name):
        Limits(**{name: value})


@pytest.mark.parametrize("name", ["start_seconds", "frame_seconds", "batch_seconds"])
def test_endless_is_no_limit(name):
    with pytest.raises(ValidationError, match=name):
        Limits(**{name: float("inf")})
    with pytest.raises(ValidationError, match=name):
        Limits(**{name: 1e30})


def test_an_unknown_limit_is_refused():
    with pytest.raises(ValidationError, match="memory_gb"):
        Limits(memory_gb=1)


def test_limits_do_not_change():
    with pytest.raises(ValidationError):
        Limits().memory_mb = 1 << 30


def test_the_defaults_are_limits_themselves():
    assert Limits(**Limits().model_dump()) == Limits()
