"""Figures as inline SVG: rows of a forest plot, histograms, change bars, and pictures with boxes.

The markup is written without a drawing library. Colours come from CSS classes of the page, so a figure follows the
page's light or dark scheme. In figures with text, horizontal positions are percentages: such a figure can get narrower
while its text keeps its size.
"""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from markupsafe import Markup, escape

from metricloop.text.numbers import count, score, signed

BINS = 24


@dataclass(frozen=True)
class Scale:
    """A horizontal axis from `low` to `high`, with round `ticks` inside."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> str:
        """The position of `value` as a percentage of the width; values outside lie on the edge."""
        share = (value - self.low) / (self.high - self.low)
        return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


def scale(values: Sequence[float], ticks: int = 8) -> Scale:
    """An axis that covers zero and all `values` with a margin, and has about `ticks` round ticks."""
    low, high = min(0.0, *values), max(0.0, *values)
    span = (high - low) or 0.1
    low, high = low - 0.06 * span, high + 0.06 * span
    rough = (high - low) / ticks
    power = 10 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return Scale(low, high, tuple(step * n for n in range(first, last + 1)))


def forest_strip(
    axis: Scale, gain: float, bounds: Sequence[float] | None, kind: str, label: str, oracle: float | None = None,
    seeds: Sequence[float] = (),
) -> Markup:  # fmt: skip
    """One row of a forest plot: the interval as a line, the gain as a mark, vertical lines at zero and at the oracle.

    seeds: the gain of every seed, as dots below the line.

    kind: CSS classes of the mark (better, worse, undecided); with `control` the mark is a diamond instead of a disc.
    """
    lines = [_line(axis.at(tick), "grid") for tick in axis.ticks] + [_line(axis.at(0.0), "zero")]
    if oracle is not None:
        lines.append(_line(axis.at(oracle), "oracle"))
    if bounds is not None:
        low, high = axis.at(bounds[0]), axis.at(bounds[1])
        lines.append(f'<line class="whisker" x1="{low}" x2="{high}" y1="15" y2="15"/>')
        lines += [f'<line class="whisker" x1="{x}" x2="{x}" y1="11" y2="19"/>' for x in (low, high)]
    lines += [f'<circle class="seed" cx="{axis.at(value)}" cy="24" r="2"/>' for value in seeds]
    mark = (
        f'<svg x="{axis.at(gain)}" y="15" overflow="visible"><path d="M0-7 7 0 0 7-7 0z"/></svg>'
        if "control" in kind.split()
        else f'<circle cx="{axis.at(gain)}" cy="15" r="5.5"/>'
    )
    return Markup(
        f'<svg class="strip {escape(kind)}" width="100%" height="30" role="img" aria-label="{escape(label)}">'
        f"{''.join(lines)}{mark}</svg>"
    )


def forest_axis(axis: Scale) -> Markup:
    """The tick labels below the strips."""
    labels = "".join(
        f'<line class="tick" x1="{axis.at(tick)}" x2="{axis.at(tick)}" y1="0" y2="5"/>'
        f'<text x="{axis.at(tick)}" y="18" text-anchor="middle">{signed(tick, 2) if abs(tick) > 1e-12 else "0"}</text>'
        for tick in axis.ticks
    )
    return Markup(f'<svg class="axis" width="100%" height="22" aria-hidden="true">{labels}</svg>')


def _line(x: str, kind: str) -> str:
    return f'<line class="{kind}" x1="{x}" x2="{x}" y1="0" y2="30"/>'


def histogram(values: np.ndarray, kept: np.ndarray, label: str, toward: str = "") -> Markup:
    """A histogram of finite scores (n,); the kept ones (n,) bool are drawn below, the others on top of them.

    toward: a text between the lowest and the highest score below the axis, such as "better →".

    The lowest and the highest 0.5 % fall into the end bins, so that one outlier does not flatten the rest. Up to twelve
    different scores get one bar each.
    """
    distinct = np.unique(values)
    if len(distinct) <= 12:
        which = np.searchsorted(distinct, values)
        names = [score(value) for value in distinct]
        low, high = distinct[0], distinct[-1]
    else:
        low, high = np.quantile(values, [0.005, 0.995])
        if low == high:
            low, high = distinct[0], distinct[-1]
        edges = np.linspace(low, high, BINS + 1)
        which = np.searchsorted(edges, values, side="right").clip(1, BINS) - 1
        names = [f"{score(a)} to {score(b)}" for a, b in itertools.pairwise(edges)]
    total = np.bincount(which, minlength=len(names))
    inside = np.bincount(which[kept], minlength=len(names))
    width, height = 360.0, 150.0
    step, unit = width / len(names), (height - 4) / total.max()
    bars = []
    for i, name in enumerate(names):
        below, above = inside[i] * unit, (total[i] - inside[i]) * unit
        x, w = i * step + 0.06 * step, 0.88 * step
        bars.append(
            f"<g><title>{name}: {count(int(total[i]))}, of them {count(int(inside[i]))} kept</title>"
            f'<rect class="kept" x="{x:.1f}" y="{height - below:.1f}" width="{w:.1f}" height="{below:.1f}"/>'
            f'<rect class="left" x="{x:.1f}" y="{height - below - above:.1f}" width="{w:.1f}" height="{above:.1f}"/>'
            "</g>"
        )
    base = f'<line class="base" x1="0" x2="100%" y1="{height:.0f}" y2="{height:.0f}"/>'
    texts = "".join(
        f'<text x="{x}" y="{height + 16:.0f}" text-anchor="{anchor}">{escape(text)}</text>'
        for x, anchor, text in (
            ("0", "start", score(float(low))),
            ("50%", "middle", toward),
            ("100%", "end", score(float(high))),
        )
        if text
    )
    return Markup(
        f'<svg class="histogram" width="100%" height="{height + 22:.0f}" role="img" aria-label="{escape(label)}">'
        f'<svg width="100%" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" preserveAspectRatio="none">'
        f"{''.join(bars)}</svg>{base}{texts}</svg>"
    )


def change_bar(ratio: float | None) -> Markup:
    """A bar from the middle: to the right where the subset has more than the pool, to the left where it has less.

    The length is log2 of the ratio, cut at twice and at half.
    """
    if ratio is None:
        return Markup("")
    length = 50.0 if ratio <= 0 else min(abs(math.log2(ratio)), 1.0) * 50
    more = ratio > 1
    return Markup(
        '<svg class="change" width="100%" height="12" aria-hidden="true">'
        '<line class="zero" x1="50%" x2="50%" y1="0" y2="12"/>'
        f'<rect class="{"more" if more else "less"}" x="{50 if more else 50 - length:.1f}%" y="2" '
        f'width="{length:.1f}%" height="8"/></svg>'
    )


def jpeg_uri(picture: np.ndarray, height: int = 150, quality: int = 68) -> str:
    """(H, W, 3) uint8 RGB -> a data URI of a JPEG at most `height` pixels high."""
    return as_uri(jpeg(picture, height, quality))


def jpeg(picture: np.ndarray, height: int, quality: int) -> bytes:
    """(H, W, 3) uint8 RGB -> a JPEG at most `height` pixels high."""
    factor = min(1.0, height / picture.shape[0])
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of shape {picture.shape} as JPEG")
    return encoded.tobytes()


def as_uri(data: bytes) -> str:
    """A JPEG as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def picture_store(pictures: dict[int, tuple[str, int, int]]) -> Markup:
    """All pictures of the page, once each, for `marked_picture` to refer to. image_id -> (data URI, width, height)."""
    images = "".join(
        f'<image id="p{key}" width="{width}" height="{height}" preserveAspectRatio="none" href="{uri}"/>'
        for key, (uri, width, height) in pictures.items()
    )
    return Markup(f'<svg class="store" width="0" height="0" aria-hidden="true"><defs>{images}</defs></svg>')


