"""The settings, and the names of settings that are unknown."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from jinja_fragcache.errors import SettingError
from jinja_fragcache.messages import did_you_mean, warn_caller
from jinja_fragcache.stores.memory import DEFAULT_THRESHOLD as NEAR_THRESHOLD

#: The maximum number of entries where CACHE_THRESHOLD does not say it.
DEFAULT_THRESHOLD = 500
_PREFIX = "CACHE_"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting.

    Attributes:
        name: Its name in `app.config`.
        default: Its value if the application has none.
        used_by: The cache types that use it, as the documentation says it.
        meaning: What it does, as the documentation says it.
    """

    name: str
    default: Any
    used_by: str
    meaning: str


#: All settings. Names and values are those of Flask-Cache and Flask-Caching. The table
#: in docs/settings.md is `settings_table()`.
SETTINGS = (
    Setting("CACHE_TYPE", "null", "all", "the back end, see [Back ends](backends.md)"),
    Setting(
        "CACHE_DEFAULT_TIMEOUT",
        300,
        "all",
        "timeout in seconds where none is given; `0` for never expiring",
    ),
    Setting(
        "CACHE_STALE",
        0,
        "all",
        "seconds past its timeout during which an entry is served while one caller"
        " makes a new one",
    ),
    Setting(
        "CACHE_STALE_IF_ERROR",
        0,
        "all",
        "seconds past its timeout during which an entry is served if making a new one"
        " fails",
    ),
    Setting(
        "CACHE_BACKGROUND",
        False,
        "all",
        "whether a stale entry is made again [behind the"
        " request](freshness.md#behind-the-request), so that no caller waits for it",
    ),
    Setting(
        "CACHE_EARLY_REFRESH",
        0,
        "all",
        "how early before its timeout one caller may, by chance, replace an entry: `0`"
        " for never, `1` for the optimal time",
    ),
    Setting(
        "CACHE_JITTER",
        0,
        "all",
        "the largest fraction, from 0 to 1, by which a timeout is shortened at random",
    ),
    Setting(
        "CACHE_LOCK_TIMEOUT",
        10,
        "all",
        "seconds to wait for another caller that is making the same entry",
    ),
    Setting(
        "CACHE_RETRY_AFTER",
        1,
        "all",
        "seconds during which the store is not used after it failed",
    ),
    Setting(
        "CACHE_TEMPLATE_DIGEST",
        None,
        "all",
        "whether a fragment is rendered again if its template has changed, or one that"
        " this template includes, imports or extends; `None` for where Flask reloads"
        " templates: in debug mode, or with `TEMPLATES_AUTO_RELOAD`",
    ),
    Setting(
        "CACHE_NO_NULL_WARNING",
        False,
        "`null`",
        "whether to omit the warning that nothing is cached",
    ),
    Setting(
        "CACHE_THRESHOLD",
        DEFAULT_THRESHOLD,
        "`simple`, `filesystem`",
        "the maximum number of entries; a page with a list of cached rows needs one for"
        " each row; `0` for no limit with `filesystem`, and the default with `simple`",
    ),
    Setting("CACHE_DIR", None, "`filesystem`", "the folder, created if it is missing"),
    Setting(
        "CACHE_FILE_HASH_METHOD",
        hashlib.sha256,
        "`filesystem`",
        "makes the names of files from keys",
    ),
    Setting(
        "CACHE_KEY_PREFIX",
        "flask_cache_",
        "servers except `uwsgi`",
        "prefix of all keys, so that applications can share a server; `clear()` needs"
        " one",
    ),
    Setting(
        "CACHE_MEMCACHED_SERVERS",
        None,
        "all `memcached` types",
        "a list of `'host:port'`, or a client; `None` for `['127.0.0.1:11211']`",
    ),
    Setting(
        "CACHE_MEMCACHED_USERNAME",
        None,
        "`saslmemcached`, `spreadsaslmemcached`",
        "the user name for SASL",
    ),
    Setting(
        "CACHE_MEMCACHED_PASSWORD",
        None,
        "`saslmemcached`, `spreadsaslmemcached`",
        "the password for SASL",
    ),
    Setting(
        "CACHE_REDIS_HOST",
        "localhost",
        "`redis`",
        "the server's host name, or a client",
    ),
    Setting("CACHE_REDIS_PORT", 6379, "`redis`", "the server's port"),
    Setting(
        "CACHE_REDIS_PASSWORD",
        None,
        "`redis`, `redissentinel`, `rediscluster`",
        "the password, if the server has one",
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
        "`redis://user:password@host:port/db`, used instead of the settings above",
    ),
    Setting(
        "CACHE_REDIS_SENTINELS",
        [("127.0.0.1", 26379)],
        "`redissentinel`",
        "a list of `(host, port)`",
    ),
    Setting(
        "CACHE_REDIS_SENTINEL_MASTER",
        "mymaster",
        "`redissentinel`",
        "the master's name in the configuration of the sentinels",
    ),
    Setting(
        "CACHE_REDIS_SENTINEL_PASSWORD",
        None,
        "`redissentinel`",
        "the password of the sentinels, if they have one",
    ),
    Setting(
        "CACHE_REDIS_CLUSTER",
        None,
        "`rediscluster`",
        "some of the nodes, as `'host:port,host:port'` or a list; or a client",
    ),
    Setting("CACHE_UWSGI_NAME", "", "`uwsgi`", "the name of the cache of uWSGI"),
    Setting(
        "CACHE_ARGS",
        [],
        "all but `null`",
        "positional arguments for the store; they override settings for the same"
        " arguments",
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
        "how values other than strings and numbers are stored: `'pickle'`, `'json'`, or"
        " an object with `dumps(value)` and `loads(made)`",
    ),
    Setting(
        "CACHE_SIGNING_KEY",
        None,
        "all",
        "a secret, or a list of secrets with the newest last; what is not"
        " [signed](stores.md#signing) for its key with one of them is a miss",
    ),
    Setting(
        "CACHE_COMPRESSION",
        None,
        "all",
        "how entries from 2,048 bytes are [compressed](stores.md#compression):"
        " `'zlib'` or `'zstd'`",
    ),
    Setting(
        "CACHE_MAX_ENTRY_SIZE",
        None,
        "all",
        "how many bytes an entry may have, compressed and signed; a larger one is not"
        " stored",
    ),
    Setting(
        "CACHE_IGNORE_ERRORS",
        False,
        "all",
        "whether a failed delete is logged instead of raised",
    ),
    Setting(
        "CACHE_SOURCE_CHECK",
        None,
        "all",
        "whether the source of a function that `cached` or `memoize` decorates is part"
        " of its keys; `None` for that of functions inside functions only",
    ),
    Setting(
        "CACHE_GUARD",
        True,
        "all",
        "whether an entry is stored only if its key covers what its body reads of the"
        " request",
    ),
    Setting(
        "CACHE_GUARD_ALLOW",
        (),
        "all",
        "names of what bodies may read all the same, such as `g.theme`",
    ),
    Setting(
        "CACHE_VERIFY",
        0,
        "all",
        "on which fraction of hits, from 0 to 1, the value is made again and"
        " [compared](verify.md) with what is served",
    ),
    Setting(
        "CACHE_VARY_ON",
        None,
        "all",
        "a function that returns [key values of the whole cache]"
        "(keys.md#key-values-of-the-whole-cache), such as the locale; or its import"
        " string, `'package.module:name'`",
    ),
    Setting(
        "CACHE_UNLESS",
        None,
        "all",
        "a function that returns whether to cache nothing now, such as for a preview;"
        " or its import string",
    ),
    Setting(
        "CACHE_NEAR_TIMEOUT",
        0,
        "all but `simple` and `null`",
        "seconds for which each process keeps what it has read, so that it need not ask"
        " the server again, see [Two tiers](stores.md#two-tiers); `0` for not at all",
    ),
    Setting(
        "CACHE_NEAR_THRESHOLD",
        NEAR_THRESHOLD,
        "all but `simple` and `null`",
        "the maximum number of entries that a process keeps so",
    ),
    Setting(
        "CACHE_PREFETCH",
        True,
        "those that read many keys in one round trip",
        "whether a page's first read also reads what it asked for the last time, see"
        " [One round trip for a page](stores.md#one-round-trip-for-a-page)",
    ),
    Setting(
        "CACHE_ENABLE_SIGNALS",
        False,
        "all",
        "whether Flask-Caching's signals are sent, too",
    ),
    Setting(
        "CACHE_LISTENERS",
        (),
        "all",
        "[listeners](observe.md#listeners) that are told what the cache does, or their"
        " import strings, `'package.module:name'`",
    ),
    Setting(
        "CACHE_STATISTICS",
        None,
        "all",
        "whether [figures of each name](observe.md#statistics) are collected, for all"
        " workers; `None` for in debug mode, and where the inspector was asked for",
    ),
    Setting(
        "CACHE_DEBUG_COMMENTS",
        False,
        "all",
        "whether HTML has [comments](observe.md#comments) on fragments",
    ),
    Setting(
        "CACHE_DEBUG_OVERLAY",
        None,
        "all",
        "whether pages with comments have an [overlay](observe.md#overlay), too, for"
        " those who may see the inspector; `None` for in debug mode only",
    ),
    Setting(
        "CACHE_INSPECTOR",
        None,
        "all",
        "whether there are [pages](inspector.md) that show what the cache does; `None`"
        " for in debug mode, and where `CACHE_INSPECTOR_ALLOW` is given",
    ),
    Setting(
        "CACHE_INSPECTOR_ALLOW",
        None,
        "all",
        "a function that returns whether the current request may see these pages, or"
        " its import string; without it, they are there in debug mode only",
    ),
    Setting(
        "CACHE_INSPECTOR_URL",
        "/_fragcache",
        "all",
        "the path of these pages",
    ),
    Setting(
        "CACHE_SERVER_TIMING",
        None,
        "all",
        "whether answers have a [`Server-Timing`](observe.md#server-timing) header;"
        " `None` for in debug mode only",
    ),
    Setting(
        "CACHE_IN_TESTING",
        False,
        "all",
        "whether to cache if `TESTING` is true; by default the type is then `null`",
    ),
)

