"""What callers get that wait for a value which could not be stored."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from jinja_fragcache import FragmentCache
from tests.joins import Joins
from tests.support import Clock, Counter, RecordingStore, SharedStore, environment

PLAIN = '{% cache 60, "x" %}{{ body() }}{% endcache %}'
TAGGED = '{% cache 60, "x", tags=["a"] %}{{ body() }}{% endcache %}'
KEPT = '{% cache 60, "x", tags=["a"], stale_if_error=60 %}{{ body() }}{% endcache %}'
PART_TAGGED = '{% cache 60, "x" %}{{ cache_tag("a") }}{{ body() }}{% endcache %}'
ROW = '{% cache_each n in [1], 60, "x", n %}{{ body() }}{% endcache_each %}'
OUTER = '{% cache 60, "outer" %}{{ before() }}' + PLAIN + "{{ after() }}{% endcache %}"
OUTERMOST = '{% cache 60, "outermost" %}' + OUTER + "{% endcache %}"


class Body:
    """A body that ends each time that the test lets it."""

    def __init__(self) -> None:
        self.calls = Counter()
        self.began = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.error: Exception | None = None

    def __call__(self) -> str:
        number = self.calls()
        self.began.release()
        assert self.may_end.acquire(timeout=10)
        if self.error is not None:
            raise self.error
        return f"text {number}"


class DyingStore(SharedStore):
    """A store that can't be read any more as soon as a lock was released."""

    def delete(self, key: str) -> bool:
        is_deleted = super().delete(key)
        if key.startswith("lock:"):
            self.failing = {"get"}
        return is_deleted

    def lose_locks(self) -> None:
        for key in [each for each in self.values if each.startswith("lock:")]:
            del self.values[key]


class Site:
    """A page that callers ask for at the same time, of a cache whose store may fail."""

    def __init__(self, joins: Joins, store: RecordingStore) -> None:
        self.joins = joins
        self.store = store
        self.clock = Clock()
        self.cache = FragmentCache(store, clock=self.clock)
        self.environment = environment(store=self.cache)
        self.body = Body()
        self.pool = ThreadPoolExecutor(8)

    def ask(self, source: str, **calls: Callable[[], str]) -> "Future[str]":
        template = self.environment.from_string(source)
        return self.pool.submit(template.render, body=self.body, **calls)

    def ask_and_wait(self, source: str) -> "Future[str]":
        """Ask while another caller makes the page."""
        joined = self.joins.count
        page = self.ask(source)
        self.joins.wait_for(joined + 1)
        return page

    def ask_first(self, source: str) -> "Future[str]":
        page = self.ask(source)
        assert self.body.began.acquire(timeout=10)
        return page

    def store_and_wait(self, source: str) -> None:
        """Store a page, and wait until its timeout is over."""
        self.body.may_end.release()
        self.ask_first(source).result(10)
        self.clock.now += 60

    def fail(self) -> None:
        """Let each call of the store fail from now on."""
        self.store.failing = {"get", "set", "add", "delete"}

    def answer_again(self) -> None:
        """Let the store answer from now on, and let the cache notice."""
        self.store.failing = set()
        self.cache.delete("something else")


@pytest.mark.parametrize("source", [PLAIN, TAGGED, PART_TAGGED])
@pytest.mark.parametrize("store", [RecordingStore, SharedStore])
def test_while_the_store_fails_callers_share_what_one_of_them_makes(
    joins: Joins, store: type[RecordingStore], source: str
) -> None:
    site = Site(joins, store())
    site.fail()
    with site.pool:
        first = site.ask_first(source)
        others = [site.ask_and_wait(source) for _ in range(5)]
        site.body.may_end.release()
        assert {page.result(10) for page in [first, *others]} == {"text 1"}
    assert site.cache.stats().waited == 5
    assert site.store.values == {}


@pytest.mark.parametrize("source", [PLAIN, TAGGED])
def test_if_the_store_answers_again_later_callers_are_not_served_it(
    joins: Joins, source: str
) -> None:
    """Another process may have deleted it before they came."""
    site = Site(joins, SharedStore())
    site.store.failing = {"add", "set"}
    with site.pool:
        first = site.ask_first(source)
        later = site.ask_and_wait(source)
        site.answer_again()
        site.body.may_end.release(2)
        assert first.result(10) == "text 1"
        assert later.result(10) == "text 2"
    assert site.environment.from_string(source).render() == "text 2"


@pytest.mark.parametrize("source", [TAGGED, PART_TAGGED])
def test_what_this_process_invalidates_meanwhile_is_not_served_to_later_callers(
    joins: Joins, source: str
) -> None:
    site = Site(joins, RecordingStore())
    site.store.failing = {"get"}
    with site.pool:
        first = site.ask_first(source)
        site.cache.invalidate_tags("a")
        later = site.ask_and_wait(source)
        site.body.may_end.release(2)
        assert first.result(10) == "text 1"
        assert later.result(10) == "text 2"


