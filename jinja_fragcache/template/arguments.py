"""The grammar of the cache tag's arguments.

`{% cache [timeout [[,] name [, key ...]]] [, option=expr ...] %}`
"""

from dataclasses import dataclass, field
from typing import NoReturn

from jinja2 import nodes
from jinja2.parser import Parser

OPTIONS = (
    "timeout",
    "name",
    "vary_on",
    "unless",
    "stale",
    "stale_if_error",
    "tags",
    "version",
    "template_digest",
)
_MEANING = {
    "timeout": "The timeout is",
    "name": "The name is",
    "vary_on": "The key values are",
}


@dataclass(slots=True)
class Arguments:
    """What stands in a cache tag, as expressions.

    Attributes:
        timeout: None where the tag has none.
        name: None where the tag has none.
        vary_on: the key values, as a list or as what the option `vary_on` was given.
        unless: None where the tag has none.
        stale: None where the tag has none.
        stale_if_error: None where the tag has none.
        tags: None where the tag has none.
        version: None where the tag has none.
        template_digest: None where the tag has none.
    """

    timeout: nodes.Expr | None = None
    name: nodes.Expr | None = None
    vary_on: nodes.Expr = field(default_factory=lambda: nodes.List([]))
    unless: nodes.Expr | None = None
    stale: nodes.Expr | None = None
    stale_if_error: nodes.Expr | None = None
    tags: nodes.Expr | None = None
    version: nodes.Expr | None = None
    template_digest: nodes.Expr | None = None


def parse_arguments(parser: Parser) -> Arguments:
    """Parse from behind the tag's name to the end of the tag.

    Raises:
        jinja2.TemplateSyntaxError: with what to write instead.
    """
    positional: list[nodes.Expr] = []
    options: dict[str, nodes.Expr] = {}
    while not _at_end(parser):
        if positional or options:
            _parse_comma(parser, after_timeout=len(positional) == 1 and not options)
        if _at_option(parser):
            _parse_option(parser, options)
        elif options:
            _fail(parser, "A value without a name stands behind an option.")
        else:
            positional.append(_parse_value(parser, first=not positional))
    return _arrange(parser, positional, options)


def example(parser: Parser, inner: str) -> str:
    """Write a cache tag as the template's own delimiters have it."""
    return written(parser, f"cache {inner}")


def example_of_list(parser: Parser) -> str:
    """Write a tag for a list as the template's own delimiters have it."""
    return written(parser, 'cache_each item in items, 300, "row", item.id')


def written(parser: Parser, inner: str) -> str:
    """Write a tag between the template's own delimiters."""
    environment = parser.environment
    return f"{environment.block_start_string} {inner} {environment.block_end_string}"


def _at_end(parser: Parser) -> bool:
    stream = parser.stream
    if stream.current.type != "colon":
        return stream.current.type == "block_end"
    # Jinja lets any tag end with one.
    if stream.look().type != "block_end":
        _fail(parser, "There is a colon in the tag.")
    return True


def _at_option(parser: Parser) -> bool:
    stream = parser.stream
    return stream.current.type == "name" and stream.look().type == "assign"


def _parse_comma(parser: Parser, *, after_timeout: bool) -> None:
    if parser.stream.skip_if("comma"):
        if _at_end(parser):
            _fail(parser, "The tag ends with a comma.")
    elif not after_timeout:
        _fail(parser, "Only the comma behind the timeout may be left out.")


def _parse_option(parser: Parser, options: dict[str, nodes.Expr]) -> None:
    token = next(parser.stream)
    name = token.value
    next(parser.stream)
    if name not in OPTIONS:
        _fail(
            parser,
            f"The cache tag has no option {name!r}, it has {', '.join(OPTIONS)}.",
        )
    if name in options:
        _fail(parser, f"The option {name!r} is given twice.")
    options[name] = _parse_value(parser, first=False)


def _parse_value(parser: Parser, *, first: bool) -> nodes.Expr:
    stream = parser.stream
    if stream.current.test_any("comma", "block_end"):
        _fail(parser, "A value is missing.")
    if stream.current.type == "mul":
        _fail(parser, "A list of key values goes into the option: vary_on=values.")
    if stream.current.type == "string" and stream.look().type == "string":
        # Jinja would join the two to one text: {% cache 'del' "key" %} would mean
        # 'delkey'. Here the comma between them was left out.
        if not first:
            _fail(parser, "Two texts stand side by side.")
        token = next(stream)
        return nodes.Const(token.value, lineno=token.lineno)
    value = parser.parse_expression()
    if first and isinstance(value, nodes.Call | nodes.Getitem):
        _check_comma_was_not_lost(parser, value)
    return value


def _check_comma_was_not_lost(parser: Parser, value: nodes.Expr) -> None:
    """Refuse `{% cache None ("key") %}`, which would call None."""
    inner = value.node if isinstance(value, nodes.Call | nodes.Getitem) else value
    if isinstance(inner, nodes.Const):
        _fail(parser, "A comma is missing behind the timeout.")


def _arrange(
    parser: Parser, positional: list[nodes.Expr], options: dict[str, nodes.Expr]
) -> Arguments:
    arguments = Arguments(**options)
    given = dict(zip(("timeout", "name"), positional, strict=False))
    if len(positional) > len(given):
        given["vary_on"] = nodes.List(positional[len(given) :])
    for name, value in given.items():
        if name in options:
            _fail(
                parser,
                f"{_MEANING[name]} given twice, by place and as the option {name!r}.",
            )
        setattr(arguments, name, value)
    return arguments


def _fail(parser: Parser, message: str) -> NoReturn:
    by_place = example(parser, '300, "sidebar", user.id')
    by_name = example(parser, 'timeout=300, name="sidebar", vary_on=[user.id]')
    parser.fail(f"{message} Write {by_place} or {by_name}.")
