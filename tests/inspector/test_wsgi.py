from http import HTTPStatus
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from jinja_fragcache.inspector import wsgi_app
from jinja_fragcache.inspector.exchange import MOST_BYTES
from tests.inspector.support import SECRET, Browser, Site
from tests.support import configure_django


@pytest.fixture
def site() -> Site:
    return Site()


def not_found(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [])
    return [b"not the inspector"]


@pytest.mark.parametrize("root", ["/_fragcache", "/admin/cache"])
def test_it_is_mounted_anywhere(site: Site, root: str) -> None:
    inspector = wsgi_app(site.cache, debug=True)
    look = Browser(DispatcherMiddleware(not_found, {root: inspector}), root)
    answer = look.send("clear")
    assert answer.status_code == HTTPStatus.SEE_OTHER
    client = Client(DispatcherMiddleware(not_found, {root: inspector}))
    assert client.get(answer.location).status_code == HTTPStatus.OK
    assert client.get("/other").text == "not the inspector"


def test_it_works_without_a_slash_at_the_end(site: Site) -> None:
    mounted = DispatcherMiddleware(not_found, {"/a": wsgi_app(site.cache, debug=True)})
    page = Client(mounted).get("/a")
    assert page.status_code == HTTPStatus.OK
    assert 'href="/a/inspector.css"' in page.text


def test_allow_gets_the_environ(site: Site) -> None:
    app = wsgi_app(
        site.cache,
        allow=lambda environ: environ.get("REMOTE_USER") == "admin",
        secret_key=SECRET,
    )
    client = Client(app)
    for user, status in (("admin", HTTPStatus.OK), ("ada", HTTPStatus.FORBIDDEN)):
        answer = client.get("/", environ_overrides={"REMOTE_USER": user})
        assert answer.status_code == status


def test_a_path_that_is_not_ascii_is_quoted(site: Site) -> None:
    root = "/caf\xe9".encode().decode("latin-1")
    mounted = DispatcherMiddleware(not_found, {root: wsgi_app(site.cache, debug=True)})
    page = Client(mounted).get("/caf\xe9/")
    assert 'href="/caf%C3%A9/inspector.css"' in page.text


def test_head_has_no_body(site: Site) -> None:
    answer = Client(wsgi_app(site.cache, debug=True)).head("/")
    assert answer.status_code == HTTPStatus.OK
    assert int(answer.headers["Content-Length"]) > 0
    assert answer.data == b""


@pytest.mark.parametrize("length", [str(MOST_BYTES + 1), "-1", "many"])
def test_a_form_that_is_too_long_is_not_read(site: Site, length: str) -> None:
    class Unread:
        def read(self, *_: object) -> bytes:
            raise AssertionError

    answer = Client(wsgi_app(site.cache, debug=True)).post(
        "/clear",
        content_type="application/x-www-form-urlencoded",
        environ_overrides={"CONTENT_LENGTH": length, "wsgi.input": Unread()},
    )
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_it_stands_beside_django(site: Site) -> None:
    configure_django()
    mounted = DispatcherMiddleware(
        get_wsgi_application(), {"/_fragcache": wsgi_app(site.cache, debug=True)}
    )
    look = Browser(mounted, "/_fragcache")
    site.render("{% cache 60, 'x' %}y{% endcache %}")
    assert look.send("clear").status_code == HTTPStatus.SEE_OTHER
    assert site.cache.stats().stored == 1
