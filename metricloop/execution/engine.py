"""One small interface to run a function of the project on many items: in processes here, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from metricloop.execution.settings import Execution

Item = TypeVar("Item")
Shared = TypeVar("Shared")
Result = TypeVar("Result")


class DiedError(RuntimeError):
    """The process that ran an item was ended twice, by the system or by a crash; the message says how."""


@dataclass(frozen=True)
class Work(Generic[Item, Shared, Result]):
    """What to run on every item.

    function: of a module of the project, called as function(item, shared). Errors that it raises are results, too.
    shared: what all items need; each process gets it once.
    name_of: an item in words, for messages. jobs: items at the same time on this machine.
    cpus, gpus: what an item takes of a node of a cluster; a GPU may be shared. gpus=None: as the first item shows.
    tells: whether the function prints its progress to stderr, and the lines are wanted as they come.
    """

    function: Callable[[Item, Shared], Result]
    shared: Shared
    name_of: Callable[[Item], str] = str
    jobs: int = 1
    cpus: float = 1
    gpus: float | None = 0
    tells: bool = False


@dataclass(frozen=True)
class Done(Generic[Item, Result]):
    """An item that has been run. place: its position among the items. error: why there is no result, or None."""

    place: int
    item: Item
    result: Result | None = None
    error: Exception | None = None


class Engine(Protocol):
    """A place where items run."""

    def run(self, work: Work[Item, Shared, Result], items: Iterable[Item]) -> Generator[Done[Item, Result]]:
        """Run the work on every item, and yield the items as they finish, in any order.

        Items are taken as they are needed. When the iterator is closed, what still runs is ended.
        """
        ...


def open_engine(settings: Execution) -> Engine:
    """The engine that params.yaml names. Errors: ClusterError when a cluster does not answer, in one sentence."""
    if settings.engine == "ray":
        from metricloop.execution.on_ray import OnRay

        return OnRay(settings)
    from metricloop.execution.local import Local

    return Local()


def in_order(finished: Generator[Done[Any, Result]]) -> list[Result]:
    """The results in the order of the items. Errors: the first error of an item; what still runs is ended then."""
    results: dict[int, Any] = {}
    with closing(finished):
        for done in finished:
            if done.error is not None:
                raise done.error
            results[done.place] = done.result
    return [results[place] for place in sorted(results)]
