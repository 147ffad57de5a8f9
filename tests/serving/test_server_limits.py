"""Limits come from options, the environment and defaults, in this order; mistakes are named."""

import pytest

from metricloop.serving.limits import Limits, read_limits


def test_options_come_before_the_environment_and_that_before_the_defaults():
    environment = {"METRICLOOP_SERVE_BATCH": "4", "METRICLOOP_SERVE_SECONDS": "1.5", "HOME": "/root"}
    limits = read_limits({"batch": 2, "pixels": "1000", "pictures": None}, environment)
    assert limits == Limits(batch=2, pixels=1000, seconds=1.5)


@pytest.mark.parametrize(
    ("options", "environment", "told"),
    [
        ({"pixel": "5"}, {}, "unknown limit pixel; did you mean pixels?"),
        ({}, {"METRICLOOP_SERVE_COLOUR": "5"}, "unknown limit METRICLOOP_SERVE_COLOUR; known: request_bytes, "),
        ({"batch": "0"}, {}, r"batch: Input should be greater than 0 \(pictures detected together\)"),
        ({}, {"METRICLOOP_SERVE_SECONDS": "nan"}, "METRICLOOP_SERVE_SECONDS: Input should be "),
        ({"pictures": "many"}, {}, "pictures: Input should be a valid integer"),
    ],
)
def test_a_mistake_is_named(options, environment, told):
    with pytest.raises(ValueError, match=told):
        read_limits(options, environment)
