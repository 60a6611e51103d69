"""Captures the values that a body is given, to make it later.

The caller goes on meanwhile, and may change its lists. So these are copied, also inside
of each other. Other objects are passed as they are, but for those that only the caller
can use.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja_fragcache.errors import NeedsRequestError
from jinja_fragcache.guard.session_rows import is_of_session
from jinja_fragcache.guard.watched import is_watched

_CONTAINERS = {dict, list, set, tuple}
# Copying takes time, and the caller waits for that.
_MOST_ITEMS = 10_000


class Captured:
    """The values of one body, each list, set and dictionary copied once."""

    def __init__(self) -> None:
        # Each with its original, which must live as long as its id is used.
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._items_left = _MOST_ITEMS

    def of(self, value: Any) -> Any:
        """Return a value as a body may have it later.

        Raises:
            NeedsRequestError: If it belongs to the request, can't be read twice, or has
                too many items to copy.
        """
        known = self._copies.get(id(value))
        if known is not None:
            return known[1]
        kind = type(value)
        if kind in _CONTAINERS:
            return self._container(kind, value)
        if issubclass(kind, Iterator) or is_watched(value) or is_of_session(value):
            raise NeedsRequestError
        return value

    def or_else(self, value: Any, instead: Callable[[], Any]) -> Any:
        """Like `of`, with something else in place of what the body can't have."""
        copies, items_left = len(self._copies), self._items_left
        try:
            return self.of(value)
        except NeedsRequestError:
            # What was begun of it is not complete, and it may have another name.
            while len(self._copies) > copies:
                self._copies.popitem()
            self._items_left = items_left
            return instead()

    def keep(self, value: Any, made: Any) -> Any:
        """Use something in place of a value from now on, and return it."""
        self._copies[id(value)] = value, made
        return made

    def keep_containers(self, values: Iterable[Any]) -> None:
        """Pass lists, sets and dictionaries among some values as they are."""
        for each in values:
            if type(each) in _CONTAINERS:
                self.keep(each, each)

    def _container(self, kind: type, value: Any) -> Any:
        if len(value) > self._items_left:
            raise NeedsRequestError
        self._items_left -= len(value)
        if kind is tuple:
            return tuple(map(self.of, value))
        # Before what is in it, since it may be in itself.
        made = self.keep(value, kind())
        if kind is dict:
            made.update({key: self.of(each) for key, each in value.items()})
        elif kind is list:
            made.extend(map(self.of, value))
        else:
            made.update(map(self.of, value))
        return made