#: Settings of Flask-Caching that are taken and have no effect here, and why.
UNUSED = {
    "CACHE_HASH_METHOD": "keys are always made with SHA-256",
    "CACHE_GCS_BUCKET": "for Flask-Caching's `GoogleCloudStorageCache`, which can be"
    " used as a [custom cache](custom-caches.md)",
}


_KNOWN = {*(each.name for each in SETTINGS), *UNUSED}


def check_names(*configs: Mapping[str, Any]) -> None:
    """Check that all names of settings are known.

    In a dictionary of nothing but names that begin with CACHE_, an unknown one can only
    be a mistake, and so is one that is not in capitals. In others, such as
    `app.config`, it may belong to something else, and all of them are listed in one
    warning.

    Args:
        configs: All settings that the cache was given.

    Raises:
        SettingError: If a name is a mistake.
    """
    by_hand: set[str] = set()
    others: set[str] = set()
    for config in configs:
        unknown = {name for name in config if _is_unknown(name)}
        (by_hand if _is_by_hand(config) else others).update(unknown)
    if by_hand:
        raise SettingError(_message(by_hand))
    if others:
        warn_caller(_message(others))


def _is_unknown(name: object) -> bool:
    if not isinstance(name, str) or name in _KNOWN:
        return False
    # In small letters, another name is somebody else's, as `cache_page` may be.
    return name.startswith(_PREFIX) or name.upper() in _KNOWN


def _is_by_hand(config: Mapping[Any, Any]) -> bool:
    return all(
        isinstance(name, str) and name.upper().startswith(_PREFIX) for name in config
    )


def _message(unknown: Iterable[str]) -> str:
    """Return the message for unknown settings, each with the most similar names."""
    names = [each.name for each in SETTINGS]
    told = [
        f"There is no setting {name}.{did_you_mean(name, names)}"
        for name in sorted(unknown)
    ]
    return f"{' '.join(told)} All settings: {', '.join(names)}."


def settings_table() -> str:
    """Return the table of settings for the documentation, in Markdown."""
    rows = [
        f"| `{name}` | `{_shown(default)}` | {used_by} | {meaning} |"
        for name, default, used_by, meaning in map(astuple, SETTINGS)
    ]
    head = ["| setting | default | used by | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def unused_settings_list() -> str:
    """Return the list of settings without an effect for the documentation."""
    return "\n".join(f"- `{name}`: {why}." for name, why in UNUSED.items())


def _shown(default: object) -> str:
    return "hashlib.sha256" if default is hashlib.sha256 else repr(default)
