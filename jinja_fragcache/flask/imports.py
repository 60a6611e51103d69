"""Stores that `CACHE_TYPE` names by where they can be imported from."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from flask import Flask
from werkzeug.utils import ImportStringError, import_string

from jinja_fragcache.errors import SettingError
from jinja_fragcache.stores import Store

T = TypeVar("T")


def is_import_string(cache_type: str) -> bool:
    """Tell `package.module.name` and `package.module:name` from other types."""
    return "." in cache_type or ":" in cache_type


def make_imported(
    app: Flask,
    settings: Mapping[str, Any],
    args: list[Any],
    kwargs: dict[str, Any],
) -> Store:
    """Make a store of what `CACHE_TYPE` names.

    A class with a `factory`, and any function, is called with the application, the
    settings, a list of arguments and a dictionary of keyword arguments; any other class
    with the arguments themselves. What is neither is the store.

    Args:
        app: the application.
        settings: all settings.
        args: what `CACHE_ARGS` has.
        kwargs: the default timeout, and what `CACHE_OPTIONS` has.

    Raises:
        SettingError: it can't be imported, or takes other arguments.
    """
    name = settings["CACHE_TYPE"]
    what = f"CACHE_TYPE {name!r}"
    found = _imported(name)
    make = found
    given: tuple[list[Any], dict[str, Any]] = ([app, dict(settings), args, kwargs], {})
    if isinstance(found, type):
        make = getattr(found, "factory", found)
        if make is found:
            if not _takes(found, "default_timeout"):
                kwargs.pop("default_timeout")
            given = (args, kwargs)
    elif not inspect.isroutine(found):
        ready: Store = found
        return ready
    made: Store | None = bound_call(make, what, *given)()
    if made is None:
        raise SettingError(f"{what} gave None. It has to return a store.")
    return made


def bound_call(
    make: Callable[..., T],
    what: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    more: Mapping[str, Any] | None = None,
) -> Callable[[], T]:
    """Give a call, once it is known that it can be made.

    A TypeError out of the call itself is then one of the code that is called.

    Args:
        make: what is called.
        what: how an error names it.
        args: arguments.
        kwargs: keyword arguments.
        more: keyword arguments that are left out where the others have given them.

    Raises:
        SettingError: it takes other arguments.
    """
    try:
        signature = inspect.signature(make)
    except (TypeError, ValueError):
        return lambda: make(*args, **kwargs)  # in C, and tells no parameters
    by_place = list(signature.parameters)[: len(args)]
    given = {each: (more or {})[each] for each in more or () if each not in by_place}
    given.update(kwargs)
    try:
        signature.bind(*args, **given)
    except TypeError as error:
        raise SettingError(
            f"{what} takes other arguments than CACHE_ARGS and CACHE_OPTIONS give it:"
            f" {error}."
        ) from None
    return lambda: make(*args, **given)


def _imported(name: str) -> Any:
    try:
        return import_string(name)
    except ImportStringError as error:
        raise SettingError(
            f"CACHE_TYPE {name!r} can't be imported: {error.exception}. It has the form"
            " 'package.module.name', of a class or of a function (app, config, args,"
            " kwargs) that gives a store."
        ) from error.exception
    except (ImportError, ValueError) as error:
        raise SettingError(
            f"CACHE_TYPE {name!r} can't be imported: {error}."
        ) from error


def _takes(cls: Callable[..., Any], name: str) -> bool:
    try:
        parameters = inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return True  # It may be written in C and tell no parameters.
    return name in parameters or any(
        each.kind is each.VAR_KEYWORD for each in parameters.values()
    )
