"""Which names of a context processor are the same for all users.

A processor that reads the session for one of its names gives others too, such as the
name of the site. These have to stay quiet.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from flask import Flask

# What differs between requests by its own name.
_OF_REQUESTS = {"current_user", "g", "request", "session"}
_PLAIN = (str, bytes, int, float, bool, type(None))


def shared_names(processor: Callable[[], Any]) -> frozenset[str]:
    """Return the names whose values a processor takes from constants and globals.

    Args:
        processor: A function that returns a dictionary, as it is written.
    """
    try:
        source = textwrap.dedent(inspect.getsource(processor))
        tree = ast.parse(source)
    except (OSError, SyntaxError, TypeError):
        return frozenset()
    assigned = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    found: dict[str, bool] = {}
    for name, value in _items(tree):
        found[name] = found.get(name, True) and _is_shared(value, assigned)
    return frozenset(name for name, is_shared in found.items() if is_shared)


def _items(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names and values of all dictionaries that are returned."""
    for node in ast.walk(tree):
        given = node.value if isinstance(node, ast.Return) else None
        if isinstance(given, ast.Dict):
            for key, value in zip(given.keys, given.values, strict=True):
                if isinstance(key, ast.Constant):
                    yield str(key.value), value
        elif isinstance(given, ast.Call) and ast.unparse(given.func) == "dict":
            yield from ((each.arg, each.value) for each in given.keywords if each.arg)


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
    return isinstance(value, ast.Constant)


def lives_with(app: Flask, value: Any) -> bool:
    """Return whether an object is older than the request, since an application has it.

    Args:
        app: The application. Its extensions and their attributes are looked at.
        value: The object. Plain values may be equal by chance, so they don't count. A
            function counts if it remembers only such objects, as `lambda: shop.name`
            has a shop.
    """
    if isinstance(value, _PLAIN):
        return False
    if isinstance(value, ModuleType | type):
        return True
    if isinstance(value, FunctionType):
        return all(lives_with(app, each) for each in _remembered(value))
    if isinstance(value, MethodType | BuiltinFunctionType):
        return lives_with(app, value.__self__)
    owners = [app, *app.extensions.values()]
    held = [each for owner in owners for each in _fields(owner)]
    return any(each is value for each in [*owners, *held, *app.config.values()])


def _remembered(function: FunctionType) -> Iterator[Any]:
    """Yield the values that a function got where it was made, if that was in another.

    A context processor may have read them.
    """
    if "<locals>" not in function.__qualname__:
        return
    for cell in function.__closure__ or ():
        # A function that calls itself remembers itself.
        if cell.cell_contents is not function:
            yield cell.cell_contents
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()


def _fields(owner: Any) -> Iterator[Any]:
    """Yield the values of an object's attributes."""
    yield from getattr(owner, "__dict__", {}).values()
    slots = getattr(type(owner), "__slots__", ())
    for name in (slots,) if isinstance(slots, str) else slots:
        yield getattr(owner, name, None)
