"""One module per detector, named like it; each has `build(classes, size, weights)`. A new detector is a new file here.

A module may set LEARNING_RATE, which `metricloop init` then writes to params.yaml, and FROZEN, the names of the parts
of its backbone that do not learn when it has weights from photos; the backbone then has a method `freeze`.

Importing this package imports none of them, so that their names are known without loading torch.
"""

import re
from pathlib import Path
from pkgutil import iter_modules

DEFAULT = "fcos_shufflenet"  # the one with weights that ship with metricloop: train.weights: drawn
NAMES = (DEFAULT, *sorted({module.name for module in iter_modules(__path__)} - {DEFAULT}))
LEARNING_RATE = 0.001  # of a detector whose module sets none


def learning_rate(name: str) -> float:
    """The LEARNING_RATE of a detector's module, read from its text, because importing it would load torch."""
    text = Path(__file__).with_name(f"{name}.py").read_text() if name in NAMES else ""
    found = re.search(r"^LEARNING_RATE = (\S+)", text, re.MULTILINE)
    return float(found[1]) if found else LEARNING_RATE
