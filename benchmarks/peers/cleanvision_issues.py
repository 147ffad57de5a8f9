"""cleanvision's own list of issues over a folder, in its own environment: `PYTHON cleanvision_issues.py FOLDER`.

Prints one line of JSON: seconds of finding alone (imports and listing the files left out), images that were scored,
and the scores by issue and file name; or the error that ended it.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time

from cleanvision import Imagelab, __version__


def main(folder: str) -> dict:
    said: dict = {"version": __version__}
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            lab = Imagelab(data_path=folder)
            began = time.perf_counter()
            lab.find_issues(n_jobs=1, verbose=False)
            said["seconds"] = time.perf_counter() - began
        except Exception as error:  # its end is what we are here to see
            return said | {"error": f"{type(error).__name__}: {error}"[:200]}
    table = lab.issues
    names = [path.rsplit("/", 1)[-1] for path in table.index]
    issues = [column.removesuffix("_score") for column in table.columns if column.endswith("_score")]
    scores = {issue: dict(zip(names, map(float, table[f"{issue}_score"]), strict=True)) for issue in issues}
    return said | {"images": len(table), "issues": issues, "scores": scores}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
