from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, render_template_string

from jinja_fragcache import Cache
from jinja_fragcache.flask import cache_delete, cache_hit, cache_miss, cache_set

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
