"""`flask.inspector`: the pages of the inspector in an application of Flask."""

import logging
from http import HTTPStatus
from typing import Any

import pytest
from flask import Flask, abort, redirect, render_template_string, request, url_for
from flask_wtf import CSRFProtect
from werkzeug.test import TestResponse

from jinja_fragcache import Cache, make_template_fragment_key
from jinja_fragcache.errors import SettingError
from jinja_fragcache.flask.inspector import INSPECTORS
from jinja_fragcache.inspector.exchange import MOST_BYTES
from tests.inspector.support import Browser, form_of, rows, text_of

ROOT = "/_fragcache"
KEY = make_template_fragment_key("side", ["Ada"])
PAGE = "{% cache 300, 'side', 'Ada', tags=['users'] %}<p>hello{% endcache %}"
SIMPLE = {"CACHE_TYPE": "simple"}


def allow() -> bool:
    return request.headers.get("X-User") == "admin"


ADMIN = {"X-User": "admin"}


def application(*, debug: bool = False, has_secret_key: bool = True) -> Flask:
    app = Flask(__name__)
    app.debug = debug
    app.secret_key = "secret" if has_secret_key else None

    @app.get("/")
    def index() -> str:
        return render_template_string(PAGE)

    return app


def set_up(app: Flask, **settings: Any) -> Cache:
    return Cache(app, config={**SIMPLE, **settings})


def get(app: Flask, url: str = f"{ROOT}/", **headers: str) -> TestResponse:
    return app.test_client().get(url, headers=headers)


def status(app: Flask, url: str = f"{ROOT}/", **headers: str) -> int:
    return get(app, url, **headers).status_code


def test_in_debug_mode_it_is_there_by_itself() -> None:
    app = application(debug=True)
    set_up(app)
    get(app, "/")
    page = get(app)
    assert page.status_code == HTTPStatus.OK
    (row,) = (each for each in rows(page) if each[0].startswith("side"))
    assert row[2:4] == ["0", "1"]


def test_outside_of_debug_mode_it_is_not_there() -> None:
    app = application()
    set_up(app)
    assert status(app) == HTTPStatus.NOT_FOUND
    assert not [each for each in app.url_map.iter_rules() if ROOT in each.rule]


@pytest.mark.parametrize("first", ["/", f"{ROOT}/", ROOT, f"{ROOT}/settings"])
def test_debug_mode_may_be_set_after_the_cache_was_made(first: str) -> None:
    app = application()
    set_up(app)
    # As `app.run(debug=True)` does.
    app.debug = True
    assert app.test_client().get(first, follow_redirects=True).status_code == 200
    assert status(app) == HTTPStatus.OK


def test_an_application_that_has_handled_a_request_can_be_set_up() -> None:
    app = application(debug=True)
    assert status(app) == HTTPStatus.NOT_FOUND
    set_up(app)
    assert status(app) == HTTPStatus.OK


def test_it_is_gone_when_debug_mode_is_switched_off() -> None:
    app = application(debug=True)
    set_up(app)
    assert status(app) == HTTPStatus.OK
    app.debug = False
    assert status(app) == HTTPStatus.NOT_FOUND


def test_it_can_be_switched_off_in_debug_mode() -> None:
    app = application(debug=True)
    set_up(app, CACHE_INSPECTOR=False)
    assert status(app, "/") == HTTPStatus.OK
    assert status(app) == HTTPStatus.NOT_FOUND


def test_in_debug_mode_no_other_host_leads_to_it() -> None:
    app = application(debug=True)
    set_up(app)
    answer = get(app, Host="rebound.example")
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "CACHE_INSPECTOR_ALLOW" in answer.text


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("given", [allow, f"{__name__}:allow"])
def test_the_function_says_who_may_see_it(debug: bool, given: Any) -> None:
    app = application(debug=debug)
    set_up(app, CACHE_INSPECTOR_ALLOW=given)
    assert status(app) == HTTPStatus.FORBIDDEN
    assert status(app, Host="shop.example", **ADMIN) == HTTPStatus.OK


def test_the_function_may_send_visitors_to_a_login() -> None:
    def allow() -> bool:
        return abort(redirect("/login"))

    app = application()
    set_up(app, CACHE_INSPECTOR_ALLOW=allow)
    assert get(app).location == "/login"


