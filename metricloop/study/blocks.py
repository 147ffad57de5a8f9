"""Blocks: an arm and some of its seeds, which DVC trains and evaluates as one stage."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from metricloop.data.seeds import parse_seeds
from metricloop.study.plan import load_plan


@dataclass(frozen=True)
class Block:
    """An arm and the seeds that it is trained with in one stage."""

    name: str
    arm: str
    seeds: tuple[int, ...]


def block_from_arguments(arguments: list[str] | None = None) -> Block:
    """The block on a stage's command line, `NAME [--arm ARM --seeds 0-2]`; what is missing is read from the plan."""
    parser = argparse.ArgumentParser()
    parser.add_argument("block")
    parser.add_argument("--arm")
    parser.add_argument("--seeds")
    given = parser.parse_args(arguments)
    if given.arm is None or given.seeds is None:
        blocks = load_plan()["blocks"]
        if given.block not in blocks:
            parser.error(
                f"no block {given.block!r} in arms.yaml or rounds.yaml; there are: {', '.join(sorted(blocks))}"
            )
        given.arm, given.seeds = blocks[given.block]["arm"], blocks[given.block]["seeds"]
    return Block(given.block, given.arm, parse_seeds(given.seeds))
