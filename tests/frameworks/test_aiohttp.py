"""What bodies read of a request of aiohttp has to be in their keys."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp_jinja2
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from jinja_fragcache import UncoveredReadError, set_fragment_cache

from .support import Page

# aiohttp-jinja2's own key is a text.
pytestmark = pytest.mark.filterwarnings("ignore:.*RequestKey:UserWarning")
_Processor = Callable[[web.Request], Awaitable[dict[str, Any]]]


async def personal(request: web.Request) -> dict[str, Any]:
    """Return what a context processor makes of a request."""
    return {"greeting": "Hi " + request.query["user"], "site": "shop"}


def client(
    page: Page,
    *,
    is_async: bool = False,
    processors: Any = None,
) -> Callable[[str], str]:
    """Return a function that asks for a page as a user, and returns its text.

    Args:
        page: The page.
        is_async: Whether the environment is asynchronous.
        processors: The context processors.
    """
    app = web.Application()
    env = aiohttp_jinja2.setup(
        app,
        loader=page.environment().loader,
        enable_async=is_async,
        context_processors=processors or [aiohttp_jinja2.request_processor],
    )
    set_fragment_cache(env, page.cache)

    async def view(request: web.Request) -> web.Response:
        user = request.query["user"]
        request["user"] = SimpleNamespace(id=user, name=user.title(), team_id=1)
        request["cart"] = user
        request["session"] = {"cart": user, "orders": [user]}
        request["db"] = object()
        values = {
            "me": request["user"],
            "orders": request["session"]["orders"],
            "agent": lambda: request.headers["User-Agent"],
            "user": user,
        }
        try:
            if is_async:
                render = aiohttp_jinja2.render_template_async
                return await render("page.html", request, values)
            return aiohttp_jinja2.render_template("page.html", request, values)
        except UncoveredReadError as error:
            raised.append(error)
            raise

    app.router.add_get("/{path}", view, name="view")

    async def ask(user: str) -> str:
        headers = {"User-Agent": user, "Cookie": f"theme={user}", "Host": f"{user}.com"}
        url = f"/{user}?user={user}&user=x"
        async with clients[0].get(url, headers=headers) as answer:
            text: str = await answer.text()
            if raised:
                raise raised.pop()
            return text

    raised: list[UncoveredReadError] = []

    clients: list[Any] = []

    async def start() -> None:
        clients.append(TestClient(TestServer(app)))
        await clients[0].start_server()

    loop = _loops[-1]
    loop.run_until_complete(start())
    loop.closing.append(clients[0].close)
    return lambda user: loop.run_until_complete(ask(user))


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self.closing: list[Callable[[], Awaitable[None]]] = []


_loops: list[_Loop] = []


@pytest.fixture(autouse=True)
def loop() -> Any:
    _loops.append(_Loop())
    yield
    used = _loops.pop()
    for close in used.closing:
        used.run_until_complete(close())
    used.close()


# Expressions of bodies, each with one for a key that covers it.
READS = {
    "request.query.user": "request.query.user",
    "request.query['user']": "request.query.get('user')",
    "request.query_string": "request.query_string",
    "request.cookies.theme": "request.cookies['theme']",
    "request.cookies": "request.cookies|string",
    "request.headers['User-Agent']": "request.headers.get('user-agent')",
    "agent()": "request.headers['user-agent']",
    "request.match_info.path": "request.match_info.path",
    "request.match_info.route.name ~ request.path": "request.path",
    "request.user.name": "request.user.id",
    "request['user'].name": "request['user'].id",
    "request.get('user').name": "request.user.id",
    "request.cart": "request.cart",
    "request.session.cart": "request.session.cart",
    "request.host": "request.host",
    "request.url": "request.url|string",
    "request.rel_url": "request.rel_url|string",
    "request.path": "request.path",
    "user": "user",
    "me.name": "me.id",
    "orders[0]": "orders",
}


@pytest.mark.parametrize(
    "read",
    [*READS, "request.query", "request.raw_headers", "request.query.getall('user')"],
)
def test_without_it_in_the_key_nobody_sees_the_text_of_another(read: str) -> None:
    page = Page("{{ " + read + " }}")
    page.check(client(page), is_cached=False)


@pytest.mark.parametrize("is_async", [False, True])
def test_an_environment_of_either_kind_is_guarded(*, is_async: bool) -> None:
    page = Page("{{ agent() }}{{ me.name }}")
    page.check(client(page, is_async=is_async), is_cached=False)
    page = Page("{{ agent() }}{{ me.name }}", "me.id, request.headers['user-agent']")
    page.check(client(page, is_async=is_async), is_cached=True)


@pytest.mark.parametrize("read", READS)
def test_with_it_in_the_key_each_user_has_an_entry(read: str) -> None:
    page = Page("{{ " + read + " }}", READS[read])
    page.check(client(page), is_cached=True)


@pytest.mark.parametrize(
    ("read", "key"),
    [
        ("request.user.name", "request.user.team_id"),
        ("request.query", "request.query.user"),
        ("request.query.getall('user')", "request.query.a"),
    ],
)
def test_what_tells_less_does_not_cover_it(read: str, key: str) -> None:
    page = Page("{{ " + read + " }}", key)
    page.check(client(page), is_cached=False)


def test_all_values_of_a_query_are_shown_as_without_the_guard() -> None:
    page = Page("{% for k, v in request.query.items() %}{{ k }}{{ v }} {% endfor %}")
    assert client(page)("ann") == "userann userx "


@pytest.mark.parametrize(
    "read",
    [
        "url('view', path='a')",
        "request.app",
        "request.config_dict",
        "request.db",
        "app",
    ],
)
def test_what_is_the_same_for_all_is_quiet(read: str) -> None:
    page = Page("{{ 'text' if " + read + " is defined }}", strict=True)
    ask = client(page)
    assert ask("ann") == ask("bob") == "text"
    assert page.cache.stats().stored == 1


def test_what_is_not_there_is_noted() -> None:
    page = Page("{{ request.missing is defined }}")
    ask = client(page)
    assert ask("ann") == ask("bob") == "False"
    assert page.cache.stats().stored == 0


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("make", [list, tuple])
def test_what_a_processor_reads_belongs_to_its_name(
    make: Callable[[Any], Any], *, is_async: bool
) -> None:
    processors = make([aiohttp_jinja2.request_processor, personal])
    page = Page("{{ greeting }}")
    page.check(client(page, is_async=is_async, processors=processors), is_cached=False)


def test_the_first_request_of_an_application_stores_nothing() -> None:
    """Its processors have run before anybody could watch them."""
    page = Page("{{ site }}", strict=True)
    ask = client(page, processors=[aiohttp_jinja2.request_processor, personal])
    stored = []
    for user in ("ann", "bob", "ann"):
        assert ask(user) == "shop"
        stored.append(page.cache.stats().stored)
    assert stored == [0, 1, 1]
    assert page.cache.stats().hits == 1


@pytest.mark.parametrize(
    "read",
    [
        "request.query.user",
        "request.query",
        "request.cookies.theme",
        "request.headers['User-Agent']",
        "request.match_info.path",
        "request.user.name",
        "request.cart",
        "request.session.cart",
        "request.host",
        "request.url",
        "me.name",
    ],
)
def test_the_tag_of_the_error_works(read: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)
    pasted = page.pasted(client(page))
    pasted.check(client(pasted), is_cached=True)


@pytest.mark.parametrize(
    ("key", "stored"),
    [("", 0), ("request.path", 1), ("request.match_info.route.name", 1)],
)
@pytest.mark.parametrize("read", ["route.name", "get_info()", "http_exception"])
def test_the_route_has_to_be_in_the_key(read: str, key: str, stored: int) -> None:
    page = Page("{{ request.match_info." + read + " }}", key)
    client(page)("ann")
    assert page.cache.stats().stored == stored
