"""Parses the arguments of the cache tag.

`{% cache [timeout[,] [name[,] [key[,] ...]]] [option=expr[,] ...] %}`

Every comma may be left out, as in django-jinja's tag. Then an argument ends where Jinja
can't read its expression any further.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import zip_longest
from typing import Any, NamedTuple, NoReturn

from jinja2 import nodes
from jinja2.lexer import Token, TokenStream
from jinja2.optimizer import Optimizer
from jinja2.parser import Parser

# How the error for an argument that is given twice starts.
_SUBJECTS = {
    "timeout": "The timeout is",
    "name": "The name is",
    "vary_on": "The key values are",
}


class Arguments(NamedTuple):
    """The arguments of a cache tag, as expressions.

    Each may also be given as an option of its name. It is None if the tag does not have
    it, but for `vary_on`.

    Attributes:
        timeout: The first positional argument.
        name: The second positional argument.
        vary_on: A list of the other positional arguments.
        unless: Only an option, like all of the following.
        is_auto: Whether what the body reads is a part of the key: `vary_on="auto"`.
            It is no option.
    """

    timeout: nodes.Expr | None
    name: nodes.Expr | None
    vary_on: nodes.Expr
    unless: nodes.Expr | None
    stale: nodes.Expr | None
    stale_if_error: nodes.Expr | None
    tags: nodes.Expr | None
    version: nodes.Expr | None
    template_digest: nodes.Expr | None
    allow: nodes.Expr | None
    verify: nodes.Expr | None
    background: nodes.Expr | None
    is_auto: bool


#: The names of the arguments, which are those of the options.
OPTIONS = [name for name in Arguments._fields if name != "is_auto"]
#: The value of `vary_on` for a key of what the body reads.
AUTO = "auto"
# Options of other packages' tags, and what to do instead.
_NOT_HERE = {
    "using": (
        "Where fragments are stored is not a matter of the tag, but of the environment:"
        ' env.fragment_cache = FragmentCache(caches["default"]).'
    ),
}
_TAG_ENDS = {"block_end", "eof"}
_VALUE_ENDS = {"comma", "block_end"}
_PLAIN = {"name", "string", "integer", "float"}
# Names that are no variables.
_WORDS = {"not", "true", "false", "none", "True", "False", "None"}
_OPEN = {"lparen", "lbracket", "lbrace"}
_CLOSE = {"rparen", "rbracket", "rbrace"}


def parse_arguments(parser: Parser) -> Arguments:
    """Parse everything from the tag's name to the end of the tag.

    Raises:
        jinja2.TemplateSyntaxError: If an argument is wrong. The message shows what to
            write instead.
    """
    positional: list[nodes.Expr] = []
    options: dict[str, nodes.Expr] = {}
    while not _at_end(parser):
        if positional or options:
            _skip_comma(parser)
        if _at_option(parser):
            _parse_option(parser, options)
        elif options:
            _fail(parser, "A value without a name stands behind an option.")
        else:
            positional.append(_parse_value(parser))
    return _arrange(parser, positional, options)


@contextmanager
def tag_alone(parser: Parser) -> Iterator[None]:
    """Let the parser read the rest of a tag alone, with commas that Jinja needs.

    Jinja joins two texts that stand side by side, so `"row" "news"` would be the one
    name `rownews`. And in `x is defined stale=60`, it would take `stale` for an
    argument of the test.
    """
    stream = parser.stream
    tokens: list[Token] = []
    while stream.current.type not in _TAG_ENDS:
        tokens.append(next(stream))
    tokens.append(stream.current)
    parser.stream = TokenStream(_separated(tokens), stream.name, stream.filename)
    yield
    parser.stream = stream


def _separated(tokens: list[Token]) -> Iterator[Token]:
    """Yield the tokens of a tag, and commas where Jinja would not end an argument."""
    before, depth = "comma", 0
    for token, after in zip_longest(tokens, tokens[1:]):
        are_texts = before == token.type == "string"
        is_option = token.type == "name" and after.type == "assign"
        if depth == 0 and (are_texts or (is_option and before != "comma")):
            yield Token(token.lineno, "comma", ",")
        yield token
        depth += (token.type in _OPEN) - (token.type in _CLOSE)
        before = token.type


def example(parser: Parser, inner: str) -> str:
    """Return a cache tag with the arguments `inner`, to show in an error."""
    return written(parser, f"cache {inner}")


def written(parser: Parser, inner: str) -> str:
    """Return a tag in the environment's own delimiters, to show in an error.

    Args:
        parser: The parser of the template.
        inner: The tag's name and arguments.
    """
    environment = parser.environment
    return f"{environment.block_start_string} {inner} {environment.block_end_string}"


def parse_expression(parser: Parser, *, with_condexpr: bool = True) -> nodes.Expr:
    """Parse an expression.

    Jinja's compiler computes what is constant in it, and some of the errors that this
    raises are no syntax errors: a list can't be a key of a dict, as in `{[]: 1}`, and a
    number can be too long to be written out.

    Raises:
        jinja2.TemplateSyntaxError: If the expression is wrong, or if what is constant
            in it can't be computed.
    """
    stream = parser.stream
    first, line = stream.current, stream.current.lineno
    is_plain = first.type in _PLAIN and first.value not in _WORDS
    if is_plain and stream.look().type in _VALUE_ENDS:
        # Jinja would ask for each of its operators whether there is one.
        value = next(stream).value
        if first.type == "name":
            return nodes.Name(value, "load", lineno=line)
        return nodes.Const(value, lineno=line)
    expression = parser.parse_expression(with_condexpr=with_condexpr)
    if isinstance(expression, nodes.Const) or _is_path(expression):
        return expression
    environment = parser.environment
    eval_ctx = nodes.EvalContext(environment, parser.name)
    try:
        # The optimizer changes what it visits.
        compiled = Optimizer(environment).visit(deepcopy(expression), eval_ctx)
        for constant in nodes.Scope([compiled]).find_all(nodes.Const):
            repr(constant.value)
    except Exception as error:  # noqa: BLE001 - the expression is the template's
        fail_for(parser, error, line)
    return expression


def _is_path(node: nodes.Expr) -> bool:
    """Return whether an expression is like `user` or `user.address[0]`.

    Nothing in it can be computed while compiling.
    """
    while isinstance(node, nodes.Getattr) or (
        isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const)
    ):
        node = node.node
    return isinstance(node, nodes.Name)


def fail_for(parser: Parser, error: Exception, line: int) -> NoReturn:
    """Raise the error of an argument as a syntax error.

    Raises:
        jinja2.TemplateSyntaxError: Always.
    """
    told = f"{type(error).__name__}: {' '.join(str(error).split())}"
    parser.fail(f"An argument of the tag can't be computed. {told}", line)


def _at_end(parser: Parser) -> bool:
    stream = parser.stream
    if stream.current.type != "colon":
        return stream.current.type == "block_end"
    # Jinja allows a colon at the end of every tag.
    if stream.look().type != "block_end":
        _fail(parser, "There is a colon in the tag.")
    return True


def _at_option(parser: Parser) -> bool:
    stream = parser.stream
    return stream.current.type == "name" and stream.look().type == "assign"


def _skip_comma(parser: Parser) -> None:
    if parser.stream.skip_if("comma") and _at_end(parser):
        _fail(parser, "The tag ends with a comma.")


def _parse_option(parser: Parser, options: dict[str, nodes.Expr]) -> None:
    token = next(parser.stream)
    name = token.value
    next(parser.stream)
    if name not in OPTIONS:
        from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

        nearest = get_close_matches(name, OPTIONS, n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        hint = f" {_NOT_HERE[name]}" if name in _NOT_HERE else hint
        _fail(
            parser,
            f"The cache tag has no option {name!r}, it has {', '.join(OPTIONS)}.{hint}",
        )
    if name in options:
        _fail(parser, f"The option {name!r} is given twice.")
    options[name] = _parse_value(parser)


def _parse_value(parser: Parser) -> nodes.Expr:
    stream = parser.stream
    if stream.current.type in _VALUE_ENDS:
        _fail(parser, "A value is missing.")
    if stream.current.type == "mul":
        _fail(parser, "A list of key values goes into the option: vary_on=values.")
    if stream.current.type == "assign":
        _fail(parser, "There is a '=' that belongs to no option.")
    value = parse_expression(parser)
    if _swallows(value):
        _fail(parser, "A comma is missing before a bracket or a minus.")
    return value


def _swallows(value: nodes.Expr | None) -> bool:
    """Return whether an expression is a constant and what should be the next argument.

    `None ("key")` would call None, `"row" [a]` would be a letter of the name, and
    `"row" -1` a subtraction.
    """
    while True:
        match value:
            case nodes.Call(node=first) | nodes.Getitem(node=first):
                if isinstance(first, nodes.Const):
                    return True
            case nodes.Sub(left=first):
                if isinstance(first, nodes.Const) and isinstance(first.value, str):
                    return True
            case nodes.BinExpr(left=first) | nodes.Compare(expr=first):
                pass
            case nodes.Getattr(node=first) | nodes.Filter(node=first):
                pass
            case nodes.Test(node=first) | nodes.CondExpr(expr1=first):
                pass
            case nodes.Concat(nodes=[first, *_]):
                pass
            case _:
                return False
        value = first


def _arrange(
    parser: Parser, positional: list[nodes.Expr], options: dict[str, nodes.Expr]
) -> Arguments:
    """Merge positional arguments and options, which may not overlap."""
    is_auto = options.get("vary_on") == nodes.Const(AUTO)
    if is_auto:
        del options["vary_on"]
    given: dict[str, nodes.Expr] = dict(
        zip(("timeout", "name"), positional, strict=False)
    )
    if len(positional) > len(given):
        given["vary_on"] = nodes.List(positional[len(given) :])
    for name, value in given.items():
        if name in options:
            _fail(
                parser,
                f"{_SUBJECTS[name]} given twice, by position and as the option"
                f" {name!r}.",
            )
        options[name] = value
    told: dict[str, Any] = {**dict.fromkeys(OPTIONS), "vary_on": nodes.List([])}
    return Arguments(**{**told, **options, "is_auto": is_auto})


def _fail(parser: Parser, message: str) -> NoReturn:
    positional = example(parser, '300, "sidebar", user.id')
    options = example(parser, 'timeout=300, name="sidebar", vary_on=[user.id]')
    parser.fail(f"{message} Write {positional} or {options}.")
