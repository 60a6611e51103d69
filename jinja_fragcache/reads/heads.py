"""The head of a `{% cache_each %}`: what stands between its name and the timeout."""

from typing import NamedTuple, cast

from jinja2 import TemplateSyntaxError, nodes
from jinja2.parser import Parser

from .arguments import Arguments, parse_expression, written

#: The name of a row's item. It starts with a digit, so that no template can use it.
ITEM = "0item"
_EXAMPLE = 'cache_each item in items, 300, "row", item.id'


class Each(NamedTuple):
    """The head of a loop: `target in iterable if test`.

    Attributes:
        target: The names that an item is assigned to.
        iterable: The expression for the items.
        test: The expression that selects items, None if all are taken.
    """

    target: nodes.Expr
    iterable: nodes.Expr
    test: nodes.Expr | None

    @property
    def item(self) -> nodes.Expr:
        """The expression for the item, inside of the loop."""
        if self.is_unpacked:
            return nodes.Name(ITEM, "load")
        return copy_target(self.target, "load")

    @property
    def is_unpacked(self) -> bool:
        """Whether the loop's body has to unpack the item.

        With a test, Jinja itself unpacks an item and packs it again, as a tuple.
        """
        return self.test is None and not isinstance(self.target, nodes.Name)

    def unpacking(self) -> list[nodes.Node]:
        """Make the nodes that assign an item to its names."""
        target, item = copy_target(self.target, "store"), nodes.Name(ITEM, "load")
        return [nodes.Assign(target, item, lineno=target.lineno)]


def copy_target(target: nodes.Expr, ctx: str) -> nodes.Expr:
    """Copy a target, to read it (`ctx` is "load") or to assign to it ("store")."""
    if isinstance(target, nodes.Tuple):
        items = [copy_target(each, ctx) for each in target.items]
        return nodes.Tuple(items, ctx, lineno=target.lineno)
    # Jinja's parser allows nothing else there.
    return nodes.Name(cast("nodes.Name", target).name, ctx, lineno=target.lineno)


def parse_each(parser: Parser) -> Each:
    """Parse `item in items if test` and the comma after it, if there is one.

    Raises:
        jinja2.TemplateSyntaxError: If a part is missing or wrong. The message shows
            what to write instead.
    """
    stream = parser.stream
    shown = f"Write {written(parser, _EXAMPLE)}."
    if stream.current.test("block_end"):
        parser.fail(f"The tag does not say what it goes through. {shown}")
    try:
        target = parser.parse_assign_target(extra_end_rules=("name:in",))
    except TemplateSyntaxError as error:
        # Such as "can't assign to 'tuple'", for `rows, 300, "row"`.
        parser.fail(
            "The tag does not begin with the name of an item and 'in':"
            f" {error.message}. {shown}"
        )
    if not stream.skip_if("name:in"):
        parser.fail(f"'in' is missing after the name of the item. {shown}")
    iterable = parse_expression(parser, with_condexpr=False)
    test = parse_expression(parser) if stream.skip_if("name:if") else None
    if stream.current.test("name:recursive"):
        parser.fail(f"A list of cached rows can't be recursive. {shown}")
    stream.skip_if("comma")
    return Each(target, iterable, test)


def check_row_key(parser: Parser, arguments: Arguments) -> None:
    """Refuse rows without a key value.

    Raises:
        jinja2.TemplateSyntaxError: If there is none, because all rows would print the
            text of the first one.
    """
    if (
        isinstance(arguments.vary_on, nodes.List)
        and not arguments.vary_on.items
        and not arguments.is_auto
    ):
        parser.fail(
            "The rows have no key value, so all would print what the first one does."
            f" Write {written(parser, _EXAMPLE)}."
        )
