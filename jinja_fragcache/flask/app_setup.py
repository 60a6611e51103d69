"""Makes an application's cache from its settings."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from flask import Flask

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.entries.values import ValueCodec
from jinja_fragcache.errors import (
    ListenerError,
    PolicyError,
    SettingError,
    StoreError,
    TimeoutValueError,
)
from jinja_fragcache.messages import describe, logger
from jinja_fragcache.timeouts import normalize_timeout

from .backend_arguments import IGNORE_ERRORS, store_options
from .backends import is_null, make_store
from .custom_backends import import_setting
from .first_use import UndecidedCache
from .inspector import is_asked_for
from .serializers import make_serializer
from .server_timing import TimedRequests
from .setting_values import read_settings
from .signals import SignalListener
from .value_cache import AppCache

# The settings of the rules that are not called CACHE_ and the rule's name.
_OTHER_NAMES = {"near": "CACHE_NEAR_TIMEOUT"}
# The default timeout may also be given in CACHE_OPTIONS.
_RULES = [name for name in Policy._fields if name != "default_timeout"]

#: Under this name, `app.extensions` has what was set up.
EXTENSION = "jinja_fragcache"
_FUNCTIONS = {"CACHE_VARY_ON", "CACHE_UNLESS"}


def app_cache_of(app: Any, cache: object) -> AppCache:
    """Return the cache that an extension was set up with for an application.

    Args:
        app: The application, of Flask or Quart.
        cache: The extension.

    Raises:
        SettingError: If `init_app` was not called for the application.
    """
    try:
        found: AppCache = app.extensions[EXTENSION][cache]
    except KeyError:
        raise SettingError(
            f"This cache was not set up for the application {app.name!r}. Call"
            " cache.init_app(app) where the application is made."
        ) from None
    return found


class _Mode(NamedTuple):
    """What of an application decides about its cache, and changes until the first use.

    Attributes:
        is_off: Whether nothing is cached because it is in testing mode.
        reloads: Whether an edited template is loaded again.
        debugs: Whether it is in debug mode.
    """

    is_off: bool
    reloads: bool
    debugs: bool

    @classmethod
    def of(
        cls, app: Flask, given: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Self:
        """Return the present mode of an application. See `make_app_cache`."""
        is_off = _is_off(app, given, settings)
        return cls(is_off, _reloads_templates(app), bool(app.debug))


def make_app_cache(
    app: Flask,
    given: Mapping[str, Any],
    strict: Callable[[], bool],
    signals: SignalListener | None = None,
) -> AppCache:
    """Make the cache that the settings describe.

    Args:
        app: The application. Its settings are used, and it is passed to the factory
            that `CACHE_TYPE` may name.
        given: Settings that override those of the application. Missing ones have their
            default.
        strict: As for `FragmentCache`.
        signals: Sends signals for what happens. Those of Flask-Caching are sent with
            CACHE_ENABLE_SIGNALS only.

    Raises:
        SettingError: If a setting has a value that is not allowed.
    """
    settings = read_settings({**app.config, **given})
    is_signed = settings["CACHE_SIGNING_KEY"] is not None
    serializer = make_serializer(settings["CACHE_SERIALIZER"])
    codec = ValueCodec(serializer, is_signed=is_signed)
    in_force: dict[str, Any] = {}

    def make(mode: _Mode) -> FragmentCache:
        off = {"CACHE_TYPE": "null", "CACHE_NO_NULL_WARNING": True}
        used = settings | off if mode.is_off else settings
        if used["CACHE_TEMPLATE_DIGEST"] is None:
            used = used | {"CACHE_TEMPLATE_DIGEST": mode.reloads}
        if used["CACHE_STATISTICS"] is None:
            used = used | {"CACHE_STATISTICS": mode.debugs or is_asked_for(used)}
        in_force.update(used)
        cache = _make_fragment_cache(app, used, strict)
        if signals is not None:
            signals.watch(cache)
        return cache

    # Made now, because the settings may be wrong.
    first_mode = _Mode.of(app, given, settings)
    first = make(first_mode)

    def choose() -> FragmentCache:
        read_again = read_settings({**app.config, **given})
        mode = _Mode.of(app, given, read_again)
        if mode.is_off and not read_again["CACHE_NO_NULL_WARNING"]:
            logger.warning(
                "Nothing is cached, because TESTING is true. To cache all the same, set"
                " CACHE_IN_TESTING to True. To leave this line out, set"
                " CACHE_NO_NULL_WARNING to True."
            )
        return first if mode == first_mode else make(mode)

    cache = UndecidedCache(choose, first.policy)
    announce_call = None
    if signals is not None and settings["CACHE_ENABLE_SIGNALS"]:
        announce_call = signals.announce_call
    return AppCache(
        cache,
        codec,
        source_check=settings["CACHE_SOURCE_CHECK"],
        announce_call=announce_call,
        guards=settings["CACHE_GUARD"],
        ignore_errors=_ignores_errors(settings),
        settings=in_force,
        kept_alive=(
            signals,
            TimedRequests(app, cache, settings["CACHE_SERVER_TIMING"]),
        ),
    )


def _is_off(app: Flask, given: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Return whether nothing is cached because the application is in testing mode."""
    # `given` may be a copy of the application's settings, made before TESTING was set.
    is_testing = app.testing or given.get("TESTING")
    return (
        bool(is_testing)
        and not settings["CACHE_IN_TESTING"]
        and not is_null(settings["CACHE_TYPE"])
    )


