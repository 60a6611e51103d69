"""What bodies read of a request of Django has to be in their keys."""

import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import django
import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib import messages
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
)
from django.core.signing import TimestampSigner
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.test import Client, override_settings
from django.urls import clear_url_caches, path, reverse
from django.utils import translation
from jinja2 import Environment

from jinja_fragcache import UncoveredReadError
from jinja_fragcache.frameworks.django import connections_closed
from tests.support import configure_django

from .support import Page

configure_django()
django.setup()

IDS = {"ann": 1, "bob": 2}
# The page that the environment of the templates has, and what the view does first.
current: dict[str, Any] = {}


def user_with(number: int, name: str) -> Any:
    return get_user_model()(pk=number, username=name)


class Backend:
    """Finds users without a database."""

    def get_user(self, number: int) -> Any:
        return user_with(number, f"name {number}")

    def has_perm(self, user: Any, _perm: str, _obj: Any = None) -> bool:
        return bool(user.pk == IDS["ann"])


def tenants(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Set on each request what an application's middleware does."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.tenant = user_with(9, request.GET["user"])
        request.db = object()
        return get_response(request)

    return middleware


def sign_in(request: HttpRequest) -> HttpResponse:
    user = Backend().get_user(IDS[request.GET["user"]])
    request.session[SESSION_KEY] = str(user.pk)
    request.session[BACKEND_SESSION_KEY] = f"{__name__}.Backend"
    request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    request.session["cart"] = request.GET["user"]
    request.session["orders"] = [request.GET["user"]]
    return HttpResponse()


def view(request: HttpRequest, name: str) -> HttpResponse:
    messages.info(request, request.GET["user"])
    current["before"](request)
    values = {
        "name": name,
        "me": request.user,
        "orders": request.session.get("orders"),
        "owner": request.tenant,
        "agent": lambda: request.META["HTTP_USER_AGENT"],
        "get_messages": messages.get_messages,
    }
    return render(request, "page.html", values)


def environment(**_: Any) -> Environment:
    env: Environment = current["page"].environment(extensions=["jinja2.ext.i18n"])
    env.globals |= {
        "get_language": translation.get_language,
        "static": static,
        "url": reverse,
    }
    env.install_gettext_translations(translation)  # type: ignore[attr-defined]
    return env


urlpatterns = [path("in", sign_in), path("<str:name>/", view, name="view")]
SETTINGS: dict[str, Any] = {
    "ALLOWED_HOSTS": ["*"],
    "MESSAGE_STORAGE": "django.contrib.messages.storage.fallback.FallbackStorage",
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        f"{__name__}.tenants",
    ],
    "ROOT_URLCONF": __name__,
    "AUTHENTICATION_BACKENDS": [f"{__name__}.Backend"],
    "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
    "STATIC_URL": "/static/",
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.jinja2.Jinja2",
            "OPTIONS": {
                "environment": f"{__name__}.environment",
                "context_processors": [
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                    "django.template.context_processors.i18n",
                ],
            },
        }
    ],
}


@pytest.fixture(autouse=True)
def django_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The cookie of a session has the second in which it was signed.
    now = TimestampSigner().timestamp()
    monkeypatch.setattr(TimestampSigner, "timestamp", lambda _: now)
    with override_settings(**SETTINGS):
        yield
    current.clear()
    translation.deactivate()
    clear_url_caches()


def client(
    page: Page, before: Callable[[HttpRequest], object] = lambda _: None
) -> Callable[[str], str]:
    """Return a function that asks for a page as a user, and returns its text.

    Args:
        page: The page.
        before: Gets the request before the page is rendered.
    """
    current.update(page=page, before=before)

    def ask(user: str) -> str:
        headers = {
            "host": f"{user}.com",
            "user-agent": user,
            "accept-language": LANGUAGES[user],
        }
        asking = Client(headers=headers)
        asking.cookies["theme"] = user
        asking.get("/in", {"user": user})
        answer = asking.get(f"/{user}/", {"user": user})
        assert answer.status_code == HTTPStatus.OK
        return str(answer.content.decode())

    return ask


