"""Wagtail's previews, which leave the cache aside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware

#: What to write into Django's `MIDDLEWARE`.
MIDDLEWARE = f"{__name__}.preview_middleware"
_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


@sync_and_async_middleware  # type: ignore[untyped-decorator]
def preview_middleware(get_response: Callable[[HttpRequest], Any]) -> Any:
    """Middleware of Django's that lets `is_preview` know the current request.

    Write `"jinja_fragcache.doors.wagtail.preview_middleware"` into `MIDDLEWARE`.
    `doors.django` then leaves its cache aside in previews.

    Args:
        get_response: What Django gives to a middleware.
    """

    def plain(request: HttpRequest) -> Any:
        with _current(request):
            return get_response(request)

    async def awaited(request: HttpRequest) -> Any:
        with _current(request):
            return await get_response(request)

    return awaited if iscoroutinefunction(get_response) else plain


def is_preview() -> bool:
    """Return whether Wagtail renders a preview now, also outside of requests.

    It is for a cache of your own: `FragmentCache(store, unless=is_preview)`. It needs
    `preview_middleware`.
    """
    # Wagtail tells it only after the middleware has begun.
    return bool(getattr(_request.get(), "is_preview", False))


@contextmanager
def _current(request: HttpRequest) -> Iterator[None]:
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)
