"""Which names of a context processor are the same for all users, and which it may give.

A processor that reads the session for one of its names gives others too, such as the
name of the site. These have to stay quiet.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any

# What differs between requests by its own name.
_OF_REQUESTS = {"current_user", "g", "request", "session"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def shared_names(processor: Callable[..., Any]) -> frozenset[str]:
    """Return the names whose values a processor takes from constants and globals.

    Args:
        processor: A function that returns a dictionary, as it is written.
    """
    tree = _tree_of(processor)
    if tree is None:
        return frozenset()
    assigned = set(_assigned(tree))
    if isinstance(processor, MethodType):
        # Its first argument is an object that is there for all requests.
        assigned -= {*list(inspect.signature(processor.__func__).parameters)[:1]}
    first, *others = [_items(each) for each in _returned(tree)] or [{}]
    # What is not the same in all of them, the processor has chosen by what it read.
    return frozenset(
        name
        for name, value in first.items()
        if _is_shared(value, assigned)
        and all(
            name in each and ast.dump(each[name]) == ast.dump(value) for each in others
        )
    )


def names_written(processor: Callable[..., Any]) -> frozenset[str]:
    """Return the names that a processor may give, as far as they stand in its source.

    Args:
        processor: As for `shared_names`.
    """
    tree = _tree_of(processor)
    return frozenset(() if tree is None else _keys(tree))


def _tree_of(processor: Callable[..., Any]) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(processor)))
    except (OSError, SyntaxError, TypeError):
        return None


def _keys(tree: ast.AST) -> Iterator[str]:
    """Yield the keys of all dictionaries that a tree makes or writes to."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from map(_text, filter(None, node.keys))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield _text(node.slice)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in {"dict", "update"}:
                yield from (each.arg for each in node.keywords if each.arg)
            elif called == "setdefault":
                yield from map(_text, node.args[:1])


def _text(node: ast.expr) -> str:
    """Return a constant as a text, and "" of what is none."""
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _assigned(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a call of the function in a tree gives a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):  # Such as a request, whatever it is called.
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name  # A function inside may remember what was read.


def _returned(tree: ast.AST) -> Iterator[ast.expr | None]:
    """Yield what the function in a tree returns, without the functions inside of it."""
    inside = [each for each in ast.walk(tree) if isinstance(each, _FUNCTIONS)][1:]
    nested = {part for each in inside for part in ast.walk(each)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and node not in nested:
            yield node.value


def _items(given: ast.expr | None) -> dict[str, ast.expr]:
    """Return the names and values of a dictionary, none of anything else."""
    if isinstance(given, ast.Dict) and None not in given.keys:  # `**` may replace one.
        return {
            str(key.value): value
            for key, value in zip(given.keys, given.values, strict=True)
            if isinstance(key, ast.Constant)
        }
    if isinstance(given, ast.Call) and ast.unparse(given.func) == "dict":
        return {each.arg: each.value for each in given.keywords if each.arg}
    return {}


def _is_shared(value: ast.expr, assigned: set[str]) -> bool:
    """Return whether an expression is a constant, or a global or a part of one."""
    while isinstance(value, ast.Attribute | ast.Subscript):
        if isinstance(value, ast.Subscript) and not isinstance(
            value.slice, ast.Constant
        ):
            return False
        value = value.value
    if isinstance(value, ast.Name):
        return value.id not in assigned | _OF_REQUESTS
    if isinstance(value, ast.List | ast.Tuple):
        return all(_is_shared(each, assigned) for each in value.elts)
    if isinstance(value, ast.Dict):
        parts = [*value.keys, *value.values]
        return all(part and _is_shared(part, assigned) for part in parts)
    return isinstance(value, ast.Constant)