# Expressions of bodies, each with one for a key that covers it.
READS = {
    "request.GET.user": "request.GET.user",
    "request.GET['user']": "request.GET.get('user')",
    "request.GET.urlencode()": "request.GET|string",
    "request.COOKIES.theme": "request.COOKIES.theme",
    "request.META.HTTP_USER_AGENT": "request.META['HTTP_USER_AGENT']",
    "request.headers['User-Agent']": "request.headers.get('user-agent')",
    "agent()": "request.META.HTTP_USER_AGENT",
    "request.session.cart": "request.session['cart']",
    "request.session.get('cart')": "request.session.cart",
    "request.user.username": "request.user.id",
    "user.username": "request.user.id",
    "user": "user.id",
    "me.username": "me.id",
    "orders[0]": "orders",
    "perms.app.see": "user.id",
    "'app.see' in perms": "user.id",
    "request.tenant.username": "request.tenant.username",
    "owner.username": "owner.username",
    "request.path": "request.path",
    "request.get_full_path()": "request.get_full_path()",
    "request.get_host()": "request.get_host()",
    "request.build_absolute_uri('/a')": "request.get_host()",
    "request.build_absolute_uri()": (
        "request.build_absolute_uri(), request.get_host(), request.path"
    ),
    "request.resolver_match.kwargs.name": "request.resolver_match.kwargs.name",
}
WHOLE = ["request.session.items()|list|last", "request.session.session_key"]
TOKENS = [
    "csrf_input",
    "csrf_token",
    "messages|join",
    "get_messages(request)|join",
]


@pytest.mark.parametrize("read", [*READS, *WHOLE, *TOKENS])
def test_without_it_in_the_key_nobody_sees_the_text_of_another(read: str) -> None:
    page = Page("{{ " + read + " }}")
    ask = client(page)
    assert ask("ann") != ask("bob")
    assert page.cache.stats().stored == 0


@pytest.mark.parametrize("read", READS)
def test_with_it_in_the_key_each_user_has_an_entry(read: str) -> None:
    page = Page("{{ " + read + " }}", READS[read])
    page.check(client(page), is_cached=True)


def test_messages_that_were_read_before_the_body_are_noted() -> None:
    page = Page("{{ messages|join }}")
    page.templates["page.html"] = "{{ messages|join }}" + page.templates["page.html"]
    page.check(client(page), is_cached=False)


@pytest.mark.parametrize("key", ["", "user.id"])
def test_an_included_template_reads_it_too(key: str) -> None:
    page = Page("{% include 'user.html' %}", key)
    page.check(client(page), is_cached=bool(key))


@pytest.mark.parametrize("key", ["", "request.user.id", "user.id"])
@pytest.mark.parametrize(
    "read", ["request.user.username", "user.username", "me.username", "perms.app.see"]
)
def test_a_user_that_is_no_lazy_object_is_watched_too(read: str, key: str) -> None:
    def log_in(request: HttpRequest) -> None:
        request.user = user_with(IDS[request.GET["user"]], request.GET["user"])

    page = Page("{{ " + read + " }}", key)
    page.check(client(page, log_in), is_cached=bool(key))


@pytest.mark.parametrize(
    ("read", "told"),
    [
        ("user.username", r"reads request\.user .*Write \{% .*, request\.user\.id %\}"),
        (
            "request.session.cart",
            r"Write \{% .*, request\.session\.get\(\"cart\"\) %\}",
        ),
        ("request.get_host()", r"Write \{% .*, request\.get_host\(\) %\}"),
        ("csrf_input", r"csrf_token .*Put it into \{% nocache %\}"),
        ("messages|join", r"flashed messages .*Put it into \{% nocache %\}"),
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
        "user.username",
        "request.user.username",
        "perms.app.see",
        "request.session.cart",
        "request.session.items()|list",
        "request.GET.user",
        "request.GET.urlencode()",
        "request.COOKIES.theme",
        "request.COOKIES|string",
        "request.META.HTTP_USER_AGENT",
        "request.META.QUERY_STRING",
        "request.headers['User-Agent']",
        "request.path",
        "request.get_full_path()",
    ],
)
def test_the_tag_of_the_error_works(read: str, first: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)
    pasted = page.pasted(client(page), first)
    # So that Django makes another environment.
    with override_settings(TEMPLATES=SETTINGS["TEMPLATES"]):
        pasted.check(client(pasted), is_cached=True)


