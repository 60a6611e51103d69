"""Views and functions on servers whose replies are lost, repeated or nonsense."""

import sys
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jinja_fragcache import Cache, StoreError
from jinja_fragcache.stores import memcached_clients, redis_clients
from tests.faulty_proxy import (
    DAMAGES,
    LOSSES,
    MEMCACHED_ANSWERS,
    REDIS_ANSWERS,
    REPEATS,
    Instead,
    faulty_proxy,
    memcached_reply,
    plans,
    redis_reply,
)
from tests.flask.support import made

prefixes = map("f{}:".format, count())


def row(number: int) -> dict[str, Any]:
    return {"number": number, "text": "$5\r\nabcde\r\n" * number}


def application(store: Any) -> tuple[Flask, Cache]:
    app = Flask(__name__)
    config = {"CACHE_TYPE": store, "CACHE_RETRY_AFTER": 0, "CACHE_LOCK_TIMEOUT": 0.05}
    cache = Cache(app, config=config)

    @app.get("/<int:number>")
    @cache.cached()
    def page(number: int) -> str:
        return f"<p>{number}</p>\r\nEND\r\n{memoized(number)}"

    memoized = cache.memoize()(row)
    app.extensions["row"] = memoized
    return app, cache


@pytest.mark.slow
@pytest.mark.own_patience
@pytest.mark.parametrize("name", ["redis", "memcached"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_answer_is_wrong_or_fails(
    name: str,
    request: pytest.FixtureRequest,
    data: st.DataObject,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pylibmc", None)
    for module in (memcached_clients, redis_clients):
        monkeypatch.setattr(module, "_SECONDS", 0.05)
    answers, framing = {
        "redis": (REDIS_ANSWERS, redis_reply),
        "memcached": (MEMCACHED_ANSWERS, memcached_reply),
    }[name]
    instead = st.sampled_from(answers).map(Instead)
    plan = data.draw(plans(LOSSES | REPEATS | DAMAGES | instead))
    with faulty_proxy(request.getfixturevalue(f"{name}_port"), framing) as proxy:
        store = made(
            CACHE_TYPE=name,
            CACHE_KEY_PREFIX=next(prefixes),
            CACHE_REDIS_URL=f"redis://127.0.0.1:{proxy.port}",
            CACHE_MEMCACHED_SERVERS=[f"127.0.0.1:{proxy.port}"],
        )
        app, cache = application(store)
        expected = [f"<p>{each}</p>\r\nEND\r\n{row(each)}" for each in range(3)]
        proxy.start(plan)
        with app.app_context():
            for _ in range(3):
                pages = [app.test_client().get(f"/{each}").text for each in range(3)]
                assert pages == expected
                assert app.extensions["row"](2) == row(2)
                cache.set("k", "text")
                assert cache.get("k") in {"text", None}
                with suppress(StoreError):
                    cache.delete_memoized(app.extensions["row"])
                    cache.delete("k")
        client = store._client
        (client.connection_pool.disconnect if name == "redis" else client.close)()
