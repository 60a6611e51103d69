"""How values are stored, and what happens if that fails."""

import logging
from typing import Any

import pytest
from flask import Flask

from jinja_fragcache import Cache, MemoryStore, SerializationError, Stats, StoreError
from tests.flask.support import Site, make_cache
from tests.support import RecordingStore


def test_strings_and_ints_are_stored_as_they_are() -> None:
    cache = make_cache()
    cache.set_many({"text": "<p>", "number": 5})
    store = cache.fragment_cache.store
    assert [store.get(key) for key in ("text", "number")] == ["<p>", 5]


def test_entries_of_another_serializer_are_not_read() -> None:
    store = MemoryStore()
    pickled, json = (
        make_cache(CACHE_TYPE=store, CACHE_SERIALIZER=name)
        for name in ("pickle", "json")
    )
    pickled.set("k", [1])
    assert json.get("k") is None
    assert not json.has("k")
    json.set("k", [2])
    assert pickled.get("k") is None


def test_entries_without_a_valid_signature_are_not_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore()
    old, new, none = (
        make_cache(CACHE_TYPE=store, CACHE_SIGNING_KEY=key)
        for key in ("old secret", ["old secret", "new secret"], None)
    )
    old.set("a", [1])
    assert new.get("a") == [1]
    new.set("b", [2])
    assert old.get("b") is None
    assert none.get("a") is None
    store.set("c", store.get("a"))
    assert old.get("c") is None
    assert "could not read 'c': DamagedValueError: it is not signed" in caplog.text
    assert "secret" not in caplog.text


def test_a_value_that_can_not_be_stored_is_logged_or_raised_in_testing(
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
    assert "'k' is not stored. an object of function can't" in caplog.text
    assert "can't be pickled" in caplog.text
    app.testing = True
    for store in (cache.set, cache.add):
        with pytest.raises(SerializationError, match="'k' is not stored"):
            store("k", local)


def test_a_failing_store_has_no_values_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = RecordingStore()
    cache = make_cache(CACHE_TYPE=store)
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
def test_a_failing_delete_is_an_error_unless_errors_are_ignored(
    ignored: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = RecordingStore()
    cache = make_cache(CACHE_TYPE=store, CACHE_IGNORE_ERRORS=ignored)
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


def test_a_value_set_under_the_key_of_a_call_is_the_calls_value(site: Site) -> None:
    @site.cache.memoize(tags=lambda _, b=0: [f"b:{b}"])
    def function(a: int, b: int = 0) -> Any:
        return site.calls()

    def set_both() -> None:
        key = function.make_cache_key(function.uncached, 1)
        assert site.cache.set(key, "set")
        assert site.cache.add(function.make_cache_key(function, 2), "added")

    set_both()
    assert [function(1), function(2, b=0)] == ["set", "added"]
    site.cache.delete_memoized(function)
    assert [function(1), function(2)] == [1, 2]
    site.cache.set(function.make_cache_key(1), "set again")
    assert function(1) == "set again"
    site.cache.invalidate_tags("b:0")
    assert [function(1), function(2)] == [3, 4]


def test_nothing_is_set_under_the_key_of_a_call_if_its_tags_can_not_be_read() -> None:
    class NoVersions(MemoryStore):
        def add(self, *_: Any, **__: Any) -> bool:
            raise OSError("no")

    site = Site(CACHE_TYPE=NoVersions())

    @site.cache.memoize()
    def function() -> int:
        return site.calls()

    key = function.make_cache_key()
    assert not site.cache.set(key, "set")
    assert site.store.get(str(key)) is None
