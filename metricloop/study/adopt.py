"""`metricloop adopt`: move a generated metric or repair that a person has read to metrics/adopted; it then runs
unsandboxed.

Scores are computed again under another name, edits under the same. As long as they are the same, no model is trained
again.
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
from metricloop.study.plan import load_plan, replace_rounds
from metricloop.text.clean import clean, printable
from metricloop.text.shell import command_line, run_line


class AdoptError(ValueError):
    """A metric or repair cannot be adopted; the message says why, and which can be."""


@dataclass(frozen=True)
class GeneratedMetric:
    """A generated metric or repair. Its code is read once, so that the code that a person reads is what is moved.

    metric: its name. file: relative to the workspace. batch: the batch of rounds.yaml that scores it, "" for a repair.
    needs: the input of that batch or repair. code_now: the file or folder of its code that the plan names now.
    """

    metric: str
    round: int
    file: str
    code: bytes
    batch: str
    needs: str
    code_now: str

    @property
    def adopted(self) -> str:
        """The new file, relative to the workspace."""
        return f"{layout.ADOPTED}/{self.metric}.py"

    @property
    def new_batch(self) -> str:
        return f"adopted-{self.metric}"

    @property
    def scores(self) -> str:
        return layout.scores_file(self.batch, self.metric)

    @property
    def new_scores(self) -> str:
        return layout.scores_file(self.new_batch, self.metric)

    @property
    def interrupted(self) -> bool:
        """Whether an earlier adoption was interrupted after the person agreed; it then only has to be finished."""
        return self.code_now == self.adopted


def generated_metrics(folder: Path) -> dict[str, tuple[str, str]]:
    """The generated metrics of rounds.yaml: name -> (batch, file relative to the workspace)."""
    return {metric: (batch, file) for metric, batch, file in _named(folder)}


def generated_repairs(folder: Path) -> dict[str, str]:
    """The generated repairs of rounds.yaml: name -> file relative to the workspace."""
    rounds = read_yaml(folder / layout.ROUNDS) if (folder / layout.ROUNDS).is_file() else {}
    entries = (rounds.get("repairs") or {}).items()
    return {
        name: str(entry["code"]) for name, entry in entries if str(entry["code"]).startswith(f"{layout.GENERATED}/")
    }


def read_generated(folder: Path, metric: str) -> GeneratedMetric:
    """Read a generated metric.

    Errors: AdoptError when no metric has this name, its file is no plain file, or its round is not complete.
    """
    known, repairs = generated_metrics(folder), generated_repairs(folder)
    if metric in known:
        batch, file = known[metric]
    elif metric in repairs:
        batch, file = "", repairs[metric]
    elif (left := _left_over(folder, metric)) is not None:
        batch, file = f"adopted-{metric}" if metric not in load_plan(folder)["repairs"] else "", left
    else:
        done = (folder / layout.ADOPTED / f"{metric}.py").is_file()
        reason = f"{metric} has been adopted already" if done else f"no generated metric or repair {clean(metric)!r}"
        raise AdoptError(f"{reason}; you can adopt: {', '.join(sorted({*known, *repairs})) or 'none'}")
    plan, number = load_plan(folder), int(Path(file).parent.name)
    entry = plan["batches"][batch] if batch else plan["repairs"][metric]
    journal = Journal(folder)
    if journal.last("proposed", round=number) and not journal.last("suggested", round=number):
        raise AdoptError(f"round {number} is not complete; finish it first: {run_line(folder)}")
    return GeneratedMetric(metric, number, file, _read(folder, file), batch, entry["needs"], entry["code"])


def text_to_review(found: GeneratedMetric) -> str:
    """The file with line numbers, safe to print. Unprintable characters become "?"; the last lines count them."""
    try:
        text = found.code.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AdoptError(f"{found.file} is not UTF-8 text ({error.reason} at byte {error.start})") from None
    rows = text.removesuffix("\n").split("\n")
    lines = [f"{number:4}  {printable(row)}" for number, row in enumerate(rows, start=1)]
    hidden = sum(a != b for a, b in zip(text, printable(text), strict=True))
    foreign = sum(ord(letter) > 127 for letter in text)
    notes = [f"{hidden} control characters are shown as ?"] if hidden else []
    notes += [f"{foreign} characters are not ASCII and may look like other characters"] if foreign else []
    return "\n".join([f"{found.file}, {len(found.code)} bytes, sha256 {_digest(found.code)}", *lines, *notes])


def adopt(folder: Path, found: GeneratedMetric) -> None:
    """Move the file and change the plan to name the new one. After a kill at any point, adopting again finishes it.

    That is why the order is: the new file, arms.yaml, rounds.yaml, the journal, and last the old file is deleted.
    Errors: AdoptError when the file has changed since it was read, or the new place holds another file.
    """
    if _digest(_read(folder, found.file)) != _digest(found.code):
        raise AdoptError(f"{found.file} has changed since it was shown; read it again")
    write_new_file(folder, found)
    update_arms_file(folder, found)
    update_rounds_file(folder, found)
    add_to_journal(folder, found)
    delete_old_file(folder, found)


def write_new_file(folder: Path, found: GeneratedMetric) -> None:
    """Write the code that was shown to its new file. Errors: AdoptError when that holds something else."""
    target = folder / found.adopted
    if _leads_away(folder, found.adopted):
        raise AdoptError(f"{found.adopted} is a link, or is in a linked folder; put a plain folder there")
    if target.exists() and target.read_bytes() != found.code:
        raise AdoptError(f"{found.adopted} exists and holds another metric; rename one of the two")
    if not target.exists():
        with replacing(target) as temporary:
            temporary.write_bytes(found.code)


def update_arms_file(folder: Path, found: GeneratedMetric) -> None:
    """Replace the old scores file by the new one in arms.yaml, as text: its layout and comments stay."""
    if not found.batch:  # the edits of a repair keep their place
        return
    path = folder / layout.ARMS
    text = path.read_text() if path.is_file() else ""
    whole = rf"(?<![\w./-]){re.escape(found.scores)}(?![\w./-])"
    changed = re.sub(whole, lambda _: found.new_scores, text)
    if changed != text:
        with replacing(path) as temporary:
            temporary.write_text(changed)


def update_rounds_file(folder: Path, found: GeneratedMetric) -> None:
    """Write rounds.yaml with the metric in its new batch, unless an earlier adoption did."""
    if found.interrupted:
        return
    plan = read_yaml(folder / layout.ROUNDS)
    if found.batch:
        replace_rounds(with_new_batch(plan, found), folder)
        return
    entry = {"code": found.adopted, "needs": found.needs}
    replace_rounds({**plan, "repairs": {**plan["repairs"], found.metric: entry}}, folder)


def with_new_batch(plan: Mapping[str, Any], found: GeneratedMetric) -> dict[str, Any]:
    """The plan with the metric in its new batch and arms that read the new scores. An empty batch is removed."""
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


def add_to_journal(folder: Path, found: GeneratedMetric) -> None:
    """Write the adoption into the journal, once."""
    journal = Journal(folder)
    if journal.last("adopted", metric=found.metric) is None:
        wrote: dict[str, Any] = {"file" if found.batch else "repair_file": found.file}
        accepted = journal.last("accepted", **wrote) or {}
        suggestion = accepted.get("suggestion", found.metric)
        journal.add("adopted", round=found.round, suggestion=suggestion, metric=found.metric, file=found.adopted)


def delete_old_file(folder: Path, found: GeneratedMetric) -> None:
    """Delete the old file, and its folder when it is then empty."""
    (folder / found.file).unlink()
    with suppress(OSError):
        (folder / found.file).parent.rmdir()


def _named(folder: Path) -> Iterator[tuple[str, str, str]]:
    rounds = read_yaml(folder / layout.ROUNDS) if (folder / layout.ROUNDS).is_file() else {}
    for batch, entry in (rounds.get("batches") or {}).items():
        parent, _, number = str(entry["code"]).rpartition("/")
        if parent == layout.GENERATED and number.isdigit():
            yield from ((metric, batch, f"{entry['code']}/{metric}.py") for metric in entry["metrics"])


def _left_over(folder: Path, metric: str) -> str | None:
    """The old file of a metric or repair whose adoption was killed before it deleted the file; else None."""
    plan = load_plan(folder)
    entries = plan["batches"].get(f"adopted-{metric}", {}), plan["repairs"].get(metric, {})
    if f"{layout.ADOPTED}/{metric}.py" not in [entry.get("code") for entry in entries]:
        return None
    found = (folder / layout.GENERATED).glob("*/*.py")
    left = [path for path in found if path.stem == metric and path.parent.name.isdigit()]
    return left[0].relative_to(folder).as_posix() if left else None


def _read(folder: Path, file: str) -> bytes:
    path = folder / file
    if _leads_away(folder, file):
        raise AdoptError(f"{file} is a link, or is in a linked folder; only a plain file can be adopted")
    if not path.is_file():
        raise AdoptError(
            f"{file} does not exist; restore it with: {command_line('git', '-C', folder, 'checkout', '--', file)}"
        )
    if path.stat().st_size > MOST_BYTES:
        raise AdoptError(f"{file} is {path.stat().st_size} bytes long; a metric's file may have at most {MOST_BYTES}")
    return path.read_bytes()


def _leads_away(folder: Path, file: str) -> bool:
    return (folder / file).resolve() != folder.resolve() / file


def _digest(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()
