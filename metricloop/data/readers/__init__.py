"""One module per format of detection data sets. Each defines FORMAT; a new format is a new file here, and a test.

Importing this package imports none of them, so that their names are known at little cost.
"""

from pkgutil import iter_modules

NAMES = tuple(sorted(module.name.replace("_", "-") for module in iter_modules(__path__)))
