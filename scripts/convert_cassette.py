"""Convert a recording made before the package was called metricloop: import lines, and the hashes of prompt templates.

    python -P scripts/convert_cassette.py old.yaml new.yaml

Every other letter of the prompts and answers stays as it was recorded.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from metricloop.llm.cassette import Cassette, save_cassette
from metricloop.llm.conversation import template_of
from metricloop.llm.prompt import template_hash

IMPORTS = {
    "from metrics.contract import ": "from metricloop import ",
    "from detection.frame import ": "from metricloop import ",
    "from detection.dataset import ": "from metricloop import ",
}
NOTE = (
    "Converted by scripts/convert_cassette.py when the package was renamed: `from metrics.contract import ...` is now "
    "`from metricloop import ...`. The hashes of the prompt templates are new: the import line changed, and the rules "
    "of the gate are now filled in from a table. The prompts themselves read as before."
)


def convert(text: str) -> Cassette:
    """The recording in `text` with today's import lines and template hashes."""
    for old, new in IMPORTS.items():
        text = text.replace(old, new)
    recording = Cassette.model_validate(yaml.safe_load(text))
    calls = [call.model_copy(update={"template": template_hash(template_of(call.key))}) for call in recording.calls]
    return recording.model_copy(update={"note": NOTE, "calls": tuple(calls)})


if __name__ == "__main__":
    save_cassette(convert(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
