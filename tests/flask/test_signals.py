from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, render_template_string

from jinja_fragcache import Cache
from jinja_fragcache.flask import (
    cache_delete,
    cache_hit,
    cache_memoize_hit,
    cache_memoize_miss,
    cache_miss,
    cache_set,
    cache_view_hit,
    cache_view_miss,
)
from tests.flask.support import Site

Event = tuple[str, Any, Cache, str]


@pytest.fixture
def heard() -> Iterator[list[Event]]:
    events: list[Event] = []
    receivers = []
    signals = {
        "hit": cache_hit,
        "miss": cache_miss,
        "set": cache_set,
        "delete": cache_delete,
    }
    for name, signal in signals.items():

        def receive(sender: Any, cache: Cache, key: str, name: str = name) -> None:
            events.append((name, sender, cache, key))

        signal.connect(receive)
        receivers.append((signal, receive))
    yield events
    for signal, receive in receivers:
        signal.disconnect(receive)


def test_signals_are_sent_for_fragments_functions_and_values(
    heard: list[Event],
) -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})

    @cache.cached(key_prefix="function")
    def function() -> str:
        return "text"

    @cache.memoize()
    def memoized(a: int) -> int:
        return a

    key = memoized.make_cache_key(1)
    with app.test_request_context():
        for _ in range(2):
            function()
            memoized(1)
            render_template_string("{% cache 60, 'x' %}text{% endcache %}")
    cache.set("k", 1)
    cache.add("k", 2)
    cache.add("l", 2)
    cache.inc("k")
    cache.get("k")
    cache.get("none")
    cache.delete("k")
    assert all(event[1:3] == (app, cache) for event in heard)
    sent = [(event[0], event[3].split(":")[0]) for event in heard]
    assert sent == [
        ("miss", "function"),
        ("set", "function"),
        ("miss", key.split(":", maxsplit=1)[0]),
        ("set", "memoize"),
        ("miss", "fragment"),
        ("set", "fragment"),
        ("hit", "function"),
        ("hit", "memoize"),
        ("hit", "fragment"),
        ("set", "k"),
        ("set", "l"),
        ("set", "k"),
        ("hit", "k"),
        ("miss", "none"),
        ("delete", "k"),
    ]


def test_a_receiver_may_connect_to_one_application() -> None:
    one, two = Flask("one"), Flask("two")
    cache = Cache(config={"CACHE_TYPE": "simple"})
    heard = []

    def receive(sender: Flask, **_: Any) -> None:
        heard.append(sender)

    for app in (one, two):
        cache.init_app(app)
    with cache_set.connected_to(receive, one):
        for app in (one, two):
            with app.app_context():
                cache.set("k", 1)
    assert heard == [one]


def test_signals_without_receivers_let_hits_take_the_fast_path() -> None:
    site = Site()
    listeners = site.cache.fragment_cache.engine.listeners
    heard = []

    def receive(_: Flask, key: str, **__: Any) -> None:
        heard.append(key)

    assert listeners.settle() is False
    with cache_set.connected_to(receive):
        assert listeners.settle() is True
        site.cache.set("k", 1)
    # Nobody is told when a receiver goes. The next event finds that out.
    site.cache.get("k")
    assert listeners.settle() is False
    with cache_set.connected_to(receive):
        site.cache.set("l", 1)
    assert heard == ["k", "l"]


def test_a_receiver_that_fails_is_logged_and_does_not_reach_the_caller(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site()

    def receive(_: Flask, **__: Any) -> None:
        raise RuntimeError("receiver")

    with cache_set.connected_to(receive):
        assert site.cache.set("k", 1) is True
    assert [each.split(" failed")[0] for each in caplog.messages] == [
        "The listener SignalListener"
    ]


def recorded(*signals: Any) -> tuple[list[Any], Any]:
    """Return a list of what is sent, and what has to be kept alive meanwhile."""
    sent: list[Any] = []
    receivers = []
    for signal in signals:

        def receive(sender: Any, *, name: str = signal.name, **about: Any) -> None:
            sent.append((name, sender, about))

        signal.connect(receive)
        receivers.append(receive)
    return sent, receivers


CALL_SIGNALS = (
    cache_view_hit,
    cache_view_miss,
    cache_memoize_hit,
    cache_memoize_miss,
)


def test_flask_cachings_signals_tell_of_calls_if_they_are_enabled() -> None:
    site = Site(CACHE_ENABLE_SIGNALS=True)

    @site.app.route("/<name>")
    @site.cache.cached()
    def view(name: str) -> str:
        return name

    @site.cache.memoize()
    def function(a: int, b: int = 0) -> int:
        return a + b

    sent, _receivers = recorded(*CALL_SIGNALS)
    site.get("/x", "/x")
    function(1, b=2)
    function(1, b=2)
    about_view = {
        "cache": site.cache,
        "cache_key": "view//x",
        "args": (),
        "kwargs": {"name": "x"},
    }
    about_function = {
        "cache": site.cache,
        "cache_key": function.make_cache_key(1, 2),
        "args": (1,),
        "kwargs": {"b": 2},
        "f": function.uncached,
    }
    assert sent == [
        ("cache-view-miss", site.app, about_view),
        ("cache-view-hit", site.app, about_view),
        ("cache-memoize-miss", site.app, about_function),
        ("cache-memoize-hit", site.app, about_function),
    ]


def test_flask_cachings_signals_are_not_sent_otherwise(site: Site) -> None:
    @site.cache.memoize()
    def function() -> int:
        return 1

    sent, _receivers = recorded(*CALL_SIGNALS)
    function()
    function()
    assert sent == []
