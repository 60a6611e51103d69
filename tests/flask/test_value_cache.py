"""Values of any type: `Cache.get`, `set` and the like."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from flask import Flask, render_template_string
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from jinja_fragcache import (
    Cache,
    KeyValueError,
    MemoryStore,
    SerializationError,
    Stats,
    StoreError,
    TimeoutValueError,
    make_template_fragment_key,
)
from tests.support import RecordingStore

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def make(**settings: Any) -> Cache:
    settings.setdefault("CACHE_TYPE", "simple")
    return Cache(Flask(__name__), config=settings)


@pytest.fixture(params=["simple", "filesystem", "redis"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    if request.param == "redis":
        client = redis.Redis(port=request.getfixturevalue("redis_port"))
        client.flushall()
        yield make(CACHE_TYPE="redis", CACHE_REDIS_HOST=client)
        client.close()
    else:
        yield make(CACHE_TYPE=request.param, CACHE_DIR=str(tmp_path))


VALUES = [
    "text",
    "",
    "5",
    "\x1e{}\ntext",
    5,
    -(2**63),
    2**63,
    True,
    None,
    1.5,
    b"\x00\xff",
    Markup("<b>"),
    ["a", {"b": (1, 2)}],
    datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    date(2026, 1, 2),
    Decimal("1.10"),
    UUID(int=5),
]


@pytest.mark.parametrize("serializer", ["pickle", "json"])
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_set_and_get_give_the_same_value(
    cache: Cache, serializer: str, value: Any
) -> None:
    store = cache.cache
    cache = make(CACHE_TYPE=store, CACHE_SERIALIZER=serializer)
    assert cache.set("k", value) is True
    got = cache.get("k")
    assert got == value
    assert type(got) is type(value)


@given(JSON_VALUES)
def test_any_json_comes_back(value: Any) -> None:
    cache = make(CACHE_SERIALIZER="json")
    cache.set("k", value)
    assert repr(cache.get("k")) == repr(value)


def test_texts_and_numbers_are_stored_as_they_are() -> None:
    cache = make()
    cache.set_many({"text": "<p>", "number": 5})
    assert [cache.cache.get(key) for key in ("text", "number")] == ["<p>", 5]


def test_what_is_not_there_is_none(cache: Cache) -> None:
    assert cache.get("k") is None
    assert not cache.has("k")
    assert cache.get_many("k", "l") == [None, None]


def test_has_tells_of_none_and_of_what_can_be_read(cache: Cache) -> None:
    cache.set("none", None)
    assert cache.has("none")
    cache.cache.set("torn", "\x1e{torn")
    assert not cache.has("torn")


def test_many(cache: Cache) -> None:
    assert cache.set_many({"a": 1, "b": [2]}, timeout=60) == ["a", "b"]
    assert cache.get_many("b", "x", "a") == [[2], None, 1]
    assert cache.get_dict("b", "x") == {"b": [2], "x": None}
    assert cache.delete_many("a", "x") == ["a", "x"]
    assert cache.get_dict("a", "b") == {"a": None, "b": [2]}
    assert cache.get_many() == []
    assert cache.set_many({}) == []


def test_add_stores_what_is_not_there(cache: Cache) -> None:
    assert cache.add("k", ["first"], timeout=60) is True
    assert cache.add("k", ["second"]) is False
    assert cache.get("k") == ["first"]
    assert cache.stats().stored == 1


def test_inc_and_dec_count(cache: Cache) -> None:
    assert [cache.inc("n"), cache.inc("n", 5), cache.dec("n", 2), cache.dec("n")] == [
        1,
        6,
        4,
        3,
    ]
    cache.set("n", 41)
    assert cache.inc("n") == 42
    assert cache.get("n") == 42


def test_inc_of_what_is_no_number_gives_none_and_leaves_it(cache: Cache) -> None:
    cache.set("k", "text")
    assert cache.inc("k") is None
    assert cache.get("k") == "text"


def test_delete(cache: Cache) -> None:
    cache.set("k", 1)
    assert cache.delete("k") is True
    assert cache.get("k") is None
    cache.delete("k")


def test_clear(cache: Cache) -> None:
    cache.set_many({"a": 1, "b": 2})
    assert cache.clear() is True
    assert cache.get_many("a", "b") == [None, None]


def test_clear_leaves_what_others_keep_on_the_server(redis_port: int) -> None:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        client.set("other", "kept")
        cache = make(CACHE_TYPE="redis", CACHE_REDIS_HOST=client)
        cache.set("k", 1)
        assert set(client.scan_iter()) == {b"flask_cache_k", b"other"}
        cache.clear()
        assert list(client.scan_iter()) == [b"other"]


def test_a_fragments_value_is_its_text() -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    with app.test_request_context():
        render_template_string("{% cache 60, 'count' %}5{% endcache %}")
    key = make_template_fragment_key("count")
    assert cache.get(key) == "5"
    assert cache.get_many(key) == ["5"]


@pytest.mark.parametrize("timeout", [30, 29.5, timedelta(seconds=30), "30"])
def test_timeouts(timeout: Any) -> None:
    store = RecordingStore()
    cache = make(CACHE_TYPE=store, CACHE_DEFAULT_TIMEOUT=60)
    if isinstance(timeout, str):
        for use in (cache.set, cache.add):
            with pytest.raises(TimeoutValueError):
                use("k", 1, timeout=timeout)
        return
    cache.set("a", 1, timeout)
    cache.add("b", 1, timeout=timeout)
    cache.set("c", 1)
    cache.set("d", 1, timeout=0)
    assert store.timeouts == {"a": 30, "b": 30, "c": 60, "d": 0}


@pytest.mark.parametrize("key", [None, 5, b"k"])
def test_a_key_that_is_no_text_is_refused(key: Any) -> None:
    cache = make()
    calls: list[Callable[[], Any]] = [
        lambda: cache.get(key),
        lambda: cache.get_many("a", key),
        lambda: cache.has(key),
        lambda: cache.set(key, 1),
        lambda: cache.add(key, 1),
        lambda: cache.inc(key),
        lambda: cache.delete(key),
        lambda: cache.delete_many("a", key),
    ]
    for call in calls:
        with pytest.raises(KeyValueError, match="A key has to be a text"):
            call()


def test_a_wrong_delta_is_refused() -> None:
    wrong: Any = "1"
    with pytest.raises(TypeError, match="delta is a whole number"):
        make().inc("n", wrong)


def test_a_failing_store_gives_nothing_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = RecordingStore()
    cache = make(CACHE_TYPE=store)
    store.failing = {"get", "set"}
    assert cache.get("k") is None
    assert cache.get_dict("k") == {"k": None}
    assert cache.has("k") is False
    assert cache.set("k", 1) is False
    assert cache.set_many({"k": 1, "l": 2}) == []
    assert cache.add("k", 1) is False
    assert cache.inc("k") is None
    assert cache.stats() == Stats(misses=3, failures=1, skipped=6)
    assert "could not read 'k': ConnectionError" in caplog.text


@pytest.mark.parametrize("ignored", [False, True])
def test_a_failing_delete_is_an_error_unless_ignored(
    ignored: bool,  # noqa: FBT001 - a parameter of the test
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = RecordingStore()
    cache = make(CACHE_TYPE=store, CACHE_IGNORE_ERRORS=ignored)
    store.failing = {"delete", "clear"}
    calls: list[tuple[Any, Any]] = [
        (lambda: cache.delete("k"), False),
        (lambda: cache.delete_many("k"), []),
        (lambda: cache.delete_fragment("x"), False),
        (cache.clear, False),
    ]
    for call, answer in calls:
        if ignored:
            assert call() == answer
        else:
            with pytest.raises(StoreError, match="may still be served"):
                call()
    levels = [record.levelno for record in caplog.records]
    assert levels == ([logging.WARNING] * 4 if ignored else [])


def test_a_value_that_can_not_be_kept_is_logged_or_in_testing_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})

    def local() -> None: ...

    assert cache.set("k", local) is False
    assert cache.add("k", local) is False
    assert cache.set_many({"a": 1, "k": local}) == []
    assert cache.get_dict("a", "k") == {"a": 1, "k": None}
    assert len(caplog.records) == 1
    assert "'k' is not stored. <function" in caplog.text
    assert "can't be pickled" in caplog.text
    app.testing = True
    for store in (cache.set, cache.add):
        with pytest.raises(SerializationError, match="'k' is not stored"):
            store("k", local)


def test_what_is_stored_by_another_serializer_is_not_read() -> None:
    store = MemoryStore()
    pickled, json = (
        make(CACHE_TYPE=store, CACHE_SERIALIZER=name) for name in ("pickle", "json")
    )
    pickled.set("k", [1])
    assert json.get("k") is None
    assert not json.has("k")
    json.set("k", [2])
    assert pickled.get("k") is None


def test_what_is_not_signed_is_not_read(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    old, new, none = (
        make(CACHE_TYPE=store, CACHE_SIGNING_KEY=key)
        for key in ("old secret", ["old secret", "new secret"], None)
    )
    old.set("a", [1])
    assert new.get("a") == [1]
    new.set("b", [2])
    assert old.get("b") is None
    assert none.get("a") is None
    store.set("c", store.get("a"))
    assert old.get("c") is None
    assert "could not read 'c': ValueError: it is not signed" in caplog.text
    assert "secret" not in caplog.text
