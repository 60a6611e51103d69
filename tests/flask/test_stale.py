"""Views and functions past their timeouts, and where they fail."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, Response, abort, session, stream_with_context
from werkzeug.exceptions import BadGateway, NotFound

from jinja_fragcache import Cache, MemoryStore, SettingError, Stats
from jinja_fragcache.errors import PolicyError
from jinja_fragcache.flask import CachedResponse, cache_error
from tests.support import Clock, Counter


class Site:
    """An application whose time is set by hand."""

    def __init__(self, **settings: Any) -> None:
        self.app = Flask(__name__)
        self.app.secret_key = "for tests"  # noqa: S105 - no password
        self.clock = Clock()
        store = MemoryStore(timer=self.clock)
        self.cache = Cache(self.app, config={"CACHE_TYPE": store, **settings})
        self.calls = Counter()
        self.error: BaseException | None = None
        with self.app.app_context():
            engine = self.cache.fragment_cache
        for guard in (engine.guard, engine.async_guard):
            guard._clock = self.clock

    def value(self) -> str:
        number = self.calls()
        if self.error is not None:
            raise self.error
        return f"text {number}"

    def stats(self) -> Stats:
        with self.app.app_context():
            return self.cache.stats()


def view(site: Site, how: str, **options: Any) -> Callable[[], Any]:
    """Give what asks for a view or function of a kind, cached for a minute."""
    if how == "view":

        @site.app.route("/")
        @site.cache.cached(60, response_hit_indication=True, **options)
        def index() -> str:
            return site.value()

        def ask() -> Any:
            answer = site.app.test_client().get("/")
            return answer.text if answer.status_code == 200 else answer.status_code

        return ask

    if how == "coroutine":

        @site.cache.memoize(60, **options)
        async def coroutine() -> str:
            return site.value()

        def run() -> Any:
            with site.app.app_context():
                return asyncio.run(coroutine())

        return run

    @site.cache.memoize(60, **options)
    def function() -> str:
        return site.value()

    def call() -> Any:
        with site.app.app_context():
            return function()

    return call


KINDS = ["view", "function", "coroutine"]


@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("by", ["option", "setting"])
def test_the_last_good_value_is_served_where_it_fails(
    how: str, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    hour = timedelta(hours=1)
    site = Site(CACHE_STALE_IF_ERROR=hour) if by == "setting" else Site()
    ask = view(site, how, **({"stale_if_error": hour} if by == "option" else {}))
    heard: list[dict[str, Any]] = []

    def listen(sender: Flask, **told: Any) -> None:
        heard.append({"sender": sender, **told})

    assert ask() == "text 1"
    site.clock.now += 60
    site.error = ValueError("no")
    with cache_error.connected_to(listen):
        assert ask() == "text 1"
    (told,) = heard
    assert told.keys() == {"sender", "cache", "key", "error"}
    assert (told["sender"], told["cache"]) == (site.app, site.cache)
    assert told["error"] is site.error
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("jinja_fragcache", logging.ERROR)
    assert repr(told["key"]) in record.message
    assert site.stats() == Stats(misses=2, stored=1, stale=1)
    site.clock.now += 3600
    if how == "view":
        assert ask() == 500
    else:
        with pytest.raises(ValueError, match="no"):
            ask()


@pytest.mark.parametrize("how", KINDS)
def test_while_it_is_made_anew_others_are_served_what_is_stale(how: str) -> None:
    site = Site()
    ask = view(site, how, stale=30)
    assert ask() == "text 1"
    site.clock.now += 60
    engine = site.app.extensions["jinja_fragcache"][site.cache].fragment_cache
    (key,) = [key for key in engine.store._slots if not key.startswith("tag:")]
    flight, _ = engine.guard.flights.join(key)
    with engine.guard.flights.led(key, flight):
        assert ask() == "text 1"
    assert ask() == "text 2"
    assert site.stats() == Stats(hits=1, misses=2, stored=2, stale=1)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (NotFound(), 404),
        (PermissionError("not for you"), 500),
        (BadGateway(), "text 1"),
        (RuntimeError(), "text 1"),
    ],
    ids=["404", "permission", "502", "error"],
)
def test_answers_are_no_failures(error: Exception, answer: Any) -> None:
    site = Site()
    ask = view(site, "view", stale_if_error=3600)
    ask()
    site.clock.now += 60
    site.error = error
    assert ask() == answer


def test_an_interrupt_passes() -> None:
    site = Site()
    ask = view(site, "function", stale_if_error=3600)
    ask()
    site.clock.now += 60
    site.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        ask()


def test_the_header_tells_what_is_from_the_store() -> None:
    site = Site()
    view(site, "view", stale_if_error=3600)
    client = site.app.test_client()

    def is_hit() -> bool:
        return "hit_cache" in client.get("/").headers

    assert [is_hit(), is_hit()] == [False, True]
    site.clock.now += 60
    site.error = ValueError()
    assert is_hit()
    site.error = None
    assert [is_hit(), is_hit()] == [False, True]


def test_the_window_begins_at_the_end_of_the_answers_own_timeout() -> None:
    site = Site()

    @site.app.route("/")
    @site.cache.cached(60, stale_if_error=30)
    def index() -> Any:
        return CachedResponse(site.app.make_response(site.value()), 10)

    def ask() -> Any:
        answer = site.app.test_client().get("/")
        return answer.text if answer.status_code == 200 else answer.status_code

    assert ask() == "text 1"
    site.error = ValueError()
    site.clock.now += 39
    assert ask() == "text 1"
    site.clock.now += 1
    assert ask() == 500


@pytest.mark.parametrize("option", ["forced_update", "is_stale"])
def test_what_is_refused_is_not_served_in_place_of_an_error(option: str) -> None:
    site = Site()
    ask = view(site, "function", stale_if_error=3600, **{option: lambda *_: True})
    ask()
    site.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        ask()


def test_what_was_not_to_be_stored_is_never_served() -> None:
    site = Site()

    @site.app.route("/<name>")
    @site.cache.cached(60, key_prefix="page", stale=30, stale_if_error=3600)
    def page(name: str) -> str:
        if name == "down":
            abort(503)
        session["name"] = name
        return name

    client = site.app.test_client()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.app, "debug", False)
        assert client.get("/ann").text == "ann"
    site.clock.now += 60
    assert site.app.test_client().get("/down").status_code == 503


def test_a_value_past_its_timeout_is_not_given_by_key() -> None:
    site = Site(CACHE_STALE=30)

    @site.cache.cached(60, key_prefix="value")
    def function() -> str:
        return site.value()

    with site.app.app_context():
        function()
        assert site.cache.get("value") == "text 1"
        site.clock.now += 60
        assert site.cache.get("value") is None
        assert site.cache.get_many("value") == [None]
        assert not site.cache.has("value")


@pytest.mark.parametrize("option", ["stale", "stale_if_error"])
@pytest.mark.parametrize("decorator", ["cached", "memoize"])
def test_what_is_no_window_is_refused(option: str, decorator: str) -> None:
    cache = Site().cache
    with pytest.raises(
        PolicyError, match=f"{option} can't be '1 hour'. It is a number"
    ):
        getattr(cache, decorator)(60, **{option: "1 hour"})


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("CACHE_STALE", 60, -1),
        ("CACHE_STALE_IF_ERROR", 3600, "1 hour"),
        ("CACHE_EARLY_REFRESH", 1.5, True),
        ("CACHE_JITTER", 0.1, 10),
        ("CACHE_LOCK_TIMEOUT", 2.5, None),
        ("CACHE_RETRY_AFTER", 0, "1"),
    ],
)
def test_a_setting_is_a_rule_of_the_cache(name: str, value: Any, wrong: Any) -> None:
    site = Site(**{name: value})
    with site.app.app_context():
        policy = site.cache.fragment_cache.policy
    assert getattr(policy, name.removeprefix("CACHE_").lower()) == value
    with pytest.raises(SettingError, match=f"^{name}: "):
        Site(**{name: wrong})


def streaming(site: Site, **options: Any) -> None:
    """Let the site have a view that streams."""

    @site.app.route("/")
    @site.cache.cached(60, **options)
    def index() -> Response:
        def chunks() -> Iterator[str]:
            yield "text "
            yield session.get("name", site.value()[-1])

        return site.app.response_class(stream_with_context(chunks()))


def test_a_stream_that_fails_is_a_view_that_fails() -> None:
    site = Site()
    streaming(site, stale_if_error=3600)
    client = site.app.test_client()
    assert client.get("/").text == "text 1"
    site.clock.now += 60
    site.error = ValueError()
    assert client.get("/").text == "text 1"


def test_what_a_stream_tells_of_the_session_is_not_stored() -> None:
    site = Site()
    streaming(site)
    ann, bob = site.app.test_client(), site.app.test_client()
    for client, name in ((ann, "ann"), (bob, "bob")):
        with client.session_transaction() as known:
            known["name"] = name
    assert ann.get("/").text == "text ann"
    assert bob.get("/").text == "text bob"
