"""A cache that is chosen when it is first used."""

import copy
import pickle

import pytest

from jinja_fragcache import FragmentCache, MemoryStore
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.flask.first_use import UndecidedCache
from tests.support import Counter


def test_it_is_chosen_once_and_then_a_plain_cache() -> None:
    calls = Counter()
    chosen = FragmentCache(default_timeout=7)

    def choose() -> FragmentCache:
        calls()
        return chosen

    cache = UndecidedCache(choose, chosen.policy)
    assert isinstance(cache, FragmentCache)
    assert calls.calls == 0
    assert cache.policy.default_timeout == 7
    assert cache.store is chosen.store
    assert cache.engine is chosen.engine
    assert calls.calls == 1
    # The fast path of a hit asks for exactly this class.
    assert type(cache) is FragmentCache


def test_its_rules_are_known_before() -> None:
    policy = Policy(default_timeout=7)
    cache = UndecidedCache(FragmentCache, policy)
    assert cache.policy is policy
    assert type(cache) is UndecidedCache


def test_methods_choose_as_well() -> None:
    store = MemoryStore()
    cache = UndecidedCache(lambda: FragmentCache(store), Policy())
    cache.invalidate_tags("t")
    assert type(cache) is FragmentCache
    assert len(store) == 1


def test_an_error_of_the_choice_is_raised_until_it_is_gone() -> None:
    errors = [ValueError("wrong")]

    def choose() -> FragmentCache:
        if errors:
            raise errors.pop()
        return FragmentCache()

    cache = UndecidedCache(choose, Policy())
    with pytest.raises(ValueError, match="wrong"):
        cache.get("k")
    assert cache.get("k") is None


def test_an_attribute_that_no_cache_has_is_an_error() -> None:
    cache = UndecidedCache(FragmentCache, Policy())
    with pytest.raises(AttributeError, match="_colour"):
        _ = cache._colour
    assert type(cache) is UndecidedCache
    with pytest.raises(AttributeError, match="colour"):
        _ = cache.colour


def test_copies_and_pickles_are_those_of_a_plain_cache() -> None:
    policy = Policy(default_timeout=7)
    cache = UndecidedCache(lambda: FragmentCache(default_timeout=7), policy)
    assert copy.copy(cache) is cache
    assert copy.deepcopy(cache) is cache
    assert type(cache) is UndecidedCache
    assert pickle.loads(pickle.dumps(cache)).policy.default_timeout == 7


def test_a_thread_that_comes_second_does_not_choose_again() -> None:
    calls = Counter()

    def choose() -> FragmentCache:
        calls()
        return FragmentCache()

    cache = UndecidedCache(choose, Policy())
    store = cache.store
    # As called by a thread that has waited for the lock meanwhile.
    assert UndecidedCache.__getattr__(cache, "store") is store
    assert calls.calls == 1
