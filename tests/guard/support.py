"""What the tests of the guard share."""

from typing import Any

from jinja_fragcache.keys.fragment import can_be_encoded


class Present:
    """The present values of what was read.

    Args:
        takes_values: Whether a key is made of values.
        values: The values of names.
    """

    def __init__(self, *, takes_values: bool = False, **values: Any) -> None:
        self.takes_values = takes_values
        self._values = values

    def value(self, name: str) -> Any:
        return self._values[name]

    def has(self, name: str) -> bool:
        return name in self._values

    def encodes(self, value: Any) -> bool:
        return can_be_encoded(value)
