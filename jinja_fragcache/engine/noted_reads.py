"""Notes what the body that is running reads of a request, and reads it again.

Most pages read nothing of it, so this is imported with what watches requests.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from jinja_fragcache.errors import PolicyError
from jinja_fragcache.guard.places import places
from jinja_fragcache.guard.reads import Read, is_plain, texts_of
from jinja_fragcache.guard.watched import WHOLE
from jinja_fragcache.list_names import split_list_name
from jinja_fragcache.messages import describe

from .dependencies import (
    current_dependencies,
    current_request,
    note_variables,
    quietly,
    value_in_request,
)

# In characters. What is longer has to be in the key.
_LONGEST_KEPT = 200
# How what was noted is read again, by names.
_again: dict[str, Callable[[], Any]] = {}
_MOST_AGAIN = 1000
_UNKNOWN = object()


def guard_variables(*names: str) -> None:
    """Tell the guard of template variables that differ between users.

    A fragment whose body reads one of them is stored only if its key names it.

    Args:
        names: The names of the variables, such as `tenant`.

    Raises:
        PolicyError: If one is no name of a variable.
    """
    for name in names:
        given: Any = name
        if not isinstance(given, str) or not given.isidentifier():
            allowed = 'names of variables without dots: guard_variables("tenant")'
            raise PolicyError("guard_variables", describe(given), allowed)
    note_variables(names, note_read)


def note_read(
    name: str, value: Any = _UNKNOWN, *, again: Callable[[], Any] | None = None
) -> None:
    """Tell the body that is running that it has read what differs between requests.

    Its entry is stored only if its key covers that. Where no body is running, this does
    nothing.

    Args:
        name: A dotted name, such as `tenant` or `shop.currency`.
        value: What was read. A key that has this value, or its id, covers the read, if
            `again` is given.
        again: Returns the value in another request. Two values may be the same by
            chance, so a value in a key is compared again before an entry is served.

    Raises:
        PolicyError: If the name is no text.
    """
    if current_dependencies() is None:
        return
    given: object = name
    if not isinstance(given, str):
        raise PolicyError(
            "name", describe(given), 'a dotted name: note_read("shop.currency")'
        )
    if again is not None and (name in _again or len(_again) < _MOST_AGAIN):
        _again[name] = again
    if value is _UNKNOWN:
        note(Read(name))
    elif value is WHOLE:
        note(Read(name, is_whole=True))
    else:
        with quietly():  # It may be an object that notes which attributes are read.
            texts = texts_of(value)
        note(Read(name, texts, is_object=not is_plain(value)))


def note_kept_read(name: str, value: str) -> None:
    """Like `note_read`, for what is the same in nearly all requests.

    The entry is stored though its key lacks it. It keeps the value, and is served only
    where that is the same.

    Args:
        name: A dotted name, such as `request.base_url`.
        value: What was read.
    """
    if current_dependencies() is not None:
        kept = value if len(value) <= _LONGEST_KEPT else None
        note(Read(name, texts_of(value), kept=kept))


def note(read: Read) -> None:
    """Like `note_read`, for what was made of other reads, too."""
    dependencies = current_dependencies()
    if dependencies is None or dependencies.is_quiet or dependencies.is_over:
        return
    if dependencies.request is not current_request():
        return
    if dependencies.has_places and read.name not in dependencies.reads:
        read = read._replace(where=places())
    dependencies.note(read)


def texts_of_now(name: str, context: Any = None) -> frozenset[str]:
    """Return the texts of what a read gives in the current request, none if unknown.

    Args:
        name: The dotted name of the read.
        context: As for `start_watching`.
    """
    # A property of the user's may raise anything.
    with suppress(Exception):
        return texts_of(value_of_now(name, context))
    return frozenset()


def value_of_now(name: str, context: Any = None) -> Any:
    """Return what a read gives in the current request.

    Args:
        name: The dotted name of the read.
        context: As for `start_watching`.

    Raises:
        LookupError: If that is not known.
    """
    listed = split_list_name(name)
    if listed is not None:
        mapping, key = listed
        return value_of_now(mapping, context).getlist(key)
    again = _again.get(name)
    if again is not None:
        with suppress(Exception):  # The user's function may raise anything.
            return again()
    return value_in_request(name, context)
