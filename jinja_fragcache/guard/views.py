"""Views of objects that can't be watched, as the built-in dictionaries."""

from collections.abc import (
    Callable,
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    ValuesView,
)
from typing import Any, Self

from jinja_fragcache.list_names import list_name

from .watched import WHOLE, Note


class MappingView(MutableMapping[Any, Any]):
    """A mapping that notes which items of another one are read.

    What is written goes to the other one, unless that can't be written.

    Args:
        mapping: The other mapping. It may have several values for a key.
        name: Its dotted name, such as `request.cookies`. An item is
            `request.cookies.theme`, and what depends on all items is `request.cookies`.
        note: Called for each read.
    """

    _mapping: Any
    _name: str
    _note: Note

    def __init__(self, mapping: Mapping[Any, Any], name: str, note: Note) -> None:
        # What can't be written raises its own error.
        self._mapping = mapping
        self._name = name
        self._note = note

    def __getitem__(self, key: Any) -> Any:
        """Note the item, and return it."""
        self._note(f"{self._name}.{key}", self._mapping.get(key))
        return self._mapping[key]

    def get(self, key: Any, default: Any = None) -> Any:
        """Note the item, and return what the mapping's own `get` does."""
        self._note(f"{self._name}.{key}", self._mapping.get(key))
        return self._mapping.get(key, default)

    def keys(self) -> KeysView[Any]:
        """Note that all of it was read, and return the mapping's own keys."""
        self._note(self._name)
        keys: KeysView[Any] = self._mapping.keys()
        return keys

    def values(self) -> ValuesView[Any]:
        """Note that all of it was read, and return the mapping's own values."""
        self._note(self._name, WHOLE)
        values: ValuesView[Any] = self._mapping.values()
        return values

    def items(self) -> ItemsView[Any, Any]:
        """Note that all of it was read, and return the mapping's own items."""
        self._note(self._name, WHOLE)
        items: ItemsView[Any, Any] = self._mapping.items()
        return items

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

    def __str__(self) -> str:
        """Like `__repr__`."""
        self._note(self._name, WHOLE)
        return str(self._mapping)

    def __getattr__(self, name: str) -> Any:
        """Return what else the mapping has, such as `copy`: it may show all of it."""
        found = getattr(self._mapping, name)
        self._note(self._name, WHOLE)
        return found


class DictView(MappingView, dict[Any, Any]):  # type: ignore[misc]
    """Like `MappingView`, of a dictionary, and a dictionary itself.

    That is asked for by `json` and by Jinja's filter `urlencode`.
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Make a view with one item of its own, since `json` asks no empty one."""
        made = dict.__new__(cls)
        dict.__setitem__(made, "", None)
        return made

    def copy(self) -> dict[Any, Any]:
        """Note that all of it was read, and return a copy of the dictionary."""
        return dict(self.items())

    def __reduce__(self) -> tuple[Any, ...]:
        """Note that all of it was read, and let a dictionary be copied or pickled."""
        return dict, (self.copy(),)

    def __ne__(self, other: object) -> bool:
        """Note that all of it was read, and compare."""
        return not self == other

    def __reversed__(self) -> Iterator[Any]:
        """Note that all of it was read, and iterate over the keys from the last."""
        self._note(self._name)
        return iter([*reversed(self._mapping)])

    def __or__(self, other: Any) -> Any:
        """Note that all of it was read, and return a dictionary with its items."""
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        """Like `__or__`, from the right."""
        return other | self.copy()

    def __ior__(self, other: Any) -> Any:
        """Write the items of another mapping."""
        self.update(other)
        return self


class ListsView(DictView):
    """Like `DictView`, of one whose items are lists, and `get` returns the first."""

    def __getitem__(self, key: Any) -> Any:
        """Note the whole item, and return it."""
        self._note(list_name(self._name, key), self._mapping.get(key))
        return self._mapping[key]

    def getlist(self, key: Any, default: Any = None) -> Any:
        """Note the whole item, and return it."""
        found = self._mapping.getlist(key, default)
        self._note(list_name(self._name, key), found)
        return found

    def __getattr__(self, name: str) -> Any:
        """Like `MappingView`. An attribute that the class doesn't have is an item."""
        if hasattr(type(self._mapping), name):
            return super().__getattr__(name)
        found = getattr(self._mapping, name)
        self._note(f"{self._name}.{name}", found)
        return found


class NamespaceView:
    """An object that notes which attributes of a namespace are read.

    What is written goes to the namespace.

    Args:
        namespace: The namespace.
        name: Its dotted name, such as `request.ctx`.
        read: Gets the dotted name of what is read and its value, notes it, and returns
            the value or a view of it.
    """

    __slots__ = ("_fragcache_view",)
    _fragcache_view: tuple[Any, str, Callable[[str, Any], Any]]

    def __init__(
        self, namespace: Any, name: str, read: Callable[[str, Any], Any]
    ) -> None:
        object.__setattr__(self, "_fragcache_view", (namespace, name, read))

    def __getattr__(self, attribute: str) -> Any:
        """Note the attribute, and return it."""
        namespace, name, read = self._fragcache_view
        if attribute.startswith("__"):
            read(name, WHOLE)
            return getattr(namespace, attribute)
        try:
            value = getattr(namespace, attribute)
        except AttributeError:
            read(f"{name}.{attribute}", None)
            raise
        return read(f"{name}.{attribute}", value)

    def __setattr__(self, attribute: str, value: Any) -> None:
        """Set an attribute of the namespace."""
        setattr(self._fragcache_view[0], attribute, value)

    def __delattr__(self, attribute: str) -> None:
        """Delete an attribute of the namespace."""
        delattr(self._fragcache_view[0], attribute)

    def __repr__(self) -> str:
        """Note that all of it was read, and show the namespace."""
        namespace, name, read = self._fragcache_view
        read(name, WHOLE)
        return repr(namespace)
