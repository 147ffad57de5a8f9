"""Curves as inline SVG: several lines over one horizontal axis, with ticks and a grid; colours come from the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from metricloop.figures.svg import scale
from metricloop.text.numbers import count

HEIGHT, BELOW = 280, 24  # px: of the plot, and of the labels below it; those at its left stand in the padding


@dataclass(frozen=True)
class Line:
    """One curve: x and y (k,), and its CSS classes."""

    name: str
    x: np.ndarray
    y: np.ndarray
    kind: str


def curves(lines: Sequence[Line], width: float, top: float, label: str) -> Markup:
    """The lines over x from 0 to `width` and y from 0 to `top`. label: the text for screen readers.

    The lines stretch with the page, their width and all text do not.
    """
    across, up = _ticks(width), _ticks(top)
    grid = [f'<line class="grid" x1="0" x2="100%" y1="{_y(tick, top)}" y2="{_y(tick, top)}"/>' for tick in up]
    grid += [
        f'<line class="grid" x1="{100 * tick / width:.2f}%" x2="{100 * tick / width:.2f}%" y1="0" y2="{HEIGHT}"/>'
        for tick in across
    ]
    paths = []
    for line in lines:
        points = " ".join(
            f"{100 * x / width:.2f},{100 - 100 * y / top:.2f}" for x, y in zip(line.x, line.y, strict=True)
        )
        name, kind = escape(line.name), escape(line.kind)
        paths.append(f'<polyline class="{kind}" points="{points}"><title>{name}</title></polyline>')
    texts = [
        f'<text x="-7" y="{_y(tick, top)}" dy="0.32em" text-anchor="end">{count(round(tick))}</text>' for tick in up
    ]
    texts += [
        f'<text x="{100 * tick / width:.2f}%" y="{HEIGHT + 18}" text-anchor="middle">{count(round(tick))}</text>'
        for tick in across
    ]
    return Markup(
        f'<span class="curves"><svg width="100%" height="{HEIGHT + BELOW}" role="img" aria-label="{escape(label)}">'
        f"{''.join(grid)}{''.join(texts)}"
        f'<svg width="100%" height="{HEIGHT}" viewBox="0 0 100 100" preserveAspectRatio="none">'
        f"{''.join(paths)}</svg></svg></span>"
    )


def _ticks(top: float) -> list[float]:
    """Round numbers from 0 to `top`, whole ones only."""
    return [tick for tick in scale([top], 6).ticks if 0 <= tick <= top and float(tick).is_integer()]


def _y(value: float, top: float) -> str:
    return f"{HEIGHT * (1 - value / top):.1f}"
