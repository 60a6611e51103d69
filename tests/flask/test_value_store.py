"""The store as `cache.cache` and `app.extensions["cache"][cache]` give it."""

import copy
from typing import Any

import flask_caching
import pytest
from flask import Flask

from jinja_fragcache import Cache, MemoryStore
from jinja_fragcache.flask.first_use import UndecidedCache
from tests.flask.support import Site, make_cache

VALUES: list[Any] = ["<p>", 5, None, {"a": [1]}, b"bytes"]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_it_gives_and_takes_the_values_that_the_cache_does(value: Any) -> None:
    cache = make_cache()
    cache.set("set by the cache", value)
    assert cache.cache.get("set by the cache") == value
    assert cache.cache.set("set by the store", value) is True
    assert cache.get("set by the store") == value
    assert cache.cache.has("set by the store")


def test_a_subclass_may_read_from_it() -> None:
    class Upper(Cache):
        def get(self, key: str) -> Any:
            return {name.upper(): each for name, each in self.cache.get(key).items()}

    cache = Upper(Flask(__name__), config={"CACHE_TYPE": "simple"})
    cache.set("k", {"name": "x"})
    assert cache.get("k") == {"NAME": "x"}


def test_methods_for_several_keys_and_for_numbers() -> None:
    cache = make_cache()
    assert cache.cache.set_many({"a": [1], "b": (2,)}) == ["a", "b"]
    assert cache.cache.get_dict("a", "b") == {"a": [1], "b": (2,)}
    assert cache.cache.add("a", "second") is False
    assert cache.cache.inc("n") == 1
    assert cache.cache.delete_many("a", "n") == ["a", "n"]
    assert cache.cache.clear() is True
    assert cache.get("b") is None


def test_a_value_of_memoize_can_be_deleted_in_it() -> None:
    site = Site()

    @site.cache.memoize()
    def function() -> int:
        return site.calls()

    assert [function(), function()] == [1, 1]
    site.cache.cache.delete(function.make_cache_key())
    assert function() == 2


def test_it_has_the_class_and_the_attributes_of_the_store() -> None:
    site = Site()
    store: Any = site.cache.cache
    assert [isinstance(store, each) for each in (MemoryStore, dict)] == [True, False]
    site.cache.set("k", "text")
    assert store.remaining("k") == site.store.remaining("k") == 300
    with pytest.raises(AttributeError, match="'MemoryStore' object has no attribute"):
        _ = store.colour


def test_a_copy_has_the_same_store() -> None:
    cache = make_cache()
    copied: Any = copy.copy(cache.cache)
    cache.set("k", ["value"])
    assert copied.get("k") == ["value"]


def test_the_extensions_have_it_and_choose_when_it_is_used() -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    stores = app.extensions["cache"]
    assert list(stores) == [cache]
    store = stores[cache]
    assert type(app.jinja_env.fragment_cache) is UndecidedCache  # type: ignore[attr-defined]
    store.set("k", {"a": 1})
    assert cache.get("k") == {"a": 1}
    assert isinstance(store, MemoryStore)


def test_several_caches_and_flask_caching_itself_share_the_extensions() -> None:
    app = Flask(__name__)
    config = {"CACHE_TYPE": "SimpleCache"}
    theirs = flask_caching.Cache(app, with_jinja2_ext=False, config=config)
    caches: list[Any] = [theirs, *(Cache(app, config=config) for _ in range(2))]
    stores = app.extensions["cache"]
    assert list(stores) == caches
    for number, each in enumerate(caches):
        each.set("k", [number])
    assert [stores[each].get("k") for each in caches] == [[0], [1], [2]]
