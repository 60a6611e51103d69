"""What bodies read of a request of Sanic has to be in their keys."""

import asyncio
import logging
from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from sanic import Sanic
from sanic.request import Request
from sanic_ext import Extend, render

from jinja_fragcache import UncoveredReadError, set_fragment_cache

from .support import Page

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
_numbers = count()


def client(
    page: Page, *, is_async: bool = True, ctx: type[Any] = SimpleNamespace
) -> Callable[[str], str]:
    """Return a function that asks for a page as a user, and returns its text.

    Args:
        page: The page.
        is_async: Whether the environment is asynchronous.
        ctx: The class of what a request keeps for the application.
    """

    class OwnRequest(Request[Any, Any]):
        @staticmethod
        def make_context() -> Any:
            return ctx()

    Sanic.test_mode = True
    app: Sanic[Any, Any] = Sanic(
        f"guarded{next(_numbers)}", configure_logging=False, request_class=OwnRequest
    )
    # Others may ask for the one application that there is.
    Sanic.unregister_app(app)
    logging.getLogger("sanic.root").setLevel(logging.ERROR)
    app.config.TEMPLATING_ENABLE_ASYNC = is_async
    Extend(app)
    app.ext.environment.loader = page.environment().loader
    set_fragment_cache(app.ext.environment, page.cache)

    @app.get("/<path>", name="view")
    async def view(request: Request[Any, Any], path: str) -> object:
        user = request.args.get("user")
        request.ctx.user = SimpleNamespace(id=user, name=user.title(), team_id=1)
        request.ctx.session = {"cart": user, "orders": [user]}
        request.ctx.cart = user
        request.ctx.db = object()
        values = {
            "user": user,
            "me": request.ctx.user,
            "orders": request.ctx.session["orders"],
            "agent": lambda: request.headers["User-Agent"],
        }
        try:
            return await render("page.html", context=values, app=app)
        except UncoveredReadError as error:
            raised.append(error)
            raise

    async def ask(user: str) -> str:
        headers = {
            "User-Agent": user,
            "Cookie": f"theme={user}",
            "Host": f"{user}.com",
            "Authorization": f"Bearer {user}",
        }
        _, answer = await app.asgi_client.get(
            f"/{user}?user={user}&user=x", headers=headers
        )
        if raised:
            raise raised.pop()
        text: str = answer.text
        assert answer.status == 200, text
        return text

    raised: list[UncoveredReadError] = []

    return lambda user: asyncio.run(ask(user))


# Expressions of bodies, each with one for a key that covers it.
READS = {
    "request.args.get('user')": "request.args.get('user')",
    "request.args.getlist('user')": "request.args.getlist('user')",
    "request.args['user']": "request.args.getlist('user')",
    "request.query_string": "request.query_string",
    "request.cookies.get('theme')": "request.cookies.get('theme')",
    "request.cookies.theme": "request.cookies.theme",
    "request.headers['User-Agent']": "request.headers.get('user-agent')",
    "request.headers.getone('User-Agent')": "request.headers['user-agent']",
    "agent()": "request.headers['user-agent']",
    "request.token": "request.token",
    "request.match_info.path": "request.match_info.path",
    "request.ctx.user.name": "request.ctx.user.id",
    "request.ctx.session.cart": "request.ctx.session.cart",
    "request.host": "request.host",
    "request.url": "request.url",
    "request.path": "request.path",
    "user": "user",
    "me.name": "me.id",
    "orders[0]": "orders",
}


@pytest.mark.parametrize("read", [*READS, "request.args", "request.ctx.__dict__.cart"])
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


class OwnContext:
    """What an application keeps for a request, of a class of its own."""


def test_a_context_of_another_class_is_watched() -> None:
    page = Page("{{ request.ctx.user.name }}")
    page.check(client(page, ctx=OwnContext), is_cached=False)
    page = Page("{{ request.ctx.user.name }}", "request.ctx.user.id")
    page.check(client(page, ctx=OwnContext), is_cached=True)


@pytest.mark.parametrize(
    ("read", "key"),
    [
        ("request.ctx.user.name", "request.ctx.user.team_id"),
        ("request.args['user']", "request.args.get('user')[:0]"),
        ("request.args", "request.args.get('user')"),
    ],
)
def test_what_tells_less_does_not_cover_it(read: str, key: str) -> None:
    page = Page("{{ " + read + " }}", key)
    page.check(client(page), is_cached=False)


def test_an_entry_with_urls_is_served_for_its_host_alone() -> None:
    page = Page("{{ request.url_for('view', path='a') }}", strict=True)
    ask = client(page)
    ann, bob = ask("ann"), ask("bob")
    assert "//ann.com" in ann
    assert "//bob.com" in bob
    assert ask("bob") == bob
    assert (page.cache.stats().stored, page.cache.stats().hits) == (2, 1)


@pytest.mark.parametrize(
    "read",
    ["url_for('view', path='a')", "request.app", "request.ctx.db", "request.endpoint"],
)
def test_what_is_the_same_for_all_is_quiet(read: str) -> None:
    page = Page("{{ 'text' if " + read + " is defined }}", strict=True)
    ask = client(page)
    assert ask("ann") == ask("bob") == "text"
    assert page.cache.stats().stored == 1


def test_what_is_not_there_is_noted() -> None:
    page = Page("{{ request.ctx.missing is defined }}")
    ask = client(page)
    assert ask("ann") == ask("bob") == "False"
    assert page.cache.stats().stored == 0


@pytest.mark.parametrize(
    "read",
    [
        "request.args.get('user')",
        "request.args['user']",
        "request.args",
        "request.cookies.theme",
        "request.headers['User-Agent']",
        "request.token",
        "request.match_info.path",
        "request.ctx.user.name",
        "request.ctx.session.cart",
        "request.ctx.cart",
        "request.host",
        "request.query_string",
        "me.name",
    ],
)
def test_the_tag_of_the_error_works(read: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)
    pasted = page.pasted(client(page))
    pasted.check(client(pasted), is_cached=True)
