"""The pages about one entry, about the store, and about the settings."""

from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode

from jinja_fragcache.access.stats import Stats
from jinja_fragcache.access.store_check import place_of, store_name
from jinja_fragcache.engine.context import Context
from jinja_fragcache.engine.inspection import inspect, text_with_holes
from jinja_fragcache.errors import StoreError
from jinja_fragcache.operations import Operation
from jinja_fragcache.stores.facts import Facts

from .visits import Page, Visit

# A key that nobody has.
_PROBE = "jinja-fragcache-probe"
_MOST_CHARACTERS = 200_000
# The counters that are always kept, in the words of people. Of those that are bad, any
# number but 0 stands out.
_COUNTERS = {
    "hits": "Hits",
    "misses": "Misses",
    "stale": "Served after their timeout",
    "uncached": "Made without asking the store",
    "waited": "Misses served what another caller made",
    "stored": "Entries written",
    "too_large": "Not stored because they are too large",
    "deleted": "Keys deleted",
    "near_hits": "Keys found near",
    "verified": "Hits verified",
    "differed": "Of them, those that differed",
    "failures": "Reads and writes that failed",
    "skipped": "Reads and writes skipped after a failure",
}
_BAD = {"differed", "failures", "skipped"}


class _Counter(NamedTuple):
    """A counter of this process.

    Attributes:
        what: What it counts.
        number: How many.
        is_bad: Whether people should look at it.
    """

    what: str
    number: int
    is_bad: bool


def entry_page(visit: Visit) -> Operation[Page]:
    """Make the page of what is stored under a key.

    Raises:
        StoreError: If the store failed.
    """
    key = visit.request.query.get("key", "")
    found = (yield from inspect(visit.context, key)) if key else None
    text = ""
    if found is not None and found.entry is not None:
        text = text_with_holes(found.entry)
    values = {
        "here": f"entry?{urlencode({'key': key})}",
        "key": key,
        "found": found,
        "text": text[:_MOST_CHARACTERS],
        "characters": len(text),
    }
    status = HTTPStatus.OK if found or not key else HTTPStatus.NOT_FOUND
    return Page("entry.html", "One entry", values, status)


def settings_page(visit: Visit) -> Operation[Page]:
    """Make the page of the settings in force."""
    yield from ()
    # Those that somebody has set come first.
    settings = sorted(visit.settings(), key=lambda each: each.is_default)
    return Page("settings.html", "Settings", {"settings": settings})


def store_page(visit: Visit) -> Operation[Page]:
    """Make the page of the store: whether it answers, and how much is in it."""
    cache, context = visit.cache, visit.context
    # Before the store is asked, which closes the circuit breaker if it answers.
    was_answering = context.store.answers
    failure, took, facts = yield from _ask(context)
    values = {
        "store": store_name(cache.store),
        "place": place_of(cache.store),
        "was_answering": was_answering,
        "failure": failure,
        "took": took,
        "facts": facts,
        "counters": _counters(cache.stats()),
        "retry_after": cache.policy.retry_after,
        "near": cache.policy.near,
    }
    return Page("store.html", "Store", values)


def _counters(stats: Stats) -> list[_Counter]:
    return [
        _Counter(what, getattr(stats, name), name in _BAD and getattr(stats, name) > 0)
        for name, what in _COUNTERS.items()
    ]


def _ask(context: Context) -> Operation[tuple[str, float | None, Facts]]:
    """Return why the store does not answer, how long it took, and what it tells."""
    try:
        # The first call may open the connection.
        yield from context.store.examine([_PROBE])
        start = context.timer()
        yield from context.store.examine([_PROBE])
        took = context.timer() - start
        facts = yield from context.store.facts()
    except StoreError as error:
        return str(error), None, Facts()
    return "", took, facts or Facts()
