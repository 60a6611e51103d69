"""`doors.django_inspector`, in a project with sessions and Django's own protection."""

from collections.abc import Iterator
from http import HTTPStatus
from types import ModuleType
from typing import Any

import pytest
from django.http import HttpRequest
from django.template import engines
from django.test import Client, override_settings
from django.urls import include, path

from jinja_fragcache import FragmentCache, SettingError, make_template_fragment_key
from jinja_fragcache.doors.django_inspector import inspector_urls
from jinja_fragcache.inspector.exchange import MOST_BYTES
from tests.inspector.support import form_of
from tests.support import configure_django

ROOT = "/admin/cache"
KEY = make_template_fragment_key("side")
BACKEND = {
    "BACKEND": "django.template.backends.jinja2.Jinja2",
    "OPTIONS": {"environment": "jinja_fragcache.doors.django.environment"},
}
MIDDLEWARE = [
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]


@pytest.fixture(autouse=True)
def urls() -> Iterator[ModuleType]:
    configure_django()
    made = ModuleType("urls")
    with override_settings(
        TEMPLATES=[BACKEND],
        MIDDLEWARE=MIDDLEWARE,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=made,
    ):
        yield made


def client(urls: ModuleType, patterns: list[Any], host: str = "localhost") -> Client:
    vars(urls)["urlpatterns"] = [path("admin/cache/", include(patterns))]
    return Client(enforce_csrf_checks=True, headers={"host": host})


def allow(request: HttpRequest) -> bool:
    return bool(request.headers.get("X-User") == "admin")


def test_in_debug_mode_it_shows_the_cache_of_the_templates(urls: ModuleType) -> None:
    with override_settings(DEBUG=True):
        look = client(urls, inspector_urls())
    source = "{% cache 60, 'side', tags=['t'] %}<p>text{% endcache %}"
    engines["jinja2"].from_string(source).render()
    page = look.get(f"{ROOT}/entry?key={KEY}")
    cookie = page.cookies["fragcache_csrf"]
    assert (cookie["samesite"], cookie["httponly"]) == ("Strict", True)
    assert "&lt;p&gt;text" in page.content.decode()
    form = form_of(page.content.decode(), f"{ROOT}/delete")
    answer = look.post(form.action, form.fields, headers={"origin": "http://localhost"})
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert answer.headers["Location"].startswith(f"{ROOT}/entry?key=")
    assert look.get(f"{ROOT}/entry?key={KEY}").status_code == HTTPStatus.NOT_FOUND


def test_a_form_needs_its_token_and_none_of_djangos(urls: ModuleType) -> None:
    with override_settings(DEBUG=True):
        look = client(urls, inspector_urls(FragmentCache()))
    look.get(f"{ROOT}/")
    answer = look.post(f"{ROOT}/clear", {"csrf_token": "0" * 64})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "Its token is of another browser" in answer.content.decode()


def test_in_debug_mode_no_other_host_leads_to_it(urls: ModuleType) -> None:
    with override_settings(DEBUG=True):
        look = client(urls, inspector_urls(FragmentCache()), host="rebound.example")
    assert look.get(f"{ROOT}/").status_code == HTTPStatus.FORBIDDEN


def test_the_function_gets_the_request(urls: ModuleType) -> None:
    patterns = inspector_urls(FragmentCache(), allow=allow)
    look = client(urls, patterns, host="shop.example")
    assert look.get(f"{ROOT}/").status_code == HTTPStatus.FORBIDDEN
    page = look.get(f"{ROOT}/store", headers={"X-User": "admin"})
    assert page.status_code == HTTPStatus.OK
    assert page.headers["X-Frame-Options"] == "DENY"


def test_without_debug_mode_a_function_has_to_be_given() -> None:
    with pytest.raises(SettingError, match="it needs allow="):
        inspector_urls(FragmentCache())


def test_without_a_jinja2_back_end_a_cache_has_to_be_given() -> None:
    with (
        override_settings(DEBUG=True, TEMPLATES=[]),
        pytest.raises(SettingError, match=r"inspector_urls\(cache\)"),
    ):
        inspector_urls()


def test_a_form_that_is_too_long_is_not_read(urls: ModuleType) -> None:
    with override_settings(DEBUG=True):
        look = client(urls, inspector_urls(FragmentCache()))
    answer = look.post(f"{ROOT}/clear", {"key": "x" * MOST_BYTES})
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
