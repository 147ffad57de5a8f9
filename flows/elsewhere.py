"""A workspace at an address, and the study's copy elsewhere: fetched before a run, pushed during it and at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency

from metricloop import layout
from metricloop.params import load_params
from metricloop.study.data_files import check_there
from metricloop.study.fetched import fetch_workspace, is_address, key_of
from metricloop.study.processes import say
from metricloop.study.remote import address_of, pushed
from metricloop.study.storage_commands import RemoteError

LEASE = 60.0  # s after which a run counts as gone where its machine died; Prefect takes no shorter time
SHARE = 10  # of the time of a run, at most one part in so many goes into pushing meanwhile
_last: dict[Path, tuple[float, float]] = {}  # workspace -> when the last push ended, and how long it took, s


@contextmanager
def workspace_of(workspace: str) -> Iterator[Path]:
    """The folder of a workspace; meanwhile one at an address is run nowhere else by flows of the same server.

    Where the run fails, what it has made is pushed. Errors: RemoteError; MissingDataError where the data set is not
    on this machine.
    """
    if not workspace:
        raise RemoteError("which workspace? Give its address: --param workspace=s3://BUCKET/NAME")
    if not is_address(workspace):
        yield Path(workspace).resolve()
        return
    with _alone(workspace):
        folder, told = fetch_workspace(workspace)
        say(told)
        check_there(folder, load_params(folder / layout.PARAMS).data)
        try:
            yield folder
        except Exception:
            push(folder)
            raise


@contextmanager
def _alone(workspace: str) -> Iterator[None]:
    name = f"metricloop-{key_of(workspace)}"
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, 1)
        if client.read_global_concurrency_limit_by_name(name).active_slots:
            say(f"{workspace}: another run of it goes on, or died less than {LEASE:g} s ago; this one waits")
    with concurrency(name, lease_duration=LEASE, strict=True, raise_on_lease_renewal_failure=False):
        yield


@task(task_run_name="push", cache_policy=NO_CACHE)
def push(folder: Path) -> None:
    """Push the study to its copy elsewhere; a remote that is away costs one line."""
    began = time.monotonic()
    if told := pushed(folder):
        say(told)
    ended = time.monotonic()
    _last[folder] = ended, ended - began


def push_meanwhile(folder: Path) -> None:
    """Push during a run, so that another machine can go on from there; not again soon after a push that took long."""
    ended, took = _last.get(folder, (0.0, 0.0))
    if address_of(folder) and time.monotonic() - ended >= SHARE * took:
        push(folder)


def push_at_end(folder: Path) -> None:
    """Push, if the study was made with `init --remote`."""
    if address_of(folder):
        push(folder)