@dataclass(frozen=True)
class Outline:
    """A box to draw on a picture. box: xyxy in pixels of the picture; kind: its CSS classes; title: the tooltip."""

    box: Sequence[float] | np.ndarray
    kind: str
    title: str = ""


def marked_picture(image_id: int, width: int, height: int, outlines: Sequence[Outline], label: str) -> Markup:
    """The stored picture `image_id` of width x height pixels with boxes on it. label: the text for screen readers."""
    shapes = []
    for outline in outlines:
        x1, y1, x2, y2 = (float(value) for value in outline.box)
        place = f'x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}"'
        title = f"<title>{escape(outline.title)}</title>" if outline.title else ""
        end = f">{title}</rect>" if title else "/>"
        shapes.append(f'<rect class="halo" {place}/><rect class="{outline.kind}" {place}{end}')
    return Markup(
        f'<svg class="thumb" viewBox="0 0 {width} {height}" style="aspect-ratio:{width}/{height}" role="img" '
        f'aria-label="{escape(label)}"><use href="#p{image_id}"/>{"".join(shapes)}</svg>'
    )


def boxed_picture(
    image_id: int, width: int, height: int, boxes: np.ndarray, kept: np.ndarray, label: str, judged: int | None = None
) -> Markup:
    """The stored picture `image_id` of width x height pixels with its boxes (n, 4) xyxy.

    kept: (n,) bool; these boxes are solid, the others dashed. judged: row of the box whose score is shown, drawn bold.
    label: the text for screen readers.
    """
    kinds = [("kept" if keep else "left") + (" judged" if row == judged else "") for row, keep in enumerate(kept)]
    return marked_picture(image_id, width, height, list(map(Outline, boxes, kinds)), label)