def test_a_function_that_was_not_called_allows_nobody() -> None:
    app = application()
    set_up(app, CACHE_INSPECTOR_ALLOW=lambda: allow)
    assert status(app, **ADMIN) == HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"CACHE_INSPECTOR": True}, "needs CACHE_INSPECTOR_ALLOW"),
        ({"CACHE_INSPECTOR": "true"}, "needs CACHE_INSPECTOR_ALLOW"),
        ({"CACHE_INSPECTOR": "perhaps"}, "CACHE_INSPECTOR can't be 'perhaps'"),
        ({"CACHE_INSPECTOR_ALLOW": True}, "CACHE_INSPECTOR_ALLOW is a function"),
        (
            {"CACHE_INSPECTOR_ALLOW": lambda request: request},
            "is called without arguments, and .* missing a required argument",
        ),
        ({"CACHE_INSPECTOR_ALLOW": "no.such:thing"}, "CACHE_INSPECTOR_ALLOW"),
        ({"CACHE_INSPECTOR_URL": "cache"}, "CACHE_INSPECTOR_URL can't be 'cache'"),
        ({"CACHE_INSPECTOR_URL": "/"}, "CACHE_INSPECTOR_URL can't be"),
        ({"CACHE_INSPECTOR_URL": "/<name>"}, "CACHE_INSPECTOR_URL can't be"),
        ({"CACHE_INSPECTOR_URL": None}, "CACHE_INSPECTOR_URL can't be None"),
    ],
)
def test_settings_that_can_not_work_are_refused_at_the_start(
    settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingError, match=told):
        set_up(application(), **settings)


def test_it_can_be_anywhere() -> None:
    app = application(debug=True)
    set_up(app, CACHE_INSPECTOR_URL="/admin/cache/")
    assert status(app) == HTTPStatus.NOT_FOUND
    assert 'href="/admin/cache/settings"' in get(app, "/admin/cache/").text


def test_links_know_where_the_application_is_mounted() -> None:
    app = application(debug=True)
    set_up(app)
    page = app.test_client().get(f"{ROOT}/", base_url="http://localhost/shop")
    assert f'href="/shop{ROOT}/settings"' in page.text


def test_templates_can_link_to_it() -> None:
    app = application(debug=True)
    set_up(app)
    with app.test_request_context():
        assert url_for("fragcache_inspector.page") == f"{ROOT}/"
        url = url_for("fragcache_inspector.page", page="store")
        assert url == f"{ROOT}/store"


