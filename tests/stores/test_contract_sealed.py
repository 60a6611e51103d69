"""Compressed and signed entries, on every store and both faces of its adapter."""

import asyncio
from typing import Any

import pytest
from flask import Flask
from markupsafe import escape

from jinja_fragcache import Cache, FragmentCache
from jinja_fragcache.keys.fragment import make_template_fragment_key
from tests.stores.contract import (
    ASYNC_ONLY,
    COUNTS,
    PROMISES,
    Coroutines,
    Near,
    Subject,
)
from tests.support import Calls, environment, in_threads

LONG = "<li class='row'>Grüße &amp; \U0001f98a</li>\n" * 60
PAGE = (
    '{% cache 60, "page" %}{{ n() }}{{ long }}{% cache_each i in [1, 2], 60, "row", i,'
    ' tags=["row:%s" % i] %}{{ n() }}{{ long }}'
    "{% nocache %}({{ user }}){% endnocache %}{% endcache_each %}{% endcache %}"
    '{% cache 60, "plain" %}{{ n() }}{{ long }}{% endcache %}'
)
PLAIN = make_template_fragment_key("plain")
ALL_OPTIONS: list[dict[str, Any]] = [
    {"compression": "zlib"},
    {"compression": "zstd"},
    {"signing_key": "secret"},
    {"compression": "zlib", "signing_key": ["old", b"secret"]},
]


class Pages:
    """Renders a page with caches of their own, as several processes would."""

    def __init__(self, both: tuple[Subject, Calls]) -> None:
        self.subject, self.face = both
        self.is_async = isinstance(self.face, Coroutines)
        self._numbers = iter(range(1, 100)).__next__

    def cache(self, **options: Any) -> FragmentCache:
        return FragmentCache(self.subject.store, **options)

    def stored(self, key: str) -> Any:
        """Return what the store has, of which the face does not know all changes."""
        if isinstance(self.face, Near):
            self.face.adapter.near.note_change_of_all()  # type: ignore[attr-defined]
        return self.face.get(key)

    def render(self, cache: FragmentCache, user: str = "a") -> str:
        env = environment({"page": PAGE}, cache, enable_async=self.is_async)
        text = env.get_template("page").render(n=self._numbers, long=LONG, user=user)
        return text.replace(str(escape(LONG)), "-")

    def call(self, cache: FragmentCache, method: str, *arguments: Any) -> Any:
        if self.is_async:
            return asyncio.run(getattr(cache, f"{method}_async")(*arguments))
        return getattr(cache, method)(*arguments)


@pytest.fixture
def pages(both: tuple[Subject, Calls]) -> Pages:
    return Pages(both)


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=str)
def test_pages_are_right_and_served_from_every_store(
    pages: Pages, options: dict[str, Any]
) -> None:
    first, second = pages.cache(**options), pages.cache(**options)
    assert pages.render(first) == "1-2-(a)3-(a)4-"
    assert pages.render(second, "b") == "1-2-(b)3-(b)4-"
    pages.call(second, "invalidate_tags", "row:2")
    assert pages.render(first) == "5-2-(a)6-(a)4-"
    assert pages.render(second) == "5-2-(a)6-(a)4-"
    pages.call(first, "delete_fragment", "plain")
    assert pages.call(second, "get", PLAIN) is None
    assert pages.render(second) == "5-2-(a)6-(a)7-"
    assert pages.call(first, "get", PLAIN).startswith("7&lt;li class=")
    assert (first.stats().failures, second.stats().failures) == (0, 0)


def test_compressed_entries_are_smaller_and_signed_ones_all_signed(
    pages: Pages,
) -> None:
    plain = 0
    for options in [{}, *ALL_OPTIONS]:
        cache = pages.cache(**options)
        pages.call(cache, "clear")
        pages.render(cache)
        stored = pages.stored(PLAIN)
        plain = plain or len(stored)
        if "compression" in options:
            assert len(stored) < plain / 5
        assert stored.startswith("\x1esigned:") is ("signing_key" in options)