def test_what_has_no_tags_is_shared_although_others_are_invalidated(
    joins: Joins,
) -> None:
    site = Site(joins, RecordingStore())
    site.store.failing = {"get"}
    with site.pool:
        first = site.ask_first(PLAIN)
        site.cache.invalidate_tags("a")
        later = site.ask_and_wait(PLAIN)
        site.body.may_end.release()
        assert {first.result(10), later.result(10)} == {"text 1"}


@pytest.mark.parametrize("source", [PLAIN, ROW])
def test_if_only_locks_are_refused_those_who_wait_share_the_next_body(
    joins: Joins, source: str
) -> None:
    """It begins after they came. A replica that can only be read is such a store."""
    site = Site(joins, SharedStore())
    site.store.errors = {"add": ValueError("READONLY")}
    with site.pool:
        first = site.ask_first(source)
        others = [site.ask_and_wait(source) for _ in range(5)]
        site.body.may_end.release()
        assert first.result(10) == "text 1"
        joins.wait_for(1 + 5 + 5)
        site.body.may_end.release()
        assert {page.result(10) for page in others} == {"text 2"}
    assert site.store.values == {}


@pytest.mark.parametrize("source", [TAGGED, PART_TAGGED])
def test_if_the_store_fails_after_the_next_body_those_who_wait_share_it_as_well(
    joins: Joins, source: str
) -> None:
    """They can't read it, and its tags, from the store."""
    store = DyingStore()
    site = Site(joins, store)
    with site.pool:
        first = site.ask_first(source)
        others = [site.ask_and_wait(source) for _ in range(5)]
        store.lose_locks()
        site.body.may_end.release()
        assert first.result(10) == "text 1"
        joins.wait_for(1 + 5 + 5)
        site.body.may_end.release()
        assert {page.result(10) for page in others} == {"text 2"}
    assert site.cache.stats().stored == 1


def test_bodies_around_what_may_have_been_deleted_are_not_stored(joins: Joins) -> None:
    site = Site(joins, SharedStore())
    before, after = Body(), Body()
    with site.pool:
        outer = site.ask(OUTERMOST, before=before, after=after)
        assert before.began.acquire(timeout=10)
        site.store.failing = {"add"}
        inner = site.ask_first(PLAIN)
        before.may_end.release()
        joins.wait_for(4)
        site.body.may_end.release()
        assert inner.result(10) == "text 1"
        assert after.began.acquire(timeout=10)
        site.answer_again()
        after.may_end.release()
        assert outer.result(10) == "text 1text 1text 1"
    assert site.store.values == {}


@pytest.mark.parametrize("failing", ["before they ask", "while they wait"])
def test_if_the_body_fails_too_callers_share_the_last_good_text(
    joins: Joins, failing: str
) -> None:
    site = Site(joins, SharedStore())
    site.store_and_wait(KEPT)
    site.body.error = ValueError("no")
    with site.pool:
        if failing == "before they ask":
            # The first one reads the old text, and can't take the lock.
            site.store.failing = {"add"}
        first = site.ask_first(KEPT)
        others = [site.ask_and_wait(KEPT) for _ in range(5)]
        site.fail()
        site.body.may_end.release()
        assert {page.result(10) for page in [first, *others]} == {"text 1"}
    assert site.body.calls.calls == 2


@pytest.mark.parametrize("change", ["delete", "invalidate"])
def test_after_a_change_in_this_process_later_callers_are_not_served_the_old_text(
    joins: Joins, change: str
) -> None:
    site = Site(joins, SharedStore())
    site.store_and_wait(KEPT)
    site.body.error = ValueError("no")
    with site.pool:
        first = site.ask_first(KEPT)
        if change == "delete":
            site.cache.delete_fragment("x")
            later = site.ask_first(KEPT)
        else:
            site.cache.invalidate_tags("a")
            later = site.ask_and_wait(KEPT)
        site.fail()
        site.body.may_end.release(2)
        assert first.result(10) == "text 1"
        with pytest.raises(ValueError, match="no"):
            later.result(10)


def test_what_was_found_before_a_delete_is_not_shared_with_callers_after_it(
    joins: Joins,
) -> None:
    source = KEPT.replace(', tags=["a"]', "")
    site = Site(joins, SharedStore())
    site.store_and_wait(source)
    # It is shown, so whoever waits has to run the body.
    site.body.error = PermissionError("no")
    with site.pool:
        first = site.ask_first(source)
        second = site.ask_and_wait(source)
        site.cache.delete_fragment("x")
        site.fail()
        site.body.may_end.release()
        assert isinstance(first.exception(10), PermissionError)
        assert site.body.began.acquire(timeout=10)
        site.body.error = ValueError("no")
        later = site.ask_and_wait(source)
        site.body.may_end.release(2)
        assert second.result(10) == "text 1"
        with pytest.raises(ValueError, match="no"):
            later.result(10)
