import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from jinja_fragcache import make_template_fragment_key
from jinja_fragcache.errors import SettingError
from jinja_fragcache.inspector import asgi_app
from jinja_fragcache.inspector.exchange import MOST_BYTES
from jinja_fragcache.stores import AsyncRedisStore
from tests.inspector.support import SECRET, Site, form_of, text_of
from tests.support import configure_django

KEY = make_template_fragment_key("x")
BASE = "http://localhost"


def starlette(app: Any) -> Any:
    return Starlette(routes=[Mount("/cache", app)])


def fastapi(app: Any) -> Any:
    made = FastAPI()
    made.mount("/cache", app)
    return made


def django(app: Any) -> Any:
    from django.core.asgi import get_asgi_application  # noqa: PLC0415

    configure_django()
    site = get_asgi_application()

    async def both(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/cache/"):
            await app({**scope, "root_path": "/cache"}, receive, send)
        else:
            await site(scope, receive, send)

    return both


@pytest.fixture
def site() -> Site:
    made = Site()
    made.render("{% cache 300, 'x', tags=['t'] %}<p>text{% endcache %}")
    return made


@pytest.mark.parametrize("mount", [starlette, fastapi, django])
def test_it_is_mounted_in_an_application(site: Site, mount: Callable[..., Any]) -> None:
    client = TestClient(mount(asgi_app(site.cache, debug=True)), base_url=BASE)
    page = client.get(f"/cache/entry?key={KEY}")
    assert "&lt;p&gt;text" in page.text
    assert 'href="/cache/inspector.css"' in page.text
    assert client.get("/cache/inspector.css").status_code == HTTPStatus.OK
    form = form_of(page.text, "/cache/delete")
    answer = client.post(form.action, data=form.fields, follow_redirects=False)
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert site.cache.get(KEY) is None
    gone = client.get(answer.headers["Location"])
    assert gone.status_code == HTTPStatus.NOT_FOUND
    assert "The entry was deleted." in gone.text


def test_a_form_without_a_token_changes_nothing(site: Site) -> None:
    client = TestClient(starlette(asgi_app(site.cache, debug=True)), base_url=BASE)
    answer = client.post("/cache/clear", data={"csrf_token": "0" * 64})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert site.cache.get(KEY) is not None


async def allow_later(scope: Any) -> bool:
    await asyncio.sleep(0)
    return allow(scope)


def allow(scope: Any) -> bool:
    return (b"x-user", b"admin") in scope["headers"]


@pytest.mark.parametrize("function", [allow, allow_later])
def test_allow_gets_the_scope(
    site: Site, function: Callable[[Any], bool | Awaitable[bool]]
) -> None:
    app = asgi_app(site.cache, allow=function, secret_key=SECRET)
    client = TestClient(starlette(app))
    assert client.get("/cache/").status_code == HTTPStatus.FORBIDDEN
    seen = client.get("/cache/", headers={"X-User": "admin"})
    assert seen.status_code == HTTPStatus.OK


def test_in_debug_no_other_name_leads_to_it(site: Site) -> None:
    client = TestClient(starlette(asgi_app(site.cache, debug=True)))
    assert client.get("/cache/").status_code == HTTPStatus.FORBIDDEN


def test_head_has_no_body(site: Site) -> None:
    client = TestClient(asgi_app(site.cache, debug=True), base_url=BASE)
    answer = client.head("/")
    assert answer.status_code == HTTPStatus.OK
    assert answer.content == b""


def test_a_form_that_is_too_long_is_not_read(site: Site) -> None:
    client = TestClient(asgi_app(site.cache, debug=True), base_url=BASE)
    answer = client.post("/clear", data={"key": "x" * MOST_BYTES})
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_other_protocols_are_refused(site: Site) -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    app = asgi_app(site.cache, debug=True)
    with pytest.raises(SettingError, match="answers HTTP only, and got 'websocket'"):
        asyncio.run(app({"type": "websocket"}, never, never))


def test_a_store_that_is_awaited_is_awaited(redis_port: int) -> None:
    store = AsyncRedisStore(url=f"redis://127.0.0.1:{redis_port}", key_prefix="look:")
    site = Site(store)
    with TestClient(
        starlette(asgi_app(site.cache, debug=True)), base_url=BASE
    ) as client:
        page = client.get("/cache/store")
        assert "Answers yes" in text_of(page.text)
        form = form_of(client.get("/cache/").text, "/cache/clear")
        answer = client.post(form.action, data=form.fields, follow_redirects=False)
        assert answer.status_code == HTTPStatus.SEE_OTHER
