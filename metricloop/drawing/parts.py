"""The data types for an animal of the drawn scenes: parts, poses and colours.

Units: an animal stands on y = 1 and is about 1 high, x = 0 is its middle, y points down, and it faces left. A head is
a table of its own in head radii, centred at 0; `depth` says how far a part sticks out of it (0 outline, 1 nose tip),
so that turning the head moves the nose more than the eyes, and leaves them out when it is seen from behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Colour = tuple[int, int, int]
BLACK: Colour = (30, 28, 30)
INK: Colour = (18, 17, 20)


@dataclass(frozen=True)
class Part:
    """One part of an animal.

    numbers of an oval: x, y, rx, ry, degrees; of a limb: x, y, x, y, radius, radius; of a poly: x, y, x, y, ...
    role: names the colour; "prop" is an object that the animal holds, outside its silhouette.
    """

    shape: Literal["oval", "limb", "poly"]
    role: str
    numbers: tuple[float, ...]
    depth: float = 0.0


@dataclass(frozen=True)
class Pose:
    """Parts from back to front, and the place of the head (x, y, radius); None when `parts` include the head."""

    parts: tuple[Part, ...]
    head: tuple[float, float, float] | None = None
    seen: Literal["front", "side", "back"] = "front"
    climbs: bool = False


@dataclass(frozen=True)
class Marking:
    """A pattern over the parts of some roles."""

    kind: Literal["stripes", "patches"]
    roles: tuple[str, ...]
    colour: Colour


@dataclass(frozen=True)
class Animal:
    """Colours by role (others have the colour of the body), a head, poses and a marking."""

    name: str
    colours: Mapping[str, Colour]
    poses: tuple[Pose, ...]
    head: tuple[Part, ...] = ()
    marking: Marking | None = None
    height: float = 1.0  # relative to the others
    tilt: float = 6.0  # degrees it may lean to either side
    shades: tuple[Mapping[str, Colour], ...] = field(default=({},))  # variants: colours that replace the first ones


def oval(role: str, x: float, y: float, rx: float, ry: float, degrees: float = 0.0, depth: float = 0.0) -> Part:
    return Part("oval", role, (x, y, rx, ry, degrees), depth)


def limb(role: str, x1: float, y1: float, x2: float, y2: float, r1: float, r2: float, depth: float = 0.0) -> Part:
    return Part("limb", role, (x1, y1, x2, y2, r1, r2), depth)


def poly(role: str, *xy: float, depth: float = 0.0) -> Part:
    return Part("poly", role, xy, depth)


def both(*parts: Part) -> tuple[Part, ...]:
    """Each part and its mirror image."""
    return tuple(each for part in parts for each in (part, _mirrored(part)))


def _mirrored(part: Part) -> Part:
    numbers = list(part.numbers)
    if part.shape == "oval":
        numbers[0], numbers[4] = -numbers[0], -numbers[4]
    else:
        xs = (0, 2) if part.shape == "limb" else range(0, len(numbers), 2)
        for place in xs:
            numbers[place] = -numbers[place]
    return replace(part, numbers=tuple(numbers))


def quadruped(
    length: float, depth: float, legs: float, thick: float, neck: tuple[float, float], head: float, tail: float
) -> Pose:
    """The parts of a standing animal, made from its proportions.

    length, depth: half of the trunk's. legs, thick: length and radius of the legs. neck: offset of the head from the
    shoulder (left, up). head: radius of the head. tail: length of the tail.
    """
    middle = 1 - legs - depth * 0.6
    shoulder, hip = -length * 0.72, length * 0.74
    top = middle - depth * 0.35
    x, y = shoulder - neck[0], top - neck[1]
    return Pose(
        (
            limb("tail", length * 0.9, middle - depth * 0.5, length + tail * 0.6, middle + tail * 0.6, 0.03, 0.04),
            limb("far", shoulder - 0.08, middle, shoulder - 0.12, 0.96, thick * 1.2, thick * 0.8),
            limb("far", hip - 0.10, middle, hip - 0.14, 0.96, thick * 1.3, thick * 0.8),
            limb("neck", shoulder, top, x, y, depth * 0.75, head * 0.75),
            oval("body", 0, middle, length, depth),
            limb("leg", shoulder, middle, shoulder + 0.02, 0.96, thick * 1.4, thick * 0.9),
            limb("leg", hip, middle, hip + 0.02, 0.96, thick * 1.6, thick * 0.9),
        ),
        (x, y, head),
        "side",
    )
