"""Format numbers for people; all text with numbers is made here. Values lie in 0..1; None becomes a dash."""

from __future__ import annotations

DASH = "\u2013"
MINUS = "\u2212"
PERCENT = "\u00a0%"  # no line break between the number and the percent sign


def fixed(value: float | None, digits: int = 3) -> str:
    """0.2313 -> 0.231; negative numbers get a real minus sign."""
    if value is None:
        return DASH
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) else text


def signed(value: float | None, digits: int = 3) -> str:
    """0.042 -> +0.042; a value that rounds to zero is ±0.000."""
    if value is None:
        return DASH
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return f"±{text}"
    return f"{'+' if value > 0 else MINUS}{text}"


def percent(value: float | None, digits: int = 0) -> str:
    """0.18 -> 18 %."""
    return DASH if value is None else f"{fixed(100 * value, digits)}{PERCENT}"


def gain(absolute: float | None, relative: float | None, unit: str = "") -> str:
    """0.042, 0.18 -> +0.042 (+18 %), with a unit +0.042 mAP (+18 %); without a relative gain only the absolute one."""
    text = signed(absolute) + (f" {unit}" if unit and absolute is not None else "")
    return text if absolute is None or relative is None else f"{text} ({signed(100 * relative, 0)}{PERCENT})"


def interval(bounds: list[float] | tuple[float, float] | None) -> str:
    """[-0.01, 0.09] -> −0.010 to +0.090."""
    return DASH if bounds is None else f"{signed(bounds[0])} to {signed(bounds[1])}"


def probability(value: float | None) -> str:
    """0.0123 -> 0.012; below a thousandth -> <0.001."""
    if value is None:
        return DASH
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def p_value(value: float | None) -> str:
    """0.0123 -> p 0.012, without a line break."""
    return f"p\u00a0{probability(value)}"


def score(value: float | None) -> str:
    """A score of any scale with three significant digits: 0.123, 12.3, 1.23e+06."""
    if value is None or value != value:
        return DASH
    return f"{value:.3g}".replace("-", MINUS, 1) if value < 0 else f"{value:.3g}"


def count(value: int | None, singular: str = "", plural: str = "") -> str:
    """1234, "image" -> 1,234 images."""
    if value is None:
        return DASH
    noun = singular if value == 1 else plural or f"{singular}s"
    return f"{value:,} {noun}" if singular else f"{value:,}"


def listing(words: list[str]) -> str:
    """["a", "b", "c"] -> a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _option(value: object) -> str:
    """{"repair": "consensus", "least_confidence": 0.6} -> consensus (least confidence 0.6)."""
    if not isinstance(value, dict) or not value:
        return str(value)
    (_, first), *others = value.items()
    more = ", ".join(f"{key.replace('_', ' ')} {other}" for key, other in others)
    return f"{first} ({more})" if more else str(first)


def policy(options: dict) -> str:
    """{"name": "best", "keep": 0.25} -> best, keep 0.25. The direction is left out: it belongs to the metric.

    An option with options of its own is written as its first value, and the others in brackets.
    """
    rest = [
        f"{key.replace('_', ' ')} {_option(value)}"
        for key, value in options.items()
        if key not in ("name", "direction")
    ]
    return ", ".join([str(options.get("name", DASH)).replace("_", " "), *rest])
