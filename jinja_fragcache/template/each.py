"""Lists: what is its own in `{% cache_each item in items, 300, "row", item.id %}`.

The loop is gone through first, for the keys of all rows. Rows that have to be rendered
are so afterwards, each with its item and with a `loop` that stands at it (`bodies`).
"""

from copy import deepcopy
from dataclasses import dataclass

from jinja2 import nodes
from jinja2.parser import Parser

from .arguments import Arguments, example_of_list

# No template can write a name that begins with a digit.
_ITEM = "0item"
#: The names of what the body of a row is given.
ROW_NAMES = (_ITEM, "loop")


@dataclass(slots=True)
class Each:
    """What a tag goes through.

    Attributes:
        target: the names that an item is assigned to.
        iterable: what the items come from.
        test: which of them are taken, None for all.
    """

    target: nodes.Expr
    iterable: nodes.Expr
    test: nodes.Expr | None

    @property
    def item(self) -> nodes.Expr:
        """An expression that gives the item, inside of `loop`."""
        if self._is_unpacked:
            return nodes.Name(_ITEM, "load")
        return _copy(self.target, "load")

    @property
    def _is_unpacked(self) -> bool:
        # With a test, Jinja unpacks an item and packs it again, as a tuple.
        return self.test is None and not isinstance(self.target, nodes.Name)

    def loop(self, body: list[nodes.Node]) -> nodes.For:
        """Make the loop."""
        if not self._is_unpacked:
            target = _copy(self.target, "store")
        else:
            target = nodes.Name(_ITEM, "store")
            body = [*self.unpacking(), *body]
        recursive = False
        return nodes.For(target, self.iterable, body, [], self.test, recursive)

    def unpacking(self) -> list[nodes.Node]:
        """Make what assigns an item to the names."""
        return [nodes.Assign(_copy(self.target, "store"), nodes.Name(_ITEM, "load"))]


def _copy(target: nodes.Expr, ctx: str) -> nodes.Expr:
    """Give a copy of a target, to be read ("load") or assigned to ("store")."""
    copied = deepcopy(target)
    copied.set_ctx(ctx)
    return copied


def parse_each(parser: Parser) -> Each:
    """Parse `item in items if test`, and the comma behind it.

    Raises:
        jinja2.TemplateSyntaxError: with what to write instead.
    """
    stream = parser.stream
    shown = f"Write {example_of_list(parser)}."
    if stream.current.test("block_end"):
        parser.fail(f"The tag does not say what it goes through. {shown}")
    target = parser.parse_assign_target(extra_end_rules=("name:in",))
    if not stream.skip_if("name:in"):
        parser.fail(f"'in' is missing behind the names of an item. {shown}")
    iterable = parser.parse_expression(with_condexpr=False)
    test = parser.parse_expression() if stream.skip_if("name:if") else None
    if stream.current.test("name:recursive"):
        parser.fail(f"A list of cached rows can't be recursive. {shown}")
    if not stream.skip_if("comma") and not stream.current.test("block_end"):
        parser.fail(f"A comma is missing behind what the tag goes through. {shown}")
    return Each(target, iterable, test)


def check_row_key(parser: Parser, arguments: Arguments) -> None:
    """Refuse a list whose rows have no key value.

    Raises:
        jinja2.TemplateSyntaxError: all rows would print what the first one does.
    """
    if isinstance(arguments.vary_on, nodes.List) and not arguments.vary_on.items:
        parser.fail(
            "The rows have no key value, so all would print what the first one does."
            f" Write {example_of_list(parser)}."
        )
