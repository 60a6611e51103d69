"""Flask settings: which there are, and the `AppCache` that they describe."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from flask import Flask

from jinja_fragcache.access.safe_store import Announcer
from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.entries.values import ValueCodec
from jinja_fragcache.errors import (
    PolicyError,
    SettingError,
    StoreError,
    TimeoutValueError,
)
from jinja_fragcache.timeouts import normalize_timeout

from .backends import make_store
from .serializers import make_serializer
from .value_cache import AppCache

_PREFIX = "CACHE_"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that is read.

    Attributes:
        name: as in `app.config`.
        default: the value it has where an application has none.
        used_by: the cache types that use it, in the words of the documentation.
        meaning: what it sets, in the words of the documentation.
    """

    name: str
    default: Any
    used_by: str
    meaning: str


#: All settings that are read. Names and values are those of Flask-Cache and
#: Flask-Caching. The table in docs/flask.md is made of it.
SETTINGS = (
    Setting("CACHE_TYPE", "null", "all", "where to cache: see the types above"),
    Setting(
        "CACHE_DEFAULT_TIMEOUT",
        300,
        "all",
        "seconds for tags with no timeout or None; 0 for ever",
    ),
    Setting(
        "CACHE_STALE",
        0,
        "all",
        "for how many seconds past its timeout an entry is served while one caller"
        " makes it anew",
    ),
    Setting(
        "CACHE_STALE_IF_ERROR",
        0,
        "all",
        "for how many seconds past its timeout an entry is served if making it anew"
        " fails",
    ),
    Setting(
        "CACHE_EARLY_REFRESH",
        0,
        "all",
        "how early an entry is made anew by one caller, by chance: 0 for never, 1 for"
        " as early as is best",
    ),
    Setting(
        "CACHE_JITTER",
        0,
        "all",
        "by which part of it, from 0 to 1, a timeout may be shortened by chance",
    ),
    Setting(
        "CACHE_LOCK_TIMEOUT",
        10,
        "all",
        "how many seconds to wait for another caller that makes the same value",
    ),
    Setting(
        "CACHE_RETRY_AFTER",
        1,
        "all",
        "how many seconds the store is left alone after it failed",
    ),
    Setting(
        "CACHE_TEMPLATE_DIGEST",
        False,  # noqa: FBT003 - a value, no flag
        "all",
        "whether a fragment is rendered anew where the source of its template has"
        " changed, or of one that this includes, imports or extends",
    ),
    Setting(
        "CACHE_NO_NULL_WARNING",
        False,  # noqa: FBT003 - a value, no flag
        "`null`",
        "whether to be silent about caching nothing",
    ),
    Setting(
        "CACHE_THRESHOLD",
        500,
        "`simple`, `filesystem`",
        "the largest number of entries. A page with a list of cached rows needs as"
        " many.",
    ),
    Setting("CACHE_DIR", None, "`filesystem`", "the folder, made if it is missing"),
    Setting(
        "CACHE_KEY_PREFIX",
        "flask_cache_",
        "servers, but `uwsgi`",
        "what all keys begin with, so that applications can share a server; `clear()`"
        " needs one",
    ),
    Setting(
        "CACHE_MEMCACHED_SERVERS",
        None,
        "`memcached` and its kin",
        "a list of `'host:port'`, or a ready client; None for `['127.0.0.1:11211']`",
    ),
    Setting(
        "CACHE_MEMCACHED_USERNAME",
        None,
        "`saslmemcached`, `spreadsaslmemcached`",
        "the user, for SASL",
    ),
    Setting(
        "CACHE_MEMCACHED_PASSWORD",
        None,
        "`saslmemcached`, `spreadsaslmemcached`",
        "the password, for SASL",
    ),
    Setting(
        "CACHE_REDIS_HOST",
        "localhost",
        "`redis`",
        "the server's name, or a ready client",
    ),
    Setting("CACHE_REDIS_PORT", 6379, "`redis`", "the server's port"),
    Setting(
        "CACHE_REDIS_PASSWORD",
        None,
        "`redis`, `redissentinel`, `rediscluster`",
        "the password, if there is one",
    ),
    Setting(
        "CACHE_REDIS_DB",
        0,
        "`redis`, `redissentinel`",
        "the number of the database",
    ),
    Setting(
        "CACHE_REDIS_URL",
        None,
        "`redis`, `rediscluster`",
        "`redis://user:password@host:port/db`, in place of the settings above",
    ),
    Setting(
        "CACHE_REDIS_SENTINELS",
        [("127.0.0.1", 26379)],
        "`redissentinel`",
        "pairs of host and port",
    ),
    Setting(
        "CACHE_REDIS_SENTINEL_MASTER",
        "mymaster",
        "`redissentinel`",
        "the name that the sentinels have for the master",
    ),
    Setting(
        "CACHE_REDIS_SENTINEL_PASSWORD",
        None,
        "`redissentinel`",
        "the password of the sentinels, if there is one",
    ),
    Setting(
        "CACHE_REDIS_CLUSTER",
        None,
        "`rediscluster`",
        "some of the nodes, as `'host:port,host:port'` or a list; or a ready client",
    ),
    Setting(
        "CACHE_ARGS",
        [],
        "all but `null`",
        "arguments for the store, in place of the settings that give the same ones",
    ),
    Setting(
        "CACHE_OPTIONS",
        {},
        "all but `null`",
        "keyword arguments for the store, such as `socket_timeout` for `redis`",
    ),
    Setting(
        "CACHE_SERIALIZER",
        "pickle",
        "all",
        "how values that are no texts are kept: `'pickle'`, `'json'`, or an object with"
        " `dumps(value)` and `loads(made)`",
    ),
    Setting(
        "CACHE_SIGNING_KEY",
        None,
        "all",
        "a secret, or a list of them with the newest one last; what is not signed with"
        " one of them is not unpickled",
    ),
    Setting(
        "CACHE_IGNORE_ERRORS",
        False,  # noqa: FBT003 - a value, no flag
        "all",
        "whether a delete that fails is logged in place of raised",
    ),
    Setting(
        "CACHE_SOURCE_CHECK",
        False,  # noqa: FBT003 - a value, no flag
        "all",
        "whether `cached` and `memoize` make a value anew where the function's code has"
        " changed",
    ),
    Setting(
        "CACHE_IN_TESTING",
        False,  # noqa: FBT003 - a value, no flag
        "all",
        "whether to cache where `TESTING` is true, too; else the type is `null` there",
    ),
)

