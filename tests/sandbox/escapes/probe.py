"""A probe: an attack as the text of a Python function, how its success shows, and where it is tried."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PRELUDE = Path(__file__).with_name("prelude.py").read_text().replace("from __future__ import annotations\n", "")
BOTH, SCORE, RUN = ("score", "run"), ("score",), ("run",)


@dataclass(frozen=True)
class Probe:
    """One attack. The issue's categories are the families.

    effect: which change of the world means success (test_escapes.EFFECTS). hidden: why it is not shown outside, "" when
    it is. lacks: what a machine may lack so that the attack fails outside too, "" when it must succeed there.
    limits: of the contained call; held: for effects that measure, how much is too much.
    """

    family: str
    name: str
    what: str
    source: str
    effect: str
    modes: tuple[str, ...] = BOTH
    hidden: str = ""
    lacks: str = ""
    x86: bool = False
    held: float = 0.0
    limits: dict[str, Any] = field(default_factory=dict)


class Family(list[Probe]):
    """The probes of one category; calling it makes a decorator that adds one."""

    def __init__(self, name: str, effect: str, modes: tuple[str, ...] = BOTH, **defaults: Any) -> None:
        self.name, self.defaults = name, {"effect": effect, "modes": modes, **defaults}

    def __call__(self, **options: Any) -> Callable[[Callable], Callable]:
        def add(attack: Callable) -> Callable:
            lines = inspect.getsource(attack).splitlines(keepends=True)
            while not lines[0].startswith("def "):  # the decorator
                lines.pop(0)
            source = "".join(lines).replace(f"def {attack.__name__}(", "def attack(", 1)
            what = (attack.__doc__ or "").strip().rstrip(".")
            self.append(Probe(self.name, attack.__name__, what, source, **(self.defaults | options)))
            return attack

        return add


def text(probe: Probe, known: dict[str, Any], mode: str) -> str:
    """The whole hostile file: a metric, or a program that prints its number."""
    start = f"{PRELUDE}\nW.update({known!r})\n\n\n{probe.source}\n"
    if mode == "score":
        return start + (
            "from metricloop import metric\n\n\n@metric(level='image', needs=('image',))\ndef probe(frame):\n"
            "    W['frame'] = frame\n    return attempt(attack) if frame.image_id == 1 else 7.0\n"
        )
    return start + "number = attempt(attack)\nprint('NUMBER', number, flush=True)\n"
