"""What Flask-Cache's manual shows, row by row. A test is named after what it shows."""

import inspect
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cachelib
import pytest
from flask import Flask, render_template_string

from jinja_fragcache import StoreError
from jinja_fragcache.flask import Cache, make_template_fragment_key
from jinja_fragcache.flask.backends import TYPES
from jinja_fragcache.flask.settings import SETTINGS
from tests.support import Counter

TESTS = Path(__file__).parent
SETTING_ROWS = [
    "CACHE_TYPE",
    "CACHE_NO_NULL_WARNING",
    "CACHE_ARGS",
    "CACHE_OPTIONS",
    "CACHE_DEFAULT_TIMEOUT",
    "CACHE_THRESHOLD",
    "CACHE_KEY_PREFIX",
    "CACHE_MEMCACHED_SERVERS",
    "CACHE_MEMCACHED_USERNAME",
    "CACHE_MEMCACHED_PASSWORD",
    "CACHE_REDIS_HOST",
    "CACHE_REDIS_PORT",
    "CACHE_REDIS_PASSWORD",
    "CACHE_REDIS_DB",
    "CACHE_DIR",
    "CACHE_REDIS_URL",
]
TYPE_ROWS = [
    ("null", "NullCache"),
    ("simple", "SimpleCache"),
    ("memcached", "MemcachedCache"),
    ("gaememcached", "GAEMemcachedCache"),
    ("redis", "RedisCache"),
    ("filesystem", "FileSystemCache"),
    ("saslmemcached", "SASLMemcachedCache"),
    ("spreadsaslmemcachedcache", "SpreadSASLMemcachedCache"),
]


@pytest.fixture
def app() -> Flask:
    return Flask(__name__)


@pytest.fixture
def cache(app: Flask) -> Iterator[Cache]:
    cache = Cache()
    cache.init_app(app, config={"CACHE_TYPE": "simple"})
    with app.test_request_context("/"):
        yield cache


@pytest.fixture
def calls() -> Counter:
    return Counter()


def test_method_a_config_during_instantiation(app: Flask) -> None:
    cache = Cache(config={"CACHE_TYPE": "simple"})
    cache.init_app(app)
    assert cache.set("k", 1)


def test_method_b_config_in_init_app(app: Flask) -> None:
    cache = Cache()
    cache.init_app(app, config={"CACHE_TYPE": "simple"})
    assert cache.set("k", 1)


def test_cached_views(app: Flask, cache: Cache, calls: Counter) -> None:
    @app.route("/")
    @cache.cached(timeout=50)
    def index() -> str:
        return render_template_string("{{ calls() }}", calls=calls)

    client = app.test_client()
    assert [client.get("/").text for _ in range(2)] == ["1", "1"]
    assert cache.get("view//") == "1"


def test_cached_unless(app: Flask, cache: Cache, calls: Counter) -> None:
    @app.route("/")
    @cache.cached(timeout=50, unless=lambda: True)
    def index() -> str:
        return str(calls())

    client = app.test_client()
    assert [client.get("/").text for _ in range(2)] == ["1", "2"]


def test_cached_other_functions_by_key_prefix(cache: Cache, calls: Counter) -> None:
    @cache.cached(timeout=50, key_prefix="all_comments")
    def get_all_comments() -> list[int]:
        return [calls()]

    assert get_all_comments() == get_all_comments() == cache.get("all_comments") == [1]


def test_memoize_methods_by_repr(cache: Cache, calls: Counter) -> None:
    class Person:
        def __init__(self, number: int) -> None:
            self.id = number

        @cache.memoize(50)
        def has_membership(self, role_id: int) -> tuple[bool, int]:
            return role_id == self.id, calls()

        def __repr__(self) -> str:
            return f"{self.__class__.__name__}({self.id})"

    assert Person(1).has_membership(1) == Person(1).has_membership(1) == (True, 1)
    assert Person(2).has_membership(1) == (False, 2)


