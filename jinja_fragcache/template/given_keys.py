"""Finds the keys that what a page is given may tell before their tags are reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from jinja2 import nodes

from jinja_fragcache.render.given_keys import CONSTANT, GivenKey, Path
from jinja_fragcache.render.lookup import FRAGMENT_OF_ONE_VALUE, FRAGMENT_OF_PARTS
from jinja_fragcache.render.options import FRAGMENT_WITH_OPTIONS, TAGGED_FRAGMENT


def given_key(node: nodes.Filter) -> GivenKey | None:
    """Return the name and the key values of a look-up, if they are paths of variables.

    It may be that of another variable of the same name: what a loop or `{% set %}` has
    given it is not asked here.

    Args:
        node: Any filter.
    """
    name, values = _key_of(node)
    if not isinstance(name, nodes.Const) or type(name.value) is not str or not values:
        return None
    paths = [_path(each) for each in values]
    known = tuple(path for path in paths if path is not None)
    return (name.value, known) if len(known) == len(paths) else None


def _key_of(node: nodes.Filter) -> tuple[nodes.Node | None, Sequence[nodes.Expr]]:
    """Return the name of a look-up and its key values, none if they are not known."""
    if node.name is FRAGMENT_OF_ONE_VALUE:
        return node.node, node.args[-1:]
    if node.name is FRAGMENT_OF_PARTS:
        name, *values = cast("nodes.Tuple", node.node).items
        return name, values
    if node.name is TAGGED_FRAGMENT or (
        node.name is FRAGMENT_WITH_OPTIONS and node.args[2:] and not _is_by_page(node)
    ):
        name, vary_on = node.args[2:4]
        return name, vary_on.items if isinstance(vary_on, nodes.List) else ()
    return None, ()


def _is_by_page(node: nodes.Filter) -> bool:
    return any(each.key == "by_page" for each in node.kwargs)


def _path(node: nodes.Expr) -> Path | None:
    steps: list[str | int] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Const) and not steps:
            return (CONSTANT, node.value) if _is_plain(node.value) else None
        if isinstance(node, nodes.Getattr):
            steps.append(node.attr)
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            steps.append(node.arg.value)
        else:
            return None
        node = node.node
    if not all(map(_is_plain, steps)):
        return None
    return (node.name, *reversed(steps))


def _is_plain(value: object) -> bool:
    return type(value) is str or type(value) is int
