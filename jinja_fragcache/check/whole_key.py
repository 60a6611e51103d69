"""What the `vary_on` of a whole cache puts into every key, as its source says."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from jinja2 import Environment, TemplateError, nodes

from jinja_fragcache.reads.expressions import reads_of
from jinja_fragcache.reads.outline import Read

# A lambda's source is the lines that it stands in, which may be a part of a statement.
_AROUND = ("{}", "f({})", "{{{}}}")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
# Packages whose names templates have without them.
_PACKAGES = ("flask.", "quart.")
# Functions that keep all of what they are given.
_KEEPING = {"repr", "str"}


def reads_in_key(vary_on: Callable[..., Any] | None) -> tuple[Read, ...]:
    """Return what a function of a whole cache reads for the key values it returns.

    Args:
        vary_on: The function, None if the cache has none. Nothing is called.

    Returns:
        The reads of the values that are in all lists it may return. What comes from its
        own variables, or has no source, is left out.
    """
    function = _function_in(inspect.unwrap(vary_on)) if vary_on else None
    if function is None:
        return ()
    own = {*_own_names(function)}
    lists = [[*_values(each, own)] for each in _returned(function)] or [[]]
    first, *others = lists
    shown = [each for each in first if all(each in other for other in others)]
    return tuple(read for text in shown for read in _reads(text))


def _function_in(function: Callable[..., Any]) -> ast.AST | None:
    """Return the tree of a function, None if its source isn't known for sure."""
    try:
        source = textwrap.dedent(inspect.getsource(function)).strip()
    except (OSError, TypeError):
        return None
    is_lambda = getattr(function, "__name__", "") == "<lambda>"
    for around in _AROUND if is_lambda else _AROUND[:1]:
        with suppress(SyntaxError):
            tree = ast.parse(around.format(source.rstrip(",")))
            found = [each for each in ast.walk(tree) if isinstance(each, _FUNCTIONS)]
            if is_lambda:
                found = [each for each in found if isinstance(each, ast.Lambda)]
                # Of two lambdas on a line, it may be either.
                return found[0] if len(found) == 1 else None
            return found[0] if found else None
    return None


def _own_names(function: ast.AST) -> Iterator[str]:
    """Yield the names of a function's own variables, which templates don't have."""
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def _returned(function: ast.AST) -> Iterator[ast.expr | None]:
    """Yield what a function returns, without the functions inside of it."""
    if isinstance(function, ast.Lambda):
        yield function.body
        return
    waiting = [*ast.iter_child_nodes(function)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return):
            yield node.value
        elif not isinstance(node, _FUNCTIONS):
            waiting += ast.iter_child_nodes(node)


def _values(given: ast.expr | None, own: set[str]) -> Iterator[str]:
    """Yield the values of a list, as templates write them."""
    for each in given.elts if isinstance(given, ast.List | ast.Tuple) else ():
        value = each
        while (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id in _KEEPING
            and len(value.args) == 1
        ):
            value = value.args[0]
        names = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
        if not names & own:
            text = ast.unparse(value)
            for package in _PACKAGES:
                text = text.removeprefix(package)
            yield text


def _reads(text: str) -> tuple[Read, ...]:
    """Return what an expression reads, nothing if it is none of templates."""
    try:
        tree = Environment().parse("{{ [" + text + "] }}")  # noqa: S701 - not rendered
    except TemplateError:
        return ()
    return reads_of(tree.find(nodes.List))
