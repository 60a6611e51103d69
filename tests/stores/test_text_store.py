from datetime import timedelta
from pathlib import Path
from typing import Any

import cachelib
import pytest
import redis

from jinja_fragcache.errors import TimeoutValueError
from jinja_fragcache.stores import FileStore, MemcachedStore, RedisStore
from jinja_fragcache.stores.text_store import TextStore


class DictStore(TextStore):
    """A store that defines only what a subclass has to."""

    def __init__(self, default_timeout: Any = 300) -> None:
        super().__init__(default_timeout)
        self.values: dict[str, Any] = {}
        self.timeouts: dict[str, int] = {}

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        if value == "refused":
            return False
        self.values[key] = value
        self.timeouts[key] = self._seconds(timeout)
        return True

    def delete(self, key: str) -> bool:
        return self.values.pop(key, None) is not None

    def has(self, key: str) -> bool:
        return key in self.values

    def inc(self, key: str, delta: int = 1) -> int | None:
        self.values[key] = self.values.get(key, 0) + delta
        return int(self.values[key])


def test_the_stores_of_bytes_are_cachelib_caches(tmp_path: Path) -> None:
    with redis.Redis() as client:
        stores = [FileStore(str(tmp_path)), RedisStore(client), MemcachedStore()]
        for store in stores:
            assert isinstance(store, cachelib.BaseCache)
            assert store.default_timeout == 300
    stores[-1].close()  # type: ignore[attr-defined]  # the one for Memcached


def test_many_are_set_got_and_deleted_one_by_one() -> None:
    store = DictStore()
    assert store.set_many({"a": 1, "b": "refused", "c": "x"}, 5) == ["a", "c"]
    assert store.timeouts == {"a": 5, "c": 5}
    assert store.get_many("a", "b", "c") == [1, None, "x"]
    assert store.get_dict("c", "b") == {"c": "x", "b": None}
    assert store.delete_many("a", "b") == ["a", "b"]
    assert store.values == {"c": "x"}


def test_what_is_still_there_is_not_among_the_deleted_keys() -> None:
    class Stubborn(DictStore):
        def delete(self, key: str) -> bool:
            return False

    store = Stubborn()
    store.set("a", 1)
    assert store.delete_many("a", "missing") == ["missing"]


def test_dec_counts_down() -> None:
    store = DictStore()
    assert [store.inc("k", 5), store.dec("k"), store.dec("k", 3)] == [5, 4, 1]


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(None, 300), (0, 0), (7, 7), (1.5, 2), (timedelta(minutes=1), 60)],
)
def test_a_timeout_is_whole_seconds(timeout: Any, seconds: int) -> None:
    store = DictStore()
    store.set("k", "x", timeout)
    assert store.timeouts == {"k": seconds}


@pytest.mark.parametrize("timeout", [-1, "300", True])
def test_a_wrong_timeout_is_refused(timeout: Any) -> None:
    with pytest.raises(TimeoutValueError, match="A timeout can't be"):
        DictStore(timeout)
    with pytest.raises(TimeoutValueError, match="A timeout can't be"):
        DictStore().set("k", "x", timeout)


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(7, 7), (timedelta(minutes=1), 60), (0, 0), (None, 0)]
)
def test_the_default_timeout_is_whole_seconds(timeout: Any, seconds: int) -> None:
    assert DictStore(timeout).default_timeout == seconds


def test_the_default_timeout_can_be_changed() -> None:
    store = DictStore()
    store.default_timeout = 9
    store.set("k", "x")
    assert store.timeouts == {"k": 9}
