"""The figures that a cache collects for its inspector."""

import os
from socket import gethostname
from typing import NamedTuple

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.context import Context
from jinja_fragcache.observe.figures import Figures, NameFigures
from jinja_fragcache.operations import Operation


class Worker(NamedTuple):
    """A process whose figures are shown.

    Attributes:
        pid: Its number.
        host: The name of its machine.
    """

    pid: int
    host: str


class Everything(NamedTuple):
    """All figures.

    Attributes:
        names: Those of each name.
        workers: Which processes they are of.
    """

    names: list[NameFigures]
    workers: list[Worker]


def figures_of(cache: FragmentCache) -> Figures:
    """Return the figures that a cache collects. It begins if it did not yet."""
    listeners = cache.engine.listeners
    found = listeners.find(Figures)
    if found is None:
        found = Figures(cache.engine.context.clock)
        listeners.add(found)
    return found


def everything_of(cache: FragmentCache, context: Context) -> Operation[Everything]:
    """Return the figures of this worker."""
    yield from ()
    this = Worker(os.getpid(), gethostname())
    return Everything(figures_of(cache).by_name(), [this])
