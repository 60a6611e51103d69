from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from jinja_fragcache import make_template_fragment_key
from jinja_fragcache.inspector import asgi_overlay
from tests.inspector.support import SECRET, Site

PAGE = "<!doctype html><body>{% cache 60, 'side' %}<p>text</p>{% endcache %}</body>"
SCRIPT = 'src="/_fragcache/overlay.js"'
BASE = "http://localhost"


@pytest.fixture
def site() -> Site:
    return Site(debug_comments=True)


@pytest.fixture
def shop(site: Site) -> Starlette:
    def page(_: Any) -> HTMLResponse:
        return HTMLResponse(site.render(PAGE))

    def streamed(_: Any) -> StreamingResponse:
        def pieces() -> Iterator[str]:
            yield from ("<!doctype html>", "<p>x</p>")

        return StreamingResponse(pieces(), media_type="text/html")

    async def pieces(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/html"), (b"content-length", b"16")]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(start)
        for body in (b"<body>", b"", b"x</body>"):
            more = body != b"x</body>"
            message = {"type": "http.response.body", "body": body, "more_body": more}
            await send(message)

    async def socket(websocket: Any) -> None:
        await websocket.accept()
        await websocket.send_text("</body>")
        await websocket.close()

    routes = [
        Route("/", page),
        Route("/streamed", streamed),
        WebSocketRoute("/socket", socket),
    ]
    made = Starlette(routes=routes)
    made.mount("/pieces", pieces)
    return made


@pytest.fixture
def client(site: Site, shop: Starlette) -> TestClient:
    return TestClient(asgi_overlay(shop, site.cache, debug=True), base_url=BASE)


def test_pages_have_the_overlay_and_the_inspector_is_there(client: TestClient) -> None:
    page = client.get("/")
    assert page.text.count(SCRIPT) == 1
    assert int(page.headers["Content-Length"]) == len(page.content)
    script = client.get("/_fragcache/overlay.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    token = page.text.partition('data-csrf-token="')[2].partition('"')[0]
    form = {"key": make_template_fragment_key("side"), "csrf_token": token}
    answer = client.post(
        "/_fragcache/delete", data=form, headers={"Accept": "application/json"}
    )
    assert answer.json() == {"deleted": form["key"]}
    assert "cache miss" in client.get("/").text


def test_a_page_may_come_in_pieces_of_a_known_length(client: TestClient) -> None:
    page = client.get("/pieces/")
    assert page.text.startswith("<body>x<script")
    assert page.text.endswith("</body>")


def test_what_is_streamed_passes_as_it_is(client: TestClient) -> None:
    assert client.get("/streamed").text == "<!doctype html><p>x</p>"
    with client.websocket_connect("/socket") as socket:
        assert socket.receive_text() == "</body>"


def test_a_request_without_a_body_tells_no_length(client: TestClient) -> None:
    answer = client.head("/")
    assert answer.status_code == 200
    assert "Content-Length" not in answer.headers


def test_only_those_who_may_see_the_inspector_have_it(
    site: Site, shop: Starlette
) -> None:
    async def allow(scope: Any) -> bool:
        return bool(scope["query_string"] == b"who=admin")

    app = asgi_overlay(shop, site.cache, allow=allow, secret_key=SECRET)
    client = TestClient(app, base_url=BASE)
    assert SCRIPT in client.get("/?who=admin").text
    assert SCRIPT not in client.get("/").text
    local = asgi_overlay(shop, site.cache, debug=True)
    assert SCRIPT not in TestClient(local, base_url="http://shop.example").get("/").text


def test_the_prefix_is_below_that_of_the_application(
    site: Site, shop: Starlette
) -> None:
    outer = Starlette()
    outer.mount("/shop", asgi_overlay(shop, site.cache, prefix="/cache", debug=True))
    client = TestClient(outer, base_url=BASE)
    assert 'src="/shop/cache/overlay.js"' in client.get("/shop/").text
    assert client.get("/shop/cache/overlay.js").status_code == 200
