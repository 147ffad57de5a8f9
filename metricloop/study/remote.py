"""A study's copy elsewhere: DVC's default remote for the outputs, a git remote for the record.

In a bucket (s3://) and in a folder both lie at one address, so that `git clone ADDRESS` and `dvc pull` bring the whole
study. Of a run in progress, the files that its next commit will hold lie there as the branch `unfinished`.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten

from metricloop import layout
from metricloop.study.commits import COMMITTED, WorkspaceError, commit_all, run_command, run_git
from metricloop.study.dvc_commands import dvc
from metricloop.study.storage_commands import RemoteError, check_answers, git, run_elsewhere
from metricloop.text.shell import command_line

STORE = "store"  # the name of our remotes
BRANCH = "unfinished"
SNAPSHOT = f"refs/metricloop/{BRANCH}"
EXTRAS = {"s3": "s3"}  # scheme -> extra of metricloop
DVC_ONLY = {"gs": "gs", "az": "azure", "azure": "azure", "ssh": "ssh"}  # scheme -> extra of dvc
REASON = 200  # most characters of an error


def check_address(address: str) -> str:
    """The address of a remote as DVC takes it; that of a folder is its full path. Errors: RemoteError.

    >>> check_address("s3://bucket/lions/"), check_address("file:///mnt/team/lions")
    ('s3://bucket/lions', '/mnt/team/lions')
    """
    scheme, mark, rest = address.partition("://")
    if not mark or scheme == "file":
        return os.path.abspath(rest if mark else os.path.expanduser(address))
    if "@" in rest.partition("/")[0]:
        raise RemoteError(
            f"{scheme}://{rest.rpartition('@')[2]}: no user or password in the address, which git keeps; give them by "
            "the environment or the tools' own files, such as ~/.aws/credentials"
        )
    if scheme not in (*EXTRAS, *DVC_ONLY):
        known = ", ".join(f"{one}://" for one in (*EXTRAS, "gs", "azure", "ssh"))
        raise RemoteError(f"{address}: a copy elsewhere lies in a folder or at {known}")
    if not rest.partition("/")[2].strip("/") and scheme == "s3":
        raise RemoteError(f"{address}: name a folder in the bucket, such as {address.rstrip('/')}/lions")
    check_extra(address)
    return address.rstrip("/")


def check_extra(address: str) -> None:
    """Check that the packages for an address are installed. Errors: RemoteError with the command that does it."""
    scheme = address.partition("://")[0]
    package = {"s3": "dvc_s3", "gs": "dvc_gs", "az": "dvc_azure", "azure": "dvc_azure", "ssh": "dvc_ssh"}.get(scheme)
    if package and find_spec(package) is None:
        wanted = f"metricloop[{EXTRAS[scheme]}]" if scheme in EXTRAS else f"dvc[{DVC_ONLY[scheme]}]"
        raise RemoteError(f"{address} needs more packages: pip install '{wanted}'")


def set_remote(folder: Path, address: str) -> str:
    """Make an address the place of the study's copy, and commit that; returns the address. Errors: RemoteError."""
    address = check_address(address)
    run_command(folder, dvc("remote", "add", "--force", "--default", STORE, address))
    if with_git(address):
        known = git(folder, "remote").split()
        run_git(folder, "remote", *(["set-url"] if STORE in known else ["add"]), STORE, address)
    run_git(folder, "add", "--", ".dvc/config")
    commit_all(folder, f"the copy elsewhere: {address}")
    return address


def with_git(address: str) -> bool:
    """Whether git can be kept at the address, beside DVC's files."""
    return "://" not in address or address.partition("://")[0] in EXTRAS