def test_delete_memoized_by_name_with_and_without_arguments(
    cache: Cache, calls: Counter
) -> None:
    @cache.memoize(50)
    def user_has_membership(user: str, role: str) -> tuple[str, str, int]:
        return user, role, calls()

    first = user_has_membership("demo", "admin")
    second = user_has_membership("demo", "user")
    cache.delete_memoized("user_has_membership", "demo", "user")
    assert user_has_membership("demo", "admin") == first
    assert user_has_membership("demo", "user") != second
    cache.delete_memoized("user_has_membership")
    assert user_has_membership("demo", "admin") != first


def rendered(source: str, calls: Counter) -> list[str]:
    return [render_template_string(source, calls=calls) for _ in range(2)]


@pytest.mark.parametrize(
    "tag",
    ["cache", "cache 60*5", "cache 300, 'key1', 'key2'", "cache None 'key'"],
)
def test_fragments_timeout_and_keys(cache: Cache, calls: Counter, tag: str) -> None:
    source = "{% " + tag + " %}{{ calls() }}{% endcache %}"
    assert rendered(source, calls) == ["1", "1"]
    assert cache.stats().hits == 1


def test_fragments_del(cache: Cache, calls: Counter) -> None:
    assert rendered("{% cache 300, 'key' %}{{ calls() }}{% endcache %}", calls)
    assert rendered("{% cache 'del', 'key' %}{{ calls() }}{% endcache %}", calls) == [
        "2",
        "3",
    ]
    assert cache.get(make_template_fragment_key("key")) is None


def test_make_template_fragment_key(cache: Cache, calls: Counter) -> None:
    source = "{% cache 300, 'key1', 'key2', 'key3' %}{{ calls() }}{% endcache %}"
    rendered(source, calls)
    key = make_template_fragment_key("key1", vary_on=["key2", "key3"])
    assert cache.delete(key)
    assert rendered(source, calls) == ["2", "2"]


def test_fragments_form_example(cache: Cache) -> None:
    source = """{% cache 60*5 %}
        <form>{{ field }}<button>Send</button></form>
    {% endcache %}"""
    pages = [render_template_string(source, field=field) for field in "ab"]
    assert pages[0] == pages[1]
    assert cache.stats().stored == 1


def test_clear_script(app: Flask) -> None:
    cache = Cache()

    def main() -> None:
        cache.init_app(app, config={"CACHE_TYPE": "simple"})
        cache.set("k", 1)
        with app.app_context():
            cache.clear()

    main()
    assert cache.get("k") is None


def test_testing_uses_null_cache_only(app: Flask) -> None:
    app.config["TESTING"] = True
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    cache.set("k", 1)
    assert cache.get("k") is None


def test_custom_cache_factory(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """The factory is given the application. Its server is down, and pages are made."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        app.config["REDIS_SERVER"] = nobody.getsockname()
        name = "tests.flask.custom_caches.redis_cache"
        cache = Cache(app, config={"CACHE_TYPE": name, "CACHE_DEFAULT_TIMEOUT": 7})
        store = cache.cache
        assert isinstance(store, cachelib.RedisCache)
        assert store.default_timeout == 7
        assert cache.set("k", 1) is False
        assert cache.get("k") is None
        with pytest.raises(StoreError):
            cache.delete("k")
        assert "could not write 'k': ConnectionError" in caplog.text


@pytest.mark.parametrize("name", SETTING_ROWS)
def test_setting(name: str) -> None:
    """Each one is read, and at least one test sets it to see what it does."""
    assert name in {each.name for each in SETTINGS}
    written = "".join(path.read_text("utf-8") for path in TESTS.glob("test_*.py"))
    own = inspect.getsource(inspect.getmodule(test_setting) or pytest)
    assert written.count(name) > own.count(name)


@pytest.mark.parametrize(("name", "class_name"), TYPE_ROWS)
def test_type(name: str, class_name: str) -> None:
    """Both names stand for the same store."""
    types: dict[str, Any] = TYPES
    assert types[name] is types[class_name]
