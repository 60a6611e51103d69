"""The keys of views, and of other functions that `cached` decorates."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from operator import itemgetter
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import current_app, has_app_context, has_request_context, request
from werkzeug.datastructures import MultiDict
from werkzeug.routing import BuildError
from werkzeug.wrappers import Request

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.functions.keys import CUSTOM_KEY, CallKey, check_key, full_name
from jinja_fragcache.functions.options import check_flag
from jinja_fragcache.functions.signatures import signature_of
from jinja_fragcache.guard.reads import Cover
from jinja_fragcache.keys.digests import source_digest
from jinja_fragcache.keys.encoding import encode_argument
from jinja_fragcache.keys.form import digest_key
from jinja_fragcache.keys.plain import encode_text

from .view_hosts import host_of_request, host_of_url, host_of_views, own_host

# Stands in a `key_prefix` for the path of the request.
_PATH = "%s"
# The name of the host in keys of applications with views for several hosts.
_HOST_OF_VIEWS = "request.host of views"
# What a key made of the request's path names of the request, and one made of its query.
_OF_PATH = frozenset(
    f"request.{name}"
    for name in ("blueprint", "endpoint", "path", "url_rule", "view_args")
) | {_HOST_OF_VIEWS}
_OF_QUERY = frozenset({"request.args", "request.full_path"})
QueryArguments = str | Mapping[str, Any] | Iterable[tuple[str, Any]]


def check_key_function(given: object, name: str = "make_cache_key") -> None:
    """Raise TypeError for an option that is no function to be called for each key.

    Args:
        given: The option.
        name: Its name, for the error.
    """
    if not callable(given):
        raise TypeError(
            f"{name} takes a function and got {given!r}. Write a key that is always the"
            " same as key_prefix."
        )
    if inspect.iscoroutinefunction(given):
        raise TypeError(
            f"{name} can't be a coroutine function, because nothing awaits a key, and"
            f" got {given!r}. Write def in place of async def."
        )


class ViewKeys:
    """Makes the keys of a function that `cached` decorates.

    Args:
        function: The function.
        key_prefix: The key; `%s` in it stands for the path of the request. A function
            without arguments returns the key of each call.
        query_string: Whether the arguments in the query string are part of the key.
        source_check: Returns whether the function's source is part of the key.
        vary: Takes a key and returns it with the present values of the whole cache.

    Attributes:
        by_path: Whether the key contains the path of the request.
        are_custom: Whether `key_prefix` is a function.
        named: What the key names of the request.
        named_of_view: The same for a view, whose method is GET or HEAD.

    Raises:
        KeyValueError: If the key is not a string.
        TypeError: If `query_string` is neither True nor False, or `key_prefix` is a
            coroutine function.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        key_prefix: str | Callable[[], str],
        *,
        query_string: bool,
        source_check: Callable[[], bool | None] = lambda: None,
        vary: Callable[[str], str] = lambda key: key,
    ) -> None:
        if callable(key_prefix):
            check_key_function(key_prefix, "key_prefix")
        else:
            check_key(key_prefix, "key_prefix")
        check_flag("query_string", query_string)
        self._function = function
        self._key_prefix = key_prefix
        self._query_string = query_string
        self._source_check = source_check
        self._vary = vary
        self._source = cache(partial(source_digest, function))
        self.by_path = isinstance(key_prefix, str) and _PATH in key_prefix
        self.are_custom = callable(key_prefix)
        self.named = named_by_path(by_path=self.by_path, query_string=query_string)
        names = self.named.names | {"request.method"}
        self.named_of_view = self.named._replace(names=names)

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        """Like `of_request`, with the present values of the whole cache."""
        return self._vary(self.of_request(*args, **kwargs))

    def of_request(
        self,
        *args: Any,
        path: str | None = None,
        query_args: QueryArguments | None = None,
        **kwargs: Any,
    ) -> str:
        """Return the key that a request has, without that request.

        Args:
            args: The view's arguments.
            path: The path of the request. None builds it from the view's arguments. A
                path begins with "/"; anything else is the view's argument `path`.
            query_args: The query string, or the arguments in it. They count only with
                `query_string=True`. None stands for those of the current request, if
                it has the path.
            kwargs: The view's arguments.

        Raises:
            KeyValueError: If the path can't be built from the view's arguments, or is
                none.
        """
        host = ""
        if self.by_path:
            if path is not None and not str(path).startswith("/"):
                kwargs["path"] = self._check_argument(path)
                path = None
            if path is None:
                host, path = self._place_of(args, kwargs)
            elif has_request_context() and path == request.path:
                host = host_of_request()
            elif has_app_context():
                host = host_of_views(self._endpoints())
        pairs = _pairs(query_args)
        if query_args is None and has_request_context() and path == request.path:
            pairs = _request_pairs()
        return self._key(path, host, pairs, source_check=self._source_check())

    def of_call(
        self, args: Any, kwargs: Any, *, source_check: bool | None = None
    ) -> CallKey:
        """Return the key of a call, which is the key of the current request.

        Raises:
            KeyValueError: If the key needs a request and there is none.
        """
        return CallKey(self._of_request(source_check=source_check))

    def of_custom_key(self, make: Any, args: Any, kwargs: Any) -> CallKey:
        """Return the key that the user's `make` returns for the arguments.

        Raises:
            KeyValueError: If it is not a string.
        """
        return CallKey(check_key(make(*args, **kwargs), CUSTOM_KEY))

    def tags_of_call(self, args: Any, kwargs: Any) -> tuple[str, ...]:
        """Like `Keys.tags_of_call`. The entries of views have none of their own."""
        return ()

    def _of_request(self, *, source_check: bool | None) -> str:
        if not has_request_context():
            if self.by_path or self._query_string:
                raise KeyValueError(
                    f"The key of {full_name(self._function)}() is made of the request,"
                    " and there is none. To cache a function that is no view, write"
                    f' @cache.cached(key_prefix="{self._function.__name__}").'
                )
            return self._key(None, "", [], source_check=source_check)
        # A body that calls the function depends on what is read here, so nothing is
        # that the key doesn't have.
        host = host_of_request() if self.by_path else ""
        path = request.path if self.by_path else None
        pairs = _request_pairs() if self._query_string else []
        return self._key(path, host, pairs, source_check=source_check)

    def _key(
        self,
        path: str | None,
        host: str,
        pairs: list[tuple[str, str]],
        *,
        source_check: bool | None,
    ) -> str:
        prefix = self._key_prefix
        if callable(prefix):
            key = check_key(prefix(), "What key_prefix gives")
        else:
            key = prefix if path is None else prefix.replace(_PATH, path)
        if host:
            key = digest_key("host", key, encode_text(key) + encode_text(host))
        if source_check:
            source = encode_text(self._source())
            key = digest_key("source", key, encode_text(key) + source)
        if not self._query_string:
            return key
        # The same arguments in another order are the same page. The values of one
        # argument keep their order, since views take the first.
        pairs = sorted(pairs, key=itemgetter(0))
        encoded = "".join([encode_argument(pair) for pair in pairs])
        # No path can have such a key, whatever characters it contains.
        return digest_key("query", key, encode_text(key) + encoded)

    def _check_argument(self, path: Any) -> Any:
        """Return what was given as `path`, if the view has such an argument.

        Raises:
            KeyValueError: If it has none.
        """
        if "path" in signature_of(self._function).parameters:
            return path
        raise KeyValueError(
            f"path can't be {path!r}. It is the path of a request, which begins with"
            f' "/": delete_cached({full_name(self._function)}, "/{path}").'
        )

    def _place_of(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[str, str]:
        """Return the host and the path of the view with these arguments."""
        names = signature_of(self._function).parameters
        values = {**dict(zip(names, args, strict=False)), **kwargs}
        view = full_name(self._function)
        example = f'make_cache_key(path="/...") or delete_cached({view}, "/...")'
        endpoints = self._endpoints()
        if len(endpoints) != 1:
            known = ", ".join(endpoints) or "none"
            raise KeyValueError(
                f"The path of {view}() is not known: as a view it has to have one"
                f" endpoint and has {known}. Give the path: {example}."
            )
        try:
            url = current_app.url_map.bind(own_host()).build(endpoints[0], values)
        except (BuildError, TypeError, ValueError):
            # Converters raise the last two for a value that is not a number.
            raise KeyValueError(
                f"The path of {view}() can't be made of {values}. Give all arguments"
                f" that are in its route, or the path: {example}."
            ) from None
        # For a view of another host, `url` is a whole URL. The path of a request is
        # unquoted.
        return host_of_url(url), unquote(urlsplit(url).path)

    def _endpoints(self) -> list[str]:
        if not has_app_context():
            return []
        return [
            endpoint
            for endpoint, view in current_app.view_functions.items()
            if inspect.unwrap(view) is inspect.unwrap(self._function)
        ]


def _request_pairs() -> list[tuple[str, str]]:
    """Return the arguments in the query string of the current request."""
    return list(request.args.items(multi=True))


def _pairs(query_args: QueryArguments | None) -> list[tuple[str, str]]:
    """Return the arguments of a query as names and values."""
    if query_args is None:
        return []
    if isinstance(query_args, str):
        # Parsed by the class that parses requests, so that the results agree.
        query = query_args.removeprefix("?").encode().decode("latin-1")
        return list(Request({"QUERY_STRING": query}).args.items(multi=True))
    pairs = MultiDict(query_args).items(multi=True)
    return [(name, str(value)) for name, value in pairs]


def named_by_path(*, by_path: bool, query_string: bool) -> Cover:
    """Return what a key that this package makes of the request names of it."""
    names = _OF_PATH if by_path else frozenset()
    return Cover(names | _OF_QUERY if query_string else names)


def with_host(named: Cover) -> Cover:
    """Return what a key names of the request, with the host if the key has it.

    Only the application of a request tells that, so a hit does not ask for it.
    """
    if _HOST_OF_VIEWS in named.names and host_of_request():
        return named._replace(names=named.names | {"request.host"})
    return named