@pytest.mark.parametrize(
    "read", ["url('view', args=['a'])", "static('a.css')", "request.db is defined"]
)
def test_what_is_the_same_for_all_is_quiet(read: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)
    ask = client(page)
    assert ask("ann") == ask("bob")
    assert (page.cache.stats().stored, page.cache.stats().hits) == (1, 1)


@pytest.mark.parametrize("hosts", [[], ["localhost"]])
def test_of_a_site_with_one_host_an_entry_keeps_the_host(hosts: list[str]) -> None:
    page = Page("{{ request.build_absolute_uri('/') }}", strict=True)
    client(page)
    texts = []
    with override_settings(ALLOWED_HOSTS=hosts, DEBUG=True):
        for port in (80, 80, 81, 81):
            asking = Client(headers={"host": f"localhost:{port}"})
            texts.append(asking.get("/a/", {"user": "ann"}).content.decode())
    assert texts == [f"http://localhost:{port}/" for port in (80, 80, 81, 81)]
    assert (page.cache.stats().stored, page.cache.stats().hits) == (2, 2)


LANGUAGE = ["get_language()", "_('Yes')", "LANGUAGE_CODE"]
LANGUAGES = {"ann": "en", "bob": "de"}


@pytest.mark.parametrize("read", LANGUAGE)
def test_an_entry_keeps_the_language(read: str) -> None:
    page = Page("{{ " + read + " }}", strict=True)

    def activate(request: HttpRequest) -> None:
        translation.activate(LANGUAGES[request.GET["user"]])

    ask = client(page, activate)
    ann, bob = ask("ann"), ask("bob")
    assert ann != bob
    assert [ask("bob"), ask("ann")] == [bob, ann]
    assert (page.cache.stats().stored, page.cache.stats().hits) == (3, 1)


@pytest.mark.parametrize("read", [*LANGUAGE, "request.LANGUAGE_CODE"])
@pytest.mark.parametrize("key", ["", "get_language()", "LANGUAGE_CODE"])
def test_where_each_request_has_its_language_the_key_has_to_have_it(
    read: str, key: str
) -> None:
    page = Page("{{ " + read + " }}", key)
    locale = "django.middleware.locale.LocaleMiddleware"
    with override_settings(MIDDLEWARE=[*SETTINGS["MIDDLEWARE"], locale]):
        page.check(client(page), is_cached=bool(key))


def test_urls_with_a_prefix_show_the_language() -> None:
    page = Page("{{ url('view', args=['a']) }}")
    locale = "django.middleware.locale.LocaleMiddleware"
    with override_settings(
        MIDDLEWARE=[*SETTINGS["MIDDLEWARE"], locale], ROOT_URLCONF=Prefixed
    ):
        client(page)
        texts = [
            Client(headers={"accept-language": language})
            .get(f"/{language}/a/", {"user": "ann"})
            .content.decode()
            for language in ("en", "de")
        ]
    assert texts == ["/en/a/", "/de/a/"]
    assert page.cache.stats().stored == 0


class Prefixed:
    """A module of URLs with the language in front."""

    urlpatterns = i18n_patterns(*urlpatterns)


def test_a_thread_closes_the_connections_that_it_has_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[str] = []
    module = SimpleNamespace(
        connections=SimpleNamespace(close_all=lambda: closed.append("all"))
    )
    monkeypatch.setitem(sys.modules, "django.db", module)
    with connections_closed():
        assert closed == []
    assert closed == ["all"]


@pytest.mark.parametrize("first", ["ann", "bob"])
def test_that_a_request_has_no_route_is_noted(first: str) -> None:
    def lose(request: HttpRequest) -> None:
        if request.GET["user"] == "ann":
            request.resolver_match = None  # As on a page of the status 404.

    match = "request.resolver_match"
    page = Page("{{ " + match + ".kwargs.name if " + match + " else 'none' }}")
    ask = client(page, lose)
    ask(first)
    assert (ask("ann"), ask("bob")) == ("none", "bob")
    assert page.cache.stats().stored == 0


def test_whether_a_session_is_empty_is_noted() -> None:
    page = Page("{{ request.session.is_empty() }}")
    client(page)("ann")
    assert page.cache.stats().stored == 0
