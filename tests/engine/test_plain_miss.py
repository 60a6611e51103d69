"""Tests of the shortest way of a miss: it does the same as the operations."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Any

import pytest
from jinja2 import Environment

from jinja_fragcache import (
    FragmentCache,
    FragmentCacheError,
    MemoryStore,
    guard_variables,
    note_read,
)
from jinja_fragcache.engine import flow
from jinja_fragcache.engine.flow import renew
from jinja_fragcache.engine.lookup import NOTHING
from jinja_fragcache.engine.plain_miss import make_if_plain
from jinja_fragcache.engine.singleflight import Flight, Flights
from jinja_fragcache.engine.spec import FragmentSpec, NotStored
from jinja_fragcache.entries.entry import Entry
from jinja_fragcache.entries.freshness import want
from tests.support import Clock, Ears, environment

NOTHING_SET: Mapping[str, Any] = {}
SPEC = FragmentSpec("k", want(True, None), 60)
PAGES = {
    "text": '{% cache 60, "a", 1 %}text{% endcache %}',
    "no text": '{% cache 60, "a" %}{% endcache %}',
    "looks like a header": '{% cache 60, "a" %}{{ mark }}{% endcache %}',
    "not escaped": '{% autoescape false %}{% cache 60, "a" %}<{% endcache %}'
    "{% endautoescape %}",
    "tag": '{% for n in [1, 2] %}{% cache 60, "a", n, tags=["t"] %}text{% endcache %}'
    "{% endfor %}",
    "two tags": '{% for n in [1, 2] %}{% cache 60, "a", n, tags=["u", "t"] %}'
    "text{% endcache %}{% endfor %}",
    "tag in its body": '{% cache 60, "a" %}{{ cache_tag("t") }}{% endcache %}',
    "stale": '{% cache 60, "a", stale=30 %}text{% endcache %}',
    "nested": '{% cache 60, "a" %}{% cache 9, "b", tags=["t"] %}b{% endcache %}'
    "{% endcache %}",
    "nested that expires first": '{% cache 60, "a" %}{% cache 9, "b" %}b{% endcache %}'
    "{% endcache %}",
    "hole": '{% cache 60, "a" %}a{% nocache %}{{ n }}{% endnocache %}{% endcache %}',
    "version": '{% cache 60, "a", version=2 %}text{% endcache %}',
    "part that is not stored": '{% cache 60, "a" %}{% cache 60, "b", unless=true %}'
    "{% endcache %}{% endcache %}",
    "read": '{% cache 60, "a" %}{{ note() or "" }}{% endcache %}',
    "variable that differs": '{% cache 60, "a" %}{{ tenant }}{% endcache %}',
    "read that the key has": '{% cache 60, "a", tenant %}{{ note() or "" }}'
    "{% endcache %}",
    "too many tags": '{% cache 60, "a", tags=many %}text{% endcache %}',
}


def made(
    page: str,
    monkeypatch: pytest.MonkeyPatch,
    options: Mapping[str, Any] = NOTHING_SET,
    **values: Any,
) -> tuple[Any, ...]:
    """Return what a page shows and does, when it is rendered twice.

    That is what it asks its store, lands its flights with, and counts.
    """
    numbers = count()
    clock = Clock()
    store = MemoryStore(timer=clock)
    cache = FragmentCache(store, timer=clock, clock=clock, **options)
    env = environment({"page": page}, cache)
    asked: list[tuple[Any, ...]] = []

    def noting(name: str) -> Callable[..., Any]:
        method = getattr(MemoryStore, name)

        def note(*arguments: Any, **options: Any) -> Any:
            asked.append((name, *arguments[1:], options))
            return method(*arguments, **options)

        return note

    def land(flights: Flights, flight: Flight) -> None:
        asked.append((flight.key, flight.landing, flight.is_stored))
        flights_land(flights, flight)

    flights_land = Flights.land
    guard_variables("tenant")
    values = {
        "many": [str(number) for number in range(10_001)],
        "mark": "\x1e",
        "note": partial(note_read, "tenant", "x"),
        "tenant": "x",
        **values,
    }
    with monkeypatch.context() as patch:
        patch.setattr("os.urandom", lambda size: next(numbers).to_bytes(size, "big"))
        for name in ("add_many", "delete_many", "get", "get_many", "set"):
            patch.setattr(MemoryStore, name, noting(name))
        patch.setattr(Flights, "land", land)
        shown = [rendered(env, values) for _ in range(2)]
    return shown, asked, cache.stats().as_dict()


def rendered(env: Environment, values: dict[str, Any]) -> str:
    """Return the text of a page, or its error."""
    try:
        return env.get_template("page").render(values)
    except (KeyError, FragmentCacheError) as error:
        return repr(error)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_is_the_same_by_operations(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = made(page, monkeypatch)
    monkeypatch.setattr(flow, "make_if_plain", lambda *_: None)
    assert plain == made(page, monkeypatch)


@pytest.mark.parametrize(
    "options", [{"compression": "zlib"}, {"max_entry_size": 3}, {"stale": 30}], ids=str
)
def test_the_rules_of_the_cache_have_the_same_effect_by_operations(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = '{% cache 60, "a" %}' + 2000 * "a" + "{% endcache %}"
    plain = made(page, monkeypatch, options)
    monkeypatch.setattr(flow, "make_if_plain", lambda *_: None)
    assert plain == made(page, monkeypatch, options)


def test_a_text_without_more_tags_is_read_without_them() -> None:
    engine = FragmentCache().engine
    found = NOTHING._replace(versions={"t": "1", "u": "2"})
    hints = engine.context.tag_hints
    hints.note("k", ["u"])
    engine.run(partial(renew, SPEC._replace(tags=("t",)), found), str)
    assert hints.of("k") == ()


def test_a_value_that_must_not_be_stored_is_not_waited_for() -> None:
    class Refusing(FragmentSpec):
        def timeout_of(self, value: Any) -> int | None:
            raise NotStored

    engine = FragmentCache().engine
    spec = Refusing(*SPEC)
    assert engine.run(partial(renew, spec, NOTHING), lambda: "text") == "text"
    assert engine.context.flights.lead("k") is None


def test_a_page_that_raises_does_the_same_by_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> str:
        raise KeyError("no")

    page = '{% cache 60, "a", tags=["t"] %}{{ fail() }}{% endcache %}'
    plain = made(page, monkeypatch, fail=fail)
    assert plain[0] == ["KeyError('no')"] * 2
    monkeypatch.setattr(flow, "make_if_plain", lambda *_: None)
    assert plain == made(page, monkeypatch, fail=fail)


def test_all_other_misses_are_made_by_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    took: list[bool] = []

    def note(*arguments: Any) -> Any:
        took.append((way := make_if_plain(*arguments)) is not None)
        return way

    monkeypatch.setattr(flow, "make_if_plain", note)
    cache = FragmentCache()
    engine = cache.engine
    flow_ = partial(renew, SPEC, NOTHING)

    async def body() -> str:
        return "text"

    asyncio.run(engine.run_async(flow_, body))
    old = NOTHING._replace(entry=Entry("old"))
    engine.run(partial(renew, SPEC, old), str)
    engine.run(partial(renew, SPEC._replace(tags=("t",)), NOTHING), str)
    assert took == [False] * 3
    engine.run(partial(renew, SPEC._replace(key="other"), NOTHING), str)
    assert took == [False, False, False, True]
    # While somebody listens, it is not even asked.
    cache.listen(Ears())
    engine.run(flow_, str)
    assert len(took) == 4
