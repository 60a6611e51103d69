"""The pages about what was asked for: all names, and one of them."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode

from jinja_fragcache.access.store_check import place_of
from jinja_fragcache.engine.worker_figures import all_figures
from jinja_fragcache.observe.figures import NameFigures, Worker
from jinja_fragcache.observe.seen import MOST_KEYS_OF_NAME, EntrySeen, Kind
from jinja_fragcache.operations import Operation

from .visits import Data, Page, Visit


class _Row(NamedTuple):
    """A name in the table.

    Attributes:
        figures: Its figures.
        keys: How many keys this process has seen.
    """

    figures: NameFigures
    keys: int


class _Column(NamedTuple):
    """A column of the table.

    Attributes:
        name: What the address calls it, if the table is to be sorted by it.
        title: Its title.
        worth: What rows are sorted by, the largest first.
    """

    name: str
    title: str
    worth: Callable[[_Row], float]


_COLUMNS = (
    _Column("hit_ratio", "Hit ratio", lambda row: row.figures.hit_ratio or 0),
    _Column("hits", "Hits", lambda row: row.figures.hits),
    _Column("misses", "Misses", lambda row: row.figures.misses),
    _Column("stale", "Stale", lambda row: row.figures.stale),
    _Column("uncached", "Uncached", lambda row: row.figures.uncached),
    _Column("errors", "Errors", lambda row: row.figures.errors),
    _Column("body", "Body", lambda row: row.figures.mean_body_seconds or 0),
    _Column("saved", "Time saved", lambda row: row.figures.seconds_saved or 0),
    _Column("bytes", "Written", lambda row: row.figures.bytes_stored),
    _Column("keys", "Keys", lambda row: row.keys),
)
_BY_NAME = {each.name: each for each in _COLUMNS}
_FIRST = "saved"
# What the chart, and other scripts, are told of each name.
_COUNTED = (
    "asked",
    "hits",
    "misses",
    "stale",
    "uncached",
    "renders",
    "errors",
    "hit_ratio",
    "seconds_saved",
)


class _Entry(NamedTuple):
    """A key in the table of one name, with times that people can read.

    Attributes:
        seen: What this process knows of it.
        age: For how many seconds it has been stored; None if that is not known.
        expires_in: In how many seconds its timeout ends; None if that is not known.
    """

    seen: EntrySeen
    age: float | None
    expires_in: float | None


class _Heard(NamedTuple):
    """A process in the table of workers.

    Attributes:
        worker: The process.
        runs_for: For how many seconds it has counted.
        heard_ago: How many seconds ago its figures were these.
        is_this: Whether it answers this request.
    """

    worker: Worker
    runs_for: float
    heard_ago: float
    is_this: bool


def overview_page(visit: Visit) -> Operation[Page]:
    """Make the page of all names."""
    everything = yield from all_figures(visit.context, visit.cache.figures)
    query = visit.request.query
    wanted = query.get("q", "")
    column = _BY_NAME.get(query.get("sort", ""), _BY_NAME[_FIRST])
    rows = [
        _Row(each, len(_seen(visit, each.kind, each.name)))
        for each in everything.names
        if wanted.lower() in each.name.lower()
    ]
    # By name where the numbers are equal.
    rows.sort(key=lambda row: (-column.worth(row), row.figures.name))
    values = {
        "totals": everything.totals,
        "saved": _saved(everything.names),
        "workers": _heard(visit, everything.workers),
        "note": everything.note,
        "collects": visit.cache.figures is not None,
        "columns": _COLUMNS,
        "rows": rows,
        "all": len(everything.names),
        "column": column,
        "q": wanted,
        "most_keys": MOST_KEYS_OF_NAME,
        "place": place_of(visit.cache.store),
    }
    return Page("overview.html", "Fragments and functions", values)


def figures_data(visit: Visit) -> Operation[Data]:
    """Return the figures for the chart."""
    everything = yield from all_figures(visit.context, visit.cache.figures)
    return Data(
        {
            "totals": {
                **_counts(everything.totals),
                "seconds_saved": _saved(everything.names),
            },
            "names": [
                {"kind": each.kind, "name": each.name, **_counts(each)}
                for each in everything.names
            ],
            "workers": len(everything.workers),
        }
    )


def fragment_page(visit: Visit) -> Operation[Page]:
    """Make the page of one name, with the keys that this process has seen."""
    query = visit.request.query
    kind: Kind = "function" if query.get("kind") == "function" else "fragment"
    name = query.get("name", "")
    everything = yield from all_figures(visit.context, visit.cache.figures)
    named = [(each.kind, each.name) for each in everything.names]
    is_known = (kind, name) in named
    now = visit.context.clock()
    values = {
        "kind": kind,
        "name": name,
        "figures": everything.names[named.index((kind, name))] if is_known else None,
        "entries": [_entry(each, now) for each in _seen(visit, kind, name)],
        "most_keys": MOST_KEYS_OF_NAME,
        "here": f"fragment?{urlencode({'kind': kind, 'name': name})}",
    }
    status = HTTPStatus.OK if is_known else HTTPStatus.NOT_FOUND
    return Page("fragment.html", name or "No name", values, status)


def _seen(visit: Visit, kind: Kind, name: str) -> list[EntrySeen]:
    figures = visit.cache.figures
    return [] if figures is None else figures.entries_of(kind, name)


def _heard(visit: Visit, workers: Iterable[Worker]) -> list[_Heard]:
    now, figures = visit.context.clock(), visit.cache.figures
    this = None if figures is None else figures.snapshot()[0].id
    return [
        _Heard(each, now - each.started_at, now - each.seen_at, each.id == this)
        for each in workers
    ]


def _saved(names: Iterable[NameFigures]) -> float:
    """Return the time that all hits have saved, each by the bodies of its name."""
    return sum(each.seconds_saved or 0 for each in names)


def _counts(figures: NameFigures) -> dict[str, Any]:
    return {each: getattr(figures, each) for each in _COUNTED}


def _entry(seen: EntrySeen, now: float) -> _Entry:
    return _Entry(
        seen,
        None if seen.stored_at is None else now - seen.stored_at,
        None if seen.expires_at is None else seen.expires_at - now,
    )
