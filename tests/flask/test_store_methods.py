"""The methods of `Cache` for what is stored."""

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
    TimeoutValueError,
    make_template_fragment_key,
)
from tests.flask.support import make_cache
from tests.support import RecordingStore

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture(params=["simple", "filesystem", "redis"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    if request.param == "redis":
        client = redis.Redis(port=request.getfixturevalue("redis_port"))
        client.flushall()
        yield make_cache(CACHE_TYPE="redis", CACHE_REDIS_HOST=client)
        client.close()
    else:
        yield make_cache(CACHE_TYPE=request.param, CACHE_DIR=str(tmp_path))


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
def test_get_returns_the_value_that_was_set(
    cache: Cache, serializer: str, value: Any
) -> None:
    store = cache.fragment_cache.store
    cache = make_cache(CACHE_TYPE=store, CACHE_SERIALIZER=serializer)
    assert cache.set("k", value) is True
    got = cache.get("k")
    assert got == value
    assert type(got) is type(value)


@given(JSON_VALUES)
def test_get_returns_any_json_unchanged(value: Any) -> None:
    cache = make_cache(CACHE_SERIALIZER="json")
    cache.set("k", value)
    assert repr(cache.get("k")) == repr(value)


def test_a_key_without_a_value_is_none(cache: Cache) -> None:
    assert cache.get("k") is None
    assert not cache.has("k")
    assert cache.get_many("k", "l") == [None, None]


def test_has_counts_none_but_no_unreadable_entry(cache: Cache) -> None:
    cache.set("none", None)
    assert cache.has("none")
    cache.fragment_cache.store.set("torn", "\x1e{torn")
    assert not cache.has("torn")


def test_methods_for_several_keys(cache: Cache) -> None:
    assert cache.set_many({"a": 1, "b": [2]}, timeout=60) == ["a", "b"]
    assert cache.get_many("b", "x", "a") == [[2], None, 1]
    assert cache.get_dict("b", "x") == {"b": [2], "x": None}
    assert cache.delete_many("a", "x") == ["a", "x"]
    assert cache.get_dict("a", "b") == {"a": None, "b": [2]}
    assert cache.get_many() == []
    assert cache.set_many({}) == []


def test_add_stores_a_value_only_if_there_is_none(cache: Cache) -> None:
    assert cache.add("k", ["first"], timeout=60) is True
    assert cache.add("k", ["second"]) is False
    assert cache.get("k") == ["first"]
    assert cache.stats().stored == 1


def test_inc_and_dec_change_a_number(cache: Cache) -> None:
    assert [cache.inc("n"), cache.inc("n", 5), cache.dec("n", 2), cache.dec("n")] == [
        1,
        6,
        4,
        3,
    ]
    cache.set("n", 41)
    assert cache.inc("n") == 42
    assert cache.get("n") == 42


def test_inc_of_another_value_returns_none_and_leaves_it(cache: Cache) -> None:
    cache.set("k", "text")
    assert cache.inc("k") is None
    assert cache.get("k") == "text"


def test_delete_deletes_a_value(cache: Cache) -> None:
    cache.set("k", 1)
    assert cache.delete("k") is True
    assert cache.get("k") is None
    cache.delete("k")


def test_clear_deletes_all_values(cache: Cache) -> None:
    cache.set_many({"a": 1, "b": 2})
    assert cache.clear() is True
    assert cache.get_many("a", "b") == [None, None]


def test_clear_leaves_other_keys_on_the_server(redis_port: int) -> None:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        client.set("other", "kept")
        cache = make_cache(CACHE_TYPE="redis", CACHE_REDIS_HOST=client)
        cache.set("k", 1)
        assert set(client.scan_iter()) == {b"flask_cache_k", b"other"}
        cache.clear()
        assert list(client.scan_iter()) == [b"other"]


def test_the_value_of_a_fragment_is_its_text() -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    with app.test_request_context():
        render_template_string("{% cache 60, 'count' %}5{% endcache %}")
    key = make_template_fragment_key("count")
    assert cache.get(key) == "5"
    assert cache.get_many(key) == ["5"]


@pytest.mark.parametrize("timeout", [30, 29.5, timedelta(seconds=30), "30"])
def test_set_and_add_take_timeouts(timeout: Any) -> None:
    store = RecordingStore()
    cache = make_cache(CACHE_TYPE=store, CACHE_DEFAULT_TIMEOUT=60)
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
def test_a_key_must_be_a_string(key: Any) -> None:
    cache = make_cache()
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


def test_delta_must_be_an_int() -> None:
    wrong: Any = "1"
    with pytest.raises(TypeError, match="delta is a whole number"):
        make_cache().inc("n", wrong)


def test_set_many_needs_a_dictionary() -> None:
    wrong: Any = "text"
    with pytest.raises(TypeError, match="set_many takes a dictionary"):
        make_cache().set_many(wrong)
