"""Compile time of `{% cache_each %}`: its loop, and its rows' names.

For `{% cache_each item in items, 300, "row", item.id %}`, the compiled template runs
through the loop once to collect the keys of all rows. Rows that are missing in the
store are rendered after that, each with its item and with a `loop` at its position
(`render.call_blocks`). The functions that it calls are in `render.each`.
"""

from jinja2 import nodes
from jinja2.parser import Parser

from jinja_fragcache.reads.heads import ITEM, Each, copy_target
from jinja_fragcache.render.functions import ITEMS

from .filter_call import filter_call
from .parts import MACRO_NAMES


def row_parameters(each: Each) -> list[str]:
    """Return the names of what the body of a row takes: its item, and `loop`."""
    return [_name(each) or ITEM, "loop"]


def outer_loop_read(parser: Parser, line: int) -> list[nodes.Node]:
    """Make nodes that read the `loop` of a loop around the tag, and compile to nothing.

    Jinja has a `loop` only in loops whose bodies read it, and takes the `loop` of a row
    for the end of that.

    Args:
        parser: The parser of the template, in the tag.
        line: The line of the tag.
    """
    around = parser._tag_stack  # noqa: SLF001 - nothing else tells
    for name in reversed(around):
        if name == "for":
            read = nodes.Name("loop", "load", lineno=line)
            return [nodes.With([], [read], [], lineno=line)]
        if name == "block":
            break
    return []


def row_unpacking(each: Each) -> list[nodes.Node]:
    """Make the nodes that assign a row's item to its names, unless it has just one."""
    return [] if _name(each) else each.unpacking()


def _name(each: Each) -> str | None:
    """Return the name by which a row's item is passed, None if it has to be unpacked.

    Jinja gives a meaning of its own to arguments with the names of `MACRO_NAMES`.
    """
    target = each.target
    if isinstance(target, nodes.Name) and target.name not in {"loop", *MACRO_NAMES}:
        return target.name
    return None


def loop(each: Each, body: list[nodes.Node]) -> nodes.For:
    """Make a loop with a body in which the item's names are bound.

    Args:
        each: The head of the loop.
        body: The body.
    """
    if each.is_unpacked:
        target: nodes.Expr = nodes.Name(ITEM, "store")
        body = [*each.unpacking(), *body]
    else:
        target = copy_target(each.target, "store")
    recursive = False
    items = filter_call(each.iterable, ITEMS, [])
    line = each.target.lineno
    return nodes.For(target, items, body, [], each.test, recursive, lineno=line)
