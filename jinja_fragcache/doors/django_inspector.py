"""The inspector as URLs of Django, so that it knows who is logged in."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.template.backends.jinja2 import Jinja2
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import SettingError
from jinja_fragcache.inspector.exchange import (
    MOST_BYTES,
    TOO_LARGE,
    Request,
    Response,
    read_headers,
)
from jinja_fragcache.inspector.mounting import make_inspector, read_verdict
from jinja_fragcache.operations import perform
from jinja_fragcache.render.environment import fragment_cache_of


def inspector_urls(
    cache: FragmentCache | None = None,
    *,
    allow: Callable[[HttpRequest], bool] | None = None,
) -> list[Any]:
    """Return the URLs of the inspector, for `include`.

    Write `path("_fragcache/", include(inspector_urls(allow=may_inspect)))`.

    Args:
        cache: The cache; None for that of the first Jinja2 back end.
        allow: Gets a request, and returns whether it may see the inspector. Where
            `DEBUG` is true, it may be left out. Then the pages are shown to requests
            for localhost and 127.0.0.1 only.

    Raises:
        SettingError: If there is neither `allow` nor `DEBUG`, or no cache.
    """
    inspector = make_inspector(
        _cache_of_templates() if cache is None else cache,
        allow,
        settings.SECRET_KEY,
        debug=settings.DEBUG,
    )

    def view(request: HttpRequest, page: str = "") -> HttpResponse:
        is_allowed = None
        if inspector.allow is not None:
            is_allowed = read_verdict(inspector.allow(request))
        response = TOO_LARGE
        if int(request.META.get("CONTENT_LENGTH") or 0) <= MOST_BYTES:
            asked = _read(request, page)
            response = perform(inspector.answer(asked, is_allowed=is_allowed))
        return _send(response)

    # The forms have tokens of their own.
    exempt = csrf_exempt(view)
    return [path("", exempt), path("<path:page>", exempt)]


def _cache_of_templates() -> FragmentCache:
    for backend in engines.all():
        if isinstance(backend, Jinja2):
            return fragment_cache_of(backend.env)
    raise SettingError(
        "There is no Jinja2 back end in TEMPLATES whose cache could be shown. Give a"
        " FragmentCache: inspector_urls(cache)."
    )


def _read(request: HttpRequest, page: str) -> Request:
    return Request(
        request.method or "",
        quote(request.path.removesuffix(page).rstrip("/")),
        page.strip("/"),
        request.GET.dict(),
        request.POST.dict(),
        read_headers(request.headers.items()),
        request.is_secure(),
    )


def _send(response: Response) -> HttpResponse:
    headers = dict(response.all_headers)
    # Where Django's own middleware looks for it.
    cookie = headers.pop("Set-Cookie", None)
    made = HttpResponse(response.body, status=response.status, headers=headers)
    if cookie is not None:
        made.cookies.load(cookie)
    return made
