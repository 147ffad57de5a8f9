"""What the server accepts: its limits, from options, the environment (METRICLOOP_SERVE_NAME) or the defaults."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

PREFIX = "METRICLOOP_SERVE_"
MOST_DETECTIONS = 300  # detections per picture that a request may ask for


class Limits(BaseModel):
    """The limits of a server. Every one can be set with METRICLOOP_SERVE_ and its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request_bytes: PositiveInt = Field(default=32 * 2**20, description="bytes of a request's body")
    file_bytes: PositiveInt = Field(default=16 * 2**20, description="bytes of a picture file")
    held_bytes: PositiveInt = Field(default=256 * 2**20, description="bytes of uploads held at once, over all requests")
    pixels: PositiveInt = Field(default=40_000_000, description="pixels of a picture; twice as many are held")
    pictures: PositiveInt = Field(default=16, description="pictures of a request")
    seconds: float = Field(
        default=30, gt=0, allow_inf_nan=False, description="seconds for an upload; for its answer, too"
    )
    waiting: PositiveInt = Field(default=64, description="requests being received or waiting for an answer")
    batch: PositiveInt = Field(default=8, description="pictures detected together")
    batch_ms: float = Field(
        default=5, ge=0, le=1000, description="milliseconds that a batch waits for pictures that will come soon"
    )
    decoders: PositiveInt = Field(default=2, description="threads that decode pictures")
    hosts: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._,*\[\]: -]*$",
        description="names that the server answers to, with commas between, * for any; without it "
        "127.0.0.1, localhost and [::1] if it listens on these, else any",
    )


def read_limits(options: Mapping[str, object] | None = None, environment: Mapping[str, str] = os.environ) -> Limits:
    """Limits from options, then from the environment, then the defaults. Options that are None count as not given.

    Errors: ValueError naming the option or variable that is unknown or has a wrong value.

    >>> read_limits({"batch": 4}, {"METRICLOOP_SERVE_PIXELS": "1000000"}).pixels
    1000000
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    set_there = {
        name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)
    }
    for name in {**set_there, **given}:
        if name not in Limits.model_fields:
            near = difflib.get_close_matches(name, Limits.model_fields, 1)
            known = f"did you mean {near[0]}?" if near else f"known: {', '.join(Limits.model_fields)}"
            raise ValueError(f"unknown limit {PREFIX + name.upper() if name not in given else name}; {known}")
    try:
        return Limits.model_validate({**set_there, **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        shown = name if name in given else PREFIX + name.upper()
        raise ValueError(f"{shown}: {first['msg']} ({Limits.model_fields[name].description})") from None
