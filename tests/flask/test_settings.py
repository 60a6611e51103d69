import warnings
from typing import Any

import cachelib
import pytest

from jinja_fragcache import FragmentCache, MemoryStore, SettingError
from jinja_fragcache.flask.settings import make_fragment_cache


def made(**settings: Any) -> FragmentCache:
    return make_fragment_cache(settings, strict=lambda: False)


@pytest.mark.parametrize("name", ["simple", "SimpleCache"])
def test_simple_is_in_memory(name: str) -> None:
    cache = made(CACHE_TYPE=name)
    assert isinstance(cache.store, MemoryStore)
    assert cache.default_timeout == 300


@pytest.mark.parametrize("name", ["null", "NullCache"])
def test_null_keeps_nothing_and_says_so(name: str) -> None:
    with pytest.warns(UserWarning, match="CACHE_TYPE is 'null': nothing is cached"):
        cache = made(CACHE_TYPE=name)
    assert isinstance(cache.store, cachelib.NullCache)


def test_null_is_the_default() -> None:
    with pytest.warns(UserWarning, match="nothing is cached"):
        assert isinstance(made().store, cachelib.NullCache)


def test_the_warning_can_be_turned_off() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(CACHE_TYPE="null", CACHE_NO_NULL_WARNING=True)


def test_a_type_may_be_a_store() -> None:
    store = cachelib.SimpleCache()
    assert made(CACHE_TYPE=store).store is store


def test_the_default_timeout() -> None:
    assert made(CACHE_TYPE="simple", CACHE_DEFAULT_TIMEOUT=0).default_timeout == 0
    assert made(CACHE_TYPE="simple", CACHE_DEFAULT_TIMEOUT=1.5).default_timeout == 2


def test_the_threshold() -> None:
    store = made(CACHE_TYPE="simple", CACHE_THRESHOLD=2).store
    for key in "abc":
        store.set(key, key)
    assert [store.get(key) for key in "abc"] == [None, "b", "c"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"CACHE_TYPE": "redsi"}, "CACHE_TYPE can't be 'redsi'. It is one of 'null'"),
        ({"CACHE_TYPE": None}, "CACHE_TYPE can't be None"),
        ({"CACHE_TYPE": ["simple"]}, "CACHE_TYPE: builtins.list can't be a store"),
        ({"CACHE_TYPE": MemoryStore}, "write its name with"),
        ({"CACHE_DEFAULT_TIMEOUT": "300"}, "CACHE_DEFAULT_TIMEOUT: A timeout can't be"),
        ({"CACHE_DEFAULT_TIMEOUT": -1}, "CACHE_DEFAULT_TIMEOUT: A timeout can't be -1"),
        ({"CACHE_THRESHOLD": 0}, "CACHE_THRESHOLD can't be 0"),
        ({"CACHE_THRESHOLD": "500"}, "CACHE_THRESHOLD can't be '500'"),
        ({"CACHE_THRESHOLD": True}, "CACHE_THRESHOLD can't be True"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        made(**{"CACHE_TYPE": "simple", **settings})
