"""The arguments that settings give to stores."""

from collections.abc import Mapping
from inspect import signature
from typing import Any, TypeVar

from jinja_fragcache.errors import SettingError, StoreError
from jinja_fragcache.messages import unknown_argument, without_logins
from jinja_fragcache.stores import Store

from .custom_backends import GIVEN_TO_STORES, bind_call

Settings = Mapping[str, Any]
S = TypeVar("S", bound=Store)

#: Options that are not for the store: see CACHE_IGNORE_ERRORS. Flask-Caching passes
#: that on to its stores under these names.
IGNORE_ERRORS = ("ignore_delete_many_errors", "ignore_errors")
_DEFAULT_TIMEOUT = 300


def key_prefix(settings: Settings) -> dict[str, Any]:
    """Return the argument that `CACHE_KEY_PREFIX` gives to a store."""
    prefix = settings["CACHE_KEY_PREFIX"]
    if prefix is not None and not isinstance(prefix, str):
        raise SettingError(
            f"CACHE_KEY_PREFIX can't be {without_logins(repr(prefix))}. It is a text,"
            " or None."
        )
    return {"key_prefix": prefix}


def default_timeout(settings: Settings) -> int:
    """Return the default timeout of a store in seconds."""
    timeout: int | None = settings["CACHE_DEFAULT_TIMEOUT"]
    return _DEFAULT_TIMEOUT if timeout is None else timeout


def threshold(settings: Settings) -> int:
    """Return the maximum number of entries that `CACHE_THRESHOLD` sets, or 0."""
    most = settings["CACHE_THRESHOLD"]
    if type(most) is not int or most < 0:
        raise SettingError(
            f"CACHE_THRESHOLD can't be {most!r}. It is the maximum number of"
            " entries, or 0: files have no limit then, and the memory its default."
        )
    return most


def whole_number(settings: Settings, name: str, most: int) -> int:
    """Return the value of a setting that is a whole number from 0 to `most`."""
    value = settings[name]
    if type(value) is not int or not 0 <= value <= most:
        raise SettingError(
            f"{name} can't be {without_logins(repr(value))}. It is a whole number from"
            f" 0 to {most}."
        )
    return value


def store_options(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments that `CACHE_OPTIONS` has for a store."""
    options = settings["CACHE_OPTIONS"] or {}
    if not isinstance(options, Mapping):
        raise SettingError(
            f"CACHE_OPTIONS can't be of the type {type(options).__name__}. It is a"
            " dictionary of keyword arguments."
        )
    for name in options:
        if not isinstance(name, str):
            raise SettingError(
                f"CACHE_OPTIONS has the name {without_logins(repr(name))}. Its names"
                " are texts, those of keyword arguments."
            )
    return dict(options)


def store_args(settings: Settings) -> list[Any]:
    """Return the positional arguments in `CACHE_ARGS`."""
    args = settings["CACHE_ARGS"] or []
    if not isinstance(args, list | tuple):
        raise SettingError(
            f"CACHE_ARGS can't be of the type {type(args).__name__}. It is a list of"
            " arguments."
        )
    return list(args)


def is_given(make: type[Store], settings: Settings, name: str) -> bool:
    """Return whether `CACHE_ARGS` or `CACHE_OPTIONS` have an argument of a store."""
    by_position = [*signature(make).parameters][: len(store_args(settings))]
    return name in by_position or name in store_options(settings)


def make_with(make: type[S], settings: Settings, **given: Any) -> S:
    """Make a store.

    Args:
        make: The class of the store.
        settings: All settings. `CACHE_ARGS` and `CACHE_OPTIONS` override the arguments
            in `given`.
        given: The arguments from the settings of this type.

    Raises:
        SettingError: If the store does not accept the arguments.
    """
    cache_type = settings["CACHE_TYPE"]
    call = bind_call(
        make,
        f"CACHE_TYPE {cache_type!r}",
        store_args(settings),
        {
            name: value
            for name, value in store_options(settings).items()
            if name not in IGNORE_ERRORS
        },
        {"default_timeout": default_timeout(settings), **given},
    )
    try:
        return call()
    except TypeError as error:
        # Raised by the client that the store makes, for an option that the store passed
        # on to it.
        unknown = unknown_argument(error)
        refusal = (
            f": its client takes no option {unknown!r} (CACHE_OPTIONS)."
            if unknown
            else f" takes other arguments than {GIVEN_TO_STORES}:"
            f" {without_logins(error)}."
        )
    except (StoreError, ValueError) as error:
        refusal = f": {without_logins(error)}"
    # Not as the context of the client's error, which may show a password.
    raise SettingError(f"CACHE_TYPE {cache_type!r}{refusal}")


def split_text(text: str) -> list[str]:
    """Return the parts of a text that names several servers, with commas in between."""
    return [part.strip() for part in text.split(",")]
