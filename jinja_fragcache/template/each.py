"""Compile time of `{% cache_each %}`: its loop, and its rows' names.

For `{% cache_each item in items, 300, "row", item.id %}`, the compiled template runs
through the loop once to collect the keys of all rows. Rows that are missing in the
store are rendered after that, each with its item and with a `loop` at its position
(`render.call_blocks`). The functions that it calls are in `render.each`.
"""

from jinja2 import nodes

from jinja_fragcache.reads.heads import ITEM, Each, copy_target
from jinja_fragcache.render.functions import ITEMS

from .filter_call import filter_call

#: The parameters of a row's body.
ROW_NAMES = (ITEM, "loop")


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
