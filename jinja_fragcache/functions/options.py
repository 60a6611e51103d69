"""The options that `cached` and `memoize` share, checked when they decorate."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from jinja_fragcache.engine.policy import normalize_grace
from jinja_fragcache.errors import PolicyError
from jinja_fragcache.keys.fragment import tag_names
from jinja_fragcache.messages import describe
from jinja_fragcache.timeouts import normalize_timeout

from .signatures import signature_of


class Options:
    """The options of one decorator.

    Every option that may be a function is turned into one that accepts all arguments
    of a call, so that the caller need not know how many the user's function takes.

    Args:
        timeout: Seconds (int or float), a timedelta, 0 for never expiring, None for the
            cache's default.
        unless: Returns whether to bypass the cache. If it takes arguments, it gets the
            function and the arguments of the call.
        forced_update: Returns whether to call the function even if there is a value. If
            it takes arguments, it gets those of the call.
        is_stale: Takes a stored value and returns whether to make a new one. If it
            takes more arguments, it gets those of the call.
        response_filter: Takes a new value and returns whether to store it.
        cache_none: Whether None is stored as a value.
        hash_method: Not used: keys are SHA-256 always.
        source_check: Whether the function's source is part of the key; None for
            CACHE_SOURCE_CHECK.
        stale: Seconds (a number or a timedelta) past its timeout during which a value
            is served while one caller makes a new one; None for the cache's default.
        stale_if_error: Seconds past its timeout during which a value is served if the
            function raises; None for the cache's default.
        tags: The tags of the values: a list of strings, or a function that takes the
            arguments of the call and returns one.
        response_hit_indication: Whether an answer from the cache has the header
            `hit_cache: True`.
        allow: The dotted names of what the function may read of the request though its
            key lacks it.
        verify: Whether hits may be verified.
        background: Whether a stale value is made again behind the request, so that no
            caller waits; None for CACHE_BACKGROUND.
        is_memoized: Whether the decorator is `memoize`, so that the function is not
            expected to make answers. Of other functions an answer that is raised, as
            `abort()` does, is stored like one that is returned.

    Attributes:
        has_filter: Whether there is a `response_filter`.

    Raises:
        TypeError: If an option that takes a function has something else, or a coroutine
            function.
        TimeoutValueError: If `timeout` is not a timeout.
        PolicyError: If `stale` or `stale_if_error` is not a number of seconds, or
            `background` not True or False.
        KeyValueError: If `tags` is neither a list of strings nor a function.
    """

    def __init__(
        self,
        *,
        timeout: Any,
        unless: Callable[..., Any] | None,
        forced_update: Callable[..., Any] | None,
        is_stale: Callable[..., Any] | None,
        response_filter: Callable[..., Any] | None,
        cache_none: bool,
        hash_method: Callable[..., Any] | None,
        source_check: bool | None,
        stale: Any,
        stale_if_error: Any,
        tags: Any = None,
        response_hit_indication: bool | None = False,
        allow: Iterable[str] = (),
        verify: bool = True,
        background: bool | None = None,
        is_memoized: bool = False,
    ) -> None:
        if callable(timeout):
            raise TypeError(
                "The decorator has to be called. Write it with (), as in"
                " @cache.cached() or @cache.memoize(300)."
            )
        normalize_timeout(timeout)
        self.timeout = timeout
        self.stale = normalize_grace("stale", stale)
        self.stale_if_error = normalize_grace("stale_if_error", stale_if_error)
        self.tags = _tags_function(tags)
        self.unless = _call_function("unless", unless, 0)
        self.forced_update = _call_function("forced_update", forced_update, 0)
        self.is_stale = _call_function("is_stale", is_stale, 1)
        self.response_filter = _call_function(
            "response_filter", response_filter, 1, default=True
        )
        if hash_method is not None and not callable(hash_method):
            raise TypeError(
                f"hash_method can't be {hash_method!r}. It is a function such as"
                " hashlib.sha256. (Keys are SHA-256 always: leave it out.)"
            )
        self.has_filter = response_filter is not None
        self.allow = tuple(allow)
        if isinstance(allow, str) or not all(isinstance(e, str) for e in self.allow):
            raise TypeError(
                f'allow is a list of names, such as ["g.theme"], not {allow!r}.'
            )
        check_flag("verify", verify)
        check_flag("cache_none", cache_none)
        check_flag("source_check", source_check)
        check_flag("response_hit_indication", response_hit_indication)
        self.verify = verify
        if background is not None and not isinstance(background, bool):
            raise PolicyError("background", describe(background), "True or False")
        self.background = background
        self.is_memoized = is_memoized
        self.cache_none = cache_none
        self.source_check = source_check
        self.response_hit_indication = response_hit_indication


def check_flag(name: str, given: Any) -> None:
    """Raise TypeError for what is no flag, such as a text, even one that says no."""
    if given is not None and not isinstance(given, int):
        raise TypeError(f"{name} is True or False and got {given!r}.")


def _tags_function(tags: Any) -> Callable[..., Any]:
    """Return a function that takes the arguments of a call and returns its tags.

    Raises:
        KeyValueError: If `tags` is neither a list of strings nor a function.
        TypeError: If it is a coroutine function.
    """
    if callable(tags):
        return _call_function("tags", tags, 0)
    names = tag_names(tags)
    return lambda *_, **__: names


def _call_function(
    name: str,
    given: Any,
    required: int,
    *,
    default: bool = False,
) -> Callable[..., Any]:
    """Return a function that may be called with all arguments of a call.

    Args:
        name: The name of the option, for the error message.
        given: The user's function, or None.
        required: How many arguments the user's function takes at least. It gets all of
            them if it takes more, else only these.
        default: What the returned function returns if `given` is None.

    Raises:
        TypeError: If `given` is not a function, takes fewer arguments, or is a
            coroutine function.
    """
    if given is None:
        return lambda *_, **__: default
    if not callable(given) or inspect.iscoroutinefunction(given):
        raise TypeError(
            f"{name} takes a plain function, to be asked for each call, and got"
            f" {given!r}. Write {name}=lambda{' value' * required}: ..."
        )
    try:
        signature = signature_of(given)
    except ValueError:  # Some functions written in C have no signature.
        kinds = []
    else:
        _check_takes(name, given, signature, required)
        kinds = [each.kind for each in signature.parameters.values()]
    if len(kinds) - kinds.count(inspect.Parameter.KEYWORD_ONLY) > required:
        takes_all: Callable[..., Any] = given
        return takes_all
    return lambda *args, **_: given(*args[:required])


def _check_takes(
    name: str, given: object, signature: inspect.Signature, required: int
) -> None:
    """Raise TypeError if a user's function takes less than it gets in any case."""
    try:
        signature.bind_partial(*[None] * required)
    except TypeError:
        raise TypeError(
            f"{name} gets a value, and {given!r} takes none. Write {name}=lambda"
            " value: ..."
        ) from None