#: Settings of Flask-Caching that are not needed here, and why.
NEEDLESS = {
    "CACHE_HASH_METHOD": "keys are always SHA-256",
    "CACHE_FILE_HASH_METHOD": "keys are always SHA-256",
    "CACHE_ENABLE_SIGNALS": "signals are always sent to those who connected to them",
}


# The default timeout may stand in CACHE_OPTIONS, too.
_RULES = [each.name for each in fields(Policy) if each.name != "default_timeout"]
_FLAGS = [each.name for each in SETTINGS if isinstance(each.default, bool)]


def make_app_cache(
    app: Flask,
    settings: Mapping[str, Any],
    strict: Callable[[], bool],
    announcer: Announcer | None = None,
) -> AppCache:
    """Make what the settings describe.

    Args:
        app: the application, for a factory that `CACHE_TYPE` may name.
        settings: its settings. Those that are missing have their default.
        strict: as for `FragmentCache`.
        announcer: as for `FragmentCache`.

    Raises:
        SettingError: a setting has a value that is not allowed.
    """
    settings = {**{each.name: each.default for each in SETTINGS}, **settings}
    for name in _FLAGS:
        if not isinstance(settings[name], bool):
            raise SettingError(
                f"{name} can't be {settings[name]!r}. It is True or False, and no text."
            )
    if settings.get("TESTING") and not settings["CACHE_IN_TESTING"]:
        settings |= {"CACHE_TYPE": "null", "CACHE_NO_NULL_WARNING": True}
    timeout = _default_timeout(settings)
    store = make_store(app, {**settings, "CACHE_DEFAULT_TIMEOUT": timeout})
    try:
        fragment_cache = FragmentCache(
            store,
            default_timeout=timeout,
            strict=strict,
            announcer=announcer,
            **{rule: settings[f"CACHE_{rule.upper()}"] for rule in _RULES},
        )
    except StoreError as error:
        raise SettingError(f"CACHE_TYPE: {error}") from None
    except PolicyError as error:
        raise SettingError(f"CACHE_{error.name.upper()}: {error}") from None
    return AppCache(
        fragment_cache,
        ValueCodec(make_serializer(settings)),
        source_check=settings["CACHE_SOURCE_CHECK"],
        ignore_errors=settings["CACHE_IGNORE_ERRORS"],
    )


def _default_timeout(settings: Mapping[str, Any]) -> int | None:
    """Give it as an option of the store, or as the setting."""
    name, timeout = "CACHE_DEFAULT_TIMEOUT", settings["CACHE_DEFAULT_TIMEOUT"]
    options = settings["CACHE_OPTIONS"]
    if isinstance(options, Mapping) and "default_timeout" in options:
        name, timeout = "CACHE_OPTIONS", options["default_timeout"]
    try:
        return normalize_timeout(timeout)
    except TimeoutValueError as error:
        raise SettingError(f"{name}: {error}") from None


def check_names(config: Mapping[str, Any], given: Iterable[str]) -> None:
    """Check that there are settings of the names that were given.

    Args:
        config: the application's settings. Names in it that are not known are warned
            of, because they may be for something else.
        given: the names in what the cache itself was given.

    Raises:
        SettingError: one of these is not known.
    """
    known = {each.name for each in SETTINGS}
    for name in given:
        if name.startswith(_PREFIX) and name not in known | NEEDLESS.keys():
            raise SettingError(_not_known(name))
    for name in {*given, *config}:
        if name in NEEDLESS:
            warnings.warn(f"{name} is not needed: {NEEDLESS[name]}.", stacklevel=4)
        elif name.startswith(_PREFIX) and name not in known:
            warnings.warn(_not_known(name), stacklevel=4)


def _not_known(name: str) -> str:
    known = [each.name for each in SETTINGS]
    nearest = get_close_matches(name, known, n=1)
    hint = f"Did you mean {nearest[0]}? " if nearest else ""
    return f"There is no setting {name}. {hint}There are {', '.join(known)}."


def settings_table() -> str:
    """Write the settings as the table that stands in the documentation."""
    rows = [
        f"| `{each.name}` | `{each.default!r}` | {each.used_by} | {each.meaning} |"
        for each in SETTINGS
    ]
    head = ["| setting | default | used by | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])