@pytest.mark.parametrize("route", [f"{ROOT}/", ROOT, f"{ROOT}/<name>"])
def test_another_route_at_its_place_is_left_alone(
    route: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = application(debug=True)
    app.add_url_rule(route, "mine", lambda name="": f"mine {name}")
    with caplog.at_level(logging.WARNING, "jinja_fragcache"):
        set_up(app)
        url = route.replace("<name>", "settings")
        assert get(app, url).text.startswith("mine")
    assert caplog.text.count("Set CACHE_INSPECTOR_URL to another path") == 1


def test_another_route_at_its_place_is_an_error_if_it_was_asked_for() -> None:
    app = application()
    app.add_url_rule(f"{ROOT}/", "mine", lambda: "mine")
    with pytest.raises(SettingError, match="Set CACHE_INSPECTOR_URL"):
        set_up(app, CACHE_INSPECTOR_ALLOW=allow)


def test_two_caches_of_an_application_have_two_inspectors() -> None:
    app = application(debug=True)
    set_up(app, CACHE_THRESHOLD=11)
    set_up(app, CACHE_THRESHOLD=22)
    assert "11" in dict(row[:2] for row in rows(get(app, f"{ROOT}/settings"))).values()
    second = rows(get(app, f"{ROOT}-2/settings"))
    assert "22" in dict(row[:2] for row in second).values()


def test_a_cache_that_is_set_up_twice_has_one() -> None:
    app = application(debug=True)
    cache = set_up(app)
    cache.init_app(app, config={"CACHE_THRESHOLD": 77})
    assert status(app, f"{ROOT}-2/") == HTTPStatus.NOT_FOUND
    found = dict(row[:2] for row in rows(get(app, f"{ROOT}/settings")))
    assert found["CACHE_THRESHOLD"] == "77"


def test_one_cache_of_two_applications_shows_each_its_own() -> None:
    apps = [application(debug=True), application(debug=True)]
    cache = Cache(config=SIMPLE)
    for app in apps:
        cache.init_app(app)
    get(apps[0], "/")
    assert "side" in get(apps[0]).text
    assert "Nothing was asked for" in get(apps[1]).text


@pytest.mark.parametrize("debug", [True, False])
def test_entries_are_deleted_as_on_any_page(debug: bool) -> None:
    app = application(debug=debug)
    cache = set_up(app, CACHE_INSPECTOR_ALLOW=lambda: True)
    get(app, "/")
    look = Browser(app, ROOT)
    answer = look.send("delete", f"entry?key={KEY}", key=KEY)
    assert answer.status_code == HTTPStatus.SEE_OTHER
    with app.app_context():
        assert cache.get(KEY) is None
    assert look.get(answer.location.removeprefix(f"{ROOT}/")).status_code == 404


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_forms_are_sent_though_flask_wtf_protects_all_views(order: str) -> None:
    app = application(debug=True)
    if order == "before":
        CSRFProtect(app)
    set_up(app)
    if order == "after":
        CSRFProtect(app)
    look = Browser(app, ROOT)
    assert look.send("clear").status_code == HTTPStatus.SEE_OTHER
    answer = look.post("clear", {"csrf_token": "0" * 64})
    assert "Its token is of another browser" in answer.text


def test_without_a_secret_key_debug_mode_can_delete_and_others_can_not() -> None:
    app = application(debug=True, has_secret_key=False)
    set_up(app)
    assert Browser(app, ROOT).send("clear").status_code == HTTPStatus.SEE_OTHER
    app = application(has_secret_key=False)
    set_up(app, CACHE_INSPECTOR_ALLOW=lambda: True)
    look = Browser(app, ROOT)
    fields = form_of(look.get().text, f"{ROOT}/clear").fields
    assert look.post("clear", fields).status_code == HTTPStatus.FORBIDDEN


def test_a_form_that_is_too_long_is_not_read() -> None:
    app = application(debug=True)
    set_up(app)
    answer = Browser(app, ROOT).post("clear", {"key": "x" * MOST_BYTES})
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_its_pages_are_stored_by_no_cache() -> None:
    app = application(debug=True)
    cache = set_up(app)
    views: dict[str, Any] = app.view_functions
    for endpoint, view in list(views.items()):
        views[endpoint] = cache.cached(60)(view)
    with app.test_request_context():
        before = cache.stats()
    get(app, f"{ROOT}/store")
    assert get(app, f"{ROOT}/store").headers["Cache-Control"] == "no-store"
    with app.test_request_context():
        assert cache.stats().stored == before.stored


def test_the_settings_in_force_are_shown_without_secrets() -> None:
    app = application(debug=True)
    app.config["CACHE_REDIS_URL"] = "redis://user:hunter2@host"
    app.config["CACHE_STALE"] = "60"
    set_up(
        app,
        CACHE_REDIS_PASSWORD="hunter2",
        CACHE_SIGNING_KEY="hunter2",
        CACHE_INSPECTOR_URL=ROOT,
    )
    page = get(app, f"{ROOT}/settings")
    assert "hunter2" not in page.text
    found = dict(row[:2] for row in rows(page))
    assert found["CACHE_REDIS_PASSWORD"] == "•••••• (set)"
    assert found["CACHE_TYPE"] == "'simple'"
    assert found["CACHE_STALE"] == "60"
    # What `None` stands for here.
    assert found["CACHE_TEMPLATE_DIGEST"] == "True"


@pytest.mark.parametrize("debug", [True, False])
def test_figures_are_collected_where_the_inspector_is(debug: bool) -> None:
    app = application(debug=debug)
    cache = set_up(app, CACHE_INSPECTOR_ALLOW=lambda: True)
    get(app, "/")
    with app.app_context():
        assert cache.fragment_cache.figures is not None
    assert "CACHE_STATISTICS" not in get(app).text


def test_without_statistics_it_says_how_to_have_them() -> None:
    app = application(debug=True)
    set_up(app, CACHE_STATISTICS=False)
    get(app, "/")
    assert "Set CACHE_STATISTICS to True in Flask" in get(app).text
    assert status(app, f"{ROOT}/entry?key={KEY}") == HTTPStatus.OK


def test_a_production_site_without_the_inspector_collects_nothing() -> None:
    app = application()
    cache = set_up(app)
    get(app, "/")
    with app.app_context():
        assert cache.fragment_cache.figures is None


def test_what_is_shown_in_testing_mode_is_what_is_used() -> None:
    app = application(debug=True)
    set_up(app, CACHE_NO_NULL_WARNING=True)
    app.testing = True
    page = get(app, f"{ROOT}/settings")
    assert dict(row[:2] for row in rows(page))["CACHE_TYPE"] == "'null'"


def test_routes_by_host_have_it_on_all_hosts() -> None:
    app = Flask(__name__, host_matching=True, static_host="static.example")
    app.debug = True
    set_up(app)
    assert status(app, Host="localhost") == HTTPStatus.OK


def test_the_inspector_of_a_cache_is_found_by_the_application() -> None:
    app = application(debug=True)
    cache = set_up(app)
    assert app.extensions[INSPECTORS][cache].prefix == ROOT


def test_the_store_and_its_breaker_are_shown() -> None:
    app = application(debug=True)
    set_up(app, CACHE_TYPE="redis", CACHE_REDIS_PORT=1, CACHE_OPTIONS={"retry": None})
    told = text_of(get(app, f"{ROOT}/store").text)
    assert "The store does not answer." in told
    get(app, "/")
    assert "Circuit breaker open" in text_of(get(app, f"{ROOT}/store").text)
