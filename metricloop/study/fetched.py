"""A workspace that lies elsewhere, as a folder of this machine: cloned at first, later brought up to date."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from pathlib import Path

from metricloop import layout
from metricloop.study.dvc_commands import dvc
from metricloop.study.remote import BRANCH, SNAPSHOT, STORE, address_of, check_extra, snapshot
from metricloop.study.storage_commands import RemoteError, check_answers, git, run_elsewhere

FOLDERS = "METRICLOOP_WORKSPACES"  # where such folders are kept
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:", re.IGNORECASE)  # also git's user@host:path


def is_address(workspace: str) -> bool:
    """Whether a workspace is named by an address and not by a folder.

    >>> is_address("s3://bucket/lions"), is_address("git@host:lions.git"), is_address("/data/lions")
    (True, True, False)
    """
    return bool(ADDRESS.match(workspace))


def check_workspace(address: str) -> str:
    """The address of a workspace, checked as far as one can without asking. Errors: RemoteError."""
    if not is_address(address):
        raise RemoteError(f"{address!r} is no address; give s3://BUCKET/NAME or that of a git repository")
    if re.search(r"://[^/@]*:[^/@]*@", address):
        raise RemoteError(
            "no password in the address of a workspace, which Prefect shows; give it by git's credential helper, an "
            "SSH key or the environment"
        )
    return address


def place_of(address: str) -> Path:
    """The folder of this machine for a workspace at an address: one for each address."""
    own = os.environ.get(FOLDERS)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(own) if own else cache / "metricloop" / "workspaces").absolute() / key_of(address)


def key_of(address: str) -> str:
    """A name for an address: its last word and a few digits of its hash.

    >>> key_of("s3://bucket/lions")
    'lions-4ae04bdd'
    """
    word = re.sub(r"[^a-z0-9]+", "-", address.rstrip("/").removesuffix(".git").rpartition("/")[2].lower()).strip("-")
    return f"{word or 'study'}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"


def fetch_workspace(address: str) -> tuple[Path, str]:
    """Bring a workspace here, with what its stages have made; returns its folder and what to tell of it.

    What was done here last goes on, unless another machine has gone on since. Then its state is taken, and what was
    here stays as a branch. Errors: RemoteError.
    """
    check_workspace(address)
    check_extra(address)
    check_answers(address)
    folder = place_of(address)
    half = folder / layout.UNFETCHED
    if not folder.exists():
        _clone(address, folder)
        said = f"{address}: fetched to {folder}"
    else:
        _elsewhere(address, folder, "git", "fetch", "--quiet", "--prune", STORE)
        if not half.exists() and _ours(folder, _branch(folder)):
            return folder, f"{address}: goes on in {folder}"
        aside = "" if half.exists() else _put_aside(folder)
        said = f"{address}: another machine has gone on; {aside}taken from there to {folder}"
    half.parent.mkdir(exist_ok=True)
    half.touch()
    branch = _branch(folder)
    git(folder, "checkout", "--quiet", "--force", "-B", branch, f"{STORE}/{branch}")
    if unfinished := _running(folder, branch):  # the files of a run that was not finished elsewhere
        git(folder, "restore", f"--source={unfinished}", "--worktree", "--", ".")
        git(folder, "update-ref", SNAPSHOT, unfinished)
    _elsewhere(address, folder, *dvc("pull", "--force", "--allow-missing"))
    half.unlink()
    return folder, said


def _clone(address: str, folder: Path) -> None:
    """Clone the repository of a workspace; `folder` is there only if all went well. Errors: RemoteError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch, folder.name)
        _elsewhere(address, folder.parent, "git", "clone", "--quiet", "--origin", STORE, address, str(made))
        if not (made / layout.PARAMS).is_file():
            raise RemoteError(f"{address} is no workspace: it has no {layout.PARAMS}")
        if not address_of(made):
            raise RemoteError(
                f"{address} names no place for what stages make, so another machine cannot have it; where the study "
                "was begun: metricloop push --remote s3://BUCKET/NAME"
            )
        half = made / layout.UNFETCHED
        half.parent.mkdir(exist_ok=True)
        half.touch()
        made.rename(folder)


def _elsewhere(address: str, folder: Path, *command: str) -> None:
    try:
        run_elsewhere(folder, command)
    except RemoteError as error:
        raise RemoteError(f"the workspace {address} cannot be fetched: {error}") from None


def _branch(folder: Path) -> str:
    return git(folder, "branch", "--show-current") or "main"


def _there(folder: Path, name: str) -> str:
    """The commit of a reference; "" where there is none."""
    return git(folder, "for-each-ref", "--format=%(objectname)", name)


def _is_ancestor(folder: Path, first: str, second: str) -> bool:
    try:
        return git(folder, "merge-base", first, second) == first
    except RemoteError:  # they have no commit in common
        return False


def _running(folder: Path, branch: str) -> str:
    """The snapshot elsewhere of a run that was not finished: one on top of the last commit there; else ""."""
    found = _there(folder, f"refs/remotes/{STORE}/{BRANCH}")
    last = _there(folder, f"refs/remotes/{STORE}/{branch}")
    return found if found and git(folder, "rev-parse", f"{found}^") == last else ""


def _ours(folder: Path, branch: str) -> bool:
    """Whether the state here goes on from the one elsewhere."""
    last, unfinished = _there(folder, f"refs/remotes/{STORE}/{branch}"), _running(folder, branch)
    if not _is_ancestor(folder, last, git(folder, "rev-parse", "HEAD")):
        return False
    return not unfinished or unfinished == _there(folder, SNAPSHOT)


def _put_aside(folder: Path) -> str:
    """Keep what is here and not committed as a branch; returns what to tell of it, "" where nothing is."""
    head, name = git(folder, "rev-parse", "HEAD"), f"left-{time.strftime('%Y%m%d-%H%M%S')}"
    if snapshot(folder):
        head = _there(folder, SNAPSHOT)
        git(folder, "update-ref", "-d", SNAPSHOT)
    elif any(_is_ancestor(folder, head, one) for one in git(folder, "branch", "-r", "--format=%(refname)").split()):
        return ""
    git(folder, "branch", name, head)
    return f"what was here is kept as the branch {name}, "
