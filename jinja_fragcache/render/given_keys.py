"""Keys that are known before their tags are reached, of what a page is rendered with.

`{% cache 300, "cart", user.id %}` has the key value `user.id`. If the page was given a
`user` that has its `id` in a dictionary, the key is known at the first look-up. Nothing
of the user's is called for that: a property might ask a database, for a tag that is
then not reached.

A key that is another one in the end costs the bytes of what was read for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import GetSetDescriptorType
from typing import Any

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.guard.watched import is_watching
from jinja_fragcache.keys.fragment import make_template_fragment_key

#: A key value: the name of a variable, and the attributes or items that lead from there
#: to the value; or `CONSTANT` and the value itself.
Path = tuple[Any, ...]
CONSTANT = ""
#: The name of a fragment, and its key values.
GivenKey = tuple[str, tuple[Path, ...]]


def keys_of(
    given: Iterable[GivenKey], variables: Mapping[str, Any]
) -> list[str | None]:
    """Return each key, None for those of which a value is not known.

    Args:
        given: The names and key values.
        variables: What the page is rendered with.
    """
    get = variables.get
    keys: list[str | None] = []
    for name, paths in given:
        values = [
            get(path[0]) if len(path) == 1 else _value_of(path, variables)
            for path in paths
        ]
        keys.append(_key(name, values))
    return keys


def _key(name: str, values: list[Any]) -> str | None:
    for value in values:
        # Of others, a class of the user's may tell what they count as.
        if type(value) is not str and type(value) is not int:
            return None
    try:
        return make_template_fragment_key(name, values)
    except KeyValueError:
        return None  # The tag may not be reached. If it is, it tells.


def _value_of(path: Path, variables: Mapping[str, Any]) -> Any:
    root, *steps = path
    if root == CONSTANT:
        return steps[0]
    value = variables.get(root)
    for step in steps:
        value = _part_of(value, step)
    return value


def _part_of(value: Any, step: str | int) -> Any:
    """Return an item or attribute if a dictionary has it, else None."""
    kind: Any = type(value)
    if issubclass(kind, dict):
        return dict.get(value, step)
    if is_watching(kind):
        kind = kind.__base__
    if kind.__getattribute__ is not object.__getattribute__:
        return None
    for each in kind.__mro__:
        # A proxy has a `__dict__` of its own, which loads what it stands for.
        fields = vars(each).get("__dict__")
        if fields is not None:
            is_plain = type(fields) is GetSetDescriptorType
            return fields.__get__(value).get(step) if is_plain else None
    return None
