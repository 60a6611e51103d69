"""Views of mappings that can't be watched, as the built-in dictionaries."""

from collections.abc import Iterator, MutableMapping
from typing import Any

from .watched import WHOLE, Note


class MappingView(MutableMapping[Any, Any]):
    """A mapping that notes which items of another one are read.

    What is written goes to the other one.

    Args:
        mapping: The other mapping.
        name: Its dotted name, such as `request.cookies`. An item is
            `request.cookies.theme`, and what depends on all items is `request.cookies`.
        note: Called for each read.
    """

    __slots__ = ("_mapping", "_name", "_note")

    def __init__(
        self, mapping: MutableMapping[Any, Any], name: str, note: Note
    ) -> None:
        self._mapping = mapping
        self._name = name
        self._note = note

    def __getitem__(self, key: Any) -> Any:
        """Note the item, and return it."""
        self._note(f"{self._name}.{key}", self._mapping.get(key))
        return self._mapping[key]

    def __contains__(self, key: object) -> bool:
        """Note the item, but not its value, and return whether it is there."""
        is_there = key in self._mapping
        self._note(f"{self._name}.{key}", *(() if is_there else (None,)))
        return is_there

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write an item."""
        self._mapping[key] = value

    def __delitem__(self, key: Any) -> None:
        """Delete an item."""
        del self._mapping[key]

    def __iter__(self) -> Iterator[Any]:
        """Note that all of it was read, and iterate over the keys."""
        self._note(self._name)
        return iter(self._mapping)

    def __len__(self) -> int:
        """Note that all of it was read, and return the number of items."""
        self._note(self._name)
        return len(self._mapping)

    def __repr__(self) -> str:
        """Note that all of it was read, and show the mapping."""
        self._note(self._name, WHOLE)
        return repr(self._mapping)

    def __getattr__(self, name: str) -> Any:
        """Return what else the mapping has, such as `copy`: it may show all of it."""
        found = getattr(self._mapping, name)
        self._note(self._name, WHOLE)
        return found