def _reloads_templates(app: Flask) -> bool:
    """Return whether an edited template is loaded again, as in debug mode."""
    told = app.config.get("TEMPLATES_AUTO_RELOAD")
    return bool(app.debug if told is None else told)


def _make_fragment_cache(
    app: Flask,
    settings: Mapping[str, Any],
    strict: Callable[[], bool],
) -> FragmentCache:
    """Make the engine, and its store.

    Raises:
        SettingError: If a setting has a value that is not allowed.
    """
    timeout = _default_timeout(settings)
    store = make_store(app, {**settings, "CACHE_DEFAULT_TIMEOUT": timeout})
    try:
        return FragmentCache(
            store,
            default_timeout=timeout,
            strict=strict,
            listeners=_listeners(settings["CACHE_LISTENERS"]),
            statistics=settings["CACHE_STATISTICS"],
            debug_comments=settings["CACHE_DEBUG_COMMENTS"],
            signing_key=settings["CACHE_SIGNING_KEY"],
            **{name: _rule(settings, _setting(name)) for name in _RULES},
        )
    except StoreError as error:
        raise SettingError(f"CACHE_TYPE: {error}") from None
    except ListenerError as error:
        raise SettingError(f"CACHE_LISTENERS: {error}") from None
    except PolicyError as error:
        raise SettingError(f"{_setting(error.name)}: {error}") from None


def _setting(rule: str) -> str:
    """Return the name of a rule's setting."""
    return _OTHER_NAMES.get(rule, f"CACHE_{rule.upper()}")


def _rule(settings: Mapping[str, Any], name: str) -> Any:
    """Return the value of a rule. That of a function may be an import string.

    Raises:
        SettingError: If it can't be imported.
    """
    value = settings[name]
    if name not in _FUNCTIONS or not isinstance(value, str):
        return value
    form = "'package.module:name' of a function without arguments"
    return import_setting(name, value, form)


def _listeners(given: Any) -> list[Any]:
    """Return the listeners that a setting lists, of which some are import strings.

    Raises:
        SettingError: If it is no list, or one can't be imported.
    """
    name = "CACHE_LISTENERS"
    if not isinstance(given, (list, tuple)):
        raise SettingError(
            f"{name} can't be {describe(given)}. It is a list of listeners, or of their"
            " import strings: ['package.module:name']."
        )
    form = "'package.module:name' of a listener"
    return [
        import_setting(name, each, form) if isinstance(each, str) else each
        for each in given
    ]


def _ignores_errors(settings: Mapping[str, Any]) -> bool:
    """Return whether a failed delete is logged. `CACHE_OPTIONS` takes precedence."""
    options = store_options(settings)
    said = [options[name] for name in IGNORE_ERRORS if name in options]
    return bool(said[0] if said else settings["CACHE_IGNORE_ERRORS"])


def _default_timeout(settings: Mapping[str, Any]) -> int | None:
    """Return the default timeout in seconds.

    `CACHE_OPTIONS` takes precedence over `CACHE_DEFAULT_TIMEOUT`.

    Raises:
        SettingError: If it is not a timeout.
    """
    name, timeout = "CACHE_DEFAULT_TIMEOUT", settings["CACHE_DEFAULT_TIMEOUT"]
    options = settings["CACHE_OPTIONS"]
    if isinstance(options, Mapping) and "default_timeout" in options:
        name, timeout = "CACHE_OPTIONS", options["default_timeout"]
    try:
        return normalize_timeout(timeout)
    except TimeoutValueError as error:
        raise SettingError(f"{name}: {error}") from None
