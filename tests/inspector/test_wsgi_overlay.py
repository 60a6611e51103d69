from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from jinja_fragcache import SettingError, make_template_fragment_key
from jinja_fragcache.inspector import wsgi_overlay
from tests.inspector.support import SECRET, Site

PAGE = "<!doctype html><body>{% cache 60, 'side' %}<p>text</p>{% endcache %}</body>"
SCRIPT = 'src="/_fragcache/overlay.js"'


class Shop:
    """A WSGI application, and how often an answer of its was closed."""

    def __init__(self) -> None:
        self.site = Site(debug_comments=True)
        self.closed = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        if request.path == "/old":
            write = start_response("200 OK", [("Content-Type", "text/html")])
            write(b"<!doctype html><p>written")
            return []
        response: Any = Response(self.site.render(PAGE), mimetype="text/html")
        if request.path == "/streamed":
            response = Response(self.pieces(), mimetype="text/html")
        if request.path == "/lazy":
            return self.lazy(start_response)
        response.call_on_close(self.close)
        return response(environ, start_response)

    def close(self) -> None:
        self.closed += 1

    def pieces(self) -> Iterator[str]:
        yield "<!doctype html>"

    def lazy(self, start_response: Any) -> Iterator[bytes]:
        """Tell the headers when the first piece is asked for."""
        start_response("200 OK", [("Content-Type", "text/html")])
        yield b"<!doctype html>"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def client(shop: Shop) -> Client:
    return Client(wsgi_overlay(shop, shop.site.cache, debug=True))


def test_pages_have_the_overlay_and_the_inspector_is_there(
    client: Client, shop: Shop
) -> None:
    page = client.get("/")
    assert page.text.count(SCRIPT) == 1
    assert page.content_length == len(page.data)
    assert shop.closed == 1
    assert client.get("/_fragcache/overlay.js").mimetype == "text/javascript"
    token = page.text.partition('data-csrf-token="')[2].partition('"')[0]
    form = {"key": make_template_fragment_key("side"), "csrf_token": token}
    answer = client.post(
        "/_fragcache/delete", data=form, headers={"Accept": "application/json"}
    )
    assert answer.json == {"deleted": form["key"]}
    assert "cache miss" in client.get("/").text


@pytest.mark.parametrize("path", ["/streamed", "/lazy", "/old"])
def test_what_is_streamed_passes_as_it_is(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.text.startswith("<!doctype html>")
    assert SCRIPT not in answer.text


def test_a_request_without_a_body_tells_no_length(client: Client) -> None:
    answer = client.head("/")
    assert answer.status_code == 200
    assert answer.content_length is None


def test_only_those_who_may_see_the_inspector_have_it(shop: Shop) -> None:
    app = wsgi_overlay(
        shop,
        shop.site.cache,
        allow=lambda environ: environ.get("REMOTE_USER") == "admin",
        secret_key=SECRET,
    )
    for user, expected in (("admin", True), ("ada", False)):
        page = Client(app).get("/", environ_overrides={"REMOTE_USER": user})
        assert (SCRIPT in page.text) is expected
    other = wsgi_overlay(shop, shop.site.cache, debug=True)
    assert SCRIPT not in Client(other).get("/", base_url="http://shop.example").text


def test_the_prefix_is_below_that_of_the_application(shop: Shop) -> None:
    app = wsgi_overlay(shop, shop.site.cache, prefix="/admin/cache", debug=True)
    client = Client(app)
    page = client.get("/", base_url="http://localhost/shop")
    assert 'src="/shop/admin/cache/overlay.js"' in page.text
    script = client.get("/admin/cache/overlay.js", base_url="http://localhost/shop")
    assert script.status_code == 200


@pytest.mark.parametrize("prefix", ["", "/", "admin", "/admin/", '/"', None])
def test_a_prefix_that_is_no_path_is_refused(shop: Shop, prefix: Any) -> None:
    with pytest.raises(SettingError, match="prefix is the path"):
        wsgi_overlay(shop, shop.site.cache, prefix=prefix, debug=True)
