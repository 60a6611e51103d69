"""What bodies read of a request of Starlette has to be in their keys."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import SimpleUser, UnauthenticatedUser
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.testclient import TestClient

from jinja_fragcache import UncoveredReadError

from .support import Page


def client(page: Page, session: Any = None) -> Callable[[str], str]:
    """Return a function that asks for a page as a user, and returns its text.

    Args:
        page: The page.
        session: The session, None for one of Starlette's.
    """
    templates = Jinja2Templates(env=page.environment())

    def view(request: Request) -> Response:
        user = request.query_params["user"]
        request.scope["user"] = SimpleNamespace(
            id=user, name=user.title(), team_id=1, key="k", email=""
        )
        request.scope["auth"] = [f"see {user}"]
        request.state.tenant = SimpleNamespace(id=user, name=user)
        request.state.db = object()
        setattr(request.state, user, user)
        request.shop = SimpleNamespace(id=user, name=user)  # type: ignore[attr-defined]
        request.db = object()  # type: ignore[attr-defined]
        request.session.update({"cart": user, "orders": [user]})
        values = {
            "user": user,
            "me": request.user,
            "orders": request.session["orders"],
            "tenant": request.state.tenant,
            "agent": lambda: request.headers["User-Agent"],
            "query": request.query_params,
            "sent": request.headers,
            "where": request.url,
            "kept": request.state,
            "cookies": request.cookies,
            "params": request.path_params,
            "scope": request.scope,
            "mine": [request.user],
        }
        return templates.TemplateResponse(request, "page.html", values)

    def own(app: Any) -> Any:
        async def call(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "session": session}, receive, send)

        return call

    sessions = Middleware(SessionMiddleware, secret_key="secret")
    app = Starlette(
        routes=[Route("/{path:path}", view, name="view")],
        middleware=[sessions if session is None else Middleware(own)],
    )

    def ask(user: str) -> str:
        headers = {"User-Agent": user, "Cookie": f"theme={user}"}
        url = f"http://{user}.com"
        with TestClient(app, base_url=url, client=(user, 1), headers=headers) as asking:
            return asking.get(f"/{user}", params={"user": user}).text

    return ask


# Expressions of bodies, each with one for a key that covers it.
READS = {
    "request.query_params.user": "request.query_params.user",
    "request.query_params['user']": "request.query_params.get('user')",
    "request.query_params": "request.query_params.user",
    "request.cookies.theme": "request.cookies['theme']",
    "request.cookies": "request.cookies|string",
    "request.headers['User-Agent']": "request.headers.get('user-agent')",
    "agent()": "request.headers['user-agent']",
    "request.session.cart": "request.session.cart",
    "request.session['cart']": "request.session.get('cart')",
    "request.session": "request.session|string",
    "request.path_params.path": "request.path_params.path",
    "request.state.tenant.name": "request.state.tenant.id",
    "request.shop.name": "request.shop.id",
    "request.user.name": "request.user.id",
    "request.auth": "request.auth|string",
    "request.client.host": "request.client.host",
    "request.url": "request.url|string",
    "request.url.path": "request.url.path",
    "request.url.query": "request.url.query",
    "request['path']": "request.path",
    "request.scope['path']": "request.path",
    "user": "user",
    "me.name": "me.id",
    "orders[0]": "orders",
    "tenant.name": "tenant.id",
    "query.user": "request.query_params.user",
    "sent['User-Agent']": "request.headers['user-agent']",
    "where.path": "request.url.path",
    "kept.tenant.name": "request.state.tenant.id",
    "cookies.theme": "cookies",
    "params.path": "params",
    "scope.path": "request.path",
    "mine[0].name": "request.user.id",
    "request.headers.raw": "request.headers['user-agent']",
    "request.headers.mutablecopy()['user-agent']": "request.headers['user-agent']",
}
# These show less than what they read.
_WHOLE = {
    "request.headers.mutablecopy()['user-agent']",
    *("request.headers.raw", "request.query_params", "request.scope['path']"),
    "scope.path",
}


@pytest.mark.parametrize("read", READS)
def test_without_it_in_the_key_nobody_sees_the_text_of_another(read: str) -> None:
    page = Page("{{ " + read + " }}")
    page.check(client(page), is_cached=False)


@pytest.mark.parametrize("read", sorted(READS.keys() - _WHOLE))
def test_with_it_in_the_key_each_user_has_an_entry(read: str) -> None:
    page = Page("{{ " + read + " }}", READS[read])
    page.check(client(page), is_cached=True)


@pytest.mark.parametrize("read", sorted(_WHOLE))
def test_a_key_with_a_part_does_not_cover_the_whole(read: str) -> None:
    page = Page("{{ " + read + " }}", READS[read])
    page.check(client(page), is_cached=False)


@pytest.mark.parametrize(
    "key",
    [
        "request.user.team_id",
        "request.user.team_id or 1",
        "request.user.key",
        "request.user.email",
    ],
)
def test_what_users_share_does_not_cover_the_user(key: str) -> None:
    page = Page("{{ request.user.name }}", key)
    page.check(client(page), is_cached=False)


@pytest.mark.parametrize("key", ["", "request.session.cart"])
def test_a_session_that_is_a_dictionary_is_watched_and_written(key: str) -> None:
    session: dict[str, str] = {}
    body = "{{ request.session.cart }}{{ request.session.setdefault('a', 1) }}"
    page = Page(body, key, guard_allow=["request.session.a"])
    page.check(client(page, session), is_cached=bool(key))
    assert session == {"cart": "bob", "orders": ["bob"], "a": 1}


def test_an_included_template_reads_it_too() -> None:
    page = Page("{% include 'user.html' %}")
    page.check(client(page), is_cached=False)
    page = Page("{% include 'user.html' %}", "user")
    page.check(client(page), is_cached=True)


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (
            "request.user.name",
            r"reads request\.user .*Write \{% .*, request\.user\.id %\}",
        ),
        (
            "request.session.cart",
            r"Write \{% .*, request\.session\.get\(\"cart\"\) %\}",
        ),
        ("agent()", r'Write \{% .*, request\.headers\.get\("user-agent"\) %\}'),
    ],
)
def test_a_strict_cache_tells_what_to_write(read: str, told: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)
    with pytest.raises(UncoveredReadError, match=told):
        client(page)("ann")


@pytest.mark.parametrize("first", ["ann", "bob"])
@pytest.mark.parametrize(
    "read",
    [
        "request.user.name",
        "me.name",
        "tenant.name",
        "request.state.tenant.name",
        "request.session.cart",
        "request.session|string",
        "request.session|length ~ request.session.values()|join",
        "request.query_params.user",
        "request.query_params",
        "request.cookies.theme",
        "request.cookies|string",
        "request.path_params.path",
        "request.url",
        "request.url.path",
        "request.headers['User-Agent']",
        "agent()",
    ],
)
def test_the_tag_of_the_error_works(read: str, first: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)
    pasted = page.pasted(client(page), first)
    pasted.check(client(pasted), is_cached=True)


@pytest.mark.parametrize("first", ["ann", ""])
def test_the_tag_for_users_of_starlette_works_for_visitors_too(first: str) -> None:
    page = Page("{{ request.user.display_name }}", strict=True)

    def asking(page: Page) -> Callable[[str], str]:
        template = page.environment().get_template("page.html")

        def ask(name: str) -> str:
            user = SimpleUser(name) if name else UnauthenticatedUser()
            request = Request({"type": "http", "user": user, "headers": []})
            return template.render(request=request)

        return ask

    pasted = page.pasted(asking(page), first)
    names = ["ann", "", "bob", "ann", ""]
    assert list(map(asking(pasted), names)) == names
    assert pasted.cache.stats().hits == 2


@pytest.mark.parametrize(
    "read",
    [
        "url_for('view', path='a')",
        "request.url_for('view', path='a')",
        "request.base_url",
    ],
)
def test_an_entry_with_urls_is_served_for_its_host_alone(read: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)
    ask = client(page)
    ann, bob = ask("ann"), ask("bob")
    assert "//ann.com/" in ann
    assert "//bob.com/" in bob
    assert ask("bob") == bob
    assert (page.cache.stats().stored, page.cache.stats().hits) == (2, 1)


def test_with_the_host_in_the_key_or_allowed_it_is_not_compared() -> None:
    url = "{{ url_for('view', path='a') }}"
    page = Page(url, "request.base_url|string", strict=True)
    page.check(client(page), is_cached=True)
    page = Page(url, guard_allow=["request.base_url"])
    ask = client(page)
    assert ask("ann") == ask("bob")


@pytest.mark.parametrize(
    "read", ["request.app", "request['app']", "request.state.db", "request.app.state"]
)
def test_what_is_the_same_for_all_is_quiet(read: str) -> None:
    page = Page("{{ 'text' if " + read + " is defined }}", strict=True)
    ask = client(page)
    assert ask("ann") == ask("bob") == "text"
    assert page.cache.stats().stored == 1


def test_what_is_not_there_is_noted_and_raises_as_before() -> None:
    page = Page("{{ request.state.missing }}{{ request.nothing }}|")
    ask = client(page)
    assert ask("ann") == ask("bob") == "|"
    assert page.cache.stats().stored == 0


async def _body(request: Request) -> str:
    return (await request.body()).decode()


def test_the_body_of_a_request_is_noted() -> None:
    page = Page("{{ read(request) }}")
    templates = Jinja2Templates(env=page.environment(enable_async=True))

    async def view(request: Request) -> Response:
        template = templates.get_template("page.html")
        return Response(await template.render_async(request=request, read=_body))

    app = Starlette(routes=[Route("/", view, methods=["POST"])])
    with TestClient(app) as asking:
        page.check(lambda user: asking.post("/", content=user).text, is_cached=False)


@pytest.mark.parametrize("key", ["", "request.user.id", "u"])
@pytest.mark.parametrize(
    "expression", ["request.user.name", "request.session.cart or 1", "user.title()"]
)
def test_what_is_set_above_the_tag_is_read_by_its_body(
    expression: str, key: str
) -> None:
    page = Page("{{ u }}", key)
    page.templates["page.html"] = (
        f"{{% set u = {expression} %}}" + page.templates["page.html"]
    )
    page.check(client(page), is_cached=bool(key))


def test_a_request_whose_method_is_called_above_is_not_read_as_a_mapping() -> None:
    page = Page("{{ u }}")
    above = "{% set u = request.url_for('view', path='x').path %}"
    page.templates["page.html"] = above + page.templates["page.html"]
    asking = client(page)
    assert asking("ann") == asking("bob")
    assert page.cache.stats().stored == 1


@pytest.mark.parametrize(
    "read",
    [
        *("'bob' in request.state", "request.state|join", "request.state.bob|default"),
        *("request.bob is defined", "request.cookies|tojson"),
        *("request.cookies|urlencode", "request.session|tojson"),
    ],
)
def test_that_something_is_there_is_noted_and_shown_as_it_is(read: str) -> None:
    page, plain = Page("{{ " + read + " }}"), Page("")
    plain.templates["page.html"] = "{{ " + read + " }}"
    texts = [client(plain)(user) for user in ("ann", "bob")]
    assert [client(page)(user) for user in ("ann", "bob")] == texts
    assert page.cache.stats().stored == 0


@pytest.mark.parametrize("read", ["request['route'].name", "request.get('endpoint').x"])
def test_another_route_s_text_is_rendered_again(read: str) -> None:
    page = Page("{{ " + read + " }}")
    templates = Jinja2Templates(env=page.environment())

    def view_of(name: str) -> Route:
        def view(request: Request) -> Response:
            return templates.TemplateResponse(request, "page.html")

        view.x = name  # type: ignore[attr-defined]
        return Route(f"/{name}/{{path}}", view, name=name)

    asking = TestClient(Starlette(routes=[view_of("a"), view_of("b")]))
    urls = ("/a/1", "/a/2", "/b/1", "/a/1")
    assert [asking.get(url).text for url in urls] == ["a", "a", "b", "a"]
    assert page.cache.stats().hits == 1
