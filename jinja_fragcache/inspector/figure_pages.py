"""The pages about what was asked for: all names, and one of them."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

from jinja_fragcache.access.store_check import place_of
from jinja_fragcache.observe.figures import NameFigures
from jinja_fragcache.observe.seen import MOST_KEYS_OF_NAME, EntrySeen
from jinja_fragcache.operations import Operation

from .collecting import everything_of, figures_of
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


class _Totals(NamedTuple):
    """What all names have together."""

    hits: int
    misses: int
    stale: int
    uncached: int
    renders: int
    errors: int
    seconds_saved: float

    @property
    def asked(self) -> int:
        """How often anything was asked for."""
        return self.hits + self.misses + self.stale + self.uncached

    @property
    def hit_ratio(self) -> float | None:
        """The share of hits; None if nothing was asked for."""
        return self.hits / self.asked if self.asked else None


def overview_page(visit: Visit) -> Operation[Page]:
    """Make the page of all names."""
    everything = yield from everything_of(visit.cache, visit.context)
    query = visit.request.query
    wanted = query.get("q", "")
    column = _BY_NAME.get(query.get("sort", ""), _BY_NAME[_FIRST])
    seen = figures_of(visit.cache)
    rows = [
        _Row(each, len(seen.entries_of(each.kind, each.name)))
        for each in everything.names
        if wanted.lower() in each.name.lower()
    ]
    # By name where the numbers are equal.
    rows.sort(key=lambda row: (-column.worth(row), row.figures.name))
    values = {
        "totals": _totals(everything.names),
        "workers": everything.workers,
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
    everything = yield from everything_of(visit.cache, visit.context)
    return Data(
        {
            "totals": _counts(_totals(everything.names)),
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
    kind: Literal["fragment", "function"] = (
        "function" if query.get("kind") == "function" else "fragment"
    )
    name = query.get("name", "")
    everything = yield from everything_of(visit.cache, visit.context)
    named = [(each.kind, each.name) for each in everything.names]
    is_known = (kind, name) in named
    now = visit.context.clock()
    values = {
        "kind": kind,
        "name": name,
        "figures": everything.names[named.index((kind, name))] if is_known else None,
        "entries": [
            _entry(each, now) for each in figures_of(visit.cache).entries_of(kind, name)
        ],
        "most_keys": MOST_KEYS_OF_NAME,
        "here": f"fragment?{urlencode({'kind': kind, 'name': name})}",
    }
    status = HTTPStatus.OK if is_known else HTTPStatus.NOT_FOUND
    return Page("fragment.html", name or "No name", values, status)


def _totals(names: Iterable[NameFigures]) -> _Totals:
    listed = list(names)
    return _Totals(
        *(
            sum(getattr(each, field) or 0 for each in listed)
            for field in _Totals._fields
        )
    )


def _counts(figures: NameFigures | _Totals) -> dict[str, Any]:
    fields = (*_Totals._fields, "hit_ratio")
    return {field: getattr(figures, field) for field in fields}


def _entry(seen: EntrySeen, now: float) -> _Entry:
    return _Entry(
        seen,
        None if seen.stored_at is None else now - seen.stored_at,
        None if seen.expires_at is None else seen.expires_at - now,
    )
