"""What the methods of `MemoizeMethods` do."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from jinja_fragcache.engine.context import Context
from jinja_fragcache.engine.tags import invalidate
from jinja_fragcache.engine.whole import delete
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.messages import describe
from jinja_fragcache.operations import Operation

from .argument_keys import ArgumentKeys
from .decorators import CallFactory, decorate, make_decorator
from .deletions import Memoized, deletions, memoized_keys
from .options import Options
from .typing import MemoizeDecorator
from .value_rules import ValueRules


class Deletes(Protocol):
    """A cache that deletes what it has memoized."""

    def delete_memoized(
        self, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> None:
        """Delete values of a function."""
        ...


def memoize(
    cache: Deletes,
    current_rules: Callable[[], ValueRules],
    *,
    make_name: Callable[[str], str] | None,
    args_to_ignore: Iterable[str],
    **given: Any,
) -> MemoizeDecorator:
    """Return the decorator of `MemoizeMethods.memoize`.

    Args:
        cache: The cache.
        current_rules: Returns how the present cache stores values.
        make_name: Takes the function's name and returns the name to use in the key.
        args_to_ignore: The names of parameters that the value does not depend on.
        given: The options.
    """
    options = Options(is_memoized=True, **given)

    def vary(key: str) -> str:
        return current_rules().engine.present_key(key)

    def decorate_function(function: Callable[..., Any]) -> Any:
        keys = ArgumentKeys(
            function,
            make_name,
            args_to_ignore,
            lambda: options.source_check,
            options.tags,
            vary,
        )
        calls = CallFactory(function, current_rules, options, keys)
        wrapper: Any = decorate(function, calls)
        wrapper.delete_memoized = partial(cache.delete_memoized, wrapper)
        return wrapper

    return make_decorator(decorate_function)


def delete_memoized(
    context: Context,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Operation[None]:
    """Delete values, as `MemoizeMethods.delete_memoized` does."""
    for each in deletions(_find, function, args, kwargs):
        if each.is_tag:
            yield from invalidate(context, [each.name])
        else:
            yield from delete(context, [each.name])


def _find(function: Any) -> Memoized:
    found = memoized_keys(function)
    if found is None:
        raise KeyValueError(
            "delete_memoized takes a function that @cache.memoize() has decorated, and"
            f" got {describe(function)}."
        )
    return found
