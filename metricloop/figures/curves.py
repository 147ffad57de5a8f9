"""Curves as inline SVG: several lines over one horizontal axis, with ticks and a grid; colours come from the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from metricloop.figures.svg import scale
from metricloop.text.numbers import count

HEIGHT, BELOW = 280, 24  # px: of the plot, and of the labels below it; those at its left stand in the padding
Ticks = Sequence[tuple[float, str]]  # (value, text)


@dataclass(frozen=True)
class Line:
    """One curve: x and y (k,), and its CSS classes."""

    name: str
    x: np.ndarray
    y: np.ndarray
    kind: str


def curves(
    lines: Sequence[Line],
    width: float,
    top: float,
    label: str,
    *,
    height: int = HEIGHT,
    across: Ticks | None = None,
    up: Ticks | None = None,
) -> Markup:
    """The lines over x from 0 to `width` and y from 0 to `top`. label: the text for screen readers; height: px.

    across, up: the ticks of the axes, by default whole numbers. The lines stretch with the page, their width and all
    text do not.
    """
    across, up = across or whole_ticks(width), up or whole_ticks(top)

    def down(value: float) -> str:
        return f"{height * (1 - value / top):.1f}"

    grid = [f'<line class="grid" x1="0" x2="100%" y1="{down(tick)}" y2="{down(tick)}"/>' for tick, _ in up]
    grid += [
        f'<line class="grid" x1="{100 * tick / width:.2f}%" x2="{100 * tick / width:.2f}%" y1="0" y2="{height}"/>'
        for tick, _ in across
    ]
    paths = []
    for line in lines:
        points = " ".join(
            f"{100 * x / width:.2f},{100 - 100 * y / top:.2f}" for x, y in zip(line.x, line.y, strict=True)
        )
        name, kind = escape(line.name), escape(line.kind)
        paths.append(f'<polyline class="{kind}" points="{points}"><title>{name}</title></polyline>')
    texts = [f'<text x="-7" y="{down(tick)}" dy="0.32em" text-anchor="end">{escape(text)}</text>' for tick, text in up]
    texts += [
        f'<text x="{100 * tick / width:.2f}%" y="{height + 18}" text-anchor="middle">{escape(text)}</text>'
        for tick, text in across
    ]
    return Markup(
        f'<span class="curves"><svg width="100%" height="{height + BELOW}" role="img" aria-label="{escape(label)}">'
        f"{''.join(grid)}{''.join(texts)}"
        f'<svg width="100%" height="{height}" viewBox="0 0 100 100" preserveAspectRatio="none">'
        f"{''.join(paths)}</svg></svg></span>"
    )


def whole_ticks(top: float, about: int = 6) -> list[tuple[float, str]]:
    """Round numbers from 0 to `top`, whole ones only."""
    return ticks(top, lambda tick: count(round(tick)), about, whole=True)


def ticks(top: float, text: Callable[[float], str], about: int = 4, whole: bool = False) -> list[tuple[float, str]]:
    """Round numbers from 0 to `top` with their texts, about so many. whole: leave out fractions."""
    found = [tick for tick in scale([top], about).ticks if 0 <= tick <= top]
    return [(tick, text(tick)) for tick in found if not whole or float(tick).is_integer()]
