"""Notes what is read of a request, for all frameworks."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from jinja_fragcache.engine.dependencies import current_dependencies, quietly
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.guard.views import DictView, MappingView
from jinja_fragcache.guard.watched import mapping_class, watch

from .shared import is_shared

# Items that have a name of their own. (Django's session and cookies have these names,
# and what shows messages in Starlette uses the same.)
_SPECIAL = {
    "request.COOKIES.csrftoken": "csrf_token",
    "request.COOKIES.messages": "flashed messages",
    "request.META.CSRF_COOKIE": "csrf_token",
    "request.cookies.csrftoken": "csrf_token",
    "request.session._auth_user_backend": "request.user",
    "request.session._auth_user_hash": "request.user",
    "request.session._auth_user_id": "request.user",
    "request.session._csrftoken": "csrf_token",
    "request.session._messages": "flashed messages",
    "request.session.csrf_token": "csrf_token",
}


def is_noting() -> bool:
    """Return whether a body is running that what is read belongs to."""
    dependencies = current_dependencies()
    return dependencies is not None and not dependencies.is_quiet


def note_item(name: str, *value: Any) -> None:
    """Note that an item was read, by the name that it has for the guard.

    Args:
        name: Its dotted name.
        value: Its value, if that tells what was read.
    """
    # The names of headers don't depend on case.
    shown = name.lower() if name.startswith("request.headers.") else name
    note_read(_SPECIAL.get(shown, shown), *value)


def watched_mapping(shown: str, value: Any) -> Any:
    """Return a mapping of a request, as one that notes which items are read.

    Args:
        shown: Its dotted name.
        value: The mapping.
    """
    if watch(value, mapping_class, shown, note_item) or not is_noting():
        return value
    if isinstance(value, dict):
        return DictView(value, shown, note_item)
    if isinstance(value, Mapping):
        return MappingView(value, shown, note_item)
    note_read(shown)
    return value


def text_of_route(route: Any) -> str:
    """Return what tells a route of an application from its others.

    Args:
        route: A route of Starlette, a handler of Litestar, or None.
    """
    paths = getattr(route, "paths", None) or [getattr(route, "path", None)]
    return f"{getattr(route, 'name', None)} {sorted(map(str, paths))}"


def read_field(shown: str, value: Any) -> Any:
    """Note what an application keeps in a request, and return it, or a view of it.

    Args:
        shown: Its dotted name. Of a `session`, the items are read one by one.
        value: The value.
    """
    name = shown.rpartition(".")[2]
    if name == "session" and isinstance(value, Mapping):
        return watched_mapping(shown, value)
    if is_noting() and not is_shared(name, value):
        note_item(shown, value)
    return value


def noting(
    original: Callable[..., Any], note: Callable[..., None]
) -> Callable[..., Any]:
    """Return a method that notes what it reads by one name, and nothing else of it.

    Args:
        original: The method.
        note: Gets the object and the arguments, and notes the read.
    """

    @wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_noting():
            return original(self, *args, **kwargs)
        note(self, *args, **kwargs)
        with quietly():
            return original(self, *args, **kwargs)

    return method
