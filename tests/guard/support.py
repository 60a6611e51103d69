"""What the tests of the guard share."""

from typing import Any

from jinja_fragcache.keys.fragment import can_be_encoded


class Present:
    """The present values of what was read.

    Args:
        values: The values of names.
    """

    def __init__(self, **values: Any) -> None:
        self._values = values

    def value(self, name: str) -> Any:
        return self._values[name]

    def has(self, name: str) -> bool:
        return name in self._values

    def encodes(self, value: Any) -> bool:
        return can_be_encoded(value)
