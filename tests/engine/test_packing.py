import sys
from types import FrameType
from typing import Any

import cachelib
import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from jinja_fragcache import Cache, FragmentCache, MemoryStore
from jinja_fragcache.access import seal, sealed_store
from jinja_fragcache.engine import packing
from jinja_fragcache.entries import compression
from jinja_fragcache.entries.entry import utf8_length
from tests.support import (
    Clock,
    CoroutineStore,
    Counter,
    RecordingStore,
    ask,
    environment,
)

# 3,000 bytes of UTF-8, and fewer characters.
TEXT = "\u00fc" * 1400 + "-" * 200


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@given(
    st.integers(2990, 3010),
    st.sampled_from([None, "secret"]),
    st.sampled_from([None, "zlib"]),
)
@example(2999, None, None)
@example(3000, None, None)
def test_an_entry_is_stored_up_to_the_size_that_the_store_is_handed(
    most: int, signing_key: str | None, compression: str | None
) -> None:
    store = RecordingStore()
    options: dict[str, Any] = {"signing_key": signing_key, "compression": compression}
    ask(FragmentCache(store, **options), "k", lambda: TEXT)
    size = utf8_length(store.values.pop("k"))
    if compression is None:
        assert size >= 3000
    limited = FragmentCache(store, **options, max_entry_size=most)
    for _ in range(2):
        assert ask(limited, "k", lambda: TEXT) == TEXT
    assert limited.stats().too_large == (0 if "k" in store.values else 2)
    # The end of an entry has a digit less in this century than is reckoned with.
    assert ("k" in store.values) is (size + bool(signing_key) <= most)


@pytest.mark.parametrize("kind", [RecordingStore, CoroutineStore])
def test_larger_entries_are_rendered_and_logged_once_for_each_fragment(
    kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    page = (
        '{% cache 60, "big", i %}{{ n() }}{{ i * 500 }}'
        '{% cache 60, "small" %}{{ n() }}{% endcache %}{% endcache %}|'
        '{% cache_each j in ["c", "dd"], 60, "row", j %}{{ n() }}{{ j * 300 }}'
        "{% endcache_each %}"
    )
    # What a body cost is a part of its entry's header.
    cache = FragmentCache(kind(), max_entry_size=500, clock=Clock(), timer=Clock())
    env = environment({"page": page}, cache, enable_async=kind is CoroutineStore)
    template, renders = env.get_template("page"), Counter()

    def render(i: str) -> str:
        text = template.render(n=renders, i=i)
        return text.replace(i * 500, "").replace("c" * 300, "").replace("d" * 600, "")

    assert [render("a"), render("a"), render("b")] == ["12|34", "52|36", "72|38"]
    assert cache.stats().too_large == 6
    assert sorted(lines(caplog)) == [
        f"fragment:{name} is not stored: it has {size} bytes. max_entry_size"
        " (CACHE_MAX_ENTRY_SIZE) allows 500. Cache smaller parts, or allow more."
        for name, size in [("big", 544), ("row", 601)]
    ]


def test_larger_values_are_returned_and_logged_once_for_each_function(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = {"CACHE_TYPE": "simple", "CACHE_MAX_ENTRY_SIZE": 1000}
    cache = Cache(Flask(__name__), config=settings)
    calls = Counter()

    @cache.memoize(60)
    def times(number: int) -> list[int]:
        return [calls()] * number

    assert [len(times(each)) for each in (1, 1, 500, 500, 600)] == [1, 1, 500, 500, 600]
    assert calls.calls == 4
    assert cache.set("k", "small") is True
    assert cache.set_many({"k": TEXT, "l": "small"}) == []
    assert cache.add("m", TEXT) is False
    assert cache.get_many("k", "l", "m") == ["small", "small", None]
    assert [line.partition(" is not stored")[0] for line in lines(caplog)] == [
        f"{__name__}.{times.__qualname__}()",
        "'k'",
        "'m'",
    ]


def test_an_entry_that_compression_makes_small_enough_is_stored() -> None:
    store = RecordingStore()
    cache = FragmentCache(store, compression="zlib", max_entry_size=200)
    ask(cache, "k", lambda: TEXT)
    assert store.values["k"].startswith("\x1ezlib:3000:")
    assert ask(cache, "k", lambda: "other") == TEXT


@pytest.mark.parametrize("make", [MemoryStore, cachelib.SimpleCache])
def test_with_all_off_neither_a_hit_nor_a_miss_calls_any_of_it(make: Any) -> None:
    page = (
        '{% cache 60, "a" %}{{ long }}{% endcache %}'
        '{% cache 60, "b", tags=["t"], stale=5 %}{{ long }}{% endcache %}'
        '{% cache_each i in [1, 2], 60, "row", i %}{{ i }}{% endcache_each %}'
    )
    files = {each.__file__ for each in (seal, sealed_store, compression, packing)}

    def called(**options: Any) -> list[list[str]]:
        env = environment({"page": page}, FragmentCache(make(), **options))
        template, calls = env.get_template("page"), list[list[str]]()

        def profile(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_code.co_filename in files:
                calls[-1].append(frame.f_code.co_name)

        for _ in range(2):
            calls.append([])
            before = sys.getprofile()
            sys.setprofile(profile)
            template.render(long=TEXT)
            sys.setprofile(before)
        return calls

    assert called() == [[], []]
    # The same finds what is called with each of them on.
    miss, hit = called(compression="zlib")
    assert ("compress" in miss, "decompress" in hit) == (True, True)
    miss, hit = called(signing_key="secret")
    assert ("seal" in miss, "open" in hit) == (True, True)
    miss, hit = called(max_entry_size=10**6)
    assert ("pack" in miss, hit) == (True, [])
