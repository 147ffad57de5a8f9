"""One module per detector, named like it; each has `build(classes, size, weights)`. A new detector is a new file here.

Importing this package imports none of them, so that their names are known without loading torch.
"""

from pkgutil import iter_modules

DEFAULT = "fcos_shufflenet"  # the one with weights that ship with metricloop: train.weights: drawn
NAMES = (DEFAULT, *sorted({module.name for module in iter_modules(__path__)} - {DEFAULT}))