def address_of(folder: Path) -> str:
    """The address of DVC's default remote; "" where the workspace has none."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read([folder / ".dvc" / name for name in ("config", "config.local")])
    name = parser.get("core", "remote", fallback="")
    url = parser.get(f"'remote \"{name}\"'", "url", fallback="").strip("'\"") if name else ""
    return os.path.normpath(folder / ".dvc" / url) if url and "://" not in url else url


def push(folder: Path) -> str:
    """Copy outputs and record to the remote; returns what to tell of it. Errors: RemoteError.

    DVC's files come first, so that the record there never names outputs that are not.
    """
    address = address_of(folder)
    if not address:
        set_one = command_line("metricloop", "push", "-C", folder, "--remote", "s3://BUCKET/NAME")
        raise RemoteError(f"{folder} has no copy elsewhere; say where: {set_one}")
    mark = folder / layout.UNPUSHED
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    check_extra(address)
    check_answers(address)
    said = run_elsewhere(folder, dvc("--wait-for-lock", "push"))
    files = re.search(r"(\d+) files? pushed", said)
    if remote := git_remote(folder, address):
        _push_record(folder, remote)
    mark.unlink(missing_ok=True)
    told = f"{int(files[1]):,} files pushed" if files else "has all files"
    return f"{address}: {told}{'' if remote else ' (no git remote: DVC only)'}"


def pushed(folder: Path) -> str:
    """Do the same, and tell the outcome in a line; "" without a remote. A remote that is away costs that line only."""
    try:
        return push(folder) if address_of(folder) else ""
    except (RemoteError, WorkspaceError, OSError) as error:
        again = command_line("metricloop", "push", "-C", folder)
        return f"{address_of(folder)} was left out: {shorten(str(error), REASON)}; catch up later: {again}"


def left_to_push(folder: Path) -> bool:
    """Whether the last copy was not complete."""
    return (folder / layout.UNPUSHED).exists() and bool(address_of(folder))


def git_remote(folder: Path, address: str) -> str:
    """The name of the git remote that the record goes to: `store`, or one at DVC's address; "" where there is none."""
    if not (folder / ".git").exists():
        return ""
    listed = [line.split() for line in git(folder, "remote", "-v").splitlines()]
    names = {words[0]: words[1].removeprefix("file://") for words in listed if len(words) > 1}
    return STORE if STORE in names else next((name for name, url in names.items() if url == address), "")


def _push_record(folder: Path, remote: str) -> None:
    """Push the commits, and of a run in progress what its next commit will hold."""
    place = git(folder, "remote", "get-url", remote).removeprefix("file://")
    if "://" not in place and Path(place).is_absolute() and not Path(place, "HEAD").exists():
        run_git(folder, "init", "--quiet", "--bare", "--initial-branch=main", place)
    branch = git(folder, "branch", "--show-current") or "main"
    refs = [f"HEAD:refs/heads/{branch}"]
    if snapshot(folder):
        refs.append(f"+{SNAPSHOT}:refs/heads/{BRANCH}")
    run_elsewhere(folder, ["git", "-c", "core.hooksPath=/dev/null", "push", "--quiet", remote, *refs])


def snapshot(folder: Path) -> bool:
    """Commit the files of COMMITTED as they are now to the reference SNAPSHOT; branch and index stay as they are.

    Returns False, and keeps none, where nothing differs from the last commit.
    """
    index = folder / layout.SCRATCH / f"{BRANCH}.index"
    index.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / git(folder, "rev-parse", "--git-path", "index"), index)
    own = {"GIT_INDEX_FILE": str(index.absolute())}
    git(folder, "add", "--", *(name for name in COMMITTED if (folder / name).exists()), more=own)
    tree = git(folder, "write-tree", more=own)
    index.unlink()
    if tree == git(folder, "rev-parse", "HEAD^{tree}"):
        git(folder, "update-ref", "-d", SNAPSHOT)
        return False
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
           for what, value in (("NAME", "metricloop"), ("EMAIL", "metricloop@localhost"))}  # fmt: skip
    made = git(folder, "commit-tree", tree, "-p", "HEAD", "-m", "a run in progress", more=who)
    git(folder, "update-ref", SNAPSHOT, made)
    return True
