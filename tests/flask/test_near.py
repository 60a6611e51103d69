"""Settings of what is kept near, and applications that keep it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, render_template_string

from jinja_fragcache import Cache
from jinja_fragcache.errors import SettingError
from tests.flask.support import make_cache
from tests.support import Counter, SharedStore

PAGE = '{% cache 300, "x" %}{{ n() }}{% endcache %}'


@pytest.fixture
def store() -> SharedStore:
    return SharedStore()


@pytest.fixture
def cache(store: SharedStore) -> Iterator[Cache]:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": store, "CACHE_NEAR_TIMEOUT": 600})
    with app.test_request_context():
        yield cache


@pytest.mark.parametrize(
    ("given", "seconds"), [(2, 2), ("2", 2), ("0.5", 0.5), ("", 0)]
)
def test_the_settings_are_those_of_the_cache(given: Any, seconds: float) -> None:
    cache = make_cache(
        CACHE_TYPE=SharedStore(), CACHE_NEAR_TIMEOUT=given, CACHE_NEAR_THRESHOLD="7"
    )
    policy = cache.fragment_cache.policy
    assert (policy.near, policy.near_threshold) == (seconds, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHE_NEAR_TIMEOUT", -1),
        ("CACHE_NEAR_TIMEOUT", "soon"),
        ("CACHE_NEAR_THRESHOLD", 0),
    ],
)
def test_an_error_names_the_setting(name: str, value: Any) -> None:
    with pytest.raises(SettingError, match=f"^{name}"):
        make_cache(CACHE_TYPE=SharedStore(), **{name: value})


@pytest.mark.parametrize("kind", ["page", "view", "function", "value"])
def test_what_was_read_is_near_until_this_application_deletes_it(
    cache: Cache, store: SharedStore, kind: str
) -> None:
    body = Counter()

    @cache.cached(300, key_prefix="view")
    def view() -> int:
        return body()

    @cache.memoize(300)
    def function() -> int:
        return body()

    def value() -> Any:
        if not cache.has("v"):
            cache.set("v", body())
        return cache.get("v")

    def page() -> int:
        return int(render_template_string(PAGE, n=body))

    def delete_page() -> None:
        cache.fragment_cache.delete_fragment("x")

    def delete_view() -> None:
        cache.delete_cached(view)

    def delete_calls() -> None:
        cache.delete_memoized(function)

    def delete_value() -> None:
        cache.delete("v")

    ways: dict[str, tuple[Callable[[], Any], Callable[[], None]]] = {
        "page": (page, delete_page),
        "view": (view, delete_view),
        "function": (function, delete_calls),
        "value": (value, delete_value),
    }
    ask, delete = ways[kind]
    assert [ask(), ask()] == [1, 1]
    store.calls.clear()
    assert ask() == 1
    assert store.calls == []
    delete()
    assert [ask(), ask()] == [2, 2]


@pytest.mark.parametrize("signing_key", [None, "secret"])
def test_numbers_that_are_counted_are_not_old(signing_key: str | None) -> None:
    settings = {"CACHE_NEAR_TIMEOUT": 600, "CACHE_SIGNING_KEY": signing_key}
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": SharedStore(), **settings})
    with app.app_context():
        cache.set("n", 1)
        assert [cache.get("n"), cache.get("n")] == [1, 1]
        assert cache.inc("n") == 2
        assert [cache.get("n"), cache.get("n")] == [2, 2]
        cache.set("n", 7)
        assert cache.get("n") == 7
