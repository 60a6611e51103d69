"""What bodies read of Quart's request, session and `g` has to be in their keys."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import quart
from jinja2 import DictLoader
from quart import Quart, g, request, session, websocket
from quart_auth import AuthUser, QuartAuth, current_user, login_user
from werkzeug.datastructures import Headers

from jinja_fragcache import (
    FragmentCacheExtension,
    UncoveredReadError,
    set_fragment_cache,
)
from jinja_fragcache.frameworks.quart import QuartRequests

from .support import Page, run


def application(page: Page) -> Quart:
    """Return an application with the templates and the cache of a page."""
    app = Quart(__name__)
    app.secret_key = "secret"
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.jinja_env.add_extension(FragmentCacheExtension)
    app.jinja_env.loader = DictLoader(page.templates)
    set_fragment_cache(app.jinja_env, page.cache)
    return app


def client(page: Page, path: str = "/") -> Callable[[str], str]:
    """Return a function that asks for a page as a user, and returns its text.

    Args:
        page: The page.
        path: What stands before the user in its URL.
    """
    app = application(page)
    app.config["QUART_AUTH_COOKIE_SECURE"] = False
    QuartAuth(app)

    @app.get("/in")
    async def sign_in() -> str:
        user = request.args["user"]
        session["cart"] = user
        login_user(AuthUser(user))
        return ""

    @app.get("/<name>")
    async def view(name: str) -> str:
        g.theme, g.db = SimpleNamespace(id=name), object()
        request.tenant = SimpleNamespace(id=name)  # type: ignore[attr-defined]
        await quart.flash(name)
        return await quart.render_template("page.html", agent=agent, name=name)

    @app.get("/by-hand/<name>")
    async def by_hand(name: str) -> str:
        template = app.jinja_env.get_template("page.html")
        return await template.render_async(name=name, user=current_user)

    def agent() -> str:
        return request.headers["User-Agent"]

    async def ask(user: str) -> str:
        asking = app.test_client()
        headers = Headers({"User-Agent": user, "Host": f"{user}.com"})
        await asking.get(f"/in?user={user}", headers=headers)
        answer = await asking.get(f"{path}{user}?user={user}", headers=headers)
        return str(await answer.get_data(as_text=True))

    return lambda user: run(ask(user))


# Expressions of bodies, each with one for a key that covers it.
READS = {
    "request.args.user": "request.args.get('user')",
    "request.args|string": "request.args|string",
    "request.headers['User-Agent']": "request.headers['user-agent']",
    "agent()": "request.headers['user-agent']",
    "request.path": "request.path",
    "request.url": "request.url",
    "request.host": "request.host",
    "request.view_args.name": "request.view_args.name",
    "request.tenant.id": "request.tenant.id",
    "session.cart": "session.cart",
    "session['cart']": "session.get('cart')",
    "g.theme.id": "g.theme.id",
    "current_user.auth_id": "current_user.auth_id",
    "url_for('view', name='a', _external=true)": "request.host_url",
}


@pytest.mark.parametrize("read", [*READS, "get_flashed_messages()|join"])
def test_without_it_in_the_key_nobody_sees_the_text_of_another(read: str) -> None:
    page = Page("{{ " + read + " }}")
    page.check(client(page), is_cached=False)


@pytest.mark.parametrize("read", READS)
def test_with_it_in_the_key_each_user_has_an_entry(read: str) -> None:
    page = Page("{{ " + read + " }}", READS[read])
    page.check(client(page), is_cached=True)


@pytest.mark.parametrize(
    "read", ["session.cart", "g.theme.id", "request.args.user", "current_user.auth_id"]
)
def test_a_value_in_the_key_covers_the_read_that_gave_it(read: str) -> None:
    page = Page("{{ " + read + " }}", "name")
    page.check(client(page), is_cached=True)


@pytest.mark.parametrize("key", ["", "name"])
def test_what_finds_the_user_is_not_noted_beside_it(key: str) -> None:
    page = Page("{{ user.auth_id }}", key)
    page.check(client(page, "/by-hand/"), is_cached=bool(key))


def test_messages_that_were_read_before_the_body_are_noted() -> None:
    read = "{{ get_flashed_messages()|join }}"
    page = Page(read)
    page.templates["page.html"] = read + page.templates["page.html"]
    page.check(client(page), is_cached=False)


def test_a_strict_cache_tells_what_to_write() -> None:
    page = Page("{{ session.cart }}", strict=True)
    with pytest.raises(UncoveredReadError, match=r'session\.get\("cart"\) %\}'):
        client(page)("ann")


@pytest.mark.parametrize("read", ["g.db", "url_for('view', name='a')", "config.DEBUG"])
def test_what_is_the_same_for_all_is_quiet(read: str) -> None:
    page = Page("{{ 'text' if " + read + " is defined }}", strict=True)
    ask = client(page)
    assert ask("ann") == ask("bob") == "text"
    assert page.cache.stats().stored == 1


def test_outside_of_requests_there_is_nothing_to_watch() -> None:
    framework: Any = QuartRequests()
    framework.watch(None)
    framework.note_variable("current_user", "Ann", None)
    assert framework.request() is None
    with pytest.raises(LookupError):
        framework.value_of("session.cart", None)


@pytest.mark.parametrize("names", [[], ["_cv_app"]], ids=["nothing", "a part"])
def test_while_quart_is_being_imported_there_is_nothing_to_watch(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    partly: Any = ModuleType("quart.globals")
    vars(partly).update({name: getattr(quart.globals, name) for name in names})
    monkeypatch.setitem(sys.modules, "quart.globals", partly)
    framework: Any = QuartRequests()
    framework.watch(None)
    framework.note_variable("current_user", "Ann", None)
    assert framework.request() is None
    assert framework.apart(blocking=True) is nullcontext
    with pytest.raises(LookupError):
        framework.value_of("session.cart", None)


def websocket_client(page: Page) -> Callable[[str], str]:
    """Like `client`, of a websocket that sends the page."""
    app = application(page)
    app.context_processor(lambda: {"mine": session.get("cart")})

    @app.websocket("/<name>")
    async def send(name: str) -> None:
        text = await quart.render_template(
            "page.html", websocket=websocket, agent=lambda: websocket.user_agent.string
        )
        await websocket.send(text)

    signer: Any = app.session_interface.get_signing_serializer(app)

    async def ask(user: str) -> str:
        headers = {"User-Agent": user, "Host": f"{user}.com"}
        headers["Cookie"] = f"session={signer.dumps({'cart': user})}"
        asking = app.test_client(use_cookies=False)
        async with asking.websocket(f"/{user}?user={user}", headers=headers) as sending:
            return str(await sending.receive())

    return lambda user: run(ask(user))


# Expressions of bodies, each with one for a key that covers it.
OF_WEBSOCKETS = {
    "session.cart": "session.cart",
    "session.get('cart')": "session.get('cart')",
    "mine": "mine",
    "agent()": "websocket.user_agent.string",
    "websocket.args.user": "websocket.args.user",
    "websocket.view_args.name": "websocket.view_args.name",
    "websocket.path": "websocket.path",
    "websocket.host": "websocket.host",
}


@pytest.mark.parametrize("is_cached", [False, True])
@pytest.mark.parametrize("read", OF_WEBSOCKETS)
def test_a_websocket_is_watched_as_a_request(read: str, *, is_cached: bool) -> None:
    page = Page("{{ " + read + " }}", OF_WEBSOCKETS[read] if is_cached else "")
    page.check(websocket_client(page), is_cached=is_cached)


@pytest.mark.parametrize("kind", ["request", "websocket"])
def test_a_context_of_newer_versions_has_either(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    # From Quart 0.23 on, neither has a context of its own.
    now = SimpleNamespace(**{f"has_{kind}": True, kind: object()})
    newer = ModuleType("quart.globals")
    newer._cv_app = SimpleNamespace(get=lambda _: now)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "quart.globals", newer)
    assert QuartRequests().request() is getattr(now, kind)
