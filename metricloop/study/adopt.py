"""adopt: a generated metric that a person has read moves to metrics/adopted, where it runs without the sandbox.

Its scores stay what they are under another name, so nothing that was trained on them is trained again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.tables import read_yaml, replacing
from metricloop.llm.journal import Journal
from metricloop.scoring.metric_file import MOST_BYTES
from metricloop.study.plan import FILES, load_plan, replace_rounds
from metricloop.text.clean import clean, printable
from metricloop.text.shell import command_line, run_line


class AdoptError(ValueError):
    """A metric cannot be adopted; the message says why, and what there is to adopt."""


@dataclass(frozen=True)
class Generated:
    """A generated metric as it was read, once: what is shown is what is moved.

    file: relative to the workspace. batch: of rounds.yaml, which scores it; needs: what that is scored from.
    """

    metric: str
    round: int
    file: str
    code: bytes
    batch: str
    needs: str

    @property
    def adopted(self) -> str:
        """Where it goes, relative to the workspace."""
        return f"{layout.ADOPTED}/{self.metric}.py"

    @property
    def new_batch(self) -> str:
        return f"adopted-{self.metric}"

    @property
    def scores(self) -> str:
        return f"scores/{self.batch}/{self.metric}.parquet"

    @property
    def new_scores(self) -> str:
        return f"scores/{self.new_batch}/{self.metric}.parquet"

    @property
    def begun(self) -> bool:
        """Whether an earlier adoption was cut short after the person had said yes, and only has to be finished."""
        return self.batch == self.new_batch


def generated(folder: Path) -> dict[str, tuple[str, str]]:
    """The generated metrics that rounds.yaml names: metric -> (its batch, its file relative to the workspace)."""
    return {metric: (batch, file) for metric, batch, file in _named(folder)}


def find(folder: Path, metric: str) -> Generated:
    """Read a generated metric. Errors: AdoptError when there is none of that name, it is no plain file, or its
    round is not complete."""
    known = generated(folder)
    if metric in known:
        batch, file = known[metric]
    elif (left := _left_over(folder, metric)) is not None:
        batch, file = f"adopted-{metric}", left
    else:
        done = (folder / layout.ADOPTED / f"{metric}.py").is_file()
        said = f"{metric} has been adopted already" if done else f"no generated metric {clean(metric)!r}"
        raise AdoptError(f"{said}; to adopt there are: {', '.join(sorted(known)) or 'none'}")
    needs, number = load_plan(folder)["batches"][batch]["needs"], int(Path(file).parent.name)
    journal = Journal(folder)
    if journal.last("proposed", round=number) and not journal.last("suggested", round=number):
        raise AdoptError(f"round {number} is not complete, and is still being written; first: {run_line(folder)}")
    return Generated(metric, number, file, _read(folder, file), batch, needs)


def shown(found: Generated) -> str:
    """The file for a terminal, line by line; what cannot be shown stands as "?", and is counted at the end."""
    try:
        text = found.code.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AdoptError(f"{found.file} is not UTF-8 text ({error.reason} at byte {error.start})") from None
    rows = text.removesuffix("\n").split("\n")
    lines = [f"{number:4}  {printable(row)}" for number, row in enumerate(rows, start=1)]
    hidden = sum(a != b for a, b in zip(text, printable(text), strict=True))
    foreign = sum(ord(letter) > 127 for letter in text)
    notes = [f"{hidden} characters that a terminal might obey stand as ?"] if hidden else []
    notes += [f"{foreign} characters are not ASCII, and may look like others"] if foreign else []
    return "\n".join([f"{found.file}, {len(found.code)} bytes, sha256 {_digest(found.code)}", *lines, *notes])


def adopt(folder: Path, found: Generated) -> None:
    """Move the file, and point the plan to it. After a kill at any place, adopting again finishes the job.

    The order makes it so: first the new file, then arms.yaml and rounds.yaml, the journal, and last the old file goes.
    Errors: AdoptError when the file is no longer what was read, or another one is in its new place.
    """
    if _digest(_read(folder, found.file)) != _digest(found.code):
        raise AdoptError(f"{found.file} has changed since it was shown; look at it again")
    place(folder, found)
    repoint(folder, found)
    rewire(folder, found)
    note(folder, found)
    clear(folder, found)


def place(folder: Path, found: Generated) -> None:
    """Write what was shown to its new place. Errors: AdoptError where something else is."""
    target = folder / found.adopted
    if _leads_away(folder, found.adopted):
        raise AdoptError(f"{found.adopted} is, or lies behind, a link; put a plain folder there")
    if target.exists() and target.read_bytes() != found.code:
        raise AdoptError(f"{found.adopted} exists, and holds something else; rename one of the two metrics")
    if not target.exists():
        with replacing(target) as temporary:
            temporary.write_bytes(found.code)


def repoint(folder: Path, found: Generated) -> None:
    """Point arms that the person wrote to the new scores: as text, so that their file keeps its layout and comments."""
    path = folder / FILES[0]
    text = path.read_text() if path.is_file() else ""
    whole = rf"(?<![\w./-]){re.escape(found.scores)}(?![\w./-])"
    changed = re.sub(whole, lambda _: found.new_scores, text)
    if changed != text:
        with replacing(path) as temporary:
            temporary.write_text(changed)


def rewire(folder: Path, found: Generated) -> None:
    """Write rounds.yaml anew, unless that was done before."""
    if found.begun:
        return
    replace_rounds(rewired(read_yaml(folder / FILES[1]), found), folder)


def rewired(plan: Mapping[str, Any], found: Generated) -> dict[str, Any]:
    """A plan whose metric has changed its batch, and whose arms read the new scores. An emptied batch goes."""
    entry = plan["batches"][found.batch]
    rest = entry | {"metrics": [metric for metric in entry["metrics"] if metric != found.metric]}
    batches = {name: rest if name == found.batch else item for name, item in plan["batches"].items()}
    if not rest["metrics"]:
        del batches[found.batch]
    batches[found.new_batch] = {"code": found.adopted, "needs": found.needs, "metrics": [found.metric]}
    arms = {
        name: {key: found.new_scores if value == found.scores else value for key, value in arm.items()}
        for name, arm in (plan.get("arms") or {}).items()
    }
    return {**plan, "batches": batches, "arms": arms}


def note(folder: Path, found: Generated) -> None:
    """Keep the adoption in the journal, once."""
    journal = Journal(folder)
    if journal.last("adopted", metric=found.metric) is None:
        accepted = journal.last("accepted", file=found.file) or {}
        suggestion = accepted.get("suggestion", found.metric)
        journal.add("adopted", round=found.round, suggestion=suggestion, metric=found.metric, file=found.adopted)


def clear(folder: Path, found: Generated) -> None:
    """Take away the old file, and its folder where it was the last of its round."""
    (folder / found.file).unlink()
    with suppress(OSError):
        (folder / found.file).parent.rmdir()


def _named(folder: Path) -> Iterator[tuple[str, str, str]]:
    rounds = read_yaml(folder / FILES[1]) if (folder / FILES[1]).is_file() else {}
    for batch, entry in (rounds.get("batches") or {}).items():
        parent, _, number = str(entry["code"]).rpartition("/")
        if parent == layout.GENERATED and number.isdigit():
            yield from ((metric, batch, f"{entry['code']}/{metric}.py") for metric in entry["metrics"])


def _left_over(folder: Path, metric: str) -> str | None:
    """The old file of a metric that the plan has as adopted: what a kill left behind."""
    batches = load_plan(folder)["batches"]
    if batches.get(f"adopted-{metric}", {}).get("code") != f"{layout.ADOPTED}/{metric}.py":
        return None
    found = (folder / layout.GENERATED).glob("*/*.py")
    left = [path for path in found if path.stem == metric and path.parent.name.isdigit()]
    return left[0].relative_to(folder).as_posix() if left else None


def _read(folder: Path, file: str) -> bytes:
    path = folder / file
    if _leads_away(folder, file):
        raise AdoptError(f"{file} is, or lies behind, a link; only a plain file is adopted")
    if not path.is_file():
        raise AdoptError(
            f"{file} does not exist; bring it back with: {command_line('git', '-C', folder, 'checkout', '--', file)}"
        )
    if path.stat().st_size > MOST_BYTES:
        raise AdoptError(f"{file} is {path.stat().st_size} bytes long; a metric's file may have {MOST_BYTES}")
    return path.read_bytes()


def _leads_away(folder: Path, file: str) -> bool:
    return (folder / file).resolve() != folder.resolve() / file


def _digest(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()
