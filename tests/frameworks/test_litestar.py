"""What bodies read of a request of Litestar has to be in their keys."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from litestar import Litestar, Request, get, post
from litestar.config.csrf import CSRFConfig
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Response, Template
from litestar.template import TemplateConfig
from litestar.testing import TestClient

from jinja_fragcache import UncoveredReadError

from .support import Page

_Request = Request[Any, Any, Any]


def client(page: Page, *, is_async: bool = False) -> Callable[[str], str]:
    """Return a function that asks for a page as a user, and returns its text.

    Args:
        page: The page.
        is_async: Whether the handler renders it in an asynchronous environment.
    """
    env = page.environment(enable_async=is_async)

    def values(request: _Request) -> dict[str, Any]:
        user = request.query_params["user"]
        request.scope["user"] = SimpleNamespace(id=user, name=user.title(), team_id=1)
        request.scope["auth"] = [f"see {user}"]
        request.state.tenant = SimpleNamespace(id=user, name=user)
        request.state.db = object()
        request.set_session({"cart": user, "orders": [user]})
        return {
            "user": user,
            "me": request.user,
            "orders": request.session["orders"],
            "tenant": request.state.tenant,
            "agent": lambda: request.headers["User-Agent"],
        }

    @get("/{path:str}", name="view")
    async def view(request: _Request) -> Template | Response[str]:
        given = values(request)
        if not is_async:
            return Template("page.html", context=given)
        template = env.get_template("page.html")
        text = await template.render_async(request=request, **given)
        return Response(text, media_type="text/html")

    app = Litestar(
        [view],
        template_config=TemplateConfig(
            instance=JinjaTemplateEngine.from_environment(env)
        ),
        middleware=[CookieBackendConfig(secret=b"s" * 16).middleware],
        csrf_config=CSRFConfig(secret="secret"),
        logging_config=None,
        debug=True,
    )
    # What it raises is to reach the test.
    clients = {
        user: TestClient(app, base_url=f"http://{user}.com") for user in ("ann", "bob")
    }

    def ask(user: str) -> str:
        headers = {"User-Agent": user, "Cookie": f"theme={user}"}
        with clients[user] as asking:
            answer = asking.get(f"/{user}", params={"user": user}, headers=headers)
        text: str = answer.text
        if answer.status_code >= 500:
            raise UncoveredReadError(text)
        return text

    return ask


# Expressions of bodies, each with one for a key that covers it.
READS = {
    "request.query_params.user": "request.query_params.user",
    "request.query_params['user']": "request.query_params.get('user')",
    "request.query_params.getone('user')": "request.query_params.user",
    "request.query_params.getall('user')": "request.query_params.multi_items()|list",
    "request.headers.getone('user-agent')": "request.headers['user-agent']",
    "request.cookies.theme": "request.cookies['theme']",
    "request.cookies": "request.cookies|string",
    "request.headers['User-Agent']": "request.headers.get('user-agent')",
    "agent()": "request.headers['user-agent']",
    "request.session.cart": "request.session.get('cart')",
    "request.session": "request.session|string",
    "request.path_params.path": "request.path_params.path",
    "request.state.tenant.name": "request.state.tenant.id",
    "request.state.get('tenant').name": "request.state.tenant.id",
    "request.user.name": "request.user.id",
    "request.auth": "request.auth|string",
    "request.url": "request.url|string",
    "request.url.path": "request.url.path",
    "user": "user",
    "me.name": "me.id",
    "orders[0]": "orders",
    "tenant.name": "tenant.id",
}


@pytest.mark.parametrize("read", [*READS, "request.query_params", "request.scope.path"])
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


def test_what_users_share_does_not_cover_the_user() -> None:
    page = Page("{{ request.user.name }}", "request.user.team_id")
    page.check(client(page), is_cached=False)


def test_all_values_of_a_key_are_more_than_one() -> None:
    page = Page("{{ request.query_params.getall('user') }}", "request.query_params.a")
    page.check(client(page), is_cached=False)


@pytest.mark.parametrize("read", ["csrf_token()", "csrf_input"])
def test_tokens_are_named_as_what_they_are(read: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)
    ask = client(page)
    with pytest.raises(UncoveredReadError, match="reads csrf_token "):
        ask("ann")
    page = Page("{{ " + read + " }}")
    client(page)("ann")
    assert page.cache.stats().stored == 0


@pytest.mark.parametrize(
    "read", ["request.url_for('view', path='a')", "request.base_url"]
)
def test_an_entry_with_urls_is_served_for_its_host_alone(read: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)
    ask = client(page)
    ann, bob = ask("ann"), ask("bob")
    assert "//ann.com/" in ann
    assert "//bob.com/" in bob
    assert ask("bob") == bob
    assert (page.cache.stats().stored, page.cache.stats().hits) == (2, 1)


@pytest.mark.parametrize(
    "read",
    [
        "url_for('view', path='a')",
        "request.app",
        "request.state.db",
        "request.route_handler",
    ],
)
def test_what_is_the_same_for_all_is_quiet(read: str) -> None:
    page = Page("{{ 'text' if " + read + " is defined }}", strict=True)
    ask = client(page)
    assert ask("ann") == ask("bob") == "text"
    assert page.cache.stats().stored == 1


def test_what_is_not_there_is_noted() -> None:
    page = Page("{{ request.state.missing }}{{ request.state.missing is defined }}")
    ask = client(page)
    assert ask("ann") == ask("bob") == "False"
    assert page.cache.stats().stored == 0


async def _body(request: _Request) -> str:
    return (await request.body()).decode()


def test_the_body_of_a_request_is_noted() -> None:
    page = Page("{{ read(request) }}")
    env = page.environment(enable_async=True)

    @post("/", media_type="text/html")
    async def view(request: _Request) -> str:
        template = env.get_template("page.html")
        return await template.render_async(request=request, read=_body)

    app = Litestar([view], logging_config=None)
    with TestClient(app) as asking:
        page.check(lambda user: asking.post("/", content=user).text, is_cached=False)


@pytest.mark.parametrize(
    "read",
    [
        "request.query_params.user",
        "request.query_params",
        "request.cookies.theme",
        "request.headers['User-Agent']",
        "request.session.cart",
        "request.path_params.path",
        "request.state.tenant.name",
        "request.user.name",
        "request.url",
        "request.url.path",
        "me.name",
    ],
)
def test_the_tag_of_the_error_works(read: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)
    pasted = page.pasted(client(page))
    pasted.check(client(pasted), is_cached=True)


@pytest.mark.parametrize(
    "read", ["'tenant' in request.state", "request.state|list", "request.state|length"]
)
def test_the_names_in_the_state_are_noted(read: str) -> None:
    page = Page("{{ " + read + " }}")
    assert client(page)("ann")
    assert page.cache.stats().stored == 0


@pytest.mark.parametrize("name", ["cookies", "path_params", "session"])
@pytest.mark.parametrize("shown", ["tojson", "urlencode"])
def test_a_dictionary_of_the_request_is_shown_as_one(name: str, shown: str) -> None:
    page, plain = Page("{{ request." + name + "|" + shown + " }}"), Page("")
    plain.templates["page.html"] = "{{ request." + name + "|" + shown + " }}"
    # The cookie of the session is another one each time.
    texts = [client(each)("ann").partition("session")[0] for each in (page, plain)]
    assert texts[0] == texts[1]
    assert page.cache.stats().stored == 0


def test_another_handler_s_text_is_rendered_again() -> None:
    page = Page("{{ request.route_handler.name }}")

    def handler(name: str) -> Any:
        @get(f"/{name}/{{number:int}}", name=name, sync_to_thread=False)
        def view() -> Template:
            return Template("page.html")

        return view

    engine = JinjaTemplateEngine.from_environment(page.environment())
    app = Litestar(
        [handler("a"), handler("b")],
        template_config=TemplateConfig(instance=engine),
        logging_config=None,
    )
    with TestClient(app) as asking:
        urls = ("/a/1", "/a/2", "/b/1", "/a/1")
        assert [asking.get(url).text for url in urls] == ["a", "a", "b", "a"]
    assert page.cache.stats().hits == 1
