"""The engine of a Ray cluster: every item is a task; one whose process or node is lost runs again elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic

from metricloop.execution.engine import Done, Item, Result, Shared, Work
from metricloop.execution.faults import Answer, opened
from metricloop.execution.local import died
from metricloop.execution.node import DONE, NODE, NodeError, run_item, run_item_placed, run_item_telling, versions
from metricloop.execution.ray_cluster import CLIENT, ClusterError, address_of, connect
from metricloop.execution.settings import Execution

MOST_DEATHS = 2  # of the process of one item: then the item is to blame
MOST_LOSSES = 5  # of the node under one item: machines come and go, and the item is hardly to blame
AHEAD = 2  # items per core that are taken before they can run
MANY = 10_000  # tasks under way: each costs the driver some memory
LOOK = 5.0  # seconds without news after which the nodes are looked at
NOT_THERE = "failed to import on the worker"  # as Ray words it


@dataclass
class Attempt(Generic[Item]):
    """An item under way, and how often it was lost. node: the id of the one it runs on,
    once that is known. gone: the nodes that were lost before it was handed to the cluster."""

    place: int
    item: Item
    deaths: int = 0
    losses: int = 0
    node: str = ""
    gone: frozenset[str] = frozenset()

    @property
    def died(self) -> bool:
        """Whether it is not tried again, and counts as failed."""
        return self.deaths >= MOST_DEATHS

    def count_loss(self, name: str) -> None:
        """Errors: ClusterError when its node was lost too often; a failed item would make a result depend on nodes."""
        self.losses += 1
        if self.losses >= MOST_LOSSES:
            raise ClusterError(
                f"{name}: the node that ran it was lost {self.losses} times; `ray status` shows which are left, and "
                "the same command goes on"
            )


class OnRay:
    """Runs items on a cluster. Errors: ClusterError when it does not answer."""

    def __init__(self, settings: Execution) -> None:
        self._ray = ray = connect(settings)
        self._address = address_of(settings)
        self._streams = not self._address.startswith(CLIENT)  # Ray's client has no generators: no lines come
        self._versions = ray.put(versions())
        self._remote: dict[Any, Any] = {}

    def run(self, work: Work[Item, Shared, Result], items: Iterable[Item]) -> Generator[Done[Item, Result]]:
        """As `Engine.run`. Errors: ClusterError; NodeError."""
        ray = self._ray
        shared, left = ray.put(work.shared), enumerate(items)
        found = ray.cluster_resources()
        cores, gpus = found.get("CPU", 1.0), work.gpus
        if gpus is None:  # a whole card for the first item, which tells what it needs of it
            gpus = 1.0 if found.get("GPU") else 0.0
        most = min(MANY, int(AHEAD * max(cores / work.cpus, 4)))
        under_way: dict[Any, Attempt[Item]] = {}
        lost, told = self._gone(), False
        try:
            while True:
                for place, item in islice(left, most - len(under_way)):
                    under_way[self._start(work, gpus, item, shared)] = Attempt(place, item, gone=lost)
                if not under_way:
                    return
                ready, _ = ray.wait(list(under_way), num_returns=1, timeout=LOOK)
                if not ready:
                    told = told or tell_too_large(work.cpus, gpus, ray.nodes())
                    for task in self._on_lost_nodes(under_way):
                        attempt = under_way.pop(task)
                        ray.cancel(task, force=True)
                        attempt.count_loss(name := work.name_of(attempt.item))
                        tell_loss(name, "its node was lost")
                        under_way[self._start(work, gpus, attempt.item, shared)] = attempt
                    continue
                attempt = under_way.pop(task := ready[0])
                try:
                    answer = self._answer(task, attempt)
                except ray.exceptions.RayError as error:
                    self._lost(error, work.name_of(attempt.item), attempt)
                    if attempt.died:
                        yield Done(attempt.place, attempt.item, error=died(work.name_of(attempt.item)))
                    else:
                        under_way[self._start(work, gpus, attempt.item, shared)] = attempt
                    continue
                if answer is None:
                    under_way[task] = attempt  # it has told a line, and goes on
                else:
                    gpus = answer.share if work.gpus is None and answer.share else gpus
                    yield opened(attempt.place, attempt.item, answer)
        except ConnectionError as error:  # of Ray's client, which has asked for half a minute
            raise ClusterError(
                f"the cluster at {self._address} was lost ({error}); finished trials stay, and the same command goes on"
            ) from None
        finally:
            if not sys.is_finalizing() and ray.is_initialized():  # otherwise they end with this process
                for task in under_way:
                    ray.cancel(task, force=True)

    def _start(self, work: Work, gpus: float, item: Any, shared: Any) -> Any:
        """Hand an item to the cluster. Ray itself does not repeat it: `run` counts and tells how often it was lost."""
        key, attempted = (work.tells, work.cpus, gpus), run_item_telling if work.tells else run_item_placed
        if key not in self._remote:  # made once: a function that is made remote again is sent to the nodes again
            options: dict[str, Any] = {"num_cpus": work.cpus, "num_gpus": gpus, "max_retries": 0}
            options |= {"num_returns": "streaming"} if self._streams else {}
            self._remote[key] = self._ray.remote(**options)(attempted if self._streams else run_item)
        task = self._remote[key].options(name=work.name_of(item))
        return task.remote(work.function, item, shared, self._versions)

    def _answer(self, task: Any, attempt: Attempt) -> Answer | None:
        """The answer of a task that has something ready; None for a line that it told, which is printed."""
        if not self._streams:
            return self._ray.get(task)
        kind, said = self._ray.get(next(task))
        if kind == DONE:
            return said
        if kind == NODE:
            attempt.node = said
        else:
            print(said, file=sys.stderr, flush=True)
        return None

    def _gone(self) -> frozenset[str]:
        """The ids of the nodes that the cluster has given up."""
        return frozenset(node["NodeID"] for node in self._ray.nodes() if not node["Alive"])

    def _on_lost_nodes(self, under_way: dict[Any, Attempt]) -> list[Any]:
        """The tasks on nodes that were lost, or, where it is not known yet, that may have been on one.

        Ray itself notices after five minutes when a node was cut off from the network while a task ran there.
        """
        gone, tasks = self._gone(), []
        for task, attempt in under_way.items():
            if attempt.node in gone or (not attempt.node and gone - attempt.gone):
                attempt.node, attempt.gone = "", gone
                tasks.append(task)
        return tasks

    def _lost(self, error: Exception, name: str, attempt: Attempt) -> None:
        """Count and tell that a process or a node was lost. Errors: ClusterError, NodeError for anything else."""
        kinds, said = self._ray.exceptions, str(error).strip().partition("\n")[0]
        if isinstance(error, (kinds.WorkerCrashedError, kinds.OutOfMemoryError)):
            attempt.deaths += 1
            how = "its memory was used up" if isinstance(error, kinds.OutOfMemoryError) else "its process was ended"
        elif isinstance(error, (kinds.NodeDiedError, kinds.ObjectLostError, kinds.LocalRayletDiedError)):
            attempt.count_loss(name)
            how = "its node was lost"
        elif NOT_THERE in str(error):
            raise NodeError(
                "a node of the cluster has no metricloop; install there what is here, and start the node anew: "
                f"{_last_line(error)}"
            )
        else:
            raise ClusterError(f"{name}: {type(error).__name__}: {said}")
        attempt.node, attempt.gone = "", self._gone()
        if not attempt.died:
            tell_loss(name, how)


def tell_too_large(cpus: float, gpus: float, nodes: Iterable[Mapping[str, Any]]) -> bool:
    """Say that no node is large enough for an item; such an item waits until one joins. Whether it was said.

    nodes: as `ray.nodes` lists them.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    if any(one.get("CPU", 0) >= cpus and one.get("GPU", 0) >= gpus for one in alive):
        return False
    largest: Mapping[str, float] = max(
        alive, key=lambda one: (one.get("GPU", 0) if gpus else 0, one.get("CPU", 0)), default={}
    )
    print(
        f"no node of the cluster has {_share(cpus, gpus or None)}; the largest has "
        f"{_share(largest.get('CPU', 0), largest.get('GPU', 0) if gpus else None)}. Waiting for one to join; "
        "execution.cpus_per_trial and gpus_per_trial say what a trial takes",
        file=sys.stderr,
        flush=True,
    )
    return True


def _share(cpus: float, gpus: float | None) -> str:
    parts = [(cpus, "core"), *([] if gpus is None else [(gpus, "GPU")])]
    return " and ".join(f"{number:g} {what}{'' if number == 1 else 's'}" for number, what in parts)


def tell_loss(name: str, how: str) -> None:
    print(f"{name}: {how}; it runs again", file=sys.stderr, flush=True)


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip()
