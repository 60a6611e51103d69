"""What the forms of the inspector do: delete, invalidate, clear."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja_fragcache.engine import claims
from jinja_fragcache.engine.context import Context
from jinja_fragcache.engine.tags import invalidate
from jinja_fragcache.engine.whole import delete
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys.fragment import tag_names
from jinja_fragcache.operations import Operation


class RefusedError(Exception):
    """A form lacks something. It never leaves this package."""


#: Does something that a form asks for, and returns what it did, for programs.
Action = Callable[[Context, Mapping[str, str]], Operation[dict[str, Any]]]


def _delete(context: Context, form: Mapping[str, str]) -> Operation[dict[str, Any]]:
    key = _field(form, "key", "the key of an entry")
    yield from delete(context, [key])
    return {"deleted": key}


def _invalidate(context: Context, form: Mapping[str, str]) -> Operation[dict[str, Any]]:
    tag = _field(form, "tag", "a tag")
    try:
        names = tag_names([tag])
    except KeyValueError as error:
        raise RefusedError(str(error)) from None
    yield from invalidate(context, names)
    return {"invalidated": tag}


def _clear(context: Context, _form: Mapping[str, str]) -> Operation[dict[str, Any]]:
    yield from claims.clear(context)
    return {"cleared": True}


def _field(form: Mapping[str, str], name: str, what: str) -> str:
    value = form.get(name, "")
    if not value.strip():
        raise RefusedError(f"Nothing was changed. Send {what} in the field {name}.")
    return value


#: The actions, by the last part of their paths.
ACTIONS: dict[str, Action] = {
    "delete": _delete,
    "invalidate": _invalidate,
    "clear": _clear,
}
