"""Caches that keep near what they read, as if each were that of another process."""

from typing import Any

import pytest

from jinja_fragcache import FragmentCache, StoreError, make_template_fragment_key
from jinja_fragcache.errors import AsyncOnlyError
from jinja_fragcache.stores import MemoryStore, RedisStore
from tests.near_site import NEAR, NESTED, PAGE, REMOVALS, TAGGED, NearSite
from tests.support import Clock, CoroutineStore, Counter, SharedStore, environment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> SharedStore:
    return SharedStore()


@pytest.fixture
def body() -> Counter:
    return Counter()


@pytest.fixture
def mine(store: SharedStore, body: Counter, clock: Clock) -> NearSite:
    return NearSite(store, body, timer=clock)


@pytest.fixture
def other(store: SharedStore, body: Counter, clock: Clock) -> NearSite:
    return NearSite(store, body, timer=clock)


@pytest.fixture(params=["page", "page_async"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("source", [PAGE, TAGGED, NESTED])
def test_what_was_read_is_not_read_again_until_the_near_timeout(
    mine: NearSite, store: SharedStore, clock: Clock, source: str, way: str
) -> None:
    page = getattr(mine, way)
    assert page(source) == page(source) == "1"
    store.calls.clear()
    clock.now += NEAR - 0.01
    assert page(source) == "1"
    assert store.calls == []
    clock.now += 0.01
    assert page(source) == "1"
    assert set(store.calls) == {"get"}


@pytest.mark.parametrize(("source", "remove"), REMOVALS)
def test_what_this_cache_removes_is_not_served_any_more(
    mine: NearSite, source: str, remove: Any, way: str
) -> None:
    page = getattr(mine, way)
    assert page(source) == page(source) == "1"
    remove(mine.cache)
    assert page(source) == page(source) == "2"


@pytest.mark.parametrize(("source", "remove"), REMOVALS)
def test_what_another_cache_removes_is_served_until_the_near_timeout(
    mine: NearSite, other: NearSite, clock: Clock, source: str, remove: Any, way: str
) -> None:
    page = getattr(mine, way)
    assert page(source) == page(source) == "1"
    remove(other.cache)
    clock.now += NEAR - 0.01
    assert page(source) == "1"
    clock.now += 0.01
    assert page(source) == "2"


def test_a_body_gets_nothing_that_is_only_near(
    mine: NearSite, other: NearSite, way: str
) -> None:
    page = getattr(mine, way)
    assert page(PAGE) == page(PAGE) == "1"
    other.cache.delete_fragment("x")
    # Or the outer one would keep what was deleted before it was made, for 300 seconds.
    assert page(NESTED) == "2"
    assert page(PAGE) == "2"


def test_a_value_in_a_body_is_not_one_that_is_only_near(
    mine: NearSite, other: NearSite
) -> None:
    assert mine.page() == mine.page() == "1"
    other.cache.delete_fragment("x")
    key = make_template_fragment_key("x")
    assert mine.cache.get(key) == "1"
    around = environment(store=mine.cache).from_string(
        '{% cache 300, "around" %}{{ get() }}{% endcache %}'
    )
    assert around.render(get=lambda: mine.cache.get(key)) == "None"


def test_an_entry_gets_no_version_of_a_tag_that_is_only_near(
    mine: NearSite, other: NearSite
) -> None:
    assert mine.page(TAGGED) == mine.page(TAGGED) == "1"
    other.cache.invalidate_tags("all")
    second = TAGGED.replace('"t"', '"second"')
    assert mine.page(second) == "2"
    # With an old version, it would be a miss for others, and later for this one.
    assert other.page(second) == "2"


def test_a_leader_serves_what_another_cache_has_stored_meanwhile(
    mine: NearSite, other: NearSite, body: Counter
) -> None:
    assert mine.page(TAGGED) == mine.page(TAGGED) == "1"
    other.cache.invalidate_tags("all")
    assert other.page(TAGGED) == "2"
    mine.memory.note_changes([make_template_fragment_key("t")])
    # The entry is new, and what is near of its tag is old.
    assert mine.page(TAGGED) == "2"
    assert body.calls == 2


def test_what_is_near_is_served_while_the_store_fails(
    mine: NearSite, store: SharedStore, clock: Clock, way: str
) -> None:
    page = getattr(mine, way)
    assert page() == page() == "1"
    store.failing = {"get", "set", "add", "delete"}
    assert page('{% cache 300, "other" %}{{ n() }}{% endcache %}') == "2"
    assert page() == "1"
    clock.now += NEAR
    assert page() == "3"
    assert mine.cache.stats().failures


def test_a_delete_that_fails_raises_and_what_is_near_is_dropped(
    mine: NearSite, store: SharedStore
) -> None:
    assert mine.page() == mine.page() == "1"
    store.failing = {"delete"}
    with pytest.raises(StoreError):
        mine.cache.delete_fragment("x")
    store.calls.clear()
    mine.page()
    assert "get" in store.calls


def test_what_is_found_near_is_counted(mine: NearSite) -> None:
    for _ in range(3):
        mine.page()
    mine.page_async()
    counts = mine.cache.stats()
    # The second one reads what the first one has stored.
    assert (counts.hits, counts.near_hits) == (3, 2)


def test_with_verify_what_is_near_is_compared_too(
    store: SharedStore, body: Counter, way: str
) -> None:
    site = NearSite(store, body, verify=1)
    page = getattr(site, way)
    for _ in range(3):
        assert page() == "1"
    counts = site.cache.stats()
    assert (counts.verified, counts.near_hits) == (2, 1)


def test_plain_environments_are_refused_each_time_if_the_store_has_coroutines(
    body: Counter,
) -> None:
    site = NearSite(CoroutineStore(), body)
    assert site.page_async() == site.page_async() == "1"
    with pytest.raises(AsyncOnlyError):
        site.page()


def test_a_store_in_memory_is_as_near_as_can_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache = FragmentCache(MemoryStore(), near=2)
    assert cache.engine.near is None
    assert "nothing can be nearer" in caplog.text


def test_a_store_with_a_function_for_its_prefix_is_refused() -> None:
    store = RedisStore("127.0.0.1", key_prefix=lambda: "tenant:")
    with pytest.raises(StoreError, match="several entries for one key"):
        FragmentCache(store, near=2)


def test_without_near_nothing_is_kept(store: SharedStore, body: Counter) -> None:
    site = NearSite(store, body, near=0)
    assert site.page() == site.page() == "1"
    store.calls.clear()
    assert site.page() == "1"
    assert store.calls == ["get"]


@pytest.mark.parametrize("source", [PAGE, TAGGED])
def test_what_is_signed_is_near_too(
    store: SharedStore, body: Counter, clock: Clock, source: str, way: str
) -> None:
    mine, other = (
        NearSite(store, body, timer=clock, signing_key="secret") for _ in range(2)
    )
    page = getattr(mine, way)
    assert page(source) == page(source) == "1"
    store.calls.clear()
    assert page(source) == "1"
    assert store.calls == []
    other.cache.clear()
    clock.now += NEAR
    assert page(source) == "2"
    mine.cache.clear()
    assert page(source) == "3"
    assert mine.cache.stats().failures == 0


def test_what_ends_by_its_signature_ends_near_too(
    store: SharedStore, body: Counter, clock: Clock
) -> None:
    day = Clock()
    site = NearSite(
        store, body, near=10**6, timer=clock, clock=day, signing_key="secret"
    )
    assert site.page() == site.page() == "1"
    day.now += 300 + 61
    assert site.page() == "2"
