"""What to write at a decorated function, so that its key has more values."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from jinja_fragcache.messages import quoted

from .keys import full_name


def place_of(function: Callable[..., Any]) -> str:
    """Return a function's file, line and name, as messages show it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    where = f"{code.co_filename}, line {code.co_firstlineno}, " if code else ""
    return f"{where}{full_name(function)}()"


def call_with(function: Callable[..., Any], expressions: Sequence[str]) -> str:
    """Return a call of a memoized function that has more arguments."""
    given = (
        ["...", *expressions] if inspect.signature(function).parameters else expressions
    )
    return (
        f"{function.__name__}({', '.join(given)}), with a parameter for each: what a"
        " memoized function gets is its key"
    )


def decorator_with(
    function: Callable[..., Any], expressions: Sequence[str], *, page: str | None
) -> str:
    """Return what a decorator needs for a key with more values.

    Args:
        function: The function.
        expressions: Those of the values.
        page: What of the request the key of a view has, None if it is no view.
    """
    if page is None:
        key = _text_of([quoted(function.__name__), *expressions])
        return f"@cache.cached(..., key_prefix=lambda: {key})"
    if all(each.startswith("request.args.") for each in expressions):
        return "@cache.cached(..., query_string=True)"
    key = _text_of([page, *expressions])
    return f"@cache.cached(..., make_cache_key=lambda **_: {key})"


def _text_of(expressions: Sequence[str]) -> str:
    """Return an expression for one text, which two other lists of values don't have."""
    return f"repr([{', '.join(expressions)}])"