def test_entries_stay_readable_if_compression_is_turned_on_changed_or_off(
    pages: Pages,
) -> None:
    caches = [
        pages.cache(compression=method) for method in (None, "zlib", "zstd", None)
    ]
    for at, writer in enumerate(caches):
        pages.call(writer, "clear")
        made = pages.render(writer)
        for reader in caches:
            assert pages.render(reader) == made, at
    assert sum(cache.stats().failures for cache in caches) == 0


def test_what_is_not_signed_with_a_known_key_is_a_miss(pages: Pages) -> None:
    none, old, both, new = (
        pages.cache(signing_key=key) for key in (None, "old", ["old", "new"], "new")
    )
    assert pages.render(none) == "1-2-(a)3-(a)4-"
    assert pages.render(old) == "5-6-(a)7-(a)8-"
    assert pages.render(both) == "5-6-(a)7-(a)8-"
    assert pages.render(new) == "9-10-(a)11-(a)12-"
    assert pages.render(both) == "9-10-(a)11-(a)12-"
    assert pages.render(old) == "13-14-(a)15-(a)16-"
    # Tags were given versions, although others were there.
    assert pages.render(old) == "13-14-(a)15-(a)16-"
    assert none.stats().failures == both.stats().failures == 0
    assert min(old.stats().failures, new.stats().failures) >= 4


def with_settings(subject: Subject, **settings: Any) -> Cache:
    settings["CACHE_TYPE"] = subject.store
    return Cache(Flask(__name__), config=settings)


# Flask can't await anything, and Flask-Caching's cache is that of another application.
STORES = [each for each in PROMISES if each not in {*ASYNC_ONLY, "flask_caching_cache"}]


def on(stores: list[str]) -> pytest.MarkDecorator:
    faces = [(store, "sync") for store in stores]
    return pytest.mark.parametrize("both", faces, ids="-".join, indirect=True)


@on(STORES)
def test_values_come_back_as_they_were(both: tuple[Subject, Calls]) -> None:
    subject, _ = both
    for method in ("zlib", "zstd"):
        cache = with_settings(
            subject, CACHE_SIGNING_KEY="secret", CACHE_COMPRESSION=method
        )
        values = {"a": LONG, "b": [LONG], "c": 5, "d": None, "e": True}
        assert cache.set_many(values) == list(values)
        assert cache.get_many(*values) == list(values.values())
        assert cache.add("b", "other") is False
        calls: list[str] = []

        @cache.memoize(60)
        def double(text: str, calls: list[str] = calls) -> list[str]:
            calls.append(text)
            return [text, text]

        assert double(LONG, []) == double(LONG, []) == [LONG, LONG]
        assert cache.stats().failures == 0
        cache.delete_many(*values)
        assert cache.get_many(*values) == [None] * 5


@on(STORES)
def test_numbers_can_be_counted_with_where_entries_are_signed(
    both: tuple[Subject, Calls],
) -> None:
    subject, face = both
    one, other = (with_settings(subject, CACHE_SIGNING_KEY="secret") for _ in range(2))
    assert [one.inc("n"), other.inc("n", 5), one.dec("n", 2)] == [1, 6, 4]
    assert (one.get("n"), other.get_many("n", "x")) == (4, [4, None])
    one.set("n", 41)
    assert other.inc("n") == 42
    assert other.add("n", 0) is False
    one.delete("n")
    assert other.get("n") is None
    assert other.add("n", 7) is True
    assert one.inc("n") == 8
    # A number that somebody else has put there counts as nothing.
    face.set("n", 1000, 60)
    assert one.get("n") is None
    assert one.inc("n") == 1
    one.set("n", "text")
    assert one.inc("n") is None
    assert other.get("n") == "text"


@on([each for each in STORES if COUNTS in PROMISES[each]])
def test_no_count_is_lost_where_entries_are_signed(both: tuple[Subject, Calls]) -> None:
    subject, _ = both
    caches = [with_settings(subject, CACHE_SIGNING_KEY="secret") for _ in range(4)]
    in_threads(4, lambda number: [caches[number].inc("n") for _ in range(25)])
    assert caches[0].get("n") == 100
