"""The section `execution` of params.yaml: where trials and shards run. It changes no result."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from metricloop.config import Section, one_of

ENGINES = ("local", "ray")


class Execution(Section):
    """Where the heavy work of a stage runs; no stage depends on this section.

    address, cpus_per_trial, gpus_per_trial and store are for the engine ray. gpus_per_trial may be a share of one GPU.
    """

    engine: Annotated[str, one_of(ENGINES)] = "local"
    address: Annotated[str, Field(pattern=r"^(auto|(ray://)?[^\s/@]+:\d+)$")] = "auto"
    cpus_per_trial: Literal["auto"] | Annotated[float, Field(gt=0)] = "auto"
    gpus_per_trial: Literal["auto"] | Annotated[float, Field(ge=0)] = "auto"
    store: str = ""
