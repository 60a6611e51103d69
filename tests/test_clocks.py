"""freezegun and time-machine move the time of the caches in their users' tests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from freezegun import freeze_time

from jinja_fragcache import Cache, FragmentCache, MemoryStore
from jinja_fragcache.clocks import time_of_day
from jinja_fragcache.stores import FileStore
from tests.joins import Joins
from tests.support import Counter, ask, environment, in_threads

# Moves the time by so many seconds.
Move = Callable[[float], object]
_START = "2031-05-06 07:08:09"


@contextmanager
def _freezegun() -> Iterator[Move]:
    with freeze_time(_START) as frozen:
        yield lambda seconds: frozen.tick(timedelta(seconds=seconds))


@contextmanager
def _time_machine() -> Iterator[Move]:
    with time_machine.travel(_START, tick=False) as traveller:
        yield traveller.shift


PACKAGES = (_freezegun, _time_machine)


@pytest.fixture(params=PACKAGES, ids=["freezegun", "time-machine"])
def standing_still(request: pytest.FixtureRequest) -> AbstractContextManager[Move]:
    """Provide a context manager in which the time stands still."""
    still: AbstractContextManager[Move] = request.param()
    return still


@pytest.fixture
def move(standing_still: AbstractContextManager[Move]) -> Iterator[Move]:
    """Provide a function that moves the time, which stands still."""
    with standing_still as moving:
        yield moving


def test_the_time_of_day_is_moved(move: Move) -> None:
    before = time_of_day()
    move(300)
    assert time_of_day() == before + 300


def test_fragments_expire(move: Move) -> None:
    env = environment(store=FragmentCache())
    template = env.from_string("{% cache 300, 'x' %}{{ count() }}{% endcache %}")
    count = Counter()
    texts = []
    for seconds in (0, 299, 1, 299, 1):
        move(seconds)
        texts.append(template.render(count=count))
    assert texts == ["1", "1", "2", "2", "3"]


def test_what_was_stored_before_the_time_was_moved_expires() -> None:
    store = MemoryStore()
    store.set("short", "text", timeout=300)
    store.set("long", "text", timeout=7200)
    later = time_of_day() + 3600
    for moved in (
        freeze_time(timedelta(hours=1)),
        time_machine.travel(later, tick=False),
    ):
        store.set("short", "text", timeout=300)
        with moved:
            assert store.get_many("short", "long") == [None, "text"]
            assert store.get("short") is None


def test_views_and_functions_expire(move: Move) -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    viewed, called = Counter(), Counter()

    @app.get("/")
    @cache.cached(timeout=300)
    def view() -> str:
        return str(viewed())

    @cache.memoize(timeout=300)
    def function() -> int:
        return called()

    def both() -> tuple[str, int]:
        with app.app_context():
            return app.test_client().get("/").text, function()

    assert both() == ("1", 1)
    move(299)
    assert both() == ("1", 1)
    move(1)
    assert both() == ("2", 2)


def test_files_expire(tmp_path: Path, move: Move) -> None:
    store = FileStore(str(tmp_path))
    store.set("k", "text", timeout=300)
    move(299)
    assert store.get("k") == "text"
    move(2)
    assert store.get("k") is None


def test_the_stale_window_ends(move: Move) -> None:
    cache = FragmentCache(stale=60)
    count = Counter()
    seen: list[str] = []

    def body() -> str:
        return str(count())

    def asked_meanwhile() -> str:
        # While this caller makes the text again, another one asks for it.
        in_threads(1, lambda _: seen.append(ask(cache, "k", body, 300)))
        return body()

    assert ask(cache, "k", body, 300) == "1"
    move(359)
    assert ask(cache, "k", asked_meanwhile, 300) == "2"
    assert seen == ["1"]
    move(359)
    assert ask(cache, "k", body, 300) == "3"


def test_the_stale_if_error_window_ends(move: Move) -> None:
    cache = FragmentCache(stale_if_error=3600)

    def fail() -> str:
        raise ConnectionError

    ask(cache, "k", lambda: "old", 300)
    move(3899)
    assert ask(cache, "k", fail, 300) == "old"
    move(1)
    with pytest.raises(ConnectionError):
        ask(cache, "k", fail, 300)


@pytest.mark.usefixtures("move")
def test_tags_are_invalidated_while_the_time_stands_still() -> None:
    cache = FragmentCache()
    count = Counter()
    env = environment(store=cache)
    template = env.from_string(
        "{% cache 300, 'x', tags=['t'] %}{{ count() }}{% endcache %}"
    )
    texts = [template.render(count=count) for _ in range(2)]
    cache.invalidate_tags("t")
    texts += [template.render(count=count) for _ in range(2)]
    assert texts == ["1", "1", "2", "2"]


@pytest.mark.usefixtures("move")
def test_a_wait_for_another_caller_ends_while_the_time_stands_still() -> None:
    cache = FragmentCache(lock_timeout=0.05)
    waited = threading.Event()

    def slow() -> str:
        # Until the other caller has stopped waiting for this one.
        assert waited.wait(60)
        return "slow"

    def other(_: int) -> None:
        texts.append(ask(cache, "k", lambda: "other"))
        waited.set()

    texts: list[str] = []

    def leader() -> str:
        thread = threading.Thread(target=other, args=[0])
        thread.start()
        text = slow()
        thread.join()
        return text

    assert ask(cache, "k", leader) == "slow"
    assert texts == ["other"]


def test_a_wait_goes_on_when_the_time_is_moved(move: Move, joins: Joins) -> None:
    cache = FragmentCache()
    calls = Counter()
    results: list[Any] = []

    def leader() -> str:
        joins.wait_for(2)
        move(3600)
        return str(calls())

    def work(number: int) -> None:
        results.append(ask(cache, "k", leader))

    in_threads(2, work)
    assert results == ["1", "1"]
