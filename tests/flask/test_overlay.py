import gzip
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, render_template_string, request

from jinja_fragcache import Cache, SettingError

PAGE = "<!doctype html><body><p>{% cache 60, 'side' %}text{% endcache %}</p></body>"
SCRIPT = '<script type="module" src="/_fragcache/overlay.js"'


def site(*, debug: bool = True, **settings: Any) -> Flask:
    app = Flask(__name__)
    app.secret_key = "secret"
    given = {"CACHE_TYPE": "simple", "CACHE_DEBUG_COMMENTS": True, **settings}
    cache = Cache(app, config=given)
    # As `app.run(debug=True)` does, after the cache was made.
    app.debug = debug
    app.add_url_rule("/", "page", lambda: render_template_string(PAGE))

    @app.get("/cached")
    @cache.cached()
    def cached() -> str:
        return render_template_string(PAGE)

    @app.get("/streamed")
    def streamed() -> Response:
        def pieces() -> Iterator[str]:
            yield from ("<!doctype html><body>", "</body>")

        return Response(pieces(), mimetype="text/html")

    @app.get("/etag")
    def etag() -> Response:
        response = Response("<body></body>")
        response.set_etag("abc")
        response.make_conditional(request)
        return response

    @app.get("/gzip")
    def packed() -> Response:
        headers = {"Content-Encoding": "gzip"}
        return Response(gzip.compress(b"<body></body>"), headers=headers)

    return app


def has_overlay(app: Flask, path: str = "/", **options: Any) -> bool:
    return SCRIPT in app.test_client().get(path, **options).text


def test_in_debug_mode_pages_with_comments_have_it() -> None:
    assert has_overlay(site())
    assert not has_overlay(site(debug=False))
    assert not has_overlay(site(CACHE_DEBUG_COMMENTS=False))
    assert not has_overlay(site(CACHE_DEBUG_OVERLAY=False))
    assert not has_overlay(site(CACHE_INSPECTOR=False))


def test_it_is_for_those_who_may_see_the_inspector() -> None:
    assert not has_overlay(site(), base_url="http://shop.example")
    who = site(CACHE_INSPECTOR_ALLOW=lambda: request.args.get("who") == "admin")
    assert has_overlay(who, "/?who=admin")
    assert not has_overlay(who)


def test_outside_of_debug_mode_it_has_to_be_asked_for() -> None:
    allow = {"CACHE_INSPECTOR_ALLOW": lambda: True}
    assert not has_overlay(site(debug=False, **allow))
    assert has_overlay(site(debug=False, CACHE_DEBUG_OVERLAY=True, **allow))


def test_a_function_that_fails_does_not_fail_the_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = site(CACHE_INSPECTOR_ALLOW=lambda: 1 / 0)
    for _ in range(2):
        assert app.test_client().get("/").status_code == 200
        assert not has_overlay(app)
    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "CACHE_INSPECTOR_ALLOW failed" in record.message


@pytest.mark.parametrize("name", ["CACHE_DEBUG_COMMENTS", "CACHE_INSPECTOR"])
def test_what_it_needs_must_not_be_off(name: str) -> None:
    with pytest.raises(SettingError, match=f"Turn {name} on, too"):
        site(CACHE_DEBUG_OVERLAY=True, **{name: False})


def test_where_nobody_may_see_it_turning_it_on_is_refused() -> None:
    told = (
        "CACHE_DEBUG_OVERLAY is on, and outside of debug mode .* CACHE_INSPECTOR_ALLOW"
    )
    with pytest.raises(SettingError, match=told):
        site(debug=False, CACHE_DEBUG_OVERLAY=True)


@pytest.mark.parametrize("path", ["/streamed", "/gzip", "/_fragcache/"])
def test_other_answers_have_none(path: str) -> None:
    client = site().test_client()
    client.get("/")
    assert b"overlay.js" not in client.get(path).data


def test_the_script_is_there_and_acts_for_the_page() -> None:
    client = site().test_client()
    page = client.get("/").text
    source = re.search(r'src="([^"]+)"', page)
    token = re.search(r'data-csrf-token="([^"]+)"', page)
    key = re.search(r"key=(\S+)", page)
    assert source
    assert token
    assert key
    assert client.get(source[1]).mimetype == "text/javascript"
    answer = client.post(
        "/_fragcache/delete",
        data={"key": key[1], "csrf_token": token[1]},
        headers={"Accept": "application/json"},
    )
    assert answer.json == {"deleted": key[1]}
    assert '<!-- cache miss "side"' in client.get("/").text


def test_a_view_is_stored_without_it() -> None:
    client = site().test_client()
    for _ in range(2):
        assert client.get("/cached").text.count(SCRIPT) == 1


def test_lengths_and_etags_are_those_of_the_longer_page() -> None:
    client = site().test_client()
    answer = client.get("/etag")
    assert answer.content_length == len(answer.data)
    head = client.head("/etag")
    assert head.content_length == answer.content_length
    assert head.data == b""
    assert answer.headers["ETag"] == '"abc-overlay"'
    # A browser that has it without the overlay may keep that, and gets no wrong one.
    for tag, status in (('"abc-overlay"', 200), ('"abc"', 304)):
        answer = client.get("/etag", headers={"If-None-Match": tag})
        assert answer.status_code == status


def test_two_caches_of_an_application_show_one() -> None:
    app = site()
    Cache(app, config={"CACHE_TYPE": "simple", "CACHE_DEBUG_COMMENTS": True})
    assert app.test_client().get("/").text.count("overlay.js") == 1


def test_functions_after_the_request_may_set_the_policy() -> None:
    app = site()

    @app.after_request
    def set_policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "script-src 'nonce-abc'"
        return response

    assert 'nonce="abc"' in app.test_client().get("/").text
