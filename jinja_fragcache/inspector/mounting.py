"""What all who hand requests to an inspector have in common."""

import inspect
import re
from collections.abc import Callable
from typing import Any

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import SettingError
from jinja_fragcache.messages import describe, describe_class

from .inspector import Inspector

_PREFIX = re.compile(r"(/[\w.~-]+)+", re.ASCII)


def make_inspector(
    cache: object, allow: object, secret_key: object, *, debug: bool
) -> Inspector:
    """Return an inspector for `wsgi_app` and `asgi_app`.

    Raises:
        SettingError: If an argument has a value that is not allowed.
    """
    if not isinstance(cache, FragmentCache):
        raise SettingError(
            f"The inspector shows a FragmentCache and got {describe_class(cache)}. Of"
            " an environment, fragment_cache_of(env) is that, and of Cache(app),"
            " cache.fragment_cache."
        )
    if allow is None and not debug:
        raise SettingError(
            "The inspector shows what visitors were shown, so it needs allow=, a"
            " function that gets a request and returns whether it may see that. In"
            " development, write debug=True instead: then only this machine may."
        )
    if secret_key in ("", b""):
        raise SettingError(
            "secret_key can't be empty. Give a text or bytes that nobody else knows, or"
            " leave it out: then nothing can be deleted on the pages."
        )
    if secret_key is not None and not isinstance(secret_key, (str, bytes)):
        raise SettingError(
            "secret_key is a text or bytes that nobody else knows, or None, and got"
            f" {describe_class(secret_key)}."
        )
    cache.collect_figures()
    secret: Any = secret_key
    checked = None if allow is None else check_allow("allow", allow, "a request")
    return Inspector(lambda: cache, allow=checked, secret_key=lambda: secret)


def check_app(app: object) -> None:
    """Check that the pages of something can have the overlay.

    Raises:
        SettingError: If it is no application.
    """
    if not callable(app):
        raise SettingError(
            "The first argument is the application whose pages get the overlay, and got"
            f" {describe_class(app)}. Write app = wsgi_overlay(app, cache, ...), or"
            " asgi_overlay for an ASGI application."
        )


def check_prefix(prefix: object) -> str:
    """Return the path of an inspector in an application.

    Raises:
        SettingError: If it is no path.
    """
    if isinstance(prefix, str) and _PREFIX.fullmatch(prefix):
        return prefix
    raise SettingError(
        f"prefix is the path of the inspector, such as '/_fragcache', and got"
        f" {describe(prefix)}."
    )


def check_allow(name: str, allow: object, *called_with: str) -> Callable[..., Any]:
    """Return the function that tells who may see an inspector.

    Args:
        name: What messages call it.
        allow: What was given.
        called_with: What messages call the arguments that it will get.

    Raises:
        SettingError: If it can't be called, or not with these arguments.
    """
    is_what = f"{name} is a function that returns whether a request may see the"
    if not callable(allow):
        raise SettingError(f"{is_what} inspector, and got {describe(allow)}.")
    try:
        inspect.signature(allow).bind(*called_with)
    except TypeError as error:
        arguments = " and ".join(called_with)
        raise SettingError(
            f"{is_what} inspector. It is called"
            f" {f'with {arguments}' if arguments else 'without arguments'}, and"
            f" {describe(allow)} can't be: {error}."
        ) from None
    except ValueError:
        pass  # Some functions written in C have no signature.
    return allow


def read_verdict(answer: Any) -> bool:
    """Return what `allow` has told.

    Raises:
        SettingError: If it is true and not True, such as a method that was not called
            or a coroutine: those who may not see the inspector would see it.
    """
    if answer is True or not answer:
        return answer is True
    if inspect.iscoroutine(answer):
        answer.close()
    raise SettingError(
        "The function that tells who may see the inspector returned"
        f" {describe_class(answer)}, where it has to return True or False. Nobody sees"
        " the inspector until it does."
    )
