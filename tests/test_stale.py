"""What is served after the timeout, to whom, and what happens if the body fails."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import NotFound

from jinja_fragcache import FragmentCache, Stats
from jinja_fragcache.entries.entry import Entry, Life, encode
from jinja_fragcache.stores import MemoryStore
from jinja_fragcache.timeouts import LONGEST
from tests.joins import Joins
from tests.support import (
    Clock,
    CoroutineStore,
    Counter,
    Ears,
    RecordingStore,
    SharedStore,
    ask,
    environment,
)


class Subject:
    """A cache with a clock set by hand, and a body that fails on request."""

    def __init__(self, store: RecordingStore | None = None, **options: Any) -> None:
        self.clock = Clock()
        self.store = store or RecordingStore()
        self.ears = Ears("hit", "miss", "set", "error")
        self.renders = Counter()
        self.error: BaseException | None = None
        self.chance = 0.0
        self.cache = FragmentCache(
            self.store,
            listeners=[self.ears],
            timer=self.clock,
            clock=self.clock,
            chance=lambda: self.chance,
            **options,
        )

    def body(self) -> str:
        number = self.renders()
        if self.error is not None:
            raise self.error
        return f"text {number}"

    def ask(self, body: Callable[[], str] | None = None) -> str:
        return ask(self.cache, "k", body or self.body, 60)

    def counts(self) -> Stats:
        return self.cache.stats()


def test_an_entry_is_stored_for_its_timeout_and_the_longer_grace_period() -> None:
    subject = Subject(stale=30, stale_if_error=600)
    subject.ask()
    assert subject.store.timeouts == {"k": 660}
    entry = Entry("text 1", life=Life(1060.0, 0.0))
    assert subject.store.values == {"k": encode(entry)}


def test_an_entry_is_not_stored_for_longer_than_the_longest_timeout() -> None:
    subject = Subject(stale=30)
    ask(subject.cache, "k", subject.body, LONGEST - 10)
    assert subject.store.timeouts == {"k": LONGEST}


def test_without_grace_periods_the_text_is_stored_as_it_is() -> None:
    subject = Subject(stale=0, stale_if_error=0)
    subject.ask()
    assert (subject.store.values, subject.store.timeouts) == (
        {"k": "text 1"},
        {"k": 60},
    )


def test_an_entry_that_never_expires_has_no_grace_period() -> None:
    subject = Subject(stale=30)
    ask(subject.cache, "k", subject.body, 0)
    assert subject.store.values == {"k": "text 1"}
    assert subject.store.timeouts == {"k": 0}


def test_past_the_timeout_one_caller_renders_and_others_get_the_old_text_at_once() -> (
    None
):
    subject = Subject(stale=30)
    assert subject.ask() == "text 1"
    subject.clock.now += 60
    entered, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        entered.set()
        assert go_on.wait(10)
        return subject.body()

    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(subject.ask, slow)
        assert entered.wait(10)
        assert [subject.ask() for _ in range(5)] == ["text 1"] * 5
        assert subject.counts() == Stats(hits=5, misses=2, stored=1, stale=5)
        go_on.set()
        assert renewal.result() == "text 2"
    assert subject.ask() == "text 2"
    assert subject.renders.calls == 2
    assert subject.counts() == Stats(hits=6, misses=2, stored=2, stale=5)


def test_past_the_timeout_one_task_renders_and_others_get_the_old_text_at_once() -> (
    None
):
    clock = Clock()
    cache = FragmentCache(CoroutineStore(), stale=30, clock=clock)
    env = environment(
        {"page": '{% cache 60, "x" %}{{ body() }}{% endcache %}'},
        cache,
        enable_async=True,
    )
    renders = Counter()

    async def use() -> list[str]:
        go_on, renewing = asyncio.Event(), asyncio.Event()
        go_on.set()

        async def body() -> str:
            number = renders()
            if number > 1:
                renewing.set()
            await go_on.wait()
            return f"text {number}"

        page = env.get_template("page")
        pages = [await page.render_async(body=body)]
        clock.now += 60
        go_on.clear()
        renewal = asyncio.ensure_future(page.render_async(body=body))
        await renewing.wait()
        pages += await asyncio.gather(*[page.render_async(body=body) for _ in "123"])
        go_on.set()
        return [*pages, await renewal, await page.render_async(body=body)]

    assert asyncio.run(use()) == ["text 1"] * 4 + ["text 2"] * 2


def test_past_the_grace_period_the_old_text_is_not_served() -> None:
    subject = Subject(stale=30)
    subject.ask()
    subject.clock.now += 90
    assert subject.ask() == "text 2"
    assert subject.counts() == Stats(misses=2, stored=2)


def test_a_deleted_entry_is_not_served_stale() -> None:
    subject = Subject(stale=30, stale_if_error=30)
    subject.ask()
    subject.clock.now += 60
    subject.cache.delete("k")
    subject.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        subject.ask()


def test_get_does_not_return_the_text_of_an_expired_entry() -> None:
    subject = Subject(stale=30)
    subject.ask()
    assert subject.cache.get("k") == "text 1"
    subject.clock.now += 60
    assert subject.cache.get("k") is None


@pytest.mark.parametrize("stale", [0, 30, 600])
@pytest.mark.parametrize("past", [0, 59.9])
def test_if_the_body_fails_the_last_good_text_is_served(
    stale: int, past: float, caplog: pytest.LogCaptureFixture
) -> None:
    subject = Subject(stale=stale, stale_if_error=60)
    subject.ask()
    subject.clock.now += 60 + past
    subject.error = ValueError("no")
    assert subject.ask() == "text 1"
    assert subject.counts() == Stats(misses=2, stored=1, stale=1)
    assert subject.ears.heard[-1] == ("error", "k")
    assert subject.ears.told[-1].error is subject.error
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "'k' could not be refreshed" in record.message
    assert record.exc_info is not None
    assert record.exc_info[1] is subject.error
    # The next caller tries again.
    subject.error = None
    assert subject.ask() == "text 3"


@pytest.mark.parametrize(
    ("options", "past"),
    [({"stale_if_error": 60}, 60), ({"stale": 60}, 0), ({"stale": 60}, 30)],
)
def test_without_stale_if_error_or_past_its_grace_period_the_error_propagates(
    options: dict[str, Any], past: int
) -> None:
    subject = Subject(**options)
    subject.ask()
    subject.clock.now += 60 + past
    subject.error = ValueError("no")
    with pytest.raises(ValueError, match="no") as raised:
        subject.ask()
    assert raised.value is subject.error
    assert ("error", "k") not in subject.ears.heard


@pytest.mark.parametrize("error", [PermissionError("no"), KeyboardInterrupt()])
def test_an_error_that_is_not_a_failure_propagates(error: BaseException) -> None:
    subject = Subject(stale_if_error=60)
    subject.ask()
    subject.clock.now += 60
    subject.error = error
    with pytest.raises(type(error)) as raised:
        subject.ask()
    assert raised.value is error


def test_if_the_store_fails_too_the_last_good_text_is_served() -> None:
    subject = Subject(stale_if_error=60)
    subject.ask()
    subject.clock.now += 60

    def body() -> str:
        subject.store.failing = {"get", "set", "delete"}
        raise ValueError

    assert subject.ask(body) == "text 1"


def test_if_the_store_fails_before_the_body_does_the_last_good_text_is_served() -> None:
    subject = Subject(SharedStore(), stale_if_error=60)
    subject.ask()
    subject.clock.now += 60
    # The old text was read before, and can't be read again.
    subject.store.failing = {"add"}
    subject.error = ValueError("no")
    assert subject.ask() == "text 1"


def test_if_the_entry_was_deleted_meanwhile_the_error_propagates() -> None:
    subject = Subject(stale_if_error=60)
    subject.ask()
    subject.clock.now += 60

    def body() -> str:
        subject.cache.delete("k")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        subject.ask(body)


@pytest.mark.parametrize("early", [False, True])
def test_not_found_deletes_the_old_entry(
    early: bool,
) -> None:
    subject = Subject(stale=30, stale_if_error=60, early_refresh=1)

    def slow() -> str:
        subject.clock.now += 1
        return subject.body()

    subject.ask(slow)
    subject.chance = 0.9999 if early else 0.0
    subject.clock.now += 55 if early else 60
    subject.error = NotFound()
    with pytest.raises(NotFound):
        subject.ask()
    assert subject.store.values == {}
    # A later failure does not bring it back.
    subject.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        subject.ask()


def test_not_found_propagates_even_if_the_old_entry_can_not_be_deleted() -> None:
    subject = Subject(stale_if_error=60)
    subject.ask()
    subject.clock.now += 60
    subject.store.failing = {"delete"}
    subject.error = NotFound()
    with pytest.raises(NotFound):
        subject.ask()


def test_callers_waiting_for_a_body_that_fails_are_served_the_last_good_text(
    joins: Joins,
) -> None:
    subject = Subject(stale_if_error=60)
    subject.ask()
    subject.clock.now += 60
    subject.error = ValueError("no")
    entered, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        entered.set()
        assert go_on.wait(10)
        return subject.body()

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(subject.ask, slow)
        assert entered.wait(10)
        others = [pool.submit(subject.ask, slow) for _ in range(8)]
        joins.wait_for(10)
        go_on.set()
        assert {each.result() for each in (first, *others)} == {"text 1"}
    assert subject.counts().waited >= 1


def test_a_nested_caller_whose_body_fails_is_served_the_last_good_text() -> None:
    subject = Subject(stale_if_error=60)
    subject.ask()
    subject.clock.now += 60

    def slow() -> str:
        # The same thread is already rendering it further up, so it does not wait.
        subject.error = ValueError("no")
        assert subject.ask() == "text 1"
        subject.error = None
        return "text 2"

    assert subject.ask(slow) == "text 2"
    assert subject.counts().stale == 1
    assert [event for event, _ in subject.ears.heard].count("error") == 1


def test_an_early_refresh_is_made_by_one_and_others_get_the_old_text() -> None:
    subject = Subject(early_refresh=1)

    def slow() -> str:
        subject.clock.now += 1
        return subject.body()

    assert subject.ask(slow) == "text 1"
    assert subject.store.timeouts == {"k": 60}
    subject.clock.now += 55
    assert subject.ask() == "text 1"
    # With this chance, a body that takes one second is refreshed 9.2 seconds early.
    subject.chance = 0.9999

    def others() -> str:
        assert subject.ask() == "text 1"
        return subject.body()

    assert subject.ask(others) == "text 2"
    assert subject.counts() == Stats(hits=2, misses=2, stored=2)


def test_an_early_refresh_that_fails_leaves_the_fresh_entry() -> None:
    subject = Subject(early_refresh=1)

    def slow() -> str:
        subject.clock.now += 1
        return subject.body()

    subject.ask(slow)
    subject.clock.now += 55
    subject.chance = 0.9999
    subject.error = ValueError("no")
    assert subject.ask() == "text 1"
    assert subject.ears.heard[-1] == ("error", "k")
    assert subject.counts() == Stats(misses=2, stored=1)


def test_while_a_value_that_must_not_be_stored_renders_others_get_the_old_text() -> (
    None
):
    subject = Subject(stale=30)
    subject.ask()
    subject.clock.now += 60
    subject.cache.engine.context.flights.note_not_to_store("k")
    flight, leads = subject.cache.engine.context.flights.join("k", has_stale=True)
    assert leads
    with flight:
        assert subject.ask() == "text 1"


@pytest.mark.parametrize(
    ("default", "told", "expected"),
    [(None, 40, 40), (None, None, 300), (20, 40, 20), (None, 0, 0)],
)
def test_the_grace_period_is_added_to_the_default_timeout(
    default: int | None, told: int | None, expected: int
) -> None:
    class Telling(RecordingStore):
        default_timeout = told

    store = Telling()
    cache = FragmentCache(store, stale=30, default_timeout=default)
    ask(cache, "k", lambda: "text", None)
    assert store.timeouts == {"k": expected + 30 if expected else 0}


steps = st.lists(
    st.one_of(
        st.integers(1, 40).map(lambda seconds: ("wait", seconds)),
        st.sampled_from([("ask", 0), ("fail", 0), ("delete", 0)]),
    ),
    max_size=30,
)


@given(steps, st.integers(0, 40), st.integers(0, 40), st.floats(0, 2))
def test_what_is_served_is_never_older_than_allowed(
    steps: list[tuple[str, int]], stale: int, stale_if_error: int, early_refresh: float
) -> None:
    clock = Clock()
    cache = FragmentCache(
        MemoryStore(timer=clock),
        stale=stale,
        stale_if_error=stale_if_error,
        early_refresh=early_refresh,
        timer=clock,
        clock=clock,
    )
    deleted = 0.0

    def good() -> str:
        clock.now += 1
        return str(clock.now)

    def bad() -> str:
        raise ValueError

    for step, seconds in steps:
        if step == "wait":
            clock.now += seconds
        elif step == "delete":
            cache.delete("k")
            deleted = clock.now
        else:
            try:
                made = float(ask(cache, "k", bad if step == "fail" else good, 30))
            except ValueError:
                continue
            # A caller without others gets an old text only if the body fails.
            window = stale_if_error if step == "fail" else 0
            assert clock.now - made <= 30 + window
            assert made >= deleted
