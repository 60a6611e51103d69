"""Names of reads of all values of a key, such as `request.args.getlist("tag")`.

The guard and the check have the same names. `request.args.tag` is the first of those
values.
"""

from __future__ import annotations

_GETLIST = "getlist"


def all_of(method: str, key: object) -> str:
    """Return the step of a path that reads all values of a key, as `getlist` does."""
    return f'{method}("{key}")'


def one_of(step: str) -> str | None:
    """Return the key of a step of `all_of`, None for all others."""
    _, found, key = step.partition('("')
    return key.removesuffix('")') if found else None


def list_name(mapping: str, key: object) -> str:
    """Return the dotted name of all values of a key in a mapping, such as a query."""
    return f"{mapping}.{all_of(_GETLIST, key)}"


def split_list_name(name: str) -> tuple[str, str] | None:
    """Return the mapping and the key of a name of `list_name`, None for all others."""
    mapping, found, key = name.partition(f'.{_GETLIST}("')
    return (mapping, key.removesuffix('")')) if found else None
