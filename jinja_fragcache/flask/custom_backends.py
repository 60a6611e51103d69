"""Makes the store that `CACHE_TYPE` names by an import string."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from flask import Flask
from werkzeug.utils import ImportStringError, import_string

from jinja_fragcache.errors import SettingError
from jinja_fragcache.messages import did_you_mean
from jinja_fragcache.stores import Store

T = TypeVar("T")
#: What error messages call the arguments of a store.
GIVEN_TO_STORES = "CACHE_ARGS and CACHE_OPTIONS give it"


def is_import_string(cache_type: str) -> bool:
    """Return whether a type has the form `package.module.name` or `package:name`."""
    return "." in cache_type or ":" in cache_type


def make_imported_store(
    app: Flask,
    settings: Mapping[str, Any],
    args: list[Any],
    kwargs: dict[str, Any],
) -> Store:
    """Import what `CACHE_TYPE` names, and make a store of it.

    A function, or the `factory` of a class that has one, is called with the
    application, the settings, a list of arguments and a dictionary of keyword
    arguments. Any other class is called with the arguments themselves. Anything else is
    the store.

    Args:
        app: The application.
        settings: All settings.
        args: The arguments in `CACHE_ARGS`.
        kwargs: The default timeout, and the keyword arguments in `CACHE_OPTIONS`.

    Raises:
        SettingError: If it can't be imported, does not accept the arguments, or returns
            None.
    """
    name = settings["CACHE_TYPE"]
    what = f"CACHE_TYPE {name!r}"
    imported = import_setting(
        "CACHE_TYPE",
        name,
        "'package.module.name' of a class, or of a function (app, config, args, kwargs)"
        " that returns a store",
    )
    make = imported
    given: tuple[list[Any], dict[str, Any]] = ([app, dict(settings), args, kwargs], {})
    passed = "(app, config, args, kwargs)"
    if isinstance(imported, type):
        make = getattr(imported, "factory", imported)
        if make is imported:
            if not _takes(imported, "default_timeout"):
                kwargs.pop("default_timeout")
            given, passed = (args, kwargs), GIVEN_TO_STORES
    elif not inspect.isroutine(imported):
        ready: Store = imported
        return ready
    made: Store | None = bind_call(make, what, *given, passed=passed)()
    if made is None:
        raise SettingError(f"{what} gave None. It has to return a store.")
    return made


def bind_call(
    make: Callable[..., T],
    what: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = None,
    *,
    passed: str = GIVEN_TO_STORES,
) -> Callable[[], T]:
    """Return a function that makes a call whose arguments have been checked.

    A TypeError in the call is then an error of the called code itself.

    Args:
        make: The class or function to call.
        what: What the error message calls it.
        args: Positional arguments.
        kwargs: Keyword arguments.
        defaults: Keyword arguments that `args` and `kwargs` override.
        passed: What the error message calls the arguments.

    Raises:
        SettingError: If `make` does not accept the arguments.
    """
    try:
        signature = inspect.signature(make)
    except (TypeError, ValueError):
        return lambda: make(*args, **kwargs)  # Written in C, without a signature.
    by_position = list(signature.parameters)[: len(args)]
    given = {
        name: value
        for name, value in (defaults or {}).items()
        if name not in by_position
    }
    given.update(kwargs)
    try:
        signature.bind(*args, **given)
    except TypeError as error:
        known = signature.parameters
        unknown = [name for name in given if name not in known]
        takes_any = any(each.kind is each.VAR_KEYWORD for each in known.values())
        if unknown and not takes_any:
            raise SettingError(_unknown_option(what, unknown[0], known)) from None
        raise SettingError(
            f"{what} takes other arguments than {passed}: {error}."
        ) from None
    return lambda: make(*args, **given)


def _unknown_option(what: str, name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    all_known = ", ".join(known)
    return (
        f"{what} takes no option {name!r} (CACHE_OPTIONS).{hint} It takes {all_known}."
    )


def import_setting(setting: str, name: str, form: str) -> Any:
    """Return what the import string in a setting names.

    Args:
        setting: The name of the setting.
        name: The import string.
        form: What the error message says that it is.

    Raises:
        SettingError: If it can't be imported.
    """
    try:
        return import_string(name)
    except ImportStringError as error:
        raise SettingError(
            f"{setting} {name!r} can't be imported: {error.exception}. It is {form}."
        ) from error.exception
    except (ImportError, RuntimeError, ValueError) as error:
        raise SettingError(f"{setting} {name!r} can't be imported: {error}.") from error


def _takes(cls: Callable[..., Any], name: str) -> bool:
    """Return whether a class takes an argument of a name, or may take it."""
    try:
        parameters = inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return True  # It may be written in C, without a signature.
    return name in parameters or any(
        each.kind is each.VAR_KEYWORD for each in parameters.values()
    )
