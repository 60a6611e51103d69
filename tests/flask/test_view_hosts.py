"""Views that have one path on two hosts don't share an entry."""

import pytest
from flask import Flask, request

from jinja_fragcache import Cache, KeyValueError, UncoveredReadError
from jinja_fragcache.flask.view_hosts import host_of_url, host_of_views


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__, subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    cache = Cache(app, config={"CACHE_TYPE": "simple"})

    @app.route("/", subdomain="<name>")
    @cache.cached()
    def personal(name: str) -> str:
        return name

    @app.route("/", subdomain="shop")
    @cache.cached()
    def shop() -> str:
        return "the shop"

    @app.route("/")
    @cache.cached()
    def index() -> str:
        return "index"

    app.extensions["tested"] = (cache, personal)
    return app


def shown(app: Flask, host: str) -> str:
    return app.test_client().get("/", base_url=f"http://{host}").text


HOSTS = {
    "ann.example.com": "ann",
    "bob.example.com": "bob",
    "shop.example.com": "the shop",
    "example.com": "index",
}


def test_each_host_gets_its_own_page(app: Flask) -> None:
    for _ in range(2):
        assert {host: shown(app, host) for host in HOSTS} == HOSTS
    cache, _ = app.extensions["tested"]
    with app.app_context():
        assert (cache.stats().hits, cache.stats().stored) == (4, 4)


def test_the_page_of_a_host_is_deleted_by_the_view_s_arguments(app: Flask) -> None:
    cache, personal = app.extensions["tested"]
    shown(app, "ann.example.com")
    with app.app_context():
        assert cache.has(personal.make_cache_key(name="ann"))
        cache.delete_cached(personal, name="ann")
        assert not cache.has(personal.make_cache_key(name="ann"))


def test_the_hosts_of_urls_and_views(app: Flask) -> None:
    with app.app_context():
        assert host_of_url("//ann.example.com/") == "ann.example.com"
        assert host_of_url("/") == "example.com"
        assert host_of_views(["shop"]) == "shop.example.com"
        assert host_of_views(["index"]) == "example.com"
        with pytest.raises(KeyValueError, match="Give the view's arguments"):
            host_of_views(["personal"])


def test_an_application_without_hosts_has_none_in_its_keys() -> None:
    with Flask(__name__).app_context():
        assert host_of_url("/") == host_of_views([]) == ""


def check_host_is_shown(app: Flask) -> None:
    """Check that each of two hosts gets its own from the cache."""
    app.testing = True
    cache = Cache(app, config={"CACHE_TYPE": "simple", "CACHE_IN_TESTING": True})

    @cache.cached()
    def view(**_: str) -> str:
        return request.host

    app.add_url_rule("/", "view", view)
    app.add_url_rule("/", "of_name", view, subdomain="<name>")
    hosts = ["ann.example.com", "bob.example.com"] * 2
    assert [shown(app, host) for host in hosts] == hosts
    with app.app_context():
        assert (cache.stats().hits, cache.stats().stored) == (2, 2)


def test_a_view_may_show_the_host_where_its_key_has_it() -> None:
    app = Flask(__name__, subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    check_host_is_shown(app)
    # Without hosts in keys, it is refused as before.
    with pytest.raises(UncoveredReadError, match=r"reads request\.host"):
        check_host_is_shown(Flask(__name__))


def test_a_key_function_with_the_path_has_no_host() -> None:
    app = Flask(__name__, subdomain_matching=True)
    app.config |= {"SERVER_NAME": "example.com", "TESTING": True}
    cache = Cache(app, config={"CACHE_TYPE": "simple", "CACHE_IN_TESTING": True})

    @app.route("/", subdomain="<name>")
    @cache.cached(key_prefix=lambda: request.path)
    def view(name: str) -> str:
        return request.host

    with pytest.raises(UncoveredReadError, match=r"reads request\.host"):
        shown(app, "ann.example.com")
